// Package onnx reads and writes programs as ONNX models: the one place that
// knows ONNX's protobuf schema. It speaks the wire format by hand, since the
// schema's generated code exists in no current Go module.
//
// What ONNX has no field for stands in metadata_props under "clsbench." keys:
// the model's name the program, its state, updates and origin (as JSON); each
// node of our own domain names its op's version. Attributes that ONNX passes
// as inputs (a Reshape's shape) are written as int64 initialisers of those
// inputs and folded back when read.
//
// Models of others are read too, in opsets 1 to 27: initialisers
// that are also inputs, Constant nodes, typed data fields, external data,
// auto_pad, axes as attributes or inputs. Shapes must be static.
package onnx

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Option changes how a model is written or read.
type Option func(*options)

type options struct {
	opset    int // see WithOpset
	external func(c graph.Const) (location string, offset int64, ok bool)
	resolve  func(location string, offset, length int64) ([]byte, error)
	given    map[string]*tensor.Tensor
	evaluate Evaluator
	room     int64 // see WithRoom
}

// WithExternal lets Marshal leave a constant's bytes out of the model: where f
// answers ok, the model refers to Bytes() bytes at offset in location. Putting
// them there is the caller's.
func WithExternal(f func(c graph.Const) (location string, offset int64, ok bool)) Option {
	return func(o *options) { o.external = f }
}

// WithResolver gives Unmarshal the bytes of external data. length is -1 where
// the model leaves it out. The answer is used in place when it is aligned for
// its element type, so it must live and stay as long as the program. Without
// a resolver external data is refused.
func WithResolver(f func(location string, offset, length int64) ([]byte, error)) Option {
	return func(o *options) { o.resolve = f }
}

func collect(opts []Option) options {
	o := options{opset: graph.Opset}
	for _, f := range opts {
		f(&o)
	}
	return o
}

// Digest is the program's hash: the SHA-256, in hex, of what Marshal writes
// with every constant inside. It panics on a program that Infer refuses.
func Digest(p *graph.Program) string {
	b, err := Marshal(p)
	if err != nil {
		panic("onnx.Digest: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// UnmarshalTensor reads a TensorProto, such as ONNX's backend tests keep their
// inputs and outputs in. Its errors are of Unmarshal's two kinds.
func UnmarshalTensor(b []byte) (name string, x *tensor.Tensor, err error) {
	var t tensorProto
	if err = fields(b, t.read); err == nil {
		x, err = t.load(&options{})
		err = where(quoted("tensor", t.name), err)
	}
	if err != nil {
		return t.name, nil, fmt.Errorf("onnx: %w", (&modelProto{}).refuse(err))
	}
	return t.name, x, nil
}

// Signature is what a model takes and gives, and the ops it is made of.
type Signature struct {
	Inputs  []string               // without initialisers
	Types   map[string]tensor.Type // of the inputs and outputs that are static
	Outputs []string
	Ops     []string // each once, in order of appearance
	graph   *graphProto
}

// OpOf is the op of the first node that reads or makes a value, of the first of
// all if none does, and empty in a model without nodes.
func (s Signature) OpOf(value string) string {
	if i := s.graph.userOf(value); i >= 0 {
		return s.graph.nodes[i].op
	}
	return strings.Join(s.Ops[:min(1, len(s.Ops))], "")
}

// ReadSignature reads no more of a model than that. It refuses a model of which
// an input or output is no tensor of an element type that programs have, with
// Unmarshal's errors.
func ReadSignature(b []byte) (Signature, error) {
	m, err := readModel(b)
	if err != nil {
		return Signature{}, err
	}
	if err := m.graph.ends(); err != nil {
		return Signature{}, fmt.Errorf("onnx: %w", m.refuse(err))
	}
	s := Signature{Types: map[string]tensor.Type{}, graph: m.graph}
	for i := range m.graph.inputs {
		v := &m.graph.inputs[i]
		if !slices.ContainsFunc(m.graph.initializers, func(t tensorProto) bool { return t.name == v.name }) {
			s.Inputs = append(s.Inputs, v.name)
			if t, err := v.static(); err == nil {
				s.Types[v.name] = t
			}
		}
	}
	for _, v := range m.graph.outputs {
		s.Outputs = append(s.Outputs, v.name)
		if t, err := v.static(); err == nil {
			s.Types[v.name] = t
		}
	}
	for _, n := range m.graph.nodes {
		if !slices.Contains(s.Ops, n.op) {
			s.Ops = append(s.Ops, n.op)
		}
	}
	return s, nil
}
