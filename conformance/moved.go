package conformance

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
)

// A partition often is one op and what only moves its result: GELU and the
// Reshape behind it. The program rule would be too strict there: its rounded
// runs give a function's value rounded once, and no kernel is as good. Such a
// program is judged by its op's own bound, carried to where the values went.

// moves are the ops that give every element of their first input once, as it
// is, in another place or shape.
var moves = map[string]bool{"Reshape": true, "Flatten": true, "Squeeze": true, "Unsqueeze": true, "Transpose": true, "Identity": true}

// loneOp is the only op of a program that does more than move; "" where there
// is another, or more than one output to judge by.
func loneOp(p *graph.Program) string {
	if len(p.Nodes) == 1 {
		return p.Nodes[0].Op
	}
	lone := ""
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if moves[n.Op] {
			continue
		}
		if lone != "" || len(n.Outputs) > 1 {
			return ""
		}
		lone = n.Op
	}
	return lone
}

// origin is the call that computed an output, and which of its outputs, before
// it was moved by the calls of way, the last first; nil for what is fed. Where no single op is under test
// nothing was moved.
func (t *Trial) origin(out output) (call *graph.Call, i int, way []*graph.Call) {
	under := t.underTest()
	call, i = t.producer(out.value)
	for under != nil && call != nil && call != under && moves[call.Op.Name] {
		way = append(way, call)
		call, i = t.producer(call.Inputs[0])
	}
	return call, i, way
}

// moved is an expectation of what the calls of way make of e's output.
func (e *expectation) moved(way []*graph.Call) (*expectation, error) {
	at := &reference.Array{Shape: e.output.typ.Shape, Data: make([]float64, len(e.want))}
	for i := range at.Data {
		at.Data[i] = float64(i)
	}
	for k := len(way) - 1; k >= 0; k-- {
		c := way[k]
		env := map[string]*reference.Array{c.Inputs[0]: at}
		if err := reference.EvalNode(c, env, reference.Mode{}); err != nil {
			return nil, err
		}
		at = env[c.Outputs[0]]
	}
	if e.given != nil || len(at.Data) != len(e.want) {
		return nil, fmt.Errorf("bound %s can't be moved", e.bound.Name)
	}
	pick := func(from []float64) []float64 {
		if from == nil {
			return nil
		}
		to := make([]float64, len(at.Data))
		for i, p := range at.Data {
			to[i] = from[int(p)]
		}
		return to
	}
	m := *e
	m.want, m.limit, m.unit = pick(e.want), pick(e.limit), pick(e.unit)
	if e.accept != nil {
		m.accept = func(i int, got float64) bool { return e.accept(int(at.Data[i]), got) }
	}
	return &m, nil
}
