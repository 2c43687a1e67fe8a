package main

import (
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vector writes arithmetic on vectors of one instruction set. Its operands are
// registers or, where a parameter is an operand.Op, constants in memory, of
// which AVX-512 reads a word and AVX2 a whole vector.
type vector struct {
	*asm
	isa isa
}

// constants is the table that a file's functions read theirs from.
const constants = "constants"

// float is a constant.
func (a *asm) float(v float64) operand.Mem { return a.word(math.Float32bits(float32(v))) }

// word is a constant by its bits.
func (a *asm) word(bits uint32) operand.Mem {
	at, ok := a.words[bits]
	if !ok {
		if a.words == nil {
			a.words = map[uint32]int{}
		}
		at = len(a.order)
		a.words[bits], a.order = at, append(a.order, bits)
	}
	return operand.NewDataAddr(operand.NewStaticSymbol(constants), avx2.bytes()*at)
}

// writeConstants ends a file with the table, if there are any in it.
func (a *asm) writeConstants() {
	if len(a.order) == 0 {
		return
	}
	a.StaticGlobal(constants)
	a.DataAttributes(attr.RODATA | attr.NOPTR)
	for at, bits := range a.order {
		for lane := range avx2.lanes {
			a.AddDatum(avx2.bytes()*at+4*lane, operand.U32(bits))
		}
	}
}

// hold is a register with the constant in all lanes.
func (v vector) hold(c float64) reg.VecVirtual {
	r := v.vec(v.isa)
	v.VBROADCASTSS(v.float(c), r)
	return r
}

func (v vector) copy(x reg.VecVirtual) reg.VecVirtual {
	c := v.vec(v.isa)
	v.VMOVAPS(x, c)
	return c
}

type instruction = func(...operand.Op)

// apply writes an instruction whose first operand may be a constant.
func (v vector) apply(plain, broadcast instruction, y operand.Op, rest ...operand.Op) {
	ins := plain
	if _, memory := y.(operand.Mem); memory && v.isa == avx512 {
		ins = broadcast
	}
	ins(append([]operand.Op{y}, rest...)...)
}

// into is apply with a fresh register for the result.
func (v vector) into(plain, broadcast instruction, y operand.Op, x reg.VecVirtual) reg.VecVirtual {
	z := v.vec(v.isa)
	v.apply(plain, broadcast, y, x, z)
	return z
}

func (v vector) add(x reg.VecVirtual, y operand.Op) reg.VecVirtual {
	return v.into(v.VADDPS, v.VADDPS_BCST, y, x)
}

func (v vector) sub(x reg.VecVirtual, y operand.Op) reg.VecVirtual {
	return v.into(v.VSUBPS, v.VSUBPS_BCST, y, x)
}

func (v vector) mul(x reg.VecVirtual, y operand.Op) reg.VecVirtual {
	return v.into(v.VMULPS, v.VMULPS_BCST, y, x)
}

func (v vector) div(x reg.VecVirtual, y operand.Op) reg.VecVirtual {
	return v.into(v.VDIVPS, v.VDIVPS_BCST, y, x)
}

// fma makes x = x·y + z.
func (v vector) fma(x, y reg.VecVirtual, z operand.Op) {
	v.apply(v.VFMADD213PS, v.VFMADD213PS_BCST, z, y, x)
}

// take makes x = x - y·z.
func (v vector) take(x, y reg.VecVirtual, z operand.Op) {
	v.apply(v.VFNMADD231PS, v.VFNMADD231PS_BCST, z, y, x)
}

// give makes x = x + y·z.
func (v vector) give(x, y reg.VecVirtual, z operand.Op) {
	v.apply(v.VFMADD231PS, v.VFMADD231PS_BCST, z, y, x)
}

// horner is the polynomial with these coefficients, the highest first.
func (v vector) horner(x reg.VecVirtual, coefficients ...float64) reg.VecVirtual {
	p := v.hold(coefficients[0])
	for _, c := range coefficients[1:] {
		v.fma(p, x, v.float(c))
	}
	return p
}

// halves is horner by the even and the odd powers: half as long a wait for one
// product more. There is an even number of coefficients.
func (v vector) halves(x reg.VecVirtual, coefficients ...float64) reg.VecVirtual {
	var odd, even []float64
	for i := 0; i < len(coefficients); i += 2 {
		odd, even = append(odd, coefficients[i]), append(even, coefficients[i+1])
	}
	square := v.mul(x, x)
	p := v.horner(square, odd...)
	v.fma(p, x, v.horner(square, even...))
	return p
}

// atMost and atLeast are the lesser and the greater of x and y; x if either
// is NaN.
func (v vector) atMost(x, y reg.VecVirtual) reg.VecVirtual {
	return v.into(v.VMINPS, v.VMINPS_BCST, x, y)
}

func (v vector) atLeast(x, y reg.VecVirtual) reg.VecVirtual {
	return v.into(v.VMAXPS, v.VMAXPS_BCST, x, y)
}

const (
	signBit = 0x80000000
	numbers = 0x7fffffff // all bits but the sign
)

// abs is |x|, minus -|x|.
func (v vector) abs(x reg.VecVirtual) reg.VecVirtual {
	return v.into(v.VANDPS, v.VANDPS_BCST, v.word(numbers), x)
}

func (v vector) minus(x reg.VecVirtual) reg.VecVirtual {
	return v.into(v.VORPS, v.VORPS_BCST, v.word(signBit), x)
}

// signed is y ≥ 0 with the sign of x.
func (v vector) signed(y, x reg.VecVirtual) reg.VecVirtual {
	sign := v.into(v.VANDPS, v.VANDPS_BCST, v.word(signBit), x)
	return v.into(v.VORPS, v.VORPS_BCST, y, sign)
}

// Quiet predicates of VCMPPS.
const (
	equal          = 0x00
	unordered      = 0x03
	less           = 0x11
	lessOrEqual    = 0x12
	notLess        = 0x15 // or NaN
	notLessOrEqual = 0x16
)

// choose is yes where x stands to y as the predicate says, else no.
func (v vector) choose(predicate operand.U8, x reg.VecVirtual, y, yes operand.Op, no reg.VecVirtual) reg.VecVirtual {
	z := v.vec(v.isa)
	if v.isa == avx2 {
		mask := v.vec(v.isa)
		v.VCMPPS(predicate, y, x, mask)
		v.VBLENDVPS(mask, yes, no, z)
		return z
	}
	k := v.K()
	compare := v.VCMPPS
	if _, memory := y.(operand.Mem); memory {
		compare = v.VCMPPS_BCST
	}
	compare(predicate, y, x, k)
	v.apply(v.VBLENDMPS, v.VBLENDMPS_BCST, yes, no, k, z)
	return z
}
