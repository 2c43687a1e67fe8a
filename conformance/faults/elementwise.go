package faults

import (
	"math"

	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Wrong elementwise and movement ops.

var elementwiseFaults = []Fault{
	kernel("relu-nan-to-zero", "Relu", "max(x, 0) by an instruction that drops NaN", element(func(x float64) float64 {
		if x > 0 {
			return x
		}
		return 0
	})).once("only NaN shows it: the class of special values"),
	kernel("relu-grad-at-zero", "ReluGrad", "the gradient passes where the output is zero", func(k *Launch) ([]*reference.Array, error) {
		return []*reference.Array{k.In[0]}, nil
	}).also("Relu"),
	kernel("add-tail-dropped", "Add", "elements after the last full vector of 8 left out", tailOf(8)),
	kernel("mul-broadcast-wrong-axis", "Mul", "a channel vector stretched along the last axis", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err != nil || len(k.In[1].Data) == len(out[0].Data) || len(k.In[1].Data) == 1 {
			return out, err
		}
		y := reference.New(out[0].Shape...)
		for i := range y.Data {
			y.Data[i] = k.In[0].Data[i%len(k.In[0].Data)] * k.In[1].Data[i%len(k.In[1].Data)]
		}
		return []*reference.Array{y}, nil
	}),
	kernel("div-by-estimate", "Div", "a reciprocal estimate of 12 bits without a Newton step", func(k *Launch) ([]*reference.Array, error) {
		k.In[1] = mapped(k.In[1], func(v float64) float64 { return 1 / chopped(1/v, 12) })
		return k.Plain()
	}),
	kernel("exp-low-degree", "Exp", "a polynomial two degrees short", element(func(x float64) float64 {
		n := math.Round(x / math.Ln2)
		r := x - n*math.Ln2
		return math.Ldexp(1+r*(1+r*(1.0/2+r*(1.0/6+r/24))), int(n))
	})),
	kernel("log-denormal-table", "Log", "a table without interpolation", element(func(x float64) float64 {
		return math.Log(chopped(x, 14))
	})),
	kernel("sqrt-one-newton-step-short", "Sqrt", "an estimate of 16 bits", element(func(x float64) float64 { return chopped(math.Sqrt(x), 16) })),
	kernel("tanh-pade", "Tanh", "a rational approximation, good to 1e-4", element(func(x float64) float64 {
		if math.Abs(x) > 4.97 {
			return math.Copysign(1, x)
		}
		x2 := x * x
		return x * (135135 + x2*(17325+x2*(378+x2))) / (135135 + x2*(62370+x2*(3150+x2*28)))
	})),
	kernel("sigmoid-hard", "Sigmoid", "a piecewise linear sigmoid", element(func(x float64) float64 { return min(1, max(0, 0.2*x+0.5)) })),
	kernel("less-instead-of-less-or-equal", "LessOrEqual", "the comparison without equality", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err != nil {
			return nil, err
		}
		minus := reference.Sub(k.In[0], k.In[1])
		y := reference.New(out[0].Shape...)
		for i, v := range out[0].Data {
			if minus.Data[i] != 0 {
				y.Data[i] = v
			}
		}
		return []*reference.Array{y}, nil
	}),
	kernel("where-by-product", "Where", "c·x + (1 − c)·y, which lets NaN through", func(k *Launch) ([]*reference.Array, error) {
		c := k.In[0]
		notC := mapped(c, func(v float64) float64 { return 1 - v })
		return []*reference.Array{reference.Add(reference.Mul(c, k.In[1]), reference.Mul(notC, k.In[2]))}, nil
	}),
	kernel("cast-u8-signed", "Cast", "bytes read as signed", on(0, func(x *reference.Array, k *Launch) *reference.Array {
		if k.Call.In[0].DType != tensor.U8 {
			return x
		}
		return mapped(x, func(v float64) float64 {
			if v > 127 {
				return v - 256
			}
			return v
		})
	})).also("lenet5"),
	kernel("transpose-inverse", "Transpose", "the permutation applied the other way round", func(k *Launch) ([]*reference.Array, error) {
		perm, err := k.Call.Perm()
		if err != nil {
			return nil, err
		}
		inverse := make([]int, len(perm))
		for i, p := range perm {
			inverse[p] = i
		}
		return []*reference.Array{reference.Reshape(reference.Transpose(k.In[0], inverse), k.Call.Out[0].Shape)}, nil
	}),
	kernel("expand-by-tiling", "Expand", "elements repeated in a cycle", func(k *Launch) ([]*reference.Array, error) {
		y := reference.New(k.Call.Out[0].Shape...)
		for i := range y.Data {
			y.Data[i] = k.In[0].Data[i%len(k.In[0].Data)]
		}
		return []*reference.Array{y}, nil
	}),
}

// tailOf leaves zero after the last full vector.
func tailOf(width int) Kernel {
	return after(func(y float64, i int, k *Launch) float64 {
		if n := k.Call.Out[0].Shape.Elements(); n > width && i >= n/width*width {
			return 0
		}
		return y
	})
}
