package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func emitLayout(a *asm) {
	emitTranspose(a)
	for _, i := range []isa{avx512, avx2} {
		emitCopyRuns(a, i)
		emitSumRuns(a, i)
	}
}

// emitTranspose writes the transposition of up to eight rows: unpack pairs of
// rows, shuffle pairs of pairs, exchange the halves. 256-bit vectors do for
// AVX-512, too: the loop waits for memory.
func emitTranspose(a *asm) {
	a.function("transpose8AVX2", "func(dst *float32, drs int, src *float32, srs, rows, cols int)",
		"transpose8AVX2 is, for 1 ≤ rows ≤ 8, cols a multiple of 8 and strides in elements,",
		"for i := range 8 { for j := range cols { dst[j*drs+i] = src[min(i, rows-1)*srs+j] } }")
	dst, drs, srs, rows, cols := a.arg("dst"), a.stride("drs"), a.stride("srs"), a.arg("rows"), a.arg("cols")
	src := make([]reg.GPVirtual, 8)
	src[0] = a.arg("src")
	next := a.GP64()
	for k := 1; k < 8; k++ {
		src[k] = a.GP64()
		a.MOVQ(src[k-1], src[k])
		a.LEAQ(operand.Mem{Base: src[k-1], Index: srs, Scale: 1}, next)
		a.CMPQ(rows, operand.U8(k))
		a.CMOVQGT(next, src[k])
	}
	j := a.GP64()
	a.XORQ(j, j)
	a.Label("block")
	v := a.vecs(avx2, 8)
	for k := range v {
		a.VMOVUPS(operand.Mem{Base: src[k], Index: j, Scale: 4}, v[k])
	}
	for _, t := range a.transpose8(v) {
		a.VMOVUPS(t, at(dst, 0))
		a.ADDQ(drs, dst)
	}
	a.ADDQ(operand.I32(8), j)
	a.CMPQ(j, cols)
	a.JLT(operand.LabelRef("block"))
	a.end()
}

func (a *asm) transpose8(v []reg.VecVirtual) []reg.VecVirtual {
	t := a.vecs(avx2, 8)
	for k := 0; k < 8; k += 2 {
		a.VUNPCKLPS(v[k+1], v[k], t[k])
		a.VUNPCKHPS(v[k+1], v[k], t[k+1])
	}
	u := a.vecs(avx2, 8)
	for h := 0; h < 8; h += 4 {
		for k := range 2 {
			a.VSHUFPS(operand.U8(0x44), t[h+k+2], t[h+k], u[h+2*k])
			a.VSHUFPS(operand.U8(0xee), t[h+k+2], t[h+k], u[h+2*k+1])
		}
	}
	w := a.vecs(avx2, 8)
	for k := range 4 {
		a.VPERM2F128(operand.U8(0x20), u[k+4], u[k], w[k])
		a.VPERM2F128(operand.U8(0x31), u[k+4], u[k], w[k+4])
	}
	return w
}

// Offsets in the struct run of package kernel.
const (
	runSrc, runDst, runLen, runSize = 0, 4, 8, 12
)

// emitCopyRuns writes the gathering of runs: run by run, so that the branch on
// its length and its bases are set up once for all rows. Where a vector of the
// run's length exists it is moved whole: a masked one costs as much as the
// cache lines that it might have touched.
func emitCopyRuns(a *asm, i isa) {
	name := "copyRuns" + i.name
	lens := "at most 16 elements"
	if i == avx2 {
		lens = "1, 2, 4 or 8 elements"
	}
	a.function(name, "func(dst *float32, step int, src *float32, offsets *int32, n int, runs *[3]int32, count int)",
		name+" is, each run being "+lens+" and n > 0,",
		"for _, r := range runs[:count] { for k := range n {",
		"\tcopy(dst[k*step+r.dst:][:r.n], src[offsets[k]+r.src:][:r.n])",
		"} }")
	runs, count, step := a.arg("runs"), a.arg("count"), a.stride("step")
	a.Label("run")
	s, d := a.arg("src"), a.arg("dst")
	t := a.GP64()
	a.MOVLQSX(at(runs, runSrc), t)
	a.LEAQ(operand.Mem{Base: s, Index: t, Scale: 4}, s)
	a.MOVLQSX(at(runs, runDst), t)
	a.LEAQ(operand.Mem{Base: d, Index: t, Scale: 4}, d)
	length := a.GP64()
	a.MOVLQSX(at(runs, runLen), length)
	offs, n := a.arg("offsets"), a.arg("n")
	move := func(v reg.VecVirtual) func(src, dst operand.Mem) {
		return func(src, dst operand.Mem) { a.VMOVUPS(src, v); a.VMOVUPS(v, dst) }
	}
	type form struct {
		n    int // elements; 0: any
		move func(src, dst operand.Mem)
	}
	x := a.XMM()
	forms := []form{{8, move(a.YMM())}, {4, move(x)}}
	if i == avx512 {
		z := a.ZMM()
		mask := a.firstLanes(i, a.copyOf(length))
		forms = append(forms, form{16, move(z)}, form{0, func(src, dst operand.Mem) {
			mask.load(src, z)
			mask.store(z, dst)
		}})
	} else {
		forms = append(forms,
			form{2, func(src, dst operand.Mem) { a.VMOVSD(src, x); a.VMOVSD(x, dst) }},
			form{1, func(src, dst operand.Mem) { a.VMOVSS(src, x); a.VMOVSS(x, dst) }})
	}
	last := len(forms) - 1
	for _, f := range forms[:last] {
		a.CMPQ(length, operand.U8(f.n))
		a.JEQ(operand.LabelRef(label("rows%d", f.n)))
	}
	a.JMP(operand.LabelRef(label("rows%d", forms[last].n)))
	for k, f := range forms {
		a.Label(label("rows%d", f.n))
		o := a.GP64()
		a.MOVLQSX(at(offs, 0), o)
		f.move(operand.Mem{Base: s, Index: o, Scale: 4}, at(d, 0))
		a.ADDQ(operand.I32(4), offs)
		a.ADDQ(step, d)
		a.DECQ(n)
		a.JNZ(operand.LabelRef(label("rows%d", f.n)))
		if k < last {
			a.JMP(operand.LabelRef("next"))
		}
	}
	a.Label("next")
	a.ADDQ(operand.I32(runSize), runs)
	a.DECQ(count)
	a.JNZ(operand.LabelRef("run"))
	a.end()
}

// Offsets in the struct term of package kernel.
const (
	termOffset, termMask, termSize = 0, 4, 8
)

// Offsets in the struct sumChunk of package kernel.
const (
	chunkDst, chunkCols, chunkCount, chunkSize = 0, 4, 8, 12
)

// emitSumRuns writes the adding up of shifted vectors under their masks, chunk
// by chunk. Four sums hide the latency of the addition.
func emitSumRuns(a *asm, i isa) {
	const sums = 4
	name := "sumRuns" + i.name
	a.function(name, "func(dst, src *float32, chunks *[3]int32, n int, terms *[2]int32)",
		label("%s is, for n > 0 and chunks of at most %d elements, in another order,", name, i.lanes),
		"for _, c := range chunks[:n] {",
		"\tfor j := range c.cols {",
		"\t\ts := float32(0)",
		"\t\tfor _, t := range terms[:c.count] { if t.mask>>j&1 != 0 { s += src[t.offset+j] } }",
		"\t\tdst[c.dst+j] = s",
		"\t}",
		"\tterms = terms[c.count:]",
		"}")
	dst, src, chunks, n, terms := a.arg("dst"), a.arg("src"), a.arg("chunks"), a.arg("n"), a.arg("terms")
	bit := a.vec(i)
	if i == avx2 {
		a.VMOVDQU(a.bitTable(), bit)
	}
	acc := a.vecs(i, sums)
	o, v := a.GP64(), a.vec(i)
	term := func(disp int, acc reg.VecVirtual) {
		a.MOVLQSX(at(terms, disp+termOffset), o)
		m := operand.Mem{Base: src, Index: o, Scale: 4}
		if i == avx512 {
			k := a.K()
			a.KMOVW(at(terms, disp+termMask), k)
			a.VMOVUPS_Z(m, k, v)
		} else {
			k := a.YMM()
			a.VPBROADCASTD(at(terms, disp+termMask), k)
			a.VPAND(bit, k, k)
			a.VPCMPEQD(bit, k, k)
			a.VMASKMOVPS(m, k, v)
		}
		a.VADDPS(v, acc, acc)
	}
	a.Label("chunk")
	for _, v := range acc {
		a.clear(v)
	}
	count := a.GP64()
	a.MOVLQSX(at(chunks, chunkCount), count)
	a.Label("four")
	a.SUBQ(operand.I32(sums), count)
	a.JLT(operand.LabelRef("last"))
	for k, v := range acc {
		term(k*termSize, v)
	}
	a.ADDQ(operand.I32(sums*termSize), terms)
	a.JMP(operand.LabelRef("four"))
	a.Label("last")
	a.ADDQ(operand.I32(sums), count)
	a.JEQ(operand.LabelRef("store"))
	a.Label("one")
	term(0, acc[0])
	a.ADDQ(operand.I32(termSize), terms)
	a.DECQ(count)
	a.JNZ(operand.LabelRef("one"))
	a.Label("store")
	a.VADDPS(acc[1], acc[0], acc[0])
	a.VADDPS(acc[3], acc[2], acc[2])
	a.VADDPS(acc[2], acc[0], acc[0])
	cols := a.GP64()
	a.MOVLQSX(at(chunks, chunkCols), cols)
	mask := a.firstLanes(i, cols)
	a.MOVLQSX(at(chunks, chunkDst), o)
	mask.store(acc[0], operand.Mem{Base: dst, Index: o, Scale: 4})
	a.ADDQ(operand.I32(chunkSize), chunks)
	a.DECQ(n)
	a.JNZ(operand.LabelRef("chunk"))
	a.end()
}
