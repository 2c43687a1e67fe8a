package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// windowFunc is a loop over outputs of a pool whose windows see the same taps,
// each a stride further: a vector of outputs stays in a register while the
// taps run.
type windowFunc struct {
	vector
	stride    int
	src, taps reg.GPVirtual
	// The lanes of outputs, and of the one or two vectors that they are read from.
	out, lo, hi lanes
	evens       reg.VecVirtual
}

func emitWindows(a *asm) {
	for _, i := range []isa{avx512, avx2} {
		for _, stride := range []int{1, 2} {
			emitAverage(&windowFunc{vector: vector{a, i}, stride: stride})
			emitLargest(&windowFunc{vector: vector{a, i}, stride: stride})
			emitLargestAt(&windowFunc{vector: vector{a, i}, stride: stride})
		}
	}
}

func (w *windowFunc) name(kind string) string { return label("%s%d%s", kind, w.stride, w.isa.name) }

// begin starts one; rest are its parameters after the usual ones.
func (w *windowFunc) begin(kind, first, rest, body string) {
	w.function(w.name(kind), "func("+first+", src *float32, n int, taps *int32, count int"+rest+")",
		w.name(kind)+label(" is, for n and count > 0, with x(k, i) = src[taps[k]+%d*i],", w.stride),
		"for i := range n { "+body+" }")
	w.src, w.taps = w.arg("src"), w.arg("taps")
	if w.stride == 2 && w.isa == avx512 {
		order := make([]int, w.isa.lanes)
		for k := range order {
			order[k] = 2 * k
		}
		w.evens = w.vec(w.isa)
		w.VMOVUPS(w.indexTable(w.name(kind)+"Evens", 32, order...), w.evens)
	}
}

// masks covers the next outputs, of which n are left.
func (w *windowFunc) masks(n reg.GPVirtual) {
	w.out = w.firstLanes(w.isa, w.clamped(w.isa, n))
	if w.stride == 1 {
		return
	}
	seen := w.GP64() // the last output sees one element, not two
	w.LEAQ(operand.Mem{Base: n, Index: n, Scale: 1, Disp: -1}, seen)
	w.lo = w.firstLanes(w.isa, w.clamped(w.isa, seen))
	w.SUBQ(operand.I32(w.isa.lanes), seen)
	w.hi = w.firstLanes(w.isa, w.clamped(w.isa, seen))
}

// load reads what the outputs see of the tap at p.
func (w *windowFunc) load(p reg.GPVirtual) reg.VecVirtual {
	at := w.GP64()
	w.MOVLQSX(operand.Mem{Base: p}, at)
	x := w.vec(w.isa)
	if w.stride == 1 {
		w.out.load(operand.Mem{Base: w.src, Index: at, Scale: 4}, x)
		return x
	}
	y := w.vec(w.isa)
	w.lo.load(operand.Mem{Base: w.src, Index: at, Scale: 4}, x)
	w.hi.load(operand.Mem{Base: w.src, Index: at, Scale: 4, Disp: w.isa.bytes()}, y)
	if w.isa == avx512 {
		w.VPERMT2PS(y, w.evens, x)
	} else {
		w.VSHUFPS(operand.U8(0x88), y, x, x)
		w.VPERMPD(operand.U8(0xd8), x, x)
	}
	return x
}

// each emits the loops: begin and end for a vector of outputs, tap for each of
// its taps. ptrs move with the outputs.
func (w *windowFunc) each(begin func(), tap func(p reg.GPVirtual), end func(), ptrs ...reg.GPVirtual) {
	n, count := w.arg("n"), w.arg("count")
	w.Label("vector")
	w.masks(n)
	begin()
	p, left := w.copyOf(w.taps), w.copyOf(count)
	w.Label("tap")
	tap(p)
	w.ADDQ(operand.I8(4), p)
	w.DECQ(left)
	w.JNZ(operand.LabelRef("tap"))
	end()
	for _, ptr := range ptrs {
		w.ADDQ(operand.I32(w.isa.bytes()), ptr)
	}
	w.ADDQ(operand.I32(w.stride*w.isa.bytes()), w.src)
	w.SUBQ(operand.I32(w.isa.lanes), n)
	w.JG(operand.LabelRef("vector"))
	w.end()
}

func emitAverage(w *windowFunc) {
	w.begin("averageWindows", "dst", ", divisor float32", "s := 0; for k := range count { s += x(k, i) }; dst[i] = s/divisor")
	dst, sum, divisor := w.arg("dst"), w.vec(w.isa), w.broadcast(w.isa, "divisor")
	w.each(func() { w.clear(sum) }, func(p reg.GPVirtual) {
		w.VADDPS(w.load(p), sum, sum)
	}, func() {
		w.VDIVPS(divisor, sum, sum)
		w.out.store(sum, at(dst, 0))
	}, dst)
}

func emitLargest(w *windowFunc) {
	w.begin("maxWindows", "dst", "", "m := -Inf; for k := range count { m = max(m, x(k, i)) }; dst[i] = m")
	dst, m := w.arg("dst"), w.vec(w.isa)
	none := w.hold(math.Inf(-1))
	w.each(func() { w.VMOVAPS(none, m) }, func(p reg.GPVirtual) {
		w.extreme(w.VMAXPS, w.load(p), m, m)
	}, func() { w.out.store(m, at(dst, 0)) }, dst)
}

// ordered is the predicate of VCMPPS that is false of NaN compared to itself.
const ordered = 0x07

func emitLargestAt(w *windowFunc) {
	w.begin("maxWindowsAt", "at *int32, dst", "",
		label("m, a := -Inf, taps[0]; for k := range count { if x(k, i) > m || isNaN(x(k, i)) && !isNaN(m) { m, a = x(k, i), taps[k] } }; dst[i], at[i] = m, a+%d*i", w.stride))
	dst, where, m, tap := w.arg("dst"), w.arg("at"), w.vec(w.isa), w.vec(w.isa)
	none, place := w.hold(math.Inf(-1)), w.vec(w.isa)
	first := make([]int, w.isa.lanes)
	for k := range first {
		first[k] = w.stride * k
	}
	w.VMOVUPS(w.indexTable(w.name("maxWindowsAt")+"Places", 32, first...), place)
	w.each(func() {
		w.VMOVAPS(none, m)
		w.VPBROADCASTD(at(w.taps, 0), tap)
	}, func(p reg.GPVirtual) {
		x := w.load(p)
		if w.isa == avx512 {
			known, larger := w.K(), w.K()
			w.VCMPPS(operand.U8(ordered), m, m, known)
			w.VCMPPS(operand.U8(notLessOrEqual), m, x, known, larger)
			w.VMOVUPS(x, larger, m)
			w.VPBROADCASTD(at(p, 0), larger, tap)
			return
		}
		known, larger, t := w.YMM(), w.YMM(), w.YMM()
		w.VCMPPS(operand.U8(ordered), m, m, known)
		w.VCMPPS(operand.U8(notLessOrEqual), m, x, larger)
		w.VANDPS(known, larger, larger)
		w.VBLENDVPS(larger, x, m, m)
		w.VPBROADCASTD(at(p, 0), t)
		w.VBLENDVPS(larger, t, tap, tap)
	}, func() {
		w.VPADDD(place, tap, tap)
		w.out.store(m, at(dst, 0))
		w.out.store(tap, at(where, 0))
		w.apply(w.VPADDD, w.VPADDD_BCST, w.word(uint32(w.stride*w.isa.lanes)), place, place)
	}, dst, where)
}
