package reference

import (
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// RandomBits are the words of a stream of Philox4x32-10 (Salmon et al.,
// "Parallel Random Numbers: As Easy as 1, 2, 3", SC '11): element i, in
// row-major order, is word i&3 of the block of counter
// (lo32(i>>2), hi32(i>>2), stream, step) under the key seed.
func RandomBits(p tensor.Philox, shape tensor.Shape) *Array {
	bits := New(shape...)
	for i := range bits.Data {
		bits.Data[i] = float64(p.Word(uint64(i)))
	}
	return bits
}

// fraction is the upper 24 bits of a word as a number in [0, 1).
func fraction(word float64) float64 { return math.Floor(word/256) / (1 << 24) }

// RandomUniform is low + (high − low)·u, u in [0, 1) the fraction of each word
// of the stream.
func RandomUniform(p tensor.Philox, shape tensor.Shape, low, high float64) *Array {
	return apply(RandomBits(p, shape), func(word float64) float64 { return low + (high-low)*fraction(word) })
}

// RandomNormal are normal deviates (Box and Muller, "A Note on the Generation
// of Random Normal Deviates", 1958):
//
//	mean + scale · √(−2 ln u₁) · cos(2π u₂)
//
// with u₁ in (0, 1] from the fractions of the stream radius and u₂ in [0, 1)
// from those of the stream angle.
func RandomNormal(radius, angle tensor.Philox, shape tensor.Shape, mean, scale float64) *Array {
	return apply2(RandomBits(radius, shape), RandomBits(angle, shape), func(w1, w2 float64) float64 {
		u1, u2 := fraction(w1)+1.0/(1<<24), fraction(w2)
		return mean + scale*math.Sqrt(-2*math.Log(u1))*math.Cos(2*math.Pi*u2)
	})
}

// Bernoulli is 1 where the word of the element is less than ⌊P·2³²⌋, else 0;
// NaN is no probability, and gives 0.
func Bernoulli(p tensor.Philox, probability *Array) *Array {
	return apply2(RandomBits(p, probability.Shape), probability, func(word, p float64) float64 {
		return truth(word < math.Floor(p*(1<<32)))
	})
}

// TrainingDropout drops elements of X and scales up the others (Srivastava et
// al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
// JMLR 2014):
//
//	Y = 0 where word < ⌊ratio·2³²⌋, else X / (1 − ratio)
//
// The words have the shape of the mask, which is X's or, for stochastic depth
// (Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016), N×1×…×1.
// The mask is 1 where X is kept.
func TrainingDropout(p tensor.Philox, x *Array, ratio float64, maskShape tensor.Shape) (y, mask *Array) {
	mask = apply(RandomBits(p, maskShape), func(word float64) float64 {
		return truth(word >= math.Floor(ratio*(1<<32)))
	})
	kept := apply(x, func(x float64) float64 { return x / (1 - ratio) })
	return Where(mask, kept, &Array{Shape: tensor.Shape{}, Data: []float64{0}}), mask
}
