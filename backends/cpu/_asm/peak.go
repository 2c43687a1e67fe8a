package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// fmaChains is how many independent sums the FMA probe keeps: more than
// latency × units of any processor yet made, and few enough for AVX2's 16
// registers.
const fmaChains = 12

func emitPeak(a *asm) {
	emitFMA(a, avx512)
	emitFMA(a, avx2)
	emitRead(a)
}

func emitFMA(a *asm, i isa) {
	a.function("fma"+i.name, "func(n int)",
		label("fma%s does n·%d·%d fused multiply-adds in %d independent chains:", i.name, fmaChains, i.lanes, fmaChains),
		"for ; n > 0; n-- { for c := range acc { acc[c] += x*acc[c] } }")
	n := a.arg("n")
	x := a.vec(i)
	acc := a.vecs(i, fmaChains)
	a.clear(x)
	for _, v := range acc {
		a.clear(v)
	}
	a.Label("loop")
	for _, v := range acc {
		a.VFMADD231PS(x, v, v)
	}
	a.DECQ(n)
	a.JNZ(operand.LabelRef("loop"))
	a.VZEROUPPER()
	a.RET()
}

// emitRead writes a loop of loads, a cache line's two halves at a time.
func emitRead(a *asm) {
	const block = 256
	a.function("readAVX2", "func(p *byte, n int)",
		"readAVX2 reads n bytes, a multiple of 256, and drops them:",
		"for i := 0; i < n; i++ { _ = p[i] }")
	p, n := a.arg("p"), a.arg("n")
	acc := []reg.VecVirtual{a.YMM(), a.YMM(), a.YMM(), a.YMM()}
	for _, v := range acc {
		a.clear(v)
	}
	a.Label("loop")
	for o := 0; o < block; o += 32 {
		a.VPOR(at(p, o), acc[o/32%4], acc[o/32%4])
	}
	a.ADDQ(operand.I32(block), p)
	a.SUBQ(operand.I32(block), n)
	a.JG(operand.LabelRef("loop"))
	a.VZEROUPPER()
	a.RET()
}
