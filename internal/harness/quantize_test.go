package harness

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/results"
)

// What is inferred in int8 is trained in f32, and each way to quantize is a
// cell of its own.
func TestPlanOfInt8(t *testing.T) {
	o := options(t, embedded("cpu"))
	o.Modes, o.Data, o.Threads = nil, "", 0
	o.Precision, o.Quant = []string{"int8"}, []string{"static", "dynamic", "static:minmax,act=s8,exclude=^fc;"}
	p := newPlan(t, o)
	require.Equal(t, []string{
		"lenet5/train/f32/1/cpu",
		"lenet5/infer/int8/1/cpu;quant=static:mse",
		"lenet5/infer/int8/1/cpu;quant=dynamic",
		"lenet5/infer/int8/1/cpu;quant=static:minmax,act=s8,exclude=^fc%3B",
	}, p.Names())
	require.Contains(t, o.reproFlags(p.Cells[3]), " --precision int8 --quant 'static:minmax,act=s8,exclude=^fc;'")
	require.Zero(t, p.Comparisons(), "ways to quantize are other tasks")
}

// A run in int8 is judged like any other, by the program between quantizers,
// and says how accurate and how large it is, and which layer costs what.
func TestRunInInt8(t *testing.T) {
	o := options(t, embedded("cpu"))
	o.Modes, o.Effort, o.Epochs, o.Batches = nil, "quick", 2, []int{8}
	o.Precision, o.Quant, o.Sensitivity = []string{"f32", "int8"}, []string{"static", "dynamic"}, true
	p := newPlan(t, o)
	p.Effort = brief
	p.Effort.Rounds = 1
	doc, r := carryOut(t, p)
	require.Len(t, doc.Results, 4)
	for i := range doc.Results {
		row := &doc.Results[i]
		require.Equal(t, results.VerdictPass, row.Conformance.Verdict, "%s: %v", row.Cell, row.Conformance.Failures)
		if row.Mode != "infer" {
			require.Nil(t, row.Model)
			continue
		}
		if !row.Measured() {
			continue // other work on the machine, which the honest-work checks take for the backend's
		}
		require.NotNil(t, row.Accuracy, row.Cell)
		require.EqualValues(t, 44426*4, row.Model.Checkpoint)
		if row.Precision == "f32" {
			require.EqualValues(t, 44426*4, row.Model.Bytes)
			require.Nil(t, row.Quantization)
			continue
		}
		require.Less(t, float64(row.Model.Bytes), 0.27*float64(row.Model.Checkpoint))
		require.Len(t, row.Quantization.Sensitivity, 5)
		require.Nil(t, row.PeakShare, "the limit of f32 is not that of int8")
	}
	calibrating := 0
	for _, s := range r.stages {
		if regexp.MustCompile("calibrating").MatchString(s) {
			calibrating++
		}
	}
	require.Equal(t, 1, calibrating, "found once, and not for what is dynamic")
}
