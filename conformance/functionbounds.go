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
)

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
