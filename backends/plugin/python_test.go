package plugin

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends/wire"
	"github.com/clsbench/clsbench/conformance/protocol"
)

// python is the spec of the plugin in the second language. Debian's interpreter
// has the packages; where it is missing only `make conform` insists.
func python(t testing.TB) string {
	if err := exec.Command("/usr/bin/python3", "-c", "import grpc, google.protobuf, numpy").Run(); err != nil {
		t.Skip("needs Debian's python3-grpcio, python3-protobuf and python3-numpy")
	}
	return "python=exec:/usr/bin/python3 testdata/plugin.py"
}

// transports are those that take regions of every kind.
var transports = []wire.Transport{wire.Auto, wire.File, wire.Chunks}

// passes runs the protocol suite against one plugin process.
func passes(t *testing.T, spec string, transport wire.Transport) {
	o := options(t)
	o.Transport = transport
	p := open(t, spec, o)
	for _, c := range protocol.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			ctx, done := context.WithTimeout(context.Background(), 30*time.Second)
			defer done()
			require.NoError(t, c.Run(ctx, p), p.LogTail())
		})
	}
	require.NoError(t, p.Close())
}

func TestPythonPassesProtocol(t *testing.T) {
	for _, transport := range transports {
		t.Run("by "+string(transport), func(t *testing.T) { passes(t, python(t), transport) })
	}
}

func TestReferencePassesProtocol(t *testing.T) {
	for _, transport := range transports {
		t.Run("by "+string(transport), func(t *testing.T) { passes(t, "reference", transport) })
	}
}

// TestProtocolRejectsNull: a backend that computes nothing passes only where
// nothing is computed.
func TestProtocolRejectsNull(t *testing.T) {
	p := open(t, "null", options(t))
	failed := map[string]bool{}
	for _, c := range protocol.Cases() {
		failed[c.Name] = c.Run(context.Background(), p) != nil
	}
	for _, name := range []string{"regions-shared-and-private", "large-feed", "large-const", "ring-slots", "fetch-anything",
		"state-starts-at-zero", "state-shared", "updates-after-reads", "steps-in-one-call", "two-batches", "two-calls-queued"} {
		require.True(t, failed[name], name)
	}
	for _, name := range []string{"describe", "open-refuses", "bindings-refused", "read-write", "samples"} {
		require.False(t, failed[name], name)
	}
}
