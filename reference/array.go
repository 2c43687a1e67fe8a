// Package reference says what every op of the table means: one readable
// function an op, in float64, with its formula, its shapes and the paper it
// comes from. Whoever knows the formula finds it in one file of an op family:
// conv.go, pool.go, softmax.go, ….
//
// It is written to be read and checked, and is not fast, not blocked, not
// fused, not a fallback for missing kernels, and not part of any backend but
// the one that serves it to test the harness. Every sum of an op goes through
// one accumulator (sum.go), so that the same formulas also show what other
// legal implementations give: partial sums rounded to f32, in another order.
// Nothing is skipped because a factor is zero: NaN and infinity follow IEEE
// 754.
//
// table.go, an index by file, ties the functions to the rows of package graph;
// eval.go evaluates whole programs.
package reference

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// Array is a dense array of float64, row-major. Integers and truth values
// (0 and 1) are held in it too, exact up to 2⁵³.
type Array struct {
	Shape tensor.Shape
	Data  []float64 // len = Shape.Elements()
}

// New makes an array of zeros.
func New(shape ...int) *Array {
	s := tensor.Shape(shape).Clone()
	return &Array{s, make([]float64, s.Elements())}
}

// FromTensor widens a tensor of any element type.
func FromTensor(t *tensor.Tensor) *Array {
	return &Array{t.Shape.Clone(), t.Float64s()}
}

// Tensor rounds every element once to an element type (tensor.Round).
func (x *Array) Tensor(d tensor.DType) *tensor.Tensor {
	t := tensor.New(d, x.Shape...)
	t.SetFloat64s(x.Data)
	return t
}

// reshaped sees the same data under another shape.
func (x *Array) reshaped(shape tensor.Shape) *Array {
	if shape.Elements() != len(x.Data) {
		panic(fmt.Sprintf("reference: %v does not reshape to %v", x.Shape, shape))
	}
	return &Array{shape.Clone(), x.Data}
}

// apply is f of every element.
func apply(x *Array, f func(float64) float64) *Array {
	y := New(x.Shape...)
	for i, v := range x.Data {
		y.Data[i] = f(v)
	}
	return y
}

// apply2 is f of every pair of elements, after NumPy's broadcasting: axes are
// aligned from the right, an extent of 1 stretches.
func apply2(a, b *Array, f func(a, b float64) float64) *Array {
	shape := broadcast(a, b)
	a, b = Expand(a, shape), Expand(b, shape)
	y := New(shape...)
	for i := range y.Data {
		y.Data[i] = f(a.Data[i], b.Data[i])
	}
	return y
}

// broadcast is the common shape; graph.Program.Infer has checked that there
// is one.
func broadcast(xs ...*Array) tensor.Shape {
	s := tensor.Shape{}
	for _, x := range xs {
		var err error
		if s, err = tensor.Broadcast(s, x.Shape); err != nil {
			panic("reference: " + err.Error())
		}
	}
	return s
}

// planes sees an array as a list of planes, its first two axes counted as one:
// a channel of an image each, or the taps of a filter for one channel.
type planes struct {
	data []float64
	size int
}

func (x *Array) planes() planes { return planes{x.Data, x.Shape[2:].Elements()} }

// at is plane i; that of row n and column c of s columns is n·s + c.
func (p planes) at(i int) []float64 { return p.data[i*p.size : (i+1)*p.size] }

// offsets lists Σ index·stride for every index of shape, in row-major order.
func offsets(shape tensor.Shape, strides []int) []int {
	list := []int{0}
	for axis, extent := range shape {
		longer := make([]int, 0, len(list)*extent)
		for _, at := range list {
			for i := range extent {
				longer = append(longer, at+i*strides[axis])
			}
		}
		list = longer
	}
	return list
}

// split lists the flat positions of the elements of an array of this shape in
// two parts: those of the indices along the kept axes, the folded ones at 0,
// and the reverse. Element (kept i, folded j) is at kept[i] + folded[j].
func split(shape tensor.Shape, axes []int) (kept, folded []int) {
	strides := shape.Strides()
	isFolded := make([]bool, len(shape))
	var foldedShape, keptShape tensor.Shape
	var foldedStrides, keptStrides []int
	for _, a := range axes {
		isFolded[a] = true
	}
	for a, extent := range shape {
		if isFolded[a] {
			foldedShape, foldedStrides = append(foldedShape, extent), append(foldedStrides, strides[a])
		} else {
			keptShape, keptStrides = append(keptShape, extent), append(keptStrides, strides[a])
		}
	}
	return offsets(keptShape, keptStrides), offsets(foldedShape, foldedStrides)
}
