package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Softmax and its gradient. Bounds first, rows below.

// alongAxis calls f for each row of a shape along an axis with the flat
// positions of its elements.
func alongAxis(s tensor.Shape, axis int, f func(at []int)) {
	inner, extent := s[axis+1:].Elements(), s[axis]
	at := make([]int, extent)
	for outer := range s[:axis].Elements() {
		for i := range inner {
			for j := range extent {
				at[j] = (outer*extent+j)*inner + i
			}
			f(at)
		}
	}
}

// lost is the part of a sum of positive terms, as a share of it, that some order
// of summation drops. A term below v times the sum so far is rounded away
// (Higham 2002, §4.2: fl(s + t) = s); where a large term comes first, so are all
// that are small beside it. These errors have one sign, so that they add up and
// do not walk at random as √N says of the others. share gives term i as a share
// of the sum.
func lost(at []int, v float64, share func(i int) float64) float64 {
	total := 0.0
	for _, i := range at {
		if p := share(i); p < v {
			total += p
		}
	}
	return total
}

func expectSoftmax(s *site) (*expectation, error) {
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
		sum := 2*s.u()*math.Sqrt(float64(len(at))) + lost(at, s.statisticsUnit(), func(i int) float64 { return s.want.Data[i] })
		for _, i := range at {
			far := m - x.Data[i]
			if math.IsInf(far, 0) {
				far = 0 // the result is 0, exactly
			}
			limit[i] = s.want.Data[i]*(s.u()*(8+2*far)+sum) + minNormal(s.dtype())
		}
	})
	return &expectation{want: s.want.Data, limit: limit}, nil
}

// expectSoftmaxGrad bounds dX of the composed gradient; the program has the
// softmax with output y, and the feed dY.
func expectSoftmaxGrad(s *site) (*expectation, error) {
	x, dy := s.env["X"], s.env["dY"]
	axis := len(x.Shape) - 1
	soft := reference.Softmax(&reference.Acc{}, x, axis)
	limit := make([]float64, len(s.want.Data))
	alongAxis(x.Shape, axis, func(at []int) {
		lo, hi, twin := math.Inf(1), math.Inf(-1), 0.0
		for _, i := range at {
			lo, hi = min(lo, x.Data[i]), max(hi, x.Data[i])
			twin += soft.Data[i] * math.Abs(dy.Data[i])
		}
		// Both sums may lose terms: that of the softmax, and that of y·dy.
		k := s.u()*(12+2*(hi-lo)+2*math.Sqrt(float64(len(at)))) + lost(at, s.statisticsUnit(), func(i int) float64 { return soft.Data[i] }) +
			lost(at, s.statisticsUnit(), func(i int) float64 { return soft.Data[i] * math.Abs(dy.Data[i]) / twin })
		for _, i := range at {
			limit[i] = k*soft.Data[i]*(math.Abs(dy.Data[i])+twin) + minNormal(s.dtype())*(1+math.Abs(dy.Data[i])+twin)
		}
	})
	return &expectation{want: s.want.Data, limit: limit}, nil
}

// logits are a batch of scores: rows and classes, and how far they reach.
type scores struct {
	rows, classes int
	scale         float64
}

var scoreRows = []scores{{32, 10, 4}, {1, 10, 2}, {64, 1000, 6}, {13, 17, 30}, {7, 2, 1}, {33, 33, 0.01}, {700, 101, 5}}

func softmaxCases() []*Case {
	var all []*Case
	for _, d := range floats {
		for i, r := range scoreRows {
			if r.scale < d.UnitRoundoff()*64 {
				continue // all classes are as good as equal
			}
			e := effortOf(d, i)
			all = append(all, r.softmax(d, e)...)
		}
		all = append(all, alongOtherAxes(d)...)
	}
	return all
}

func (r scores) typ(d tensor.DType) tensor.Type { return tensor.T(d, r.rows, r.classes) }

func (r scores) params(more ...string) string {
	return params(append([]string{fmt.Sprintf("x=%dx%d,scale=%v", r.rows, r.classes, r.scale)}, more...)...)
}

func (r scores) softmax(d tensor.DType, e Effort) []*Case {
	c := func(op, class string, suite Suite, e Effort, b *Bound, s *opSubject) *Case {
		return &Case{Op: op, DType: d, Params: r.params(), Class: class, Suite: suite, Effort: e, Required: d == tensor.F32, bound: every(b), subject: s}
	}
	x := input{name: "X", typ: r.typ(d), fill: normal(r.scale)}
	shifted := input{name: "X", typ: r.typ(d), fill: each(func(r *rng) float64 { return 500 + 4*r.normal() })}
	all := []*Case{c("Softmax", "real", InferenceCore, e, softmaxBound, &opSubject{inputs: []input{x}, apply: single("Softmax", nil, 1)}),
		// Exponentials overflow unless the maximum is subtracted first.
		c("Softmax", "shifted", InferenceCore, max(e, Quick), softmaxBound, &opSubject{inputs: []input{shifted}, apply: single("Softmax", nil, 1)})}
	if r.rows > 8 {
		x.fill = rarely(normal(r.scale), math.Inf(-1), math.Inf(-1), math.NaN(), math.Inf(1))
		all = append(all, c("Softmax", "specials", InferenceCore, max(e, Quick), softmaxBound, &opSubject{inputs: []input{x}, apply: single("Softmax", nil, 1)}))
	}
	return append(all, c("SoftmaxGrad", "real", TrainingCore, e, softmaxGradBound, r.softmaxGrad(d)))
}

// softmaxGrad is the gradient that the op's row writes, a program of five ops.
func (r scores) softmaxGrad(d tensor.DType) *opSubject {
	return &opSubject{
		inputs: []input{{name: "X", typ: r.typ(d), fill: normal(r.scale)}, {name: "dY", typ: r.typ(d), fill: normal(1)}},
		apply: func(b *graph.Builder, in []graph.Value) []graph.Value {
			b.Op("Softmax", nil, in[0])
			calls := b.Calls()
			forward := calls[len(calls)-1]
			return forward.Op.Grad(b, forward, in[1:])
		},
	}
}

// alongOtherAxes has rows that are not contiguous.
func alongOtherAxes(d tensor.DType) []*Case {
	var all []*Case
	for _, axis := range []int{1, 0} {
		all = append(all, &Case{
			Op: "Softmax", DType: d, Params: fmt.Sprintf("x=5x19x7,axis=%d", axis), Class: "real", Suite: InferenceCore,
			Effort: effortOf(d, 1), Required: d == tensor.F32, bound: every(softmaxBound),
			subject: &opSubject{inputs: []input{{name: "X", typ: tensor.T(d, 5, 19, 7), fill: normal(3)}},
				apply: single("Softmax", graph.Attrs{"axis": graph.I(axis)}, 1)}})
	}
	return all
}
