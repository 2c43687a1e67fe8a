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
	held   int64 // the type of the field that is set; mixed: there are others
	mixed  bool
	f      float32
	i      int64
	s      []byte
	t      *tensorProto
	floats []float32
	ints   []int64
}

// valueProto is a ValueInfoProto.
type valueProto struct {
	name     string
	kind     string // of typeKinds
	elem     int64
	hasShape bool
	dims     []int64
	open     []bool   // those that are not static
	symbols  []string // their names
}

// readModel takes a file apart and holds it against what ONNX asks of any model.
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
		err = invalid("graph", "no graph: not an ONNX model, or cut short")
	}
	if err == nil {
		err = m.graph.sound()
	}
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", m.refuse(err))
	}
	return m, nil
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
			return unsupported("more than %d nodes", graph.MaxNodes)
		}
		n := nodeProto{}
		if err := f.message(n.read); err != nil {
			return where(fmt.Sprintf("node %d %s (%s)", len(g.nodes), n.name, n.op), err)
		}
		n.domain = standard(n.domain)
		g.nodes = append(g.nodes, n)
	case graphName:
		return where("name", f.text(&g.name))
	case graphInitializer:
		t := tensorProto{}
		if err := f.message(t.read); err != nil {
			return where(fmt.Sprintf("initializer %d (%s)", len(g.initializers), t.name), err)
		}
		g.initializers = append(g.initializers, t)
	case graphInput:
		return where("input", f.value(&g.inputs))
	case graphOutput:
		return where("output", f.value(&g.outputs))
	case graphValueInfo:
		return where("value_info", f.value(&g.values))
	case graphSparse:
		return unsupported("sparse initialisers are not read: store them dense")
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
		err := f.message(a.read)
		if err == nil {
			err = a.sound()
		}
		if err == nil && n.attr(a.name) != nil {
			err = flaw("it stands twice")
		}
		if err != nil {
			return where("attribute "+a.name, err)
		}
		n.attrs = append(n.attrs, a)
	case nodeMetadata:
		return where("metadata_props", f.pair(&n.meta))
	}
	return nil
}

func (a *attrProto) read(f field) error {
	if kind, ok := attrValues[f.num]; ok {
		a.mixed = a.mixed || a.held != 0 && a.held != kind
		a.held = kind
	}
	switch f.num {
	case attrName:
		return f.text(&a.name)
	case attrF:
		return f.float(&a.f)
	case attrI:
		return f.integer(&a.i)
	case attrS:
		a.s = f.bytes
		return f.want(protowire.BytesType)
	case attrT:
		a.t = &tensorProto{}
		return where("tensor", f.message(a.t.read))
	case attrFloats:
		return f.floats(&a.floats)
	case attrInts:
		return f.integers(&a.ints)
	case attrType:
		return f.integer(&a.kind)
	}
	return nil
}

// sound holds an attribute's type against its value. A file of the first IR
// version, which names no type, has that of the field that is set; a list may be
// empty, and a writer of proto3 leaves zeros out.
func (a *attrProto) sound() error {
	if a.kind == 0 {
		a.kind = a.held
	}
	switch {
	case a.kind < 1 || a.kind >= int64(len(attrTypes)):
		return flaw(fmt.Sprintf("attribute type %d is none of ONNX's", a.kind))
	case a.mixed:
		return flaw("it has values of more than one type")
	case a.held != 0 && a.held != a.kind:
		return flaw(fmt.Sprintf("it says %s and holds %s", attrTypes[a.kind], attrTypes[a.held]))
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
				if kind, ok := typeKinds[f.num]; ok {
					v.kind = kind
				}
				if f.num == typeTensor {
					return f.message(v.readTensorType)
				}
				return nil
			})
		}
		return nil
	})
	*dst = append(*dst, v)
	return where(fmt.Sprintf("%q", v.name), err)
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
	dim, open, symbol := int64(-1), true, ""
	err := f.message(func(f field) error {
		switch f.num {
		case dimValue:
			open = false
			return f.integer(&dim)
		case dimParam:
			return f.text(&symbol)
		}
		return nil
	})
	v.dims = append(v.dims, dim)
	v.open = append(v.open, open)
	v.symbols = append(v.symbols, symbol)
	return err
}
