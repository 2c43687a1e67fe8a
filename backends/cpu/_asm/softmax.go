package main

import (
	"math"

	"github.com/mmcloughlin/avo/reg"
)

// emitMax writes the greatest of numbers.
func emitMax(a *asm, i isa) {
	const chains = 4
	name := "greatest" + i.name
	a.function(name, "func(x *float32, n int) float32",
		name+" is m = -∞; for i := range n { if x[i] > m { m = x[i] } }.")
	v := vector{a, i}
	none, m := v.hold(math.Inf(-1)), a.vecs(i, chains)
	for _, r := range m {
		a.VMOVAPS(none, r)
	}
	a.stream(i, "x").each(chains, func(u int, x access) {
		a.VMAXPS(m[u], x.loadOr(0, none), m[u]) // the first comes through if either is NaN
	})
	a.VMAXPS(m[1], m[0], m[0])
	a.VMAXPS(m[3], m[2], m[2])
	a.VMAXPS(m[2], m[0], m[0])
	a.Store(a.fold(i, m[0], a.VMAXPS), a.ReturnIndex(0))
	a.end()
}

// emitExpSum writes the exponentials of differences and their sum, with the
// exponentials stored or not.
func emitExpSum(a *asm, i isa, store bool) {
	name, signature, keep := "expSum"+i.name, "func(x *float32, n int, m float32) float32", ""
	pointers := []string{"x"}
	if store {
		name, signature, keep = "expDiff"+i.name, "func(dst, x *float32, n int, m float32) float32", "dst[i] = e; "
		pointers = []string{"x", "dst"}
	}
	a.function(name, signature, name+" is for i := range n { e := math.Exp(x[i] - m); "+keep+"sum += e }, in another order.")
	v := vector{a, i}
	e, m, sum := v.newExp(), a.broadcast(i, "m"), a.vec(i)
	a.clear(sum)
	a.stream(i, pointers...).each(1, func(_ int, x access) {
		y := e.of(v.sub(x.load(0), m))
		if store {
			x.store(y, 1)
		}
		x.only(y)
		a.VADDPS(y, sum, sum)
	})
	a.Store(a.fold(i, sum, a.VADDPS), a.ReturnIndex(0))
	a.end()
}

// loadOr is load with other lanes in place of those that the mask leaves out.
func (x access) loadOr(ptr int, other reg.VecVirtual) reg.VecVirtual {
	v := x.load(ptr)
	if x.mask == nil {
		return v
	}
	if x.s.isa == avx512 {
		x.s.VBLENDMPS(v, other, x.mask.k, v)
	} else {
		x.s.VBLENDVPS(x.mask.y, v, other, v)
	}
	return v
}

// only clears the lanes of v that the mask leaves out.
func (x access) only(v reg.VecVirtual) {
	if x.mask == nil {
		return
	}
	if x.s.isa == avx512 {
		x.s.VMOVAPS_Z(v, x.mask.k, v)
	} else {
		x.s.VANDPS(x.mask.y, v, v)
	}
}
