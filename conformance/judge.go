package conformance

import (
	"fmt"
	"math"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Bound is one row of the table of bounds.
type Bound struct {
	Name     string
	Formula  string // as in CONFORMANCE's notation: u, y*, K, B
	Source   string
	Proposal bool // the constants are ours, calibrated on the legal variants

	expect func(s *site) (*expectation, error)
}

// site is where a bound is applied: one output of the call under test, with
// the float64 values of the whole program.
type site struct {
	graph *graph.Graph
	call  *graph.Call
	index int
	env   map[string]*reference.Array
	out   output
	want  *reference.Array
	at    []int // positions to judge; nil: all
}

func (s *site) dtype() tensor.DType { return s.out.typ.DType }

// u is the unit roundoff, twice that of f64: there the reference, in float64
// itself, errs as much as what it judges.
func (s *site) u() float64 {
	if s.dtype() == tensor.F64 {
		return 2 * s.dtype().UnitRoundoff()
	}
	return s.dtype().UnitRoundoff()
}

// in is input i of the call, nil if left out.
func (s *site) in(i int) *reference.Array {
	if !s.call.Has(i) {
		return nil
	}
	return s.env[s.call.Inputs[i]]
}

// expectation is what a bound makes of a site: everything that an answer is
// judged by.
type expectation struct {
	output output
	bound  *Bound
	want   []float64
	limit  []float64 // largest |y − want|, by element; nil: bit-equal
	// whole, if not nil, judges all errors together, each as a multiple of
	// its unit; it names the criterion that is broken.
	whole func(e []float64) string
	unit  []float64
	// accept, if not nil, says whether a wrong element is right after all; a
	// backend that declares the feature unless may not ask for it.
	accept func(i int, got float64) bool
	unless string
	// given, if not nil, tells what is right from what else was answered.
	given func(got Outputs) (want []float64, accept func(i int, got float64) bool)
}

// of is the expectation of one answer among others.
func (e *expectation) of(got Outputs) *expectation {
	if e.given == nil {
		return e
	}
	own := *e
	own.want, own.accept = e.given(got)
	return &own
}

// judge holds one output against its expectation. features are those that the
// backend declares.
func (e *expectation) judge(got *tensor.Tensor, features []string) *Finding {
	f := newFinding(e)
	f.Criterion = e.hold(got, features, func(i int, y, m float64, ok bool) bool {
		f.add(i, y, m, ok)
		return true
	})
	f.OK = f.OK && f.Criterion == ""
	return f.done(e)
}

// passes says whether judge would find nothing wrong, of a backend that
// declares no feature.
func (e *expectation) passes(got *tensor.Tensor) bool {
	right := true
	broken := e.hold(got, nil, func(_ int, _, _ float64, ok bool) bool {
		right = ok
		return ok
	})
	return right && broken == ""
}

// hold tells of every element, with its error as a multiple of its limit,
// whether it is right, until it is told to stop. It gives the criterion that
// is broken where it is not a single element's bound.
func (e *expectation) hold(got *tensor.Tensor, features []string, each func(i int, y, m float64, ok bool) (goOn bool)) (criterion string) {
	if got == nil || !got.Type.Equal(e.output.typ) {
		panic(fmt.Sprintf("conformance: answer for %s is %v", e.output.key, got))
	}
	if i := badBool(got); i >= 0 {
		each(i, float64(got.Data[i]), math.Inf(1), false)
		return "a bool is 0 or 1"
	}
	d := e.output.typ.DType
	lenient := e.accept != nil && !slices.Contains(features, e.unless)
	var errs []float64
	right := true
	for i, y := range got.Float64s() {
		limit := 0.0
		if e.limit != nil {
			limit = e.limit[i]
		}
		m := multiple(y, e.want[i], limit, d)
		ok := m <= 1
		if !ok && lenient && e.accept(i, y) {
			m, ok = 0, true
		}
		right = right && ok
		if !each(i, y, m, ok) {
			return ""
		}
		if e.whole != nil {
			if r := (y - e.want[i]) / e.unit[i]; !math.IsNaN(r) && !math.IsInf(r, 0) {
				errs = append(errs, r)
			}
		}
	}
	if e.whole != nil && right {
		return e.whole(errs)
	}
	return ""
}

func badBool(t *tensor.Tensor) int {
	if t.DType == tensor.Bool {
		for i, b := range t.Data {
			if b > 1 {
				return i
			}
		}
	}
	return -1
}

// multiple is the error of one element as a multiple of its limit: right up
// to 1, and never right if it is NaN, since callers ask for m <= 1.
//
//   - A NaN is right where the reference has one, and nowhere else.
//   - A limit that is NaN demands nothing, an infinite one only that an
//     infinity does not become finite.
//   - Infinity is right where the reference plus the limit overflows.
//   - Zero is right where the reference less the limit is subnormal: flushing
//     to zero is legal. So is any sign of zero.
func multiple(got, want, limit float64, d tensor.DType) float64 {
	switch {
	case math.IsNaN(want):
		if math.IsNaN(got) {
			return 0
		}
		return math.NaN()
	case got == want, math.IsNaN(limit):
		return 0
	case math.IsInf(limit, 0):
		// Products split into parts make NaN of infinity, but nothing finite.
		if math.IsInf(want, 0) && !math.IsNaN(got) {
			return math.Inf(1)
		}
		return 0
	case got == 0 && math.Abs(want)-limit < minNormal(d):
		return 0
	case math.IsInf(got, 0) && d.IsFloat() && math.Abs(want)+limit > maxFinite(d) && math.Signbit(got) == math.Signbit(want):
		return 0
	}
	return math.Abs(got-want) / limit
}

// rounded is x rounded once to the type: what bit equality is held against.
func rounded(x []float64, d tensor.DType) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = tensor.Round(v, d)
	}
	return y
}

// ulp is the distance of neighbouring numbers of a type at x, not below that
// of its least normal numbers (Goldberg 1991, §1.2).
func ulp(x float64, d tensor.DType) float64 {
	x = max(math.Abs(x), minNormal(d))
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return x
	}
	const fraction = 1<<52 - 1
	power := math.Float64frombits(math.Float64bits(x) &^ fraction) // of two, that x begins with
	return 2 * d.UnitRoundoff() * power
}
