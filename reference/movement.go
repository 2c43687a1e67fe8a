package reference

import (
	"slices"

	"github.com/clsbench/clsbench/tensor"
)

// Reshape gives X another shape of as many elements, in the same row-major
// order.
func Reshape(x *Array, shape tensor.Shape) *Array { return x.reshaped(shape) }

// Flatten makes two axes of all: those before axis, which counts from the end
// if it is negative, and those from it on.
//
//	X d₀×…×dᵣ₋₁, Y (d₀·…·dₐ₋₁)×(dₐ·…·dᵣ₋₁)
func Flatten(x *Array, axis int) *Array {
	if axis < 0 {
		axis += len(x.Shape)
	}
	return x.reshaped(tensor.Shape{x.Shape[:axis].Elements(), x.Shape[axis:].Elements()})
}

// Squeeze leaves out the given axes of X, whose extent is 1, or, if none is
// given, all axes of extent 1. Negative ones count from the end.
func Squeeze(x *Array, axes []int) *Array {
	shape := tensor.Shape{}
	for a, extent := range x.Shape {
		given := slices.Contains(axes, a) || slices.Contains(axes, a-len(x.Shape))
		if !given && (len(axes) > 0 || extent != 1) {
			shape = append(shape, extent)
		}
	}
	return x.reshaped(shape)
}

// Unsqueeze puts axes of extent 1 into X's shape. They are numbered in Y's;
// negative ones count from its end.
func Unsqueeze(x *Array, axes []int) *Array {
	shape, rest := make(tensor.Shape, len(x.Shape)+len(axes)), x.Shape
	for a := range shape {
		if slices.Contains(axes, a) || slices.Contains(axes, a-len(shape)) {
			shape[a] = 1
		} else {
			shape[a], rest = rest[0], rest[1:]
		}
	}
	return x.reshaped(shape)
}

// Transpose permutes axes: axis i of Y is axis perm[i] of X, so that
//
//	Y[i₀, i₁, …] = X[j₀, j₁, …] with j[perm[k]] = i[k]
func Transpose(x *Array, perm []int) *Array {
	own := x.Shape.Strides()
	shape, strides := make(tensor.Shape, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		shape[i], strides[i] = x.Shape[p], own[p]
	}
	return gather(x, shape, strides)
}

// Expand repeats X along new axes and along axes of extent 1 until it has the
// given shape. The shape must be one that X broadcasts to.
func Expand(x *Array, shape tensor.Shape) *Array {
	if x.Shape.Equal(shape) {
		return x
	}
	return gather(x, shape, tensor.BroadcastStrides(x.Shape, shape))
}

// gather reads x with strides.
func gather(x *Array, shape tensor.Shape, strides []int) *Array {
	y := New(shape...)
	for i, from := range offsets(shape, strides) {
		y.Data[i] = x.Data[from]
	}
	return y
}
