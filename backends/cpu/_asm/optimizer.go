package main

import (
	"fmt"
	"strings"

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

// emitAdam computes in float64, half a vector of f32 at a time: its quotient
// would gather some ten roundings, more than the gradient's own.
func emitAdam(a *asm, i isa) {
	name := "adam" + i.name
	coefficients := []string{"lr1", "beta1", "rest1", "beta2", "rest2", "fix2", "epsilon", "wd"}
	a.function(name, "func(p2, m2, v2, p, grad, m, v *float32, n int, "+strings.Join(coefficients, ", ")+" float64, decay int)",
		name+" is, for n a multiple of "+fmt.Sprint(i.lanes/2)+" and decay 0 or 1, in float64 between loads and stores,",
		"for i := range n {",
		"\td := grad[i]; if decay != 0 { d += wd*p[i] }",
		"\tmi := beta1*m[i] + rest1*d",
		"\tvi := beta2*v[i] + rest2*d*d",
		"\tp2[i], m2[i], v2[i] = p[i] - lr1*mi/(sqrt(vi*fix2)+epsilon), mi, vi",
		"}")
	c := map[string]reg.VecVirtual{}
	for _, n := range coefficients {
		c[n] = a.broadcast64(i, n)
	}
	ptr := map[string]reg.GPVirtual{}
	names := []string{"p2", "m2", "v2", "p", "grad", "m", "v"}
	for _, n := range names {
		ptr[n] = a.arg(n)
	}
	load := func(n string) reg.VecVirtual {
		v := a.vec(i)
		a.VCVTPS2PD(at(ptr[n], 0), v)
		return v
	}
	store := func(v reg.VecVirtual, n string) {
		if i == avx512 {
			h := a.YMM()
			a.VCVTPD2PS(v, h)
			a.VMOVUPS(h, at(ptr[n], 0))
		} else {
			h := a.XMM()
			a.VCVTPD2PSY(v, h)
			a.VMOVUPS(h, at(ptr[n], 0))
		}
	}
	n, decay := a.arg("n"), a.arg("decay")
	a.Label("loop")
	a.SUBQ(operand.I32(i.lanes/2), n)
	a.JLT(operand.LabelRef("done"))
	p, d := load("p"), load("grad")
	a.TESTQ(decay, decay)
	a.JEQ(operand.LabelRef("noDecay"))
	a.VFMADD231PD(p, c["wd"], d)
	a.Label("noDecay")
	m := load("m")
	a.VMULPD(c["beta1"], m, m)
	a.VFMADD231PD(c["rest1"], d, m)
	v := load("v")
	a.VMULPD(c["beta2"], v, v)
	a.VMULPD(d, d, d)
	a.VFMADD231PD(c["rest2"], d, v)
	store(m, "m2")
	store(v, "v2")
	a.VMULPD(c["fix2"], v, v)
	a.VSQRTPD(v, v)
	a.VADDPD(c["epsilon"], v, v)
	a.VMULPD(c["lr1"], m, m)
	a.VDIVPD(v, m, m)
	a.VSUBPD(m, p, p)
	store(p, "p2")
	for _, n := range names {
		a.ADDQ(operand.I32(i.bytes()/2), ptr[n])
	}
	a.JMP(operand.LabelRef("loop"))
	a.Label("done")
	a.end()
}
