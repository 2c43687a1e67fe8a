package conformance

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// What keeps gradients in range: their norm, clipping by it, the search for
// what is not finite, and the scale of a loss. Bounds first, rows below.

var (
	normBound = &Bound{
		Name: "global norm", Formula: "(4u + √K·u′)y*, K elements summed in f32 or better, u′ its roundoff", Source: "positive terms in any order, 2√K·u′; the root halves it", Proposal: true,
		expect: func(s *site) (*expectation, error) {
			k, limit := 0, make([]float64, 1)
			for i := range s.call.In {
				k += len(s.in(i).Data)
			}
			limit[0] = (4*s.u() + math.Sqrt(float64(k))*min(s.u(), tensor.F32.UnitRoundoff())) * s.want.Data[0]
			return &expectation{want: s.want.Data, limit: limit}, nil
		},
	}
	clipBound = &Bound{
		Name: "clip by norm", Formula: "8u|y*| + least normal", Source: "a sum, a quotient (2.5 ulp as above) and a product", Proposal: true,
		expect: func(s *site) (*expectation, error) {
			limit := make([]float64, len(s.want.Data))
			for i, y := range s.want.Data {
				limit[i] = 8*s.u()*math.Abs(y) + minNormal(s.dtype())
				if math.IsInf(y, 0) {
					limit[i] = 0
				}
			}
			return &expectation{want: s.want.Data, limit: limit}, nil
		},
	}
	scalingBounds = []*Bound{normBound, clipBound}
)

// gradientSets are lists of gradients: a network's, with a scalar among them;
// a single large one; the largest last.
var gradientSets = [][]tensor.Shape{
	{{16, 6, 5, 5}, {16}, {}, {37}, {129, 3}},
	{{70001}},
	{{1}, {3}, {33, 67}},
}

func scalingCases() []*Case {
	var all []*Case
	for _, d := range floats {
		for i, shapes := range gradientSets {
			all = append(all, normCases(d, shapes, effortOf(d, i))...)
			all = append(all, finiteCases(d, shapes, effortOf(d, i))...)
		}
		all = append(all, clipNormCases(d)...)
	}
	return append(append(all, lossScaleCases()...), scaledStep(tensor.F32), scaledStep(tensor.F16), scaledStep(tensor.BF16))
}

func scalingCase(op string, d tensor.DType, tag, class string, e Effort, s *opSubject) *Case {
	return &Case{Op: op, DType: d, Params: tag, Class: class, Suite: TrainingCore, Effort: e, Required: d == tensor.F32, bound: own(op), subject: s}
}

// gradients are inputs of these shapes, each with a fill of its own.
func gradients(d tensor.DType, shapes []tensor.Shape, f func(i int) fill) (list []input, tag string) {
	for i, s := range shapes {
		list = append(list, input{name: "grad" + string(rune('0'+i)), typ: tensor.Type{DType: d, Shape: s}, fill: f(i)})
		tag = params(tag, "g="+s.String())
	}
	return list, tag
}

// normCases: all gradients of one size, and each of another, the last ones
// largest, so that none is lost among the others.
func normCases(d tensor.DType, shapes []tensor.Shape, e Effort) []*Case {
	even, tag := gradients(d, shapes, func(int) fill {
		return func(r *rng, t tensor.Type) []float64 { return normal(0.05+0.1*r.float())(r, t) }
	})
	uneven, _ := gradients(d, shapes, func(i int) fill {
		return func(r *rng, t tensor.Type) []float64 {
			size := math.Exp2(float64(i)+2*r.float()) / math.Sqrt(float64(t.Shape.Elements()))
			return normal(size)(r, t)
		}
	})
	apply := single("GlobalNorm", nil, 1)
	return []*Case{
		scalingCase("GlobalNorm", d, tag, "real", e, &opSubject{inputs: even, apply: apply}),
		scalingCase("GlobalNorm", d, tag, "uneven", max(e, Quick), &opSubject{inputs: uneven, apply: apply}),
	}
}

// finiteCases: in half of the draws something is not finite, anywhere or as
// the very last element; the largest finite numbers are finite.
func finiteCases(d tensor.DType, shapes []tensor.Shape, e Effort) []*Case {
	var all []*Case
	for _, class := range []string{"anywhere", "last-element", "extremes"} {
		ordinary := normal(1)
		if class == "extremes" {
			ordinary = sprinkled(normal(1), maxFinite(d), -maxFinite(d), minNormal(d)/4)
		}
		in, tag := gradients(d, shapes, func(i int) fill {
			return func(r *rng, t tensor.Type) []float64 {
				v := ordinary(r, t)
				at := r.intn(len(v))
				if class == "last-element" {
					at = len(v) - 1
				}
				if class != "last-element" || i == len(shapes)-1 {
					// One among all gradients, on average in every other draw.
					v[at] = notFinite(r, v[at], 0.5/float64(len(shapes)))
				}
				return v
			}
		})
		all = append(all, scalingCase("AllFinite", d, tag, class, max(e, Effort(min(len(all), 1))), &opSubject{inputs: in, apply: single("AllFinite", nil, 1)}))
	}
	return all
}

// notFinite is v, or with some probability an infinity or NaN.
func notFinite(r *rng, v, probability float64) float64 {
	kind := r.intn(3)
	if r.float() >= probability {
		return v
	}
	return [...]float64{math.Inf(1), math.Inf(-1), math.NaN()}[kind]
}

// clipNormCases: norms above the maximum, below it, where nothing may change, and
// so close that ε counts. The gradient is negated first: unchanged it would be
// an echo.
func clipNormCases(d tensor.DType) []*Case {
	var all []*Case
	for i, class := range []string{"above", "below", "epsilon", "specials"} {
		maximum, norm, f := 1.0, uniform(1.5, 20), normal(1)
		switch class {
		case "below":
			norm = uniform(0.1, 0.9)
		case "epsilon":
			if d == tensor.F16 {
				continue // ε is below its numbers
			}
			maximum, norm = 2e-6, uniform(1.5e-6, 4e-6)
		case "specials":
			f = sprinkled(normal(1), math.Inf(1), math.Inf(-1), math.NaN())
		}
		attrs := graph.Attrs{"max_norm": graph.F(maximum)}
		for k, s := range []tensor.Shape{{16, 6, 5, 5}, {1037}, {33, 2111}} {
			e := max(effortOf(d, k), Effort(min(i, 1)))
			if k > 0 && i > 1 {
				continue
			}
			all = append(all, scalingCase("ClipByNorm", d, "g="+s.String(), class, e, &opSubject{
				inputs: []input{{name: "grad", typ: tensor.Type{DType: d, Shape: s}, fill: f}, {name: "norm", typ: tensor.T(d), fill: norm}},
				apply: func(b *graph.Builder, in []graph.Value) []graph.Value {
					return b.OpN("ClipByNorm", attrs, 1, b.Op("Neg", nil, in[0]), in[1])
				}}))
		}
	}
	return all
}

// lossScaleCases are single transitions of the state machine, a class each.
func lossScaleCases() []*Case {
	var all []*Case
	scale := each(func(r *rng) float64 { return math.Exp2(float64(4+r.intn(16))) * (1 + r.float()) })
	for _, c := range []struct {
		class   string
		scale   fill
		counter fill
		skip    float64
		factors [2]float64
	}{
		{"counts", scale, integers(0, 5), 0, [2]float64{2, 0.5}},
		{"grows", scale, constant(6), 0, [2]float64{2, 0.5}},
		{"grows-by-a-fraction", scale, constant(6), 0, [2]float64{1.7, 0.3}},
		{"backs-off", scale, integers(0, 6), 1, [2]float64{2, 0.5}},
		{"backs-off-by-a-fraction", scale, integers(0, 6), 1, [2]float64{1.7, 0.3}},
		{"does-not-overflow", each(func(r *rng) float64 { return math.Exp2(127) * (1 + 0.9*r.float()) }), constant(6), 0, [2]float64{2, 0.5}},
	} {
		attrs := graph.Attrs{"growth_factor": graph.F(c.factors[0]), "backoff_factor": graph.F(c.factors[1]), "growth_interval": graph.I(7)}
		e := Quick
		if len(all) == 0 {
			e = Smoke
		}
		all = append(all, scalingCase("DynamicLossScale", tensor.F32, "interval=7", c.class, e, &opSubject{
			inputs: []input{{name: "scale", typ: tensor.T(tensor.F32), fill: c.scale}, {name: "growth_counter", typ: tensor.T(tensor.S64), fill: c.counter},
				{name: "skip", typ: tensor.T(tensor.Bool), fill: constant(c.skip)}},
			apply: single("DynamicLossScale", attrs, 2)}))
	}
	return all
}

// scaledStep is a whole step of mixed precision, over and over: gradients of a
// scaled loss, some not finite, are searched, unscaled, and taken by AdamW, SGD,
// a moving average, a step counter and the scale itself, unless the step is
// skipped: then nothing but the scale may change, to the last bit. The gradients
// are of type d, all else is f32.
func scaledStep(d tensor.DType) *Case {
	weights, bias := tensor.T(tensor.F32, 12, 7), tensor.T(tensor.F32, 7)
	injected := func(r *rng, t tensor.Type) []float64 {
		v := normal(100)(r, t)
		at := r.intn(len(v))
		v[at] = notFinite(r, v[at], 0.3)
		return v
	}
	square := each(func(r *rng) float64 { x := r.normal(); return 0.01 * x * x })
	in := []input{
		{name: "grad_w", typ: tensor.Type{DType: d, Shape: weights.Shape}, fill: injected}, {name: "grad_b", typ: tensor.Type{DType: d, Shape: bias.Shape}, fill: injected}, {name: "lr", typ: tensor.T(tensor.F32), fill: uniform(0.01, 0.1)},
		{name: "w", typ: weights, fill: normal(1), role: held}, {name: "m", typ: weights, fill: normal(0.1), role: held}, {name: "v", typ: weights, fill: square, role: held},
		{name: "b", typ: bias, fill: normal(1), role: held}, {name: "velocity", typ: bias, fill: normal(0.1), role: held},
		{name: "average", typ: weights, fill: normal(1), role: held}, {name: "step", typ: tensor.T(tensor.S64), fill: integers(0, 20), role: held},
		// A power of two, so that unscaling is exact.
		{name: "scale", typ: tensor.T(tensor.F32), fill: each(func(r *rng) float64 { return math.Exp2(float64(6 + r.intn(6))) }), role: held},
		{name: "growth_counter", typ: tensor.T(tensor.S64), fill: integers(0, 2), role: held},
	}
	c := scalingCase("DynamicLossScale", d, "adamw+sgd+average,interval=3", "trajectory", Quick, &opSubject{
		inputs: in,
		update: map[int]int{0: 3, 1: 4, 2: 5, 3: 6, 4: 7, 5: 8, 6: 9, 7: 10, 8: 11},
		apply: func(b *graph.Builder, x []graph.Value) []graph.Value {
			finite := b.Op("AllFinite", nil, x[0], x[1])
			skip := b.Op("Not", nil, finite)
			if d != tensor.F32 {
				for i := range 2 {
					x[i] = b.Op("Cast", graph.Attrs{"to": graph.S(tensor.F32.String())}, x[i])
				}
			}
			adam := b.OpN("AdamW", nil, 3, x[3], b.Op("Div", nil, x[0], x[10]), x[4], x[5], x[9], x[2], skip)
			sgd := b.OpN("SGD", graph.Attrs{"momentum": graph.F(0.9)}, 2, x[6], b.Op("Div", nil, x[1], x[10]), x[7], x[2], skip)
			average := b.Op("ExponentialMovingAverage", graph.Attrs{"decay": graph.F(0.75)}, x[8], adam[0], skip)
			step := b.Op("Where", nil, skip, x[9], b.Op("Add", nil, x[9], b.Scalar(tensor.S64, 1)))
			scale := b.OpN("DynamicLossScale", graph.Attrs{"growth_interval": graph.I(3)}, 2, x[10], x[11], skip)
			return append(append(append(adam, sgd...), average, step), append(scale, finite)...)
		}})
	c.steps = 12
	return c
}
