package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// stream is a loop over n elements at several pointers that move together.
type stream struct {
	*asm
	isa  isa
	ptrs []reg.GPVirtual
	n    reg.GPVirtual
}

// stream takes its pointers and its count n from the parameters so named.
func (a *asm) stream(i isa, ptrs ...string) *stream {
	s := &stream{asm: a, isa: i, n: a.arg("n")}
	for _, p := range ptrs {
		s.ptrs = append(s.ptrs, a.arg(p))
	}
	return s
}

// access reads and writes the vectors of one iteration of a stream.
type access struct {
	s    *stream
	disp int
	mask *lanes
}

func (x access) load(ptr int) reg.VecVirtual {
	v := x.s.vec(x.s.isa)
	if m := at(x.s.ptrs[ptr], x.disp); x.mask != nil {
		x.mask.load(m, v)
	} else {
		x.s.VMOVUPS(m, v)
	}
	return v
}

func (x access) store(v reg.VecVirtual, ptr int) {
	if m := at(x.s.ptrs[ptr], x.disp); x.mask != nil {
		x.mask.store(v, m)
	} else {
		x.s.VMOVUPS(v, m)
	}
}

// loadOr is load with other lanes in place of those that the mask leaves out.
func (x access) loadOr(ptr int, other reg.VecVirtual) reg.VecVirtual {
	v := x.load(ptr)
	if x.mask == nil {
		return v
	}
	if x.s.isa == avx512 {
		x.s.VBLENDMPS(v, other, x.mask.k, v)
	} else {
		x.s.VBLENDVPS(x.mask.y, v, other, v)
	}
	return v
}

// only clears the lanes of v that the mask leaves out.
func (x access) only(v reg.VecVirtual) {
	if x.mask == nil {
		return
	}
	if x.s.isa == avx512 {
		x.s.VMOVAPS_Z(v, x.mask.k, v)
	} else {
		x.s.VANDPS(x.mask.y, v, v)
	}
}

// each emits body for unroll vectors at a time, then one at a time, then under
// a mask. body gets the number of the vector within its iteration.
func (s *stream) each(unroll int, body func(u int, x access)) {
	l := s.isa.lanes
	if unroll > 1 {
		s.CMPQ(s.n, operand.I32(unroll*l))
		s.JLT(operand.LabelRef("single"))
		s.Label("unrolled")
		for u := range unroll {
			body(u, access{s: s, disp: u * s.isa.bytes()})
		}
		s.advance(unroll)
		s.CMPQ(s.n, operand.I32(unroll*l))
		s.JGE(operand.LabelRef("unrolled"))
	}
	s.Label("single")
	s.CMPQ(s.n, operand.I32(l))
	s.JLT(operand.LabelRef("tail"))
	body(0, access{s: s})
	s.advance(1)
	s.JMP(operand.LabelRef("single"))
	s.Label("tail")
	s.TESTQ(s.n, s.n)
	s.JLE(operand.LabelRef("done"))
	m := s.firstLanes(s.isa, s.n)
	body(0, access{s: s, mask: &m})
	s.Label("done")
}

func (s *stream) advance(vectors int) {
	for _, p := range s.ptrs {
		s.ADDQ(operand.I32(vectors*s.isa.bytes()), p)
	}
	s.SUBQ(operand.I32(vectors*s.isa.lanes), s.n)
}

// array is memory that a loop goes through, and the bytes of an element.
type array struct {
	ptr  reg.GPVirtual
	size int
}

// wholeVectors writes a loop over the parameter n, a multiple of the lanes,
// and ends the function.
func (v vector) wholeVectors(body func(), arrays ...array) {
	n := v.arg("n")
	v.Label("loop")
	v.SUBQ(operand.I32(v.isa.lanes), n)
	v.JLT(operand.LabelRef("done"))
	body()
	for _, x := range arrays {
		v.ADDQ(operand.I32(x.size*v.isa.lanes), x.ptr)
	}
	v.JMP(operand.LabelRef("loop"))
	v.Label("done")
	v.end()
}

func (a *asm) end() {
	a.VZEROUPPER()
	a.RET()
}
