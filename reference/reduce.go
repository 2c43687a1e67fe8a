package reference

import (
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// ReduceSum adds up X over axes:
//
//	Y[i] = Σ_j X[i,j], i over the kept axes, j over the folded ones
//
// shape is Y's: X's with the folded axes left out or kept as 1. The sum of
// nothing is 0.
func ReduceSum(x *Array, axes []int, shape tensor.Shape) Formula {
	kept, folded := split(x.Shape, axes)
	return Formula{shape, func(acc *Acc, i int) float64 {
		s := acc.New()
		for _, j := range folded {
			s = s.Plus(x.Data[kept[i]+j])
		}
		return s.Value()
	}}
}

// ReduceMean is Y[i] = (1/n)·Σ_j X[i,j] over the n folded elements; see
// ReduceSum.
func ReduceMean(x *Array, axes []int, shape tensor.Shape) Formula {
	sum := ReduceSum(x, axes, shape)
	_, folded := split(x.Shape, axes)
	return Formula{shape, func(acc *Acc, i int) float64 {
		return sum.At(acc, i) / float64(len(folded))
	}}
}

// ReduceMax is Y[i] = max_j X[i,j] over the folded elements, NaN if one of
// them is; see ReduceSum.
func ReduceMax(x *Array, axes []int, shape tensor.Shape) Formula {
	kept, folded := split(x.Shape, axes)
	return Formula{shape, func(_ *Acc, i int) float64 {
		m := math.Inf(-1)
		for _, j := range folded {
			m = max(m, x.Data[kept[i]+j]) // the builtin, which keeps NaN
		}
		return m
	}}
}
