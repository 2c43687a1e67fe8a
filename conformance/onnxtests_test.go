package conformance_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu"
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

	rep := runONNX(t, reference.New(), dir, nil)
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

func runONNX(t *testing.T, b backends.Backend, dir string, cache *conformance.Cache) *conformance.ONNXReport {
	t.Helper()
	tests, err := conformance.FindONNXTests(dir)
	require.NoError(t, err)
	r, err := conformance.NewRunner(b, conformance.Options{Seed: 1, Cache: cache})
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
	rep := runONNX(t, reference.New(), dir, nil)
	require.Len(t, rep.Results, 2)
	require.Equal(t, conformance.StatusPass, rep.Results[0].Status)
	require.Equal(t, []string{"Conv", "Relu"}, rep.Results[0].Ops)
	require.Equal(t, conformance.StatusFail, rep.Results[1].Status)
	require.ErrorContains(t, rep.Error(), "1 of 2 tests failed")
}

// A test whose files are broken fails, and the error names the file.
func TestBrokenONNXTestsFail(t *testing.T) {
	set := filepath.Join("test_data_set_0")
	remove := func(parts ...string) func(string) error {
		return func(dir string) error { return os.RemoveAll(filepath.Join(append([]string{dir}, parts...)...)) }
	}
	cut := func(size int64, parts ...string) func(string) error {
		return func(dir string) error {
			return os.Truncate(filepath.Join(append([]string{dir}, parts...)...), size)
		}
	}
	write := func(data []byte, parts ...string) func(string) error {
		return func(dir string) error {
			return os.WriteFile(filepath.Join(append([]string{dir}, parts...)...), data, 0o644)
		}
	}
	for name, c := range map[string]struct {
		spoil func(dir string) error
		file  string
		says  string
	}{
		"model cut short":        {cut(30, "model.onnx"), "model.onnx", "invalid model"},
		"model empty":            {cut(0, "model.onnx"), "model.onnx", "invalid model"},
		"model of another thing": {write([]byte("hello, world"), "model.onnx"), "model.onnx", "invalid model"},
		"model missing":          {remove("model.onnx"), "model.onnx", "no such file"},
		"no data":                {remove(set), "test_data_set_0", "no folder"},
		"an empty set of data": {func(dir string) error {
			return errors.Join(os.RemoveAll(filepath.Join(dir, set)), os.Mkdir(filepath.Join(dir, set), 0o755))
		}, "input_0.pb", "no such file"},
		"an empty second set": {func(dir string) error { return os.Mkdir(filepath.Join(dir, "test_data_set_1"), 0o755) }, "input_0.pb", "no such file"},
		"a gap among the inputs": {func(dir string) error {
			return os.Rename(filepath.Join(dir, set, "input_0.pb"), filepath.Join(dir, set, "input_1.pb"))
		}, "input_0.pb", "no such file"},
		"an output far off": {write(onnx.MarshalTensor("", tensor.New(tensor.F32, 1)), set, "output_7.pb"), "output_7.pb", "one file too many"},
		"a gap among the sets": {func(dir string) error {
			return os.Rename(filepath.Join(dir, set), filepath.Join(dir, "test_data_set_1"))
		}, "test_data_set_0", "no such file"},
		"no input":               {remove(set, "input_0.pb"), "input_0.pb", "no such file"},
		"no output":              {remove(set, "output_0.pb"), "output_0.pb", "no such file"},
		"input cut short":        {cut(40, set, "input_0.pb"), "input_0.pb", "invalid data"},
		"output empty":           {cut(0, set, "output_0.pb"), "output_0.pb", "invalid data"},
		"output of another type": {write(onnx.MarshalTensor("", tensor.New(tensor.F64, 2, 4, 5, 5)), set, "output_0.pb"), set, "output"},
		"input of another shape": {write(onnx.MarshalTensor("x", tensor.New(tensor.F32, 1)), set, "input_0.pb"), "model.onnx", "the value given is f32[1]"},
		"an output too many":     {write(onnx.MarshalTensor("", tensor.New(tensor.F32, 1)), set, "output_1.pb"), "output_1.pb", "one file too many"},
		"an empty folder":        {func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)) }, "model.onnx", "no such file"},
	} {
		dir := t.TempDir()
		broken := filepath.Join(dir, "broken")
		writeONNXTest(t, broken, nil)
		require.NoError(t, c.spoil(broken), name)
		rep := runONNX(t, reference.New(), dir, nil)
		require.Len(t, rep.Results, 1, name)
		x := rep.Results[0]
		require.Equal(t, conformance.StatusFail, x.Status, "%s: %s", name, x.Why)
		require.Contains(t, x.Why, filepath.Join(broken, ""), name)
		require.Contains(t, x.Why, c.file, name)
		require.Contains(t, x.Why, c.says, name)
		require.Error(t, rep.Error(), name)
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
// them. As many tests as now must go on passing, on both backends.
func TestAgreesWithONNX(t *testing.T) {
	dir := os.Getenv("CLSBENCH_ONNX_TESTS")
	if dir == "" {
		dir = "/usr/share/libonnx-testdata/data"
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no folder %s: install libonnx-testdata", dir)
	}
	cache := conformance.NewCache("")
	for name, b := range map[string]backends.Backend{"reference": reference.New(), "cpu": cpu.New()} {
		rep := runONNX(t, b, dir, cache)
		require.NoError(t, rep.Error(), name)
		ops, tests := rep.UnsupportedOps()
		require.GreaterOrEqual(t, rep.Count(conformance.StatusPass), 801, "%s: %v", name, tests)
		require.NotContains(t, ops, "", "%s: a test is unsupported without an op's name", name)
	}
}

// What ONNX has corrected is no failure of a backend, but a backend that errs
// otherwise than the old data still fails.
func TestONNXDataThatWereCorrected(t *testing.T) {
	dir := t.TempDir()
	writeONNXTest(t, filepath.Join(dir, "node", "old"), func(out *tensor.Tensor) {
		v := out.Float64s()
		v[7] = 1.01*v[7] + 0.1
		out.SetFloat64s(v)
	})
	tests, err := conformance.FindONNXTests(dir)
	require.NoError(t, err)
	defer conformance.Supersede(tests[0], "#1")()
	rep := runONNX(t, reference.New(), dir, nil)
	require.Equal(t, conformance.StatusSuperseded, rep.Results[0].Status, rep.Results[0].Why)
	require.Contains(t, rep.Results[0].Why, "onnx/onnx#1")
	require.ErrorContains(t, rep.Error(), "no test ran")

	rep = runONNX(t, fault(t, "conv-kernel-flipped"), dir, nil)
	require.Equal(t, conformance.StatusFail, rep.Results[0].Status)

	file := filepath.Join(dir, "node", "old", "test_data_set_0", "output_0.pb")
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	b[len(b)-1] ^= 1
	require.NoError(t, os.WriteFile(file, b, 0o644))
	rep = runONNX(t, reference.New(), dir, nil)
	require.Equal(t, conformance.StatusFail, rep.Results[0].Status, "other data are not those that were corrected")
}
