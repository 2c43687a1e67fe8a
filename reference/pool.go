package reference

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Shapes of this file: X and dX N×C×D…, Y, dY and Indices N×C×O…. A window of
// output o meets the inputs i of its contacts (contact.go); taps on padding
// meet none.

// AveragePool is the mean of each window (LeCun et al. 1998, §II.B, less the
// weights):
//
//	Y[n,c,o] = (1/count(o)) · Σ_i X[n,c,i]
//
// count is of the inputs met, or, if countPad, of the taps on X and its
// padding. With ceil_mode a window may reach beyond the padding: those taps
// are never counted.
func AveragePool(x *Array, win *graph.Window, countPad bool) (Formula, error) {
	list, err := contacts(win)
	if err != nil {
		return Formula{}, err
	}
	shape := append(x.Shape[:2].Clone(), win.Out...)
	out := shape[2:].Elements()
	at := grouped(list, out, byOut)
	count, xp := counts(win, at, countPad), x.planes()
	return Formula{shape, func(acc *Acc, y int) float64 {
		xs, o := xp.at(y/out), y%out
		s := acc.New()
		for _, t := range at[o] {
			s = s.Plus(xs[t.in])
		}
		return s.Value() / count[o]
	}}, nil
}

// AveragePoolGrad spreads each output's gradient evenly over its window:
//
//	dX[n,c,i] = Σ_o dY[n,c,o] / count(o), o over the windows that meet i
func AveragePoolGrad(dy *Array, win *graph.Window, countPad bool) (Formula, error) {
	list, err := contacts(win)
	if err != nil {
		return Formula{}, err
	}
	shape := append(dy.Shape[:2].Clone(), win.In...)
	in := shape[2:].Elements()
	at := grouped(list, in, byIn)
	count := counts(win, grouped(list, tensor.Shape(win.Out).Elements(), byOut), countPad)
	dyp := dy.planes()
	return Formula{shape, func(acc *Acc, x int) float64 {
		dys, i := dyp.at(x/in), x%in
		s := acc.New()
		for _, t := range at[i] {
			s = s.Plus(dys[t.out] / count[t.out])
		}
		return s.Value()
	}}, nil
}

// counts are the divisors of the means, by output.
func counts(win *graph.Window, at [][]contact, countPad bool) []float64 {
	count := make([]float64, len(at))
	if !countPad {
		for o := range at {
			count[o] = float64(len(at[o]))
		}
		return count
	}
	// The taps on an axis that begin before the end of the padding; the
	// divisor is the product over the axes.
	count = []float64{1}
	for axis := range win.Out {
		var longer []float64
		for _, n := range count {
			for o := range win.Out[axis] {
				room := win.In[axis] + win.PadEnd[axis] - win.Start(axis, o)
				taps := (room + win.Dilations[axis] - 1) / win.Dilations[axis]
				longer = append(longer, n*float64(min(taps, win.Kernel[axis])))
			}
		}
		count = longer
	}
	return count
}

// MaxPool is the maximum of each window (Riesenhuber and Poggio, "Hierarchical
// models of object recognition in cortex", 1999) and where it is:
//
//	Y[n,c,o] = max_i X[n,c,i]; Indices[n,c,o] = flat position of X[n,c,i] in X
//
// Of equal ones the first counts; NaN is larger than any number. places says
// how positions in a plane are counted, by row-major position.
func MaxPool(x *Array, win *graph.Window, places []int) (y, indices *Array, err error) {
	list, err := contacts(win)
	if err != nil {
		return nil, nil, err
	}
	shape := append(x.Shape[:2].Clone(), win.Out...)
	in, out := x.Shape[2:].Elements(), shape[2:].Elements()
	at := grouped(list, out, byOut)
	y, indices = New(shape...), New(shape...)
	for j := range y.Data {
		plane, o := j/out, j%out
		best, where := math.Inf(-1), -1
		for _, t := range at[o] {
			v := x.Data[plane*in+int(t.in)]
			if where < 0 || v > best || (math.IsNaN(v) && !math.IsNaN(best)) {
				best, where = v, int(t.in)
			}
		}
		y.Data[j], indices.Data[j] = best, float64(plane*in+places[where])
	}
	return y, indices, nil
}

// MaxPoolGrad sends each output's gradient to where its maximum was:
//
//	dX[i] = Σ_j dY[j], j over the outputs with Indices[j] = i
//
// i and j are flat positions. An index outside of X is an error.
func MaxPoolGrad(dy, indices *Array, shape tensor.Shape) (Formula, error) {
	// For each i, the j that name it as a chain: first[i], next[first[i]], ….
	first, next := make([]int, shape.Elements()), make([]int, len(dy.Data))
	for i := range first {
		first[i] = -1
	}
	for j := len(next) - 1; j >= 0; j-- {
		i := indices.Data[j]
		if !(i >= 0 && i < float64(len(first))) {
			return Formula{}, fmt.Errorf("input Indices: %v at position %d is outside of X %v", i, j, shape)
		}
		first[int(i)], next[j] = j, first[int(i)]
	}
	return Formula{shape, func(acc *Acc, i int) float64 {
		s := acc.New()
		for j := first[i]; j >= 0; j = next[j] {
			s = s.Plus(dy.Data[j])
		}
		return s.Value()
	}}, nil
}

// GlobalAveragePool is the mean of each plane (Lin, Chen and Yan, "Network In
// Network", 2013, §3.2):
//
//	Y[n,c] = (1/D)·Σ_i X[n,c,i], D the elements of a plane
//
// X N×C×D…, Y N×C×1….
func GlobalAveragePool(x *Array) Formula {
	axes, shape := planesOf(x)
	return ReduceMean(x, axes, shape)
}

// GlobalMaxPool is Y[n,c] = max_i X[n,c,i], NaN if one of them is; see
// GlobalAveragePool.
func GlobalMaxPool(x *Array) Formula {
	axes, shape := planesOf(x)
	return ReduceMax(x, axes, shape)
}

// planesOf are the spatial axes, and the shape with them folded to 1.
func planesOf(x *Array) (axes []int, shape tensor.Shape) {
	shape = x.Shape[:2].Clone()
	for axis := 2; axis < len(x.Shape); axis++ {
		axes, shape = append(axes, axis), append(shape, 1)
	}
	return axes, shape
}

// AdaptiveAveragePool is the mean of windows that are spread over the plane
// (He, Zhang, Ren and Sun, "Spatial Pyramid Pooling", 2014, §2.3; the spread is
// PyTorch's adaptive_avg_pool):
//
//	Y[n,c,o] = (1/count(o))·Σ_i X[n,c,i], ⌊o·D/O⌋ ≤ i < ⌈(o+1)·D/O⌉ on every axis
//
// windows has these spans, by axis and position. X N×C×D…, Y N×C×O….
func AdaptiveAveragePool(x *Array, windows [][]graph.Span) Formula {
	// The inputs that each output sees, flat in their plane.
	seen := [][]int{{0}}
	shape := x.Shape[:2].Clone()
	for axis, spans := range windows {
		var longer [][]int
		for _, before := range seen {
			for _, s := range spans {
				var list []int
				for _, at := range before {
					for i := s.From; i < s.To; i++ {
						list = append(list, at*x.Shape[axis+2]+i)
					}
				}
				longer = append(longer, list)
			}
		}
		seen, shape = longer, append(shape, len(spans))
	}
	in, out := x.Shape[2:].Elements(), shape[2:].Elements()
	return Formula{shape, func(acc *Acc, y int) float64 {
		plane, o := y/out, y%out
		s := acc.New()
		for _, i := range seen[o] {
			s = s.Plus(x.Data[plane*in+i])
		}
		return s.Value() / float64(len(seen[o]))
	}}
}
