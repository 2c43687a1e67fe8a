package onnx

import "github.com/clsbench/clsbench/graph"

// sound holds a graph against the rules of ONNX that need no op table: each
// value has one source and stands before what reads it, which forbids cycles
// (docs/IR.md, "Graphs").
func (g *graphProto) sound() error {
	exists := map[string]bool{}
	define := func(field, name string) error {
		switch {
		case name == "":
			return invalid(field, "no name")
		case exists[name]:
			return invalid(field, "a value of that name exists already: the name stands twice")
		}
		exists[name] = true
		return nil
	}
	for i := range g.inputs {
		if err := define(quoted("input", g.inputs[i].name), g.inputs[i].name); err != nil {
			return err
		}
	}
	constant := map[string]bool{}
	for i := range g.initializers {
		name := g.initializers[i].name
		if field := quoted("initializer", name); name == "" {
			return invalid(field, "no name")
		} else if constant[name] {
			return invalid(field, "the name stands twice")
		}
		constant[name], exists[name] = true, true // an input's default, perhaps
	}
	makers := g.makers()
	for i := range g.nodes {
		if err := g.nodes[i].sound(g, exists, makers, define); err != nil {
			return &graph.NodeError{Node: g.label(i), Op: g.nodes[i].op, Err: err}
		}
	}
	for i := range g.outputs {
		if name := g.outputs[i].name; !exists[name] {
			return invalid(quoted("output", name), "no node makes it")
		}
	}
	return nil
}

// makers says which node makes a value.
func (g *graphProto) makers() map[string]int {
	m := map[string]int{}
	for i := range g.nodes {
		for _, name := range g.nodes[i].outputs {
			if _, dup := m[name]; !dup {
				m[name] = i
			}
		}
	}
	return m
}

func (n *nodeProto) sound(g *graphProto, exists map[string]bool, makers map[string]int, define func(field, name string) error) error {
	if n.op == "" {
		return invalid("op_type", "it is missing")
	}
	for j, name := range n.inputs {
		if name == "" || exists[name] {
			continue
		}
		if later, ok := makers[name]; ok {
			return invalid(numbered("input", j), "no value %q before this node: node %s makes it, and nodes must be sorted, without cycles", name, g.label(later))
		}
		return invalid(numbered("input", j), "no value %q before this node", name)
	}
	for j, name := range n.outputs {
		if name == "" {
			continue
		}
		if err := define(numbered("output", j), name); err != nil {
			return err
		}
	}
	return nil
}
