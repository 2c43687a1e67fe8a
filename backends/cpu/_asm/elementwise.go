package main

import (
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func emitElementwise(a *asm) {
	for _, i := range []isa{avx512, avx2} {
		for _, op := range arithmetic {
			op.emit(a, i)
		}
		emitReLU(a, i)
		emitReLUGrad(a, i)
	}
}

// arith is an arithmetic op of two operands.
type arith struct {
	name, sign string // no sign: a function of that name
	commutes   bool
	// ins is Go's operand order: dst = y op x.
	ins func(a *asm, x, y, dst reg.VecVirtual)
}

var arithmetic = []arith{
	{"add", "+", true, func(a *asm, x, y, dst reg.VecVirtual) { a.VADDPS(x, y, dst) }},
	{"sub", "-", false, func(a *asm, x, y, dst reg.VecVirtual) { a.VSUBPS(x, y, dst) }},
	{"mul", "*", true, func(a *asm, x, y, dst reg.VecVirtual) { a.VMULPS(x, y, dst) }},
	{"div", "/", false, func(a *asm, x, y, dst reg.VecVirtual) { a.VDIVPS(x, y, dst) }},
	{"max", "", true, func(a *asm, x, y, dst reg.VecVirtual) { a.extreme(a.VMAXPS, x, y, dst) }},
	{"min", "", true, func(a *asm, x, y, dst reg.VecVirtual) { a.extreme(a.VMINPS, x, y, dst) }},
	{"prelu", "", false, func(a *asm, x, y, dst reg.VecVirtual) { a.prelu(x, y, dst) }},
}

// prelu is y, times x up to zero.
func (a *asm) prelu(x, y, dst reg.VecVirtual) {
	v := vector{a, avx2}
	if dst.Size() == 64 {
		v.isa = avx512
	}
	v.VMOVAPS(v.choose(lessOrEqual, y, v.float(0), v.mul(x, y), y), dst)
}

// extreme is VMAXPS or VMINPS, which give x where either number is NaN, with
// y where that is NaN.
func (a *asm) extreme(ins instruction, x, y, dst reg.VecVirtual) {
	if dst.Size() == 64 {
		k := a.K()
		a.VCMPPS(operand.U8(unordered), y, y, k)
		m := a.ZMM()
		ins(x, y, m)
		a.VBLENDMPS(y, m, k, dst)
		return
	}
	nan, m := a.YMM(), a.YMM()
	a.VCMPPS(operand.U8(unordered), y, y, nan)
	ins(x, y, m)
	a.VBLENDVPS(nan, y, m, dst)
}

// of is the op as Go.
func (op arith) of(a, b string) string {
	if op.sign == "" {
		return op.name + "(" + a + ", " + b + ")"
	}
	return a + " " + op.sign + " " + b
}

// emit writes the op on two vectors, a vector and a scalar and, where that
// differs, a scalar and a vector.
func (op arith) emit(a *asm, i isa) {
	name := op.name + i.name
	a.function(name, "func(dst, a, b *float32, n int)",
		name+" is for i := range n { dst[i] = "+op.of("a[i]", "b[i]")+" }")
	a.stream(i, "dst", "a", "b").each(4, func(_ int, x access) {
		v, w := x.load(1), x.load(2)
		op.ins(a, w, v, v)
		x.store(v, 0)
	})
	a.end()
	scalar := func(suffix, vector, number, expr string, ins func(s, v reg.VecVirtual)) {
		name := op.name + suffix + i.name
		a.function(name, "func(dst, "+vector+" *float32, "+number+" float32, n int)",
			name+" is for i := range n { dst[i] = "+expr+" }")
		s := a.broadcast(i, number)
		a.stream(i, "dst", vector).each(4, func(_ int, x access) {
			v := x.load(1)
			ins(s, v)
			x.store(v, 0)
		})
		a.end()
	}
	scalar("Scalar", "a", "b", op.of("a[i]", "b"), func(s, v reg.VecVirtual) { op.ins(a, s, v, v) })
	if !op.commutes {
		scalar("Into", "b", "a", op.of("a", "b[i]"), func(s, v reg.VecVirtual) { op.ins(a, v, s, v) })
	}
}

func emitReLU(a *asm, i isa) {
	name := "relu" + i.name
	a.function(name, "func(dst, x *float32, n int)",
		name+" is for i := range n { dst[i] = x[i]; if x[i] < 0 { dst[i] = 0 } }")
	z := a.vec(i)
	a.clear(z)
	a.stream(i, "dst", "x").each(4, func(_ int, x access) {
		v := x.load(1)
		a.VMAXPS(v, z, v) // the second source comes through if either is NaN
		x.store(v, 0)
	})
	a.end()
}

func emitReLUGrad(a *asm, i isa) {
	name := "reluGrad" + i.name
	a.function(name, "func(dx, dy, y *float32, n int)",
		name+" is for i := range n { dx[i] = dy[i]; if y[i] <= 0 { dx[i] = 0 } }")
	z := a.vec(i)
	a.clear(z)
	a.stream(i, "dx", "dy", "y").each(4, func(_ int, x access) {
		d, y := x.load(1), x.load(2)
		a.keepWherePositive(i, d, y, z)
		x.store(d, 0)
	})
	a.end()
}

// keepWherePositive zeroes the lanes of d where y ≤ 0; NaN counts as positive.
func (a *asm) keepWherePositive(i isa, d, y, zero reg.VecVirtual) {
	if i == avx512 {
		k := a.K()
		a.VCMPPS(operand.U8(notLessOrEqual), zero, y, k)
		a.VMOVUPS_Z(d, k, d)
		return
	}
	a.VCMPPS(operand.U8(notLessOrEqual), zero, y, y)
	a.VANDPS(y, d, d)
}

// fold brings the lanes of v together by an instruction; the answer is lane 0.
func (a *asm) fold(i isa, v reg.VecVirtual, ins instruction) reg.Register {
	x, y := v.AsX(), v.AsY()
	if i == avx512 {
		h := a.YMM()
		a.VEXTRACTF64X4(operand.U8(1), v, h)
		ins(h, y, y)
	}
	h := a.XMM()
	a.VEXTRACTF128(operand.U8(1), y, h)
	ins(h, x, x)
	a.VMOVHLPS(x, x, h)
	ins(h, x, x)
	a.VMOVSHDUP(x, h)
	ins(h, x, x)
	return x
}

// float32s makes a list of float32 parameters.
func float32s(names ...string) string { return strings.Join(names, ", ") + " float32" }
