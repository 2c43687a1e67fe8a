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
	if skipped(skip) {
		return copyOf(p), copyOf(m), copyOf(v)
	}
	p2, m2, v2 = New(p.Shape...), New(p.Shape...), New(p.Shape...)
	t := step.Data[0] + 1
	// 1 − βᵗ, without the cancellation.
	correct1 := -math.Expm1(t * math.Log(h.Beta1))
	correct2 := -math.Expm1(t * math.Log(h.Beta2))
	for i := range p.Data {
		grad := g.Data[i] + h.WeightDecay*p.Data[i]
		m2.Data[i] = h.Beta1*m.Data[i] + (1-h.Beta1)*grad
		v2.Data[i] = h.Beta2*v.Data[i] + (1-h.Beta2)*grad*grad
		mHat, vHat := m2.Data[i]/correct1, v2.Data[i]/correct2
		p2.Data[i] = p.Data[i] - lr.Data[0]*mHat/(math.Sqrt(vHat)+h.Epsilon)
	}
	return p2, m2, v2
}

func skipped(skip *Array) bool { return skip != nil && skip.Data[0] != 0 }

func copyOf(x *Array) *Array { return &Array{x.Shape.Clone(), slices.Clone(x.Data)} }
