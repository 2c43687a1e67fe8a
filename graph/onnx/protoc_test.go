package onnx

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
)

// protoc runs Debian's protoc over its libonnx-dev's schema, which CI
// installs; elsewhere the test that asks is skipped.
func protoc(t *testing.T, in []byte, mode string) []byte {
	const include = "/usr/include"
	schema := filepath.Join(include, "onnx", "onnx.proto")
	if _, err := os.Stat(schema); err != nil {
		t.Skip("needs Debian's libonnx-dev: ", err)
	}
	bin, err := exec.LookPath("protoc")
	if err != nil {
		t.Skip("needs Debian's protobuf-compiler: ", err)
	}
	cmd := exec.Command(bin, mode+"=onnx.ModelProto", "-I", include, schema)
	cmd.Stdin = bytes.NewReader(in)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	require.NoError(t, cmd.Run(), log.String())
	return out.Bytes()
}

// What is written decodes to text and encodes back to the same bytes: every
// field stands in the schema, under its number and in its order.
func TestProtocAgreesByteForByte(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(3, 3))}
	for _, op := range graph.Ops() {
		if op.Domain == graph.Std { // own nodes have metadata_props, which ONNX 1.12 lacks
			require.True(t, g.node(op, 200_000), op.Name)
		}
	}
	b, err := Marshal(g.ends())
	require.NoError(t, err)
	text := protoc(t, b, "--decode")
	require.Contains(t, string(text), "opset_import {\n  version: 24\n}")
	require.Equal(t, b, protoc(t, text, "--encode"))
}

func TestProtocReadsOwnOps(t *testing.T) {
	b, err := Marshal(trainer(t))
	require.NoError(t, err)
	text := string(protoc(t, b, "--decode"))
	for _, want := range []string{
		`op_type: "ConvWeightGrad"`, `domain: "clsbench"`, `type: INTS`, `data_type: 1`,
		`key: "clsbench.state"`, `value: "[\"conv.weight\",\"conv.weight.velocity\"]"`,
		`key: "clsbench.updates"`, `key: "clsbench.origin"`, `elem_type: 2`, `name: "ReduceMean.axes"`,
		"9 {\n      1: \"clsbench.version\"\n      2: \"1\"\n    }", // metadata_props of a node
	} {
		require.Contains(t, text, want)
	}
}
