package cpu

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/internal/machine/isa"
	"github.com/clsbench/clsbench/internal/opsample"
	"github.com/clsbench/clsbench/tensor"
)

var nan, inf = math.NaN(), math.Inf(1)

// handCase is one node with inputs and outputs worked out by hand.
type handCase struct {
	name  string
	op    string
	attrs graph.Attrs
	in    []*tensor.Tensor // nil: left out
	want  []*tensor.Tensor
}

func floats(shape tensor.Shape, v ...float64) *tensor.Tensor {
	return tensor.Of(tensor.F32, shape, v...)
}
func longs(shape tensor.Shape, v ...float64) *tensor.Tensor {
	return tensor.Of(tensor.S64, shape, v...)
}

type sh = tensor.Shape

func handCases() []handCase {
	ramp := floats(sh{1, 1, 3, 3}, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	ones := floats(sh{1, 1, 2, 2}, 1, 1, 1, 1)
	one := func(x *tensor.Tensor) []*tensor.Tensor { return []*tensor.Tensor{x} }
	list := func(x ...*tensor.Tensor) []*tensor.Tensor { return x }
	return []handCase{
		{"add column and row", "Add", nil, list(floats(sh{2, 1}, 1, 2), floats(sh{1, 3}, 10, 20, 30)), one(floats(sh{2, 3}, 11, 21, 31, 12, 22, 32))},
		{"scalar minus vector", "Sub", nil, list(floats(sh{}, 1), floats(sh{3}, 1, 2, nan)), one(floats(sh{3}, 0, -1, nan))},
		{"integers divide towards zero", "Div", nil, list(tensor.Of(tensor.S32, sh{4}, -7, 7, 5, 0), tensor.Of(tensor.S32, sh{4}, 2, -2, 0, 3)), one(tensor.Of(tensor.S32, sh{4}, -3, -3, 0, 0))},
		{"bytes wrap", "Mul", nil, list(tensor.Of(tensor.U8, sh{2}, 200, 16), tensor.Of(tensor.U8, sh{2}, 2, 16)), one(tensor.Of(tensor.U8, sh{2}, 144, 0))},
		{"relu keeps NaN", "Relu", nil, one(floats(sh{4}, -1, nan, 2, -inf)), one(floats(sh{4}, 0, nan, 2, 0))},
		{"sigmoid at the ends", "Sigmoid", nil, one(floats(sh{3}, -1000, 0, 1000)), one(floats(sh{3}, 0, 0.5, 1))},
		{"a choice looks at nothing", "Where", nil, list(tensor.Of(tensor.Bool, sh{2, 1}, 1, 0), floats(sh{2}, nan, 1), floats(sh{}, 7)), one(floats(sh{2, 2}, nan, 1, 7, 7))},
		{"NaN equals nothing", "Equal", nil, list(floats(sh{3}, nan, 1, 2), floats(sh{3}, nan, 1, 3)), one(tensor.Of(tensor.Bool, sh{3}, 0, 1, 0))},
		{"cast saturates", "Cast", graph.Attrs{"to": graph.S("s8")}, one(floats(sh{5}, -300, 1.9, -1.9, nan, inf)), one(tensor.Of(tensor.S8, sh{5}, -128, 1, -1, 0, 127))},
		{"cast drops upper bits", "Cast", graph.Attrs{"to": graph.S("u8")}, one(longs(sh{2}, 257, -1)), one(tensor.Of(tensor.U8, sh{2}, 1, 255))},
		{"cast to truth", "Cast", graph.Attrs{"to": graph.S("bool")}, one(floats(sh{3}, 0, nan, -2)), one(tensor.Of(tensor.Bool, sh{3}, 0, 1, 1))},
		{"sum of nothing", "ReduceSum", graph.Attrs{"axes": graph.L(1)}, one(floats(sh{2, 0})), one(floats(sh{2, 1}, 0, 0))},
		{"sum of the outer axis", "ReduceSum", graph.Attrs{"axes": graph.L(0), "keepdims": graph.I(0)}, one(floats(sh{2, 3}, 1, 2, 3, 10, 20, 30)), one(floats(sh{3}, 11, 22, 33))},
		{"maximum keeps NaN", "ReduceMax", graph.Attrs{"axes": graph.L(1), "keepdims": graph.I(0)}, one(floats(sh{2, 2}, 1, nan, -inf, -3)), one(floats(sh{2}, nan, -3))},
		{"product of nothing", "MatMul", nil, list(floats(sh{2, 0}), floats(sh{0, 2})), one(floats(sh{2, 2}, 0, 0, 0, 0))},
		{"integer product", "MatMul", nil, list(longs(sh{1, 2}, 2, 3), longs(sh{2, 1}, 10, 100)), one(longs(sh{1, 1}, 320))},
		{"stack of products", "MatMul", nil, list(floats(sh{2, 1, 2}, 1, 2, 3, 4), floats(sh{2, 2, 1}, 1, 10, 100, 1000)), one(floats(sh{2, 1, 1}, 21, 4300))},
		{"gemm with a row bias", "Gemm", graph.Attrs{"alpha": graph.F(2), "beta": graph.F(10), "transA": graph.I(1)},
			list(floats(sh{2, 2}, 1, 2, 3, 4), floats(sh{2, 1}, 1, 1), floats(sh{2, 1}, 1, 2)), one(floats(sh{2, 1}, 18, 32))},
		{"gemm with a column bias", "Gemm", graph.Attrs{"beta": graph.F(0.5)}, list(floats(sh{1, 1}, 3), floats(sh{1, 2}, 1, 2), floats(sh{2}, 2, 4)), one(floats(sh{1, 2}, 4, 8))},
		{"gemm with a scalar", "Gemm", nil, list(floats(sh{1, 1}, 3), floats(sh{1, 2}, 1, 2), floats(sh{}, 100)), one(floats(sh{1, 2}, 103, 106))},
		{"conv", "Conv", nil, list(ramp, ones, floats(sh{1}, 0.5)), one(floats(sh{1, 1, 2, 2}, 12.5, 16.5, 24.5, 28.5))},
		{"conv, uneven pads and a stride", "Conv", graph.Attrs{"pads": graph.L(1, 0, 0, 1), "strides": graph.L(1, 2)}, list(ramp, ones, nil), one(floats(sh{1, 1, 3, 2}, 3, 3, 12, 9, 24, 15))},
		{"zero weights keep NaN", "Conv", nil, list(floats(sh{1, 1, 1, 2}, nan, 1), floats(sh{1, 1, 1, 1}, 0), nil), one(floats(sh{1, 1, 1, 2}, nan, 0))},
		{"conv input gradient", "ConvInputGrad", graph.Attrs{"input_shape": graph.L(1, 1, 3, 3)}, list(floats(sh{1, 1, 2, 2}, 1, 2, 3, 4), ones), one(floats(sh{1, 1, 3, 3}, 1, 3, 2, 4, 10, 6, 3, 7, 4))},
		{"conv weight gradient", "ConvWeightGrad", graph.Attrs{"weight_shape": graph.L(1, 1, 2, 2)}, list(ramp, floats(sh{1, 1, 2, 2}, 1, 0, 0, 1)), one(floats(sh{1, 1, 2, 2}, 6, 8, 12, 14))},
		{"no images, no gradient", "ConvWeightGrad", graph.Attrs{"weight_shape": graph.L(1, 1, 2, 2)}, list(floats(sh{0, 1, 3, 3}), floats(sh{0, 1, 2, 2})), one(floats(sh{1, 1, 2, 2}, 0, 0, 0, 0))},
		{"average with padding left out", "AveragePool", graph.Attrs{"kernel_shape": graph.L(2, 2), "pads": graph.L(1, 1, 0, 0)}, one(floats(sh{1, 1, 2, 2}, 4, 8, 12, 16)), one(floats(sh{1, 1, 2, 2}, 4, 6, 8, 10))},
		{"average with padding counted", "AveragePool", graph.Attrs{"kernel_shape": graph.L(2, 2), "pads": graph.L(1, 1, 0, 0), "count_include_pad": graph.I(1)}, one(floats(sh{1, 1, 2, 2}, 4, 8, 12, 16)), one(floats(sh{1, 1, 2, 2}, 1, 3, 4, 10))},
		{"halving", "AveragePool", graph.Attrs{"kernel_shape": graph.L(2, 2), "strides": graph.L(2, 2)}, one(floats(sh{1, 1, 2, 4}, 1, 2, 3, 4, 5, 6, 7, 8)), one(floats(sh{1, 1, 1, 2}, 3.5, 5.5))},
		{"halving, back", "AveragePoolGrad", graph.Attrs{"kernel_shape": graph.L(2, 2), "strides": graph.L(2, 2), "input_shape": graph.L(1, 1, 2, 4)}, one(floats(sh{1, 1, 1, 2}, 4, 8)), one(floats(sh{1, 1, 2, 4}, 1, 1, 2, 2, 1, 1, 2, 2))},
		{"average over the edge, back", "AveragePoolGrad", graph.Attrs{"kernel_shape": graph.L(3, 3), "strides": graph.L(2, 2), "pads": graph.L(1, 1, 1, 1), "input_shape": graph.L(1, 1, 3, 3)},
			one(floats(sh{1, 1, 2, 2}, 4, 8, 12, 16)), one(floats(sh{1, 1, 3, 3}, 1, 3, 2, 4, 10, 6, 3, 7, 4))},
		{"the first maximum, and NaN", "MaxPool", graph.Attrs{"kernel_shape": graph.L(2)}, one(floats(sh{1, 2, 3}, 5, 5, 1, 1, nan, 2)), list(floats(sh{1, 2, 2}, 5, 5, nan, nan), longs(sh{1, 2, 2}, 0, 1, 4, 4))},
		{"gradients add up at one maximum", "MaxPoolGrad", graph.Attrs{"input_shape": graph.L(1, 1, 3)}, list(floats(sh{1, 1, 2}, 3, 4), longs(sh{1, 1, 2}, 1, 1)), one(floats(sh{1, 1, 3}, 0, 7, 0))},
		{"softmax along the first axis", "Softmax", graph.Attrs{"axis": graph.I(0)}, one(floats(sh{2, 2}, 1000, 0, 1000, 0)), one(floats(sh{2, 2}, 0.5, 0.5, 0.5, 0.5))},
		{"cross-entropy of even odds", "SoftmaxCrossEntropy", graph.Attrs{"reduction": graph.S("sum")}, list(floats(sh{2, 2}, 3, 3, 700, 0), longs(sh{2}, 0, 0)), list(floats(sh{}, math.Ln2), floats(sh{2}, 3+math.Ln2, 700))},
		{"its gradient", "SoftmaxCrossEntropyGrad", nil, list(floats(sh{}, 4), floats(sh{2, 2}, 3, 3, 0, 0), tensor.Of(tensor.S32, sh{2}, 0, 1), floats(sh{2}, 3+math.Ln2, math.Ln2)), one(floats(sh{2, 2}, -1, 1, 1, -1))},
		{"its gradient, smoothed, a row ignored", "SoftmaxCrossEntropyGrad", graph.Attrs{"label_smoothing": graph.F(0.5), "ignore_index": graph.I(9)},
			list(floats(sh{}, 4), floats(sh{2, 2}, 3, 3, 0, 0), longs(sh{2}, 0, 9), floats(sh{2}, 3+math.Ln2, math.Ln2)), one(floats(sh{2, 2}, -1, 1, 0, 0))},
		{"its gradient, weighted", "SoftmaxCrossEntropyGrad", graph.Attrs{"reduction": graph.S("sum")},
			list(floats(sh{}, 4), floats(sh{2, 2}, 3, 3, 0, 0), longs(sh{2}, 1, 0), floats(sh{2}, 3+math.Ln2, math.Ln2), floats(sh{2}, 1, 3)), one(floats(sh{2, 2}, 6, -6, -2, 2))},
		{"adam's first step is lr", "Adam", nil, list(floats(sh{2}, 1, 1), floats(sh{2}, 5, -0.01), floats(sh{2}, 0, 0), floats(sh{2}, 0, 0), longs(sh{}, 0), floats(sh{}, 0.25), nil), one(floats(sh{2}, 0.75, 1.25))},
		{"nesterov", "SGD", graph.Attrs{"momentum": graph.F(0.5), "nesterov": graph.I(1)}, list(floats(sh{1}, 1), floats(sh{1}, 2), floats(sh{1}, 4), floats(sh{}, 1), nil), list(floats(sh{1}, -3), floats(sh{1}, 4))},
		{"adamw shrinks before it steps", "AdamW", graph.Attrs{"weight_decay": graph.F(0.5)}, list(floats(sh{2}, 1, 4), floats(sh{2}, 5, -0.01), floats(sh{2}, 0, 0), floats(sh{2}, 0, 0), longs(sh{}, 0), floats(sh{}, 0.25), nil), one(floats(sh{2}, 0.625, 3.75))},
		{"rmsprop with momentum", "RMSprop", graph.Attrs{"alpha": graph.F(0.75), "momentum": graph.F(0.5), "epsilon": graph.F(1)},
			list(floats(sh{1}, 1), floats(sh{1}, 2), floats(sh{1}, 4), floats(sh{1}, 8), nil, floats(sh{}, 0.5)), list(floats(sh{1}, -1.3333333), floats(sh{1}, 4), floats(sh{1}, 4.6666667))},
		{"rmsprop skipped, a slot left out", "RMSprop", nil, list(floats(sh{1}, 1), floats(sh{1}, nan), floats(sh{1}, 4), nil, nil, floats(sh{}, 0.5), tensor.Of(tensor.Bool, sh{}, 1)),
			list(floats(sh{1}, 1), floats(sh{1}, 4), floats(sh{1}, 0))},
		{"moving average", "ExponentialMovingAverage", graph.Attrs{"decay": graph.F(0.75)}, list(floats(sh{1}, 4), floats(sh{1}, 8)), one(floats(sh{1}, 5))},
		{"global norm", "GlobalNorm", nil, list(floats(sh{2}, 1, 2), floats(sh{}, 2)), one(floats(sh{}, 3))},
		{"clip", "ClipByNorm", graph.Attrs{"max_norm": graph.F(1), "epsilon": graph.F(1)}, list(floats(sh{2}, 8, nan), floats(sh{}, 3)), one(floats(sh{2}, 2, nan))},
		{"an unknown norm spoils all", "ClipByNorm", graph.Attrs{"max_norm": graph.F(1)}, list(floats(sh{1}, 8), floats(sh{}, nan)), one(floats(sh{1}, nan))},
		{"largest halves are finite", "AllFinite", nil, list(tensor.Of(tensor.F16, sh{2}, 65504, -65504)), one(tensor.Of(tensor.Bool, sh{}, 1))},
		{"one NaN is enough", "AllFinite", nil, list(tensor.Of(tensor.BF16, sh{2}, 1, 2), tensor.Of(tensor.BF16, sh{2}, 1, nan)), one(tensor.Of(tensor.Bool, sh{}, 0))},
		{"a double too", "AllFinite", nil, list(tensor.Of(tensor.F64, sh{1}, -inf)), one(tensor.Of(tensor.Bool, sh{}, 0))},
		{"weighted mean of the rows that count", "SoftmaxCrossEntropy", graph.Attrs{"ignore_index": graph.I(9)},
			list(floats(sh{3, 2}, 0, 0, 5, 1, 1, 1), longs(sh{3}, 0, 9, 1), floats(sh{2}, 1, 3)), one(floats(sh{}, math.Ln2))},
		{"squared error", "MSELoss", nil, list(floats(sh{2}, 1, 5), floats(sh{2}, 3, 1)), one(floats(sh{}, 10))},
		{"nothing in, nothing out", "Conv", nil, list(floats(sh{0, 1, 3, 3}), ones, nil), one(floats(sh{0, 1, 2, 2}))},
	}
}

func (c handCase) program(t testing.TB) *graph.Program {
	return build(t, func(b *graph.Builder) {
		in := make([]graph.Value, len(c.in))
		for i, x := range c.in {
			if x != nil {
				in[i] = b.Feed(string(rune('a'+i)), x.Type)
			}
		}
		b.Fetch(b.OpN(c.op, c.attrs, len(c.want), in...)...)
	})
}

func TestWorkedByHand(t *testing.T) {
	for _, i := range isa.Available() {
		s := openISA(t, i)
		for _, c := range handCases() {
			t.Run(i.String()+"/"+c.name, func(t *testing.T) {
				p := c.program(t)
				e := bind(t, s, p, 1)
				defer e.Close()
				for k, x := range c.in {
					if x != nil {
						copy(e.At(string(rune('a'+k)), 0), x.Data)
					}
				}
				run(t, e, 0, 2)
				for k, f := range p.Fetches {
					got, err := tensor.Wrap(c.want[k].Type, e.At(f, 0))
					require.NoError(t, err)
					want := c.want[k].Float64s()
					for j, v := range got.Float64s() {
						if math.IsNaN(want[j]) {
							require.True(t, math.IsNaN(v), "%s[%d] is %v, want NaN", f, j, v)
						} else {
							require.InDelta(t, want[j], v, 1e-6*math.Max(1, math.Abs(want[j])), "%s[%d]", f, j)
						}
					}
				}
			})
		}
	}
}

// Every row of the op table in f32, on poisoned memory, what has no kernel in
// core ops: the instruction sets agree with each other.
func TestEveryRowOnEveryISA(t *testing.T) {
	portable := openISA(t, isa.Generic)
	for _, i := range isa.Available() {
		s := openISA(t, i)
		for _, sample := range opsample.All() {
			p, err := sample.Program(tensor.F32)
			require.NoError(t, err)
			verdicts, err := s.Check(ctx, p)
			require.NoError(t, err)
			if !verdicts[0].Supported {
				p, err = pass.Decompose(p, func(c *graph.Call) bool { _, err := newTable().choose(c); return err == nil })
				require.NoError(t, err, sample)
			} else {
				require.Equal(t, graph.Lookup(p.Nodes[0].Domain, sample.Op).Version, verdicts[0].Version)
			}
			want, got := outputs(t, portable, p, sample), outputs(t, s, p, sample)
			for f := range want {
				x := want[f].Float64s()
				for j, v := range got[f].Float64s() {
					require.InDelta(t, x[j], v, 1e-5*math.Max(1, math.Abs(x[j])), "%v, %s: %s[%d]", i, sample, f, j)
				}
			}
		}
	}
}

func outputs(t testing.TB, s *session, p *graph.Program, sample opsample.Sample) map[string]*tensor.Tensor {
	e := bind(t, s, p, 1)
	defer e.Close()
	for name, x := range sample.Feeds(tensor.F32, 4) {
		copy(e.At(name, 0), x.Data)
	}
	run(t, e, 0, 2)
	g, err := p.Infer()
	require.NoError(t, err)
	out := map[string]*tensor.Tensor{}
	for _, f := range p.Fetches {
		x, err := tensor.Wrap(g.Types[f], e.At(f, 0))
		require.NoError(t, err)
		out[f] = x.Clone()
	}
	return out
}

// The suites judge the backend as any other. The quick effort and the other
// instruction sets are the command line's (make conform).
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds of float64 reference")
	}
	conformance.RunWith(t, New(), conformance.Options{Effort: conformance.Smoke})
}

// Thread counts change who computes, not what: inference is the same to the
// last bit.
func TestThreadsAgree(t *testing.T) {
	var first []float32
	for threads := 1; threads <= 3; threads++ {
		s := open(t, backends.SessionConfig{Threads: threads})
		e := lenet(t, s, false, 7)
		run(t, e, 0, 1)
		got := append([]float32(nil), f32(e.At("fc3.Gemm.Y", 0))...)
		if first == nil {
			first = got
		}
		require.Equal(t, first, got, "%d threads", threads)
	}
}

// A chain computes in place: its truth values are read before they are
// overwritten.
func TestChainsOfTruthValues(t *testing.T) {
	s := open(t, backends.SessionConfig{Guards: true})
	p := build(t, func(b *graph.Builder) {
		x, y := b.Feed("x", tensor.T(tensor.F32, 5)), b.Feed("y", tensor.T(tensor.Bool, 5))
		one := b.Op("Equal", nil, x, b.Scalar(tensor.F32, 1))
		b.Fetch(b.Op("Xor", nil, b.Op("Or", nil, one, y), y))
	})
	bound, err := backends.CompileBound(ctx, s, p, func(string) int { return 1 }, private)
	require.NoError(t, err)
	require.Len(t, bound.Plan().Partitions, 1)
	x := tensor.New(tensor.F32, 5)
	x.SetFloat64s([]float64{1, 1, 0, 0, 1})
	copy(bound.At("x", 0), x.Data)
	copy(bound.At("y", 0), []byte{0, 1, 0, 1, 0})
	_, err = bound.Run(ctx, backends.RunRequest{Steps: 1})
	require.NoError(t, err)
	require.Equal(t, []byte{1, 0, 0, 0, 1}, bound.At(p.Fetches[0], 0))
}
