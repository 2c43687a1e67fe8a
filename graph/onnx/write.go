package onnx

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Marshal writes p as an ONNX ModelProto. Equal programs give equal bytes;
// messages are written as protobuf's own serialisers do, in the order of field
// numbers. The error is Infer's, or names what ONNX can't hold.
func Marshal(p *graph.Program, opts ...Option) ([]byte, error) {
	g, err := p.Infer()
	if err != nil {
		return nil, err
	}
	w := writer{options: collect(opts), g: g}
	if w.opset < OldestWritten || w.opset > graph.Opset {
		return nil, fmt.Errorf("onnx: opset %d is not written: want %d to %d", w.opset, OldestWritten, graph.Opset)
	}
	b, err := w.model(nil)
	if err != nil {
		return nil, fmt.Errorf("onnx: program %s: %w", p.Name, err)
	}
	return b, nil
}

type writer struct {
	options
	g      *graph.Graph
	folded []graph.Const // initialisers that stand for folded attributes
	err    error         // the first; writing goes on, its result is dropped
}

// Each method of writer appends to a buffer and returns it.

func (w *writer) model(b []byte) ([]byte, error) {
	b = appendInt(b, modelIRVersion, irVersionOf(w.opset))
	b = w.str(b, modelProducerName, "clsbench")
	b = message(b, modelGraph, w.graph)
	b = w.imports(b, graph.Std, int64(w.opset))
	if slices.ContainsFunc(w.g.Nodes, func(n graph.Node) bool { return n.Domain == graph.Own }) {
		b = w.imports(b, graph.Own, 1)
	}
	b = w.metadata(b)
	return b, w.err
}

func (w *writer) imports(b []byte, domain string, version int64) []byte {
	return message(b, modelOpsetImport, func(b []byte) []byte {
		if domain != "" {
			b = w.str(b, opsetDomain, domain)
		}
		return appendInt(b, opsetVersion, version)
	})
}

// originJSON is the form of graph.Origin in metadata_props.
type originJSON struct {
	Forward   int    `json:"forward"`
	Loss      string `json:"loss"`
	Optimizer string `json:"optimizer"`
}

func (w *writer) metadata(b []byte) []byte {
	p := w.g.Program
	b = w.entry(b, modelMetadata, keyProgram, p.Name)
	if len(p.State) > 0 {
		names := make([]string, len(p.State))
		for i, v := range p.State {
			names[i] = v.Name
		}
		b = w.jsonEntry(b, keyState, names)
	}
	if len(p.Updates) > 0 {
		pairs := make([][2]string, len(p.Updates))
		for i, u := range p.Updates {
			pairs[i] = [2]string{u.State, u.Value}
		}
		b = w.jsonEntry(b, keyUpdates, pairs)
	}
	if p.Origin != nil {
		w.checkUTF8(p.Origin.Optimizer) // JSON would mend it in silence
		b = w.jsonEntry(b, keyOrigin, originJSON(*p.Origin))
	}
	return b
}

func (w *writer) jsonEntry(b []byte, key string, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		w.fail(err)
	}
	return w.entry(b, modelMetadata, key, string(text))
}

// entry appends a StringStringEntryProto.
func (w *writer) entry(b []byte, num protowire.Number, key, value string) []byte {
	return message(b, num, func(b []byte) []byte {
		b = w.str(b, entryKey, key)
		return w.str(b, entryValue, value)
	})
}

func (w *writer) graph(b []byte) []byte {
	p := w.g.Program
	for i := range w.g.Calls {
		b = message(b, graphNode, func(b []byte) []byte { return w.node(b, &w.g.Calls[i]) })
	}
	name := p.Name
	if name == "" {
		name = "program" // ONNX's checker wants one
	}
	b = w.str(b, graphName, name)
	for _, c := range slices.Concat(p.Consts, w.folded) {
		b = message(b, graphInitializer, func(b []byte) []byte { return w.tensor(b, c) })
	}
	for _, v := range slices.Concat(p.Feeds, p.State) {
		b = w.valueInfo(b, graphInput, v.Name)
	}
	fetched := map[string]bool{"": true}
	for _, f := range p.Fetches {
		fetched[f] = true
		b = w.valueInfo(b, graphOutput, f)
	}
	for i := range p.Nodes {
		for _, v := range p.Nodes[i].Outputs {
			if !fetched[v] {
				b = w.valueInfo(b, graphValueInfo, v)
			}
		}
	}
	return b
}

func (w *writer) node(b []byte, c *graph.Call) []byte {
	if w.opset < graph.Opset {
		old, err := older(c, w.opset)
		if err != nil {
			w.fail(err)
			return b
		}
		c = old
	}
	for _, in := range w.inputs(c) {
		b = w.str(b, nodeInput, in)
	}
	for _, out := range c.Outputs {
		b = w.str(b, nodeOutput, out)
	}
	b = w.str(b, nodeNameField, c.Name)
	b = w.str(b, nodeOpType, c.Node.Op)
	for _, name := range slices.Sorted(maps.Keys(c.Attrs)) {
		if !w.isInput(c, name) {
			b = message(b, nodeAttribute, func(b []byte) []byte { return w.attribute(b, c, name) })
		}
	}
	if c.Domain == graph.Std {
		return b
	}
	b = w.str(b, nodeDomain, c.Domain)
	return w.entry(b, nodeMetadata, keyVersion, strconv.Itoa(c.Op.Version))
}

// fresh is name or a variation that no value has.
func (w *writer) fresh(name string) string {
	for try, n := name, 1; ; n++ {
		if _, taken := w.g.Types[try]; !taken {
			return try
		}
		try = name + "_" + strconv.Itoa(n)
	}
}

func (w *writer) attribute(b []byte, c *graph.Call, name string) []byte {
	a := c.Attrs[name]
	b = w.str(b, attrName, name)
	if isTypeAttr(c.Domain, c.Node.Op, name) {
		d, err := tensor.ParseDType(a.String)
		if err != nil {
			w.fail(err)
		}
		b = appendInt(b, attrI, dataTypes[d])
		return appendInt(b, attrType, attrTypeInt)
	}
	switch a.Kind {
	case graph.Float:
		b = appendFloat(b, attrF, a.Float)
		return appendInt(b, attrType, attrTypeFloat)
	case graph.Int:
		b = appendInt(b, attrI, a.Int)
		return appendInt(b, attrType, attrTypeInt)
	case graph.String:
		b = protowire.AppendTag(b, attrS, protowire.BytesType)
		b = protowire.AppendString(b, a.String)
		return appendInt(b, attrType, attrTypeString)
	case graph.FloatList:
		for _, f := range a.Floats {
			b = appendFloat(b, attrFloats, f)
		}
		return appendInt(b, attrType, attrTypeFloats)
	default:
		for _, i := range a.Ints {
			b = appendInt(b, attrInts, i)
		}
		return appendInt(b, attrType, attrTypeInts)
	}
}

// isTypeAttr names the attributes that are element types: by name in the op
// table, by number in ONNX.
func isTypeAttr(domain, op, attr string) bool {
	switch op {
	case "Cast":
		return domain == graph.Std && attr == "to"
	case "QuantizeLinear", "DequantizeLinear":
		return domain == graph.Std && (attr == "output_dtype" || attr == "precision")
	}
	return false
}

func (w *writer) valueInfo(b []byte, num protowire.Number, name string) []byte {
	t := w.g.Types[name]
	return message(b, num, func(b []byte) []byte {
		b = w.str(b, valueName, name)
		return message(b, valueType, func(b []byte) []byte {
			return message(b, typeTensor, func(b []byte) []byte {
				b = appendInt(b, typeElem, dataTypes[t.DType])
				return message(b, typeShape, func(b []byte) []byte {
					for _, d := range t.Shape {
						b = message(b, shapeDim, func(b []byte) []byte { return appendInt(b, dimValue, int64(d)) })
					}
					return b
				})
			})
		})
	})
}

// tensor appends a TensorProto. Its raw_data is little-endian, as host
// tensors are.
func (w *writer) tensor(b []byte, c graph.Const) []byte {
	for _, d := range c.Tensor.Shape {
		b = appendInt(b, tensorDims, int64(d))
	}
	b = appendInt(b, tensorDataType, dataTypes[c.Tensor.DType])
	b = w.str(b, tensorName, c.Name)
	if w.external != nil {
		if location, offset, ok := w.external(c); ok {
			b = w.entry(b, tensorExternal, "location", location)
			b = w.entry(b, tensorExternal, "offset", strconv.FormatInt(offset, 10))
			b = w.entry(b, tensorExternal, "length", strconv.Itoa(c.Tensor.Bytes()))
			return appendInt(b, tensorLocation, locationExternal)
		}
	}
	b = protowire.AppendTag(b, tensorRawData, protowire.BytesType)
	return protowire.AppendBytes(b, c.Tensor.Data)
}

// str appends a string field, which protobuf wants in UTF-8.
func (w *writer) str(b []byte, num protowire.Number, s string) []byte {
	w.checkUTF8(s)
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendString(b, s)
}

func (w *writer) checkUTF8(s string) {
	if !utf8.ValidString(s) {
		w.fail(fmt.Errorf("name %q is not UTF-8", s))
	}
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// message appends a submessage that body writes. The length goes in front
// afterwards by one move within the buffer.
func message(b []byte, num protowire.Number, body func([]byte) []byte) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	start := len(b)
	b = body(b)
	n := len(b) - start
	size := protowire.SizeVarint(uint64(n))
	b = slices.Grow(b, size)[:len(b)+size]
	copy(b[start+size:], b[start:start+n])
	protowire.AppendVarint(b[:start], uint64(n))
	return b
}

func appendInt(b []byte, num protowire.Number, v int64) []byte {
	b = protowire.AppendTag(b, num, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(v))
}

func appendFloat(b []byte, num protowire.Number, v float32) []byte {
	b = protowire.AppendTag(b, num, protowire.Fixed32Type)
	return protowire.AppendFixed32(b, math.Float32bits(v))
}

// MarshalTensor writes a TensorProto, as UnmarshalTensor reads it.
func MarshalTensor(name string, x *tensor.Tensor) []byte {
	w := writer{}
	return w.tensor(nil, graph.Const{Name: name, Tensor: x})
}
