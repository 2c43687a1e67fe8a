package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/clsbench/clsbench/graph"
)

// The protos below are the parts of ONNX's messages that programs need, as
// they stand in the file. Byte slices point into it.

type modelProto struct {
	opsets map[string]int64
	graph  *graphProto
	meta   map[string]string
}

type graphProto struct {
	name         string
	nodes        []nodeProto
	initializers []tensorProto
	inputs       []valueProto
	outputs      []valueProto
	values       []valueProto
}

type nodeProto struct {
	name, op, domain string
	inputs, outputs  []string
	attrs            []attrProto
	meta             map[string]string
	today            bool // written by an adapter: it means what it says
}

type attrProto struct {
	name   string
	kind   int64 // AttributeProto.AttributeType
	f      float32
	i      int64
	s      []byte
	t      *tensorProto
	floats []float32
	ints   []int64
}

// valueProto is a ValueInfoProto of a tensor. Dims below 0 are not static;
// symbols holds their names.
type valueProto struct {
	name     string
	isTensor bool
	elem     int64
	hasShape bool
	dims     []int64
	symbols  []string
}

func readModel(b []byte) (*modelProto, error) {
	m := &modelProto{opsets: map[string]int64{}}
	err := fields(b, func(f field) error {
		switch f.num {
		case modelGraph:
			if m.graph == nil {
				m.graph = &graphProto{}
			}
			return where("graph", f.message(m.graph.read))
		case modelOpsetImport:
			return where("opset_import", m.readOpset(f))
		case modelMetadata:
			return where("metadata_props", f.pair(&m.meta))
		}
		return nil
	})
	if err == nil && m.graph == nil {
		err = fmt.Errorf("no graph: not an ONNX model, or cut short")
	}
	return m, err
}

// where says in which part of the file an error lies.
func where(part string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", part, err)
	}
	return nil
}

func (m *modelProto) readOpset(f field) error {
	var domain string
	var version int64
	err := f.message(func(f field) error {
		switch f.num {
		case opsetDomain:
			return f.text(&domain)
		case opsetVersion:
			return f.integer(&version)
		}
		return nil
	})
	m.opsets[standard(domain)] = version
	return err
}

// standard maps both spellings of ONNX's own domain to one.
func standard(domain string) string {
	if domain == stdDomain {
		return graph.Std
	}
	return domain
}

func (g *graphProto) read(f field) error {
	switch f.num {
	case graphNode:
		if len(g.nodes) == graph.MaxNodes {
			return fmt.Errorf("more than %d nodes", graph.MaxNodes)
		}
		n := nodeProto{}
		if err := f.message(n.read); err != nil {
			return fmt.Errorf("node %d (%s): %w", len(g.nodes), n.name, err)
		}
		n.domain = standard(n.domain)
		g.nodes = append(g.nodes, n)
	case graphName:
		return where("name", f.text(&g.name))
	case graphInitializer:
		t := tensorProto{}
		if err := f.message(t.read); err != nil {
			return fmt.Errorf("initializer %d (%s): %w", len(g.initializers), t.name, err)
		}
		g.initializers = append(g.initializers, t)
	case graphInput:
		return where("input", f.value(&g.inputs))
	case graphOutput:
		return where("output", f.value(&g.outputs))
	case graphValueInfo:
		return where("value_info", f.value(&g.values))
	case graphSparse:
		return fmt.Errorf("sparse initialisers are not read: store them dense")
	}
	return nil
}

func (n *nodeProto) read(f field) error {
	switch f.num {
	case nodeInput:
		return f.texts(&n.inputs)
	case nodeOutput:
		return f.texts(&n.outputs)
	case nodeNameField:
		return f.text(&n.name)
	case nodeOpType:
		return f.text(&n.op)
	case nodeDomain:
		return f.text(&n.domain)
	case nodeAttribute:
		a := attrProto{}
		if err := f.message(a.read); err != nil {
			return where("attribute "+a.name, err)
		}
		n.attrs = append(n.attrs, a)
	case nodeMetadata:
		return where("metadata_props", f.pair(&n.meta))
	}
	return nil
}

// read keeps the attribute's type as written; a file of the first IR version,
// which has none, takes it from the field that is set.
func (a *attrProto) read(f field) error {
	set := func(kind int64, err error) error {
		if a.kind == 0 {
			a.kind = kind
		}
		return err
	}
	switch f.num {
	case attrName:
		return f.text(&a.name)
	case attrF:
		return set(attrTypeFloat, f.float(&a.f))
	case attrI:
		return set(attrTypeInt, f.integer(&a.i))
	case attrS:
		a.s = f.bytes
		return set(attrTypeString, f.want(protowire.BytesType))
	case attrT:
		a.t = &tensorProto{}
		return set(attrTypeTensor, where("tensor", f.message(a.t.read)))
	case attrFloats:
		return set(attrTypeFloats, f.floats(&a.floats))
	case attrInts:
		return set(attrTypeInts, f.integers(&a.ints))
	case attrType:
		return f.integer(&a.kind)
	}
	return nil
}

func (f field) value(dst *[]valueProto) error {
	v := valueProto{}
	err := f.message(func(f field) error {
		switch f.num {
		case valueName:
			return f.text(&v.name)
		case valueType:
			return f.message(func(f field) error {
				if f.num == typeTensor {
					v.isTensor = true
					return f.message(v.readTensorType)
				}
				return nil
			})
		}
		return nil
	})
	*dst = append(*dst, v)
	if err != nil {
		return fmt.Errorf("%q: %w", v.name, err)
	}
	return nil
}

func (v *valueProto) readTensorType(f field) error {
	switch f.num {
	case typeElem:
		return f.integer(&v.elem)
	case typeShape:
		v.hasShape = true
		return f.message(func(f field) error {
			if f.num == shapeDim {
				return v.readDim(f)
			}
			return nil
		})
	}
	return nil
}

func (v *valueProto) readDim(f field) error {
	dim, symbol := int64(-1), ""
	err := f.message(func(f field) error {
		switch f.num {
		case dimValue:
			return f.integer(&dim)
		case dimParam:
			return f.text(&symbol)
		}
		return nil
	})
	v.dims = append(v.dims, dim)
	v.symbols = append(v.symbols, symbol)
	return err
}
