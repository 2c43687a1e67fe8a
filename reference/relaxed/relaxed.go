// Package relaxed shows what the math modes of package graph allow: the same
// ops as package reference, computed as a legal implementation in a mode would.
// It is no oracle. The reference's own numbers stay the truth in every mode;
// these say how far from them a mode may lead.
package relaxed

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Mode is m in a math mode. Its order of sums picks one of the mode's forms as
// well: which way TF32 rounds, how large Winograd's tiles are.
func Mode(m reference.Mode, mathMode string) reference.Mode {
	form := m.Order
	switch mathMode {
	case graph.TF32:
		m.Relax = func(acc *reference.Acc, c *graph.Call, in []*reference.Array) ([]*reference.Array, error) {
			if !c.Relaxed(graph.TF32) {
				return nil, nil
			}
			f, _ := reference.Lookup(c.Op.Name)
			return f.Outputs(acc, c, factors(in, TF32Roundings[form%2]))
		}
	case graph.Winograd:
		m.Relax = func(acc *reference.Acc, c *graph.Call, in []*reference.Array) ([]*reference.Array, error) {
			if !c.Relaxed(graph.Winograd) {
				return nil, nil
			}
			y, err := winograd(acc, c, in, tiles[form%2])
			return []*reference.Array{y}, err
		}
	}
	return m
}

// TF32Roundings are the ways to 11 significant bits: cut off, which errs more,
// and to nearest even. Exponents are those of f32; infinities and NaN stay.
var TF32Roundings = [2]func(float64) float64{
	func(x float64) float64 { return tf32(x, math.Trunc) },
	func(x float64) float64 { return tf32(x, math.RoundToEven) },
}

func tf32(x float64, whole func(float64) float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return x
	}
	_, e := math.Frexp(x)
	e = max(e, -125) // f32's least normal number is 2⁻¹²⁶
	return math.Ldexp(whole(math.Ldexp(x, 11-e)), e-11)
}

// factors are the inputs with the first two rounded.
func factors(in []*reference.Array, round func(float64) float64) []*reference.Array {
	out := append([]*reference.Array(nil), in...)
	for i, x := range in[:2] {
		y := reference.New(x.Shape...)
		for j, v := range x.Data {
			y.Data[j] = round(v)
		}
		out[i] = y
	}
	return out
}

// Changes says whether a math mode changes a call's numbers on these inputs:
// TF32 none on factors that have 11 bits.
func Changes(mathMode string, c *graph.Call, in []*reference.Array) bool {
	if !c.Relaxed(mathMode) || mathMode != graph.TF32 {
		return c.Relaxed(mathMode)
	}
	for _, x := range in[:2] {
		for _, v := range x.Data {
			v = tensor.Round(v, tensor.F32)
			if w := TF32Roundings[0](v); w != v && v == v {
				return true
			}
		}
	}
	return false
}
