package results

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArrange(t *testing.T) {
	d := &Document{}
	for _, c := range []Cell{
		{Workload: "b", Mode: "train", Precision: "f32", Batch: 64, Backend: "z"},
		{Workload: "b", Mode: "train", Precision: "f32", Batch: 64, Backend: "a"},
		{Workload: "b", Mode: "infer", Precision: "f32", Batch: 32, Backend: "z"},
		{Workload: "b", Mode: "infer", Precision: "bf16", Batch: 1, Backend: "z"},
		{Workload: "b", Mode: "infer", Precision: "f32", Batch: 8, Backend: "z"},
		{Workload: "b", Mode: "infer", Precision: "f32", Batch: 8, Backend: "a"},
		{Workload: "a", Mode: "infer", Precision: "f32", Batch: 1, Backend: "z"},
	} {
		d.Results = append(d.Results, Result{Cell: c.String(), Workload: c.Workload, Mode: c.Mode, Precision: c.Precision, Batch: c.Batch, Backend: c.Backend})
	}
	d.Comparisons = []Comparison{{A: "b/train/f32/64/a", B: "b/train/f32/64/z"}, {A: "b/infer/f32/8/a", B: "b/infer/f32/8/z"}}
	d.Arrange()
	var cells []string
	for i := range d.Results {
		cells = append(cells, d.Results[i].Cell)
	}
	require.Equal(t, []string{
		"b/infer/f32/8/z", "b/infer/f32/8/a", "b/infer/f32/32/z", "b/infer/bf16/1/z", "b/train/f32/64/z", "b/train/f32/64/a", "a/infer/f32/1/z",
	}, cells)
	require.Equal(t, "b/infer/f32/8/a", d.Comparisons[0].A)
}
