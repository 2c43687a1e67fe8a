// Package tensor holds what every other package agrees on about numbers in
// memory: element types, static shapes, host tensors in row-major order, the
// 16-bit float formats and seeded fills. It imports only the standard library.
package tensor

import "fmt"

// DType is an element type. The zero value is no type at all.
type DType uint8

// The element types, in the order of their promotion within a kind.
const (
	Invalid DType = iota
	F32           // IEEE 754 binary32
	F64           // IEEE 754 binary64
	F16           // IEEE 754 binary16
	BF16          // the upper half of a binary32
	S8            // two's complement
	U8
	S32
	U32
	S64
	Bool // one byte, 0 or 1
)

// dtypes is the one table of facts about element types; u is the unit
// roundoff 2^-p of a float with p significand bits, 0 for exact types.
var dtypes = [...]struct {
	name  string
	size  int
	float bool
	u     float64
}{
	Invalid: {"invalid", 0, false, 0},
	F32:     {"f32", 4, true, 1.0 / (1 << 24)},
	F64:     {"f64", 8, true, 1.0 / (1 << 53)},
	F16:     {"f16", 2, true, 1.0 / (1 << 11)},
	BF16:    {"bf16", 2, true, 1.0 / (1 << 8)},
	S8:      {"s8", 1, false, 0},
	U8:      {"u8", 1, false, 0},
	S32:     {"s32", 4, false, 0},
	U32:     {"u32", 4, false, 0},
	S64:     {"s64", 8, false, 0},
	Bool:    {"bool", 1, false, 0},
}

// DTypes lists every valid element type.
func DTypes() []DType {
	return []DType{F32, F64, F16, BF16, S8, U8, S32, U32, S64, Bool}
}

// Valid reports whether d is one of the listed types.
func (d DType) Valid() bool { return d > Invalid && int(d) < len(dtypes) }

// Size is the number of bytes of one element; 0 if d is not valid.
func (d DType) Size() int {
	if !d.Valid() {
		return 0
	}
	return dtypes[d].size
}

// IsFloat reports whether d is a floating-point type.
func (d DType) IsFloat() bool { return d.Valid() && dtypes[d].float }

// IsInt reports whether d is an integer type; Bool is not.
func (d DType) IsInt() bool { return d.Valid() && !dtypes[d].float && d != Bool }

// UnitRoundoff is u = 2^-p for a float of p significand bits (Higham,
// Accuracy and Stability of Numerical Algorithms, 2nd ed., §2.1), 0 for
// exact types.
func (d DType) UnitRoundoff() float64 {
	if !d.Valid() {
		return 0
	}
	return dtypes[d].u
}

func (d DType) String() string {
	if !d.Valid() {
		return dtypes[Invalid].name
	}
	return dtypes[d].name
}

// ParseDType is the inverse of String. The error lists what is known.
func ParseDType(s string) (DType, error) {
	for _, d := range DTypes() {
		if dtypes[d].name == s {
			return d, nil
		}
	}
	return Invalid, fmt.Errorf("unknown element type %q: want one of %v", s, DTypes())
}
