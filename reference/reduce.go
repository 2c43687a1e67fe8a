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
// them is; see ReduceSum. The maximum of nothing is −∞, or the least integer.
func ReduceMax(x *Array, axes []int, shape tensor.Shape) Formula {
	return extreme(math.Inf(-1), func(a, b float64) float64 { return max(a, b) }, x, axes, shape) // the builtin keeps NaN
}

// ReduceMin is Y[i] = min_j X[i,j]; see ReduceMax.
func ReduceMin(x *Array, axes []int, shape tensor.Shape) Formula {
	return extreme(math.Inf(1), func(a, b float64) float64 { return min(a, b) }, x, axes, shape)
}

func extreme(start float64, better func(a, b float64) float64, x *Array, axes []int, shape tensor.Shape) Formula {
	kept, folded := split(x.Shape, axes)
	return Formula{shape, func(_ *Acc, i int) float64 {
		m := start
		for _, j := range folded {
			m = better(m, x.Data[kept[i]+j])
		}
		return m
	}}
}

// ReduceProd is Y[i] = Π_j X[i,j]; see ReduceSum. The product of nothing is 1.
func ReduceProd(x *Array, axes []int, shape tensor.Shape) Formula {
	kept, folded := split(x.Shape, axes)
	return Formula{shape, func(_ *Acc, i int) float64 {
		p := 1.0
		for _, j := range folded {
			p *= x.Data[kept[i]+j]
		}
		return p
	}}
}

// ReduceL1 is Y[i] = Σ_j |X[i,j]|; see ReduceSum.
func ReduceL1(x *Array, axes []int, shape tensor.Shape) Formula {
	return ReduceSum(apply(x, math.Abs), axes, shape)
}

// ReduceSumSquare is Y[i] = Σ_j X[i,j]²; see ReduceSum.
func ReduceSumSquare(x *Array, axes []int, shape tensor.Shape) Formula {
	return ReduceSum(apply(x, func(v float64) float64 { return v * v }), axes, shape)
}

// ReduceL2 is Y[i] = √Σ_j X[i,j]²; see ReduceSum.
func ReduceL2(x *Array, axes []int, shape tensor.Shape) Formula {
	return then(ReduceSumSquare(x, axes, shape), math.Sqrt)
}

// ReduceLogSum is Y[i] = log Σ_j X[i,j]; see ReduceSum.
func ReduceLogSum(x *Array, axes []int, shape tensor.Shape) Formula {
	return then(ReduceSum(x, axes, shape), math.Log)
}

// ReduceLogSumExp is
//
//	Y[i] = log Σ_j exp(X[i,j]) = m + log Σ_j exp(X[i,j] − m), m = max_j X[i,j]
//
// without the overflow (Blanchard, Higham and Higham, "Accurately computing
// the log-sum-exp and softmax functions", 2021). Where m is infinite it is not
// taken out; see ReduceSum.
func ReduceLogSumExp(x *Array, axes []int, shape tensor.Shape) Formula {
	kept, folded := split(x.Shape, axes)
	largest := ReduceMax(x, axes, shape)
	return Formula{shape, func(acc *Acc, i int) float64 {
		m := largest.At(acc, i)
		if math.IsInf(m, 0) {
			m = 0
		}
		s := acc.New()
		for _, j := range folded {
			s = s.Plus(math.Exp(x.Data[kept[i]+j] - m))
		}
		return m + math.Log(s.Value())
	}}
}

// CumSum is, along an axis,
//
//	Y[j] = Σ_{i≤j} X[i]
//
// or over i < j if exclusive, and from the end, i ≥ j or i > j, if reverse.
func CumSum(x *Array, axis int, exclusive, reverse bool) Formula {
	inner, n := x.Shape[axis+1:].Elements(), x.Shape[axis]
	return Formula{x.Shape, func(acc *Acc, i int) float64 {
		j, row := i/inner%n, i/inner/n*n*inner+i%inner
		from, to := 0, j
		if reverse {
			from, to = j, n-1
		}
		s := acc.New()
		for l := from; l <= to; l++ {
			if !(exclusive && l == j) {
				s = s.Plus(x.Data[row+l*inner])
			}
		}
		return s.Value()
	}}
}

// then is f of every element.
func then(y Formula, f func(float64) float64) Formula {
	return Formula{y.Shape, func(acc *Acc, i int) float64 { return f(y.At(acc, i)) }}
}
