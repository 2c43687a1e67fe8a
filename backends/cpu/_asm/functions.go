package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// function is a function of one number as a loop over vectors. Polynomials are
// minimax fits of the relative error, made for this file.
type function struct {
	name, is string // what it is, as Go in float64
	// begin writes what stands before the loop and gives what is in it.
	begin func(v vector, parameter func(i int) reg.VecVirtual) func(x reg.VecVirtual) reg.VecVirtual
}

// plain is a function without parameters or registers that it keeps.
func plain(of func(v vector, x reg.VecVirtual) reg.VecVirtual) func(vector, func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
	return func(v vector, _ func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
		return func(x reg.VecVirtual) reg.VecVirtual { return of(v, x) }
	}
}

var functions = []function{
	{"exp", "math.Exp(x)", func(v vector, _ func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
		return v.newExp().of
	}},
	{"log", "math.Log(x)", plain(vector.log)},
	{"tanh", "math.Tanh(x)", func(v vector, _ func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
		far := v.hold(30)
		return func(x reg.VecVirtual) reg.VecVirtual {
			a := v.abs(x)
			e := v.expm1(v.atMost(v.add(a, a), far))
			return v.signed(v.div(e, v.add(e, v.float(2))), x)
		}
	}},
	{"sigmoid", "1 / (1 + math.Exp(-x))", func(v vector, _ func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
		e := v.newExp()
		return e.sigmoid
	}},
	{"erf", "math.Erf(x)", func(v vector, _ func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
		return v.newErf().of
	}},
	{"gelu", "0.5 * x * (1 + math.Erf(x/math.Sqrt2))", func(v vector, _ func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
		// x·Φ(x) by Φ(-|x|), which is below half an ulp of 1 from 5.6 on.
		const end = 5.6
		far, zero, one := v.hold(end), v.hold(0), v.hold(1)
		return func(x reg.VecVirtual) reg.VecVirtual {
			a := v.abs(x)
			// log Φ(-a), within 2^-25 of Φ(0) and closer where Φ(-a) is less.
			p, n := v.power(v.halves(v.atMost(a, far), 1.94869045e-07, -4.25297003e-06, 3.77270335e-05, -0.00015232405, -6.90266243e-05,
				0.00488394313, -0.0363877565, -0.318297386, -0.797885537, -0.693147182))
			tail := v.choose(less, a, far, v.scaleNear(v.add(p, one), n), zero)
			return v.mul(v.choose(less, x, zero, tail, v.sub(one, tail)), x)
		}
	}},
	{"geluTanh", "0.5 * x * (1 + math.Tanh(√(2/π)*(x+0.044715*x*x*x)))", func(v vector, _ func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
		// ½·(1 + tanh t) is the sigmoid of 2t, and nothing cancels.
		const slope = 2 * math.Sqrt2 / math.SqrtPi
		e := v.newExp()
		return func(x reg.VecVirtual) reg.VecVirtual {
			t := v.hold(slope * 0.044715)
			v.fma(t, v.mul(x, x), v.float(slope))
			return v.mul(e.sigmoid(v.mul(t, x)), x)
		}
	}},
	{"swish", "x / (1 + math.Exp(-p[0]*x))", func(v vector, parameter func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
		e, alpha := v.newExp(), parameter(0)
		return func(x reg.VecVirtual) reg.VecVirtual { return v.mul(e.sigmoid(v.mul(x, alpha)), x) }
	}},
	{"softplus", "max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))", func(v vector, _ func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
		e, zero := v.newExp(), v.hold(0)
		return func(x reg.VecVirtual) reg.VecVirtual {
			return v.add(v.log1p(e.of(v.minus(x))), v.atLeast(x, zero))
		}
	}},
	{"mish", "x * math.Tanh(math.Log1p(math.Exp(x)))", func(v vector, _ func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
		// w/(w + 2) with w = e^x·(e^x + 2): both are e^(2·softplus) - 1 and + 1.
		e, far := v.newExp(), v.hold(40)
		return func(x reg.VecVirtual) reg.VecVirtual {
			y := e.of(v.atMost(x, far))
			w := v.mul(y, v.add(y, v.float(2)))
			return v.mul(v.div(w, v.add(w, v.float(2))), x)
		}
	}},
	{"exponential", "p[0]*x if x > 0, else p[1]*math.Expm1(x*p[2])", func(v vector, parameter func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
		right, left, rise := parameter(0), parameter(1), parameter(2)
		far, zero := v.hold(-30), v.hold(0)
		return func(x reg.VecVirtual) reg.VecVirtual {
			below := v.expm1(v.atLeast(v.atMost(v.mul(x, rise), zero), far))
			return v.choose(lessOrEqual, x, zero, v.mul(below, left), v.mul(x, right))
		}
	}},
	{"leakyReLU", "p[0]*x if x <= 0, else x", func(v vector, parameter func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
		slope, zero := parameter(0), v.hold(0)
		return func(x reg.VecVirtual) reg.VecVirtual {
			return v.choose(lessOrEqual, x, zero, v.mul(x, slope), x)
		}
	}},
	{"hardSigmoid", "max(0, min(1, p[0]*x+p[1]))", func(v vector, parameter func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
		slope, offset, clamp := parameter(0), parameter(1), v.newClamp()
		return func(x reg.VecVirtual) reg.VecVirtual {
			y := v.copy(x)
			v.fma(y, slope, offset)
			return clamp(y)
		}
	}},
	{"hardSwish", "x * max(0, min(1, x/6+0.5))", func(v vector, _ func(int) reg.VecVirtual) func(reg.VecVirtual) reg.VecVirtual {
		sixth, clamp := v.hold(1.0/6), v.newClamp()
		return func(x reg.VecVirtual) reg.VecVirtual {
			y := v.copy(x)
			v.fma(y, sixth, v.float(0.5))
			return v.mul(clamp(y), x)
		}
	}},
	{"softsign", "x / (1 + math.Abs(x))", plain(func(v vector, x reg.VecVirtual) reg.VecVirtual {
		return v.div(x, v.add(v.abs(x), v.float(1)))
	})},
	{"abs", "math.Abs(x)", plain(vector.abs)},
	{"reciprocal", "1 / x", plain(func(v vector, x reg.VecVirtual) reg.VecVirtual { return v.div(v.hold(1), x) })},
	{"sqrt", "math.Sqrt(x)", plain(func(v vector, x reg.VecVirtual) reg.VecVirtual {
		y := v.vec(v.isa)
		v.VSQRTPS(x, y)
		return y
	})},
	{"round", "math.RoundToEven(x)", plain(func(v vector, x reg.VecVirtual) reg.VecVirtual { return v.round(x, toNearest) })},
	{"floor", "math.Floor(x)", plain(func(v vector, x reg.VecVirtual) reg.VecVirtual { return v.round(x, down) })},
	{"ceil", "math.Ceil(x)", plain(func(v vector, x reg.VecVirtual) reg.VecVirtual { return v.round(x, up) })},
}

func emitFunctions(a *asm) {
	for _, i := range []isa{avx512, avx2} {
		for _, f := range functions {
			f.emit(a, i)
		}
		for _, store := range []bool{true, false} {
			emitExpSum(a, i, store)
		}
		emitSoftmaxGrad(a, i)
	}
}

func (f function) emit(a *asm, i isa) {
	name := f.name + i.name
	a.function(name, "func(dst, x *float32, n int, p *float32)",
		name+" is for i := range n { dst[i] = f(x[i]) } with f(x) = "+f.is+".")
	var parameters reg.GPVirtual
	of := f.begin(vector{a, i}, func(k int) reg.VecVirtual {
		if k == 0 {
			parameters = a.arg("p")
		}
		p := a.vec(i)
		a.VBROADCASTSS(at(parameters, 4*k), p)
		return p
	})
	a.stream(i, "dst", "x").inTurn(func(x access) { x.store(of(x.load(1)), 0) })
	a.end()
}

// How round rounds, without raising flags.
const (
	toNearest operand.U8 = 8 + iota
	down
	up
)

func (v vector) round(x reg.VecVirtual, how operand.U8) reg.VecVirtual {
	y := v.vec(v.isa)
	if v.isa == avx512 {
		v.VRNDSCALEPS(how, x, y)
	} else {
		v.VROUNDPS(how, x, y)
	}
	return y
}

// The logarithm of 2 in two parts.
var (
	ln2High = float64(float32(math.Ln2))
	ln2Low  = math.Ln2 - ln2High
)

// power is e^r - 1 and n of x = n·log 2 + r with the whole number n nearest.
func (v vector) power(x reg.VecVirtual) (p, n reg.VecVirtual) {
	n = v.round(v.mul(x, v.float(math.Log2E)), toNearest)
	r := v.copy(x)
	v.take(r, n, v.float(ln2High))
	v.take(r, n, v.float(ln2Low))
	// (e^r - 1 - r)/r² within 2^-28.
	p = v.horner(r, 0.00138209993, 0.00836867094, 0.0416682623, 0.166665211, 0.49999994)
	v.fma(p, v.mul(r, r), r)
	return p, n
}

// twoTo is 2^n as a number, for -126 ≤ n ≤ 127.
func (v vector) twoTo(n reg.VecVirtual) reg.VecVirtual {
	s := v.vec(v.isa)
	v.VCVTPS2DQ(n, s)
	v.exponent(s)
	return s
}

// exponent makes the number 2^n of the integer n, in place.
func (v vector) exponent(n reg.VecVirtual) {
	v.apply(v.VPADDD, v.VPADDD_BCST, v.word(127), n, n)
	v.VPSLLD(operand.U8(23), n, n)
}

// scale is x·2^n, rounded once where it is subnormal.
func (v vector) scale(x, n reg.VecVirtual) reg.VecVirtual {
	if v.isa == avx512 {
		y := v.vec(v.isa)
		v.VSCALEFPS(n, x, y)
		return y
	}
	// 2^n may be out of range, its two halves never are.
	whole, half := v.vec(v.isa), v.vec(v.isa)
	v.VCVTPS2DQ(n, whole)
	v.VPSRAD(operand.U8(1), whole, half)
	v.VPSUBD(half, whole, whole)
	v.exponent(whole)
	v.exponent(half)
	return v.mul(v.mul(x, half), whole)
}

// scaleNear is scale where 2^n and the result are normal.
func (v vector) scaleNear(x, n reg.VecVirtual) reg.VecVirtual {
	if v.isa == avx512 {
		return v.scale(x, n)
	}
	return v.mul(x, v.twoTo(n))
}

// exp keeps the range beyond which e^x is 0 and infinite.
type exp struct {
	vector
	low, high reg.VecVirtual
}

func (v vector) newExp() exp { return exp{v, v.hold(-110), v.hold(90)} }

func (e exp) of(x reg.VecVirtual) reg.VecVirtual {
	p, n := e.power(e.atMost(e.atLeast(x, e.low), e.high))
	return e.scale(e.add(p, e.float(1)), n)
}

// sigmoid is 1/(1 + e) or e/(1 + e) of e = e^-|x|.
func (e exp) sigmoid(x reg.VecVirtual) reg.VecVirtual {
	y := e.of(e.minus(x))
	top := e.choose(notLess, x, e.float(0), e.float(1), y)
	return e.div(top, e.add(y, e.float(1)))
}

// expm1 is e^x - 1, of |x| ≤ 44.
func (v vector) expm1(x reg.VecVirtual) reg.VecVirtual {
	p, n := v.power(x)
	s := v.twoTo(n)
	v.fma(p, s, v.sub(s, v.float(1)))
	return p
}

// log1p is log(1 + x), of 0 ≤ x ≤ 1: twice the inverse hyperbolic tangent of
// s = x/(2 + x).
func (v vector) log1p(x reg.VecVirtual) reg.VecVirtual {
	s := v.div(x, v.add(x, v.float(2)))
	square := v.mul(s, s)
	// 2·(atanh(s) - s)/s³ within 2^-27 of the whole.
	p := v.horner(square, 0.280263603, 0.27998665, 0.400217354, 0.666664124)
	v.fma(p, v.mul(square, s), v.add(s, s))
	return p
}

func (v vector) log(x reg.VecVirtual) reg.VecVirtual {
	// x = m·2^e with ¾ ≤ m < 3/2, as integers; subnormals times 2^23 first.
	const leastNormal, threeQuarters = 0x1p-126, 0x3f400000
	normal := v.choose(less, x, v.float(leastNormal), v.mul(x, v.float(1<<23)), x)
	raised := v.choose(less, x, v.float(leastNormal), v.float(23), v.hold(0))
	e, m := v.vec(v.isa), v.vec(v.isa)
	v.apply(v.VPSUBD, v.VPSUBD_BCST, v.word(threeQuarters), normal, e)
	v.VPSRAD(operand.U8(23), e, e)
	v.VPSLLD(operand.U8(23), e, m)
	v.VPSUBD(m, normal, m)
	v.VCVTDQ2PS(e, e)
	v.VSUBPS(raised, e, e)
	f := v.sub(m, v.float(1))
	square := v.mul(f, f)
	// (log(1+f) - f + f²/2)/f³ within 2^-27 of the whole.
	y := v.horner(f, -0.0451122373, 0.104688875, -0.131638736, 0.144783214, -0.166469991, 0.199908197, -0.250001043, 0.333334506)
	y = v.mul(v.mul(y, f), square)
	v.give(y, e, v.float(ln2Low))
	v.take(y, square, v.float(0.5))
	y = v.add(y, f)
	v.give(y, e, v.float(ln2High))
	infinity := math.Inf(1)
	y = v.choose(notLess, x, v.float(infinity), x, y)
	y = v.choose(equal, x, v.float(0), v.float(-infinity), y)
	return v.choose(less, x, v.float(0), v.float(math.NaN()), y)
}

// erf keeps the number from which on the function is 1.
type erf struct {
	vector
	far reg.VecVirtual
}

func (v vector) newErf() erf { return erf{v, v.hold(4)} }

// of is x + x·P(x²) below 1 and 1 - e^-Q(|x|) from there on.
func (e erf) of(x reg.VecVirtual) reg.VecVirtual {
	a := e.abs(x)
	// erf(x)/x - 1 within 2^-29.
	near := e.horner(e.mul(x, x), 7.80690389e-05, -0.00079978531, 0.0051871622, -0.0268533472, 0.112835787, -0.37612626, 0.128379166)
	e.fma(near, x, x)
	// log(erfc(a)) within 2^-29 of erf.
	q := e.horner(e.atMost(a, e.far), 0.000186382371, -0.00294768461, 0.0218381565, -0.103106923, -0.638144672, -1.12708926, -0.000341512583)
	p, n := e.power(q)
	beyond := e.sub(e.hold(1), e.scaleNear(e.add(p, e.float(1)), n))
	return e.choose(less, a, e.float(1), near, e.signed(beyond, x))
}

// newClamp keeps 0 and 1, between which it holds numbers.
func (v vector) newClamp() func(x reg.VecVirtual) reg.VecVirtual {
	zero, one := v.hold(0), v.hold(1)
	return func(x reg.VecVirtual) reg.VecVirtual { return v.atLeast(v.atMost(x, one), zero) }
}
