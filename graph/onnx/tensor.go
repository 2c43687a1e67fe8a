package onnx

import (
	"fmt"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/clsbench/clsbench/tensor"
)

// tensorProto is a TensorProto as it stands in the file.
type tensorProto struct {
	name     string
	dims     []int64
	dataType int64
	location int64
	external map[string]string
	hasRaw   bool
	raw      []byte
	f32      []float32
	f64      []float64
	i32      []int64 // int32_data: also 8- and 16-bit types and bool
	i64      []int64
	u64      []int64 // uint64_data: also uint32
}

func (t *tensorProto) read(f field) error {
	switch f.num {
	case tensorDims:
		return f.integers(&t.dims)
	case tensorDataType:
		return f.integer(&t.dataType)
	case tensorSegment:
		return unsupported("segmented tensors are not read")
	case tensorFloatData:
		return f.floats(&t.f32)
	case tensorInt32Data:
		return f.integers(&t.i32)
	case tensorInt64Data:
		return f.integers(&t.i64)
	case tensorF64Data:
		return f.doubles(&t.f64)
	case tensorU64Data:
		return f.integers(&t.u64)
	case tensorName:
		return f.text(&t.name)
	case tensorRawData:
		t.raw, t.hasRaw = f.bytes, true
		return f.want(protowire.BytesType)
	case tensorExternal:
		return where("external_data", f.pair(&t.external))
	case tensorLocation:
		return f.integer(&t.location)
	}
	return nil
}

// load makes a host tensor. Memory is taken only after the data's length has
// been held against the shape.
func (t *tensorProto) load(o *options) (*tensor.Tensor, error) {
	d, err := dtypeOf(t.dataType)
	if err != nil {
		return nil, err
	}
	ty := tensor.Type{DType: d, Shape: make(tensor.Shape, len(t.dims))}
	for i, n := range t.dims {
		ty.Shape[i] = int(n)
	}
	if err := ty.Validate(); err != nil {
		return nil, where("dims", err)
	}
	switch {
	case t.location == locationExternal:
		return t.loadExternal(ty, o)
	case t.hasRaw:
		return fromBytes(ty, t.raw, false)
	}
	return t.loadTyped(ty)
}

// fromBytes gives bytes a type: in place if that is allowed and they are
// aligned, else by a copy.
func fromBytes(ty tensor.Type, b []byte, inPlace bool) (*tensor.Tensor, error) {
	if len(b) != ty.Bytes() {
		return nil, invalid("data", "%d bytes of data, %v takes %d", len(b), ty, ty.Bytes())
	}
	if ty.DType == tensor.Bool {
		for i, v := range b {
			if v > 1 {
				return nil, invalid("data", "element %d: %d is no bool", i, v)
			}
		}
	}
	if inPlace {
		if x, err := tensor.Wrap(ty, b); err == nil {
			return x, nil
		}
	}
	x := tensor.New(ty.DType, ty.Shape...)
	copy(x.Data, b)
	return x, nil
}

func (t *tensorProto) loadExternal(ty tensor.Type, o *options) (*tensor.Tensor, error) {
	location := t.external["location"]
	if o.resolve == nil {
		return nil, unsupported("data lies outside of the model, in %q, and nothing here can open it", location)
	}
	offset, length := int64(0), int64(-1)
	for key, dst := range map[string]*int64{"offset": &offset, "length": &length} {
		if s, ok := t.external[key]; ok {
			v, err := strconv.ParseInt(s, 10, 64)
			if err != nil || v < 0 {
				return nil, invalid("external_data", "%s %q is no size", key, s)
			}
			*dst = v
		}
	}
	if length >= 0 && length != int64(ty.Bytes()) {
		return nil, invalid("external_data", "length %d, %v takes %d", length, ty, ty.Bytes())
	}
	b, err := o.resolve(location, offset, length)
	if err != nil {
		return nil, where(fmt.Sprintf("external data %q", location), err)
	}
	if length < 0 && len(b) > ty.Bytes() {
		b = b[:ty.Bytes()]
	}
	return fromBytes(ty, b, true)
}

// loadTyped reads the data field that ONNX assigns to the element type.
func (t *tensorProto) loadTyped(ty tensor.Type) (*tensor.Tensor, error) {
	switch ty.DType {
	case tensor.F32:
		return convert(ty, t.f32, func(v float32) (float32, bool) { return v, true })
	case tensor.F64:
		return convert(ty, t.f64, func(v float64) (float64, bool) { return v, true })
	case tensor.F16, tensor.BF16: // bits in the low half of int32_data
		return convert(ty, t.i32, within[uint16](0, math.MaxUint16))
	case tensor.S8:
		return convert(ty, t.i32, within[int8](math.MinInt8, math.MaxInt8))
	case tensor.U8:
		return convert(ty, t.i32, within[uint8](0, math.MaxUint8))
	case tensor.S32:
		return convert(ty, t.i32, within[int32](math.MinInt32, math.MaxInt32))
	case tensor.U32:
		return convert(ty, t.u64, within[uint32](0, math.MaxUint32))
	case tensor.Bool:
		return convert(ty, t.i32, within[uint8](0, 1))
	default:
		return convert(ty, t.i64, func(v int64) (int64, bool) { return v, true })
	}
}

// within narrows an integer unless it is outside [lo, hi].
func within[E ~int8 | ~uint8 | ~uint16 | ~int32 | ~uint32](lo, hi int64) func(int64) (E, bool) {
	return func(v int64) (E, bool) { return E(v), v >= lo && v <= hi }
}

func convert[S any, E tensor.Element](ty tensor.Type, src []S, conv func(S) (E, bool)) (*tensor.Tensor, error) {
	if len(src) != ty.Shape.Elements() {
		return nil, invalid("data", "%d elements of data, %v has %d", len(src), ty, ty.Shape.Elements())
	}
	x := tensor.New(ty.DType, ty.Shape...)
	dst := tensor.View[E](x.Data)
	for i, v := range src {
		e, ok := conv(v)
		if !ok {
			return nil, invalid("data", "element %d: %v is out of the range of %v", i, v, ty.DType)
		}
		dst[i] = e
	}
	return x, nil
}
