//go:build !purego

package kernel

func (s *SGD) loop(i ISA, p2, v2, p, g, v []float32) {
	f := sgdAVX2
	switch i {
	case AVX512:
		f = sgdAVX512
	case AVX2:
	default:
		s.stepGo(p2, v2, p, g, v)
		return
	}
	f(&p2[0], &v2[0], &p[0], &g[0], &v[0], len(p2), s.LR, s.Momentum, s.Scale, s.Decay, bit(s.Decay != 0), bit(s.Nesterov))
}

func (a *Adam) loop(i ISA, p2, m2, v2, p, g, m, v []float32) {
	f := adamAVX2
	switch i {
	case AVX512:
		f = adamAVX512
	case AVX2:
	default:
		a.stepGo(p2, m2, v2, p, g, m, v)
		return
	}
	f(&p2[0], &m2[0], &v2[0], &p[0], &g[0], &m[0], &v[0], len(p2),
		a.LR, a.Beta1, a.Rest1, a.Beta2, a.Rest2, a.Fix1, a.Fix2, a.Epsilon, a.Decay, bit(a.Decay != 0))
}
