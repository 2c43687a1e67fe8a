package conformance

import (
	"math"

	"github.com/clsbench/clsbench/reference"
)

// The bounds of functions of mathematics and activations, see bounds.go.
var (
	waveBound = ulps("wave", "4 ulp", "OpenCL 1.2 §7.4: sin, cos",
		func(_, _ float64) float64 { return 4 })
	erfBound = ulps("erf", "16 ulp", "OpenCL 1.2 §7.4: erf",
		func(_, _ float64) float64 { return 16 })
	powBound = &Bound{
		Name: "pow", Formula: "exact where X, Y and an exact power are integers; else u|y*|(8 + 6|t| + |Y|·max(8, 6|log|X||)), t = Y·log|X|",
		Source: "Vulkan 1.3, precision of individual operations: pow is inherited from exp2(y·log2(x))",
		expect: expectPow,
	}
	twoRoundings = ulps("two roundings", "2 ulp", "IEEE 754-2019 §4.3: an attribute and a product are rounded to the type",
		func(_, _ float64) float64 { return 2 })
	softsignBound = ulps("softsign", "4 ulp", "a sum, then a quotient as above", func(_, _ float64) float64 { return 4 })

	exponentialBound = &Bound{
		Name: "exponential unit", Formula: "2 ulp above 0; below u·B(4 + (8 + 6t)e^-t) with B the factor of e^-t − 1", Source: "exp as above, then a difference that cancels at 0, and a product", Proposal: true,
		expect: unaryLimit(limitExponential),
	}
	geluBound = &Bound{
		Name: "GELU", Formula: "20uB, B = ½|x|(1 + |erf(x/√2)|); by tanh u|x|(4 + 2(3 + 2min(|t|, 20))) with t its argument", Source: "erf and tanh as above; 1 + erf cancels below 0", Proposal: true,
		expect: unaryLimit(limitGelu),
	}
	hardSigmoidBound = &Bound{
		Name: "hard sigmoid", Formula: "4u(min(|αx|, 1 + |β|) + |β|)", Source: "attributes, product and sum are rounded", Proposal: true,
		expect: unaryLimit(func(s *site, x, _ float64) float64 {
			return s.limitHard(x, s.call.Float("alpha"), s.call.Float("beta"))
		}),
	}
	hardSwishBound = &Bound{
		Name: "hard swish", Formula: "|x| times the bound of its hard sigmoid, and 1 ulp", Source: "as its factors", Proposal: true,
		expect: unaryLimit(func(s *site, x, y float64) float64 {
			return math.Abs(x)*s.limitHard(x, 1.0/6, 0.5) + ulp(y, s.dtype())
		}),
	}
	swishBound = &Bound{
		Name: "swish", Formula: "(4 + 4|αx|) ulp + |x|·(least normal)", Source: "sigmoid as above, of a rounded argument; it may be flushed to zero before x takes it up", Proposal: true,
		expect: unaryLimit(func(s *site, x, y float64) float64 {
			if y == 0 || math.IsInf(y, 0) {
				return 0
			}
			return (4+4*math.Abs(s.call.Float("alpha")*x))*ulp(y, s.dtype()) + math.Abs(x)*minNormal(s.dtype())
		}),
	}
	softplusBound = &Bound{
		Name: "softplus", Formula: "u(9 + 6y + (7 + 4|x|)·min(1, e^x))", Source: "exp and log as above; 1 + e^x drops what is small", Proposal: true,
		expect: unaryLimit(func(s *site, x, y float64) float64 { return s.limitSoftplus(x, y) }),
	}
	mishBound = &Bound{
		Name: "mish", Formula: "|x|·(4(3 + 2min(p, 20))u + (1 − t²)·(bound of p)) + 1 ulp, p = softplus(x), t = tanh(p)", Source: "tanh and softplus as above", Proposal: true,
		expect: unaryLimit(limitMish),
	}
	logSoftmaxBound = &Bound{
		Name: "log softmax", Formula: "u(2|x − m| + 6·l + 16 + 2√N) + L, m the maximum, l = log Σ e^(x−m), L as in softmax", Source: "the logarithm of a sum from 1 on is off by the sum's relative error, however small it is", Proposal: true,
		expect: expectLogSoftmax,
	}
)

// functionBounds are this file's part of the table.
var functionBounds = []*Bound{waveBound, erfBound, powBound, twoRoundings, exponentialBound, geluBound, hardSigmoidBound, hardSwishBound,
	swishBound, softplusBound, softsignBound, mishBound, logSoftmaxBound}

// limitExponential has the constants of Elu, Selu or Celu: a factor, and the
// width that its exponent is measured by.
func limitExponential(s *site, x, y float64) float64 {
	if x > 0 || math.IsInf(y, 0) {
		return 2 * ulp(y, s.dtype())
	}
	factor, t := math.Abs(s.call.Float("alpha")), -x
	switch s.call.Op.Name {
	case "Selu":
		factor *= s.call.Float("gamma")
	case "Celu":
		t = math.Abs(x) / factor
	}
	t = min(t, 200) // beyond, e^-t is nothing
	return s.u() * factor * (4 + (8+6*t)*math.Exp(-t))
}

func limitGelu(s *site, x, _ float64) float64 {
	size := math.Abs(x)
	if math.IsInf(x, 0) {
		return 0
	}
	if s.call.Str("approximate") == "none" {
		return 10*s.u()*size*(1+math.Erf(size/math.Sqrt2)) + minNormal(s.dtype())
	}
	t := min(math.Sqrt(2/math.Pi)*(size+0.044715*size*size*size), 20)
	return s.u()*size*(4+2*(3+2*t)) + minNormal(s.dtype())
}

// limitHard bounds max(0, min(1, αx + β)).
func (s *site) limitHard(x, alpha, beta float64) float64 {
	return 4 * s.u() * (min(math.Abs(alpha*x), 1+math.Abs(beta)) + math.Abs(beta))
}

func (s *site) limitSoftplus(x, y float64) float64 {
	if math.IsInf(x, 0) {
		return 0
	}
	return s.u() * (9 + 6*y + (7+4*min(math.Abs(x), 200))*math.Exp(min(0, x)))
}

func limitMish(s *site, x, y float64) float64 {
	if math.IsInf(x, 0) {
		return 0
	}
	p := max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
	t := math.Tanh(p)
	return math.Abs(x)*(4*(3+2*min(p, 20))*s.u()+(1-t*t)*s.limitSoftplus(x, p)) + ulp(y, s.dtype())
}

func expectLogSoftmax(s *site) (*expectation, error) {
	axis, err := s.call.Axis("axis")
	if err != nil {
		return nil, err
	}
	x, limit := s.in(0), make([]float64, len(s.want.Data))
	alongAxis(x.Shape, axis, func(at []int) {
		m := math.Inf(-1)
		for _, i := range at {
			m = max(m, x.Data[i])
		}
		sum := 2*s.u()*math.Sqrt(float64(len(at))) + lost(at, s.statisticsUnit(), func(i int) float64 { return math.Exp(s.want.Data[i]) })
		for _, i := range at {
			far := m - x.Data[i]
			if math.IsInf(far, 0) {
				continue // the result is infinite, exactly
			}
			log := max(0, -s.want.Data[i]-far)
			limit[i] = s.u()*(2*far+6*log+16) + sum
		}
	})
	return &expectation{want: s.want.Data, limit: limit}, nil
}

// expectPow adds up the errors of a logarithm, times Y, and of an exponential;
// 2u is an ulp at most.
func expectPow(s *site) (*expectation, error) {
	if !s.dtype().IsFloat() {
		return exact.expect(s)
	}
	x, y := stretched(s, 0), stretched(s, 1)
	limit := make([]float64, len(s.want.Data))
	for i, want := range s.want.Data {
		log := math.Abs(math.Log(math.Abs(x[i])))
		t := math.Abs(y[i]) * log
		if y[i] == 0 || log == 0 || math.IsInf(t, 0) || math.IsNaN(t) {
			t, log = 0, 0
		}
		k := 0.0
		if !math.IsInf(y[i], 0) && !math.IsNaN(y[i]) {
			k = math.Abs(y[i]) * max(8, 6*log)
		}
		limit[i] = s.u()*math.Abs(want)*(8+6*t+k) + minNormal(s.dtype())
		if math.IsNaN(want) || math.IsInf(want, 0) {
			limit[i] = 0
		}
	}
	return &expectation{want: s.want.Data, limit: limit}, nil
}

// stretched is input i broadcast to the output's shape.
func stretched(s *site, i int) []float64 {
	return reference.Expand(s.in(i), s.want.Shape).Data
}
