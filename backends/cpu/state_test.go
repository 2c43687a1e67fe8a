package cpu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/machine/isa"
	"github.com/clsbench/clsbench/tensor"
)

func read(t testing.TB, s backends.Session, name string, extents ...int) []float64 {
	x := tensor.New(tensor.F32, extents...)
	require.NoError(t, s.Read(ctx, []string{name}, []*tensor.Tensor{x}))
	return x.Float64s()
}

func write(t testing.TB, s backends.Session, name string, x *tensor.Tensor) {
	require.NoError(t, s.Write(ctx, []string{name}, []*tensor.Tensor{x}))
}

// All reads of a step see the old state, in whatever way an update comes about.
func TestUpdatesComeAfterReads(t *testing.T) {
	pair := tensor.T(tensor.F32, 2)
	for name, c := range map[string]struct {
		write func(b *graph.Builder, p, q graph.Value)
		p, q  []float64 // after one step from p = 1, 2 and q = 10, 20
		fetch []float32
	}{
		"exchanged": {func(b *graph.Builder, p, q graph.Value) {
			b.Update(p, q)
			b.Update(q, p)
			b.Fetch(p)
		}, []float64{10, 20}, []float64{1, 2}, []float32{1, 2}},
		"in place": {func(b *graph.Builder, p, q graph.Value) {
			next := b.Op("Add", nil, p, q)
			b.Update(p, next)
			b.Fetch(b.Op("Neg", nil, next))
		}, []float64{11, 22}, []float64{10, 20}, []float32{-11, -22}},
		"read after": {func(b *graph.Builder, p, q graph.Value) {
			b.Update(p, b.Op("Add", nil, p, q))
			b.Fetch(b.Op("Neg", nil, p))
		}, []float64{11, 22}, []float64{10, 20}, []float32{-1, -2}},
		"the old one fetched": {func(b *graph.Builder, p, q graph.Value) {
			b.Update(p, b.Op("Add", nil, p, q))
			b.Fetch(p)
		}, []float64{11, 22}, []float64{10, 20}, []float32{1, 2}},
		"the new one fetched": {func(b *graph.Builder, p, q graph.Value) {
			next := b.Op("Add", nil, p, q)
			b.Update(p, next)
			b.Fetch(next)
		}, []float64{11, 22}, []float64{10, 20}, []float32{11, 22}},
		"one value for two": {func(b *graph.Builder, p, q graph.Value) {
			next := b.Op("Add", nil, p, q)
			b.Update(p, next)
			b.Update(q, next)
			b.Fetch(b.Op("Neg", nil, q))
		}, []float64{11, 22}, []float64{11, 22}, []float32{-10, -20}},
		"the source of another": {func(b *graph.Builder, p, q graph.Value) {
			b.Update(p, b.Op("Add", nil, p, q))
			b.Update(q, p)
			b.Fetch(b.Op("Neg", nil, p))
		}, []float64{11, 22}, []float64{1, 2}, []float32{-1, -2}},
		"through a view": {func(b *graph.Builder, p, q graph.Value) {
			column := b.Op("Reshape", graph.Attrs{"shape": graph.L(2, 1)}, p)
			next := b.Op("Reshape", graph.Attrs{"shape": graph.L(2)}, b.Op("Neg", nil, column))
			b.Update(p, next)
			b.Fetch(b.Op("Add", nil, column, column))
		}, []float64{-1, -2}, []float64{10, 20}, []float32{2, 4}},
		"a constant and a feed": {func(b *graph.Builder, p, q graph.Value) {
			b.Update(p, b.Const("seven", tensor.Of(tensor.F32, pair.Shape, 7, 8)))
			b.Update(q, b.Feed("x", pair))
			b.Fetch(b.Op("Neg", nil, p))
		}, []float64{7, 8}, []float64{0, 0}, []float32{-1, -2}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, backends.SessionConfig{Guards: true})
			program := build(t, func(b *graph.Builder) { c.write(b, b.State("p", pair), b.State("q", pair)) })
			e := bind(t, s, program, 1)
			write(t, s, "p", tensor.Of(tensor.F32, pair.Shape, 1, 2))
			write(t, s, "q", tensor.Of(tensor.F32, pair.Shape, 10, 20))
			run(t, e, 0, 1)
			require.Equal(t, c.p, read(t, s, "p", 2))
			require.Equal(t, c.q, read(t, s, "q", 2))
			require.Equal(t, c.fetch, f32(e.At(program.Fetches[0], 0)))
		})
	}
}

// Optimizers write parameters and slots where they lie; one that is skipped
// changes no bit.
func TestOptimizersUpdateInPlace(t *testing.T) {
	s := open(t, backends.SessionConfig{Guards: true})
	v := tensor.T(tensor.F32, 3)
	e := bind(t, s, build(t, func(b *graph.Builder) {
		lr, skip := b.Feed("lr", tensor.T(tensor.F32)), b.Feed("skip", tensor.T(tensor.Bool))
		for _, name := range []string{"a", "b"} {
			p, m, g := b.State(name, v), b.State(name+".v", v), b.Feed(name+".g", v)
			out := b.OpN("SGD", graph.Attrs{"momentum": graph.F(0.5)}, 2, p, g, m, lr, skip)
			b.Update(p, out[0])
			b.Update(m, out[1])
		}
	}), 1)
	require.Empty(t, e.Executable.(*executable).commits, "all in place")
	require.Len(t, e.Plan().Partitions, 1, "one piece of work")
	f32(e.At("lr", 0))[0] = 2
	copy(f32(e.At("a.g", 0)), []float32{1, 2, 3})
	copy(f32(e.At("b.g", 0)), []float32{-1, 0, 1})
	run(t, e, 0, 2) // v = g, 1.5g; p = -2g, -5g
	require.Equal(t, []float64{-5, -10, -15}, read(t, s, "a", 3))
	require.Equal(t, []float64{-1.5, 0, 1.5}, read(t, s, "b.v", 3))
	e.At("skip", 0)[0] = 1
	run(t, e, 0, 1)
	require.Equal(t, []float64{-5, -10, -15}, read(t, s, "a", 3))
	require.Equal(t, []float64{-1.5, 0, 1.5}, read(t, s, "b.v", 3))
}

// What was packed from state is packed anew after every kind of change, and
// only then.
func TestPackedStateFollowsItsVersion(t *testing.T) {
	for _, i := range isa.Available() {
		s := openISA(t, i)
		weights := tensor.T(tensor.F32, 2, 2)
		use := bind(t, s, build(t, func(b *graph.Builder) {
			x, w := b.Feed("x", tensor.T(tensor.F32, 1, 2)), b.State("w", weights)
			b.Fetch(b.Op("Gemm", graph.Attrs{"transB": graph.I(1)}, x, w))
		}), 1)
		train := bind(t, s, build(t, func(b *graph.Builder) {
			w := b.State("w", weights)
			b.Update(w, b.Op("Add", nil, w, w))
		}), 1)
		copy(f32(use.At("x", 0)), []float32{1, 10})
		result := func() []float32 { run(t, use, 0, 1); return f32(use.At("Gemm.Y", 0)) }
		require.Equal(t, []float32{0, 0}, result())
		write(t, s, "w", tensor.Of(tensor.F32, weights.Shape, 1, 2, 3, 4))
		require.Equal(t, []float32{21, 43}, result())
		run(t, train, 0, 1)
		require.Equal(t, []float32{42, 86}, result())

		packs := 0
		for _, p := range use.Executable.(*executable).parts {
			for k, ph := range p.phases {
				if ph.needed != nil {
					p.phases[k].task = func(w, n int) { packs++; ph.task(w, n) }
				}
			}
		}
		run(t, use, 0, 3)
		require.Zero(t, packs)
		run(t, train, 0, 1)
		run(t, use, 0, 3)
		require.Equal(t, 1, packs)
		require.Equal(t, []float32{84, 172}, f32(use.At("Gemm.Y", 0)))
	}
}

func TestReadAndWrite(t *testing.T) {
	s := open(t, backends.SessionConfig{})
	e := bind(t, s, counter(t), 3)
	for i := range int64(3) {
		f32(e.At("x", i))[0] = float32(i + 1)
	}
	run(t, e, 0, 3)
	for i, want := range []float32{0, -1, -3} {
		require.Equal(t, want, f32(e.At("Neg.Y", int64(i)))[0])
	}
	write(t, s, "w", tensor.Scalar(tensor.F32, 100))
	run(t, e, 4, 1) // slot 1: x = 2
	require.Equal(t, []float64{102}, read(t, s, "w"))
	wrong := []*tensor.Tensor{tensor.New(tensor.F32, 2)}
	require.Equal(t, backends.InvalidArgument, backends.CodeOf(s.Read(ctx, []string{"w"}, wrong)))
	require.Equal(t, backends.InvalidArgument, backends.CodeOf(s.Read(ctx, []string{"v"}, wrong)))
	require.Equal(t, backends.InvalidArgument, backends.CodeOf(s.Read(ctx, nil, wrong)))
	require.Equal(t, backends.InvalidArgument, backends.CodeOf(s.Write(ctx, []string{"w"}, wrong)))
	require.Equal(t, backends.InvalidArgument, backends.CodeOf(s.Write(ctx, []string{"w", "v"}, wrong)))
	require.NoError(t, s.Write(ctx, []string{"v"}, wrong), "Write creates")
	require.NoError(t, s.Read(ctx, []string{"v"}, wrong))
}
