package plugin

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/clsbench/clsbench/backends/wire"
	v1 "github.com/clsbench/clsbench/backends/wire/backendv1"
	"github.com/clsbench/clsbench/conformance/protocol"
	"github.com/clsbench/clsbench/graph/onnx"
)

// python is the spec of the plugin in the second language. Debian's interpreter
// has the packages; where it is missing only `make conform` insists.
func python(t testing.TB) string {
	if err := exec.Command("/usr/bin/python3", "-c", "import grpc, google.protobuf, numpy").Run(); err != nil {
		t.Skip("needs Debian's python3-grpcio, python3-protobuf and python3-numpy")
	}
	return "python=exec:/usr/bin/python3 testdata/plugin.py"
}

// passes runs the protocol suite against one plugin process.
func passes(t *testing.T, spec string, transport wire.Transport) {
	o := options(t)
	o.Transport = transport
	p := open(t, spec, o)
	for _, c := range protocol.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			ctx, done := context.WithTimeout(context.Background(), 30*time.Second)
			defer done()
			err := c.Run(ctx, p)
			if errors.Is(err, protocol.ErrLacksOp) {
				t.Skip(err)
			}
			require.NoError(t, err, p.LogTail())
		})
	}
	require.NoError(t, p.Close())
}

func TestPythonPassesProtocol(t *testing.T) {
	for _, transport := range []wire.Transport{wire.Auto, wire.Chunks} {
		t.Run("by "+string(transport), func(t *testing.T) { passes(t, python(t), transport) })
	}
}

// TestPythonIsInstalled: by a manifest, with its files hashed.
func TestPythonIsInstalled(t *testing.T) {
	python(t)
	o := options(t)
	o.ManifestDirs = []string{"testdata/manifests"}
	p := open(t, "snake=python", o)
	require.Equal(t, Installed, p.Kind())
	require.Equal(t, "snake", p.Spec().Label)
	d, err := p.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, "python", d.Name)
	require.NotEqual(t, p.Hash(), open(t, python(t), o).Hash())
	require.NoError(t, p.Close())
}

// TestForeignPrograms sends models that our own client would not write, to
// plugins in both languages.
func TestForeignPrograms(t *testing.T) {
	good, err := onnx.Marshal(newProgram(t))
	require.NoError(t, err)
	for _, spec := range []string{"reference", python(t)} {
		p := open(t, spec, options(t))
		protocol, err := p.client.Client()
		require.NoError(t, err)
		rpc := v1.NewBackendServiceClient(protocol.(*goplugin.GRPCClient).Conn)
		s, err := rpc.Open(t.Context(), &v1.OpenRequest{})
		require.NoError(t, err)
		for _, c := range []struct {
			what, model string
			code        codes.Code
		}{
			{"no model", "not a model", codes.InvalidArgument},
			{"half a model", string(good[:len(good)/2]), codes.InvalidArgument},
			{"an unknown op", strings.ReplaceAll(string(good), "\"\x03Add", "\"\x03Adx"), codes.Unimplemented},
			{"an input from nowhere", strings.Replace(string(good), "\x0a\x01x", "\x0a\x01q", 1), codes.InvalidArgument},
		} {
			require.NotEqual(t, string(good), c.model, c.what)
			_, err := rpc.Compile(t.Context(), &v1.CompileRequest{Session: s.GetSession(), Program: []byte(c.model)})
			require.Equal(t, c.code, status.Code(err), "%s: %s: %v", spec, c.what, err)
			require.NotEmpty(t, status.Convert(err).Message())
			if c.code == codes.Unimplemented {
				require.Len(t, status.Convert(err).Details(), 1)
				d := status.Convert(err).Details()[0].(*v1.ErrorDetail)
				require.Equal(t, "Adx", d.GetOp())
				require.Equal(t, "Add", d.GetNode())
			}
		}
		_, err = rpc.CloseSession(t.Context(), &v1.CloseSessionRequest{Session: s.GetSession()})
		require.NoError(t, err)
		require.NoError(t, p.Close())
	}
}

func TestReferencePassesProtocol(t *testing.T) { passes(t, "reference", wire.File) }

// TestProtocolRejectsNull: a backend that computes nothing passes only where
// nothing is computed.
func TestProtocolRejectsNull(t *testing.T) {
	p := open(t, "null", options(t))
	failed := map[string]bool{}
	for _, c := range protocol.Cases() {
		failed[c.Name] = c.Run(context.Background(), p) != nil
	}
	for _, name := range []string{"regions-shared-and-private", "large-feed", "large-const", "ring-slots", "fetch-anything",
		"state-starts-at-zero", "state-shared", "updates-after-reads", "steps-in-one-call", "two-batches", "two-calls-queued",
		"gather-index-outside", "maxpool-grad-index-outside", "cross-entropy-label-outside"} {
		require.True(t, failed[name], name)
	}
	for _, name := range []string{"describe", "open-refuses", "bindings-refused", "read-write", "samples"} {
		require.False(t, failed[name], name)
	}
}
