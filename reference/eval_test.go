package reference_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/opsample"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

var modes = []reference.Mode{{}, {Round: true}, {Order: 5}, {Round: true, Order: 7, Threads: 3}}

// sampled resolves a sample and widens its feeds.
func sampled(t *testing.T, s opsample.Sample, d tensor.DType, seed uint64) (*graph.Graph, func() map[string]*reference.Array) {
	p, err := s.Program(d)
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	return g, func() map[string]*reference.Array {
		env := map[string]*reference.Array{}
		for name, x := range s.Feeds(d, seed) {
			env[name] = reference.FromTensor(x)
		}
		return env
	}
}

// Single elements are those of the whole, bit for bit, in every mode; inputs
// are left alone; threads change nothing.
func TestSingleElementsAreTheWhole(t *testing.T) {
	for _, s := range opsample.All() {
		g, feeds := sampled(t, s, tensor.F32, 2)
		for _, m := range modes {
			env := feeds()
			_, err := reference.Eval(g, env, m)
			require.NoError(t, err, s)
			for name, x := range feeds() {
				require.Equal(t, x, env[name], "%s changed its input %s", s, name)
			}
			whole := env[g.Fetches[0]].Data
			at, want := []int{}, []float64{}
			for i := len(whole) - 1; i >= 0; i -= 2 {
				at, want = append(at, i), append(want, whole[i])
			}
			m.Threads = 1
			got, err := reference.EvalAt(&g.Calls[0], feeds(), m, at)
			require.NoError(t, err, s)
			require.Equal(t, want, got, "%s %+v", s, m)
		}
	}
}

// In Round mode every output is a value of its type, and not far from the
// unrounded one; integers and truth values are so in every mode.
func TestRoundedOutputsAreOfTheirType(t *testing.T) {
	for _, s := range opsample.All() {
		for _, d := range graph.Floats.DTypes() {
			g, feeds := sampled(t, s, d, 3)
			exact := feeds()
			_, err := reference.Eval(g, exact, reference.Mode{})
			require.NoError(t, err, s)
			for _, m := range modes {
				env := feeds()
				_, err := reference.Eval(g, env, m)
				require.NoError(t, err, s)
				for i, f := range g.Fetches {
					out := g.Calls[0].Out[i]
					if !m.Round && out.DType.IsFloat() {
						continue
					}
					for j, v := range env[f].Data {
						require.Equal(t, tensor.Round(v, out.DType), v, "%s: %s[%d]", s, f, j)
						// K is below 100, no sum cancels much, values are below 100.
						require.InDelta(t, exact[f].Data[j], v, 1e-12+300*out.DType.UnitRoundoff()*max(1, math.Abs(v)), "%s: %s[%d]", s, f, j)
					}
				}
			}
		}
	}
}

// A dot product of integers is exact in any order; of reals, the orders
// differ, but not in float64 by more than its own rounding.
func TestOrdersOfADotProduct(t *testing.T) {
	const k = 2000
	fill := func(f tensor.Fill, stream uint32, shape ...int) *reference.Array {
		return reference.FromTensor(tensor.FillSeeded(tensor.New(tensor.F32, shape...), f, 1, stream))
	}
	product := func(f tensor.Fill, d tensor.DType, m reference.Mode) float64 {
		return call(t, m, "MatMul", nil, []tensor.DType{d, d}, fill(f, 0, 1, k), fill(f, 1, k, 1))[0].Data[0]
	}
	whole, real := tensor.Fill{Kind: tensor.Integers, Lo: -9, Hi: 9}, tensor.Fill{Kind: tensor.Normal, Hi: 1}
	exact := product(whole, tensor.F32, reference.Mode{})
	plain := product(real, tensor.F32, reference.Mode{})
	seen := map[float64]bool{}
	for seed := range uint64(20) {
		require.Equal(t, exact, product(whole, tensor.F32, reference.Mode{Round: true, Order: seed}))
		rounded := product(real, tensor.F32, reference.Mode{Round: true, Order: seed})
		seen[rounded] = true
		require.InDelta(t, plain, rounded, k*k*tensor.F32.UnitRoundoff())
		require.InDelta(t, plain, product(real, tensor.F32, reference.Mode{Order: seed}), 1e-10)
		require.InDelta(t, plain, product(real, tensor.F64, reference.Mode{Round: true, Order: seed}), 1e-10, "f64 sums are not rounded to f32")
	}
	require.Greater(t, len(seen), 5)
}

// Updates take effect after all reads: two states can change places.
func TestUpdatesComeAfterReads(t *testing.T) {
	b := graph.NewBuilder("swap")
	p, q := b.State("p", tensor.T(tensor.F32)), b.State("q", tensor.T(tensor.F32))
	sum := b.Op("Add", nil, p, b.Op("Mul", nil, q, b.Scalar(tensor.F32, 10)))
	b.Update(p, q)
	b.Update(q, p)
	b.Fetch(sum)
	prog, err := b.Program()
	require.NoError(t, err)
	g, err := prog.Infer()
	require.NoError(t, err)
	env := map[string]*reference.Array{"p": scalar(1), "q": scalar(2)}
	next, err := reference.Eval(g, env, reference.Mode{})
	require.NoError(t, err)
	require.Equal(t, 21.0, env[sum.Name].Data[0])
	require.Equal(t, 1.0, env["p"].Data[0])
	require.Equal(t, 2.0, next["p"].Data[0])
	require.Equal(t, 1.0, next["q"].Data[0])
}

func TestEvalRefuses(t *testing.T) {
	b := graph.NewBuilder("loss")
	x, l := b.Feed("x", tensor.T(tensor.F32, 2, 3)), b.Feed("labels", tensor.T(tensor.S64, 2))
	b.Fetch(b.Op("SoftmaxCrossEntropy", nil, x, l))
	p, err := b.Program()
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	_, err = reference.Eval(g, map[string]*reference.Array{"x": reference.New(2, 3)}, reference.Mode{})
	require.ErrorContains(t, err, "labels: missing")
	_, err = reference.Eval(g, map[string]*reference.Array{"x": reference.New(3, 2), "labels": reference.New(2)}, reference.Mode{})
	require.ErrorContains(t, err, "2x3")
	for _, bad := range []float64{-1, 3, math.NaN()} {
		labels := &reference.Array{Shape: tensor.Shape{2}, Data: []float64{0, bad}}
		_, err = reference.Eval(g, map[string]*reference.Array{"x": reference.New(2, 3), "labels": labels}, reference.Mode{})
		var node *graph.NodeError
		require.ErrorAs(t, err, &node)
		require.ErrorContains(t, err, "row 1, want 0 to 2")
	}
	grad, env := single(t, "MaxPoolGrad", graph.Attrs{"input_shape": graph.L(1, 1, 4)}, []tensor.DType{tensor.F32, tensor.S64},
		reference.New(1, 1, 2), &reference.Array{Shape: tensor.Shape{1, 1, 2}, Data: []float64{0, 4}})
	_, err = reference.Eval(grad, env, reference.Mode{})
	require.ErrorContains(t, err, "outside of X 1x1x4")
	// 20,001 windows of 20,000 taps are too many for a table of contacts.
	conv, env := single(t, "Conv", nil, []tensor.DType{tensor.F32, tensor.F32}, reference.New(1, 1, 40000), reference.New(1, 1, 20000))
	_, err = reference.Eval(conv, env, reference.Mode{})
	require.ErrorContains(t, err, "more than the reference takes")
}
