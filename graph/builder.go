package graph

import (
	"errors"
	"fmt"
	"strings"

	"github.com/clsbench/clsbench/tensor"
)

// Builder writes a program. Its first error sticks and comes out of Program,
// so that a network reads as its layers and nothing else; after an error every
// method returns the zero Value.
type Builder struct {
	prog   Program
	lookup func(domain, name string) *Op // a field: rows call methods of Builder
	types  map[string]tensor.Type
	calls  []*Call
	names  map[string]int // how often a name was wanted
	scope  []string
	err    error
}

// NewBuilder starts an empty program.
func NewBuilder(name string) *Builder {
	return &Builder{
		prog:   Program{Name: name},
		lookup: Lookup,
		types:  map[string]tensor.Type{},
		names:  map[string]int{},
	}
}

// Program ends the building: the program, or the first error.
func (b *Builder) Program() (*Program, error) {
	if b.err != nil {
		return nil, fmt.Errorf("building %s: %w", b.prog.Name, b.err)
	}
	p := b.prog
	return &p, nil
}

// Err is the first error so far.
func (b *Builder) Err() error { return b.err }

// Fail records an error unless there is one already.
func (b *Builder) Fail(err error) {
	if b.err == nil && err != nil {
		if len(b.scope) > 0 {
			err = fmt.Errorf("%s: %w", strings.Join(b.scope, "."), err)
		}
		b.err = err
	}
}

// Scoped prefixes the names of all nodes that f writes.
func (b *Builder) Scoped(name string, f func()) {
	b.scope = append(b.scope, name)
	f()
	b.scope = b.scope[:len(b.scope)-1]
}

// unique makes a name that no value or node has.
func (b *Builder) unique(name string) string {
	for {
		n := b.names[name]
		b.names[name]++
		if n == 0 {
			return name
		}
		name = fmt.Sprintf("%s_%d", name, n)
	}
}

func (b *Builder) declare(v Value, list *[]Value) Value {
	if b.err != nil {
		return Value{}
	}
	if err := v.Type.Validate(); err != nil {
		b.Fail(fmt.Errorf("value %q: %w", v.Name, err))
		return Value{}
	}
	if v.Name == "" || b.names[v.Name] > 0 {
		b.Fail(fmt.Errorf("value %q: the name is empty or taken", v.Name))
		return Value{}
	}
	b.names[v.Name]++
	b.types[v.Name] = v.Type
	if list != nil {
		*list = append(*list, v)
	}
	return v
}

// Feed declares a per-step input.
func (b *Builder) Feed(name string, t tensor.Type) Value {
	return b.declare(Value{name, t}, &b.prog.Feeds)
}

// State declares a variable that lives on the device between steps.
func (b *Builder) State(name string, t tensor.Type) Value {
	return b.declare(Value{name, t}, &b.prog.State)
}

// Const adds a constant under a name of its own or a variation of it.
func (b *Builder) Const(name string, t *tensor.Tensor) Value {
	if b.err != nil {
		return Value{}
	}
	if len(b.scope) > 0 {
		name = strings.Join(b.scope, ".") + "." + name
	}
	v := Value{b.unique(name), t.Type}
	b.types[v.Name] = t.Type
	b.prog.Consts = append(b.prog.Consts, Const{v.Name, t})
	return v
}

// Scalar adds a constant of rank 0.
func (b *Builder) Scalar(d tensor.DType, v float64) Value {
	if b.err != nil {
		return Value{} // the type may be that of a value that was never made
	}
	return b.Const(fmt.Sprintf("const_%v", v), tensor.Scalar(d, v))
}

// Fetch makes a value a per-step output; asking twice is asking once.
func (b *Builder) Fetch(vs ...Value) {
	for _, v := range vs {
		if b.err == nil && !contains(b.prog.Fetches, v.Name) {
			b.prog.Fetches = append(b.prog.Fetches, v.Name)
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// Update lets a state variable take a value at the end of a step.
func (b *Builder) Update(state, value Value) {
	if b.err == nil {
		b.prog.Updates = append(b.prog.Updates, Update{state.Name, value.Name})
	}
}

// SetOrigin records what the program was made from: all nodes so far are the
// forward pass of loss.
func (b *Builder) SetOrigin(loss Value, optimizer string) {
	b.prog.Origin = &Origin{Forward: len(b.prog.Nodes), Loss: loss.Name, Optimizer: optimizer}
}

// Op applies an op of either domain and returns its first output.
func (b *Builder) Op(name string, attrs Attrs, inputs ...Value) Value {
	return b.OpN(name, attrs, 1, inputs...)[0]
}

// OpN applies an op and returns its first n outputs. A zero Value among the
// inputs leaves an optional input out.
func (b *Builder) OpN(name string, attrs Attrs, n int, inputs ...Value) []Value {
	out := make([]Value, n)
	if b.err != nil {
		return out
	}
	op := b.find(name)
	if op == nil {
		b.Fail(&UnknownOpError{Std, name})
		return out
	}
	node := Node{Name: b.nodeName(name), Op: name, Domain: op.Domain, Attrs: attrs}
	in := make([]tensor.Type, len(inputs))
	for i, v := range inputs {
		node.Inputs = append(node.Inputs, v.Name)
		in[i] = v.Type
	}
	for len(node.Inputs) > 0 && node.Inputs[len(node.Inputs)-1] == "" {
		node.Inputs, in = node.Inputs[:len(node.Inputs)-1], in[:len(in)-1]
	}
	for i := range n {
		if op.Out(i) == nil {
			b.Fail(fmt.Errorf("%s has %d outputs, not %d", name, len(op.Outputs), n))
			return out
		}
		node.Outputs = append(node.Outputs, b.unique(node.Name+"."+op.Out(i).Name))
	}
	c, err := op.call(&node, in)
	if err != nil {
		b.Fail(&NodeError{node.Name, name, err})
		return out
	}
	for i, v := range node.Outputs {
		b.types[v] = c.Out[i]
		out[i] = Value{v, c.Out[i]}
	}
	b.prog.Nodes = append(b.prog.Nodes, node)
	b.calls = append(b.calls, c)
	return out
}

func (b *Builder) find(name string) *Op {
	if op := b.lookup(Own, name); op != nil {
		return op
	}
	return b.lookup(Std, name)
}

func (b *Builder) nodeName(op string) string {
	return b.unique(strings.Join(append(append([]string{}, b.scope...), op), "."))
}

// Calls lists the nodes written so far with their types, in order.
func (b *Builder) Calls() []*Call { return b.calls }

// Save names optional output i of the k-th node and returns it: how a forward
// node becomes its training twin.
func (b *Builder) Save(k, i int) Value {
	c := b.calls[k]
	n := &b.prog.Nodes[k]
	for len(n.Outputs) <= i {
		n.Outputs = append(n.Outputs, "")
	}
	if n.Outputs[i] == "" {
		n.Outputs[i] = b.unique(n.Name + "." + c.Op.Out(i).Name)
		b.types[n.Outputs[i]] = c.Out[i]
	}
	c.Node = n
	return Value{n.Outputs[i], c.Out[i]}
}

// Extend starts a builder from a finished program, to add to it.
func Extend(p *Program) (*Builder, error) {
	g, err := p.Infer()
	if err != nil {
		return nil, err
	}
	b := NewBuilder(p.Name)
	b.prog = p.Clone()
	b.types = g.Types
	for name := range g.Types {
		b.names[name] = 1
	}
	for i := range g.Calls {
		c := g.Calls[i]
		b.names[c.Name] = 1
		b.calls = append(b.calls, &c)
	}
	return b, nil
}

// Clone copies the program's lists; tensors and attributes, which nobody
// changes, are shared.
func (p *Program) Clone() Program {
	c := *p
	c.Nodes = append([]Node(nil), p.Nodes...)
	for i := range c.Nodes {
		c.Nodes[i].Inputs = append([]string(nil), p.Nodes[i].Inputs...)
		c.Nodes[i].Outputs = append([]string(nil), p.Nodes[i].Outputs...)
	}
	c.Consts = append([]Const(nil), p.Consts...)
	c.State = append([]Value(nil), p.State...)
	c.Feeds = append([]Value(nil), p.Feeds...)
	c.Fetches = append([]string(nil), p.Fetches...)
	c.Updates = append([]Update(nil), p.Updates...)
	if p.Origin != nil {
		o := *p.Origin
		c.Origin = &o
	}
	return c
}

// Value finds a value of the program under construction by name.
func (b *Builder) Value(name string) (Value, error) {
	t, ok := b.types[name]
	if !ok {
		return Value{}, errors.New("no value " + name)
	}
	return Value{name, t}, nil
}
