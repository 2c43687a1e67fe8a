package conformance

import (
	"math"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Bounds of quantization. v is the real number that is rounded, in steps of
// the scale: where it is so near to a tie that legal arithmetic may fall on
// either side, each of two integers is right, elsewhere one.
var (
	quantizeBound = &Bound{
		Name: "quantize", Formula: "q = sat(zp + RNE(v′)) for some |v′ − v| ≤ 3·2^-24·|v| (3u of the precision that is asked for)",
		Source: "three roundings in f32: a scale's quotient or reciprocal, the products of scales and of the sum; ONNX 1.19, QuantizeLinear: precision",
		expect: func(s *site) (*expectation, error) { return s.between("y_scale", 3*s.precision()) },
	}
	dequantizeBound = &Bound{
		Name: "dequantize", Formula: "y* rounded once; 1.5 ulp for s32 and for a type other than the scale's", Source: "the difference of 8-bit integers is exact, s32 and the second type are rounded to first",
		expect: expectDequantize,
	}
	fakeQuantizeBound = &Bound{
		Name: "fake quantize", Formula: "as y* rounded once, or its gradient, for X′ with |X′ − X| ≤ 3·2^-24·|X|", Source: "as quantize; the product of an integer and the scale is rounded once",
		expect: func(s *site) (*expectation, error) { return s.between("X", 3*tensor.F32.UnitRoundoff()) },
	}
	dynamicBound = &Bound{
		Name: "dynamic quantize", Formula: "as quantize, by the answer's own scale and zero point", Source: "ONNX 1.19, DynamicQuantizeLinear",
		expect: expectDynamic,
	}
	dynamicScaleBound = &Bound{
		Name: "dynamic scale", Formula: "3u·y*", Source: "a difference and a quotient of f32, or a product with 1/255",
		expect: func(s *site) (*expectation, error) {
			return &expectation{want: s.want.Data, limit: []float64{3 * s.u() * math.Abs(s.want.Data[0])}}, nil
		},
	}
	dynamicZeroBound = &Bound{
		Name: "dynamic zero point", Formula: "sat(RNE(v′)) for some |v′ − v| ≤ 3·2^-24·|v|, v = −min(X, 0) / the answer's own scale", Source: "ONNX 1.19, DynamicQuantizeLinear",
		expect: expectDynamicZero,
	}
)

// quantizationBounds are the table's rows of this file.
var quantizationBounds = []*Bound{quantizeBound, dequantizeBound, fakeQuantizeBound, dynamicBound, dynamicScaleBound, dynamicZeroBound}

// precision is the unit roundoff of a division by the scale: f32's, or what
// the call asks for.
func (s *site) precision() float64 {
	d := tensor.F32
	if s.call.Op.Name == "QuantizeLinear" {
		d = s.call.In[1].DType
		if p, err := tensor.ParseDType(s.call.Str("precision")); err == nil {
			d = p
		}
	}
	return max(d.UnitRoundoff(), tensor.F64.UnitRoundoff()*2)
}

// between wants what the call gives, or what it gives with an input moved by a
// share of itself to either side.
func (s *site) between(input string, share float64) (*expectation, error) {
	var ends [2][]float64
	for i, by := range []float64{1 - share, 1 + share} {
		y, err := s.moved(input, by)
		if err != nil {
			return nil, err
		}
		ends[i] = rounded(y.Data, s.dtype())
	}
	return &expectation{want: rounded(s.want.Data, s.dtype()), accept: anyOf(ends[0], ends[1])}, nil
}

// anyOf accepts the answers of either end.
func anyOf(a, b []float64) func(i int, got float64) bool {
	return func(i int, got float64) bool { return got == a[i] || got == b[i] }
}

// moved evaluates the call with one input multiplied.
func (s *site) moved(input string, by float64) (*reference.Array, error) {
	call, node := *s.call, *s.call.Node
	call.Node = &node
	node.Inputs = slices.Clone(node.Inputs)
	env := map[string]*reference.Array{}
	for i := range call.In {
		if call.Has(i) {
			env[node.Inputs[i]] = s.env[node.Inputs[i]]
		}
	}
	at := slices.IndexFunc(call.Op.Inputs, func(p graph.Param) bool { return p.Name == input })
	x := reference.New(call.In[at].Shape...)
	for i, v := range s.in(at).Data {
		x.Data[i] = by * v
	}
	node.Inputs[at] = "moved " + input
	env[node.Inputs[at]] = x
	node.Outputs = []string{"output of the moved call"}
	if err := reference.EvalNode(&call, env, reference.Mode{}); err != nil {
		return nil, err
	}
	return env[node.Outputs[0]], nil
}

func expectDequantize(s *site) (*expectation, error) {
	e := &expectation{want: rounded(s.want.Data, s.dtype())}
	if s.call.In[0].DType != tensor.S32 && s.call.In[1].DType == s.dtype() {
		return e, nil
	}
	e.limit = make([]float64, len(e.want))
	for i, y := range e.want {
		e.limit[i] = 1.5 * ulp(y, s.dtype())
	}
	return e, nil
}

// dynamicOutputs are the answers for scale and zero point; what is not fetched
// has the reference's value.
func (s *site) dynamicOutputs(got Outputs) (scale, zero float64) {
	scale, zero = reference.DynamicRange(s.in(0))
	if t := got[s.call.Outputs[1]]; t != nil {
		scale = t.Float64s()[0]
	}
	if len(s.call.Outputs) > 2 {
		if t := got[s.call.Outputs[2]]; t != nil {
			zero = t.Float64s()[0]
		}
	}
	return scale, zero
}

// dynamicSteps are the integers for X by a scale and zero point, the scale as
// it is and moved to either side.
func (s *site) dynamicSteps(scale, zero float64) (want []float64, accept func(int, float64) bool) {
	share := 3 * tensor.F32.UnitRoundoff()
	var at [3][]float64
	for i, by := range []float64{1, 1 - share, 1 + share} {
		at[i] = reference.DynamicQuantizeLinear(s.in(0), scale*by, zero).Formula().Array(&reference.Acc{}).Data
	}
	return at[0], anyOf(at[1], at[2])
}

func expectDynamic(s *site) (*expectation, error) {
	e := &expectation{}
	e.want, e.accept = s.dynamicSteps(reference.DynamicRange(s.in(0)))
	if len(s.call.Outputs) > 1 {
		e.given = func(got Outputs) (want []float64, accept func(int, float64) bool) {
			return s.dynamicSteps(s.dynamicOutputs(got))
		}
	}
	return e, nil
}

func expectDynamicZero(s *site) (*expectation, error) {
	lo := 0.0
	for _, v := range s.in(0).Data {
		lo = min(lo, v)
	}
	share := 3 * tensor.F32.UnitRoundoff()
	zero := func(scale float64) []float64 { return []float64{tensor.Round(-lo/scale, tensor.U8)} }
	own := func(got Outputs) (want []float64, accept func(int, float64) bool) {
		scale, _ := s.dynamicOutputs(got)
		return zero(scale), anyOf(zero(scale*(1-share)), zero(scale*(1+share)))
	}
	e := &expectation{given: own}
	e.want, e.accept = own(nil)
	return e, nil
}
