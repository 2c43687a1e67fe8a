package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Activations: at every 16-bit number, around their kinks, where a careless
// formula overflows, and where two forms of a function differ.

func activationCases() []*Case {
	alpha := func(v float64) graph.Attrs { return graph.Attrs{"alpha": graph.F(v)} }
	tanh := graph.Attrs{"approximate": graph.S("tanh")}
	// Up to where the exponential overflows in f32.
	farther := each(func(r *rng) float64 {
		if r.intn(8) == 0 {
			return 90 + 900*r.float()
		}
		return -12 + 42*r.float()
	})
	var all []*Case
	for _, m := range []mapping{
		{op: "LeakyRelu", x: normal(1), subnormals: true},
		{op: "LeakyRelu", x: normal(1), subnormals: true, attrs: alpha(-0.75), variant: true},
		{op: "ThresholdedRelu", x: normal(2), subnormals: true},
		{op: "ThresholdedRelu", x: normal(1), subnormals: true, attrs: alpha(0.25), variant: true},
		{op: "Elu", x: uniform(-4, 2), subnormals: true},
		{op: "Elu", x: uniform(-4, 2), subnormals: true, attrs: alpha(1.75), variant: true},
		{op: "Selu", x: uniform(-4, 2), subnormals: true},
		{op: "Selu", x: uniform(-4, 2), attrs: graph.Attrs{"alpha": graph.F(0.5), "gamma": graph.F(3)}, variant: true},
		{op: "Celu", x: uniform(-4, 2), subnormals: true},
		{op: "Celu", x: uniform(-4, 2), attrs: alpha(2.5), variant: true},
		{op: "Gelu", x: normal(2), subnormals: true, without: falling},
		{op: "Gelu", x: normal(2), subnormals: true, attrs: tanh, without: falling},
		{op: "HardSigmoid", x: normal(3), subnormals: true},
		{op: "HardSigmoid", x: normal(3), attrs: graph.Attrs{"alpha": graph.F(1.0 / 6), "beta": graph.F(0.375)}, variant: true},
		{op: "HardSwish", x: normal(3), subnormals: true, without: falling},
		{op: "Swish", x: uniform(-12, 12), subnormals: true, without: falling},
		{op: "Swish", x: uniform(-6, 6), attrs: alpha(1.702), without: falling, variant: true},
		{op: "Softplus", x: farther, subnormals: true},
		{op: "Softsign", x: normal(3), subnormals: true, without: func(v float64, d tensor.DType) bool { return math.IsInf(v, 0) || huge(v, d) }},
		{op: "Mish", x: uniform(-12, 12), subnormals: true, without: falling},
	} {
		all = append(all, m.cases()...)
	}
	all = append(all, &Case{ // what lies at the threshold is not above it
		Op: "ThresholdedRelu", DType: tensor.F32, Params: "x=9x13,alpha=2", Class: "threshold", Suite: InferenceCore, Effort: Quick, Required: true, bound: own("ThresholdedRelu"),
		subject: &opSubject{apply: single("ThresholdedRelu", alpha(2), 1), inputs: []input{{name: "X", typ: tensor.T(tensor.F32, 9, 13), fill: integers(-5, 5)}}},
	})
	all = append(all, geluCases()...)
	all = append(all, preluCases()...)
	return append(all, logSoftmaxCases()...)
}

// falling leaves out -∞, where a factor of zero meets it: by the formula that
// is NaN, by the function's limit zero.
func falling(v float64, _ tensor.DType) bool { return math.IsInf(v, -1) }

// geluCases prove which of its two forms a GELU has: the numbers lie where the
// two are 2e-4 to 4.7e-4 apart, hundreds of times the bound.
func geluCases() []*Case {
	var all []*Case
	for _, form := range []string{"none", "tanh"} {
		all = append(all, &Case{
			Op: "Gelu", DType: tensor.F32, Params: "x=32x32,approximate=" + form, Class: "which", Suite: InferenceCore,
			Effort: Quick, Required: true, bound: own("Gelu"),
			subject: &opSubject{apply: single("Gelu", graph.Attrs{"approximate": graph.S(form)}, 1), inputs: []input{
				{name: "X", typ: tensor.T(tensor.F32, 32, 32), fill: each(func(r *rng) float64 { return r.sign() * (1.8 + 0.8*r.float()) })}}},
		})
	}
	return all
}

// preluCases have a slope for each channel, for all, and for every element.
func preluCases() []*Case {
	var all []*Case
	add := func(d tensor.DType, x, slope tensor.Shape, class string, e Effort, f fill) {
		all = append(all, &Case{
			Op: "PRelu", DType: d, Params: fmt.Sprintf("x=%v,slope=%v", x, slope), Class: class, Suite: InferenceCore,
			Effort: e, Required: d == tensor.F32, bound: own("PRelu"),
			subject: &opSubject{apply: single("PRelu", nil, 1), inputs: []input{
				{name: "X", typ: tensor.Type{DType: d, Shape: x}, fill: f}, {name: "slope", typ: tensor.Type{DType: d, Shape: slope}, fill: normal(1)}}},
		})
	}
	for i, d := range floats {
		e := []Effort{Smoke, Standard}[min(i, 1)]
		add(d, tensor.Shape{2, 5, 7, 3}, tensor.Shape{5, 1, 1}, "real", e, normal(1))
		add(d, tensor.Shape{7, 41}, tensor.Shape{7, 41}, "specials", max(e, Quick), sprinkled(normal(1), specialValues(d, false)...))
	}
	for _, d := range narrowFloats {
		add(d, everyShape, tensor.Shape{}, "every-number", Standard, everyNumber)
	}
	add(tensor.F32, tensor.Shape{37}, tensor.Shape{}, "real", Quick, normal(1))
	add(tensor.F32, tensor.Shape{3, 5, 67, 71}, tensor.Shape{5, 1, 1}, "large", Standard, normal(1)) // see flatShapes
	return all
}

// logSoftmaxCases have rows of all lengths, far maxima, and what is masked
// by -∞.
func logSoftmaxCases() []*Case {
	var all []*Case
	add := func(d tensor.DType, x tensor.Shape, axis int, class string, e Effort, f fill) {
		all = append(all, &Case{
			Op: "LogSoftmax", DType: d, Params: fmt.Sprintf("x=%v,axis=%d", x, axis), Class: class, Suite: InferenceCore,
			Effort: e, Required: d == tensor.F32, bound: own("LogSoftmax"),
			subject: &opSubject{apply: single("LogSoftmax", graph.Attrs{"axis": graph.I(axis)}, 1), inputs: []input{
				{name: "input", typ: tensor.Type{DType: d, Shape: x}, fill: f}}},
		})
	}
	add(tensor.F32, tensor.Shape{5, 10}, -1, "real", Smoke, normal(2))
	add(tensor.F32, tensor.Shape{3, 7, 11}, 1, "real", Quick, normal(2))
	add(tensor.F32, tensor.Shape{4, 3, 5}, 0, "real", Standard, normal(2))
	add(tensor.F32, tensor.Shape{3, 1000}, 1, "real", Standard, normal(3))
	add(tensor.F32, tensor.Shape{67, 331}, -1, "large", Standard, normal(2)) // see flatShapes
	add(tensor.F32, tensor.Shape{7, 13}, -1, "far", Quick, each(func(r *rng) float64 { return 1e4 + 80*r.normal() }))
	add(tensor.F32, tensor.Shape{9, 31}, -1, "masked", Quick, rarely(normal(2), math.Inf(-1), math.Inf(-1), -maxFinite(tensor.F32)/4, math.NaN(), math.Inf(1)))
	for _, d := range floats[1:] {
		add(d, tensor.Shape{5, 33}, -1, "real", Standard, normal(2))
	}
	return all
}
