package beside_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/reference/beside"
	"github.com/clsbench/clsbench/tensor"
)

type call struct {
	op    string
	attrs graph.Attrs
	in    []tensor.Type
}

func calls() []call {
	t := func(s ...int) tensor.Type { return tensor.T(tensor.F32, s...) }
	padded := func(more graph.Attrs) graph.Attrs {
		a := graph.Attrs{"pads": graph.L(1, 2, 1, 0), "strides": graph.L(2, 1), "dilations": graph.L(1, 2)}
		for k, v := range more {
			a[k] = v
		}
		return a
	}
	x, dy := t(2, 12, 9, 8), func(m int) tensor.Type { return t(2, m, 5, 6) }
	list := []call{
		{"Conv", padded(nil), []tensor.Type{x, t(10, 12, 3, 3), t(10)}},
		{"Conv", nil, []tensor.Type{x, t(9, 12, 1, 1)}},
		{"Conv", nil, []tensor.Type{t(2, 4, 17), t(8, 4, 5)}},
		{"MatMul", nil, []tensor.Type{t(2, 1, 5, 7), t(3, 7, 9)}},
		{"MatMul", nil, []tensor.Type{t(4, 300), t(300, 8)}},
		{"Gemm", graph.Attrs{"transB": graph.I(1), "alpha": graph.F(0.5)}, []tensor.Type{t(3, 7), t(9, 7), t(9)}},
		{"Gemm", graph.Attrs{"transA": graph.I(1)}, []tensor.Type{t(7, 3), t(7, 9)}},
	}
	for _, w := range []struct{ m, perGroup, groups int }{{10, 12, 1}, {24, 12, 1}, {20, 6, 2}, {12, 1, 12}, {30, 4, 3}} {
		attrs := graph.Attrs{"group": graph.I(w.groups)}
		weight := t(w.m, w.perGroup, 3, 3)
		list = append(list,
			call{"Conv", padded(attrs), []tensor.Type{x, weight}},
			call{"ConvInputGrad", padded(graph.Attrs{"group": attrs["group"], "input_shape": graph.L(2, 12, 9, 8)}), []tensor.Type{dy(w.m), weight}},
			call{"ConvWeightGrad", padded(graph.Attrs{"group": attrs["group"], "weight_shape": graph.L(w.m, w.perGroup, 3, 3)}), []tensor.Type{x, dy(w.m)}})
	}
	return list
}

// Every sum is the reference's to the last bit, in every order and in float64,
// zeros and infinities among its terms.
func TestSumsSideBySideAreTheReferences(t *testing.T) {
	for i, c := range calls() {
		for special, value := range map[string]float64{"zeros": 0, "infinity": math.Inf(1), "NaN": math.NaN()} {
			b := graph.NewBuilder("call")
			env := map[string]*reference.Array{}
			var in []graph.Value
			for j, typ := range c.in {
				v := b.Feed(fmt.Sprint("in", j), typ)
				x := reference.FromTensor(tensor.FillSeeded(tensor.New(tensor.F32, typ.Shape...), tensor.Fill{Lo: -1, Hi: 1}, uint64(i), uint32(j)))
				for k := range x.Data {
					switch {
					case k%3 == 0 && j != 1:
						x.Data[k] = 0
					case k%17 == 5:
						x.Data[k] = value
					}
				}
				env[v.Name] = x
				in = append(in, v)
			}
			y := b.Op(c.op, c.attrs, in...)
			b.Fetch(y)
			p, err := b.Program()
			require.NoError(t, err)
			g, err := p.Infer()
			require.NoError(t, err)
			var arrays []*reference.Array
			for _, v := range in {
				arrays = append(arrays, env[v.Name])
			}
			out, err := beside.Mode(reference.Mode{}).Relax(&reference.Acc{}, &g.Calls[0], append(arrays, nil)) // a bias left out
			require.NoError(t, err)
			require.NotNil(t, out, "%s %v: left to the formula", c.op, c.in)
			modes := []reference.Mode{{}, {Round: true}, {Round: true, Backwards: true}}
			for order := range uint64(12) {
				modes = append(modes, reference.Mode{Round: true, Order: order + 1}, reference.Mode{Order: order + 1})
			}
			for _, m := range modes {
				want, got := clone(env), clone(env)
				_, err := reference.Eval(g, want, m)
				require.NoError(t, err)
				_, err = reference.Eval(g, got, beside.Mode(m))
				require.NoError(t, err)
				for k, w := range want[y.Name].Data {
					v := got[y.Name].Data[k]
					require.True(t, v == w || math.IsNaN(v) && math.IsNaN(w), "%s %v %s, %+v: element %d is %v, not %v", c.op, c.in, special, m, k, v, w)
				}
			}
		}
	}
}

func clone(env map[string]*reference.Array) map[string]*reference.Array {
	own := map[string]*reference.Array{}
	for name, x := range env {
		own[name] = x
	}
	return own
}

// GFLOP/s on one core.
func BenchmarkConv3x3(b *testing.B) {
	builder := graph.NewBuilder("conv")
	env := map[string]*reference.Array{}
	var in []graph.Value
	for i, typ := range []tensor.Type{tensor.T(tensor.F32, 1, 64, 28, 28), tensor.T(tensor.F32, 64, 64, 3, 3)} {
		v := builder.Feed(fmt.Sprint("in", i), typ)
		env[v.Name] = reference.FromTensor(tensor.FillSeeded(tensor.New(tensor.F32, typ.Shape...), tensor.Fill{Lo: -1, Hi: 1}, 1, uint32(i)))
		in = append(in, v)
	}
	builder.Fetch(builder.Op("Conv", graph.Attrs{"pads": graph.L(1, 1, 1, 1)}, in...))
	p, err := builder.Program()
	require.NoError(b, err)
	g, err := p.Infer()
	require.NoError(b, err)
	for name, m := range map[string]reference.Mode{"plain": {Threads: 1}, "rounded": {Threads: 1, Round: true}, "order3": {Threads: 1, Round: true, Order: 3},
		"order4": {Threads: 1, Round: true, Order: 4}, "backwards": {Threads: 1, Round: true, Backwards: true}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := reference.Eval(g, env, beside.Mode(m))
				require.NoError(b, err)
			}
			b.ReportMetric(float64(g.FLOPs())*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}
