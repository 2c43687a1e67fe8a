package reference

import (
	"math"

	"github.com/clsbench/clsbench/tensor"
)

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

// Add is C = A + B, broadcast.
func Add(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 { return a + b })
}

// Sub is C = A − B, broadcast.
func Sub(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 { return a - b })
}

// Mul is C = A·B, broadcast.
func Mul(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 { return a * b })
}

// Div is C = A / B, broadcast.
func Div(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 { return a / b })
}

// DivIntegers is Div of integers: the quotient is truncated towards zero, and
// a division by zero gives 0.
func DivIntegers(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 {
		if b == 0 {
			return 0
		}
		return math.Trunc(a / b)
	})
}

// Neg is Y = −X.
func Neg(x *Array) *Array { return apply(x, func(x float64) float64 { return -x }) }

// Exp is Y = eˣ.
func Exp(x *Array) *Array { return apply(x, math.Exp) }

// Log is the natural logarithm: −∞ at zero, NaN below.
func Log(x *Array) *Array { return apply(x, math.Log) }

// Sqrt is Y = √X, NaN below zero.
func Sqrt(x *Array) *Array { return apply(x, math.Sqrt) }

// Tanh is the hyperbolic tangent.
func Tanh(x *Array) *Array { return apply(x, math.Tanh) }

// Sigmoid is the logistic function Y = 1 / (1 + e⁻ˣ). Where e⁻ˣ overflows the
// quotient is the right 0.
func Sigmoid(x *Array) *Array {
	return apply(x, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) })
}

// Relu is Y = max(X, 0) (Nair and Hinton, "Rectified Linear Units Improve
// Restricted Boltzmann Machines", ICML 2010). NaN stays NaN.
func Relu(x *Array) *Array {
	return apply(x, func(x float64) float64 {
		if x <= 0 {
			return 0
		}
		return x
	})
}

// ReluGrad is dX = dY where Y > 0 and 0 where Y ≤ 0: the gradient of Relu by
// its own output. At NaN dY passes.
func ReluGrad(dy, y *Array) *Array {
	return apply2(dy, y, func(dy, y float64) float64 {
		if y <= 0 {
			return 0
		}
		return dy
	})
}

// Where is X where the condition is true (not 0), else Y; all three broadcast.
// What is not chosen has no influence, NaN or not.
func Where(condition, x, y *Array) *Array {
	shape := broadcast(condition, x, y)
	condition, x, y = Expand(condition, shape), Expand(x, shape), Expand(y, shape)
	out := New(shape...)
	for i, c := range condition.Data {
		if c != 0 {
			out.Data[i] = x.Data[i]
		} else {
			out.Data[i] = y.Data[i]
		}
	}
	return out
}

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

// wrap reduces an integer to the range of an integer type, modulo 2 to its
// number of bits. What is no integer of 64 bits becomes 0.
func wrap(v float64, d tensor.DType) float64 {
	if !(math.Abs(v) < 1<<63) {
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
	return v
}
