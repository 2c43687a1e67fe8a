package conformance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	ref "github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// writeONNXTest makes a folder in the layout of ONNX's tests of a small
// program, its outputs as the reference gives them, changed by spoil.
func writeONNXTest(t *testing.T, dir string, spoil func(out *tensor.Tensor)) {
	t.Helper()
	b := graph.NewBuilder("block")
	x := b.Feed("x", tensor.T(tensor.F32, 2, 3, 5, 5))
	w := tensor.New(tensor.F32, 4, 3, 3, 3)
	fillWave(w, 0.3)
	b.Fetch(b.Op("Relu", nil, b.Op("Conv", graph.Attrs{"pads": graph.L(1, 1, 1, 1)}, x, b.Const("w", w))))
	p, err := b.Program()
	require.NoError(t, err)
	model, err := onnx.Marshal(p)
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	in := tensor.New(tensor.F32, 2, 3, 5, 5)
	fillWave(in, 0.7)
	env := map[string]*ref.Array{"x": ref.FromTensor(in)}
	_, err = ref.Eval(g, env, ref.Mode{})
	require.NoError(t, err)
	out := env[p.Fetches[0]].Tensor(tensor.F32)
	if spoil != nil {
		spoil(out)
	}
	set := filepath.Join(dir, "test_data_set_0")
	require.NoError(t, os.MkdirAll(set, 0o755))
	for name, data := range map[string][]byte{
		filepath.Join(dir, "model.onnx"):  model,
		filepath.Join(set, "input_0.pb"):  onnx.MarshalTensor("x", in),
		filepath.Join(set, "output_0.pb"): onnx.MarshalTensor(p.Fetches[0], out),
	} {
		require.NoError(t, os.WriteFile(name, data, 0o644))
	}
}

// A light model is two files, and its input is a ramp; a model that only has an
// address is named.
func TestONNXLightModelsAndAddresses(t *testing.T) {
	b := graph.NewBuilder("light")
	x := b.Feed("x", tensor.T(tensor.F32, 1, 3, 5, 5))
	w := tensor.New(tensor.F32, 4, 3, 3, 3)
	fillWave(w, 0.3)
	b.Fetch(b.Op("Conv", nil, x, b.Const("w", w)))
	p, err := b.Program()
	require.NoError(t, err)
	model, err := onnx.Marshal(p)
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	ramp := ref.New(1, 3, 5, 5)
	for i := range ramp.Data {
		ramp.Data[i] = float64(float32(float64(i) / 75))
	}
	env := map[string]*ref.Array{"x": ramp}
	_, err = ref.Eval(g, env, ref.Mode{})
	require.NoError(t, err)
	out := env[p.Fetches[0]].Tensor(tensor.F32)

	dir := t.TempDir()
	write := func(data []byte, parts ...string) {
		path := filepath.Join(append([]string{dir}, parts...)...)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, data, 0o644))
	}
	write(model, "light", "light_right.onnx")
	write(onnx.MarshalTensor("", out), "light", "light_right_output_0.pb")
	v := out.Float64s()
	v[3] += 0.1
	out.SetFloat64s(v)
	write(model, "light", "light_wrong.onnx")
	write(onnx.MarshalTensor("", out), "light", "light_wrong_output_0.pb")
	write([]byte(`{"url": "https://example.org/x.tar.gz"}`), "real", "test_far", "data.json")
	write(model, "light", "stray.onnx") // no outputs: no test

	rep := runONNX(t, dir)
	got := map[string]string{}
	for _, x := range rep.Results {
		got[x.Test] = string(x.Status)
	}
	require.Equal(t, map[string]string{"light/light_right": "pass", "light/light_wrong": "fail", "real/test_far": "unsupported"}, got)
	require.Contains(t, rep.Results[2].Why, "only the model's address")
}

func fillWave(t *tensor.Tensor, step float64) {
	v := make([]float64, t.Shape.Elements())
	for i := range v {
		v[i] = float64(i%17)*step - 3
	}
	t.SetFloat64s(v)
}

func runONNX(t *testing.T, dir string) *conformance.ONNXReport {
	t.Helper()
	tests, err := conformance.FindONNXTests(dir)
	require.NoError(t, err)
	r, err := conformance.NewRunner(reference.New(), conformance.Options{Seed: 1})
	require.NoError(t, err)
	rep, err := r.RunONNX(ctx, dir, tests, nil)
	require.NoError(t, err)
	return rep
}

func TestONNXTestsRunFailAndAreNamed(t *testing.T) {
	dir := t.TempDir()
	writeONNXTest(t, filepath.Join(dir, "node", "right"), nil)
	writeONNXTest(t, filepath.Join(dir, "node", "wrong"), func(out *tensor.Tensor) {
		v := out.Float64s()
		v[7] = 1.01*v[7] + 0.1
		out.SetFloat64s(v)
	})
	writeONNXTest(t, filepath.Join(dir, "node", "torn"), nil)
	require.NoError(t, os.Truncate(filepath.Join(dir, "node", "torn", "model.onnx"), 30))
	writeONNXTest(t, filepath.Join(dir, "node", "empty"), nil)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "node", "empty", "test_data_set_0")))
	writeONNXTest(t, filepath.Join(dir, "node", "no-output"), nil)
	require.NoError(t, os.Remove(filepath.Join(dir, "node", "no-output", "test_data_set_0", "output_0.pb")))

	rep := runONNX(t, dir)
	got := map[string]string{}
	for _, x := range rep.Results {
		got[x.Test] = string(x.Status)
	}
	require.Equal(t, map[string]string{"node/right": "pass", "node/wrong": "fail", "node/torn": "fail", "node/empty": "fail", "node/no-output": "fail"}, got)
	require.ErrorContains(t, rep.Error(), "4 of 5 tests failed")
	for _, x := range rep.Results {
		if x.Test == "node/right" {
			require.Equal(t, []string{"Conv", "Relu"}, x.Ops)
		}
	}
}

func TestONNXWithoutATestThatRanIsNoPass(t *testing.T) {
	rep := &conformance.ONNXReport{Results: []*conformance.ONNXResult{
		{Test: "a", Status: conformance.StatusUnsupported, Op: "Einsum"}, {Test: "b", Status: conformance.StatusUnsupported, Op: "Einsum"},
		{Test: "c", Status: conformance.StatusUnsupported, Op: "Det"}, {Test: "d", Status: conformance.StatusFolded}}}
	require.ErrorContains(t, rep.Error(), "no test ran")
	ops, tests := rep.UnsupportedOps()
	require.Equal(t, []string{"Einsum", "Det"}, ops)
	require.Equal(t, 2, tests["Einsum"])
}

// ONNX's own data, where Debian's libonnx-testdata or CLSBENCH_ONNX_TESTS has
// them.
func TestAgreesWithONNX(t *testing.T) {
	dir := os.Getenv("CLSBENCH_ONNX_TESTS")
	if dir == "" {
		dir = "/usr/share/libonnx-testdata/data"
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no folder %s: install libonnx-testdata", dir)
	}
	rep := runONNX(t, dir)
	require.NoError(t, rep.Error())
	require.GreaterOrEqual(t, rep.Count(conformance.StatusPass), 780, fmt.Sprint(rep.UnsupportedOps()))
}
