package conformance

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// manyTies is a program with more quantized elements than data can be kept off
// ties for: rows of 64 numbers to 8 bits, and their products with weights.
func manyTies(t *testing.T, dynamic bool) *graph.Program {
	b := graph.NewBuilder("many ties")
	x := b.Feed("x", tensor.T(tensor.F32, 512, 64))
	var q, back graph.Value
	if dynamic {
		parts := b.OpN("DynamicQuantizeLinear", nil, 3, x)
		q, back = parts[0], b.Op("DequantizeLinear", nil, parts...)
	} else {
		s, z := b.Const("s", tensor.Scalar(tensor.F32, 0.025)), b.Const("z", tensor.Scalar(tensor.U8, 128))
		q = b.Op("QuantizeLinear", nil, x, s, z)
		back = b.Op("DequantizeLinear", nil, q, s, z)
	}
	w := b.Const("w", tensor.FillSeeded(tensor.New(tensor.F32, 64, 10), tensor.Fill{Lo: -1, Hi: 1}, 1, 0))
	b.Fetch(q, b.Op("MatMul", nil, back, w))
	p, err := b.Program()
	require.NoError(t, err)
	return p
}

// answers are what arithmetic gives that errs by some ulps before it rounds to
// 8 bits, and in a change of the integers.
func answers(t *testing.T, trial *Trial, share float64, change func(q *reference.Array)) Outputs {
	env := trial.arrays()
	_, err := reference.Eval(trial.Graph, env, reference.Mode{})
	require.NoError(t, err)
	var c *graph.Call
	for i := range trial.Graph.Calls {
		if isQuantizer(&trial.Graph.Calls[i]) {
			c = &trial.Graph.Calls[i]
			break
		}
	}
	scale, zero := 0.025, 128.0
	if len(c.Outputs) > 1 {
		scale, zero = env[c.Outputs[1]].Data[0], env[c.Outputs[2]].Data[0]
	}
	q := env[c.Outputs[0]]
	for i, v := range env["x"].Data {
		q.Data[i] = min(max(math.RoundToEven(v*(1+share*float64(i%3-1))/scale)+zero, 0), 255)
	}
	change(q)
	for i := range trial.Graph.Calls {
		if k := &trial.Graph.Calls[i]; k.Name != c.Name {
			require.NoError(t, reference.EvalNode(k, env, reference.Mode{Round: true}))
		}
	}
	out := Outputs{}
	for _, f := range trial.Graph.Fetches {
		out[f] = env[f].Tensor(trial.Graph.Types[f].DType)
	}
	return out
}

func TestProgramsWithTiesEverywhere(t *testing.T) {
	for _, dynamic := range []bool{false, true} {
		p := manyTies(t, dynamic)
		kase := &Case{Op: p.Name, DType: tensor.F32, Params: "test", Class: "program", bound: every(programRule),
			subject: &networkSubject{build: func(Draw) (*graph.Program, error) { return p, nil }}}
		changed := 0
		for seed := range uint64(6) {
			trial, err := newTrial(kase, seed, 0, 0, &Oracle{})
			require.NoError(t, err)
			judge := func(share float64, change func(q *reference.Array)) bool {
				return Passed(trial.Judge(answers(t, trial, share, change), nil))
			}
			honest := answers(t, trial, 0, func(*reference.Array) {})
			require.True(t, judge(0, func(*reference.Array) {}))
			// What sums in another order, or products with 1/scale, make of it.
			const far = 0x1p-19
			require.True(t, judge(far, func(*reference.Array) {}), "seed %d", seed)
			for f, x := range answers(t, trial, far, func(*reference.Array) {}) {
				if string(x.Data) != string(honest[f].Data) {
					changed++
				}
			}
			// One step at an element that is no tie.
			require.False(t, judge(0, func(q *reference.Array) { q.Data[awayFromTie(trial)]++ }))
			// All a step too high, as truncation or a wrong zero point make it.
			require.False(t, judge(0, func(q *reference.Array) {
				for i := range q.Data {
					q.Data[i] = min(q.Data[i]+1, 255)
				}
			}))
		}
		require.Positive(t, changed, "no element was near enough to a tie to tell")
	}
}

// awayFromTie is an element far from every tie and from the ends.
func awayFromTie(trial *Trial) int {
	for i, v := range trial.Values["x"].Float64s() {
		steps := v / 0.025
		if math.Abs(v) < 0.5 && math.Abs(steps-math.Round(steps)) < 0.2 {
			return i
		}
	}
	return 0
}

func TestFewElementsAreKeptOffTies(t *testing.T) {
	b := graph.NewBuilder("few")
	x := b.Feed("x", tensor.T(tensor.F32, 100))
	s := b.Const("s", tensor.Scalar(tensor.F32, 0.025))
	b.Fetch(b.Op("DequantizeLinear", nil, b.Op("QuantizeLinear", nil, x, s), s))
	p, err := b.Program()
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	require.False(t, loose(g))
	require.Len(t, kinks(g), 1)
	g, err = manyTies(t, false).Infer()
	require.NoError(t, err)
	require.True(t, loose(g))
	require.Empty(t, kinks(g))
}
