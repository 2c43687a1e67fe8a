package conformance

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Bounds of the norms. N elements a group, μ, σ² and r = 1/√(σ² + ε) its exact
// statistics, ρ² = μ² + σ² its mean square; statistics are computed in f32 or
// better, with v its unit roundoff (u for f32 and f64).
var (
	normalizationBound = &Bound{
		Name: "normalisation", Formula: "|Δσ²| ≤ 8v(√N·σ² + σρ) + 16v²Nρ², |Δμ| ≤ v(4√N + 4)ρ, |Δr| ≤ r(r²|Δσ²|/2 + 4v); Y the sum of what they make of it + 4u(|x̂γ| + |β|); N = 1: Y = β exactly; running statistics the same times their share + 4u of both terms",
		Source: "Chan, Golub and LeVeque 1983 for two passes, with random signs; 8v(√N + κ) is CONFORMANCE's κ = ρ/σ, which one pass exceeds from κ = 100 on", Proposal: true,
		expect: expectNorm,
	}
	normalizationGradBound = &Bound{
		Name: "normalisation gradient", Formula: "8v√N·B + 4u|y*| + least normal, B = r(|g| + ⟨|g|⟩ + x̂⟨|g|x̂⟩) and Σ|dY|x̂ with x̂ = r|X − μ|, or r(|X| + |μ|) where μ is computed anew; N = 1: 2vr|g|, that of a fused multiply-add (dX = 0)",
		Source: "N terms in any order with random signs (Higham 2002, §4.2)", Proposal: true,
		expect: expectNormGrad,
	}
	batchNormBound = &Bound{
		Name: "batch norm by given statistics", Formula: "8v(|γ|r(|X| + |μ|) + |β|) + 2u|y*|; training mode: normalisation",
		Source: "folded into X·a + b it cancels from both; rsqrt good to 3 ulp", Proposal: true,
		expect: expectBatchNorm,
	}
	lrnBound = &Bound{
		Name: "local response", Formula: "u|y*|(16 + 2β√size + 8β|ln S|) + least normal", Source: "the power as exp2(−β·log2 S), Vulkan 1.3's errors of both", Proposal: true,
		expect: expectLRN,
	}
	lrnGradBound = &Bound{
		Name: "local response gradient", Formula: "u·B(16 + 4√size + 8(β + 1)·max|ln S|) + least normal, B = |dY|S^-β + 2αβ/size·|X|·Σ|dY·X|S^(-β-1)", Source: "as the local response, B what the difference cancels from", Proposal: true,
		expect: expectLRNGrad,
	}
)

var normalizationBounds = []*Bound{normalizationBound, normalizationGradBound, batchNormBound, lrnBound, lrnGradBound}

// statisticsUnit is v.
func (s *site) statisticsUnit() float64 { return min(s.u(), tensor.F32.UnitRoundoff()) }

// statistics are one group's.
type statistics struct{ mean, variance, inv float64 }

func (g statistics) rms() float64 { return math.Sqrt(g.variance + g.mean*g.mean) }

// statisticsOf are the exact statistics of X's groups, about 0 if the op does
// not take the mean out.
func statisticsOf(c *graph.Call, n graph.Normal, x []float64) []statistics {
	list := make([]statistics, n.Groups())
	count := float64(n.Count())
	if c.Op.Name != "RMSNormalization" && c.Op.Name != "RMSNormalizationGrad" {
		for i, v := range x {
			list[groupAt(n, i)].mean += v / count
		}
	}
	for i, v := range x {
		g := &list[groupAt(n, i)]
		g.variance += (v - g.mean) * (v - g.mean) / count
	}
	for i := range list {
		list[i].inv = 1 / math.Sqrt(list[i].variance+c.Float("epsilon"))
	}
	return list
}

func groupAt(n graph.Normal, i int) int { return n.Group(i/n.Inner/n.Params, parameterAt(n, i)) }

func parameterAt(n graph.Normal, i int) int { return i / n.Inner % n.Params }

// meanLimit, varianceLimit and invLimit bound the computed statistics.
func (g statistics) meanLimit(n, v float64) float64 {
	if n == 1 {
		return 0
	}
	return v * (4*math.Sqrt(n) + 4) * g.rms()
}

func (g statistics) varianceLimit(n, v float64) float64 {
	if n == 1 && g.mean != 0 { // not the mean square of one element
		return 0
	}
	first := 8 * v * (math.Sqrt(n)*g.variance + math.Sqrt(g.variance)*g.rms())
	return first + 16*v*v*n*g.rms()*g.rms()
}

func (g statistics) invLimit(n, v float64) float64 {
	return g.inv * (g.inv*g.inv*g.varianceLimit(n, v)/2 + 4*v)
}

func expectNorm(s *site) (*expectation, error) {
	n, err := s.call.Normal()
	if err != nil {
		return nil, err
	}
	limit := make([]float64, len(s.want.Data))
	list, count, v := statisticsOf(s.call, n, s.in(0).Data), float64(n.Count()), s.statisticsUnit()
	switch s.call.Op.Outputs[s.index].Name {
	case "mean", "Mean":
		for i, g := range list {
			limit[i] = g.meanLimit(count, v) + s.u()*math.Abs(g.mean)
		}
	case "inv_deviation", "InvStdDev":
		for i, g := range list {
			limit[i] = g.invLimit(count, v) + s.u()*g.inv
		}
	case "next_mean", "next_var", "running_mean", "running_var":
		if s.call.Has(5) && s.skipped() {
			return exact.expect(s)
		}
		limit = s.runningLimits(list, count, v)
	default:
		limit = s.normLimits(n, list, v)
	}
	return &expectation{want: s.want.Data, limit: limit}, nil
}

// runningLimits bound what running statistics become.
func (s *site) runningLimits(list []statistics, count, v float64) []float64 {
	take := s.call.Float("momentum")
	if s.call.Op.Name == "BatchNormalization" || s.call.Str("convention") == "onnx" {
		take = 1 - take
	}
	limit, running := make([]float64, len(list)), s.in(2+s.index)
	for i, g := range list {
		batch, off := g.mean, g.meanLimit(count, v)
		if s.index == 2 {
			unbias := count / max(count-1, 1)
			batch, off = g.variance*unbias, g.varianceLimit(count, v)*unbias
		}
		limit[i] = take*off + 4*s.u()*((1-take)*math.Abs(running.Data[i])+take*math.Abs(batch)) + minNormal(s.dtype())
	}
	return limit
}

// normLimits bound Y. Only what the statistics of a group of more than one
// element are off by counts: β comes through exactly.
func (s *site) normLimits(n graph.Normal, list []statistics, v float64) []float64 {
	limit, x := make([]float64, len(s.want.Data)), s.in(0).Data
	scale, bias, count := s.parameters(n, 1), s.parameters(n, 2), float64(n.Count())
	centred := s.call.Op.Name != "RMSNormalization"
	for i := range limit {
		if centred && count == 1 {
			continue
		}
		g, p := list[groupAt(n, i)], parameterAt(n, i)
		hat := math.Abs(x[i]-g.mean) * g.inv
		if centred {
			limit[i] += math.Abs(scale[p]) * g.inv * g.meanLimit(count, v)
		}
		limit[i] += math.Abs(scale[p])*hat*g.invLimit(count, v)/g.inv +
			4*s.u()*(math.Abs(hat*scale[p])+math.Abs(bias[p])) + minNormal(s.dtype())
	}
	return limit
}

// parameters are scale (input 1) or bias (2) by parameter, broadcast; zeros
// for one left out.
func (s *site) parameters(n graph.Normal, input int) []float64 {
	p := s.in(input)
	switch {
	case p == nil:
		return make([]float64, n.Params)
	case len(p.Data) == n.Params:
		return p.Data
	}
	axis, _ := s.call.Axis("axis")
	return reference.Expand(p, s.call.In[0].Shape[axis:]).Data
}

func expectBatchNorm(s *site) (*expectation, error) {
	if s.call.Int("training_mode") != 0 {
		return expectNorm(s)
	}
	if s.index > 0 {
		return exact.expect(s)
	}
	n, err := s.call.Normal()
	if err != nil {
		return nil, err
	}
	limit, x, v := make([]float64, len(s.want.Data)), s.in(0).Data, s.statisticsUnit()
	for i, y := range s.want.Data {
		p := parameterAt(n, i)
		slope := math.Abs(s.in(1).Data[p]) / math.Sqrt(s.in(4).Data[p]+s.call.Float("epsilon"))
		b := slope*(math.Abs(x[i])+math.Abs(s.in(3).Data[p])) + math.Abs(s.in(2).Data[p])
		limit[i] = 8*v*b + 2*s.u()*math.Abs(y) + minNormal(s.dtype())
	}
	return &expectation{want: s.want.Data, limit: limit}, nil
}

func expectNormGrad(s *site) (*expectation, error) {
	n, err := s.call.Normal()
	if err != nil {
		return nil, err
	}
	dy, x, scale, v := s.in(0).Data, s.in(1).Data, s.in(2).Data, s.statisticsUnit()
	given := s.call.Has(4)
	var list []statistics
	if !given {
		list = statisticsOf(s.call, n, x)
	} else {
		for i, m := range s.in(3).Data {
			list = append(list, statistics{mean: m, inv: s.in(4).Data[i]})
		}
	}
	hat, sums, products := make([]float64, len(x)), make([]float64, len(list)), make([]float64, len(list))
	count := float64(n.Count())
	for i := range x {
		k := groupAt(n, i)
		if hat[i] = math.Abs(x[i]-list[k].mean) * list[k].inv; !given {
			hat[i] = (math.Abs(x[i]) + math.Abs(list[k].mean)) * list[k].inv
		}
		g := math.Abs(dy[i] * scale[parameterAt(n, i)])
		sums[k] += g / count
		products[k] += g * hat[i] / count
	}
	limit := make([]float64, len(s.want.Data))
	if s.index == 0 {
		for i := range limit {
			k := groupAt(n, i)
			if n.Count() == 1 && s.call.Op.Name != "RMSNormalizationGrad" {
				// dX = 0, but for g = dY·scale rounded in its mean and, fused
				// into the subtraction, not.
				limit[i] = 2 * v * list[k].inv * math.Abs(dy[i]*scale[parameterAt(n, i)])
				continue
			}
			limit[i] = 8 * v * math.Sqrt(count) * list[k].inv * (math.Abs(dy[i]*scale[parameterAt(n, i)]) + sums[k] + hat[i]*products[k])
			limit[i] += 4*s.u()*math.Abs(s.want.Data[i]) + minNormal(s.dtype())
		}
		return &expectation{want: s.want.Data, limit: limit}, nil
	}
	root := math.Sqrt(float64(n.Outer * n.Inner))
	if given { // the rounding of x̂, beside the sum's
		root = max(root, 2)
	} else {
		root = max(root, math.Sqrt(count))
	}
	for i := range x {
		b := math.Abs(dy[i])
		if s.index == 1 {
			b *= hat[i]
		}
		limit[parameterAt(n, i)] += 8 * v * root * b
	}
	for i, y := range s.want.Data {
		limit[i] += 4*s.u()*math.Abs(y) + minNormal(s.dtype())
	}
	return &expectation{want: s.want.Data, limit: limit}, nil
}

// responses are S of an LRN's X, and by channel the range that a sum runs
// over.
func responses(c *graph.Call, x *reference.Array) []float64 {
	size, channels, plane := c.Int("size"), x.Shape[1], x.Shape[2:].Elements()
	list := make([]float64, len(x.Data))
	for i := range list {
		list[i] = c.Float("bias")
		at := i / plane % channels
		for k := max(0, at-(size-1)/2); k <= min(channels-1, at+size/2); k++ {
			v := x.Data[i+(k-at)*plane]
			list[i] += c.Float("alpha") / float64(size) * v * v
		}
	}
	return list
}

func expectLRN(s *site) (*expectation, error) {
	limit, size, beta := responses(s.call, s.in(0)), float64(s.call.Int("size")), s.call.Float("beta")
	for i, r := range limit {
		limit[i] = s.u()*math.Abs(s.want.Data[i])*(16+2*beta*math.Sqrt(size)+8*beta*math.Abs(math.Log(r))) + minNormal(s.dtype())
	}
	return &expectation{want: s.want.Data, limit: limit}, nil
}

func expectLRNGrad(s *site) (*expectation, error) {
	dy, x := s.in(0), s.in(1)
	list, size, beta := responses(s.call, x), s.call.Int("size"), s.call.Float("beta")
	channels, plane := x.Shape[1], x.Shape[2:].Elements()
	limit := make([]float64, len(list))
	for i := range limit {
		at, sum, far := i/plane%channels, 0.0, 0.0
		for k := max(0, at-size/2); k <= min(channels-1, at+(size-1)/2); k++ {
			j := i + (k-at)*plane
			sum += math.Abs(dy.Data[j]*x.Data[j]) * math.Pow(list[j], -beta-1)
			far = max(far, math.Abs(math.Log(list[j])))
		}
		b := math.Abs(dy.Data[i])*math.Pow(list[i], -beta) + 2*s.call.Float("alpha")*beta/float64(size)*math.Abs(x.Data[i])*sum
		limit[i] = s.u()*b*(16+4*math.Sqrt(float64(size))+8*(beta+1)*far) + minNormal(s.dtype())
	}
	return &expectation{want: s.want.Data, limit: limit}, nil
}
