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

// emitSoftmaxGrad writes the step back from probabilities to scores.
func emitSoftmaxGrad(a *asm, i isa) {
	name := "softmaxGrad" + i.name
	a.function(name, "func(s, dp *float32, n int, "+float32s("lse", "inner", "scale")+")",
		name+" is for i := range n {",
		"	p := math.Exp(s[i] - lse)",
		"	dp[i] = scale * p * (dp[i] - inner); if s[i] == -∞ { dp[i] = 0 }",
		"\ts[i] = p",
		"}")
	v := vector{a, i}
	e, zero, none := v.newExp(), v.hold(0), v.hold(math.Inf(-1))
	lse, inner, scale := a.broadcast(i, "lse"), a.broadcast(i, "inner"), a.broadcast(i, "scale")
	a.stream(i, "s", "dp").each(1, func(_ int, x access) {
		s := x.load(0)
		p := e.of(v.sub(s, lse))
		d := v.mul(v.mul(v.sub(x.load(1), inner), p), scale)
		x.store(v.choose(equal, s, none, zero, d), 1)
		x.store(p, 0)
	})
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
