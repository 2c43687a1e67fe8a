package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func emitOptimizer(a *asm) {
	for _, i := range []isa{avx512, avx2} {
		emitSGD(a, i)
		emitAdam(a, i)
	}
}

// decay adds wd·p to g unless wd is zero: 0·p would turn an infinite p to NaN.
func (a *asm) decay(name string, on reg.GPVirtual, wd, p, g reg.VecVirtual) {
	a.TESTQ(on, on)
	a.JEQ(operand.LabelRef(name))
	a.VFMADD231PS(p, wd, g)
	a.Label(name)
}

func emitSGD(a *asm, i isa) {
	name := "sgd" + i.name
	a.function(name, "func(p2, v2, p, grad, v *float32, n int, "+float32s("lr", "momentum", "scale", "wd")+", decay, nesterov int)",
		name+" is, with decay and nesterov 0 or 1,",
		"for i := range n {",
		"\td := grad[i]; if decay != 0 { d += wd*p[i] }",
		"\tw := momentum*v[i] + scale*d; v2[i] = w",
		"\tif nesterov != 0 { w = d + momentum*w }",
		"\tp2[i] = p[i] - lr*w",
		"}")
	lr, mu, scale, wd := a.broadcast(i, "lr"), a.broadcast(i, "momentum"), a.broadcast(i, "scale"), a.broadcast(i, "wd")
	decay, nesterov := a.arg("decay"), a.arg("nesterov")
	instance := 0
	a.stream(i, "p2", "v2", "p", "grad", "v").each(1, func(_ int, x access) {
		instance++
		p, d, v := x.load(2), x.load(3), x.load(4)
		a.decay(label("noDecay%d", instance), decay, wd, p, d)
		w := a.vec(i)
		a.VMULPS(scale, d, w)
		a.VFMADD231PS(mu, v, w)
		x.store(w, 1)
		plain := label("plain%d", instance)
		a.TESTQ(nesterov, nesterov)
		a.JEQ(operand.LabelRef(plain))
		a.VFMADD132PS(mu, d, w) // w = w·mu + d
		a.Label(plain)
		a.VFNMADD231PS(lr, w, p)
		x.store(p, 0)
	})
	a.end()
}

func emitAdam(a *asm, i isa) {
	name := "adam" + i.name
	a.function(name, "func(p2, m2, v2, p, grad, m, v *float32, n int, "+
		float32s("lr", "beta1", "rest1", "beta2", "rest2", "fix1", "fix2", "epsilon", "wd")+", decay int)",
		name+" is, with rest = 1-beta, fix = 1-beta^t and decay 0 or 1,",
		"for i := range n {",
		"\td := grad[i]; if decay != 0 { d += wd*p[i] }",
		"\tm2[i] = beta1*m[i] + rest1*d",
		"\tv2[i] = beta2*v[i] + rest2*d*d",
		"\tp2[i] = p[i] - lr*(m2[i]/fix1)/(sqrt(v2[i]/fix2)+epsilon)",
		"}")
	c := map[string]reg.VecVirtual{}
	for _, n := range []string{"lr", "beta1", "rest1", "beta2", "rest2", "fix1", "fix2", "epsilon", "wd"} {
		c[n] = a.broadcast(i, n)
	}
	decay := a.arg("decay")
	instance := 0
	a.stream(i, "p2", "m2", "v2", "p", "grad", "m", "v").each(1, func(_ int, x access) {
		instance++
		p, d := x.load(3), x.load(4)
		a.decay(label("noDecay%d", instance), decay, c["wd"], p, d)
		m := x.load(5)
		a.VMULPS(c["beta1"], m, m)
		a.VFMADD231PS(c["rest1"], d, m)
		x.store(m, 1)
		v := x.load(6)
		a.VMULPS(c["beta2"], v, v)
		a.VMULPS(d, d, d)
		a.VFMADD231PS(c["rest2"], d, v)
		x.store(v, 2)
		a.VDIVPS(c["fix1"], m, m)
		a.VMULPS(c["lr"], m, m)
		a.VDIVPS(c["fix2"], v, v)
		a.VSQRTPS(v, v)
		a.VADDPS(c["epsilon"], v, v)
		a.VDIVPS(v, m, m)
		a.VSUBPS(m, p, p)
		x.store(p, 0)
	})
	a.end()
}
