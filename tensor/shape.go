package tensor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxElements bounds the elements of one tensor, so that a size read from a
// file or a peer can never overflow an int64 byte count.
const MaxElements = int64(1) << 40

// Shape is a list of extents, outermost first; empty for a scalar.
type Shape []int

// Elements is the product of the extents: 1 for a scalar.
func (s Shape) Elements() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Validate refuses negative extents and products beyond MaxElements.
func (s Shape) Validate() error {
	n := int64(1)
	for i, d := range s {
		if d < 0 {
			return fmt.Errorf("shape %v: extent %d of axis %d is negative", s, d, i)
		}
		if d > 0 && n > MaxElements/int64(d) {
			return fmt.Errorf("shape %v: more than 2^40 elements", s)
		}
		n *= int64(d)
	}
	return nil
}

// Equal reports whether both shapes have the same rank and extents.
func (s Shape) Equal(o Shape) bool { return slices.Equal(s, o) }

// Clone returns a copy that shares nothing.
func (s Shape) Clone() Shape { return slices.Clone(s) }

// Strides are the row-major element strides.
func (s Shape) Strides() []int {
	st := make([]int, len(s))
	n := 1
	for i := len(s) - 1; i >= 0; i-- {
		st[i] = n
		n *= s[i]
	}
	return st
}

// String prints the extents joined by "x", "scalar" for rank 0.
func (s Shape) String() string {
	if len(s) == 0 {
		return "scalar"
	}
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = strconv.Itoa(d)
	}
	return strings.Join(parts, "x")
}

// Broadcast is NumPy's rule, as ONNX's "multidirectional broadcasting": axes
// are aligned from the right and an extent of 1 stretches.
func Broadcast(a, b Shape) (Shape, error) {
	n := max(len(a), len(b))
	out := make(Shape, n)
	for i := 1; i <= n; i++ {
		x, y := 1, 1
		if i <= len(a) {
			x = a[len(a)-i]
		}
		if i <= len(b) {
			y = b[len(b)-i]
		}
		switch {
		case x == y || y == 1:
			out[n-i] = x
		case x == 1:
			out[n-i] = y
		default:
			return nil, fmt.Errorf("shapes %v and %v do not broadcast: %d against %d", a, b, x, y)
		}
	}
	return out, nil
}

// BroadcastStrides are the element strides with which a tensor of shape s is
// read as shape to: 0 along stretched axes. s must broadcast to to.
func BroadcastStrides(s, to Shape) []int {
	st := make([]int, len(to))
	own := s.Strides()
	off := len(to) - len(s)
	for i, d := range s {
		if d != 1 {
			st[off+i] = own[i]
		}
	}
	return st
}

// Type is what is known of a value before it exists: element type and shape.
type Type struct {
	DType DType
	Shape Shape
}

// T is shorthand for a Type.
func T(d DType, extents ...int) Type { return Type{d, Shape(extents)} }

// Bytes is the size of a tensor of this type, packed row-major.
func (t Type) Bytes() int { return t.DType.Size() * t.Shape.Elements() }

// Equal reports whether element types and shapes agree.
func (t Type) Equal(o Type) bool { return t.DType == o.DType && t.Shape.Equal(o.Shape) }

// Validate refuses invalid element types and shapes.
func (t Type) Validate() error {
	if !t.DType.Valid() {
		return fmt.Errorf("element type %d is not known", uint8(t.DType))
	}
	return t.Shape.Validate()
}

func (t Type) String() string { return t.DType.String() + "[" + t.Shape.String() + "]" }
