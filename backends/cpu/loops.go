package cpu

import (
	"github.com/clsbench/clsbench/backends/cpu/pool"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// number is the types that portable loops compute in.
type number interface {
	~float32 | ~float64 | ~int8 | ~uint8 | ~int32 | ~uint32 | ~int64
}

func view[T tensor.Element](v *value) []T { return tensor.View[T](v.mem.data) }

// loops are the portable loops over elements of one type. A table can't hold
// generic functions, so they are the methods of a generic type, of which it
// holds an instance for each element type.
type loops interface {
	binary(c *graph.Call, in []*value, out *value) ranger
	sign(op string, in, out *value) ranger
	clip(c *graph.Call, in []*value, out *value) ranger
	comparison(c *graph.Call, in []*value, out *value) ranger
	argument(l line, in, out *value, smallest, last bool) pool.Task
	top(b *builder, c *graph.Call, l line, order []*memory) pool.Task
	product(s stack, x, w, out *value) ranger
	scatterAdd(b *builder, c *graph.Call, x *indexed, in, updates, out *value, lo, hi int)
}

// of is the loops over T, each where its ops are.
type of[T number] struct{}

// loopsOf has truth values as the numbers 0 and 1.
var loopsOf = map[tensor.DType]loops{
	tensor.F32: of[float32]{}, tensor.F64: of[float64]{},
	tensor.S8: of[int8]{}, tensor.S32: of[int32]{}, tensor.S64: of[int64]{},
	tensor.U8: of[uint8]{}, tensor.U32: of[uint32]{}, tensor.Bool: of[uint8]{},
}
