package reference

import (
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// Cast takes X to another element type, as ONNX's Cast and C do. To a float it
// is the same number: rounding to the element type is the evaluator's. A float
// becomes an integer by truncation towards zero, saturated, NaN becoming 0; an
// integer becomes a shorter one by dropping its upper bits; to Bool it is
// X ≠ 0, so that NaN is true.
func Cast(x *Array, from, to tensor.DType) *Array {
	return apply(x, func(x float64) float64 {
		switch {
		case to == tensor.Bool:
			return truth(x != 0)
		case to.IsFloat():
			return x
		case from.IsFloat():
			return tensor.Round(math.Trunc(x), to)
		default:
			return wrap(x, to)
		}
	})
}

// wrap truncates a number towards zero and reduces it to the range of an
// integer type, modulo 2 to its number of bits. What is no integer of 64 bits becomes 0.
func wrap(v float64, d tensor.DType) float64 {
	if !(v >= -1<<63 && v < 1<<63) {
		return 0
	}
	i := int64(v)
	switch d {
	case tensor.S8:
		return float64(int8(i))
	case tensor.U8:
		return float64(uint8(i))
	case tensor.S32:
		return float64(int32(i))
	case tensor.U32:
		return float64(uint32(i))
	}
	return float64(i)
}
