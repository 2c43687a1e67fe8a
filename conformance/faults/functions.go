package faults

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Wrong extremes, rounding, powers, comparisons and activations.

var functionFaults = []Fault{
	kernel("round-half-away", "Round", "half rounds away from zero, as C's round", element(math.Round)),
	kernel("floor-truncates", "Floor", "a conversion to an integer and back", element(math.Trunc)),
	kernel("ceil-by-increment", "Ceil", "floor plus one, whole numbers too", element(func(x float64) float64 { return math.Floor(x) + 1 })),
	kernel("sign-of-zero", "Sign", "zero counts as positive", after(func(y float64, _ int, _ *Launch) float64 {
		if y == 0 {
			return 1
		}
		return y
	})).once("only zero shows it: one class has it"),
	kernel("max-drops-nan", "Max", "an instruction that answers the second operand", pairwise(func(a, b float64) float64 {
		if a > b {
			return a
		}
		return b
	})),
	kernel("min-by-magnitude", "Min", "compared without the sign", pairwise(func(a, b float64) float64 {
		if math.Abs(a) < math.Abs(b) {
			return a
		}
		return b
	})),
	kernel("reciprocal-estimate", "Reciprocal", "an estimate of 12 bits without a Newton step", element(func(x float64) float64 { return chopped(1/x, 12) })),
	kernel("sin-short-reduction", "Sin", "the angle reduced by 2π in f32", element(func(x float64) float64 {
		const turn = float64(float32(2 * math.Pi))
		return math.Sin(x - math.Round(x/turn)*turn)
	})),
	kernel("cos-by-shifted-sine", "Cos", "sin(x + π/2) with the sum in f32", element(func(x float64) float64 { return math.Sin(float64(float32(x + math.Pi/2))) })),
	kernel("erf-five-terms", "Erf", "Abramowitz and Stegun 7.1.26, good to 1.5e-7", element(func(x float64) float64 {
		t := 1 / (1 + 0.3275911*math.Abs(x))
		p := t * (0.254829592 + t*(-0.284496736+t*(1.421413741+t*(-1.453152027+t*1.061405429))))
		return math.Copysign(1-p*math.Exp(-x*x), x)
	})),
	kernel("pow-by-logarithm", "Pow", "exp(y·log x), which has no negative bases", pairwise(func(x, y float64) float64 { return math.Exp(y * math.Log(x)) })),
	kernel("clip-nan-to-bound", "Clip", "maximum and minimum by instructions that drop NaN", on(0, func(x *reference.Array, _ *Launch) *reference.Array {
		return mapped(x, func(v float64) float64 {
			if math.IsNaN(v) {
				return math.Inf(-1)
			}
			return v
		})
	})).once("only NaN shows it: the class of special values"),
	kernel("clip-upper-first", "Clip", "the lower bound wins where they cross", func(k *Launch) ([]*reference.Array, error) {
		return []*reference.Array{reference.Clip(reference.Clip(k.In[0], nil, k.In[2]), k.In[1], nil)}, nil
	}).once("only bounds that cross show it: one class has them"),
	kernel("clip-one-sided", "Clip", "the upper bound forgotten where a lower one is given", func(k *Launch) ([]*reference.Array, error) {
		if k.In[1] != nil {
			k.In[2] = nil
		}
		return k.Plain()
	}),

	kernel("greater-or-equal-for-greater", "Greater", "the comparison with equality", pairwise(func(a, b float64) float64 { return number(a >= b) })),
	kernel("less-unordered", "Less", "the negation of ≥, true where a number is NaN", pairwise(func(a, b float64) float64 { return number(!(a >= b)) })),
	kernel("xor-is-or", "Xor", "true where both are", pairwise(func(a, b float64) float64 { return number(a != 0 || b != 0) })).once("a truth table of four rows has one class of data"),
	kernel("isinf-either-sign", "IsInf", "the attributes unread", element(func(x float64) float64 { return number(math.IsInf(x, 0)) })).once("only infinities show it: the class of special values"),

	kernel("leaky-slope-default", "LeakyRelu", "the slope 0.01 whatever is asked for", attr(func(a graph.Attrs, _ *graph.Call) { delete(a, "alpha") })).once("an attribute that the classes of hard data leave at its default"),
	kernel("prelu-slope-last-axis", "PRelu", "a slope for each channel stretched along the last axis", func(k *Launch) ([]*reference.Array, error) {
		x, slope := k.In[0].Data, k.In[1].Data
		y := reference.New(k.In[0].Shape...)
		for i, v := range x {
			if y.Data[i] = v; v < 0 {
				y.Data[i] = v * slope[i%len(slope)]
			}
		}
		return []*reference.Array{y}, nil
	}).once("only a slope for each channel shows it, which one class has"),
	kernel("selu-scaled-above-only", "Selu", "the scale γ left out below zero", element(func(x float64) float64 {
		const alpha, gamma = 1.67326319217681884765625, 1.05070102214813232421875
		if x > 0 {
			return gamma * x
		}
		return alpha * math.Expm1(x)
	})),
	kernel("gelu-tanh-for-erf", "Gelu", "the approximation where the function is asked for", attr(func(a graph.Attrs, _ *graph.Call) { a["approximate"] = graph.S("tanh") })),
	kernel("gelu-erf-for-tanh", "Gelu", "the function where the approximation is asked for", attr(func(a graph.Attrs, _ *graph.Call) { delete(a, "approximate") })),
	kernel("gelu-by-sigmoid", "Gelu", "x·sigmoid(1.702x), the paper's other approximation", element(func(x float64) float64 { return x / (1 + math.Exp(-1.702*x)) })),
	kernel("hard-sigmoid-sixth", "HardSigmoid", "PyTorch's slope of 1/6 for ONNX's 0.2", attr(func(a graph.Attrs, _ *graph.Call) { a["alpha"] = graph.F(1.0 / 6) })),
	kernel("hard-swish-unshifted", "HardSwish", "x·min(max(x, 0), 6)/6, the 3 forgotten", element(func(x float64) float64 { return x * max(0, min(6, x)) / 6 })),
	kernel("swish-slope-forgotten", "Swish", "a cached kernel of x·sigmoid(x) for every slope", attr(func(a graph.Attrs, _ *graph.Call) { delete(a, "alpha") })).once("an attribute that the classes of hard data leave at its default"),
	kernel("softplus-overflows", "Softplus", "log(1 + e^x) with an exponential in f32", element(func(x float64) float64 {
		return math.Log1p(float64(float32(math.Exp(x))))
	})).once("only arguments beyond exp's range show it: one class has them"),
	kernel("softplus-threshold", "Softplus", "x itself from 5 on, a threshold of f16", element(func(x float64) float64 {
		if x > 5 {
			return x
		}
		return math.Log1p(math.Exp(x))
	})),
	kernel("softsign-squared", "Softsign", "x/√(1 + x²) for x/(1 + |x|)", element(func(x float64) float64 { return x / math.Sqrt(1+x*x) })),
	kernel("mish-by-sigmoid", "Mish", "a sigmoid for the hyperbolic tangent", element(func(x float64) float64 { return x / (1 + math.Exp(-x)) })),
	kernel("log-softmax-unshifted", "LogSoftmax", "no maximum subtracted, exponentials in f32", func(k *Launch) ([]*reference.Array, error) {
		axis, err := k.Call.Axis("axis")
		if err != nil {
			return nil, err
		}
		e := mapped(k.In[0], func(x float64) float64 { return float64(float32(math.Exp(x))) })
		sums := reference.ReduceSum(e, []int{axis}, keptShape(e.Shape, axis)).Array(k.Acc)
		return []*reference.Array{reference.Sub(k.In[0], mapped(sums, math.Log))}, nil
	}).once("only logits beyond exp's range show it: one class has them"),
	kernel("log-of-softmax", "LogSoftmax", "the logarithm of an f32 softmax, −∞ where that is 0", after(func(y float64, _ int, _ *Launch) float64 {
		return math.Log(float64(float32(math.Exp(y))))
	})).once("only probabilities below f32's range show it: one class has them"),
}

// pairwise computes an op of two broadcast inputs anew.
func pairwise(f func(a, b float64) float64) Kernel {
	return func(k *Launch) ([]*reference.Array, error) {
		s := k.Call.Out[0].Shape
		a, b, y := reference.Expand(k.In[0], s), reference.Expand(k.In[1], s), reference.New(s...)
		for i := range y.Data {
			y.Data[i] = f(a.Data[i], b.Data[i])
		}
		return []*reference.Array{y}, nil
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// keptShape folds one axis to a single element.
func keptShape(s tensor.Shape, axis int) tensor.Shape {
	kept := s.Clone()
	kept[axis] = 1
	return kept
}
