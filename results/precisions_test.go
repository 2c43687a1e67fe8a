package results

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/internal/measure"
)

// Accuracy, size and speed of several precisions stand side by side, and each
// layer's share of the loss below; a row without one in f32 has no ratio.
func TestPrecisionsSideBySide(t *testing.T) {
	row := func(cell, precision string, batch int, rate, top1 float64, bytes int64) Result {
		return Result{Cell: cell, Status: StatusOK, Backend: "cpu", Workload: "lenet5", Mode: "infer", Scenario: "offline", Precision: precision, Batch: batch,
			Math: "strict", Throughput: &Throughput{Estimate: measure.Estimate{Median: rate, Low: rate, High: rate}, Unit: "images/s", Rounds: []float64{rate}},
			Accuracy: &Accuracy{Top1: top1}, Model: &Model{Bytes: bytes, Checkpoint: 177704}}
	}
	int8 := row("lenet5/infer/int8/32/cpu;quant=static:mse", "int8", 32, 50000, 0.9895, 46000)
	int8.Quantization = &Quantization{Recipe: "static:mse", Sensitivity: []Sensitivity{{"conv1.Conv", 0.0012}, {"fc1.Gemm", -0.0001}}}
	alone := row("lenet5/infer/int8/1/cpu;quant=static:mse", "int8", 1, 700, 0.9895, 46000)
	alone.Quantization = &Quantization{Recipe: "static:mse"}
	d := &Document{Results: []Result{row("lenet5/infer/f32/32/cpu", "f32", 32, 100000, 0.99, 177704), int8, alone}}
	got := d.precisions(RenderOptions{})
	require.Len(t, got, 1)
	require.Contains(t, got[0].title, "precisions · lenet5 · cpu")
	require.Equal(t, [][]string{
		{"b32 f32", FormatRate(100000), "1.00×", "99.00 %", Missing, "174K", "100.0 %"},
		{"b32 int8 static:mse", FormatRate(50000), "0.500×", "98.95 %", "+0.05", "45K", "25.9 %"},
		{"b1 int8 static:mse", FormatRate(700), Missing, "98.95 %", Missing, "45K", "25.9 %"},
	}, got[0].grid.rows)
	below := d.sensitivities(RenderOptions{})
	require.Len(t, below, 1)
	require.Equal(t, [][]string{{"conv1.Conv", "+0.12"}, {"fc1.Gemm", "-0.01"}}, below[0].grid.rows)
	require.True(t, strings.HasPrefix(below[0].title, "sensitivity · lenet5 · infer b32 quant=static:mse"), below[0].title)

	d.Results = d.Results[1:]
	require.Empty(t, d.precisions(RenderOptions{}), "one precision has nothing beside it")
}
