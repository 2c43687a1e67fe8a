package relaxed_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/reference/relaxed"
	"github.com/clsbench/clsbench/tensor"
)

// TF32 keeps 10 bits behind the point: half an ulp of those is 2⁻¹¹.
func TestTF32Roundings(t *testing.T) {
	cut, nearest := relaxed.TF32Roundings[0], relaxed.TF32Roundings[1]
	for _, c := range []struct{ x, cut, nearest float64 }{
		{1 + 0x1p-10, 1 + 0x1p-10, 1 + 0x1p-10},
		{1 + 0x1.8p-11, 1, 1 + 0x1p-10},
		{1 + 0x1p-11, 1, 1},                             // a tie, to even
		{-(1 + 0x3p-11), -(1 + 0x1p-10), -(1 + 0x1p-9)}, // the other tie
		{2 - 0x1p-23, 2 - 0x1p-10, 2},
		{0x1p-126 + 0x1p-149, 0x1p-126, 0x1p-126}, // f32's exponents
		{0x1p-149, 0, 0},
		{math.Inf(-1), math.Inf(-1), math.Inf(-1)},
		{0, 0, 0},
	} {
		require.Equal(t, c.cut, cut(c.x), "%x", c.x)
		require.Equal(t, c.nearest, nearest(c.x), "%x", c.x)
	}
	require.True(t, math.IsNaN(cut(math.NaN())))
}

// conv is a call of Conv, or of its input gradient, on normal data.
func conv(t *testing.T, op string, x, w tensor.Shape, group int, pads ...int) (*graph.Call, map[string]*reference.Array) {
	b := graph.NewBuilder("conv")
	attrs := graph.Attrs{"pads": graph.L(pads...), "group": graph.I(group)}
	first := tensor.Type{DType: tensor.F32, Shape: x}
	var bias []graph.Value
	if op == "ConvInputGrad" {
		y := b.Op("Conv", attrs, b.Feed("shape", first), b.Feed("filters", tensor.Type{DType: tensor.F32, Shape: w}))
		attrs = graph.Attrs{"pads": graph.L(pads...), "group": graph.I(group), "input_shape": graph.L(x...)}
		first.Shape = y.Type.Shape
	} else {
		bias = append(bias, b.Feed("B", tensor.T(tensor.F32, w[0])))
	}
	b.Fetch(b.Op(op, attrs, append([]graph.Value{b.Feed("X", first), b.Feed("W", tensor.Type{DType: tensor.F32, Shape: w})}, bias...)...))
	p, err := b.Program()
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	c := &g.Calls[len(g.Calls)-1]
	env := map[string]*reference.Array{}
	for i, name := range c.Inputs {
		v := tensor.FillSeeded(tensor.New(tensor.F32, c.In[i].Shape...), tensor.Fill{Kind: tensor.Normal, Hi: 1}, 7, uint32(i))
		env[name] = reference.FromTensor(v)
	}
	return c, env
}

// In float64 Winograd's algorithm is the convolution; rounded to f32 it is not,
// and not far from it.
func TestWinogradIsTheConvolution(t *testing.T) {
	for _, op := range []string{"Conv", "ConvInputGrad"} {
		for _, s := range []struct {
			x, w  tensor.Shape
			group int
			pads  []int
		}{
			{tensor.Shape{2, 3, 9, 7}, tensor.Shape{4, 3, 3, 3}, 1, []int{0, 0, 0, 0}},
			{tensor.Shape{1, 6, 8, 8}, tensor.Shape{4, 3, 3, 3}, 2, []int{1, 1, 1, 1}},
			{tensor.Shape{2, 5, 6, 13}, tensor.Shape{10, 1, 3, 3}, 5, []int{2, 0, 1, 2}},
			{tensor.Shape{1, 1, 3, 3}, tensor.Shape{1, 1, 3, 3}, 1, []int{0, 0, 0, 0}},
		} {
			c, env := conv(t, op, s.x, s.w, s.group, s.pads...)
			require.True(t, c.Relaxed(graph.Winograd))
			at := func(m reference.Mode) *reference.Array {
				require.NoError(t, reference.EvalNode(c, env, m))
				return env[c.Outputs[0]]
			}
			want := at(reference.Mode{})
			for form := range uint64(2) {
				exact := at(relaxed.Mode(reference.Mode{Order: form}, graph.Winograd))
				require.Equal(t, want.Shape, exact.Shape)
				require.InDeltaSlice(t, want.Data, exact.Data, 1e-12, "%s %v", op, s)
				single := at(relaxed.Mode(reference.Mode{Round: true, Order: form}, graph.Winograd))
				require.InDeltaSlice(t, want.Data, single.Data, 1e-4, "%s %v", op, s)
				if len(want.Data) > 9 {
					require.NotEqual(t, at(reference.Mode{Round: true, Order: form}).Data, single.Data)
				}
			}
		}
	}
}

// A mode touches the calls that it names, and no others.
func TestWhatAModeTouches(t *testing.T) {
	pads := []int{1, 1, 1, 1}
	plain, env := conv(t, "Conv", tensor.Shape{1, 2, 6, 6}, tensor.Shape{3, 2, 3, 3}, 1, pads...)
	in := []*reference.Array{env["X"], env["W"], env["B"]}
	require.True(t, relaxed.Changes(graph.TF32, plain, in))
	require.True(t, relaxed.Changes(graph.Winograd, plain, in))
	require.False(t, relaxed.Changes(graph.Strict, plain, in))
	for _, x := range in[:2] {
		for i, v := range x.Data {
			x.Data[i] = relaxed.TF32Roundings[1](v)
		}
	}
	require.False(t, relaxed.Changes(graph.TF32, plain, in), "factors of 11 bits")
	large, env := conv(t, "Conv", tensor.Shape{1, 2, 6, 6}, tensor.Shape{3, 2, 5, 5}, 1, pads...)
	require.False(t, relaxed.Changes(graph.Winograd, large, []*reference.Array{env["X"], env["W"], env["B"]}))
	require.NoError(t, reference.EvalNode(large, env, reference.Mode{Round: true}))
	want := env[large.Outputs[0]]
	require.NoError(t, reference.EvalNode(large, env, relaxed.Mode(reference.Mode{Round: true}, graph.Winograd)))
	require.Equal(t, want, env[large.Outputs[0]])
	require.NoError(t, reference.EvalNode(large, env, relaxed.Mode(reference.Mode{Round: true}, graph.TF32)))
	require.NotEqual(t, want, env[large.Outputs[0]])
}
