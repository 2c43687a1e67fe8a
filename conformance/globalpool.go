package conformance

import (
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Global and adaptive pools: means as sums, maxima bit-equal.

// planePooling is a row: X, and the output sizes of an adaptive pool.
type planePooling struct {
	in    tensor.Shape
	sizes [][]int
}

var planePoolings = []planePooling{
	{tensor.Shape{3, 33, 7, 7}, [][]int{{1, 1}, {7, 7}, {3, 3}}}, // the last of a ResNet
	{tensor.Shape{2, 17, 13, 15}, [][]int{{6, 6}, {5, 16}}},      // AlexNet's, at odd sizes; more outputs than elements
	{tensor.Shape{2, 31, 28, 14}, [][]int{{7, 7}, {9, 1}}},
	{tensor.Shape{2, 64, 1, 1}, [][]int{{2, 3}}}, // nothing to fold
	{tensor.Shape{5, 16, 8, 4}, [][]int{{4, 2}}}, // an AveragePool of powers of two
	{tensor.Shape{3, 7, 67}, [][]int{{12}}},
	{tensor.Shape{1, 3, 5, 6, 7}, [][]int{{2, 3, 4}}},
}

func planePoolCases() []*Case {
	var all []*Case
	for _, d := range floats {
		for i, r := range planePoolings {
			if d != tensor.F32 && i > 2 {
				continue
			}
			e := effortOf(d, i)
			if len(r.in) != 4 && d == tensor.F32 {
				e = Standard
			}
			all = append(all, r.cases("GlobalAveragePool", d, e, nil)...)
			all = append(all, r.cases("GlobalMaxPool", d, e, nil)...)
			for j, size := range r.sizes {
				if j > 0 {
					e = max(e, Standard)
				}
				all = append(all, r.cases("AdaptiveAveragePool", d, e, size)...)
			}
		}
	}
	return all
}

func (r planePooling) cases(op string, d tensor.DType, e Effort, size []int) []*Case {
	detail, attrs, taps := "", graph.Attrs(nil), r.in[2:].Elements()
	if size != nil {
		detail, attrs = "size="+list(size, "x"), graph.Attrs{"output_size": graph.L(size...)}
		taps = 1
		for axis, m := range size {
			if n := r.in[axis+2]; n%m == 0 {
				taps *= n / m
			} else {
				taps *= 3 // no power of two: such a mean is rounded
			}
		}
	}
	make := func(class string, e Effort, b *Bound, f fill) *Case {
		// Behind a Neg: one element to a window would make it an echo.
		apply := func(g *graph.Builder, in []graph.Value) []graph.Value {
			return []graph.Value{g.Op(op, attrs, g.Op("Neg", nil, in[0]))}
		}
		return &Case{Op: op, DType: d, Params: params("x="+r.in.String(), detail), Class: class, Suite: InferenceCore, Effort: e,
			Required: d == tensor.F32 && len(r.in) == 4, bound: every(b),
			subject: &opSubject{inputs: []input{{name: "X", typ: tensor.Type{DType: d, Shape: r.in}, fill: f}}, apply: apply}}
	}
	more := max(e, Quick)
	if op == "GlobalMaxPool" {
		list := []*Case{make("real", e, exact, distinct(1))}
		if r.in[:2].Elements() >= 8 {
			// What is above zero is pooled below it.
			list = append(list, make("negative", more, exact, uniform(1, 3)), make("specials", more, exact, rarely(uniform(1, 3), nonFinite...)))
		}
		return list
	}
	// Whoever divides by a neighbour of the count is seen where the sum does
	// not cancel.
	list := []*Case{make("real", e, dotBound, uniform(-1, 1)), make("one-sided", more, dotBound, uniform(0.5, 1))}
	if small := int(min(exactTotal(d), 1/d.UnitRoundoff()) / float64(2*taps)); taps&(taps-1) == 0 && small > 0 {
		list = append(list, make("structure", more, exact, integers(-small, small)))
	}
	if r.in[:2].Elements() >= 8 {
		list = append(list, make("specials", more, dotBound, rarely(uniform(-1, 1), nonFinite...)))
	}
	return list
}
