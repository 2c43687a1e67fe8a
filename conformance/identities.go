package conformance

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Identities of core ops whose hard data only one class of their own cases
// has: the same number come by in another way, or something that holds
// whatever an implementation may choose. See convgrid.go for Conv's.

func twoWayCases() []*Case {
	return []*Case{
		productInParts(), productBySums(), maximumMirrored(), orderOfPairs(), guardedQuotient(), pickedMaximum(),
		undividedGradients(), cancellingGradients(tensor.F16), cancellingGradients(tensor.BF16),
	}
}

// identityCase is a case of f32 inputs whose outputs are exact.
func identityCase(op, class string, suite Suite, e Effort, inputs []input, apply func(b *graph.Builder, in []graph.Value) []graph.Value) *Case {
	text := ""
	for _, in := range inputs {
		text = params(text, in.name+"="+in.typ.Shape.String())
	}
	return &Case{Op: op, DType: tensor.F32, Params: text, Class: class, Suite: suite, Effort: e, Required: true, bound: every(exact),
		subject: &opSubject{inputs: inputs, apply: apply}}
}

// productInParts: A·B is the sum of the products of A's first columns and of
// the others, and of no columns at all.
func productInParts() *Case {
	f := integers(-9, 9)
	return identityCase("MatMul", "parts", InferenceCore, Standard, []input{
		{name: "A0", typ: tensor.T(tensor.F32, 6, 0), fill: f}, {name: "B0", typ: tensor.T(tensor.F32, 0, 5), fill: f},
		{name: "A1", typ: tensor.T(tensor.F32, 6, 4), fill: f}, {name: "B1", typ: tensor.T(tensor.F32, 4, 5), fill: f},
		{name: "A2", typ: tensor.T(tensor.F32, 6, 3), fill: f}, {name: "B2", typ: tensor.T(tensor.F32, 3, 5), fill: f},
	}, func(b *graph.Builder, in []graph.Value) []graph.Value {
		beside := func(axis int, parts ...graph.Value) graph.Value {
			return b.Op("Concat", graph.Attrs{"axis": graph.I(axis)}, parts...)
		}
		sum := b.Op("Add", nil, b.Op("MatMul", nil, in[0], in[1]), b.Op("MatMul", nil, in[2], in[3]))
		sum = b.Op("Add", nil, sum, b.Op("MatMul", nil, in[4], in[5]))
		return []graph.Value{sum, b.Op("MatMul", nil, beside(1, in[0], in[2], in[4]), beside(0, in[1], in[3], in[5]))}
	})
}

// productBySums: A·B, and the sum of A's columns times B's rows; where A has a
// NaN both are NaN, even times zero.
func productBySums() *Case {
	const m, k, n = 11, 6, 5
	return identityCase("MatMul", "by-sums", InferenceCore, Quick, []input{
		{name: "A", typ: tensor.T(tensor.F32, m, k), fill: rarely(integers(-9, 9), math.NaN(), math.NaN())},
		{name: "B", typ: tensor.T(tensor.F32, k, n), fill: integers(-9, 9)},
	}, func(b *graph.Builder, in []graph.Value) []graph.Value {
		columns := b.Op("Reshape", graph.Attrs{"shape": graph.L(m, k, 1)}, in[0])
		terms := b.Op("Mul", nil, columns, b.Op("Reshape", graph.Attrs{"shape": graph.L(1, k, n)}, in[1]))
		sums := b.Op("ReduceSum", graph.Attrs{"axes": graph.L(1), "keepdims": graph.I(0)}, terms)
		return []graph.Value{b.Op("MatMul", nil, in[0], in[1]), b.Op("Neg", nil, sums)}
	})
}

// comparands are two tensors of few numbers, NaN among them.
func comparands() []input {
	f := sprinkled(integers(-3, 3), math.NaN(), math.Inf(1), math.Inf(-1))
	return []input{{name: "A", typ: tensor.T(tensor.F32, 9, 17), fill: f}, {name: "B", typ: tensor.T(tensor.F32, 9, 17), fill: f}}
}

// maximumMirrored: max(a, b) = −min(−a, −b) = max(b, a), NaN where either is.
func maximumMirrored() *Case {
	return identityCase("Max", "mirrored", InferenceCore, Quick, comparands(), func(b *graph.Builder, in []graph.Value) []graph.Value {
		neg := func(x graph.Value) graph.Value { return b.Op("Neg", nil, x) }
		return []graph.Value{b.Op("Max", nil, in[0], in[1]), neg(b.Op("Min", nil, neg(in[0]), neg(in[1]))), b.Op("Max", nil, in[1], in[0])}
	})
}

// orderOfPairs: what is less than what; where neither is, nor equal, the two
// have no order. The lesser is b where there is none.
func orderOfPairs() *Case {
	return identityCase("Less", "ordered", InferenceCore, Quick, comparands(), func(b *graph.Builder, in []graph.Value) []graph.Value {
		less, more := b.Op("Less", nil, in[0], in[1]), b.Op("Less", nil, in[1], in[0])
		ordered := b.Op("Or", nil, b.Op("Or", nil, less, more), b.Op("Equal", nil, in[0], in[1]))
		return []graph.Value{b.Op("Where", nil, less, in[0], in[1]), ordered}
	})
}

// guardedQuotient: 1/z where z is not zero, x where it is, either way round, as
// the gradient of a guarded division has it: the infinity is not let through.
func guardedQuotient() *Case {
	powers := each(func(r *rng) float64 { return math.Ldexp(r.sign(), r.intn(5)-2) })
	return identityCase("Where", "guarded", InferenceCore, Quick, []input{
		{name: "z", typ: tensor.T(tensor.F32, 7, 19), fill: sprinkled(powers, 0, 0, 0, 0)},
		{name: "x", typ: tensor.T(tensor.F32, 7, 19), fill: integers(3, 99)},
	}, func(b *graph.Builder, in []graph.Value) []graph.Value {
		quotient := b.Op("Div", nil, b.Scalar(tensor.F32, 1), in[0])
		zero := b.Op("Equal", nil, in[0], b.Scalar(tensor.F32, 0))
		return []graph.Value{b.Op("Where", nil, zero, in[1], quotient), b.Op("Where", nil, b.Op("Not", nil, zero), quotient, in[1])}
	})
}

// pickedMaximum: what stands at the index of the maximum is the maximum, NaN in
// rows that have one.
func pickedMaximum() *Case {
	return identityCase("ArgMax", "picked", InferenceCore, Quick, []input{
		{name: "data", typ: tensor.T(tensor.F32, 23, 13), fill: rarely(distinct(0.5), math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN())},
	}, func(b *graph.Builder, in []graph.Value) []graph.Value {
		at := b.Op("ArgMax", graph.Attrs{"axis": graph.I(1), "keepdims": graph.I(1)}, in[0])
		return []graph.Value{b.Op("GatherElements", graph.Attrs{"axis": graph.I(1)}, in[0], at), b.Op("ReduceMax", graph.Attrs{"axes": graph.L(1)}, in[0])}
	})
}

// undividedGradients: the squares of a window's gradients add up to the square
// of the one that it was given, whichever of equal maxima has it, but not if
// several have parts of it.
func undividedGradients() *Case {
	const planes, rows, cols = 6, 12, 9
	window := graph.Attrs{"kernel_shape": graph.L(3, 3), "strides": graph.L(3, 3)}
	return identityCase("MaxPoolGrad", "undivided", TrainingCore, Quick, []input{
		{name: "X", typ: tensor.T(tensor.F32, 1, planes, rows, cols), fill: integers(0, 3)},
		{name: "dY", typ: tensor.T(tensor.F32, 1, planes, rows/3, cols/3), fill: integers(1, 999)},
	}, func(b *graph.Builder, in []graph.Value) []graph.Value {
		where := b.OpN("MaxPool", window, 2, in[0])[1]
		dx := b.Op("MaxPoolGrad", graph.Attrs{"input_shape": graph.L(1, planes, rows, cols)}, in[1], where)
		windows := b.Op("Reshape", graph.Attrs{"shape": graph.L(planes, rows/3, 3, cols/3, 3)}, b.Op("Mul", nil, dx, dx))
		sums := b.Op("ReduceSum", graph.Attrs{"axes": graph.L(2, 4), "keepdims": graph.I(0)}, windows)
		return []graph.Value{b.Op("Neg", nil, sums)} // a Neg is exact, a sum need not be
	})
}

// cancellingGradients: windows that overlap send one maximum large gradients of
// both signs and small ones. The large ones cancel; of the small ones nothing is
// left where the sum is rounded on the way.
func cancellingGradients(d tensor.DType) *Case {
	r := pooling{in: tensor.Shape{1, 2, 11, 11}, kernel: []int{3, 3}, pads: []int{1, 1, 1, 1}}
	large := 4 / d.UnitRoundoff()
	return r.make("MaxPoolGrad", d, "cancelling", TrainingCore, Quick, every(exact), &opSubject{
		inputs: []input{
			{name: "X", typ: tensor.Type{DType: d, Shape: r.in}, fill: distinct(1)},
			{name: "dY", typ: tensor.Type{DType: d, Shape: r.out()}, fill: each(func(r *rng) float64 {
				if r.intn(2) == 0 {
					return r.sign() * large
				}
				return float64(2*r.intn(4) - 3)
			})}},
		apply: func(b *graph.Builder, in []graph.Value) []graph.Value {
			where := b.OpN("MaxPool", r.attrs(false), 2, in[0])[1]
			return []graph.Value{b.Op("MaxPoolGrad", graph.Attrs{"input_shape": graph.L(r.in...)}, in[1], where)}
		}})
}
