package onnx

import (
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message on the wire. Slices point into the input.
type field struct {
	num   protowire.Number
	kind  protowire.Type
	bits  uint64 // varint and fixed kinds
	bytes []byte // bytes kind
}

// fields calls f for each field of a message, in the order written.
func fields(b []byte, f func(field) error) error {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed(n)
		}
		b = b[n:]
		v := field{num: num, kind: kind}
		switch kind {
		case protowire.VarintType:
			v.bits, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var x uint32
			x, n = protowire.ConsumeFixed32(b)
			v.bits = uint64(x)
		case protowire.Fixed64Type:
			v.bits, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, kind, b)
		}
		if n < 0 {
			return malformed(n)
		}
		b = b[n:]
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

func malformed(n int) error {
	return flaw(fmt.Sprintf("not a protobuf message, or cut short: %v", protowire.ParseError(n)))
}

const errNotUTF8 = flaw("a name is not UTF-8")

func (f field) want(kind protowire.Type) error {
	if f.kind != kind {
		return flaw(fmt.Sprintf("field %d has wire type %d, want %d", f.num, f.kind, kind))
	}
	return nil
}

// integer reads a varint field.
func (f field) integer(dst *int64) error {
	*dst = int64(f.bits)
	return f.want(protowire.VarintType)
}

// float reads a fixed32 field.
func (f field) float(dst *float32) error {
	*dst = math.Float32frombits(uint32(f.bits))
	return f.want(protowire.Fixed32Type)
}

// text reads a string field.
func (f field) text(dst *string) error {
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	if !utf8.Valid(f.bytes) {
		return errNotUTF8
	}
	*dst = string(f.bytes)
	return nil
}

// texts appends a repeated string field.
func (f field) texts(dst *[]string) error {
	var s string
	if err := f.text(&s); err != nil {
		return err
	}
	*dst = append(*dst, s)
	return nil
}

// message reads a submessage field by field.
func (f field) message(each func(field) error) error {
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	return fields(f.bytes, each)
}

// scalars appends a repeated numeric field, packed or not; consume is
// protowire's function for one element of the given wire type.
func scalars[W uint32 | uint64, E any](f field, kind protowire.Type, consume func([]byte) (W, int), conv func(W) E, dst *[]E) error {
	if f.kind == kind {
		*dst = append(*dst, conv(W(f.bits)))
		return nil
	}
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	for b := f.bytes; len(b) > 0; {
		v, n := consume(b)
		if n < 0 {
			return malformed(n)
		}
		*dst = append(*dst, conv(v))
		b = b[n:]
	}
	return nil
}

func (f field) integers(dst *[]int64) error {
	return scalars(f, protowire.VarintType, protowire.ConsumeVarint, func(v uint64) int64 { return int64(v) }, dst)
}

func (f field) floats(dst *[]float32) error {
	return scalars(f, protowire.Fixed32Type, protowire.ConsumeFixed32, math.Float32frombits, dst)
}

func (f field) doubles(dst *[]float64) error {
	return scalars(f, protowire.Fixed64Type, protowire.ConsumeFixed64, math.Float64frombits, dst)
}

// pair reads a StringStringEntryProto into a map; a key stands once.
func (f field) pair(dst *map[string]string) error {
	var k, v string
	err := f.message(func(f field) error {
		switch f.num {
		case entryKey:
			return f.text(&k)
		case entryValue:
			return f.text(&v)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if _, dup := (*dst)[k]; dup {
		return flaw(fmt.Sprintf("key %q stands twice", k))
	}
	if *dst == nil {
		*dst = map[string]string{}
	}
	(*dst)[k] = v
	return nil
}
