package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The microkernels of the matrix product: C tiles of mr rows by nv vectors
// kept in registers while K runs (Goto and van de Geijn 2008; Van Zee and van
// de Geijn 2015). AVX-512 has 32 registers: 14×2 accumulators, 2 vectors of B
// and 2 for the elements of A fill them.

// shape is one microkernel. One that gathers finds the columns of A by a table.
type shape struct {
	isa    isa
	mr, nv int
	gather bool
}

// gemmShapes: by width, every height up to the one that fills the registers.
func gemmShapes() (all []shape) {
	for _, w := range []struct {
		isa    isa
		nv, mr int
	}{{avx512, 2, 14}, {avx512, 4, 6}, {avx512, 1, 14}, {avx2, 2, 6}, {avx2, 1, 12}} {
		for mr := 1; mr <= w.mr; mr++ {
			all = append(all, shape{w.isa, mr, w.nv, false}, shape{w.isa, mr, w.nv, true})
		}
	}
	return all
}

const (
	gemmSignature   = "func(k int, a *float32, ars, aks int, b *float32, bks int, c *float32, crs, cols, tiles, bts int, alpha float32, bias *float32, flags int)"
	gatherSignature = "func(k int, a *float32, ars int, columns *int32, b *float32, bks int, c *float32, crs, cols, tiles, bts int, alpha float32, bias *float32, flags int)"
)

// Bits of flags; package kernel has the same under the same names.
const (
	flagAccumulate = iota
	flagScale
	flagRowBias
	flagColBias
	flagReLU
)

func emitGemm(a *asm) {
	for _, s := range gemmShapes() {
		s.emit(a)
	}
}

func (s shape) emit(a *asm) {
	name := fmt.Sprintf("gemm%s_%dx%d", s.isa.name, s.mr, s.nv*s.isa.lanes)
	signature, same := gemmSignature, "gemmTile with that many rows, in any order of the sums. Vectors of B are read whole."
	if s.gather {
		name = fmt.Sprintf("gather%s_%dx%d", s.isa.name, s.mr, s.nv*s.isa.lanes)
		signature = gatherSignature
	}
	a.function(name, signature,
		fmt.Sprintf("%s computes tiles blocks of C, each %d rows by cols ≤ %d columns, side by side:", name, s.mr, s.nv*s.isa.lanes), same)
	g := &gemmFunc{shape: s, asm: a}
	g.b, g.c, g.tiles, g.bias = a.arg("b"), a.arg("c"), a.arg("tiles"), a.arg("bias")
	a.Label("tile")
	g.product()
	g.epilogue()
	a.Comment("The next tile to the right.")
	bts := a.stride("bts")
	a.ADDQ(bts, g.b)
	a.ADDQ(operand.I32(s.nv*s.isa.bytes()), g.c)
	a.DECQ(g.tiles)
	a.JNZ(operand.LabelRef("tile"))
	a.VZEROUPPER()
	a.RET()
}

type gemmFunc struct {
	shape
	*asm
	b, c, tiles, bias reg.GPVirtual
	acc               [][]reg.VecVirtual // [mr][nv]
}

// rowAddresses gives the operands of A's column k for all rows, from two
// pointers and three multiples of the row stride, and functions that begin a
// column and leave it.
func (g *gemmFunc) rowAddresses() (rows []operand.Mem, begin, next func()) {
	a0, rs := g.arg("a"), g.stride("ars")
	var rs3, rs5, a1 reg.GPVirtual
	if g.mr > 3 {
		rs3 = g.GP64()
		g.LEAQ(operand.Mem{Base: rs, Index: rs, Scale: 2}, rs3)
	}
	if g.mr > 5 {
		rs5 = g.GP64()
		g.LEAQ(operand.Mem{Base: rs, Index: rs, Scale: 4}, rs5)
	}
	if g.mr > 7 {
		a1 = g.GP64()
		g.LEAQ(operand.Mem{Base: a0, Index: rs, Scale: 1}, a1)
	}
	rows = []operand.Mem{
		{Base: a0}, {Base: a0, Index: rs, Scale: 1}, {Base: a0, Index: rs, Scale: 2},
		{Base: a0, Index: rs3, Scale: 1}, {Base: a0, Index: rs, Scale: 4}, {Base: a0, Index: rs5, Scale: 1},
		{Base: a0, Index: rs3, Scale: 2}, {Base: a1, Index: rs3, Scale: 2}, {Base: a0, Index: rs, Scale: 8},
		{Base: a1, Index: rs, Scale: 8}, {Base: a0, Index: rs5, Scale: 2}, {Base: a1, Index: rs5, Scale: 2},
		{Base: a0, Index: rs3, Scale: 4}, {Base: a1, Index: rs3, Scale: 4},
	}
	if g.gather {
		first, columns := g.copyOf(a0), g.arg("columns")
		return rows[:g.mr], func() {
			g.MOVLQSX(at(columns, 0), a0)
			g.LEAQ(operand.Mem{Base: first, Index: a0, Scale: 4}, a0)
			if g.mr > 7 {
				g.LEAQ(operand.Mem{Base: a0, Index: rs, Scale: 1}, a1)
			}
		}, func() { g.ADDQ(operand.I32(4), columns) }
	}
	ks := g.stride("aks")
	return rows[:g.mr], func() {}, func() {
		g.ADDQ(ks, a0)
		if g.mr > 7 {
			g.ADDQ(ks, a1)
		}
	}
}

// product leaves the sums over k in the accumulators.
func (g *gemmFunc) product() {
	g.acc = make([][]reg.VecVirtual, g.mr)
	for i := range g.acc {
		g.acc[i] = g.vecs(g.isa, g.nv)
		for _, v := range g.acc[i] {
			g.clear(v)
		}
	}
	k := g.arg("k")
	g.TESTQ(k, k)
	g.JLE(operand.LabelRef("epilogue"))
	g.prefetchC(k)
	rows, begin, next := g.rowAddresses()
	b, bks := g.GP64(), g.stride("bks")
	g.MOVQ(g.b, b)
	bv := g.vecs(g.isa, g.nv)
	av := g.vecs(g.isa, 2)
	g.Label("sum")
	begin()
	for j, v := range bv {
		g.VMOVUPS(at(b, j*g.isa.bytes()), v)
	}
	g.ADDQ(bks, b)
	for i, row := range rows {
		if g.nv == 1 && g.isa == avx512 {
			g.VFMADD231PS_BCST(row, bv[0], g.acc[i][0])
			continue
		}
		g.VBROADCASTSS(row, av[i%2])
		for j, v := range bv {
			g.VFMADD231PS(v, av[i%2], g.acc[i][j])
		}
	}
	next()
	g.DECQ(k)
	g.JNZ(operand.LabelRef("sum"))
	g.Label("epilogue")
}

// prefetchC asks for the tile's lines of C, if the sum takes longer than they
// do: the accumulators that wait for them at the end are more than what a
// processor looks ahead.
func (g *gemmFunc) prefetchC(k reg.GPVirtual) {
	g.CMPQ(k, operand.U8(32))
	g.JLT(operand.LabelRef("short"))
	p, crs := g.GP64(), g.stride("crs")
	g.MOVQ(g.c, p)
	for i := range g.mr {
		for o := 0; o < g.nv*g.isa.bytes(); o += 64 {
			g.PREFETCHT0(at(p, o))
		}
		if i < g.mr-1 {
			g.ADDQ(crs, p)
		}
	}
	g.Label("short")
}

// ifFlag emits body, skipped at run time unless the bit of flags is set.
func (g *gemmFunc) ifFlag(flags reg.GPVirtual, bit int, name string, body func()) {
	g.BTQ(operand.U8(bit), flags)
	g.JCC(operand.LabelRef(name))
	body()
	g.Label(name)
}

func (g *gemmFunc) each(f func(i, j int, v reg.VecVirtual)) {
	for i := range g.acc {
		for j, v := range g.acc[i] {
			f(i, j, v)
		}
	}
}

// epilogue scales, adds what flags ask for, clamps and stores.
func (g *gemmFunc) epilogue() {
	flags := g.arg("flags")
	g.ifFlag(flags, flagScale, "noScale", func() {
		alpha := g.broadcast(g.isa, "alpha")
		g.each(func(_, _ int, v reg.VecVirtual) { g.VMULPS(alpha, v, v) })
	})
	if g.isa == avx512 {
		g.finish(flags, "", g.masks512())
		return
	}
	cols := g.arg("cols")
	g.CMPQ(cols, operand.U8(g.nv*g.isa.lanes))
	g.JLT(operand.LabelRef("partial"))
	g.finish(flags, "", nil)
	g.JMP(operand.LabelRef("stored"))
	g.Label("partial")
	g.finish(flags, "Partial", g.masks2(cols))
	g.Label("stored")
}

// masks512 gives the mask of each vector of a row of cols columns.
func (g *gemmFunc) masks512() []lanes {
	ones, cols := g.GP64(), g.arg("cols")
	g.MOVQ(operand.I32(-1), ones)
	g.BZHIQ(cols, ones, ones)
	m := make([]lanes, g.nv)
	for j := range m {
		if j > 0 {
			g.SHRQ(operand.U8(16), ones)
		}
		m[j] = lanes{a: g.asm, k: g.mask(ones)}
	}
	return m
}

func (g *gemmFunc) masks2(cols reg.GPVirtual) []lanes {
	m := make([]lanes, g.nv)
	zero, eight := g.GP64(), g.GP64()
	g.XORQ(zero, zero)
	g.MOVQ(operand.U32(8), eight)
	for j := range m {
		n := g.GP64()
		g.LEAQ(at(cols, -8*j), n)
		g.CMPQ(n, zero)
		g.CMOVQLT(zero, n)
		g.CMPQ(n, eight)
		g.CMOVQGT(eight, n)
		m[j] = g.firstLanes(g.isa, n)
	}
	return m
}

// finish does the rest of the epilogue with whole vectors, or under masks.
func (g *gemmFunc) finish(flags reg.GPVirtual, suffix string, masks []lanes) {
	load := func(m operand.Mem, j int, v reg.VecVirtual) {
		if masks == nil {
			g.VMOVUPS(m, v)
		} else {
			masks[j].load(m, v)
		}
	}
	crs := g.stride("crs")
	t := g.vec(g.isa)
	g.ifFlag(flags, flagAccumulate, "noAccumulate"+suffix, func() {
		p := g.GP64()
		g.MOVQ(g.c, p)
		g.each(func(i, j int, v reg.VecVirtual) {
			load(at(p, j*g.isa.bytes()), j, t)
			g.VADDPS(t, v, v)
			if j == g.nv-1 && i < g.mr-1 {
				g.ADDQ(crs, p)
			}
		})
	})
	g.ifFlag(flags, flagRowBias, "noRowBias"+suffix, func() {
		g.each(func(i, j int, v reg.VecVirtual) {
			if j == 0 {
				g.VBROADCASTSS(at(g.bias, 4*i), t)
			}
			g.VADDPS(t, v, v)
		})
	})
	g.ifFlag(flags, flagColBias, "noColBias"+suffix, func() {
		for j := range g.nv {
			load(at(g.bias, j*g.isa.bytes()), j, t)
			for i := range g.acc {
				g.VADDPS(t, g.acc[i][j], g.acc[i][j])
			}
		}
		g.ADDQ(operand.I32(g.nv*g.isa.bytes()), g.bias)
	})
	g.ifFlag(flags, flagReLU, "noReLU"+suffix, func() {
		g.Comment("The sum is the second source, which MAXPS gives if it is NaN.")
		g.clear(t)
		g.each(func(_, _ int, v reg.VecVirtual) { g.VMAXPS(v, t, v) })
	})
	p := g.GP64()
	g.MOVQ(g.c, p)
	g.each(func(i, j int, v reg.VecVirtual) {
		if masks == nil {
			g.VMOVUPS(v, at(p, j*g.isa.bytes()))
		} else {
			masks[j].store(v, at(p, j*g.isa.bytes()))
		}
		if j == g.nv-1 && i < g.mr-1 {
			g.ADDQ(crs, p)
		}
	})
}
