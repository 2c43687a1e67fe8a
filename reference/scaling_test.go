package reference_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// The walk of PyTorch's GradScaler through good (g) and overflowing (x) steps,
// from scale 8 with an interval of 3 (torch/cuda/amp/grad_scaler.py's rules).
func TestDynamicLossScaleWalks(t *testing.T) {
	scale, counter := scalar(8), scalar(0)
	for _, s := range []struct {
		event          rune
		scale, counter float64
	}{
		{'g', 8, 1}, {'g', 8, 2}, {'g', 16, 0}, // grown after three in a row
		{'g', 16, 1}, {'g', 16, 2}, {'x', 8, 0}, // the count starts anew
		{'x', 4, 0}, {'g', 4, 1}, {'g', 4, 2}, {'g', 8, 0}, {'x', 4, 0},
	} {
		skip := scalar(0)
		if s.event == 'x' {
			skip = scalar(1)
		}
		out := call(t, reference.Mode{Round: true}, "DynamicLossScale", graph.Attrs{"growth_interval": graph.I(3)},
			[]tensor.DType{tensor.F32, tensor.S64, tensor.Bool}, scale, counter, skip)
		scale, counter = out[0], out[1]
		require.Equal(t, []float64{s.scale, s.counter}, []float64{scale.Data[0], counter.Data[0]})
	}
	top := scalar(math.Ldexp(1, 127))
	out := call(t, reference.Mode{Round: true}, "DynamicLossScale", graph.Attrs{"growth_interval": graph.I(1)},
		[]tensor.DType{tensor.F32, tensor.S64, tensor.Bool}, top, scalar(0), scalar(0))
	require.Equal(t, top.Data, out[0].Data, "a scale does not grow to infinity")
}

func TestAllFiniteLooksEverywhere(t *testing.T) {
	d := []tensor.DType{tensor.F32, tensor.F32}
	for _, c := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{1, math.MaxFloat32}, []float64{0}, 1}, {[]float64{1, nan}, []float64{0}, 0},
		{[]float64{1}, []float64{2, inf}, 0}, {[]float64{-inf}, []float64{inf}, 0}, {nil, []float64{5e-324}, 1},
	} {
		equal(t, []float64{c.want}, call(t, reference.Mode{}, "AllFinite", nil, d, vector(c.a...), vector(c.b...))[0].Data, c)
	}
}

// Of a batch whose rows are all ignored the mean has no value, and no logit a
// gradient; PyTorch gives the same.
func TestNothingCounts(t *testing.T) {
	x := &reference.Array{Shape: tensor.Shape{2, 2}, Data: []float64{1, 2, nan, 4}}
	labels, a := vector(-100, -100), graph.Attrs{"ignore_index": graph.I(-100)}
	out := call(t, reference.Mode{}, "SoftmaxCrossEntropy", a, []tensor.DType{tensor.F32, tensor.S64}, x, labels)
	equal(t, []float64{nan}, out[0].Data)
	f := tensor.F32
	dx := call(t, reference.Mode{}, "SoftmaxCrossEntropyGrad", a, []tensor.DType{f, f, tensor.S64, f}, scalar(1), x, labels, out[1])
	equal(t, []float64{0, 0, 0, 0}, dx[0].Data)
}
