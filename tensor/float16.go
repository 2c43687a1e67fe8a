package tensor

import "math"

// F16ToF32 widens an IEEE 754 binary16, given as its bits. Exact.
func F16ToF32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h>>10) & 0x1f
	frac := uint32(h) & 0x3ff
	switch {
	case exp == 0x1f: // infinity, or NaN with its payload
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	case exp != 0:
		return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
	default: // zero or subnormal: frac × 2^-24
		v := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(v))
	}
}

// F64ToF16 rounds once, to nearest even, to the bits of an IEEE 754 binary16.
func F64ToF16(v float64) uint16 {
	bits := roundToFormat(v, 5, 10)
	return uint16(bits)
}

// F64ToBF16 rounds once, to nearest even, to the bits of a bfloat16.
func F64ToBF16(v float64) uint16 {
	return uint16(roundToFormat(v, 8, 7))
}

// BF16ToF32 widens a bfloat16, given as its bits. Exact.
func BF16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// roundToFormat encodes v in a binary format of 1 sign, expBits exponent and
// fracBits fraction bits, rounding to nearest even, with subnormals; NaN
// becomes the quiet NaN, overflow the infinity.
func roundToFormat(v float64, expBits, fracBits uint) uint64 {
	sign := uint64(0)
	if math.Signbit(v) {
		sign = 1 << (expBits + fracBits)
	}
	inf := (uint64(1)<<expBits - 1) << fracBits
	switch {
	case math.IsNaN(v):
		return sign | inf | 1<<(fracBits-1)
	case math.IsInf(v, 0):
		return sign | inf
	case v == 0:
		return sign
	}
	bias := 1<<(expBits-1) - 1
	_, e := math.Frexp(v) // |v| = m × 2^e, m in [½, 1)
	e = max(e-1, 1-bias)  // exponent of the leading bit, clamped to the subnormals'
	// In units of the last place the value is exact in float64, so one
	// RoundToEven is the only rounding.
	q := uint64(math.RoundToEven(math.Ldexp(math.Abs(v), int(fracBits)-e)))
	// q's implicit bit adds itself to the exponent field, and so does a carry.
	bits := uint64(e+bias-1)<<fracBits + q
	if bits >= inf {
		return sign | inf
	}
	return sign | bits
}

// Round rounds v once to the nearest value of type d, ties to even for
// floats; integers saturate after rounding half to even, and NaN becomes 0
// there. Bool gives 0 or 1.
func Round(v float64, d DType) float64 {
	switch d {
	case F64:
		return v
	case F32:
		return float64(float32(v))
	case F16:
		return float64(F16ToF32(F64ToF16(v)))
	case BF16:
		return float64(BF16ToF32(F64ToBF16(v)))
	case Bool:
		if v != 0 {
			return 1
		}
		return 0
	}
	if v != v {
		return 0
	}
	lo, hi := IntRange(d)
	return min(max(math.RoundToEven(v), lo), hi)
}

// IntRange is the closed interval of an integer type, as float64. For S64 the
// upper end is the largest float64 below 2^63.
func IntRange(d DType) (lo, hi float64) {
	switch d {
	case S8:
		return math.MinInt8, math.MaxInt8
	case U8:
		return 0, math.MaxUint8
	case S32:
		return math.MinInt32, math.MaxInt32
	case U32:
		return 0, math.MaxUint32
	case S64:
		return math.MinInt64, math.Nextafter(math.MaxInt64, 0)
	}
	return 0, 1
}
