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

// Adam is a step of Kingma and Ba's algorithm 1 (2015): d = g + Decay·p,
// m' = Beta1·m + Rest1·d, v' = Beta2·v + Rest2·d²,
// p' = p - LR·(m'/Fix1)/(√(v'/Fix2) + Epsilon), with Rest = 1-Beta and
// Fix = 1-Betaᵗ.
type Adam struct {
	LR, Beta1, Rest1, Beta2, Rest2, Fix1, Fix2, Epsilon, Decay float32
}

// Step computes p', m' and v' for all of p2; outputs may be their inputs.
func (a *Adam) Step(i ISA, p2, m2, v2, p, g, m, v []float32) {
	n := len(p2)
	m2, v2, p, g, m, v = m2[:n], v2[:n], p[:n], g[:n], m[:n], v[:n]
	for o := 0; o < n; o += chunk / 2 {
		e := min(o+chunk/2, n)
		a.loop(i, p2[o:e], m2[o:e], v2[o:e], p[o:e], g[o:e], m[o:e], v[o:e])
	}
}

func (a *Adam) stepGo(p2, m2, v2, p, g, m, v []float32) {
	for j := range p2 {
		d := g[j]
		if a.Decay != 0 {
			d += a.Decay * p[j]
		}
		mj := a.Beta1*m[j] + a.Rest1*d
		vj := a.Beta2*v[j] + a.Rest2*(d*d)
		m2[j], v2[j] = mj, vj
		root := float32(math.Sqrt(float64(vj / a.Fix2)))
		p2[j] = p[j] - a.LR*(mj/a.Fix1)/(root+a.Epsilon)
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
