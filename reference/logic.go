package reference

import "math"

// Equal is C = 1 where A = B, else 0, broadcast. NaN equals nothing.
func Equal(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 { return truth(a == b) })
}

// Less is C = 1 where A < B, else 0, broadcast; 0 where either is NaN.
func Less(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 { return truth(a < b) })
}

// LessOrEqual is C = 1 where A ≤ B, else 0, broadcast; 0 where either is NaN.
func LessOrEqual(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 { return truth(a <= b) })
}

// Greater is C = 1 where A > B, else 0, broadcast; 0 where either is NaN.
func Greater(a, b *Array) *Array { return Less(b, a) }

// GreaterOrEqual is C = 1 where A ≥ B, else 0, broadcast; 0 where either is
// NaN.
func GreaterOrEqual(a, b *Array) *Array { return LessOrEqual(b, a) }

// And is C = A ∧ B of truth values, broadcast.
func And(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 { return truth(a != 0 && b != 0) })
}

// Or is C = A ∨ B of truth values, broadcast.
func Or(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 { return truth(a != 0 || b != 0) })
}

// Xor is C = 1 where one of A and B is true, broadcast.
func Xor(a, b *Array) *Array {
	return apply2(a, b, func(a, b float64) float64 { return truth(a != b) })
}

// Not is Y = ¬X of truth values.
func Not(x *Array) *Array { return apply(x, func(x float64) float64 { return truth(x == 0) }) }

// IsNaN is Y = 1 where X is not a number.
func IsNaN(x *Array) *Array { return apply(x, func(x float64) float64 { return truth(x != x) }) }

// IsInf is Y = 1 where X is one of the infinities that are asked for.
func IsInf(x *Array, negative, positive bool) *Array {
	return apply(x, func(x float64) float64 {
		return truth(positive && math.IsInf(x, 1) || negative && math.IsInf(x, -1))
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

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
