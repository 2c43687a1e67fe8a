package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is what differs between the two vector instruction sets that kernels
// are written for. f32 only.
type isa struct {
	name  string
	lanes int // elements of a vector
}

var (
	avx2   = isa{"AVX2", 8}
	avx512 = isa{"AVX512", 16}
)

func (i isa) bytes() int { return 4 * i.lanes }

// registers is how many vectors there are.
func (i isa) registers() int {
	if i == avx512 {
		return 32
	}
	return 16
}

// asm is the file under construction.
type asm struct {
	*build.Context
	table *operand.Mem // of laneMask

	words map[uint32]int // constants and their places
	order []uint32
}

// function starts a function. doc is the Go code that it equals.
func (a *asm) function(name, signature string, doc ...string) {
	a.Function(name)
	a.Attributes(attr.NOSPLIT)
	a.SignatureExpr(signature)
	a.Doc(doc...)
	a.Pragma("noescape")
}

// arg loads an integer or pointer parameter.
func (a *asm) arg(name string) reg.GPVirtual {
	r := a.GP64()
	a.Load(a.Param(name), r)
	return r
}

// stride loads a parameter that counts elements, as bytes.
func (a *asm) stride(name string) reg.GPVirtual {
	r := a.arg(name)
	a.SHLQ(operand.U8(2), r)
	return r
}

// copyOf is a register with the value of another.
func (a *asm) copyOf(r reg.GPVirtual) reg.GPVirtual {
	c := a.GP64()
	a.MOVQ(r, c)
	return c
}

// broadcast loads a float32 parameter into all lanes.
func (a *asm) broadcast(i isa, name string) reg.VecVirtual {
	v := a.vec(i)
	m, err := a.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	a.VBROADCASTSS(m.Addr, v)
	return v
}

// vec is a fresh vector register.
func (a *asm) vec(i isa) reg.VecVirtual {
	if i == avx512 {
		return a.ZMM()
	}
	return a.YMM()
}

func (a *asm) vecs(i isa, n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for j := range v {
		v[j] = a.vec(i)
	}
	return v
}

// clear sets a vector to zero.
func (a *asm) clear(v reg.VecVirtual) {
	if v.Size() == 64 {
		a.VPXORD(v, v, v)
	} else {
		a.VXORPS(v, v, v)
	}
}

// at is the memory operand ptr + disp.
func at(ptr reg.Register, disp int) operand.Mem { return operand.Mem{Base: ptr, Disp: disp} }

// lanes is a mask of the first lanes of a vector.
type lanes struct {
	a *asm
	k reg.OpmaskVirtual // AVX-512
	y reg.VecVirtual    // AVX2: all ones in the lanes that count
}

// firstLanes makes the mask of the first n lanes; n is spent. AVX2 wants
// 0 ≤ n ≤ 8; AVX-512 takes any n ≥ 0 below 256, more than 16 being all.
func (a *asm) firstLanes(i isa, n reg.GPVirtual) lanes {
	if i == avx512 {
		ones := a.GP64()
		a.MOVQ(operand.I32(-1), ones)
		a.BZHIQ(n, ones, ones)
		return lanes{a: a, k: a.mask(ones)}
	}
	l := lanes{a: a, y: a.YMM()}
	base := a.GP64()
	a.LEAQ(a.laneTable(), base)
	a.NEGQ(n)
	a.VMOVUPS(operand.Mem{Base: base, Index: n, Scale: 4, Disp: 32}, l.y)
	return l
}

// clamped is n, but at least 0 and at most a vector's lanes.
func (a *asm) clamped(i isa, n reg.GPVirtual) reg.GPVirtual {
	zero, most, c := a.GP64(), a.GP64(), a.copyOf(n)
	a.XORQ(zero, zero)
	a.MOVQ(operand.U32(i.lanes), most)
	a.CMPQ(c, most)
	a.CMOVQGT(most, c)
	a.CMPQ(c, zero)
	a.CMOVQLT(zero, c)
	return c
}

func (a *asm) mask(bits reg.GPVirtual) reg.OpmaskVirtual {
	k := a.K()
	a.KMOVW(bits.As32(), k)
	return k
}

// laneTable is 8 words of ones, then 8 of zeros: read from word 8-n, it is a
// mask of n lanes.
func (a *asm) laneTable() operand.Mem {
	if a.table == nil {
		m := a.StaticGlobal("laneMask")
		a.DataAttributes(attr.RODATA | attr.NOPTR)
		for w := range 16 {
			v := operand.U32(0)
			if w < 8 {
				v = 0xffffffff
			}
			a.AddDatum(4*w, v)
		}
		a.table = &m
	}
	return *a.table
}

// bitTable is the word 1<<j at word j, for j < 8.
func (a *asm) bitTable() operand.Mem {
	return a.indexTable("bits", 32, 1, 2, 4, 8, 16, 32, 64, 128)
}

// load reads the lanes of the mask and zeroes the others; memory beyond them
// is not touched.
func (l lanes) load(m operand.Mem, v reg.VecVirtual) {
	if v.Size() == 64 {
		l.a.VMOVUPS_Z(m, l.k, v)
	} else {
		l.a.VMASKMOVPS(m, l.y, v)
	}
}

func (l lanes) store(v reg.VecVirtual, m operand.Mem) {
	if v.Size() == 64 {
		l.a.VMOVUPS(v, l.k, m)
	} else {
		l.a.VMASKMOVPS(v, l.y, m)
	}
}

// label makes a label name of the current function.
func label(format string, args ...any) string { return fmt.Sprintf(format, args...) }
