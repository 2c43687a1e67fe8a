package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The norms: sums over a group in float64, elements of the result in float32.
func emitNorm(a *asm) {
	for _, i := range []isa{avx512, avx2} {
		emitMoments(a, i)
		emitProducts(a, i, false)
		emitProducts(a, i, true)
		emitAddProducts(a, i)
		emitDistance(a, i)
		emitStandardize(a, i)
		emitStandardizeRow(a, i, false)
		emitStandardizeRow(a, i, true)
		emitNormGrad(a, i, false)
		emitNormGrad(a, i, true)
		emitResponse(a, i)
	}
}

// widen gives the elements of v in float64, the first half and the second.
func (a *asm) widen(i isa, v reg.VecVirtual) [2]reg.VecVirtual {
	lo, hi := a.vec(i), a.vec(i)
	if i == avx512 {
		h := a.YMM()
		a.VEXTRACTF64X4(operand.U8(1), v, h)
		a.VCVTPS2PD(v.AsY(), lo)
		a.VCVTPS2PD(h, hi)
	} else {
		h := a.XMM()
		a.VEXTRACTF128(operand.U8(1), v, h)
		a.VCVTPS2PD(v.AsX(), lo)
		a.VCVTPS2PD(h, hi)
	}
	return [2]reg.VecVirtual{lo, hi}
}

// returnSum adds the vectors of float64 up and returns their lanes' sum.
func (a *asm) returnSum(i isa, result int, acc []reg.VecVirtual) {
	for n := len(acc) / 2; n > 0; n /= 2 {
		for k := range n {
			a.VADDPD(acc[k+n], acc[k], acc[k])
		}
	}
	x, y := acc[0].AsX(), acc[0].AsY()
	if i == avx512 {
		h := a.YMM()
		a.VEXTRACTF64X4(operand.U8(1), acc[0], h)
		a.VADDPD(h, y, y)
	}
	h := a.XMM()
	a.VEXTRACTF128(operand.U8(1), y, h)
	a.VADDPD(h, x, x)
	a.VUNPCKHPD(x, x, h)
	a.VADDSD(h, x, x)
	a.Store(x, a.ReturnIndex(result))
}

func (a *asm) zeroed(i isa, n int) []reg.VecVirtual {
	v := a.vecs(i, n)
	for _, x := range v {
		a.clear(x)
	}
	return v
}

func emitMoments(a *asm, i isa) {
	name := "moments" + i.name
	a.function(name, "func(x *float32, n int, about float32) (sum, squares float64)",
		name+" is, d in float32, the sums in float64 and in another order,",
		"for i := range n { d := x[i] - about; sum += d; squares += d*d }")
	const chains = 2
	sums, squares := a.zeroed(i, 2*chains), a.zeroed(i, 2*chains)
	about := a.broadcast(i, "about")
	a.stream(i, "x").each(chains, func(u int, x access) {
		v := x.load(0)
		a.VSUBPS(about, v, v)
		x.only(v)
		for k, d := range a.widen(i, v) {
			a.VADDPD(d, sums[2*u+k], sums[2*u+k])
			a.VFMADD231PD(d, d, squares[2*u+k])
		}
	})
	a.returnSum(i, 0, sums)
	a.returnSum(i, 1, squares)
	a.end()
}

func emitProducts(a *asm, i isa, scaled bool) {
	name, args, g := "products"+i.name, "dy, x *float32", "dy[i]"
	ptrs := []string{"dy", "x"}
	if scaled {
		name, args, g = "scaledProducts"+i.name, "dy, x, scale *float32", "dy[i]*scale[i]"
		ptrs = append(ptrs, "scale")
	}
	a.function(name, "func("+args+", n int, about float32) (sum, product float64)",
		name+" is, the sums in float64 and in another order,",
		"for i := range n { g := "+g+"; sum += g; product += g*(x[i] - about) }")
	sums, products := a.zeroed(i, 2), a.zeroed(i, 2)
	about := a.broadcast(i, "about")
	a.stream(i, ptrs...).each(1, func(_ int, x access) {
		v, d := x.load(0), x.load(1)
		if scaled {
			a.VMULPS(x.load(2), v, v)
		}
		a.VSUBPS(about, d, d)
		gs, ds := a.widen(i, v), a.widen(i, d)
		for k := range gs {
			a.VADDPD(gs[k], sums[k], sums[k])
			a.VFMADD231PD(gs[k], ds[k], products[k])
		}
	})
	a.returnSum(i, 0, sums)
	a.returnSum(i, 1, products)
	a.end()
}

func emitDistance(a *asm, i isa) {
	name := "squaredDistance" + i.name
	a.function(name, "func(x, y *float32, n int) float64",
		name+" is, d in float32, the sum in float64 and in another order,",
		"for i := range n { d := x[i] - y[i]; sum += d*d }")
	sums := a.zeroed(i, 4)
	a.stream(i, "x", "y").each(2, func(u int, x access) {
		v := x.load(0)
		a.VSUBPS(x.load(1), v, v)
		for k, d := range a.widen(i, v) {
			a.VFMADD231PD(d, d, sums[2*u+k])
		}
	})
	a.returnSum(i, 0, sums)
	a.end()
}

func emitAddProducts(a *asm, i isa) {
	name := "addProducts" + i.name
	a.function(name, "func(products, sums *float64, dy, x *float32, n int, about, factor float64)",
		label("%s is, for n a multiple of %d,", name, i.lanes/2),
		"for i := range n { products[i] += dy[i]*factor*(x[i] - about); sums[i] += dy[i] }")
	about, factor := a.broadcast64(i, "about"), a.broadcast64(i, "factor")
	ps, ss, dy, x, n := a.arg("products"), a.arg("sums"), a.arg("dy"), a.arg("x"), a.arg("n")
	a.Label("loop")
	a.SUBQ(operand.I32(i.lanes/2), n)
	a.JLT(operand.LabelRef("done"))
	g, d, t := a.vec(i), a.vec(i), a.vec(i)
	a.VCVTPS2PD(at(dy, 0), g)
	a.VCVTPS2PD(at(x, 0), d)
	a.VADDPD(at(ss, 0), g, t)
	a.VMOVUPD(t, at(ss, 0))
	a.VSUBPD(about, d, d)
	a.VMULPD(factor, g, g)
	a.VFMADD213PD(at(ps, 0), g, d)
	a.VMOVUPD(d, at(ps, 0))
	for _, p := range []reg.GPVirtual{ps, ss} {
		a.ADDQ(operand.I32(i.bytes()), p)
	}
	for _, p := range []reg.GPVirtual{dy, x} {
		a.ADDQ(operand.I32(i.bytes()/2), p)
	}
	a.JMP(operand.LabelRef("loop"))
	a.Label("done")
	a.end()
}

// broadcast64 loads a float64 parameter into all lanes.
func (a *asm) broadcast64(i isa, name string) reg.VecVirtual {
	m, err := a.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	v := a.vec(i)
	a.VBROADCASTSD(m.Addr, v)
	return v
}

func emitStandardize(a *asm, i isa) {
	name := "standardize" + i.name
	a.function(name, "func(y, x *float32, n int, "+float32s("mean", "scale", "shift")+")",
		name+" is for i := range n { y[i] = (x[i]-mean)*scale + shift }")
	mean, scale, shift := a.broadcast(i, "mean"), a.broadcast(i, "scale"), a.broadcast(i, "shift")
	a.stream(i, "y", "x").each(4, func(_ int, x access) {
		v := x.load(1)
		a.VSUBPS(mean, v, v)
		a.VFMADD213PS(shift, scale, v)
		x.store(v, 0)
	})
	a.end()
}

func emitStandardizeRow(a *asm, i isa, shifted bool) {
	name, args, tail := "standardizeRow"+i.name, "y, x, scale *float32", ""
	ptrs := []string{"y", "x", "scale"}
	if shifted {
		name, args, tail = "standardizeShiftRow"+i.name, "y, x, scale, shift *float32", " + shift[i]"
		ptrs = append(ptrs, "shift")
	}
	a.function(name, "func("+args+", n int, "+float32s("mean", "inv", "rest")+")",
		name+" is for i := range n { y[i] = ((x[i]-mean)*inv + rest)*scale[i]"+tail+" }")
	mean, inv, rest := a.broadcast(i, "mean"), a.broadcast(i, "inv"), a.broadcast(i, "rest")
	a.stream(i, ptrs...).each(2, func(_ int, x access) {
		v, s := x.load(1), x.load(2)
		a.VSUBPS(mean, v, v)
		a.VFMADD213PS(rest, inv, v)
		if shifted {
			a.VFMADD213PS(x.load(3), s, v)
		} else {
			a.VMULPS(s, v, v)
		}
		x.store(v, 0)
	})
	a.end()
}

func emitNormGrad(a *asm, i isa, scaled bool) {
	name, args, g := "normGrad"+i.name, "dx, dy, x *float32", "dy[i]"
	ptrs := []string{"dx", "dy", "x"}
	if scaled {
		name, args, g = "normGradRow"+i.name, "dx, dy, x, scale *float32", "dy[i]*scale[i]"
		ptrs = append(ptrs, "scale")
	}
	a.function(name, "func("+args+", n int, "+float32s("mean", "gain", "slope", "shift")+")",
		name+" is for i := range n { dx[i] = gain*"+g+" + slope*(x[i]-mean) + shift }")
	mean, gain := a.broadcast(i, "mean"), a.broadcast(i, "gain")
	slope, shift := a.broadcast(i, "slope"), a.broadcast(i, "shift")
	a.stream(i, ptrs...).each(2, func(_ int, x access) {
		g, v := x.load(1), x.load(2)
		if scaled {
			a.VMULPS(x.load(3), g, g)
		}
		a.VSUBPS(mean, v, v)
		a.VFMADD213PS(shift, slope, v)
		a.VFMADD231PS(gain, g, v)
		x.store(v, 0)
	})
	a.end()
}

func emitResponse(a *asm, i isa) {
	name := "response" + i.name
	a.function(name, "func(y, x, squares *float32, n int, "+float32s("alpha", "bias")+")",
		name+" is for i := range n { s := bias + alpha*squares[i]; y[i] = x[i] / (sqrt(s)*sqrt(sqrt(s))) }")
	alpha, bias := a.broadcast(i, "alpha"), a.broadcast(i, "bias")
	a.stream(i, "y", "x", "squares").each(2, func(_ int, x access) {
		v, s := x.load(1), x.load(2)
		a.VFMADD213PS(bias, alpha, s)
		root, fourth := a.vec(i), a.vec(i)
		a.VSQRTPS(s, root)
		a.VSQRTPS(root, fourth)
		a.VMULPS(fourth, root, root)
		a.VDIVPS(root, v, v)
		x.store(v, 0)
	})
	a.end()
}
