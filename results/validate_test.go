package results

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// spoiled reads two.json with one value set by path to a raw JSON value; "" removes it.
func spoiled(t *testing.T, path, value string) error {
	data, err := os.ReadFile("testdata/two.json")
	require.NoError(t, err)
	var tree any
	require.NoError(t, json.Unmarshal(data, &tree))
	keys := strings.Split(path, "/")[1:]
	at := tree
	step := func(at any, k string) *any {
		switch x := at.(type) {
		case map[string]any:
			v := x[k]
			return &v
		case []any:
			return &x[int(k[0]-'0')]
		}
		require.Fail(t, path)
		return nil
	}
	for _, k := range keys[:len(keys)-1] {
		at = *step(at, k)
	}
	last := keys[len(keys)-1]
	if value == "" {
		delete(at.(map[string]any), last)
	} else {
		v := any(json.RawMessage(value))
		if m, ok := at.(map[string]any); ok {
			m[last] = v
		} else {
			*step(at, last) = v
		}
	}
	out, err := json.Marshal(tree)
	require.NoError(t, err)
	_, err = Read(bytes.NewReader(out), "two.json")
	return err
}

// A run that ended has measured something; one cut short may have not.
func TestDocumentWithoutRows(t *testing.T) {
	d := fixture("one.json", 1)
	d.Results, d.Comparisons = []Result{}, nil
	require.ErrorContains(t, d.Validate(), "/results: has none; a finished run has a row for each cell")
	_, err := Store{t.TempDir()}.Save(d)
	require.ErrorContains(t, err, "/results: has none")
	d.Run.Interrupted = true
	require.NoError(t, d.Validate())
}

func TestReadRefusesAndNamesTheField(t *testing.T) {
	for _, c := range []struct{ path, value, field, text string }{
		{"/schema", ``, "/schema", "no schema version"},
		{"/schema", `"clsbench.result/v9"`, "/schema", "knows clsbench.result/v1"},
		{"/machine", ``, "/machine", "is missing"},
		{"/machine/cpu/caches", `null`, "/machine/cpu/caches", "is null; write array"},
		{"/extra", `1`, "/extra", "unknown key"},
		{"/results/0/batch", `"32"`, "/results/0/batch", "is string; write integer"},
		{"/results/0/batch", `0`, "/results/0/batch", "minimum"},
		{"/results/0/batch", `3e1`, "/results/0/batch", "cell's name says 1"},
		{"/results/0/status", `"fine"`, "/results/0/status", "one of ok, unstable"},
		{"/results/0/throughputs", `{}`, "/results/0/throughputs", "misspelt"},
		{"/results/0/throughput", ``, "/results/0/throughput", "status is ok"},
		{"/results/0/throughput/low", `1e9`, "/results/0/throughput", "lies outside"},
		{"/results/0/throughput/low", `1`, "/results/0/throughput/low", "leaves the rounds' range"},
		{"/results/0/throughput/rounds", `[]`, "/results/0/throughput/rounds", "minItems"},
		{"/results/0/throughput/rounds/3", `-5`, "/results/0/throughput/rounds/3", "not above 0"},
		{"/results/0/throughput/unit", `"furlongs"`, "/results/0/throughput/unit", "images/s"},
		{"/results/1/cell", `"lenet5/infer/f32/1/cpu"`, "/results/1/cell", "already"},
		{"/results/0/cell", `"lenet5"`, "/results/0/cell", "1 parts"},
		{"/results/0/cell", `"lenet5/infer/f32/1/cpu;b=1;a=2"`, "/results/0/cell", "out of order"},
		{"/results/0/backend", `"tpu"`, "/results/0/backend", "name says cpu"},
		{"/results/0/peak", `"fma.f32/99"`, "/results/0/peak", "not among its peaks"},
		{"/results/0/peak_share", ``, "/results/0/peak_share", "together"},
		{"/results/0/session", `1`, "/results/0/session", "resumed"},
		{"/results/0/cause", `{"kind":"internal","message":"x"}`, "/results/0/cause", "status is ok"},
		{"/results/0/cause", `{"kind":"gremlins","message":"x"}`, "/results/0/cause/kind", "one of"},
		{"/results/0/status", `"crashed"`, "/results/0/cause", "status is crashed"},
		{"/results/0/latency_ms/p50", `1e6`, "/results/0/latency_ms", "don't ascend"},
		{"/results/0/latency_ms/count", `63`, "/results/0/latency_ms/p90", "leave it out below 64"},
		{"/results/0/latency_ms/histogram", `{"edges":[1,2],"counts":[3]}`, "/results/0/latency_ms/histogram", "add up"},
		{"/results/0/memory/shared_bytes", `1e15`, "/results/0/memory/peak_bytes", "anonymous"},
		{"/results/0/conformance/cases_passed", `411`, "/results/0/conformance/verdict", "411 of 412"},
		{"/results/0/conformance/verdict", `"fail"`, "/results/0/conformance/verdict", "all of 412"},
		{"/results/0/conformance/cases_total", `3`, "/results/0/conformance/cases_passed", "of 3"},
		{"/results/0/conformance", `{"verdict":"none","cases_passed":0,"cases_total":0}`, "/results/0/conformance/verdict", "none, though the status is ok"},
		{"/results/0/conformance/verdict", ``, "/results/0/conformance/verdict", "is missing"},
		{"/results/0/plugin_hash", ``, "/results/0/plugin_hash", "missing beside a pass"},
		{"/results/0/peak_share", `1.2`, "/results/0/peak_share", "1.2 of the machine's limit, though the status is ok; such a row has status invalid"},
		{"/results/4/accuracy/runs/1/seed", `1`, "/results/4/accuracy/runs/1/seed", "stands twice"},
		{"/results/4/accuracy/runs/1/curve/1/seconds", `0`, "/results/4/accuracy/runs/1/curve/1", "backwards"},
		{"/results/4/accuracy/test/classes/0/images", `7`, "/results/4/accuracy/test/classes", "each image has a class"},
		{"/results/4/accuracy/test/confusions/0/label", `10`, "/results/4/accuracy/test/confusions/0", "of 10 classes"},
		{"/results/4/accuracy/test/confusions/0/images", `20000`, "/results/4/accuracy/test/confusions", "more mistakes than images"},
		{"/results/4/accuracy/test/mistakes/0/predicted", `4`, "/results/4/accuracy/test/mistakes/0", "two different classes"},
		{"/results/4/accuracy/test/calibration/9/correct", `20000`, "/results/4/accuracy/test/calibration/9", "correct"},
		{"/results/4/accuracy/test/calibration/0/images", `1`, "/results/4/accuracy/test/calibration", "each image is in a bin"},
		{"/results/4/accuracy/top1", `98.7`, "/results/4/accuracy/top1", "maximum"},
		{"/run/id", `"../../etc"`, "/run/id", "[0-9a-f]{12}"},
		{"/run/started", `"yesterday"`, "/run/started", "no date-time"},
		{"/run/ended", `"2020-01-01T00:00:00Z"`, "/run/ended", "before"},
		{"/run/seed", `9007199254740994`, "/run/seed", "maximum"},
		{"/run/seed", `1e999999999`, "", "not JSON"},
		{"/comparisons/0/a", `"lenet5/infer/f32/1/gone"`, "/comparisons/0/a", "no cell"},
		{"/comparisons/0/p_holm", `0`, "/comparisons/0/p_holm", "smaller"},
		{"/comparisons/0/ratio/low", `9`, "/comparisons/0/ratio", "outside"},
	} {
		err := spoiled(t, c.path, c.value)
		var bad *InvalidError
		require.ErrorAs(t, err, &bad, "%s = %s", c.path, c.value)
		var fields []string
		hit := false
		for _, p := range bad.Problems {
			require.Equal(t, "two.json", p.File)
			fields = append(fields, p.String())
			hit = hit || strings.HasPrefix(p.Field, c.field) && strings.Contains(p.String(), c.text)
		}
		require.True(t, hit, "%s = %s: %v", c.path, c.value, fields)
	}
}

func TestReadRefusesWhatIsNoDocument(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "the file is empty",
		`{"schema":"clsbench.result/v1",`:   "cut off",
		"{\n\"schema\":\n}":                 "look at line 3",
		"[]":                                "not an object",
		`{"Schema":"clsbench.result/v1"}`:   "no schema version",
		strings.Repeat(`[`, 20_000):         "not JSON",
		`{"schema":"clsbench.result/v1"} x`: "not JSON",
	} {
		_, err := Read(strings.NewReader(in), "in.json")
		require.ErrorContains(t, err, want, in[:min(40, len(in))])
		require.ErrorContains(t, err, "in.json: ")
	}
	_, err := ReadFile(t.TempDir())
	require.ErrorContains(t, err, "not a file")
	_, err = readCapped(strings.NewReader(strings.Repeat(" ", 2<<20+1)), "big.json", 2<<20)
	require.ErrorContains(t, err, "big.json: larger than 2 MB")
	big := filepath.Join(t.TempDir(), "big.json")
	require.NoError(t, os.WriteFile(big, nil, 0o644))
	require.NoError(t, os.Truncate(big, MaxFile+1))
	_, err = ReadFile(big)
	require.ErrorContains(t, err, "larger than 128 MB")
}

func TestEncodeReadsBackAndBreaksLines(t *testing.T) {
	for name := range fixtures {
		d, err := ReadFile("testdata/" + name)
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, d.Encode(&b))
		back, err := Read(bytes.NewReader(b.Bytes()), name)
		require.NoError(t, err)
		require.Equal(t, d, back)
		require.Equal(t, len(d.Results), strings.Count(b.String(), "\n{\"cell\":"), "a line a cell")
	}
	d := fixture("one.json", 1)
	d.Warnings = []string{`a "quoted, [bracketed] \ one`, "<&>"}
	var b bytes.Buffer
	require.NoError(t, d.Encode(&b))
	require.Contains(t, b.String(), "<&>")
	back, err := Read(&b, "")
	require.NoError(t, err)
	require.Equal(t, d.Warnings, back.Warnings)
}

// terse is a fixture without its long lists: a fuzzer gets nowhere on large seeds.
func terse(name string) *Document {
	d := fixture(name, 1)
	d.Results = d.Results[:2]
	d.Comparisons = nil
	for i := range d.Results {
		r := &d.Results[i]
		r.Latency.Samples = nil
		if r.Accuracy != nil {
			r.Accuracy.Runs = nil
		}
	}
	return d
}

func FuzzRead(f *testing.F) {
	for name := range fixtures {
		var b bytes.Buffer
		require.NoError(f, terse(name).Encode(&b))
		f.Add(b.Bytes())
	}
	f.Add([]byte(`{"schema":"clsbench.result/v1","results":[]}`))
	f.Add([]byte(`{"schema":"clsbench.result/v1","run":{"seed":1e999999999}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Read(bytes.NewReader(data), "fuzz")
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		var b bytes.Buffer
		require.NoError(t, d.Encode(&b))
		again, err := Read(&b, "fuzz")
		require.NoError(t, err)
		require.Equal(t, len(d.Results), len(again.Results))
	})
}
