package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func emitLogic(a *asm) {
	for _, i := range []isa{avx512, avx2} {
		for _, c := range comparisons {
			for _, s := range sides[:3] {
				c.emit(a, i, s)
			}
		}
		for _, s := range sides {
			emitWhere(a, i, s)
		}
	}
}

// side tells which of the operands a and b are vectors; else they are one
// number.
type side struct {
	name string
	a, b bool
}

var sides = []side{{"", true, true}, {"Scalar", true, false}, {"Into", false, true}, {"Scalars", false, false}}

// parameters declares a and b, of which x and y are an element.
func (s side) parameters() (declared, x, y string) {
	of := func(vector bool, name string) (parameter, element string) {
		if vector {
			return name + " *float32", name + "[i]"
		}
		return name + " float32", name
	}
	p, x := of(s.a, "a")
	q, y := of(s.b, "b")
	return p + ", " + q, x, y
}

// operands reads a and b: the functions give an iteration's vectors.
func (s side) operands(v vector) (x, y func() reg.VecVirtual, arrays []array) {
	of := func(vector bool, name string) func() reg.VecVirtual {
		if !vector {
			number := v.broadcast(v.isa, name)
			return func() reg.VecVirtual { return number }
		}
		ptr := v.arg(name)
		arrays = append(arrays, array{ptr, 4})
		return func() reg.VecVirtual {
			x := v.vec(v.isa)
			v.VMOVUPS(at(ptr, 0), x)
			return x
		}
	}
	x, y = of(s.a, "a"), of(s.b, "b")
	return x, y, arrays
}

// comparison is a relation of numbers.
type comparison struct {
	name, sign string
	predicate  operand.U8
}

var comparisons = []comparison{{"less", "<", less}, {"lessOrEqual", "<=", lessOrEqual}, {"equal", "==", equal}}

// emit writes truth values as bytes 0 and 1.
func (c comparison) emit(a *asm, i isa, s side) {
	declared, x, y := s.parameters()
	name := c.name + s.name + i.name
	a.function(name, "func(dst *uint8, "+declared+", n int)",
		label("%s is for i := range n { dst[i] = %s %s %s } with 0 and 1, for n a multiple of %d.", name, x, c.sign, y, i.lanes))
	v, dst := vector{a, i}, a.arg("dst")
	left, right, arrays := s.operands(v)
	one := a.XMM()
	if i == avx512 {
		a.VMOVUPS(a.word(0x01010101), one)
	}
	v.wholeVectors(func() {
		x, y := left(), right()
		if i == avx512 {
			k := a.K()
			a.VCMPPS(c.predicate, y, x, k)
			bytes := a.XMM()
			a.VMOVDQU8_Z(one, k, bytes)
			a.VMOVUPS(bytes, at(dst, 0))
			return
		}
		mask := a.YMM()
		a.VCMPPS(c.predicate, y, x, mask)
		a.VPSRLD(operand.U8(31), mask, mask)
		v.pack(mask)
		bytes := mask.AsX()
		a.VPACKUSWB(bytes, bytes, bytes)
		a.VMOVQ(bytes, at(dst, 0))
	}, append(arrays, array{dst, 1})...)
}

// emitWhere writes the choice by bytes that are 0 or not.
func emitWhere(a *asm, i isa, s side) {
	declared, x, y := s.parameters()
	name := "where" + s.name + i.name
	a.function(name, "func(dst *float32, cond *uint8, "+declared+", n int)",
		label("%s is for i := range n { dst[i] = %s; if cond[i] == 0 { dst[i] = %s } }, for n a multiple of %d.", name, x, y, i.lanes))
	v, dst, cond := vector{a, i}, a.arg("dst"), a.arg("cond")
	yes, no, arrays := s.operands(v)
	zero := v.hold(0)
	v.wholeVectors(func() {
		c, z := v.vec(i), v.vec(i)
		a.VPMOVZXBD(at(cond, 0), c)
		if i == avx512 {
			k := a.K()
			a.VPTESTMD(c, c, k)
			a.VBLENDMPS(yes(), no(), k, z)
		} else {
			a.VPCMPEQD(zero, c, c)
			a.VBLENDVPS(c, no(), yes(), z)
		}
		a.VMOVUPS(z, at(dst, 0))
	}, append(arrays, array{cond, 1}, array{dst, 4})...)
}
