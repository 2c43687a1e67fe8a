package reference

import "math"

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

// Max is C = max(A, B), broadcast; NaN where either is NaN.
func Max(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 { return max(a, b) })
}

// Min is C = min(A, B), broadcast; NaN where either is NaN.
func Min(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 { return min(a, b) })
}

// Pow is Z = X^Y, broadcast, with the special cases of C's pow: x⁰ = 1^y = 1
// even for NaN, and NaN for a negative X and a Y that is not whole.
func Pow(x, y *Array) *Array { return apply2(x, y, math.Pow) }

// PowIntegers is Pow of whole numbers, truncated towards zero.
func PowIntegers(x, y *Array) *Array {
	return apply2(x, y, func(x, y float64) float64 { return math.Trunc(math.Pow(x, y)) })
}

// Neg is Y = −X.
func Neg(x *Array) *Array { return apply(x, func(x float64) float64 { return -x }) }

// Abs is Y = |X|.
func Abs(x *Array) *Array { return apply(x, math.Abs) }

// Sign is 1 above zero, −1 below, X itself at zero and NaN.
func Sign(x *Array) *Array {
	return apply(x, func(x float64) float64 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return x
	})
}

// Floor is the largest whole number that is not above X.
func Floor(x *Array) *Array { return apply(x, math.Floor) }

// Ceil is the smallest whole number that is not below X.
func Ceil(x *Array) *Array { return apply(x, math.Ceil) }

// Round is the nearest whole number, of two the even one (IEEE 754-2019 §4.3.1,
// roundTiesToEven).
func Round(x *Array) *Array { return apply(x, math.RoundToEven) }

// Reciprocal is Y = 1 / X.
func Reciprocal(x *Array) *Array { return apply(x, func(x float64) float64 { return 1 / x }) }

// Sqrt is Y = √X, NaN below zero.
func Sqrt(x *Array) *Array { return apply(x, math.Sqrt) }

// Exp is Y = eˣ.
func Exp(x *Array) *Array { return apply(x, math.Exp) }

// Log is the natural logarithm: −∞ at zero, NaN below.
func Log(x *Array) *Array { return apply(x, math.Log) }

// Sin is the sine of an angle in radians; NaN at infinity.
func Sin(x *Array) *Array { return apply(x, math.Sin) }

// Cos is the cosine of an angle in radians; NaN at infinity.
func Cos(x *Array) *Array { return apply(x, math.Cos) }

// Erf is the error function Y = 2/√π · ∫₀ˣ e^(−t²) dt.
func Erf(x *Array) *Array { return apply(x, math.Erf) }

// Clip is Y = min(max(X, low), high); a bound that is nil is none, so that NaN
// stays NaN, and all of Y is high where the bounds cross.
func Clip(x, low, high *Array) *Array {
	if low != nil {
		x = Max(x, low)
	}
	if high != nil {
		x = Min(x, high)
	}
	return x
}

// Identity is Y = X.
func Identity(x *Array) *Array { return x }
