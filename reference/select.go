package reference

import (
	"math"
	"slices"

	"github.com/clsbench/clsbench/tensor"
)

// ArgMax is the index along an axis of the largest element:
//
//	Y[i] = min {j : X[i,j] = max_l X[i,l]}
//
// or the largest such j if last is set. A NaN counts as larger than all
// numbers. shape is Y's: X's with the axis left out or as 1.
func ArgMax(x *Array, axis int, last bool, shape tensor.Shape) *Array {
	return argument(x, axis, last, shape, func(a, b float64) bool { return a > b })
}

// ArgMin is the index of the smallest element; a NaN counts as smaller than
// all numbers. See ArgMax.
func ArgMin(x *Array, axis int, last bool, shape tensor.Shape) *Array {
	return argument(x, axis, last, shape, func(a, b float64) bool { return a < b })
}

func argument(x *Array, axis int, last bool, shape tensor.Shape, beats func(a, b float64) bool) *Array {
	y := New(shape...)
	rows, along := split(x.Shape, []int{axis})
	for i, row := range rows {
		best := 0
		for j := range along {
			a, b := x.Data[row+along[j]], x.Data[row+along[best]]
			same := a == b || math.IsNaN(a) && math.IsNaN(b)
			switch {
			case same && last, beats(a, b), math.IsNaN(a) && !math.IsNaN(b):
				if !math.IsNaN(b) || same {
					best = j
				}
			}
		}
		y.Data[i] = float64(best)
	}
	return y
}

// TopK is the k first elements of each row along an axis, sorted from the
// largest down (or from the smallest up), and their indices. Equal elements
// stay in the order of their indices; a NaN is larger than all numbers.
func TopK(x *Array, axis, k int, largest bool) (values, indices *Array) {
	shape := x.Shape.Clone()
	shape[axis] = k
	values, indices = New(shape...), New(shape...)
	rows, along := split(x.Shape, []int{axis})
	to, places := split(shape, []int{axis})
	for i, row := range rows {
		order := make([]int, len(along))
		for j := range order {
			order[j] = j
		}
		slices.SortStableFunc(order, func(a, b int) int {
			c := compare(x.Data[row+along[a]], x.Data[row+along[b]])
			if largest {
				return -c
			}
			return c
		})
		for n, place := range places {
			values.Data[to[i]+place] = x.Data[row+along[order[n]]]
			indices.Data[to[i]+place] = float64(order[n])
		}
	}
	return values, indices
}

// compare orders numbers with NaN behind all of them: −1, 0 or 1.
func compare(a, b float64) int {
	switch {
	case a < b, math.IsNaN(b) && !math.IsNaN(a):
		return -1
	case a > b, math.IsNaN(a) && !math.IsNaN(b):
		return 1
	}
	return 0
}

// OneHot puts a new axis of depth elements into the indices' shape:
//
//	Y[…, c, …] = values[1] if c = indices[…], else values[0]
//
// An index below 0 counts from the end; one outside of the depth is nowhere.
// Indices that are no integers are cut off towards 0.
func OneHot(indices, values *Array, axis, depth int) *Array {
	shape := slices.Insert(indices.Shape.Clone(), axis, depth)
	y := New(shape...)
	inner := shape[axis+1:].Elements()
	for i := range y.Data {
		o, c, r := i/inner/depth, i/inner%depth, i%inner
		index := int(indices.Data[o*inner+r])
		if index < 0 {
			index += depth
		}
		y.Data[i] = values.Data[0]
		if index == c {
			y.Data[i] = values.Data[1]
		}
	}
	return y
}
