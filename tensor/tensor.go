package tensor

import (
	"fmt"
	"math"
	"unsafe"
)

// Tensor is a dense host tensor, row-major, native byte order (clsbench runs
// on little-endian machines and says so in its wire format).
type Tensor struct {
	Type
	Data []byte // len = Bytes(), aligned for the element type
}

// New makes a zeroed tensor. It panics on an invalid type: sizes that come
// from a file or a peer go through Type.Validate first.
func New(d DType, shape ...int) *Tensor {
	t := Type{d, Shape(shape).Clone()}
	if err := t.Validate(); err != nil {
		panic("tensor.New: " + err.Error())
	}
	return &Tensor{t, AlignedBytes(t.Bytes())}
}

// AlignedBytes makes n zeroed bytes that start on a cache line.
func AlignedBytes(n int) []byte {
	const line = 64
	b := make([]byte, n+line)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (line - 1))
	return b[off : off+n : off+n]
}

// Wrap gives data a type without copying. data must be as long as the type
// says and aligned for it.
func Wrap(t Type, data []byte) (*Tensor, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if len(data) != t.Bytes() {
		return nil, fmt.Errorf("%v takes %d bytes, got %d", t, t.Bytes(), len(data))
	}
	if len(data) > 0 && uintptr(unsafe.Pointer(unsafe.SliceData(data)))%uintptr(t.DType.Size()) != 0 {
		return nil, fmt.Errorf("%v: data is not aligned to %d bytes", t, t.DType.Size())
	}
	return &Tensor{t, data}, nil
}

// Element is a Go type that can view tensor memory; 16-bit floats are seen
// as their bits.
type Element interface {
	~float32 | ~float64 | ~int16 | ~uint16 | ~int8 | ~uint8 | ~int32 | ~uint32 | ~int64 | ~bool
}

// View sees b as elements of E without copying; a remainder of bytes that
// does not fill an element is cut off.
func View[E Element](b []byte) []E {
	var e E
	n := len(b) / int(unsafe.Sizeof(e))
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// Bytes sees elements as their bytes without copying.
func Bytes[E Element](s []E) []byte {
	var e E
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(e)))
}

// Of makes a tensor of type d from float64 values, each rounded once.
func Of(d DType, shape Shape, values ...float64) *Tensor {
	t := New(d, shape...)
	if len(values) != shape.Elements() {
		panic(fmt.Sprintf("tensor.Of: %d values for shape %v", len(values), shape))
	}
	t.SetFloat64s(values)
	return t
}

// Scalar makes a tensor of rank 0.
func Scalar(d DType, v float64) *Tensor { return Of(d, Shape{}, v) }

// Float64s reads every element, widened to float64. Exact for all types but
// S64 beyond 2^53.
func (t *Tensor) Float64s() []float64 {
	out := make([]float64, t.Shape.Elements())
	switch t.DType {
	case F32:
		widen(out, View[float32](t.Data))
	case F64:
		copy(out, View[float64](t.Data))
	case F16:
		for i, h := range View[uint16](t.Data) {
			out[i] = float64(F16ToF32(h))
		}
	case BF16:
		for i, h := range View[uint16](t.Data) {
			out[i] = float64(BF16ToF32(h))
		}
	case S8:
		widen(out, View[int8](t.Data))
	case U8, Bool:
		widen(out, t.Data)
	case S32:
		widen(out, View[int32](t.Data))
	case U32:
		widen(out, View[uint32](t.Data))
	case S64:
		widen(out, View[int64](t.Data))
	}
	return out
}

func widen[E int8 | uint8 | int32 | uint32 | int64 | float32](dst []float64, src []E) {
	for i, v := range src {
		dst[i] = float64(v)
	}
}

// SetFloat64s writes every element, each rounded once by Round.
func (t *Tensor) SetFloat64s(v []float64) {
	switch t.DType {
	case F32:
		for i, x := range v {
			View[float32](t.Data)[i] = float32(x)
		}
	case F64:
		copy(View[float64](t.Data), v)
	case F16:
		for i, x := range v {
			View[uint16](t.Data)[i] = F64ToF16(x)
		}
	case BF16:
		for i, x := range v {
			View[uint16](t.Data)[i] = F64ToBF16(x)
		}
	case S8:
		narrow(View[int8](t.Data), v, t.DType)
	case U8, Bool:
		narrow(t.Data, v, t.DType)
	case S32:
		narrow(View[int32](t.Data), v, t.DType)
	case U32:
		narrow(View[uint32](t.Data), v, t.DType)
	case S64:
		narrow(View[int64](t.Data), v, t.DType)
	}
}

func narrow[E int8 | uint8 | int32 | uint32 | int64](dst []E, v []float64, d DType) {
	for i, x := range v {
		dst[i] = E(Round(x, d))
	}
}

// Clone copies the tensor and its data.
func (t *Tensor) Clone() *Tensor {
	c := New(t.DType, t.Shape...)
	copy(c.Data, t.Data)
	return c
}

// Reshaped sees the same data under another shape of as many elements.
func (t *Tensor) Reshaped(shape ...int) *Tensor {
	s := Shape(shape)
	if s.Elements() != t.Shape.Elements() {
		panic(fmt.Sprintf("tensor: %v does not reshape to %v", t.Type, s))
	}
	return &Tensor{Type{t.DType, s.Clone()}, t.Data}
}

// HasNaN reports whether a float tensor holds a NaN.
func (t *Tensor) HasNaN() bool {
	if !t.DType.IsFloat() {
		return false
	}
	for _, v := range t.Float64s() {
		if math.IsNaN(v) {
			return true
		}
	}
	return false
}
