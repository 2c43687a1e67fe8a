package cpu

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

func TestArenaKeepsApartWhatLivesTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var pieces []*memory
		sum := 0
		for range rapid.IntRange(0, 30).Draw(t, "pieces") {
			first := rapid.IntRange(0, 12).Draw(t, "first")
			m := &memory{size: rapid.IntRange(0, 500).Draw(t, "size"), first: first, last: first + rapid.IntRange(0, 6).Draw(t, "life")}
			pieces = append(pieces, m)
			sum += aligned(m.size)
		}
		size := placeArena(pieces)
		require.LessOrEqual(t, size, sum)
		for i, a := range pieces {
			require.Zero(t, a.offset%alignment)
			require.LessOrEqual(t, a.offset+a.size, size)
			for _, b := range pieces[:i] {
				together := a.first <= b.last && b.first <= a.last
				overlap := a.offset < b.offset+b.size && b.offset < a.offset+a.size
				require.False(t, together && overlap, "%+v and %+v", a, b)
			}
		}
	})
}

// drawProgram makes a program of square matrices that fuses, views, updates
// and fetches in every combination.
func drawProgram(t *rapid.T) *graph.Program {
	const n = 6
	b := graph.NewBuilder("drawn")
	square := tensor.T(tensor.F32, n, n)
	values := []graph.Value{b.Feed("x", square), b.State("s0", square), b.State("s1", square),
		b.Const("k", tensor.FillSeeded(tensor.New(tensor.F32, n, n), tensor.Fill{Lo: -1, Hi: 1}, 5, 5))}
	row := b.Const("row", tensor.FillSeeded(tensor.New(tensor.F32, n), tensor.Fill{Lo: -1, Hi: 1}, 6, 6))
	any := func() graph.Value { return values[rapid.IntRange(0, len(values)-1).Draw(t, "value")] }
	reshaped := func(v graph.Value, extents ...int) graph.Value {
		return b.Op("Reshape", graph.Attrs{"shape": graph.L(extents...)}, v)
	}
	for range rapid.IntRange(1, 14).Draw(t, "nodes") {
		var v graph.Value
		switch rapid.SampledFrom([]string{"Add", "Sub", "row", "Relu", "Tanh", "ReluGrad", "Transpose", "view", "MatMul", "linear", "Softmax", "sum", "pool"}).Draw(t, "op") {
		case "Add":
			v = b.Op("Add", nil, any(), any())
		case "Sub":
			v = b.Op("Sub", nil, any(), any())
		case "row":
			v = b.Op("Mul", nil, any(), row)
		case "Relu":
			v = b.Op("Relu", nil, any())
		case "Tanh":
			v = b.Op("Tanh", nil, any())
		case "ReluGrad":
			v = b.Op("ReluGrad", nil, any(), any())
		case "Transpose":
			v = b.Op("Transpose", nil, any())
		case "view":
			v = reshaped(b.Op("Neg", nil, reshaped(any(), n*n)), n, n)
		case "MatMul":
			v = b.Op("MatMul", nil, any(), any())
		case "linear":
			v = b.Op("Relu", nil, b.Op("Gemm", graph.Attrs{"transB": graph.I(1)}, any(), any(), row))
		case "Softmax":
			v = b.Op("Softmax", nil, any())
		case "sum":
			v = b.Op("Add", nil, b.Op("ReduceSum", graph.Attrs{"axes": graph.L(0)}, any()), any())
		case "pool":
			half := b.Op("AveragePool", graph.Attrs{"kernel_shape": graph.L(2, 2), "strides": graph.L(2, 2)}, reshaped(any(), 1, 1, n, n))
			back := b.Op("AveragePoolGrad", graph.Attrs{"kernel_shape": graph.L(2, 2), "strides": graph.L(2, 2), "input_shape": graph.L(1, 1, n, n)}, half)
			v = reshaped(b.Op("ReluGrad", nil, back, reshaped(any(), 1, 1, n, n)), n, n)
		}
		values = append(values, v)
	}
	for range rapid.IntRange(1, 3).Draw(t, "fetches") {
		b.Fetch(any())
	}
	for _, s := range values[1:3] {
		if rapid.Bool().Draw(t, "update") {
			b.Update(s, any())
		}
	}
	p, err := b.Program()
	if err != nil {
		panic(err)
	}
	return p
}

// outcome runs three steps and gives all that can be seen of them.
func outcome(t require.TestingT, s *session, p *graph.Program, apart bool) (seen [][]float32) {
	g, err := p.Infer()
	require.NoError(t, err)
	buf, err := backends.NewBuffers(g, func(string) int { return 3 }, private)
	require.NoError(t, err)
	require.NoError(t, s.Map(ctx, buf.Region))
	e, err := compile(s, p, buf.Bindings, apart)
	require.NoError(t, err)
	for k, name := range []string{"s0", "s1"} {
		x := tensor.FillSeeded(tensor.New(tensor.F32, 6, 6), tensor.Fill{Lo: -1, Hi: 1}, uint64(k), 1)
		require.NoError(t, s.Write(ctx, []string{name}, []*tensor.Tensor{x}))
	}
	for i := range int64(3) {
		x := tensor.FillSeeded(tensor.New(tensor.F32, 6, 6), tensor.Fill{Lo: -1, Hi: 1}, uint64(i), 2)
		copy(buf.At("x", i), x.Data)
	}
	_, err = e.Run(ctx, backends.RunRequest{Steps: 3})
	require.NoError(t, err)
	for i := range int64(3) {
		for _, f := range p.Fetches {
			seen = append(seen, slices.Clone(f32(buf.At(f, i))))
		}
	}
	for _, name := range []string{"s0", "s1"} {
		seen = append(seen, slices.Clone(f32(s.state[name].Data)))
	}
	require.NoError(t, e.Close())
	require.NoError(t, s.Unmap(ctx, buf.Region.ID))
	return seen
}

// Sharing memory changes nothing: a program whose values all lie apart gives
// the same bits.
func TestPlannedIsUnplanned(t *testing.T) {
	s := open(t, backends.SessionConfig{Guards: true, Threads: 2})
	rapid.Check(t, func(t *rapid.T) {
		p := drawProgram(t)
		apart, planned := outcome(t, s, p, true), outcome(t, s, p, false)
		for i := range apart {
			require.Equal(t, fmt.Sprint(apart[i]), fmt.Sprint(planned[i])) // NaN equals NaN in print
		}
	})
}

// A whole step allocates nothing: a call of many steps takes as many
// allocations as a call of one.
func TestStepsDoNotAllocate(t *testing.T) {
	for _, threads := range []int{1, 2} {
		s := open(t, backends.SessionConfig{Threads: threads})
		for _, e := range []*backends.Bound{lenet(t, s, true, 64), lenet(t, s, false, 32), lenet(t, s, false, 1)} {
			run(t, e, 0, 2)
			calls := func(steps int) float64 {
				return testing.AllocsPerRun(5, func() {
					if _, err := e.Run(ctx, backends.RunRequest{Steps: steps}); err != nil {
						panic(err)
					}
				})
			}
			one := calls(1)
			require.LessOrEqual(t, one, 3.0, "the samples, and what the runtime does beside")
			require.Less(t, calls(40)-one, 5.0, "40 steps")
		}
	}
}

// Guards poison all that a step may not count on, and nothing else.
func TestGuardsPoison(t *testing.T) {
	s := open(t, backends.SessionConfig{Guards: true, Threads: 2})
	b := lenet(t, s, false, 3)
	run(t, b, 0, 1)
	first := slices.Clone(f32(b.At("fc3.Gemm.Y", 0)))
	e := b.Executable.(*executable)
	kept := slices.Clone(e.arena[len(e.poisoned):])
	require.NotEmpty(t, kept, "packed weights")
	e.poison()
	require.Equal(t, len(e.poisoned), bytes.Count(e.poisoned, []byte{0xff}))
	require.Equal(t, kept, e.arena[len(e.poisoned):])
	clear(e.poisoned) // a run poisons for itself
	e.parts[0].phases[0].task = func(int, int) {}
	run(t, b, 0, 1)
	require.NotEqual(t, first, f32(b.At("fc3.Gemm.Y", 0)))
	require.True(t, math.IsNaN(float64(f32(b.At("fc3.Gemm.Y", 0))[0])), "what nobody wrote is NaN")
}
