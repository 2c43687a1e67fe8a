package onnx

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Unmarshal reads an ONNX ModelProto as a program and checks it whole; the
// error names the part at fault and, for a model of somebody else's that could
// be written otherwise, the mend. The program shares no memory with b; external
// data may be used in place (see WithResolver).
func Unmarshal(b []byte, opts ...Option) (*graph.Program, error) {
	m, err := readModel(b)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	r := reader{
		options: collect(opts),
		model:   m,
		prog:    &graph.Program{},
		types:   map[string]tensor.Type{},
		consts:  map[string]*tensor.Tensor{},
		folded:  map[string]bool{},
		names:   map[string]bool{},
		memo:    map[string]*tensor.Tensor{}, producers: map[string]*graph.Call{}, adapters: adapters(),
	}
	for _, step := range []func() error{r.opset, r.initializers, r.inputs, r.nodes, r.outputs, r.metadata, r.declared} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("onnx: %w", err)
		}
	}
	r.dropFolded()
	if _, err := r.prog.Infer(); err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	return r.prog, nil
}

// reader turns the parts of a model into those of a program.
type reader struct {
	options
	model  *modelProto
	prog   *graph.Program
	std    int64 // imported version of the standard domain
	types  map[string]tensor.Type
	consts map[string]*tensor.Tensor
	folded map[string]bool // values that became attributes
	names  map[string]bool // of nodes
	made   int64           // bytes of constants that the file does not hold

	memo      map[string]*tensor.Tensor // see known
	producers map[string]*graph.Call
	adapters  map[string]adapter
}

// opset refuses versions whose ops this package can't vouch for.
func (r *reader) opset() error {
	std, ok := r.model.opsets[graph.Std]
	if ok && (std < minOpset || std > maxOpset) {
		return fmt.Errorf("opset_import: opset %d, want %d to %d: convert the model with onnx.version_converter", std, minOpset, maxOpset)
	}
	r.std = std
	if own, ok := r.model.opsets[graph.Own]; ok && own != 1 {
		return fmt.Errorf("opset_import: domain %s version %d, want 1", graph.Own, own)
	}
	return nil
}

func (r *reader) initializers() error {
	for i := range r.model.graph.initializers {
		t := &r.model.graph.initializers[i]
		if err := r.constant(t.name, t); err != nil {
			return fmt.Errorf("initializer %q: %w", t.name, err)
		}
	}
	return nil
}

func (r *reader) constant(name string, t *tensorProto) error {
	x, err := t.load(&r.options)
	if err != nil {
		return err
	}
	return r.addConst(name, x)
}

func (r *reader) addConst(name string, x *tensor.Tensor) error {
	if _, dup := r.consts[name]; dup {
		return errors.New("the name stands twice")
	}
	r.consts[name], r.types[name] = x, x.Type
	r.prog.Consts = append(r.prog.Consts, graph.Const{Name: name, Tensor: x})
	return nil
}

// inputs tells feeds from state. An input that is an initialiser too, as old
// models have it, is a constant.
func (r *reader) inputs() error {
	var state []string
	if err := r.json(keyState, &state); err != nil {
		return err
	}
	isState := map[string]bool{}
	for _, s := range state {
		isState[s] = true
	}
	for i := range r.model.graph.inputs {
		v := &r.model.graph.inputs[i]
		if _, ok := r.consts[v.name]; ok {
			continue
		}
		t, err := v.static()
		if x, ok := r.given[v.name]; ok {
			t, err = x.Type, v.fits(x.Type)
		}
		if err != nil {
			return fmt.Errorf("input %q: %w", v.name, err)
		}
		if _, dup := r.types[v.name]; dup {
			return fmt.Errorf("input %q: the name stands twice", v.name)
		}
		r.types[v.name] = t
		if isState[v.name] {
			r.prog.State = append(r.prog.State, graph.Value{Name: v.name, Type: t})
			delete(isState, v.name)
		} else {
			r.prog.Feeds = append(r.prog.Feeds, graph.Value{Name: v.name, Type: t})
		}
	}
	for _, s := range slices.Sorted(maps.Keys(isState)) {
		return fmt.Errorf("%s: %q is no input", keyState, s)
	}
	return nil
}

// static is the value's type; it must be whole.
func (v *valueProto) static() (tensor.Type, error) {
	if !v.isTensor {
		return tensor.Type{}, errors.New("no tensor type: sequences, maps and optionals are not read")
	}
	d, err := dtypeOf(v.elem)
	if err != nil {
		return tensor.Type{}, err
	}
	if !v.hasShape {
		return tensor.Type{}, errors.New("no shape: programs are static, so export the model with fixed input shapes")
	}
	t := tensor.Type{DType: d, Shape: make(tensor.Shape, len(v.dims))}
	for i, n := range v.dims {
		if n < 0 {
			return t, fmt.Errorf("dimension %d is dynamic (%q): programs are static, so export the model with a fixed size there", i, v.symbols[i])
		}
		t.Shape[i] = int(n)
	}
	return t, t.Validate()
}

// fits holds a given value's type against what the model says of the input.
func (v *valueProto) fits(t tensor.Type) error {
	if d, err := dtypeOf(v.elem); v.isTensor && (err != nil || d != t.DType) {
		return fmt.Errorf("declared with ONNX data type %d, the value given is %v", v.elem, t)
	}
	if v.hasShape && !v.agrees(t.Shape) {
		return fmt.Errorf("declared with dimensions %v, the value given is %v", v.dims, t)
	}
	return t.Validate()
}

func (r *reader) nodes() error {
	for i := range r.model.graph.nodes {
		n := &r.model.graph.nodes[i]
		if n.op == "Constant" && n.domain == graph.Std {
			if err := r.constantNode(n); err != nil {
				return fmt.Errorf("node %d %q (Constant): %w", i, n.name, err)
			}
			continue
		}
		list, err := r.adapt(n)
		for j := 0; err == nil && j < len(list); j++ {
			err = r.node(i, &list[j])
		}
		if err != nil {
			var node *graph.NodeError
			if !errors.As(err, &node) {
				err = &graph.NodeError{Node: n.name, Op: n.op, Err: err}
			}
			return err
		}
	}
	return nil
}

func (r *reader) node(i int, n *nodeProto) error {
	out := graph.Node{Name: r.nodeName(i, n), Op: n.op, Domain: n.domain, Inputs: n.inputs, Outputs: n.outputs}
	if err := r.checkVersion(n); err != nil {
		return err
	}
	if err := r.attributes(n, &out); err != nil {
		return err
	}
	op := graph.Lookup(n.domain, n.op)
	if op != nil {
		if err := r.fold(op, &out); err != nil {
			return err
		}
	}
	in := make([]tensor.Type, len(out.Inputs))
	for j, name := range out.Inputs {
		if name == "" {
			continue
		}
		t, ok := r.types[name]
		if !ok {
			return fmt.Errorf("input %d: no value %q before this node", j, name)
		}
		in[j] = t
	}
	if err := r.autoPad(n, &out, in); err != nil {
		return err
	}
	c, err := graph.Resolve(&out, in)
	if err != nil {
		return err
	}
	if err := r.checkCeil(c); err != nil {
		return err
	}
	for j, name := range out.Outputs {
		if name != "" {
			r.types[name] = c.Out[j]
			r.producers[name] = c
		}
	}
	r.prog.Nodes = append(r.prog.Nodes, out)
	return nil
}

// nodeName keeps a name that is given and new, and makes one otherwise: ONNX
// demands neither.
func (r *reader) nodeName(i int, n *nodeProto) string {
	name := n.name
	for try := i; name == "" || r.names[name]; try++ {
		name = fmt.Sprintf("%s_%d", n.op, try)
	}
	r.names[name] = true
	return name
}

// attributes converts a node's attributes; auto_pad is left to autoPad.
func (r *reader) attributes(n *nodeProto, out *graph.Node) error {
	for i := range n.attrs {
		a := &n.attrs[i]
		if a.name == "auto_pad" && n.domain == graph.Std {
			continue
		}
		if isTypeAttr(n.domain, n.op, a.name) && a.kind == attrTypeInt && a.i == 0 && n.op != "Cast" {
			continue // UNDEFINED: as if it were left out
		}
		v, err := a.value(n)
		if err != nil {
			return fmt.Errorf("attribute %s: %w", a.name, err)
		}
		if _, dup := out.Attrs[a.name]; dup {
			return fmt.Errorf("attribute %s stands twice", a.name)
		}
		if out.Attrs == nil {
			out.Attrs = graph.Attrs{}
		}
		out.Attrs[a.name] = v
	}
	return nil
}

func (a *attrProto) value(n *nodeProto) (graph.Attr, error) {
	if isTypeAttr(n.domain, n.op, a.name) && a.kind == attrTypeInt {
		d, err := dtypeOf(a.i)
		return graph.S(d.String()), err
	}
	switch a.kind {
	case attrTypeFloat:
		return graph.Attr{Kind: graph.Float, Float: a.f}, nil
	case attrTypeInt:
		return graph.Attr{Kind: graph.Int, Int: a.i}, nil
	case attrTypeString:
		return graph.S(string(a.s)), nil
	case attrTypeFloats:
		return graph.Attr{Kind: graph.FloatList, Floats: append([]float32{}, a.floats...)}, nil
	case attrTypeInts:
		return graph.L(a.ints...), nil
	}
	return graph.Attr{}, fmt.Errorf("ONNX attribute type %d is not one that programs have", a.kind)
}

// constantNode folds a Constant into the program's constants.
func (r *reader) constantNode(n *nodeProto) error {
	if len(n.attrs) != 1 || len(n.outputs) != 1 || n.outputs[0] == "" {
		return fmt.Errorf("%d attributes, %d outputs: want one of each", len(n.attrs), len(n.outputs))
	}
	if _, dup := r.types[n.outputs[0]]; dup {
		return fmt.Errorf("output %q: a value of that name exists already", n.outputs[0])
	}
	a := &n.attrs[0]
	switch {
	case a.name == "value" && a.t != nil:
		return r.constant(n.outputs[0], a.t)
	case a.name == "value_float" && a.kind == attrTypeFloat:
		return r.addConst(n.outputs[0], of(tensor.Shape{}, []float32{a.f}))
	case a.name == "value_floats" && a.kind == attrTypeFloats:
		return r.addConst(n.outputs[0], of(tensor.Shape{len(a.floats)}, a.floats))
	case a.name == "value_int" && a.kind == attrTypeInt:
		return r.addConst(n.outputs[0], of(tensor.Shape{}, []int64{a.i}))
	case a.name == "value_ints" && a.kind == attrTypeInts:
		return r.addConst(n.outputs[0], of(tensor.Shape{len(a.ints)}, a.ints))
	}
	return fmt.Errorf("attribute %s is not read: want value, value_float, value_floats, value_int or value_ints", a.name)
}

// dropNodes removes nodes of which nothing is left but what was folded.
func (r *reader) dropNodes() {
	read := map[string]bool{}
	for _, f := range r.prog.Fetches {
		read[f] = true
	}
	for _, u := range r.prog.Updates {
		read[u.Value] = true
	}
	for i := len(r.prog.Nodes) - 1; i >= 0; i-- {
		n := &r.prog.Nodes[i]
		if slices.ContainsFunc(n.Outputs, func(o string) bool { return r.folded[o] }) && !slices.ContainsFunc(n.Outputs, func(o string) bool { return read[o] }) {
			for _, in := range n.Inputs {
				if in != "" {
					r.folded[in] = true
				}
			}
			r.prog.Nodes = slices.Delete(r.prog.Nodes, i, i+1)
			continue
		}
		for _, in := range n.Inputs {
			read[in] = true
		}
	}
}

func of[E float32 | int64](s tensor.Shape, v []E) *tensor.Tensor {
	d := tensor.F32
	if _, ok := any(v).([]int64); ok {
		d = tensor.S64
	}
	x := tensor.New(d, s...)
	copy(tensor.View[E](x.Data), v)
	return x
}

func (r *reader) outputs() error {
	for i := range r.model.graph.outputs {
		r.prog.Fetches = append(r.prog.Fetches, r.model.graph.outputs[i].name)
	}
	return nil
}

func (r *reader) metadata() error {
	r.prog.Name = r.model.graph.name
	if name, ours := r.model.meta[keyProgram]; ours {
		r.prog.Name = name
	}
	var updates [][2]string
	if err := r.json(keyUpdates, &updates); err != nil {
		return err
	}
	for _, u := range updates {
		r.prog.Updates = append(r.prog.Updates, graph.Update{State: u[0], Value: u[1]})
	}
	if _, ok := r.model.meta[keyOrigin]; !ok {
		return nil
	}
	var o originJSON
	if err := r.json(keyOrigin, &o); err != nil {
		return err
	}
	r.prog.Origin = (*graph.Origin)(&o)
	return nil
}

// json decodes a metadata property, if it is there, and nothing but it.
func (r *reader) json(key string, dst any) error {
	text, ok := r.model.meta[key]
	if !ok {
		return nil
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(dst); err != nil {
		return fmt.Errorf("metadata_props: %s: %w", key, err)
	}
	if dec.More() {
		return fmt.Errorf("metadata_props: %s: more than one value", key)
	}
	return nil
}

// declared holds the types that the file states for outputs and values in
// between against those inferred. What it leaves open is no contradiction.
func (r *reader) declared() error {
	for _, v := range slices.Concat(r.model.graph.outputs, r.model.graph.values) {
		t, ok := r.types[v.name]
		if !ok || !v.isTensor {
			continue
		}
		if d, err := dtypeOf(v.elem); v.elem != 0 && (err != nil || d != t.DType) {
			return fmt.Errorf("value %q: declared with ONNX data type %d, but it is %v", v.name, v.elem, t)
		}
		if v.hasShape && !v.agrees(t.Shape) {
			return fmt.Errorf("value %q: declared with dimensions %v, but it is %v", v.name, v.dims, t)
		}
	}
	return nil
}

func (v *valueProto) agrees(s tensor.Shape) bool {
	if len(v.dims) != len(s) {
		return false
	}
	for i, d := range v.dims {
		if d >= 0 && d != int64(s[i]) {
			return false
		}
	}
	return true
}

// dropFolded removes the nodes, constants and given inputs that nobody reads
// any more since they became attributes.
func (r *reader) dropFolded() {
	r.dropNodes()
	for i := range r.prog.Nodes {
		for _, in := range r.prog.Nodes[i].Inputs {
			delete(r.folded, in)
		}
	}
	for _, f := range r.prog.Fetches {
		delete(r.folded, f)
	}
	for _, u := range r.prog.Updates {
		delete(r.folded, u.Value)
	}
	if len(r.folded) == 0 {
		return
	}
	r.prog.Consts = slices.DeleteFunc(r.prog.Consts, func(c graph.Const) bool { return r.folded[c.Name] })
	r.prog.Feeds = slices.DeleteFunc(r.prog.Feeds, func(v graph.Value) bool { return r.folded[v.Name] })
	if len(r.prog.Consts) == 0 {
		r.prog.Consts = nil
	}
}
