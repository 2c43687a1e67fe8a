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

// loop does whole vectors and says how many elements that were.
func (f *adamFactors) loop(i ISA, p2, m2, v2, p, g, m, v []float32) int {
	loop, n := adamAVX2, len(p2)
	switch i {
	case AVX512:
		loop, n = adamAVX512, n&^7
	case AVX2:
		n &^= 3
	default:
		return 0
	}
	if n > 0 {
		loop(&p2[0], &m2[0], &v2[0], &p[0], &g[0], &m[0], &v[0], n,
			f.lr1, f.beta1, f.rest1, f.beta2, f.rest2, f.fix2, f.epsilon, f.wd, bit(f.wd != 0))
	}
	return n
}

var (
	optimizers512 = optimizerLoops{8, rmspropAVX512, movingAverageAVX512}
	optimizers2   = optimizerLoops{4, rmspropAVX2, movingAverageAVX2}
)

// optimizersFor gives the loops of an instruction set; nil: there are none.
func optimizersFor(i ISA) *optimizerLoops {
	switch i {
	case AVX512:
		return &optimizers512
	case AVX2:
		return &optimizers2
	}
	return nil
}
