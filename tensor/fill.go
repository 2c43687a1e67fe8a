package tensor

import "math"

// Fill says how a tensor is filled from a seed. Fills are reproducible on any
// machine: element i depends on the seed, the stream and i alone.
type Fill struct {
	Kind FillKind
	Lo   float64 // Uniform, Integers: the least value; Constant: the value
	Hi   float64 // Uniform: the bound, not reached; Integers: the largest value
}

// FillKind names a distribution.
type FillKind uint8

// The distributions.
const (
	Uniform  FillKind = iota // in [Lo, Hi)
	Integers                 // whole numbers in [Lo, Hi]
	Normal                   // mean Lo, deviation Hi
	Constant                 // Lo
)

// FillSeeded fills t from (seed, stream) and returns it.
func FillSeeded(t *Tensor, f Fill, seed uint64, stream uint32) *Tensor {
	p := Philox{Key: seed, Stream: stream}
	v := make([]float64, t.Shape.Elements())
	for i := range v {
		v[i] = f.at(p, uint64(i))
	}
	t.SetFloat64s(v)
	return t
}

func (f Fill) at(p Philox, i uint64) float64 {
	switch f.Kind {
	case Integers:
		n := uint64(f.Hi-f.Lo) + 1
		return f.Lo + float64(uint64(p.Word(i))*n>>32)
	case Normal:
		// Box and Muller 1958; pairs (2j, 2j+1) share their two uniforms.
		u1 := (float64(p.Word(i&^1)) + 1) * (1.0 / (1 << 32))
		u2 := float64(p.Word(i|1)) * (1.0 / (1 << 32))
		r := math.Sqrt(-2 * math.Log(u1))
		if i&1 == 0 {
			return f.Lo + f.Hi*r*math.Cos(2*math.Pi*u2)
		}
		return f.Lo + f.Hi*r*math.Sin(2*math.Pi*u2)
	case Constant:
		return f.Lo
	default:
		return f.Lo + (f.Hi-f.Lo)*p.Uniform(i)
	}
}
