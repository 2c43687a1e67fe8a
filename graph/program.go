// Package graph holds a program as data: what crosses the plugin boundary, the
// table of ops that gives it meaning, and the builder that writes it.
//
// A Program is a restricted ONNX model: static shapes, one graph, no control
// flow, values assigned once, nodes in topological order. Beside ONNX's inputs
// and outputs it has state, which lives on the device between runs, and
// updates, which write state after every read of a step.
package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// The two domains of ops.
const (
	Std = ""         // ONNX's own ops, at opset Opset
	Own = "clsbench" // what ONNX lacks; versioned op by op
)

// Opset is the version of ONNX's standard domain that programs are written in.
const Opset = 24

// Value is a named, typed value of a program.
type Value struct {
	Name string
	Type tensor.Type
}

// Const is a value known when the program is compiled.
type Const struct {
	Name   string
	Tensor *tensor.Tensor
}

// Update says that a state variable takes a value at the end of a step, after
// all reads of the step.
type Update struct {
	State string // name of a state variable
	Value string // any value of the same type
}

// Node is one application of an op.
type Node struct {
	Name    string   // unique in the program
	Op      string   // name of a row of the op table
	Domain  string   // Std or Own
	Inputs  []string // value names; "" for an optional input left out
	Outputs []string // value names; "" for an output nobody wants
	Attrs   Attrs
}

// Origin says what a training program was made from, so that a backend with
// an autograd of its own can compile that instead.
type Origin struct {
	Forward   int    // the first Forward nodes are the forward pass with its loss
	Loss      string // the scalar value that was differentiated
	Optimizer string // the op of the table that updates the parameters
}

// Program is a whole program. See the package comment for its restrictions,
// which Infer checks.
type Program struct {
	Name    string
	Nodes   []Node
	Consts  []Const
	State   []Value
	Feeds   []Value  // per-step inputs
	Fetches []string // per-step outputs: any values
	Updates []Update
	Origin  *Origin // nil unless the program trains
}

// Graph is a program with every node's op and every value's type resolved.
type Graph struct {
	*Program
	Types map[string]tensor.Type
	Calls []Call // one a node, in the program's order
}

// MaxNodes bounds a program that comes from a file or a peer.
const MaxNodes = 1 << 20

// Infer checks the whole program and resolves its types. The error names the
// node and the field at fault.
func (p *Program) Infer() (*Graph, error) {
	g := &Graph{Program: p, Types: make(map[string]tensor.Type), Calls: make([]Call, len(p.Nodes))}
	if len(p.Nodes) > MaxNodes {
		return nil, fmt.Errorf("program %s: %d nodes, more than %d", p.Name, len(p.Nodes), MaxNodes)
	}
	if err := g.declare(); err != nil {
		return nil, fmt.Errorf("program %s: %w", p.Name, err)
	}
	names := make(map[string]bool, len(p.Nodes))
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if n.Name == "" || names[n.Name] {
			return nil, fmt.Errorf("program %s: node %d: name %q is empty or not unique", p.Name, i, n.Name)
		}
		names[n.Name] = true
		if err := g.resolve(i); err != nil {
			return nil, &NodeError{Node: n.Name, Op: n.Op, Err: err}
		}
	}
	if err := g.checkEnds(); err != nil {
		return nil, fmt.Errorf("program %s: %w", p.Name, err)
	}
	return g, nil
}

// NodeError is a fault of one node.
type NodeError struct {
	Node, Op string
	Err      error
}

func (e *NodeError) Error() string { return fmt.Sprintf("node %s (%s): %v", e.Node, e.Op, e.Err) }
func (e *NodeError) Unwrap() error { return e.Err }

// declare enters the values that exist before the first node.
func (g *Graph) declare() error {
	enter := func(kind, name string, t tensor.Type) error {
		if err := t.Validate(); err != nil {
			return fmt.Errorf("%s %q: %w", kind, name, err)
		}
		return g.define(kind, name, t)
	}
	for _, c := range g.Consts {
		if c.Tensor == nil || len(c.Tensor.Data) != c.Tensor.Bytes() {
			return fmt.Errorf("const %q: data does not fill its type", c.Name)
		}
		if err := enter("const", c.Name, c.Tensor.Type); err != nil {
			return err
		}
	}
	for _, v := range g.State {
		if err := enter("state", v.Name, v.Type); err != nil {
			return err
		}
	}
	for _, v := range g.Feeds {
		if err := enter("feed", v.Name, v.Type); err != nil {
			return err
		}
	}
	return nil
}

func (g *Graph) define(kind, name string, t tensor.Type) error {
	if name == "" {
		return fmt.Errorf("%s without a name", kind)
	}
	if _, dup := g.Types[name]; dup {
		return fmt.Errorf("%s %q: a value of that name exists already", kind, name)
	}
	g.Types[name] = t
	return nil
}

func (g *Graph) resolve(i int) error {
	n := &g.Nodes[i]
	in := make([]tensor.Type, len(n.Inputs))
	for j, name := range n.Inputs {
		if name == "" {
			continue
		}
		t, ok := g.Types[name]
		if !ok {
			return fmt.Errorf("input %d: no value %q before this node", j, name)
		}
		in[j] = t
	}
	c, err := resolveCall(n, in)
	if err != nil {
		return err
	}
	for j, name := range n.Outputs {
		if name == "" {
			continue
		}
		if err := g.define("output", name, c.Out[j]); err != nil {
			return err
		}
	}
	g.Calls[i] = *c
	return nil
}

func (g *Graph) checkEnds() error {
	seen := map[string]bool{}
	for _, f := range g.Fetches {
		if _, ok := g.Types[f]; !ok {
			return fmt.Errorf("fetch %q: no such value", f)
		}
		if seen[f] {
			return fmt.Errorf("fetch %q: asked for twice", f)
		}
		seen[f] = true
	}
	state := make(map[string]tensor.Type, len(g.State))
	for _, v := range g.State {
		state[v.Name] = v.Type
	}
	updated := map[string]bool{}
	for _, u := range g.Updates {
		st, ok := state[u.State]
		if !ok {
			return fmt.Errorf("update of %q: no such state", u.State)
		}
		if updated[u.State] {
			return fmt.Errorf("update of %q: updated twice", u.State)
		}
		updated[u.State] = true
		vt, ok := g.Types[u.Value]
		if !ok {
			return fmt.Errorf("update of %q: no value %q", u.State, u.Value)
		}
		if !vt.Equal(st) {
			return fmt.Errorf("update of %q: state is %v, value %q is %v", u.State, st, u.Value, vt)
		}
	}
	if o := g.Origin; o != nil {
		if o.Forward < 0 || o.Forward > len(g.Nodes) {
			return fmt.Errorf("origin: %d forward nodes of %d", o.Forward, len(g.Nodes))
		}
		if _, ok := g.Types[o.Loss]; !ok {
			return fmt.Errorf("origin: no value %q", o.Loss)
		}
	}
	return nil
}

// FLOPs is the work of one step of the direct algorithms, an addition and a
// multiplication counted as two.
func (g *Graph) FLOPs() int64 {
	var sum int64
	for i := range g.Calls {
		sum += g.Calls[i].FLOPs()
	}
	return sum
}

// Bytes is the memory traffic of one step if every node read its inputs and
// wrote its outputs once.
func (g *Graph) Bytes() int64 {
	var sum int64
	for i := range g.Calls {
		sum += g.Calls[i].Bytes()
	}
	return sum
}
