package onnx

import (
	"errors"
	"fmt"
	"strings"

	"github.com/clsbench/clsbench/graph"
)

// A model is refused for one of two reasons, and each place that refuses it
// chooses: unsupported for what ONNX allows and programs cannot say, invalid for
// what ONNX forbids. Errors from elsewhere are sorted by refuse.

// UnsupportedError says that a model, sound as far as it was read, asks for what
// programs don't have: an op, a version of it, an element type, a kind of value,
// a shape that is not static, a size. It is no fault of the model's.
type UnsupportedError struct {
	Node, Op, Domain string // the node that asks for it, or the first with such a value
	Opset            int64  // the version of Domain that the model imports
	Type             string // the element type or kind of value that is lacking
	Err              error
}

func (e *UnsupportedError) Error() string { return e.Err.Error() }
func (e *UnsupportedError) Unwrap() error { return e.Err }

// InvalidError says that a model, or a file of a tensor, is broken.
type InvalidError struct {
	Node, Op string // the node at fault, if it is one
	Field    string // of the node or the model; empty where the text alone names it
	Err      error
}

func (e *InvalidError) Error() string { return e.Err.Error() }
func (e *InvalidError) Unwrap() error { return e.Err }

// lack marks what ONNX has and programs don't.
type lack struct {
	typ   string // see UnsupportedError
	value string // of that type, where it is not a node's matter
	what  string
}

func (l *lack) Error() string { return l.what }

func unsupported(format string, args ...any) error { return &lack{what: fmt.Sprintf(format, args...)} }

func isLack(err error) bool {
	var l *lack
	return errors.As(err, &l)
}

// flaw marks what ONNX forbids.
type flaw string

func (f flaw) Error() string { return string(f) }

func invalid(field, format string, args ...any) error {
	return where(field, flaw(fmt.Sprintf(format, args...)))
}

// place is the part of a file that an error lies in.
type place struct {
	field string
	err   error
}

func (p *place) Error() string { return p.field + ": " + p.err.Error() }
func (p *place) Unwrap() error { return p.err }

// where says in which part of the file an error lies.
func where(field string, err error) error {
	if err == nil || field == "" {
		return err
	}
	return &place{field, err}
}

// field joins the places that an error went through, the outermost first.
func fieldOf(err error) string {
	var list []string
	for p := (*place)(nil); errors.As(err, &p); err = p.err {
		list = append(list, p.field)
	}
	return strings.Join(list, ": ")
}

// refuse makes of what went wrong an error of one of the two kinds. An error
// that nobody marked is a mistake in the model: rows of the op table mark what is
// a limit of theirs.
func (m *modelProto) refuse(err error) error {
	if err == nil {
		return nil
	}
	node := &graph.NodeError{}
	errors.As(err, &node)
	var l *lack
	var limit *graph.LimitError
	var unknown *graph.UnknownOpError
	if !errors.As(err, &l) && !errors.As(err, &limit) && !errors.As(err, &unknown) {
		return &InvalidError{Node: node.Node, Op: node.Op, Field: fieldOf(err), Err: err}
	}
	u := &UnsupportedError{Node: node.Node, Op: node.Op, Err: err}
	if l == nil {
		l = &lack{}
	}
	if u.Type = l.typ; m.graph != nil && len(m.graph.nodes) > 0 {
		n := m.graph.nodeAt(node, l.value)
		u.Node, u.Op, u.Domain, u.Opset = m.graph.label(n), m.graph.nodes[n].op, m.graph.nodes[n].domain, m.opsets[m.graph.nodes[n].domain]
	}
	return u
}

// nodeAt finds the node that an error is of; where it is of none, the first that
// reads or makes the value, or the first of all.
func (g *graphProto) nodeAt(at *graph.NodeError, value string) int {
	for i := range g.nodes {
		if at.Op != "" && at.Op == g.nodes[i].op && at.Node == g.label(i) {
			return i
		}
	}
	return max(0, g.userOf(value))
}

// userOf is the first node that reads or makes a value, -1 if none does.
func (g *graphProto) userOf(value string) int {
	for i := range g.nodes {
		for _, name := range append(append([]string{}, g.nodes[i].inputs...), g.nodes[i].outputs...) {
			if name == value && name != "" {
				return i
			}
		}
	}
	return -1
}

// label is what errors call a node: its name or, if it has none, its op and
// place.
func (g *graphProto) label(i int) string {
	if n := &g.nodes[i]; n.name == "" {
		return fmt.Sprintf("%s_%d", n.op, i)
	}
	return g.nodes[i].name
}
