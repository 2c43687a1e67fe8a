package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/tensor"
)

// quoted and numbered name fields in errors.
func quoted(what, name string) string    { return fmt.Sprintf("%s %q", what, name) }
func numbered(what string, i int) string { return fmt.Sprintf("%s %d", what, i) }

// dtype is the element type of a value that is a tensor.
func (v *valueProto) dtype() (tensor.DType, error) {
	if v.kind == "" {
		return tensor.Invalid, flaw("it has no type")
	}
	if v.kind != "tensor" {
		return tensor.Invalid, &lack{typ: v.kind, value: v.name, what: "a value of kind " + v.kind + ": programs have tensors alone"}
	}
	d, err := dtypeOf(v.elem)
	if l := (*lack)(nil); errors.As(err, &l) {
		l.value = v.name
	}
	return d, err
}

// static is the value's type; it must be whole.
func (v *valueProto) static() (tensor.Type, error) {
	d, err := v.dtype()
	if err != nil {
		return tensor.Type{}, err
	}
	if !v.hasShape {
		return tensor.Type{}, v.dynamic("no shape: programs are static, so export the model with fixed input shapes")
	}
	t := tensor.Type{DType: d, Shape: make(tensor.Shape, len(v.dims))}
	for i, n := range v.dims {
		switch {
		case v.open[i]:
			return t, v.dynamic("dimension %d is dynamic (%q): programs are static, so export the model with a fixed size there", i, v.symbols[i])
		case n < 0:
			return t, flaw(fmt.Sprintf("dimension %d is %d", i, n))
		}
		t.Shape[i] = int(n)
	}
	return t, t.Validate()
}

// dynamic marks a type that is not static.
func (v *valueProto) dynamic(format string, args ...any) error {
	return &lack{value: v.name, what: fmt.Sprintf(format, args...)}
}

// fits holds a given value's type against what the model says of the input.
func (v *valueProto) fits(t tensor.Type) error {
	d, err := v.dtype()
	if err != nil {
		return err
	}
	if d != t.DType {
		return flaw(fmt.Sprintf("declared as %v, the value given is %v", d, t))
	}
	if v.hasShape && !v.agrees(t.Shape) {
		return flaw(fmt.Sprintf("declared with dimensions %v, the value given is %v", v.dims, t))
	}
	return t.Validate()
}

func (v *valueProto) agrees(s tensor.Shape) bool {
	if len(v.dims) != len(s) {
		return false
	}
	for i, d := range v.dims {
		if !v.open[i] && d != int64(s[i]) {
			return false
		}
	}
	return true
}

// declared holds the types that the file states for outputs and values in
// between against those inferred. What it leaves open is no contradiction.
func (r *reader) declared() error {
	for _, v := range slices.Concat(r.model.graph.outputs, r.model.graph.values) {
		t, ok := r.types[v.name]
		if !ok || v.kind == "" || v.kind == "tensor" && v.elem == 0 && !v.hasShape {
			continue
		}
		if v.kind != "tensor" {
			return invalid(quoted("value", v.name), "declared as a %s, but it is %v", v.kind, t)
		}
		if v.elem != 0 && v.elem != dataTypes[t.DType] {
			return invalid(quoted("value", v.name), "declared with ONNX data type %d, but it is %v", v.elem, t)
		}
		if v.hasShape && !v.agrees(t.Shape) {
			return invalid(quoted("value", v.name), "declared with dimensions %v, but it is %v", v.dims, t)
		}
	}
	return nil
}

// ends finds the first input or output whose kind or element type programs lack.
func (g *graphProto) ends() error {
	for _, list := range []struct {
		what   string
		values []valueProto
	}{{"input", g.inputs}, {"output", g.outputs}} {
		for i := range list.values {
			v := &list.values[i]
			if _, err := v.dtype(); isLack(err) {
				return where(quoted(list.what, v.name), err)
			}
		}
	}
	return nil
}
