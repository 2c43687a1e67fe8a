package cpu

import (
	"math"

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
	fold(c *graph.Call, f *fold, in, out *value) pool.Task
	product(s stack, x, w, out *value) ranger
	scatterAdd(b *builder, c *graph.Call, x *indexed, in, updates, out *value, lo, hi int)
}

// of is the loops over T, each where its ops are; no element is less than least
// or greater than greatest.
type of[T number] struct{ least, greatest T }

// loopsOf has truth values as the numbers 0 and 1.
var loopsOf = map[tensor.DType]loops{
	tensor.F32:  of[float32]{float32(math.Inf(-1)), float32(math.Inf(1))},
	tensor.F64:  of[float64]{math.Inf(-1), math.Inf(1)},
	tensor.S8:   of[int8]{math.MinInt8, math.MaxInt8},
	tensor.S32:  of[int32]{math.MinInt32, math.MaxInt32},
	tensor.S64:  of[int64]{math.MinInt64, math.MaxInt64},
	tensor.U8:   of[uint8]{0, math.MaxUint8},
	tensor.U32:  of[uint32]{0, math.MaxUint32},
	tensor.Bool: of[uint8]{0, 1},
}

// moves are the loops that carry elements elsewhere and look at none: their
// size is all that counts.
type moves interface {
	choice(c *graph.Call, in []*value, out *value) ranger
	gather(shape tensor.Shape, first int, strides []int, in, out *value) ranger
	pad(c *graph.Call, begin []int, fill *tensor.Tensor, in, out *value) ranger
}

// sized is the moves of elements as long as T, each where its ops are.
type sized[T tensor.Element] struct{}

// movesOf is by size in bytes.
var movesOf = map[int]moves{1: sized[uint8]{}, 2: sized[uint16]{}, 4: sized[uint32]{}, 8: sized[int64]{}}
