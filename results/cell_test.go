package results

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseCell(t *testing.T) {
	for _, c := range []struct {
		name string
		want Cell
	}{
		{"lenet5/infer/f32/32/cpu", Cell{"lenet5", "infer", "f32", 32, "cpu", nil}},
		{"resnet50/train/bf16/8/torch-2.1", Cell{"resnet50", "train", "bf16", 8, "torch-2.1", nil}},
		{"lenet5/infer/f32/1/cpu;isa=avx2;math=winograd;scenario=server",
			Cell{"lenet5", "infer", "f32", 1, "cpu", map[string]string{"isa": "avx2", "math": "winograd", "scenario": "server"}}},
		{"lenet5/infer/f32/1/mine;args=--a=1,2%3B%20x;path=a/b",
			Cell{"lenet5", "infer", "f32", 1, "mine", map[string]string{"args": "--a=1,2; x", "path": "a/b"}}},
		{"lenet5/infer/f32/1/cpu;note=", Cell{"lenet5", "infer", "f32", 1, "cpu", map[string]string{"note": ""}}},
	} {
		got, err := ParseCell(c.name)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
		require.Equal(t, c.name, got.String())
	}
}

func TestParseCellRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"":                            "1 parts",
		"lenet5/infer/f32/32":         "4 parts",
		"a/b/c/1/d/e":                 "6 parts",
		"lenet5//f32/32/cpu":          "mode is empty",
		"lenet5/infer/f32/0/cpu":      "batch",
		"lenet5/infer/f32/-1/cpu":     "batch",
		"lenet5/infer/f32/032/cpu":    "batch",
		"lenet5/infer/f32/1/c pu":     "backend",
		"lenet5/infer/f32/1/cpu;":     "key=value",
		"lenet5/infer/f32/1/cpu;isa":  "key=value",
		"lenet5/infer/f32/1/cpu;=v":   "key=value",
		"a/b/c/1/d;k=1;k=2":           "twice",
		"a/b/c/1/d;k=%2":              "ends inside",
		"a/b/c/1/d;k=%41":             "no escape",
		"a/b/c/1/d;k=%3b":             "no escape",
		"a/b/c/1/d;k=x y":             "%20",
		"a/b/c/1/é":                   "character",
		"a/b/c/99999999999999999999/": "backend is empty",
	} {
		_, err := ParseCell(name)
		require.ErrorContains(t, err, want, name)
		require.ErrorContains(t, err, "workload/mode/precision/batch/backend", name)
	}
}

func TestCellTaskAndSubject(t *testing.T) {
	c, err := ParseCell("lenet5/infer/f32/1/cpu;threads=1;math=winograd;isa=avx2;scenario=server")
	require.NoError(t, err)
	require.Equal(t, "lenet5/infer/f32/1;scenario=server;threads=1", c.Task())
	require.Equal(t, "cpu;isa=avx2;math=winograd", c.Subject())
}

func TestCellRoundTrip(t *testing.T) {
	word := rapid.StringMatching(`[A-Za-z0-9_.\-+:@]{1,12}`)
	rapid.Check(t, func(t *rapid.T) {
		c := Cell{
			Workload: word.Draw(t, "workload"), Mode: word.Draw(t, "mode"), Precision: word.Draw(t, "precision"),
			Batch: rapid.IntRange(1, 1<<40).Draw(t, "batch"), Backend: word.Draw(t, "backend"),
		}
		if s := rapid.MapOfN(word, rapid.String(), 0, 4).Draw(t, "settings"); len(s) > 0 {
			c.Settings = s
		}
		if len(c.String()) > maxCellName {
			t.Skip("long")
		}
		require.NoError(t, c.Check())
		back, err := ParseCell(c.String())
		require.NoError(t, err)
		require.Equal(t, c, back)
	})
}

func FuzzParseCell(f *testing.F) {
	f.Add("lenet5/infer/f32/32/cpu")
	f.Add("lenet5/infer/f32/1/cpu;isa=avx2;math=winograd;args=%3B%25")
	f.Fuzz(func(t *testing.T, name string) {
		c, err := ParseCell(name)
		if err != nil {
			return
		}
		again, err := ParseCell(c.String())
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}
