package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
)

// A function of one number is a chain of thirty dependent instructions: of so
// many, a processor's scheduler holds only a few chains that it could run side
// by side. With the instructions of two vectors in turn it holds more, which
// takes a tenth off; registers do not last for three.

// Comments that mark, for the pass below, where a vector's instructions begin
// and where the last one's end.
const (
	vectorMark = "vector"
	turnMark   = "in turn"
)

// inTurn emits body for two vectors at a time, their instructions in turn, then
// for one at a time under a mask.
func (s *stream) inTurn(body func(x access)) {
	const ways = 2
	l := s.isa.lanes
	s.CMPQ(s.n, operand.I32(ways*l))
	s.JLT(operand.LabelRef("rest"))
	s.Label("turns")
	for u := range ways {
		s.Comment(vectorMark)
		body(access{s: s, disp: u * s.isa.bytes()})
	}
	s.Comment(turnMark)
	s.advance(ways)
	s.CMPQ(s.n, operand.I32(ways*l))
	s.JGE(operand.LabelRef("turns"))
	s.Label("rest")
	s.TESTQ(s.n, s.n)
	s.JLE(operand.LabelRef("done"))
	n, full := s.copyOf(s.n), s.GP64()
	s.MOVQ(operand.I32(l), full)
	s.CMPQ(n, full)
	s.CMOVQGT(full, n)
	m := s.firstLanes(s.isa, n)
	body(access{s: s, mask: &m})
	s.advance(1)
	s.JMP(operand.LabelRef("rest"))
	s.Label("done")
}

// interleave is the pass that puts marked instructions in turn.
func interleave(f *ir.File) error {
	for _, fn := range f.Functions() {
		var nodes []ir.Node
		var vectors [][]ir.Node
		for _, node := range fn.Nodes {
			mark := ""
			if c, ok := node.(*ir.Comment); ok {
				mark = c.Lines[0]
			}
			switch {
			case mark == vectorMark:
				vectors = append(vectors, nil)
			case mark == turnMark:
				for i := range vectors[0] {
					for _, v := range vectors {
						if len(v) != len(vectors[0]) {
							return fmt.Errorf("%s: vectors of %d and %d instructions", fn.Name, len(v), len(vectors[0]))
						}
						nodes = append(nodes, v[i])
					}
				}
				vectors = nil
			case len(vectors) > 0:
				vectors[len(vectors)-1] = append(vectors[len(vectors)-1], node)
			default:
				nodes = append(nodes, node)
			}
		}
		fn.Nodes = nodes
	}
	return nil
}
