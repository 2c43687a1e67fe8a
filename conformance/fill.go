package conformance

import (
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// fill makes the values of one input; they are rounded to its type afterwards.
type fill func(r *rng, t tensor.Type) []float64

// each fills element by element.
func each(f func(r *rng) float64) fill {
	return func(r *rng, t tensor.Type) []float64 {
		v := make([]float64, t.Shape.Elements())
		for i := range v {
			v[i] = f(r)
		}
		return v
	}
}

func uniform(lo, hi float64) fill {
	return each(func(r *rng) float64 { return lo + (hi-lo)*r.float() })
}

func normal(deviation float64) fill {
	return each(func(r *rng) float64 { return deviation * r.normal() })
}

// integers are uniform in [lo, hi].
func integers(lo, hi int) fill {
	return each(func(r *rng) float64 { return float64(lo + r.intn(hi-lo+1)) })
}

// oneSided are numbers of one sign and about one size, both drawn.
func oneSided() fill {
	return func(r *rng, t tensor.Type) []float64 {
		size := r.sign() * (0.125 + 0.875*r.float())
		return each(func(r *rng) float64 { return size * (0.5 + 0.5*r.float()) })(r, t)
	}
}

func constant(v float64) fill { return each(func(*rng) float64 { return v }) }

// mantissas are ± numbers in [1, 2) with all bits of an f32's mantissa random:
// whoever reads fewer bits of an input is seen.
func mantissas() fill {
	return each(func(r *rng) float64 { return r.sign() * (1 + float64(r.word()>>9)*(1.0/(1<<23))) })
}

// distinct are all different by at least step, in a random order around 0:
// no maximum is close to another, no element close to a kink at 0.
func distinct(step float64) fill {
	return func(r *rng, t tensor.Type) []float64 {
		v := make([]float64, t.Shape.Elements())
		for i, p := range r.perm(len(v)) {
			v[i] = step * (float64(p) - float64(len(v)/2) + 0.5)
		}
		return v
	}
}

// oneHot is zero but for one ±1 in each run of the given extent along the
// elements that pick groups: element i belongs to group(i), and each group
// gets one ±1.
func oneHot(groups int, group func(i int) int) fill {
	return func(r *rng, t tensor.Type) []float64 {
		n := t.Shape.Elements()
		members := make([][]int, groups)
		for i := range n {
			members[group(i)] = append(members[group(i)], i)
		}
		v := make([]float64, n)
		for _, m := range members {
			v[m[r.intn(len(m))]] = r.sign()
		}
		return v
	}
}

// inMode fills by one function when judged in a math mode, else by another.
func inMode(math string, within, otherwise fill) fill {
	return func(r *rng, t tensor.Type) []float64 {
		if r.math == math {
			return within(r, t)
		}
		return otherwise(r, t)
	}
}

// rows is the group function of oneHot for the leading axis of a tensor of
// this shape.
func rows(s tensor.Shape) (groups int, group func(i int) int) {
	size := s[1:].Elements()
	return s[0], func(i int) int { return i / size }
}

// sprinkled replaces some elements of a fill by special values.
func sprinkled(f fill, specials ...float64) fill {
	return func(r *rng, t tensor.Type) []float64 {
		v := f(r, t)
		// At least one of each where there is room, in places that move.
		places := r.perm(len(v))
		for i, s := range specials {
			for j := i; j < len(places); j += max(8*len(specials), 1) {
				v[places[j]] = s
			}
		}
		return v
	}
}

// rarely is sprinkled with a single one of each special value: sums and maxima
// pass them on to whole rows, and most rows must stay finite.
func rarely(f fill, specials ...float64) fill {
	return func(r *rng, t tensor.Type) []float64 {
		v := f(r, t)
		places := r.perm(len(v))
		for i, s := range specials[:min(len(specials), len(v)/2)] {
			v[places[i]] = s
		}
		return v
	}
}

// The special values of a type: both infinities, NaN, both zeros, the
// extremes, and, if asked for, subnormal numbers.
func specialValues(d tensor.DType, subnormals bool) []float64 {
	s := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), maxFinite(d), -maxFinite(d), minNormal(d), -minNormal(d)}
	if subnormals {
		s = append(s, minNormal(d)/4, -minNormal(d)/2)
	}
	return s
}

// minNormal is the least normal number of a float type; 0 for other types,
// which have no subnormals.
func minNormal(d tensor.DType) float64 {
	switch d {
	case tensor.F32, tensor.BF16:
		return 0x1p-126
	case tensor.F16:
		return 0x1p-14
	case tensor.F64:
		return 0x1p-1022
	}
	return 0
}

func maxFinite(d tensor.DType) float64 {
	switch d {
	case tensor.F32:
		return math.MaxFloat32
	case tensor.BF16:
		return 0x1.fep127
	case tensor.F16:
		return 65504
	case tensor.F64:
		return math.MaxFloat64
	}
	_, hi := tensor.IntRange(d)
	return hi
}

// exactTotal is how large a sum of integers may grow in a type's accumulator
// without being rounded: f32 holds those of 16-bit floats; an f16 result must
// stay below its largest number.
func exactTotal(d tensor.DType) float64 {
	switch d {
	case tensor.F64:
		return 1 << 50
	case tensor.F16:
		return 1 << 15
	}
	return 1 << 24
}

// largestFactor is the largest integer r for which a sum of k products of
// integers up to r stays within a total, and r itself is exact in the type.
func largestFactor(d tensor.DType, k int, total float64) int {
	exact := map[tensor.DType]float64{tensor.F32: 1 << 24, tensor.F64: 1 << 26, tensor.F16: 1 << 11, tensor.BF16: 1 << 8}[d]
	return int(max(1, min(exact, math.Floor(math.Sqrt(total/float64(k))))))
}

// structured are signed integers whose sums of k products are exact: any order
// of summation gives the same bits, and any dropped, doubled or shifted term
// others (after benchdnn's fills).
func structured(d tensor.DType, k int) fill {
	r := largestFactor(d, k, exactTotal(d))
	return integers(-r, r)
}

// accumulating are positive integers whose sums of k products end in
// [2²³, 2²⁴) where k is large enough: an accumulator or a partial sum of fewer
// bits loses the last of them.
func accumulating(d tensor.DType, k int) fill {
	r := largestFactor(d, k, exactTotal(d))
	return integers((4*r+4)/5, r)
}
