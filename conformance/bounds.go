package conformance

import (
	"fmt"
	"math"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// The table of bounds. Notation: y answer, y* reference in float64 on inputs
// rounded once to the type, e = y − y*, u unit roundoff, K terms of a sum with
// its bias, B the abs twin (the same sum with every term replaced by its
// magnitude), T elements of an output. ulp is that of y*, not below the least
// normal number's.
var (
	exact = &Bound{
		Name: "exact", Formula: "y = y* rounded once",
		Source: "IEEE 754-2019 §4.3 and §5.4: movement, comparison, maximum, integers, and single operations that every device rounds correctly",
		expect: func(s *site) (*expectation, error) {
			return &expectation{want: rounded(s.want.Data, s.dtype())}, nil
		},
	}
	quotientBound = ulps("quotient", "2.5 ulp", "Vulkan 1.3 and OpenCL 1.2 §7.4: x/y",
		func(_, _ float64) float64 { return 2.5 })
	sqrtBound = ulps("sqrt", "3 ulp", "OpenCL 1.2 §7.4: sqrt",
		func(_, _ float64) float64 { return 3 })
	expBound = ulps("exp", "(3 + 2|x|) ulp", "Vulkan 1.3, precision of individual operations: exp",
		func(x, _ float64) float64 { return 3 + 2*math.Abs(x) })
	sigmoidBound = ulps("sigmoid", "2(1 + |x|) ulp", "TOSA 1.0, SIGMOID",
		func(x, _ float64) float64 { return 2 * (1 + math.Abs(x)) })
	logBound = &Bound{
		Name: "log", Formula: "3 ulp; for x in [½, 2] 2^-21·(u/2^-24)", Source: "Vulkan 1.3, precision of individual operations: log",
		expect: unaryLimit(func(s *site, x, y float64) float64 {
			if x >= 0.5 && x <= 2 {
				return 8 * s.u()
			}
			return 3 * ulp(y, s.dtype())
		}),
	}
	tanhBound = &Bound{
		Name: "tanh", Formula: "4(3 + 2|x|) ulp of max(|y*|, ½)", Source: "TOSA 1.0, TANH: made of exp, it cancels at 0",
		expect: unaryLimit(func(s *site, x, y float64) float64 {
			return 4 * (3 + 2*math.Abs(x)) * ulp(max(math.Abs(y), 0.5), s.dtype())
		}),
	}
	dotBound = &Bound{
		Name: "dot", Formula: "|e| ≤ 2K′uB (f32: 6K′uB); Σ(e/uB)² ≤ 1.6K′T and |Σ e/uB| ≤ √(16K′T) where T ≥ 1000; K′ = ⌈K·2^-(accumulator bits − output bits)/2⌉ + bias",
		Source: "TOSA 1.0, dot product accuracy requirements (f32 leaves room for three bf16 products)",
		expect: expectDot,
	}
	softmaxBound = &Bound{
		Name: "softmax", Formula: "y*(u(8 + 2|x − max| + 2√N) + L) + least normal, L = Σ of the y* below v, the roundoff of f32 sums", Source: "N terms in any order: Higham 2002 §4.2 with random signs, where one after the other in f32 came to 1.3√N, but for the terms that are lost behind a large one, which L has; exp as above", Proposal: true,
		expect: expectSoftmax,
	}
	softmaxGradBound = &Bound{
		Name: "softmax gradient", Formula: "(u(12 + 2·range + 2√N) + L + L′)·B + least normal·(1 + |dy| + Σ y|dy|), B = y(|dy| + Σ y|dy|)", Source: "B is what the difference cancels from; L as in softmax, L′ that of Σ y|dy|; a y that is flushed to zero takes |dy| + Σ y|dy| times itself along", Proposal: true,
		expect: expectSoftmaxGrad,
	}
	slotBound = &Bound{
		Name: "optimizer slot", Formula: "8uB", Source: "five roundings of positive terms", Proposal: true,
		expect: expectSlot,
	}
	stepBound = &Bound{
		Name: "optimizer step", Formula: "2u|p| + 8u·Δ, Δ the abs twin of the step; 3u|p| where decay is decoupled", Source: "one rounding of p′ (two more of the factor and its product with p), a handful in the step", Proposal: true,
		expect: expectStep,
	}
	argmaxBound = &Bound{
		Name: "argmax", Formula: "the first maximum of the window; without the feature first-maximum any of its maxima", Source: "cuDNN picks one, not always the same",
		expect: expectArgmax,
	}
	programRule = &Bound{
		Name: "program", Formula: "per group of ≥ 64: max|e| ≤ 2·max_r|y_r − y*| + 2u·max|y*|, y_r eight runs (three above 1 GFLOP, 24° with attention, taken apart°) rounded after every node, in the formulas' order, in its reverse° and in random orders of reduction; for max_r at least (1 + 5/n)° root mean squares of the runs' worst errors, n how many of the group's errors are independent; state that every run leaves as it was: bit-equal",
		Source:   "flash-attention's tests. ° looser than those: a row of attention's scores errs as one, and eight samples of that missed legal orders; with one independent error eight runs are eight samples, whose largest Student's t with 8 degrees of freedom exceeds sixfold 2e-6 of the time; of the two sequential orders one loses what comes behind a large term. Calibrated on the legal variants of clsbench conform --self-test",
		Proposal: true,
	}
)

// Bounds lists the table.
func Bounds() []*Bound {
	return slices.Concat([]*Bound{exact, quotientBound, sqrtBound, expBound, sigmoidBound, logBound, tanhBound, dotBound,
		softmaxBound, softmaxGradBound, slotBound, stepBound, argmaxBound, tieGradBound, productBound, logSumBound, logSumExpBound, resizeBound, castChainBound, programRule},
		relaxedBounds, randomBounds, functionBounds, lossBounds, scalingBounds, normalizationBounds, quantizationBounds)
}

// unaryLimit is the bound of a function of one element.
func unaryLimit(limit func(s *site, x, y float64) float64) func(*site) (*expectation, error) {
	return func(s *site) (*expectation, error) {
		x, l := s.in(0), make([]float64, len(s.want.Data))
		for i, y := range s.want.Data {
			l[i] = limit(s, x.Data[i%len(x.Data)], y)
		}
		return &expectation{want: s.want.Data, limit: l}, nil
	}
}

func ulps(name, formula, source string, n func(x, y float64) float64) *Bound {
	return &Bound{Name: name, Formula: formula, Source: source, expect: func(s *site) (*expectation, error) {
		x, l := s.in(0), make([]float64, len(s.want.Data))
		for i, y := range s.want.Data {
			k := 0.0
			if len(x.Data) == len(l) { // else broadcast, where n does not depend on x
				k = x.Data[i]
			}
			l[i] = n(k, y) * ulp(y, s.dtype())
		}
		return &expectation{want: s.want.Data, limit: l}, nil
	}}
}

// twin evaluates the call with every float input and attribute replaced by
// its magnitude: B, for the ops that are linear in each input.
func (s *site) twin() (*reference.Array, error) {
	call := *s.call
	node := *s.call.Node
	call.Node = &node
	node.Attrs = graph.Attrs{}
	for name, a := range s.call.Attrs {
		a.Float = float32(math.Abs(float64(a.Float)))
		node.Attrs[name] = a
	}
	env := map[string]*reference.Array{}
	for i := range call.In {
		if call.Has(i) {
			env[call.Inputs[i]] = s.env[call.Inputs[i]]
			if call.In[i].DType.IsFloat() {
				env[call.Inputs[i]] = magnitudes(s.env[call.Inputs[i]])
			}
		}
	}
	node.Outputs = make([]string, len(s.call.Out))
	for i := range node.Outputs {
		node.Outputs[i] = fmt.Sprintf("twin of output %d", i)
	}
	if s.at != nil {
		return evalSamples(&call, env, reference.Mode{}, s.at)
	}
	if err := reference.EvalNode(&call, env, reference.Mode{}); err != nil {
		return nil, err
	}
	return env[node.Outputs[s.index]], nil
}

func magnitudes(x *reference.Array) *reference.Array {
	y := reference.New(x.Shape...)
	for i, v := range x.Data {
		y.Data[i] = math.Abs(v)
	}
	return y
}

// accumulatorBits are the fraction bits that sums keep at least.
func fractionBits(d tensor.DType) float64 { return -math.Log2(2 * d.UnitRoundoff()) }

// dotLength is TOSA's K′ for K terms: sums of 16-bit floats are kept in f32.
func dotLength(k int, d tensor.DType) float64 {
	acc := max(fractionBits(d), fractionBits(tensor.F32))
	return math.Ceil(float64(k) * math.Exp2(-(acc-fractionBits(d))/2))
}

// dotFactor is how often K′uB the error of a sum of products may be: in f32 three
// times as often, for products of three bf16 parts.
func (s *site) dotFactor() float64 {
	if s.dtype() == tensor.F32 {
		return 6
	}
	return 2
}

// minStatistics is how many outputs the statistics over all of them want.
const minStatistics = 1000

func expectDot(s *site) (*expectation, error) {
	twin, err := s.twin()
	if err != nil {
		return nil, err
	}
	k := dotLength(terms[s.call.Op.Name](s.call), s.dtype())
	e := &expectation{want: s.want.Data, limit: make([]float64, len(twin.Data))}
	unit := make([]float64, len(twin.Data))
	for i, b := range twin.Data {
		unit[i] = max(s.u()*b, minNormal(s.dtype()))
		e.limit[i] = s.dotFactor() * k * unit[i]
	}
	if s.judged() >= minStatistics {
		e.unit = unit
		repeated := 1.0
		if !s.call.Has(1) { // what spreads one input over many outputs repeats its error
			repeated = max(1, float64(len(unit))/float64(len(s.in(0).Data)))
		}
		e.whole = func(errs []float64) string { return dotStatistics(errs, k, repeated) }
	}
	return e, nil
}

// dotStatistics judges the errors of all outputs together, each of which may
// stand there a number of times.
func dotStatistics(errs []float64, k, repeated float64) string {
	var sum, squares float64
	for _, r := range errs {
		sum += r
		squares += r * r
	}
	t := float64(len(errs))
	if limit := 1.6 * k * t; !(squares <= limit) {
		return fmt.Sprintf("Σ(e/uB)² is %.4g, %.3g times its bound 1.6K′T", squares, squares/limit)
	}
	if limit := math.Sqrt(16 * k * t * repeated); !(math.Abs(sum) <= limit) {
		return fmt.Sprintf("|Σ e/uB| is %.4g, %.3g times its bound √(16K′T): the errors are biased", math.Abs(sum), math.Abs(sum)/limit)
	}
	return ""
}
