package reference

import (
	"math"
	"slices"
)

// All arrays of this file but the scalars lr, step and skip have the
// parameter's shape. skip may be nil; where it is true (not 0) nothing
// changes.

// SGDParams are the hyperparameters of SGD.
type SGDParams struct {
	Momentum, Dampening, WeightDecay float64
	Nesterov                         bool
}

// SGD is gradient descent with momentum (Sutskever, Martens, Dahl and Hinton,
// "On the importance of initialization and momentum in deep learning", ICML
// 2013), in PyTorch's form, the learning rate outside of the velocity:
//
//	g′ = g + weight_decay·p
//	v′ = momentum·v + (1 − dampening)·g′
//	p′ = p − lr·v′, or with Nesterov's momentum p − lr·(g′ + momentum·v′)
//
// v is 0 before the first step. PyTorch's first v′ is g′ itself, which is a step
// without dampening.
func SGD(p, g, v, lr, skip *Array, h SGDParams) (p2, v2 *Array) {
	if skipped(skip) {
		return copyOf(p), copyOf(v)
	}
	p2, v2 = New(p.Shape...), New(p.Shape...)
	for i := range p.Data {
		grad := g.Data[i] + h.WeightDecay*p.Data[i]
		v2.Data[i] = h.Momentum*v.Data[i] + (1-h.Dampening)*grad
		direction := v2.Data[i]
		if h.Nesterov {
			direction = grad + h.Momentum*v2.Data[i]
		}
		p2.Data[i] = p.Data[i] - lr.Data[0]*direction
	}
	return p2, v2
}

// AdamParams are the hyperparameters of Adam.
type AdamParams struct{ Beta1, Beta2, Epsilon, WeightDecay float64 }

// Adam is algorithm 1 of Kingma and Ba, "Adam: A Method for Stochastic
// Optimization", ICLR 2015, at timestep t = step + 1:
//
//	g′ = g + weight_decay·p
//	m′ = β₁·m + (1 − β₁)·g′,  m̂ = m′ / (1 − β₁ᵗ)
//	v′ = β₂·v + (1 − β₂)·g′², v̂ = v′ / (1 − β₂ᵗ)
//	p′ = p − lr·m̂ / (√v̂ + ε)
func Adam(p, g, m, v, step, lr, skip *Array, h AdamParams) (p2, m2, v2 *Array) {
	decayed := New(p.Shape...)
	for i := range p.Data {
		decayed.Data[i] = g.Data[i] + h.WeightDecay*p.Data[i]
	}
	h.WeightDecay = 0
	return AdamW(p, decayed, m, v, step, lr, skip, h)
}

// AdamW is algorithm 2 of Loshchilov and Hutter, "Decoupled Weight Decay
// Regularization", ICLR 2019, the schedule multiplier in lr: Adam without
// decay in its gradient, and instead
//
//	p′ = p − lr·weight_decay·p − lr·m̂ / (√v̂ + ε)
func AdamW(p, g, m, v, step, lr, skip *Array, h AdamParams) (p2, m2, v2 *Array) {
	if skipped(skip) {
		return copyOf(p), copyOf(m), copyOf(v)
	}
	p2, m2, v2 = New(p.Shape...), New(p.Shape...), New(p.Shape...)
	t := step.Data[0] + 1
	// 1 − βᵗ, without the cancellation.
	correct1 := -math.Expm1(t * math.Log(h.Beta1))
	correct2 := -math.Expm1(t * math.Log(h.Beta2))
	for i := range p.Data {
		grad := g.Data[i]
		m2.Data[i] = h.Beta1*m.Data[i] + (1-h.Beta1)*grad
		v2.Data[i] = h.Beta2*v.Data[i] + (1-h.Beta2)*grad*grad
		mHat, vHat := m2.Data[i]/correct1, v2.Data[i]/correct2
		decay := h.WeightDecay * p.Data[i]
		p2.Data[i] = p.Data[i] - lr.Data[0]*(decay+mHat/(math.Sqrt(vHat)+h.Epsilon))
	}
	return p2, m2, v2
}

// RMSpropParams are the hyperparameters of RMSprop.
type RMSpropParams struct {
	Alpha, Epsilon, Momentum, WeightDecay float64
	Centered                              bool
}

// RMSprop divides by a running root mean square (Tieleman and Hinton,
// "Lecture 6.5 - rmsprop", Coursera 2012), or by a running deviation (centered:
// Graves, "Generating Sequences With Recurrent Neural Networks", 2013), in
// PyTorch's form, ε outside of the root:
//
//	g′ = g + weight_decay·p
//	s′ = α·s + (1 − α)·g′²
//	a′ = α·a + (1 − α)·g′
//	b′ = momentum·b + g′ / (√s′ + ε), centered g′ / (√(s′ − a′²) + ε)
//	p′ = p − lr·b′
//
// b and a may be nil: zero. It gives p′, s′, b′, a′.
func RMSprop(p, g, s, b, a, lr, skip *Array, h RMSpropParams) []*Array {
	if b == nil {
		b = New(p.Shape...)
	}
	if a == nil {
		a = New(p.Shape...)
	}
	if skipped(skip) {
		return []*Array{copyOf(p), copyOf(s), copyOf(b), copyOf(a)}
	}
	p2, s2, b2, a2 := New(p.Shape...), New(p.Shape...), New(p.Shape...), New(p.Shape...)
	for i := range p.Data {
		grad := g.Data[i] + h.WeightDecay*p.Data[i]
		s2.Data[i] = h.Alpha*s.Data[i] + (1-h.Alpha)*grad*grad
		a2.Data[i] = h.Alpha*a.Data[i] + (1-h.Alpha)*grad
		square := s2.Data[i]
		if h.Centered {
			square -= a2.Data[i] * a2.Data[i]
		}
		b2.Data[i] = h.Momentum*b.Data[i] + grad/(math.Sqrt(square)+h.Epsilon)
		p2.Data[i] = p.Data[i] - lr.Data[0]*b2.Data[i]
	}
	return []*Array{p2, s2, b2, a2}
}

// ExponentialMovingAverage is a′ = decay·a + (1 − decay)·x (Polyak and
// Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992,
// with weights that fade).
func ExponentialMovingAverage(a, x, skip *Array, decay float64) *Array {
	if skipped(skip) {
		return copyOf(a)
	}
	return apply2(a, x, func(a, x float64) float64 { return decay*a + (1-decay)*x })
}

func skipped(skip *Array) bool { return skip != nil && skip.Data[0] != 0 }

func copyOf(x *Array) *Array { return &Array{x.Shape.Clone(), slices.Clone(x.Data)} }
