package conformance

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Reductions: sums by the classes of dot products (each term times 1), maxima
// bit-equal.

// folding is a shape and the axes that are folded away.
type folding struct {
	in   tensor.Shape
	axes []int
	keep int
}

var foldings = []folding{
	{tensor.Shape{64, 75}, []int{1}, 0},           // rows
	{tensor.Shape{4, 6, 9, 7}, []int{0, 2, 3}, 0}, // a convolution's bias gradient
	{tensor.Shape{37, 33}, []int{0}, 1},           // columns
	{tensor.Shape{3, 5, 31}, []int{-2}, 1},
	{tensor.Shape{2, 1057}, nil, 0}, // all axes
	{tensor.Shape{1040, 3}, []int{1}, 0},
	{tensor.Shape{19, 64}, []int{1}, 1},
	{tensor.Shape{32, 6, 19, 19}, []int{0, 2, 3}, 0}, // large, see flatShapes
	{tensor.Shape{20011, 4}, []int{0}, 0},
	{tensor.Shape{517, 131}, []int{1}, 1},
	{tensor.Shape{4, 33, 2, 4}, []int{0, 2, 3}, 1},
}

// longestSum bounds sums of 16-bit floats: beyond it the bound that any order
// may need is as large as the sum.
const longestSum = 2000

func (f folding) terms() int {
	n := 1
	for _, a := range f.axes {
		n *= f.in[(a+len(f.in))%len(f.in)]
	}
	if len(f.axes) == 0 {
		n = f.in.Elements()
	}
	return n
}

func (f folding) outputs() int { return f.in.Elements() / f.terms() }

func (f folding) params() string {
	p := params("x=" + f.in.String())
	if len(f.axes) > 0 {
		p = params(p, "axes="+list(f.axes, ","))
	}
	return params(p, "keep="+list([]int{f.keep}, ""))
}

func (f folding) attrs() graph.Attrs {
	return graph.Attrs{"axes": graph.L(f.axes...), "keepdims": graph.I(f.keep)}
}

func reduceCases() []*Case {
	var all []*Case
	for _, d := range floats {
		for i, f := range foldings {
			if f.terms() > longestSum && d.Size() == 2 {
				continue
			}
			all = append(all, f.sums(d, i)...)
			all = append(all, f.maxima(d, i)...)
		}
	}
	for _, d := range []tensor.DType{tensor.S32, tensor.S64} {
		all = append(all,
			foldings[0].make("ReduceSum", d, "integers", Quick, integers(-1000, 1000), exact),
			foldings[2].make("ReduceMax", d, "integers", Quick, integers(-1000, 1000), exact))
	}
	return all
}

func (f folding) make(op string, d tensor.DType, class string, e Effort, x fill, b *Bound) *Case {
	return &Case{
		Op: op, DType: d, Params: f.params(), Class: class, Suite: InferenceCore, Effort: e, Required: d == tensor.F32,
		bound:   every(b),
		subject: &opSubject{apply: single(op, f.attrs(), 1), inputs: []input{{name: "data", typ: tensor.Type{DType: d, Shape: f.in}, fill: x}}},
	}
}

func (f folding) sums(d tensor.DType, row int) []*Case {
	e, k := effortOf(d, row), f.terms()
	r := int(min(exactTotal(d)/float64(k), 1/d.UnitRoundoff()))
	terms := uniform(-1, 1)
	if d == tensor.F16 || d == tensor.BF16 {
		// A long sum that cancels may be off by all that it is, and one that
		// does not is all but the same for all data.
		terms = oneSided()
	}
	list := []*Case{
		f.make("ReduceSum", d, "structure", e, integers(-r, r), exact),
		f.make("ReduceSum", d, "accumulator", max(e, Quick), integers(r/2+1, r), exact),
		f.make("ReduceSum", d, "real", max(e, Quick), terms, dotBound),
		f.make("ReduceMean", d, "real", e, terms, dotBound),
	}
	if k&(k-1) == 0 { // the mean of a power of two is exact
		list = append(list, f.make("ReduceMean", d, "structure", max(e, Quick), integers(-r, r), exact))
	}
	if f.outputs() >= 8 {
		list = append(list, f.make("ReduceSum", d, "specials", max(e, Quick), rarely(uniform(-1, 1), nonFinite...), dotBound))
	}
	return list
}

func (f folding) maxima(d tensor.DType, row int) []*Case {
	e := effortOf(d, row)
	cases := []*Case{f.make("ReduceMax", d, "real", e, normal(1), exact)}
	if f.outputs() >= 8 {
		// All below zero, some rows with a NaN: a maximum that starts at zero,
		// or forgets NaN, is seen.
		cases = append(cases, f.make("ReduceMax", d, "specials", max(e, Quick), rarely(uniform(-3, -1), nonFinite...), exact))
	}
	return cases
}

// nonFinite are the values that sums and maxima must pass on.
var nonFinite = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}
