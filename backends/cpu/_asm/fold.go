package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// folded is a reduction: what becomes of an element first, and the
// instruction that joins two parts.
type folded struct {
	name, step string // step is the Go code
	prepare    func(v vector, x reg.VecVirtual) reg.VecVirtual
	join       func(a *asm) instruction
	// extreme: the instruction does not keep NaN.
	extreme bool
}

func adding(a *asm) instruction { return a.VADDPS }

func itself(_ vector, x reg.VecVirtual) reg.VecVirtual { return x }

var folds = []folded{
	{"Sum", "s += x[i]", itself, adding, false},
	{"SumAbs", "s += abs(x[i])", vector.abs, adding, false},
	{"SumSquares", "s += x[i]*x[i]", func(v vector, x reg.VecVirtual) reg.VecVirtual { return v.mul(x, x) }, adding, false},
	{"Max", "s = max(s, x[i])", itself, func(a *asm) instruction { return a.VMAXPS }, true},
	{"Min", "s = min(s, x[i])", itself, func(a *asm) instruction { return a.VMINPS }, true},
}

// emitFold writes folds of rows to numbers and, where the function of two
// numbers does not do that, of rows into rows.
func emitFold(a *asm) {
	for _, i := range []isa{avx512, avx2} {
		for _, f := range folds {
			f.row(vector{a, i})
		}
		for _, f := range folds[1:3] {
			f.rows(vector{a, i})
		}
	}
}

// row: VMAXPS gives its first operand, which is what was gathered, if either
// is NaN, so that NaN is noted beside.
func (f folded) row(v vector) {
	const chains = 4
	name := "row" + f.name + v.isa.name
	v.function(name, "func(x *float32, n int) float32",
		name+" is, for n > 0, s begun as the first value of the fold and in another order,",
		"for i := range n { "+f.step+" }")
	acc, nan, begin := v.vecs(v.isa, chains), v.vec(v.isa), v.vec(v.isa)
	v.clear(begin)
	if f.extreme {
		v.clear(nan)
		v.VBROADCASTSS(at(v.arg("x"), 0), begin)
	}
	for _, r := range acc {
		v.VMOVAPS(begin, r)
	}
	join := f.join(v.asm)
	v.stream(v.isa, "x").each(chains, func(u int, x access) {
		e := x.loadOr(0, begin)
		if f.extreme {
			v.noteNaN(e, nan)
		}
		join(acc[u], f.prepare(v, e), acc[u])
	})
	for _, pair := range [][2]int{{0, 1}, {2, 3}, {0, 2}} {
		join(acc[pair[0]], acc[pair[1]], acc[pair[0]])
	}
	s := v.fold(v.isa, acc[0], join)
	if f.extreme { // 0, or NaN where there was one
		v.VADDSS(v.fold(v.isa, nan, v.VADDPS), s, s)
	}
	v.Store(s, v.ReturnIndex(0))
	v.end()
}

// noteNaN makes nan NaN where x is.
func (v vector) noteNaN(x, nan reg.VecVirtual) {
	if v.isa == avx512 {
		k := v.K()
		v.VCMPPS(operand.U8(unordered), x, x, k)
		v.VMOVUPS(x, k, nan)
		return
	}
	t := v.YMM()
	v.VCMPPS(operand.U8(unordered), x, x, t)
	v.VORPS(t, nan, nan) // all ones are a NaN
}

// rows folds each element of a row into the one of another.
func (f folded) rows(v vector) {
	name := "rows" + f.name + v.isa.name
	v.function(name, "func(dst, x *float32, n int)",
		name+" is for i := range n { s := dst[i]; "+f.step+"; dst[i] = s }")
	v.stream(v.isa, "dst", "x").each(4, func(_ int, x access) {
		s := v.add(x.load(0), f.prepare(v, x.load(1)))
		x.store(s, 0)
	})
	v.end()
}
