package kernel

import "math"

// SGD is a step of stochastic gradient descent with momentum, as PyTorch has
// it: d = g + Decay·p, v' = Momentum·v + Scale·d, and p' = p - LR·v' or, with
// Nesterov, p' = p - LR·(d + Momentum·v'). Scale is one less the dampening.
type SGD struct {
	LR, Momentum, Scale, Decay float32
	Nesterov                   bool
}

// Step computes p' and v' for all of p2; outputs may be their inputs.
func (s *SGD) Step(i ISA, p2, v2, p, g, v []float32) {
	n := len(p2)
	v2, p, g, v = v2[:n], p[:n], g[:n], v[:n]
	for o := 0; o < n; o += chunk {
		e := min(o+chunk, n)
		s.loop(i, p2[o:e], v2[o:e], p[o:e], g[o:e], v[o:e])
	}
}

func (s *SGD) stepGo(p2, v2, p, g, v []float32) {
	for j := range p2 {
		d := g[j]
		if s.Decay != 0 {
			d += s.Decay * p[j]
		}
		w := s.Momentum*v[j] + s.Scale*d
		v2[j] = w
		if s.Nesterov {
			w = d + s.Momentum*w
		}
		p2[j] = p[j] - s.LR*w
	}
}

// Adam is a step of Kingma and Ba's algorithm 1 (2015), the T-th from 1 on:
// d = g + Decay·p, m' = Beta1·m + (1-Beta1)·d, v' = Beta2·v + (1-Beta2)·d²,
// p' = p - LR·(m'/(1-Beta1ᵀ))/(√(v'/(1-Beta2ᵀ)) + Epsilon). It is computed in
// float64 and rounded once. Decoupled is AdamW: d = g, and p shrinks by
// LR·Decay of itself before the step.
type Adam struct {
	LR, Beta1, Beta2, Epsilon, Decay float64
	T                                float64
	Decoupled                        bool
}

// adamFactors are what a step multiplies by.
type adamFactors struct{ lr1, beta1, rest1, beta2, rest2, fix2, epsilon, wd float64 }

func (a *Adam) factors() adamFactors {
	// 1 - betaᵀ, without the cancellation.
	fix1, fix2 := -math.Expm1(a.T*math.Log(a.Beta1)), -math.Expm1(a.T*math.Log(a.Beta2))
	return adamFactors{a.LR / fix1, a.Beta1, 1 - a.Beta1, a.Beta2, 1 - a.Beta2, 1 / fix2, a.Epsilon, a.Decay}
}

// Step computes p', m' and v' for all of p2; outputs may be their inputs.
func (a *Adam) Step(i ISA, p2, m2, v2, p, g, m, v []float32) {
	n := len(p2)
	m2, v2, p, g, m, v = m2[:n], v2[:n], p[:n], g[:n], m[:n], v[:n]
	f := a.factors()
	if a.Decoupled {
		f.wd = 0
	}
	for o := 0; o < n; o += chunk / 4 {
		e := min(o+chunk/4, n)
		from := p[o:e]
		if a.Decoupled && a.Decay != 0 {
			Mul.Scalar(i, p2[o:e], from, float32(1-a.LR*a.Decay))
			from = p2[o:e]
		}
		whole := f.loop(i, p2[o:e], m2[o:e], v2[o:e], from, g[o:e], m[o:e], v[o:e])
		f.stepGo(p2[o+whole:e], m2[o+whole:e], v2[o+whole:e], from[whole:], g[o+whole:e], m[o+whole:e], v[o+whole:e])
	}
}

func (f *adamFactors) stepGo(p2, m2, v2, p, g, m, v []float32) {
	for j := range p2 {
		d := float64(g[j])
		if f.wd != 0 {
			d += f.wd * float64(p[j])
		}
		mj := f.beta1*float64(m[j]) + f.rest1*d
		vj := f.beta2*float64(v[j]) + f.rest2*(d*d)
		p2[j] = float32(float64(p[j]) - f.lr1*mj/(math.Sqrt(vj*f.fix2)+f.epsilon))
		m2[j], v2[j] = float32(mj), float32(vj)
	}
}

// RMSprop is a step of Hinton's rule, as PyTorch has it: d = g + Decay·p,
// s' = Alpha·s + (1-Alpha)·d², a' = Alpha·a + (1-Alpha)·d,
// b' = Momentum·b + d/(√v + Epsilon) with v = s', or s' - a'² if Centered, and
// p' = p - LR·b'. It is computed in float64 and rounded once.
type RMSprop struct {
	LR, Alpha, Epsilon, Momentum, Decay float64
	Centered                            bool
}

// RMSpropState is a part of a parameter, its mean square s, its buffer b and its
// mean gradient a.
type RMSpropState[T Float] struct{ P, S, B, A []T }

// from is what lies from element o on.
func (s RMSpropState[T]) from(o int) RMSpropState[T] {
	return RMSpropState[T]{s.P[o:], s.S[o:], s.B[o:], s.A[o:]}
}

// RMSpropStep computes the state after the step, all of to.P; it may lie where
// the one before does.
func RMSpropStep[T Float](i ISA, r RMSprop, to, state RMSpropState[T], g []T) {
	n, whole := len(to.P), 0
	if loops, p := optimizerVectors(i, state.P); loops != nil && n >= loops.lanes {
		whole = n / loops.lanes * loops.lanes
		p2, s2, b2, a2 := narrow(to.P), narrow(to.S)[:n], narrow(to.B)[:n], narrow(to.A)[:n]
		p, s, b, a, grad := p[:n], narrow(state.S)[:n], narrow(state.B)[:n], narrow(state.A)[:n], narrow(g)[:n]
		for o := 0; o < whole; o += chunk / 4 {
			loops.rmsprop(&p2[o], &s2[o], &b2[o], &a2[o], &p[o], &grad[o], &s[o], &b[o], &a[o], min(whole-o, chunk/4),
				r.LR, r.Alpha, 1-r.Alpha, r.Epsilon, r.Momentum, r.Decay, bit(r.Decay != 0), bit(r.Centered))
		}
	}
	rmspropGo(r, to.from(whole), state.from(whole), g[whole:])
}

func rmspropGo[T Float](r RMSprop, to, state RMSpropState[T], g []T) {
	for j := range to.P {
		x, d := float64(state.P[j]), float64(g[j])
		if r.Decay != 0 {
			d += r.Decay * x
		}
		s := r.Alpha*float64(state.S[j]) + (1-r.Alpha)*d*d
		a := r.Alpha*float64(state.A[j]) + (1-r.Alpha)*d
		v := s
		if r.Centered {
			v -= a * a
		}
		b := r.Momentum*float64(state.B[j]) + d/(math.Sqrt(v)+r.Epsilon)
		to.P[j], to.S[j], to.B[j], to.A[j] = T(x-r.LR*b), T(s), T(b), T(a)
	}
}

// MovingAverage is next[i] = decay·a[i] + (1-decay)·x[i]; next may be a.
func MovingAverage[T Float](i ISA, next, a, x []T, decay float64) {
	n, whole := len(next), 0
	a, x = a[:n], x[:n]
	if loops, a := optimizerVectors(i, a); loops != nil {
		whole = n / loops.lanes * loops.lanes
		next, x := narrow(next), narrow(x)
		for o := 0; o < whole; o += chunk / 2 {
			loops.movingAverage(&next[o], &a[o], &x[o], min(whole-o, chunk/2), decay, 1-decay)
		}
	}
	for j := whole; j < n; j++ {
		next[j] = T(decay*float64(a[j]) + (1-decay)*float64(x[j]))
	}
}

// optimizerLoops are those of one instruction set; they take multiples of lanes
// elements.
type optimizerLoops struct {
	lanes         int
	rmsprop       func(p2, s2, b2, a2, p, grad, s, b, a *float32, n int, lr, alpha, rest, epsilon, momentum, wd float64, decay, centered int)
	movingAverage func(next, a, x *float32, n int, keep, take float64)
}

// optimizerVectors are the loops for x; nil where it is not float32 or there
// are none.
func optimizerVectors[T Float](i ISA, x []T) (*optimizerLoops, []float32) {
	narrow, ok := any(x).([]float32)
	if !ok {
		return nil, nil
	}
	return optimizersFor(i), narrow
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
