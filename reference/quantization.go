package reference

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Quantized are real numbers with the integers that stand for them: where v[i]
// counts steps of the scale,
//
//	Y[i] = sat(zero[i] + RNE(v[i]))
//
// RNE rounds to the nearest integer, ties to even; sat holds the sum within the
// element type. The zero point is added after rounding, so that it moves no tie
// (ONNX 1.19, QuantizeLinear).
type Quantized struct {
	Steps Formula             // v
	Zero  func(i int) float64 // the zero point of element i; nil: 0
	Type  tensor.DType
}

// Of is the integer for v steps at element i.
func (q Quantized) Of(v float64, i int) float64 {
	lo, hi := tensor.IntRange(q.Type)
	zero := 0.0
	if q.Zero != nil {
		zero = q.Zero(i)
	}
	return min(max(zero+math.RoundToEven(v), lo), hi)
}

// Formula is Y.
func (q Quantized) Formula() Formula {
	return Formula{q.Steps.Shape, func(acc *Acc, i int) float64 { return q.Of(q.Steps.At(acc, i), i) }}
}

// perElement reads a scale or zero point element by element of x; nil if it is
// left out.
func perElement(x *Array, g *graph.Granularity) func(i int) float64 {
	if x == nil {
		return nil
	}
	return func(i int) float64 { return x.Data[g.At(i)] }
}

// QuantizeLinear counts steps of the scale: v[i] = X[i] / scale[i]. Scale and
// zero point, which may be nil, are those of the tensor, of an index of an axis,
// or of a block.
func QuantizeLinear(x, scale, zero *Array, g *graph.Granularity, d tensor.DType) Quantized {
	step := perElement(scale, g)
	return Quantized{Formula{x.Shape, func(_ *Acc, i int) float64 { return x.Data[i] / step(i) }}, perElement(zero, g), d}
}

// DequantizeLinear is Y[i] = (X[i] − zero[i])·scale[i].
func DequantizeLinear(x, scale, zero *Array, g *graph.Granularity) Formula {
	step, shift := perElement(scale, g), perElement(zero, g)
	return Formula{x.Shape, func(_ *Acc, i int) float64 {
		q := x.Data[i]
		if shift != nil {
			q -= shift(i)
		}
		return q * step(i)
	}}
}

// DynamicRange chooses how to quantize X to u8, so that the range of X, widened
// to hold 0, becomes [0, 255]:
//
//	scale = (max(X, 0) − min(X, 0)) / 255
//	zero = sat(RNE(−min(X, 0) / scale))
//
// Both are outputs that the rest follows from, so that the quotients are those
// of f32, the op's only type: often enough they are ties. Where all of X is 0
// ONNX leaves scale open: it is 1 here, as in ONNX Runtime.
func DynamicRange(x *Array) (scale, zero float64) {
	lo, hi := 0.0, 0.0
	for _, v := range x.Data {
		lo, hi = min(lo, v), max(hi, v)
	}
	if scale = tensor.Round((hi-lo)/255, tensor.F32); hi == lo {
		scale = 1
	}
	return scale, tensor.Round(tensor.Round(-lo/scale, tensor.F32), tensor.U8)
}

// DynamicQuantizeLinear is QuantizeLinear to u8 by DynamicRange.
func DynamicQuantizeLinear(x *Array, scale, zero float64) Quantized {
	return Quantized{
		Steps: Formula{x.Shape, func(_ *Acc, i int) float64 { return tensor.Round(x.Data[i]/scale, tensor.F32) }},
		Zero:  func(int) float64 { return zero }, Type: tensor.U8,
	}
}

// level is what FakeQuantize clamps: zero + RNE(x/scale).
func level(x, scale, zero *Array, g *graph.Granularity) func(i int) (level, zero, scale float64) {
	step, shift := perElement(scale, g), perElement(zero, g)
	return func(i int) (float64, float64, float64) {
		z := 0.0
		if shift != nil {
			z = shift(i)
		}
		return z + math.RoundToEven(x.Data[i]/step(i)), z, step(i)
	}
}

// FakeQuantize gives a real number the error that quantization would (Jacob et
// al., "Quantization and Training of Neural Networks for Efficient
// Integer-Arithmetic-Only Inference", 2018, §3):
//
//	Y[i] = (clamp(zero[i] + RNE(X[i]/scale[i]), lo, hi) − zero[i])·scale[i]
//
// NaN stays NaN.
func FakeQuantize(x, scale, zero *Array, g *graph.Granularity, lo, hi float64) Formula {
	at := level(x, scale, zero, g)
	return Formula{x.Shape, func(_ *Acc, i int) float64 {
		q, z, s := at(i)
		return (min(max(q, lo), hi) - z) * s
	}}
}

// FakeQuantizeGrad is the straight-through estimator (Bengio, Léonard and
// Courville, "Estimating or Propagating Gradients Through Stochastic Neurons",
// 2013): dX[i] = dY[i] where lo ≤ zero[i] + RNE(X[i]/scale[i]) ≤ hi, else 0.
func FakeQuantizeGrad(dy, x, scale, zero *Array, g *graph.Granularity, lo, hi float64) Formula {
	at := level(x, scale, zero, g)
	return Formula{x.Shape, func(_ *Acc, i int) float64 {
		if q, _, _ := at(i); q >= lo && q <= hi {
			return dy.Data[i]
		}
		return 0
	}}
}

// centred is X less its zero point, broadcast; nil stands for 0.
func centred(x, zero *Array) *Array {
	if zero == nil {
		return x
	}
	return Sub(x, Expand(zero, x.Shape))
}

// ofRows shapes what is one a row of a matrix, as a vector, so that it
// broadcasts.
func ofRows(v, matrix *Array) *Array {
	if v != nil && len(v.Shape) == 1 && v.Shape[0] == matrix.Shape[len(matrix.Shape)-2] {
		return v.reshaped(tensor.Shape{v.Shape[0], 1})
	}
	return v
}

// MatMulInteger is the product of integers less their zero points, exact:
//
//	Y[…,i,j] = Σ_k (A[…,i,k] − zeroA[i]) · (B[…,k,j] − zeroB[j])
//
// A …×M×K, B …×K×N, Y …×M×N; zero points are one number, one a row of A or
// column of B, or nil.
func MatMulInteger(a, b, zeroA, zeroB *Array) Formula {
	return MatMul(centred(a, ofRows(zeroA, a)), centred(b, zeroB))
}

// QLinearMatMul quantizes the sums of MatMulInteger anew:
//
//	v[…,i,j] = sum[…,i,j] · (scaleA[i]·scaleB[j] / scaleY)
func QLinearMatMul(a, scaleA, zeroA, b, scaleB, zeroB *Array, scaleY, zeroY float64, d tensor.DType) Quantized {
	sum := MatMulInteger(a, b, zeroA, zeroB)
	factor := Expand(Mul(ofRows(scaleA, a), scaleB), sum.Shape)
	return Quantized{
		Steps: Formula{sum.Shape, func(acc *Acc, i int) float64 { return sum.At(acc, i) * (factor.Data[i] / scaleY) }},
		Zero:  func(int) float64 { return zeroY }, Type: d,
	}
}

// ConvInteger is Conv of integers less their zero points, exact: padding, which
// adds no term, stands for the zero point of X. zeroX is one number, zeroW one
// or one a filter.
func ConvInteger(x, w, zeroX, zeroW *Array, win *graph.Window, groups int) (Formula, error) {
	return Conv(centred(x, zeroX), centred(w, ofFilters(zeroW, w)), nil, win, groups)
}

// ofFilters shapes what is one a filter so that it broadcasts to W.
func ofFilters(v, w *Array) *Array {
	if v == nil || len(v.Data) == 1 {
		return v
	}
	shape := tensor.Shape{w.Shape[0]}
	for range w.Shape[1:] {
		shape = append(shape, 1)
	}
	return v.reshaped(shape)
}

// QLinearConv quantizes the sums of ConvInteger, to which B is added, anew:
//
//	v[n,m,o] = (sum[n,m,o] + B[m]) · (scaleX·scaleW[m] / scaleY)
//
// B M or nil, scaleW one number or M.
func QLinearConv(x, w, zeroX, zeroW, b *Array, scaleX float64, scaleW *Array, scaleY, zeroY float64, d tensor.DType, win *graph.Window, groups int) (Quantized, error) {
	sum, err := ConvInteger(x, w, zeroX, zeroW, win, groups)
	if err != nil {
		return Quantized{}, err
	}
	plane, filters := sum.Shape[2:].Elements(), sum.Shape[1]
	return Quantized{
		Steps: Formula{sum.Shape, func(acc *Acc, i int) float64 {
			m := i / plane % filters
			s := sum.At(acc, i)
			if b != nil {
				s += b.Data[m]
			}
			return s * (scaleX * scaleW.Data[m%len(scaleW.Data)] / scaleY)
		}},
		Zero: func(int) float64 { return zeroY }, Type: d,
	}, nil
}
