package reference

import "math"

// Max is C = max(A, B), broadcast; NaN where either is NaN.
func Max(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 { return max(a, b) })
}

// Min is C = min(A, B), broadcast; NaN where either is NaN.
func Min(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 { return min(a, b) })
}

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

// Sin is the sine of an angle in radians; NaN at infinity.
func Sin(x *Array) *Array { return apply(x, math.Sin) }

// Cos is the cosine of an angle in radians; NaN at infinity.
func Cos(x *Array) *Array { return apply(x, math.Cos) }

// Erf is the error function Y = 2/√π · ∫₀ˣ e^(−t²) dt.
func Erf(x *Array) *Array { return apply(x, math.Erf) }

// Pow is Z = X^Y, broadcast, with the special cases of C's pow: x⁰ = 1^y = 1
// even for NaN, and NaN for a negative X and a Y that is not whole.
func Pow(x, y *Array) *Array { return apply2(x, y, math.Pow) }

// PowIntegers is Pow of whole numbers, truncated towards zero.
func PowIntegers(x, y *Array) *Array {
	return apply2(x, y, func(x, y float64) float64 { return math.Trunc(math.Pow(x, y)) })
}

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
