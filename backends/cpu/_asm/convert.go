package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// conversion is one between f32 and a shorter type.
type conversion struct {
	name, dst, src string // types, as Go
	is             string
	to, from       int // bytes of an element of dst and src
	body           func(v vector, dst, src operand.Mem)
}

var conversions = []conversion{
	{"fromU8", "float32", "uint8", "float32(src[i])", 4, 1, func(v vector, dst, src operand.Mem) {
		x := v.vec(v.isa)
		v.VPMOVZXBD(src, x)
		v.VCVTDQ2PS(x, x)
		v.VMOVUPS(x, dst)
	}},
	{"fromF16", "float32", "uint16", "tensor.F16ToF32(src[i])", 4, 2, func(v vector, dst, src operand.Mem) {
		x := v.vec(v.isa)
		v.VCVTPH2PS(src, x)
		v.VMOVUPS(x, dst)
	}},
	{"fromBF16", "float32", "uint16", "tensor.BF16ToF32(src[i])", 4, 2, func(v vector, dst, src operand.Mem) {
		x := v.vec(v.isa)
		v.VPMOVZXWD(src, x)
		v.VPSLLD(operand.U8(16), x, x)
		v.VMOVUPS(x, dst)
	}},
	{"toF16", "uint16", "float32", "tensor.F64ToF16(float64(src[i]))", 2, 4, func(v vector, dst, src operand.Mem) {
		x := v.vec(v.isa)
		v.VMOVUPS(src, x)
		v.VCVTPS2PH(operand.U8(0), x, dst) // 0: to nearest, ties to even
	}},
	{"toBF16", "uint16", "float32", "tensor.F64ToBF16(float64(src[i]))", 2, 4, func(v vector, dst, src operand.Mem) {
		x := v.vec(v.isa)
		v.VMOVUPS(src, x)
		v.storeLow(v.toBF16(x), dst)
	}},
}

func emitConversions(a *asm) {
	for _, i := range []isa{avx512, avx2} {
		for _, c := range conversions {
			c.emit(a, i)
		}
	}
}

// emit writes whole vectors only.
func (c conversion) emit(a *asm, i isa) {
	name := c.name + i.name
	a.function(name, "func(dst *"+c.dst+", src *"+c.src+", n int)",
		label("%s is for i := range n { dst[i] = %s } for n a multiple of %d.", name, c.is, i.lanes))
	v, dst, src := vector{a, i}, a.arg("dst"), a.arg("src")
	v.wholeVectors(func() { c.body(v, at(dst, 0), at(src, 0)) }, array{dst, c.to}, array{src, c.from})
}

// toBF16 rounds each lane to its upper half, and leaves that in the lower: to
// nearest, ties to even, by adding just below half a unit, and one more where
// the unit is odd. NaN gets its quiet bit, or the sum could carry it into
// infinity.
func (v vector) toBF16(x reg.VecVirtual) reg.VecVirtual {
	high, sum, nan := v.vec(v.isa), v.vec(v.isa), v.vec(v.isa)
	v.VPSRLD(operand.U8(16), x, high)
	if v.isa == avx512 {
		v.VPANDD_BCST(v.word(1), high, sum)
		v.VPORD_BCST(v.word(0x40), high, nan)
	} else {
		v.VPAND(v.word(1), high, sum)
		v.VPOR(v.word(0x40), high, nan)
	}
	v.apply(v.VPADDD, v.VPADDD_BCST, v.word(0x7fff), sum, sum)
	v.VPADDD(x, sum, sum)
	v.VPSRLD(operand.U8(16), sum, sum)
	return v.choose(unordered, x, x, nan, sum)
}

// storeLow writes the low 16 bits of each lane, whose others are 0.
func (v vector) storeLow(x reg.VecVirtual, dst operand.Mem) {
	if v.isa == avx512 {
		v.VPMOVDW(x, dst)
		return
	}
	v.pack(x)
	v.VMOVUPS(x.AsX(), dst)
}

// pack moves the low 16 bits of eight lanes, whose others are 0, together.
func (v vector) pack(x reg.VecVirtual) {
	v.VPACKUSDW(x, x, x)
	v.VPERMQ(operand.U8(0x08), x, x)
}
