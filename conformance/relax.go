package conformance

import (
	"math"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/reference/relaxed"
	"github.com/clsbench/clsbench/tensor"
)

// A relaxed math mode is judged as strict is, by the same cases, but for the
// calls that the mode touches (graph.Call.Relaxed):
//
//   - Under TF32 the first set of data of a single op has factors of 11 bits,
//     and no bound is relaxed: whoever reads fewer bits, or sums in fewer, is
//     seen. The second set has all bits, and a bound with what cutting off
//     costs.
//   - Winograd's algorithm is never bit-exact. Integers whose products add up
//     to 2¹⁷ at most must come out to within a quarter, other data within the
//     bound of a sum whose inputs are all as large as the largest.
//   - What follows from a relaxed call is judged by the program rule, whose
//     rounded runs are then of that mode.
var (
	tf32Bound = &Bound{
		Name: "tf32 products", Formula: "|e| ≤ 6K′uB + (2·2^-10 + 2^-20)B; 6K′uB where all factors have 11 bits",
		Source: "both factors cut off to 11 significant bits; sums as dot",
		expect: expectTF32,
	}
	winogradBound = &Bound{
		Name: "winograd", Formula: "|e| ≤ ¼ + u|y*| for integers with B ≤ 2^17, else |e| ≤ 6K′uB′ (2K′uB′ unless f32), B′ = 9·Σ_c max_k|w|·max|x| + |bias|, padding included",
		Source: "TOSA 1.0, dot product accuracy requirements with local_bound = false; transforms mix the taps of a filter as well, so that its largest stands for each",
		expect: expectWinograd,
	}
)

var relaxedBounds = []*Bound{tf32Bound, winogradBound}

const (
	tf32Loss      = 2*0x1p-10 + 0x1p-20 // of a product of two factors that are cut off
	winogradTotal = 1 << 17             // of the integers that Winograd's algorithm must get to within a quarter
	winogradSlack = 0.25
)

// relaxes says whether the oracle's math mode is one that has forms of its own.
func (o *Oracle) relaxes() bool {
	return o.Math != graph.Strict && slices.Contains(graph.MathModes(), o.Math)
}

// relaxation says what a math mode touches in a program on some data.
type relaxation struct {
	math    string
	touched map[string]bool // values of sums of products that the mode changes
	follows map[string]bool // what such values went into, and what several such sums make
}

// relaxationOf looks at every call of an evaluated program.
func relaxationOf(mathMode string, g *graph.Graph, env map[string]*reference.Array) relaxation {
	r := relaxation{mathMode, map[string]bool{}, map[string]bool{}}
	for i := range g.Calls {
		c := &g.Calls[i]
		var in []*reference.Array
		follows := false
		for j := range c.In {
			if !c.Has(j) {
				in = append(in, nil)
				continue
			}
			in = append(in, env[c.Inputs[j]])
			follows = follows || r.touched[c.Inputs[j]] || r.follows[c.Inputs[j]]
		}
		changed := relaxed.Changes(mathMode, c, in)
		for _, name := range c.Outputs {
			if name != "" {
				r.touched[name] = changed && terms[c.Op.Name] != nil
				r.follows[name] = follows || changed && terms[c.Op.Name] == nil
			}
		}
	}
	return r
}

// relax finds out what the oracle's math mode touches in the trial.
func (t *Trial) relax(o *Oracle) error {
	if !slices.ContainsFunc(t.Graph.Calls, func(c graph.Call) bool { return c.Relaxed(o.Math) }) {
		return nil
	}
	env := t.arrays()
	for _, c := range t.Graph.Consts {
		env[c.Name] = reference.FromTensor(c.Tensor)
	}
	if t.Case.sampled == 0 { // else it is one op, whose inputs are all given
		if _, err := reference.Eval(t.Graph, env, reference.Mode{Threads: o.threads()}); err != nil {
			return err
		}
	}
	t.relaxed = relaxationOf(o.Math, t.Graph, env)
	return nil
}

// bound is what judges an output instead of its strict bound; nil where that
// stays.
func (r *relaxation) bound(value string) *Bound {
	switch {
	case r.follows[value]:
		return programRule
	case r.touched[value]:
		return map[string]*Bound{graph.TF32: tf32Bound, graph.Winograd: winogradBound}[r.math]
	}
	return nil
}

func expectTF32(s *site) (*expectation, error) {
	e, err := expectDot(s)
	if err != nil {
		return nil, err
	}
	twin, err := s.twin()
	if err != nil {
		return nil, err
	}
	for i, b := range twin.Data {
		e.limit[i] += tf32Loss * b
	}
	e.whole = nil // the errors are no longer those of roundings
	return e, nil
}

func expectWinograd(s *site) (*expectation, error) {
	twin, err := s.twin()
	if err != nil {
		return nil, err
	}
	e := &expectation{want: s.want.Data, limit: make([]float64, len(twin.Data))}
	if s.countable(twin) {
		for i, y := range s.want.Data {
			e.limit[i] = winogradSlack + s.u()*math.Abs(y)
		}
		return e, nil
	}
	k := dotLength(terms[s.call.Op.Name](s.call), s.dtype())
	totals, plane := s.leveledTwin(), s.want.Shape[2:].Elements()
	for i := range e.limit {
		b := totals[i/plane%len(totals)]
		if math.IsNaN(twin.Data[i]) {
			b = twin.Data[i] // not sampled
		}
		e.limit[i] = s.dotFactor() * k * max(s.u()*b, minNormal(s.dtype()))
	}
	return e, nil
}

// leveledTwin is, by channel of the output, the sum of the magnitudes of all
// taps times the largest of the other factor, with the bias; each tap counts as
// the largest of its filter for a channel, since transforms mix them. Padding
// counts as well: an element of a tile takes part in all of the tile's outputs,
// with a weight that only in exact numbers is zero.
func (s *site) leveledTwin() []float64 {
	x, w := s.in(0), s.in(1)
	level := 0.0
	for _, v := range x.Data {
		level = max(level, math.Abs(v))
	}
	channels := s.want.Shape[1]
	total := make([]float64, channels)
	groups, taps := s.call.Int("group"), w.Shape[2:].Elements()
	for i := range w.Shape[:2].Elements() {
		m, c := i/w.Shape[1], i%w.Shape[1]
		if s.call.Op.Name == "ConvInputGrad" {
			m = m/(w.Shape[0]/groups)*w.Shape[1] + c
		}
		largest := 0.0
		for _, v := range w.Data[i*taps : (i+1)*taps] {
			largest = max(largest, math.Abs(v))
		}
		total[m] += level * float64(taps) * largest
	}
	if b := s.in(2); b != nil {
		for m, v := range b.Data {
			total[m] += math.Abs(v)
		}
	}
	return total
}

// countable says that the call is one of small integers.
func (s *site) countable(twin *reference.Array) bool {
	for _, b := range twin.Data {
		if !(b <= winogradTotal) && (s.at == nil || !math.IsNaN(b)) {
			return false
		}
	}
	for i := range s.call.In {
		if !s.call.Has(i) {
			continue
		}
		for _, v := range s.in(i).Data {
			if v != math.Trunc(v) {
				return false
			}
		}
	}
	return true
}

// inexact says whether a program that had no call for Winograd's algorithm has
// one now that it is decomposed: what counts on exact sums of integers can't be
// had where there are none.
func inexact(mathMode string, before *graph.Graph, lowered *graph.Program) bool {
	touched := func(c graph.Call) bool { return c.Relaxed(graph.Winograd) }
	if mathMode != graph.Winograd || slices.ContainsFunc(before.Calls, touched) {
		return false
	}
	g, err := lowered.Infer()
	return err == nil && slices.ContainsFunc(g.Calls, touched)
}

// shortened rounds the data of an f32 input to what TF32 reads.
func shortened(t *tensor.Tensor) {
	if t.DType != tensor.F32 {
		return
	}
	v := t.Float64s()
	for i := range v {
		v[i] = relaxed.TF32Roundings[1](v[i])
	}
	t.SetFloat64s(v)
}
