package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func emitPool(a *asm) {
	for _, i := range []isa{avx512, avx2} {
		emitAveragePool2(a, i)
		emitAveragePool2Grad(a, i)
	}
}

// indexTable makes read-only data of n-bit words.
func (a *asm) indexTable(name string, bits int, words ...int) operand.Mem {
	m := a.StaticGlobal(name)
	a.DataAttributes(attr.RODATA | attr.NOPTR)
	for k, w := range words {
		if bits == 64 {
			a.AddDatum(8*k, operand.U64(w))
		} else {
			a.AddDatum(4*k, operand.U32(w))
		}
	}
	return m
}

// double gives masks for the two vectors that hold 2·n elements, n ≤ lanes.
func (a *asm) double(i isa, n reg.GPVirtual) (lo, hi lanes) {
	zero, most := a.GP64(), a.GP64()
	a.XORQ(zero, zero)
	a.MOVQ(operand.U32(i.lanes), most)
	l, h := a.GP64(), a.GP64()
	a.LEAQ(operand.Mem{Base: n, Index: n, Scale: 1}, l)
	a.LEAQ(at(l, -i.lanes), h)
	a.CMPQ(l, most)
	a.CMOVQGT(most, l)
	a.CMPQ(h, zero)
	a.CMOVQLT(zero, h)
	return a.firstLanes(i, l), a.firstLanes(i, h)
}

// rowsOf emits a loop over rows; in each, vector(nil) for every whole vector
// of its cols elements, and once vector(masks) for the rest.
func (a *asm) rowsOf(i isa, begin, vector func(rest *restMasks), end func()) {
	rows, cols := a.arg("rows"), a.arg("cols")
	whole, rest := a.GP64(), a.GP64()
	a.MOVQ(cols, rest)
	a.ANDQ(operand.I8(i.lanes-1), rest)
	a.MOVQ(cols, whole)
	a.SUBQ(rest, whole)
	m := &restMasks{}
	keep := a.GP64()
	a.MOVQ(rest, keep)
	m.lo, m.hi = a.double(i, rest)
	m.out = a.firstLanes(i, rest)
	a.Label("row")
	n := a.GP64()
	a.MOVQ(whole, n)
	begin(nil)
	a.TESTQ(n, n)
	a.JEQ(operand.LabelRef("rest"))
	a.Label("whole")
	vector(nil)
	a.SUBQ(operand.I32(i.lanes), n)
	a.JG(operand.LabelRef("whole"))
	a.Label("rest")
	a.TESTQ(keep, keep)
	a.JEQ(operand.LabelRef("next"))
	vector(m)
	a.Label("next")
	end()
	a.DECQ(rows)
	a.JNZ(operand.LabelRef("row"))
	a.end()
}

// restMasks cover the last, partial vector of a row of outputs (out) and the
// two vectors of inputs that it takes (lo, hi).
type restMasks struct{ out, lo, hi lanes }

// emitAveragePool2 writes the pool of 2×2 windows, side by side.
func emitAveragePool2(a *asm, i isa) {
	name := "averagePool2" + i.name
	a.function(name, "func(dst, src *float32, pitch, rows, cols int, scale float32)",
		name+" is, for rows > 0 and in another order of the sums,",
		"for y := range rows { for x := range cols {",
		"\tw := src[2*y*pitch+2*x:]",
		"\tdst[y*cols+x] = scale*(w[0]+w[1]+w[pitch]+w[pitch+1])",
		"} }")
	order := []int{0, 2, 4, 6, 1, 3, 5, 7}
	src, dst, pitch := a.arg("src"), a.arg("dst"), a.stride("pitch")
	scale := a.broadcast(i, "scale")
	perm := a.vec(i)
	if i == avx512 {
		a.VMOVDQU64(a.indexTable("evenOdd", 64, order...), perm)
	}
	p, q := a.GP64(), a.GP64()
	load := func(b reg.GPVirtual, disp int, m *lanes) reg.VecVirtual {
		v := a.vec(i)
		if m == nil {
			a.VMOVUPS(at(b, disp), v)
		} else {
			m.load(at(b, disp), v)
		}
		return v
	}
	a.rowsOf(i, func(*restMasks) {
		a.MOVQ(src, p)
		a.LEAQ(operand.Mem{Base: src, Index: pitch, Scale: 1}, q)
		a.LEAQ(operand.Mem{Base: src, Index: pitch, Scale: 2}, src)
	}, func(m *restMasks) {
		var lo, hi *lanes
		if m != nil {
			lo, hi = &m.lo, &m.hi
		}
		v, w := load(p, 0, lo), load(p, i.bytes(), hi)
		t := load(q, 0, lo)
		a.VADDPS(t, v, v)
		t = load(q, i.bytes(), hi)
		a.VADDPS(t, w, w)
		even, odd := a.vec(i), a.vec(i)
		a.VSHUFPS(operand.U8(0x88), w, v, even)
		a.VSHUFPS(operand.U8(0xdd), w, v, odd)
		a.VADDPS(odd, even, even)
		a.VMULPS(scale, even, even)
		if i == avx512 {
			a.VPERMPD(even, perm, even)
		} else {
			a.VPERMPD(operand.U8(0xd8), even, even)
		}
		if m != nil {
			m.out.store(even, at(dst, 0))
			return
		}
		a.VMOVUPS(even, at(dst, 0))
		a.ADDQ(operand.I32(i.bytes()), dst)
		a.ADDQ(operand.I32(2*i.bytes()), p)
		a.ADDQ(operand.I32(2*i.bytes()), q)
	}, func() { a.skipRest(dst, i, 1) })
}

// skipRest moves ptr over the partial vector of a row: cols mod lanes
// elements, times so many.
func (a *asm) skipRest(ptr reg.GPVirtual, i isa, times uint8) {
	rest := a.arg("cols")
	a.ANDQ(operand.I8(i.lanes-1), rest)
	a.LEAQ(operand.Mem{Base: ptr, Index: rest, Scale: 4 * times}, ptr)
}

func emitAveragePool2Grad(a *asm, i isa) {
	name := "averagePool2Grad" + i.name
	a.function(name, "func(dx, dy *float32, rows, cols int, scale float32)",
		name+" is, for rows > 0,",
		"for y := range 2*rows { for x := range 2*cols {",
		"\tdx[y*2*cols+x] = scale*dy[y/2*cols+x/2]",
		"} }")
	dx, dy, pitch := a.arg("dx"), a.arg("dy"), a.stride("cols")
	a.SHLQ(operand.U8(1), pitch)
	scale := a.broadcast(i, "scale")
	lo, hi := a.vec(i), a.vec(i)
	twice := make([]int, 2*i.lanes)
	for k := range twice {
		twice[k] = k / 2
	}
	table := a.indexTable("twice"+i.name, 32, twice...)
	p := a.GP64()
	a.LEAQ(table, p)
	a.VMOVUPS(at(p, 0), lo)
	a.VMOVUPS(at(p, i.bytes()), hi)
	below := a.GP64()
	a.rowsOf(i, func(*restMasks) {
		a.LEAQ(operand.Mem{Base: dx, Index: pitch, Scale: 1}, below)
	}, func(m *restMasks) {
		v, l, h := a.vec(i), a.vec(i), a.vec(i)
		if m == nil {
			a.VMOVUPS(at(dy, 0), v)
		} else {
			m.out.load(at(dy, 0), v)
		}
		a.VMULPS(scale, v, v)
		a.VPERMPS(v, lo, l)
		a.VPERMPS(v, hi, h)
		for _, d := range []reg.GPVirtual{dx, below} {
			if m != nil {
				m.lo.store(l, at(d, 0))
				m.hi.store(h, at(d, i.bytes()))
				continue
			}
			a.VMOVUPS(l, at(d, 0))
			a.VMOVUPS(h, at(d, i.bytes()))
			a.ADDQ(operand.I32(2*i.bytes()), d)
		}
		if m == nil {
			a.ADDQ(operand.I32(i.bytes()), dy)
		}
	}, func() {
		a.skipRest(dy, i, 1)
		a.skipRest(dx, i, 2)
		a.ADDQ(pitch, dx)
	})
}
