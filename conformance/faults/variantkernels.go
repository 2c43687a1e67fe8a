package faults

import (
	"math"

	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Kernels of legal variants, see variants.go.

// swishBySteps rounds the sigmoid before it is multiplied.
func swishBySteps(k *Launch) ([]*reference.Array, error) {
	d, alpha := k.Call.Out[0].DType, k.Call.Float("alpha")
	gate := mapped(k.In[0], func(x float64) float64 { return tensor.Round(1/(1+math.Exp(-alpha*x)), d) })
	y := reference.Mul(k.In[0], gate)
	for i, x := range k.In[0].Data {
		if math.IsInf(x, -1) {
			y.Data[i] = 0 // the limit, where x times the sigmoid is Inf times 0
		}
	}
	return []*reference.Array{y}, nil
}

// reciprocalDivision multiplies by a rounded reciprocal, of ordinary numbers.
func reciprocalDivision(k *Launch) ([]*reference.Array, error) {
	d := k.Call.Out[0].DType
	if d != tensor.F32 {
		return k.Plain()
	}
	one := reference.New()
	one.Data[0] = 1
	by := mapped(reference.Div(one, k.In[1]), func(v float64) float64 { return tensor.Round(v, d) })
	for _, v := range by.Data {
		// Where the reciprocal is no ordinary number a library divides.
		if math.IsNaN(v) || v > 0x1p100 || v < -0x1p100 || (v < 0x1p-100 && v > -0x1p-100) {
			return k.Plain()
		}
	}
	return []*reference.Array{reference.Mul(k.In[0], by)}, nil
}

// threeProducts splits each factor into three bf16 parts and leaves out the
// products that are too small for an f32, as tensor cores do for f32.
func threeProducts(k *Launch) ([]*reference.Array, error) {
	if k.Call.Out[0].DType != tensor.F32 {
		return k.Plain()
	}
	left, right := bf16Parts(k.In[0]), bf16Parts(k.In[1])
	var sum *reference.Array
	for i := range left {
		for j := range right[:len(right)-i] {
			k.In[0], k.In[1] = left[i], right[j]
			part, err := k.Plain()
			if err != nil {
				return nil, err
			}
			if sum == nil {
				sum = part[0]
			} else {
				sum = reference.Add(sum, part[0])
			}
		}
	}
	return []*reference.Array{sum}, nil
}

// bf16Parts are three arrays of 8-bit significands that add up to x.
func bf16Parts(x *reference.Array) [3]*reference.Array {
	high := mapped(x, bf16)
	rest := reference.Sub(x, high)
	middle := mapped(rest, bf16)
	return [3]*reference.Array{high, middle, mapped(reference.Sub(rest, middle), bf16)}
}
