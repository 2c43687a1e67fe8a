package pass_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/autodiff"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/tensor"
)

// halfCases have one op of each rule; want are the types of its inputs and of
// the first output.
var halfCases = []struct {
	name  string
	build func(b *graph.Builder, half, x, w graph.Value) graph.Value // half: a product's, x: f32 N×4×4×4, w: f32 4×4×1×1
	op    string
	want  string
}{
	{"products are lowered", func(b *graph.Builder, _, x, w graph.Value) graph.Value { return b.Op("Conv", nil, x, w) }, "Conv", "[bf16 bf16] bf16"},
	{"activations take what comes", func(b *graph.Builder, half, _, _ graph.Value) graph.Value { return b.Op("Relu", nil, half) }, "Relu", "[bf16] bf16"},
	{"of f32, they stay f32", func(b *graph.Builder, _, x, _ graph.Value) graph.Value { return b.Op("Relu", nil, x) }, "Relu", "[f32] f32"},
	{"sums of two types are f32", func(b *graph.Builder, half, x, _ graph.Value) graph.Value { return b.Op("Add", nil, half, x) }, "Add", "[f32 f32] f32"},
	{"concatenations too", func(b *graph.Builder, half, x, _ graph.Value) graph.Value {
		return b.Op("Concat", graph.Attrs{"axis": graph.I(1)}, half, x, half)
	}, "Concat", "[f32 f32 f32] f32"},
	{"softmax is f32", func(b *graph.Builder, half, _, _ graph.Value) graph.Value { return b.Op("Softmax", nil, half) }, "Softmax", "[f32] f32"},
	{"sums over axes are f32", func(b *graph.Builder, half, _, _ graph.Value) graph.Value {
		return b.Op("ReduceSum", graph.Attrs{"axes": graph.L(1)}, half)
	}, "ReduceSum", "[f32] f32"},
	{"means are not", func(b *graph.Builder, half, _, _ graph.Value) graph.Value {
		return b.Op("ReduceMean", graph.Attrs{"axes": graph.L(1)}, half)
	}, "ReduceMean", "[bf16] bf16"},
	{"layer norm is f32", func(b *graph.Builder, half, _, _ graph.Value) graph.Value {
		return b.Op("LayerNormalization", nil, half, b.Const("s", tensor.Of(tensor.F32, tensor.Shape{4}, 1, 2, 3, 4)))
	}, "LayerNormalization", "[f32 f32] f32"},
	{"pow's exponent is another type, and both are f32", func(b *graph.Builder, half, _, _ graph.Value) graph.Value {
		return b.Op("Pow", nil, half, half)
	}, "Pow", "[f32 f32] f32"},
	{"f64 is left alone", func(b *graph.Builder, _, _, _ graph.Value) graph.Value {
		x := b.Const("wide", tensor.New(tensor.F64, 2, 2))
		return b.Op("Cast", graph.Attrs{"to": graph.S("f32")}, b.Op("MatMul", nil, x, x))
	}, "MatMul", "[f64 f64] f64"},
	{"a condition has no say", func(b *graph.Builder, half, _, _ graph.Value) graph.Value {
		return b.Op("Where", nil, b.Op("IsNaN", nil, half), half, half)
	}, "Where", "[bool bf16 bf16] bf16"},
}

func TestAutocastChoosesByTheOp(t *testing.T) {
	for _, c := range halfCases {
		b := graph.NewBuilder(c.name)
		x, w := b.Feed("x", tensor.T(tensor.F32, 2, 4, 4, 4)), b.State("w", tensor.T(tensor.F32, 4, 4, 1, 1))
		b.Fetch(c.build(b, b.Op("Conv", nil, x, w), x, w))
		p, err := b.Program()
		require.NoError(t, err, c.name)
		p, err = pass.Autocast(p, tensor.BF16)
		require.NoError(t, err, c.name)
		g, err := p.Infer()
		require.NoError(t, err, c.name)
		var last *graph.Call
		for i := range g.Calls {
			if g.Calls[i].Op.Name == c.op {
				last = &g.Calls[i]
			}
		}
		require.NotNil(t, last, c.name)
		in := make([]tensor.DType, 0, 3)
		for _, x := range last.In {
			in = append(in, x.DType)
		}
		require.Equal(t, c.want, fmt.Sprintf("%v %v", in, last.Out[0].DType), c.name)
		require.Equal(t, tensor.F32, g.Types[p.Fetches[0]].DType, "%s: fetches keep their type", c.name)
	}
}

// A batch norm's parameters and statistics stay f32, whatever its images are.
func TestAutocastLeavesBatchNormItsStatistics(t *testing.T) {
	b := graph.NewBuilder("norm")
	x, w := b.Feed("x", tensor.T(tensor.F32, 2, 4, 4, 4)), b.State("w", tensor.T(tensor.F32, 4, 4, 1, 1))
	var params []graph.Value
	for _, name := range []string{"scale", "bias", "mean", "var"} {
		params = append(params, b.State(name, tensor.T(tensor.F32, 4)))
	}
	y := b.OpN("BatchNormalizationTraining", nil, 3, append([]graph.Value{b.Op("Conv", nil, x, w)}, params...)...)
	b.Update(params[2], y[1])
	b.Update(params[3], y[2])
	b.Fetch(b.Op("Relu", nil, y[0]))
	p, err := b.Program()
	require.NoError(t, err)
	got, err := pass.Autocast(p, tensor.F16)
	require.NoError(t, err)
	g, err := got.Infer()
	require.NoError(t, err)
	require.Equal(t, p.State, got.State)
	require.Equal(t, p.Updates, got.Updates, "they are f32 as they are")
	require.Equal(t, tensor.F16, g.Types[y[0].Name].DType, "the images go on in 16 bits")
	for i := range g.Calls {
		if c := &g.Calls[i]; c.Op.Name == "BatchNormalizationTraining" {
			for _, in := range c.In {
				require.Equal(t, tensor.F32, in.DType)
			}
		}
	}
}

// A weight that two products read is cast once; a constant's cast is a constant
// rounded to nearest even, and what nobody reads any more is gone.
func TestAutocastCastsOnce(t *testing.T) {
	b := graph.NewBuilder("shared")
	x, w := b.Feed("x", tensor.T(tensor.F32, 2, 2)), b.State("w", tensor.T(tensor.F32, 2, 2))
	k := b.Const("k", tensor.Of(tensor.F32, tensor.Shape{2, 2}, 1+0x1p-8, 1+3*0x1p-8, 2, 3))
	y := b.Op("MatMul", nil, b.Op("MatMul", nil, x, w), b.Op("MatMul", nil, w, k))
	b.Fetch(b.Op("MatMul", nil, y, k))
	p, err := b.Program()
	require.NoError(t, err)
	got, err := pass.Autocast(p, tensor.BF16)
	require.NoError(t, err)
	casts := map[string]int{}
	for _, n := range got.Nodes {
		if n.Op == "Cast" {
			casts[n.Inputs[0]]++
		}
	}
	require.Equal(t, map[string]int{"x": 1, "w": 1, got.Nodes[len(got.Nodes)-1].Inputs[0]: 1}, casts)
	require.Len(t, got.Consts, 1)
	require.Equal(t, tensor.BF16, got.Consts[0].Tensor.DType)
	require.Equal(t, []float64{1, 1 + 0x1p-6, 2, 3}, got.Consts[0].Tensor.Float64s())
	require.Equal(t, k.Name, p.Consts[0].Name, "the program given is as it was")
	require.Equal(t, tensor.F32, p.Consts[0].Tensor.DType)
}

// Gradients of what was cast come back in f32, of a weight that is read twice
// as one sum.
func TestGradientsOfCastParametersAreF32(t *testing.T) {
	b := graph.NewBuilder("gradients")
	x, w := b.Feed("x", tensor.T(tensor.F32, 2, 2)), b.State("w", tensor.T(tensor.F32, 2, 2))
	y := b.Op("MatMul", nil, b.Op("MatMul", nil, x, w), w)
	b.Fetch(b.Op("ReduceSum", graph.Attrs{"keepdims": graph.I(0)}, y))
	p, err := b.Program()
	require.NoError(t, err)
	p, err = pass.Autocast(p, tensor.F16)
	require.NoError(t, err)
	b, err = graph.Extend(p)
	require.NoError(t, err)
	loss, err := b.Value(p.Fetches[0])
	require.NoError(t, err)
	require.Equal(t, tensor.F32, loss.Type.DType)
	grads, err := autodiff.Gradients(b, loss, []graph.Value{w})
	require.NoError(t, err)
	require.Equal(t, w.Type, grads[0].Type)
	products := 0
	for _, c := range b.Calls() {
		if c.Op.Name == "MatMul" || c.Op.Name == "Gemm" {
			products++
			require.Equal(t, tensor.F16, c.In[0].DType, c.Name)
			require.Equal(t, tensor.F16, c.In[1].DType, c.Name)
		}
	}
	require.Greater(t, products, 4)
}

func TestAutocastToWhatIsNoHalf(t *testing.T) {
	_, err := pass.Autocast(network(t), tensor.F32)
	require.ErrorContains(t, err, "want f16 or bf16")
}
