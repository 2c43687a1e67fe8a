package reference

import (
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// GlobalNorm is the Euclidean norm of all gradients as one vector, √Σ g² over
// all elements of all arrays.
func GlobalNorm(acc *Acc, grads []*Array) *Array {
	s := acc.New()
	for _, g := range grads {
		for _, v := range g.Data {
			s = s.Plus(v * v)
		}
	}
	norm := New()
	norm.Data[0] = math.Sqrt(s.Value())
	return norm
}

// ClipByNorm scales a gradient down where the norm of all of them exceeds a
// maximum (Pascanu, Mikolov and Bengio, "On the difficulty of training
// recurrent neural networks", ICML 2013, algorithm 1), with PyTorch's ε:
//
//	g′ = g·min(1, maxNorm / (norm + ε))
//
// norm is a scalar; where it is NaN so is g′.
func ClipByNorm(g, norm *Array, maxNorm, epsilon float64) *Array {
	by := min(1, maxNorm/(norm.Data[0]+epsilon)) // the builtin, which keeps NaN
	return apply(g, func(g float64) float64 { return g * by })
}

// AllFinite is 1 if no element of any array is infinite or NaN, else 0.
func AllFinite(xs []*Array) *Array {
	finite := New()
	finite.Data[0] = 1
	for _, x := range xs {
		for _, v := range x.Data {
			if math.IsInf(v, 0) || math.IsNaN(v) {
				finite.Data[0] = 0
			}
		}
	}
	return finite
}

// LossScaleParams are the parameters of DynamicLossScale.
type LossScaleParams struct {
	Growth, Backoff float64
	Interval        int
}

// DynamicLossScale moves the scale of a loss in mixed precision (Micikevicius
// et al., "Mixed Precision Training", ICLR 2018, §3.2) by the rules of
// PyTorch's GradScaler:
//
//	skip:                     scale′ = scale·backoff, counter′ = 0
//	counter + 1 = interval:   scale′ = scale·growth,  counter′ = 0
//	else:                     scale′ = scale,         counter′ = counter + 1
//
// but a scale that would grow to infinity in f32 stays. All are scalars.
func DynamicLossScale(scale, counter, skip *Array, h LossScaleParams) (scale2, counter2 *Array) {
	scale2, counter2 = copyOf(scale), New()
	switch n := counter.Data[0] + 1; {
	case skipped(skip):
		scale2.Data[0] *= h.Backoff
	case n == float64(h.Interval):
		if grown := scale.Data[0] * h.Growth; !math.IsInf(tensor.Round(grown, tensor.F32), 0) {
			scale2.Data[0] = grown
		}
	default:
		counter2.Data[0] = n
	}
	return scale2, counter2
}
