package harness

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/results"
)

// What is measured in a precision is trained in it, but for int8, which is
// trained in f32.
func TestPlanOfPrecisions(t *testing.T) {
	o := options(t, embedded("cpu"))
	o.Modes, o.Data, o.Threads = nil, "", 0
	o.Precision = []string{"bf16", "int8", "fp16"}
	p := newPlan(t, o)
	require.Equal(t, []string{
		"lenet5/train/bf16/1/cpu", "lenet5/train/f32/1/cpu", "lenet5/train/fp16/1/cpu",
		"lenet5/infer/bf16/1/cpu", "lenet5/infer/int8/1/cpu;quant=static:mse", "lenet5/infer/fp16/1/cpu",
	}, p.Names())
	h := &run{Plan: p, doc: &results.Document{Run: results.Run{ID: "r"}}}
	files := map[string]bool{}
	for i, c := range p.Cells {
		require.Equal(t, p.Cells[i%3], h.trainingCell(c), c.String())
		files[h.checkpoint(c)] = true
	}
	require.Len(t, files, 3, "each training has a checkpoint of its own")
	require.Contains(t, o.reproFlags(p.Cells[5]), " --precision fp16")
	require.NotContains(t, o.reproFlags(p.Cells[1]), "--precision")
	require.Zero(t, p.Comparisons(), "precisions are other tasks")
}

// In 16 bits a network is trained, judged and measured like any other; its
// products' weights take half the room.
func TestRunInSixteenBits(t *testing.T) {
	o := options(t, embedded("cpu"))
	o.Modes, o.Effort, o.Epochs, o.Batches = nil, "quick", 1, []int{8}
	o.Precision = []string{"bf16", "fp16"}
	p := newPlan(t, o)
	p.Effort = brief
	p.Effort.Rounds = 1
	doc, _ := carryOut(t, p)
	require.Len(t, doc.Results, 4)
	for i := range doc.Results {
		row := &doc.Results[i]
		require.Equal(t, results.VerdictPass, row.Conformance.Verdict, "%s: %v", row.Cell, row.Conformance.Failures)
		require.Nil(t, row.PeakShare, "the limit of f32 is not that of 16 bits")
		if row.Mode != "infer" || !row.Measured() {
			continue // other work on the machine, which the honest-work checks take for the backend's
		}
		require.EqualValues(t, 44426*2, row.Model.Bytes)
		require.EqualValues(t, 44426*4, row.Model.Checkpoint)
		require.NotNil(t, row.Accuracy, row.Cell)
	}
}
