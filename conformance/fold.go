package conformance

import (
	"math"

	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// The reductions beside sum, mean and maximum: products, norms, logarithms of
// sums.

var (
	productBound = &Bound{
		Name: "product", Formula: "2K′u|y*| + least normal", Source: "Higham 2002, Lemma 3.1: K factors in any order", Proposal: true,
		expect: func(s *site) (*expectation, error) {
			k := dotLength(folded(s.call), s.dtype())
			return s.within(func(_ int, y float64) float64 { return 2 * k * s.u() * math.Abs(y) })
		},
	}
	logSumBound = &Bound{
		Name: "log-sum", Formula: "the sum's dot bound over the sum, 6K′u of positive terms, + the logarithm's 3 ulp or 8u", Source: "d log s = ds/s; log as above", Proposal: true,
		expect: func(s *site) (*expectation, error) {
			k := dotLength(folded(s.call), s.dtype())
			return s.within(func(_ int, y float64) float64 { return 6*k*s.u() + max(3*ulp(y, s.dtype()), 8*s.u()) })
		},
	}
	logSumExpBound = &Bound{
		Name: "log-sum-exp", Formula: "u(8 + 2Σp|x − m| + 2√N) + L + 4u(|m| + |y*|), p the softmax, L as there", Source: "each term's exp as above, weighed by its share of the sum; N terms as in softmax", Proposal: true,
		expect: expectLogSumExp,
	}
)

// within is the expectation with a limit for each element.
func (s *site) within(limit func(i int, y float64) float64) (*expectation, error) {
	l := make([]float64, len(s.want.Data))
	for i, y := range s.want.Data {
		l[i] = limit(i, y) + minNormal(s.dtype())
	}
	return &expectation{want: s.want.Data, limit: l}, nil
}

func expectLogSumExp(s *site) (*expectation, error) {
	axes, err := s.call.Axes("axes")
	if err != nil {
		return nil, err
	}
	x, y := s.in(0), s.want
	shape := x.Shape.Clone()
	for _, a := range axes {
		shape[a] = 1
	}
	m := reference.ReduceMax(x, axes, shape).Array(&reference.Acc{})
	distance := reference.Sub(m, x)
	shares := reference.Exp(reference.Sub(x, reference.Reshape(y, shape)))
	weighed := reference.ReduceSum(reference.Mul(distance, shares), axes, shape).Array(&reference.Acc{})
	small := reference.New(shares.Shape...)
	for i, p := range shares.Data {
		if p < s.statisticsUnit() {
			small.Data[i] = p
		}
	}
	lost := reference.ReduceSum(small, axes, shape).Array(&reference.Acc{})
	n := float64(folded(s.call))
	return s.within(func(i int, v float64) float64 {
		if math.IsInf(m.Data[i], -1) {
			return 0 // a sum of nothing, whose logarithm is −∞ again
		}
		return s.u()*(8+2*weighed.Data[i]+2*math.Sqrt(n)+4*(math.Abs(m.Data[i])+math.Abs(v))) + lost.Data[i]
	})
}

// reducer is a row: an op and its data, which may depend on the number of
// terms.
type reducer struct {
	op   string
	real func(k int) fill
	// exact, if not nil, are data with a result that is exact in any order.
	exact func(d tensor.DType, k int) fill
	ints  bool // the op has integer types
}

var reducers = []reducer{
	{op: "ReduceMin", real: func(int) fill { return normal(1) }, ints: true},
	{op: "ReduceProd", real: factors, exact: func(_ tensor.DType, k int) fill { return powers(2, k) }, ints: true},
	{op: "ReduceL1", real: func(int) fill { return normal(1) }, exact: func(d tensor.DType, k int) fill {
		r := int(min(exactTotal(d)/float64(k), 1/d.UnitRoundoff()))
		return integers(-r, r)
	}, ints: true},
	{op: "ReduceL2", real: func(int) fill { return normal(1) }},
	{op: "ReduceSumSquare", real: func(int) fill { return normal(1) }, exact: structured, ints: true},
	{op: "ReduceLogSum", real: func(int) fill { return uniform(0.25, 2) }},
	{op: "ReduceLogSumExp", real: func(int) fill { return normal(5) }},
}

// masked has rows of the last axis that are −∞ throughout, and others that are
// so here and there.
func masked(f fill) fill {
	return func(r *rng, t tensor.Type) []float64 {
		v := f(r, t)
		width := t.Shape[len(t.Shape)-1]
		for row := 0; row < len(v); row += width {
			share := r.intn(3)
			for i := range width {
				if share == 0 || share == 1 && r.intn(4) == 0 {
					v[row+i] = math.Inf(-1)
				}
			}
		}
		return v
	}
}

// factors are numbers around ±1 whose product of k stays near 1.
func factors(k int) fill {
	w := min(0.5, 4/math.Sqrt(float64(k)))
	return each(func(r *rng) float64 { return r.sign() * math.Exp2(w*(2*r.float()-1)) })
}

// powers are ±1 and, a few times among k, ±base to the power of ±1: a product
// of them is exact, and whoever leaves one out or takes one twice is seen.
func powers(base float64, k int) fill {
	const few = 6
	return each(func(r *rng) float64 {
		switch v := r.float() * max(1, float64(k)/few); {
		case v < 0.5:
			return r.sign() * base
		case v < 1:
			return r.sign() / base
		}
		return r.sign()
	})
}

func foldCases() []*Case {
	var all []*Case
	for i, op := range reducers {
		all = append(all, op.cases(i)...)
	}
	return all
}

// cases are on four shapes in f32, on other ones by turns in the other types.
func (op reducer) cases(row int) []*Case {
	var all []*Case
	for j := range 4 {
		f := foldings[(row+3*j)%len(foldings)]
		e := effortOf(tensor.F32, j)
		all = append(all, f.make(op.op, tensor.F32, "real", e, op.real(f.terms()), own(op.op)(0)))
		if op.exact != nil {
			all = append(all, f.make(op.op, tensor.F32, "structure", max(e, Quick), op.exact(tensor.F32, f.terms()), exact))
		}
		if f.outputs() >= 8 && j < 2 {
			all = append(all, f.make(op.op, tensor.F32, "specials", Quick, rarely(op.real(f.terms()), nonFinite...), own(op.op)(0)))
		}
	}
	if op.op == "ReduceLogSumExp" {
		all = append(all, foldings[0].make(op.op, tensor.F32, "masked", Quick, masked(op.real(0)), own(op.op)(0)))
	}
	for j, d := range []tensor.DType{tensor.F64, tensor.F16, tensor.BF16} {
		f := foldings[(row+j)%len(foldings)]
		if f.terms() > longestSum/2 {
			f = foldings[0]
		}
		all = append(all, f.make(op.op, d, "real", effortOf(d, j), op.real(f.terms()), own(op.op)(0)))
		if op.exact != nil {
			all = append(all, f.make(op.op, d, "structure", Standard, op.exact(d, f.terms()), exact))
		}
	}
	if op.ints {
		for j, d := range []tensor.DType{tensor.S32, tensor.S64, tensor.U8} {
			values := integers(0, 50)
			if op.op == "ReduceProd" {
				values = each(func(r *rng) float64 { return float64(1 + 2*(r.intn(12)/11)) })
			}
			all = append(all, foldings[3*j].make(op.op, d, "integers", Quick, values, exact))
		}
	}
	return all
}
