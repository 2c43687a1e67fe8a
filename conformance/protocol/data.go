package protocol

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Some ops forbid some of the data that their types allow: an index beyond its
// axis, a label of no class (package graph says which, op by op). Such data are
// the caller's fault, found within Run: InvalidArgument, never numbers. It ends
// the session, so each is asked in a session of its own, while another goes on.
// Of an op that is decomposed nothing is asked: its indices become others, of
// which one that was outside may lie inside.

// ErrLacksOp is what a case of an op's data ends with on a backend whose Check
// refuses the op: there is nothing to ask.
var ErrLacksOp = errors.New("the backend does not have the op")

// forbidding is an op that forbids data. All other inputs are consts, so small
// and so chosen that every legal answer is exact.
type forbidding struct {
	name, op string
	shape    tensor.Shape // of the indices or labels
	build    func(b *graph.Builder, at graph.Value) graph.Value
	legal    []int64   // the first and the last that are, among others
	want     []float32 // the answer to them
	outside  []misplaced
	long     bool // indices of 64 bits only
}

// misplaced is a value that must not stand there: the nearest outside of what
// is legal on either side, far ones, and those that are legal again when cut to
// 32 bits, or as a position in the whole tensor.
type misplaced struct {
	at    int
	value int64
}

// forbiddings lists the ops that refuse data. OneHot is none of them, it has an
// answer to any index. Nor are those where ONNX leaves open what becomes of data
// outside: ScatterND, Cast, and a division of integers by zero.
func forbiddings() []forbidding {
	return []forbidding{
		{
			name: "gather-index-outside", op: "Gather", shape: tensor.Shape{4},
			build: func(b *graph.Builder, at graph.Value) graph.Value { return b.Op("Gather", nil, numbers(b, 4, 2), at) },
			legal: []int64{0, 3, -1, -4}, want: []float32{1, 2, 7, 8, 7, 8, 1, 2},
			outside: []misplaced{{0, 4}, {3, -5}, {1, math.MaxInt32}, {2, math.MinInt32}, {0, 1<<32 + 1}, {3, math.MinInt64}},
		},
		{
			name: "gather-elements-index-outside", op: "GatherElements", shape: tensor.Shape{2, 2},
			build: func(b *graph.Builder, at graph.Value) graph.Value {
				return b.Op("GatherElements", graph.Attrs{"axis": graph.I(1)}, numbers(b, 2, 3), at)
			},
			legal: []int64{0, 2, -3, -1}, want: []float32{1, 3, 4, 6},
			outside: []misplaced{{0, 3}, {3, -4}, {1, math.MaxInt32}, {2, 1 << 32}},
		},
		{
			name: "gather-nd-index-outside", op: "GatherND", shape: tensor.Shape{3, 2},
			build: func(b *graph.Builder, at graph.Value) graph.Value { return b.Op("GatherND", nil, numbers(b, 2, 3), at) },
			legal: []int64{0, 2, 1, -3, -2, -1}, want: []float32{3, 4, 3},
			outside: []misplaced{{1, 3}, {0, 2}, {3, -4}, {4, -3}, {5, math.MaxInt32}, {2, 1 << 32}},
		},
		{
			name: "scatter-add-index-outside", op: "ScatterAdd", shape: tensor.Shape{4},
			build: func(b *graph.Builder, at graph.Value) graph.Value {
				return b.Op("ScatterAdd", nil, numbers(b, 4), at, b.Const("updates", vector(10, 20, 40, 80)))
			},
			legal: []int64{0, 3, -1, -4}, want: []float32{91, 2, 3, 64},
			outside: []misplaced{{0, 4}, {3, -5}, {1, math.MaxInt32}, {2, math.MinInt32}, {0, 1<<32 + 1}, {3, math.MinInt64}},
		},
		{
			name: "scatter-elements-index-outside", op: "ScatterElements", shape: tensor.Shape{2, 2},
			build: func(b *graph.Builder, at graph.Value) graph.Value {
				updates := b.Const("updates", tensor.Of(tensor.F32, tensor.Shape{2, 2}, 10, 20, 30, 40))
				return b.Op("ScatterElements", graph.Attrs{"axis": graph.I(1)}, numbers(b, 2, 3), at, updates)
			},
			legal: []int64{0, 2, -3, -1}, want: []float32{10, 2, 20, 30, 5, 40},
			outside: []misplaced{{0, 3}, {3, -4}, {1, math.MaxInt32}, {2, 1 << 32}},
		},
		{
			name: "maxpool-grad-index-outside", op: "MaxPoolGrad", shape: tensor.Shape{1, 1, 2, 2}, long: true,
			build: func(b *graph.Builder, at graph.Value) graph.Value {
				return b.Op("MaxPoolGrad", graph.Attrs{"input_shape": graph.L(1, 1, 3, 3)}, numbers(b, 1, 1, 2, 2), at)
			},
			legal: []int64{0, 8, 4, 4}, want: []float32{1, 0, 0, 0, 7, 0, 0, 0, 2},
			outside: []misplaced{{0, 9}, {3, -1}, {1, math.MaxInt32}, {2, 1 << 32}, {0, math.MinInt64}},
		},
		labelled("cross-entropy-label-outside", "SoftmaxCrossEntropy", []float32{0, 400, 200, 0}, func(b *graph.Builder, x, labels graph.Value, a graph.Attrs) graph.Value {
			return b.Op("SoftmaxCrossEntropy", a, x, labels)
		}),
		labelled("cross-entropy-grad-label-outside", "SoftmaxCrossEntropyGrad", []float32{0, 0, 0, 0, 2, 0, 0, -2, 3, -3, 0, 0, 0, 0, 0, 0}, func(b *graph.Builder, x, labels graph.Value, a graph.Attrs) graph.Value {
			return b.Op("SoftmaxCrossEntropyGrad", a, b.Const("dloss", vector(1, 2, 3, 4)), x, labels, b.Const("lse", vector(0, 0, 0, 0)))
		}),
		labelled("cross-entropy-loss-label-outside", "SoftmaxCrossEntropyLoss", []float32{0, 400, 200, 0}, func(b *graph.Builder, x, labels graph.Value, a graph.Attrs) graph.Value {
			return b.Op("SoftmaxCrossEntropyLoss", a, x, labels)
		}),
		labelled("likelihood-label-outside", "NegativeLogLikelihoodLoss", []float32{0, 400, 200, 0}, func(b *graph.Builder, x, labels graph.Value, a graph.Attrs) graph.Value {
			return b.Op("NegativeLogLikelihoodLoss", a, x, labels)
		}),
	}
}

// labelled is a loss of four rows and four classes, the last row ignored. Of
// each row the first class is so much likelier than the others that its
// exponential is 1 and theirs are 0 in f32: the losses are whole numbers.
func labelled(name, op string, want []float32, build func(b *graph.Builder, x, labels graph.Value, a graph.Attrs) graph.Value) forbidding {
	const ignored = 9
	return forbidding{
		name: name, op: op, shape: tensor.Shape{4},
		build: func(b *graph.Builder, labels graph.Value) graph.Value {
			row := []float64{0, -200, -300, -400}
			x := tensor.Of(tensor.F32, tensor.Shape{4, 4}, slices.Concat(row, row, row, row)...)
			return build(b, b.Const("scores", x), labels, graph.Attrs{"reduction": graph.S("none"), "ignore_index": graph.I(ignored)})
		},
		legal: []int64{0, 3, 1, ignored}, want: want,
		outside: []misplaced{{0, 4}, {2, -1}, {1, -4}, {3, ignored + 1}, {0, math.MaxInt32}, {1, 1 << 32}, {2, math.MinInt64}},
	}
}

// numbers is a const 1, 2, 3, … of some shape.
func numbers(b *graph.Builder, shape ...int) graph.Value {
	x := tensor.New(tensor.F32, shape...)
	for i := range x.Shape.Elements() {
		tensor.View[float32](x.Data)[i] = float32(i + 1)
	}
	return b.Const("data", x)
}

// dataCases ask each op that forbids data.
func dataCases() (all []Case) {
	for _, f := range forbiddings() {
		all = append(all, Case{Name: f.name, Op: f.op, run: f.run})
	}
	return all
}

func (f forbidding) run(t *trial) {
	types := []tensor.DType{tensor.S64, tensor.S32}
	if f.long {
		types = types[:1]
	}
	asked := false
	for _, d := range types {
		p := t.program(func(b *graph.Builder) { b.Fetch(f.build(b, b.Feed("at", tensor.Type{DType: d, Shape: f.shape}))) })
		if t.supports(p) {
			f.ask(t, p, d)
			asked = true
		}
	}
	if !asked {
		panic(failure{fmt.Errorf("%s: %w", f.op, ErrLacksOp)})
	}
}

// supports says whether the backend would compile p.
func (t *trial) supports(p *graph.Program) bool {
	verdicts, err := t.session().Check(t.ctx, p)
	t.ok(err, "Check")
	return !slices.ContainsFunc(verdicts, func(v backends.NodeVerdict) bool { return !v.Supported })
}

// ask runs legal data, then each of the values outside in a session of its own.
func (f forbidding) ask(t *trial, p *graph.Program, d tensor.DType) {
	witness := t.bind(t.session(), p, 1)
	f.legally(t, witness, p, d, "in a first session")
	for _, o := range f.outside {
		if d == tensor.S32 && int64(int32(o.value)) != o.value {
			continue
		}
		f.refuses(t, p, d, o)
		f.legally(t, witness, p, d, "in another session, open all the while")
	}
	f.legally(t, t.bind(t.session(), p, 1), p, d, "in a session opened after that")
}

// legally runs data that the op allows.
func (f forbidding) legally(t *trial, e *backends.Bound, p *graph.Program, d tensor.DType, where string) {
	setIndices(e.At("at", 0), d, f.legal)
	fill(e.At(p.Fetches[0], 0))
	t.run(e, 0, 1)
	t.same(fmt.Sprintf("%s with %v indices %v, all legal, %s", f.op, d, f.legal, where), e.At(p.Fetches[0], 0), f.want...)
}

// refuses runs data with one value outside. The slot of the next step and the
// indices must stay as they are, and the session's end be told.
func (f forbidding) refuses(t *trial, p *graph.Program, d tensor.DType, o misplaced) {
	s := t.session()
	e := t.bind(s, p, 2)
	bad := slices.Clone(f.legal)
	bad[o.at] = o.value
	what := fmt.Sprintf("%s with %v indices %v, of which %d is outside", f.op, d, bad, o.value)
	setIndices(e.At("at", 0), d, bad)
	setIndices(e.At("at", 1), d, f.legal)
	before := slices.Clone(e.At("at", 0))
	fill(e.At(p.Fetches[0], 1))
	_, err := e.Run(t.ctx, backends.RunRequest{Steps: 1})
	t.refused(err, what, backends.InvalidArgument)
	if !slices.Equal(e.At("at", 0), before) {
		t.fail("%s: the indices were written to", what)
	}
	for i, v := range e.At(p.Fetches[0], 1) {
		if v != untouched {
			t.fail("%s: byte %d of the next step's slot was written to", what, i)
		}
	}
	_, err = e.Run(t.ctx, backends.RunRequest{First: 1, Steps: 1})
	t.refused(err, "a run after "+what, backends.FailedPrecondition)
	_, err = s.Check(t.ctx, p)
	t.refused(err, "Check after "+what, backends.FailedPrecondition)
	t.ok(s.Close(), "closing the session after "+what)
}

// untouched is what memory is filled with that must not be written, or all of
// it.
const untouched = 0xA5

func fill(memory []byte) {
	for i := range memory {
		memory[i] = untouched
	}
}

func setIndices(memory []byte, d tensor.DType, values []int64) {
	for i, v := range values {
		if d == tensor.S32 {
			tensor.View[int32](memory)[i] = int32(v)
		} else {
			tensor.View[int64](memory)[i] = v
		}
	}
}
