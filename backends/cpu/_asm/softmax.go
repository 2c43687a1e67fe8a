package main

import (
	"math"
)

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
	a.stream(i, pointers...).inTurn(func(x access) {
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
	a.stream(i, "s", "dp").inTurn(func(x access) {
		s := x.load(0)
		p := e.of(v.sub(s, lse))
		d := v.mul(v.mul(v.sub(x.load(1), inner), p), scale)
		x.store(v.choose(equal, s, none, zero, d), 1)
		x.store(p, 0)
	})
	a.end()
}
