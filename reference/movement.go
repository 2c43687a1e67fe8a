package reference

import "github.com/clsbench/clsbench/tensor"

// Reshape gives X another shape of as many elements, in the same row-major
// order. Flatten is a Reshape to two axes.
func Reshape(x *Array, shape tensor.Shape) *Array { return x.reshaped(shape) }

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
