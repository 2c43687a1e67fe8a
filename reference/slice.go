package reference

import (
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Slice takes from each axis count elements, step apart, from start on:
//
//	Y[i₀, i₁, …] = X[start₀ + i₀·step₀, start₁ + i₁·step₁, …]
//
// step may be negative. There is a range for each axis of X, and Y has their
// counts.
func Slice(x *Array, ranges []graph.Range) *Array {
	strides := x.Shape.Strides()
	shape, steps, first := make(tensor.Shape, len(ranges)), make([]int, len(ranges)), 0
	for a, r := range ranges {
		shape[a], steps[a] = r.Count, r.Step*strides[a]
		first += r.Start * strides[a]
	}
	y := New(shape...)
	for i, at := range offsets(shape, steps) {
		y.Data[i] = x.Data[first+at]
	}
	return y
}

// Concat joins arrays along an axis, in which alone they may differ.
func Concat(xs []*Array, axis int) *Array {
	shape := xs[0].Shape.Clone()
	for _, x := range xs[1:] {
		shape[axis] += x.Shape[axis]
	}
	y := New(shape...)
	outer, whole := shape[:axis].Elements(), shape[axis:].Elements()
	for o := range outer {
		at := o * whole
		for _, x := range xs {
			part := x.Shape[axis:].Elements()
			at += copy(y.Data[at:], x.Data[o*part:][:part])
		}
	}
	return y
}

// Split cuts X along an axis into parts of the given sizes; Concat joins them
// again.
func Split(x *Array, axis int, sizes []int) []*Array {
	ranges := make([]graph.Range, len(x.Shape))
	for a, extent := range x.Shape {
		ranges[a] = graph.Range{Start: 0, Step: 1, Count: extent}
	}
	var parts []*Array
	at := 0
	for _, n := range sizes {
		ranges[axis] = graph.Range{Start: at, Step: 1, Count: n}
		parts = append(parts, Slice(x, ranges))
		at += n
	}
	return parts
}

// Pad puts begin elements before and end elements behind each axis of X, or
// takes as many away where they are negative:
//
//	Y[i₀, i₁, …] = X[p(i₀ − begin₀), p(i₁ − begin₁), …]
//
// Inside of X's n elements p(i) is i. Outside of them it is, by mode,
//
//	edge      the nearest, 0 or n−1
//	reflect   i mirrored at the first and the last element, which are not
//	          repeated, as often as it takes
//	wrap      i modulo n
//	constant  none, and Y is value
func Pad(x *Array, begin, end []int, mode string, value float64) *Array {
	y := x
	for axis := range x.Shape {
		y = padAxis(y, axis, begin[axis], end[axis], mode, value)
	}
	return y
}

func padAxis(x *Array, axis, begin, end int, mode string, value float64) *Array {
	n := x.Shape[axis]
	shape := x.Shape.Clone()
	shape[axis] = begin + n + end
	y := New(shape...)
	inner := shape[axis+1:].Elements()
	for i := range y.Data {
		o, at, rest := i/inner/shape[axis], i/inner%shape[axis]-begin, i%inner
		if mode == "constant" && (at < 0 || at >= n) {
			y.Data[i] = value
			continue
		}
		switch mode {
		case "edge":
			at = min(max(at, 0), n-1)
		case "wrap":
			at = modulo(at, n)
		case "reflect":
			at = mirrored(at, n)
		}
		y.Data[i] = x.Data[(o*n+at)*inner+rest]
	}
	return y
}

// mirrored is the place in 0 … n−1 that i is thrown back to: there and back
// again are 2(n−1) steps.
func mirrored(i, n int) int {
	if n == 1 {
		return 0
	}
	i = modulo(i, 2*(n-1))
	return min(i, 2*(n-1)-i)
}

// modulo is i − n·⌊i/n⌋.
func modulo(i, n int) int { return ((i % n) + n) % n }
