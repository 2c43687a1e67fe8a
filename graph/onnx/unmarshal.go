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
// error is an *UnsupportedError or an *InvalidError and names the part at fault
// and, for a model of somebody else's that could be written otherwise, the mend.
// The program shares no memory with b; external data may be used in place (see
// WithResolver).
func Unmarshal(b []byte, opts ...Option) (*graph.Program, error) {
	m, err := readModel(b)
	if err != nil {
		return nil, err
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
	program := func() error { _, err := r.prog.Infer(); return err }
	for _, step := range []func() error{r.opset, r.initializers, r.inputs, r.postponed, r.nodes, r.outputs, r.metadata, r.declared, r.dropFolded, program} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("onnx: %w", m.refuse(err))
		}
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
	first  error           // of what is unsupported; see postpone

	memo      map[string]*tensor.Tensor // see known
	producers map[string]*graph.Call
	adapters  map[string]adapter
}

// postpone keeps what is unsupported for later, so that a mistake in what else
// can be judged comes first; other errors it hands back.
func (r *reader) postpone(err error) error {
	if !isLack(err) {
		return err
	}
	if r.first == nil {
		r.first = err
	}
	return nil
}

func (r *reader) postponed() error { return r.first }

// opset refuses versions whose ops this package can't vouch for.
func (r *reader) opset() error {
	std, ok := r.model.opsets[graph.Std]
	if ok && std < minOpset {
		return invalid("opset_import", "opset %d, want %d to %d", std, minOpset, maxOpset)
	}
	if std > maxOpset {
		return r.postpone(where("opset_import", unsupported("opset %d, want %d to %d: convert the model with onnx.version_converter", std, minOpset, maxOpset)))
	}
	r.std = std
	if own, ok := r.model.opsets[graph.Own]; ok && own != 1 {
		return r.postpone(where("opset_import", unsupported("domain %s version %d, want 1", graph.Own, own)))
	}
	return nil
}

func (r *reader) initializers() error {
	for i := range r.model.graph.initializers {
		t := &r.model.graph.initializers[i]
		err := r.constant(t.name, t)
		if l := (*lack)(nil); errors.As(err, &l) {
			l.value = t.name
		}
		if err := r.postpone(where(quoted("initializer", t.name), err)); err != nil {
			return err
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
		return flaw("the name stands twice")
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
			if err := r.postpone(where(quoted("input", v.name), err)); err != nil {
				return err
			}
			continue
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
		return invalid(keyState, "%q is no input", s)
	}
	return nil
}

func (r *reader) nodes() error {
	for i := range r.model.graph.nodes {
		n := &r.model.graph.nodes[i]
		if n.op == "Constant" && n.domain == graph.Std {
			if err := r.constantNode(n); err != nil {
				return &graph.NodeError{Node: r.model.graph.label(i), Op: n.op, Err: err}
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
				err = &graph.NodeError{Node: r.model.graph.label(i), Op: n.op, Err: err}
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
			return invalid(numbered("input", j), "no value %q before this node", name)
		}
		in[j] = t
	}
	if err := r.autoPad(n, &out, in); err != nil {
		return err
	}
	if err := checkMixed(&out, in); err != nil {
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
			return where("attribute "+a.name, err)
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
	if values, ok := beyondRows[n.op][a.name]; ok && n.domain == graph.Std && (len(values) == 0 || slices.Contains(values, string(a.s))) {
		return graph.Attr{}, unsupported("the op's row has no such attribute, or not the value %q", a.s)
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
	return graph.Attr{}, unsupported("a value of type %s (ONNX attribute type %d) is not one that programs have", attrTypes[a.kind], a.kind)
}

// constantNode folds a Constant into the program's constants.
func (r *reader) constantNode(n *nodeProto) error {
	if len(n.attrs) != 1 || len(n.outputs) != 1 || n.outputs[0] == "" {
		return flaw(fmt.Sprintf("%d attributes, %d outputs: want one of each", len(n.attrs), len(n.outputs)))
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
	if slices.Contains([]string{"sparse_value", "value_string", "value_strings"}, a.name) {
		return where("attribute "+a.name, unsupported("it is not read: want value, value_float, value_floats, value_int or value_ints"))
	}
	return invalid("attribute "+a.name, "a Constant has no such attribute of type %s", attrTypes[a.kind])
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
		return where("metadata_props: "+key, err)
	}
	if dec.More() {
		return invalid("metadata_props: "+key, "more than one value")
	}
	return nil
}

// dropFolded removes the nodes, constants and given inputs that nobody reads
// any more since they became attributes.
func (r *reader) dropFolded() error {
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
		return nil
	}
	r.prog.Consts = slices.DeleteFunc(r.prog.Consts, func(c graph.Const) bool { return r.folded[c.Name] })
	r.prog.Feeds = slices.DeleteFunc(r.prog.Feeds, func(v graph.Value) bool { return r.folded[v.Name] })
	if len(r.prog.Consts) == 0 {
		r.prog.Consts = nil
	}
	return nil
}
