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
		emitRMSprop(a, i)
		emitMovingAverage(a, i)
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
	decay := a.arg("decay")
	w := a.wideStream(i, "p2", "m2", "v2", "p", "grad", "m", "v")
	w.each(func() {
		p, d := w.load("p"), w.load("grad")
		w.decay(decay, c["wd"], p, d)
		m := w.load("m")
		a.VMULPD(c["beta1"], m, m)
		a.VFMADD231PD(c["rest1"], d, m)
		v := w.load("v")
		a.VMULPD(c["beta2"], v, v)
		a.VMULPD(d, d, d)
		a.VFMADD231PD(c["rest2"], d, v)
		w.store(m, "m2")
		w.store(v, "v2")
		a.VMULPD(c["fix2"], v, v)
		a.VSQRTPD(v, v)
		a.VADDPD(c["epsilon"], v, v)
		a.VMULPD(c["lr1"], m, m)
		a.VDIVPD(v, m, m)
		a.VSUBPD(m, p, p)
		w.store(p, "p2")
	})
}

// wideStream is a loop over float32 computed in float64, half a vector at a
// time.
type wideStream struct {
	*asm
	isa   isa
	names []string
	ptr   map[string]reg.GPVirtual
}

// wideStream takes its pointers from the parameters so named.
func (a *asm) wideStream(i isa, names ...string) *wideStream {
	w := &wideStream{asm: a, isa: i, names: names, ptr: map[string]reg.GPVirtual{}}
	for _, n := range names {
		w.ptr[n] = a.arg(n)
	}
	return w
}

func (w *wideStream) load(name string) reg.VecVirtual {
	v := w.vec(w.isa)
	w.VCVTPS2PD(at(w.ptr[name], 0), v)
	return v
}

func (w *wideStream) store(v reg.VecVirtual, name string) {
	if w.isa == avx512 {
		h := w.YMM()
		w.VCVTPD2PS(v, h)
		w.VMOVUPS(h, at(w.ptr[name], 0))
	} else {
		h := w.XMM()
		w.VCVTPD2PSY(v, h)
		w.VMOVUPS(h, at(w.ptr[name], 0))
	}
}

// decay adds wd·p to g unless wd is zero.
func (w *wideStream) decay(on reg.GPVirtual, wd, p, g reg.VecVirtual) {
	w.TESTQ(on, on)
	w.JEQ(operand.LabelRef("noDecay"))
	w.VFMADD231PD(p, wd, g)
	w.Label("noDecay")
}

// each emits the loop over n elements and ends the function.
func (w *wideStream) each(body func()) {
	n := w.arg("n")
	w.Label("loop")
	w.SUBQ(operand.I32(w.isa.lanes/2), n)
	w.JLT(operand.LabelRef("done"))
	body()
	for _, name := range w.names {
		w.ADDQ(operand.I32(w.isa.bytes()/2), w.ptr[name])
	}
	w.JMP(operand.LabelRef("loop"))
	w.Label("done")
	w.end()
}

func emitRMSprop(a *asm, i isa) {
	name := "rmsprop" + i.name
	coefficients := []string{"lr", "alpha", "rest", "epsilon", "momentum", "wd"}
	a.function(name, "func(p2, s2, b2, a2, p, grad, s, b, a *float32, n int, "+strings.Join(coefficients, ", ")+" float64, decay, centered int)",
		name+" is, for n a multiple of "+fmt.Sprint(i.lanes/2)+", decay and centered 0 or 1, in float64 between loads and stores,",
		"for i := range n {",
		"\td := grad[i]; if decay != 0 { d += wd*p[i] }",
		"\tsi, ai := alpha*s[i] + rest*d*d, alpha*a[i] + rest*d",
		"\tvar2 := si; if centered != 0 { var2 -= ai*ai }",
		"\tbi := momentum*b[i] + d/(sqrt(var2)+epsilon)",
		"\tp2[i], s2[i], b2[i], a2[i] = p[i] - lr*bi, si, bi, ai",
		"}")
	c := map[string]reg.VecVirtual{}
	for _, n := range coefficients {
		c[n] = a.broadcast64(i, n)
	}
	decay, centered := a.arg("decay"), a.arg("centered")
	w := a.wideStream(i, "p2", "s2", "b2", "a2", "p", "grad", "s", "b", "a")
	w.each(func() {
		p, d := w.load("p"), w.load("grad")
		w.decay(decay, c["wd"], p, d)
		t := a.vec(i) // rest·d
		a.VMULPD(c["rest"], d, t)
		mean := w.load("a")
		a.VFMADD213PD(t, c["alpha"], mean)
		w.store(mean, "a2")
		square := w.load("s")
		a.VMULPD(c["alpha"], square, square)
		a.VFMADD231PD(t, d, square)
		w.store(square, "s2")
		a.TESTQ(centered, centered)
		a.JEQ(operand.LabelRef("about0"))
		a.VFNMADD231PD(mean, mean, square)
		a.Label("about0")
		a.VSQRTPD(square, square)
		a.VADDPD(c["epsilon"], square, square)
		a.VDIVPD(square, d, d)
		buffer := w.load("b")
		a.VFMADD213PD(d, c["momentum"], buffer)
		w.store(buffer, "b2")
		a.VFNMADD231PD(buffer, c["lr"], p)
		w.store(p, "p2")
	})
}

func emitMovingAverage(a *asm, i isa) {
	name := "movingAverage" + i.name
	a.function(name, "func(next, a, x *float32, n int, keep, take float64)",
		name+" is, for n a multiple of "+fmt.Sprint(i.lanes/2)+", in float64 between loads and stores,",
		"for i := range n { next[i] = keep*a[i] + take*x[i] }")
	keep, take := a.broadcast64(i, "keep"), a.broadcast64(i, "take")
	w := a.wideStream(i, "next", "a", "x")
	w.each(func() {
		v, x := w.load("a"), w.load("x")
		a.VMULPD(take, x, x)
		a.VFMADD213PD(x, keep, v)
		w.store(v, "next")
	})
}
