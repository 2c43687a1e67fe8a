package cpu

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/machine/isa"
	"github.com/clsbench/clsbench/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

func open(t testing.TB, cfg backends.SessionConfig) *session {
	s, err := New().Open(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s.(*session)
}

func openISA(t testing.TB, i isa.ISA) *session {
	return open(t, backends.SessionConfig{Guards: true, Threads: 2, Options: map[string]string{"isa": i.String()}})
}

func private(bytes int64) (*backends.Region, error) { return backends.NewPrivateRegion(bytes), nil }

func bind(t testing.TB, s backends.Session, p *graph.Program, slots int) *backends.Bound {
	e, err := backends.CompileBound(ctx, s, p, func(string) int { return slots }, private)
	require.NoError(t, err)
	return e
}

func run(t testing.TB, e backends.Executable, first int64, steps int) backends.Samples {
	s, err := e.Run(ctx, backends.RunRequest{First: first, Steps: steps})
	require.NoError(t, err)
	require.Len(t, s.Steps, steps)
	return s
}

// build writes a program.
func build(t testing.TB, write func(b *graph.Builder)) *graph.Program {
	b := graph.NewBuilder("test")
	write(b)
	p, err := b.Program()
	require.NoError(t, err)
	return p
}

func f32(b []byte) []float32 { return tensor.View[float32](b) }

func TestOpenRefuses(t *testing.T) {
	for want, cfg := range map[string]backends.SessionConfig{
		"device 1: there is one, 0":              {Device: 1},
		`math mode "tf32": want strict`:          {Math: "tf32"},
		"threads -1: want 0 (all) to 1024":       {Threads: -1},
		"threads 1025: want 0 (all) to 1024":     {Threads: 1025},
		`option "iso": want isa=avx512`:          {Options: map[string]string{"iso": "avx2"}},
		`unknown instruction set "sse": want on`: {Options: map[string]string{"isa": "sse"}},
	} {
		_, err := New().Open(ctx, cfg)
		require.Equal(t, backends.InvalidArgument, backends.CodeOf(err))
		require.ErrorContains(t, err, want)
	}
	for _, i := range isa.All() {
		if !i.Available() {
			_, err := New().Open(ctx, backends.SessionConfig{Options: map[string]string{"isa": i.String()}})
			require.Equal(t, backends.InvalidArgument, backends.CodeOf(err))
			require.ErrorContains(t, err, "does not run "+i.String())
		}
	}
}

func TestDescribe(t *testing.T) {
	d, err := New().Describe(ctx)
	require.NoError(t, err)
	require.Equal(t, "cpu", d.Name)
	require.Len(t, d.Devices, 1)
	require.Subset(t, backends.Features(), d.Features)
	require.Equal(t, isa.Names(), d.Options[0].Values)
}

// counter counts w up by x and shows what it was.
func counter(t testing.TB) *graph.Program {
	return build(t, func(b *graph.Builder) {
		w, x := b.State("w", tensor.T(tensor.F32)), b.Feed("x", tensor.T(tensor.F32))
		b.Fetch(b.Op("Neg", nil, w))
		b.Update(w, b.Op("Add", nil, w, x))
	})
}

func TestClosedAndPoisoned(t *testing.T) {
	s := open(t, backends.SessionConfig{})
	e := bind(t, s, counter(t), 1)
	require.Equal(t, backends.FailedPrecondition, backends.CodeOf(s.Unmap(ctx, e.Region.ID)), "bound")
	require.NoError(t, e.Executable.Close())
	require.NoError(t, e.Executable.Close())
	_, err := e.Run(ctx, backends.RunRequest{Steps: 1})
	require.Equal(t, backends.FailedPrecondition, backends.CodeOf(err))
	require.NoError(t, s.Unmap(ctx, e.Region.ID))

	other := bind(t, s, counter(t), 1)
	other.Executable.(*executable).parts[0].phases = []phase{{task: func(worker, _ int) { panic("kernel fault") }}}
	_, err = other.Run(ctx, backends.RunRequest{Steps: 1})
	require.Equal(t, backends.Internal, backends.CodeOf(err))
	require.ErrorContains(t, err, "kernel fault")
	for name, call := range map[string]func() error{
		"run":     func() error { _, err := other.Run(ctx, backends.RunRequest{Steps: 1}); return err },
		"stats":   func() error { _, err := s.Stats(ctx); return err },
		"check":   func() error { _, err := s.Check(ctx, counter(t)); return err },
		"compile": func() error { _, err := s.Compile(ctx, counter(t), nil); return err },
		"map":     func() error { return s.Map(ctx, backends.NewPrivateRegion(64)) },
		"write":   func() error { return s.Write(ctx, nil, nil) },
		"read":    func() error { return s.Read(ctx, nil, nil) },
	} {
		require.Equal(t, backends.FailedPrecondition, backends.CodeOf(call()), name)
	}
	require.NoError(t, other.Executable.Close())
	require.NoError(t, s.Close())
}

func TestCompileRefuses(t *testing.T) {
	s := open(t, backends.SessionConfig{})
	_, err := s.Compile(ctx, counter(t), nil)
	require.Equal(t, backends.InvalidArgument, backends.CodeOf(err), "unbound")

	bad := counter(t).Clone()
	bad.Nodes[0].Op = "Convolute"
	_, err = s.Check(ctx, &bad)
	require.Equal(t, backends.Unimplemented, backends.CodeOf(err))

	double := build(t, func(b *graph.Builder) {
		x := b.Feed("x", tensor.T(tensor.F64, 4, 4))
		b.Fetch(b.Op("Gemm", nil, x, x))
	})
	v, err := s.Check(ctx, double)
	require.NoError(t, err)
	require.False(t, v[0].Supported)
	require.Equal(t, "input A is f64: there is a kernel for [f32]", v[0].Why)
	_, err = backends.CompileBound(ctx, s, double, func(string) int { return 1 }, private)
	require.Equal(t, backends.Unimplemented, backends.CodeOf(err))
	require.ErrorContains(t, err, "node Gemm (Gemm)")

	require.NoError(t, s.Write(ctx, []string{"w"}, []*tensor.Tensor{tensor.New(tensor.F64)}))
	_, err = backends.CompileBound(ctx, s, counter(t), func(string) int { return 1 }, private)
	require.ErrorContains(t, err, `state "w" is f64[scalar], not f32[scalar]`)

	huge := build(t, func(b *graph.Builder) {
		x := b.Feed("x", tensor.T(tensor.F32, 1))
		y := b.Op("Expand", graph.Attrs{"shape": graph.L(1 << 38)}, x)
		b.Fetch(b.Op("ReduceSum", nil, y))
	})
	_, err = backends.CompileBound(ctx, s, huge, func(string) int { return 1 }, private)
	require.Equal(t, backends.ResourceExhausted, backends.CodeOf(err))
}

func TestBadDataIsTheCallersFault(t *testing.T) {
	loss := build(t, func(b *graph.Builder) {
		x, l := b.Feed("x", tensor.T(tensor.F32, 2, 3)), b.Feed("label", tensor.T(tensor.S64, 2))
		b.Fetch(b.Op("SoftmaxCrossEntropy", nil, x, l))
	})
	pool := build(t, func(b *graph.Builder) {
		dy, at := b.Feed("dy", tensor.T(tensor.F32, 1, 2, 1, 1)), b.Feed("label", tensor.T(tensor.S64, 1, 2, 1, 1))
		b.Fetch(b.Op("MaxPoolGrad", graph.Attrs{"input_shape": graph.L(1, 2, 2, 2)}, dy, at))
	})
	for want, p := range map[string]*graph.Program{"label 9 in row 1, want 0 to 2": loss, "an index is outside of X 1x2x2x2": pool} {
		s := open(t, backends.SessionConfig{})
		e := bind(t, s, p, 1)
		run(t, e, 0, 1)
		tensor.View[int64](e.At("label", 0))[1] = 9
		_, err := e.Run(ctx, backends.RunRequest{Steps: 1})
		require.Equal(t, backends.InvalidArgument, backends.CodeOf(err))
		require.ErrorContains(t, err, want)
		tensor.View[int64](e.At("label", 0))[1] = 0
		_, err = e.Run(ctx, backends.RunRequest{Steps: 1})
		require.Equal(t, backends.FailedPrecondition, backends.CodeOf(err))
	}
}

// An index may name another plane than its own.
func TestMaxPoolGradAcrossPlanes(t *testing.T) {
	s := open(t, backends.SessionConfig{Threads: 2})
	e := bind(t, s, build(t, func(b *graph.Builder) {
		dy, at := b.Feed("dy", tensor.T(tensor.F32, 2, 2, 1, 1)), b.Feed("at", tensor.T(tensor.S64, 2, 2, 1, 1))
		b.Fetch(b.Op("MaxPoolGrad", graph.Attrs{"input_shape": graph.L(2, 2, 2, 2)}, dy, at))
	}), 1)
	copy(f32(e.At("dy", 0)), []float32{1, 2, 4, 8})
	copy(tensor.View[int64](e.At("at", 0)), []int64{15, 5, 5, 0})
	run(t, e, 0, 2)
	require.Equal(t, []float32{8, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, f32(e.At("MaxPoolGrad.dX", 0)))
}

func TestCancelStopsBetweenSteps(t *testing.T) {
	s := open(t, backends.SessionConfig{Threads: 2})
	e := bind(t, s, counter(t), 1)
	f32(e.At("x", 0))[0] = 1
	stopped, cancel := context.WithCancel(ctx)
	at := 0
	tick := e.Executable.(*executable)
	inner := tick.step
	tick.step = func(n int64, sp *backends.Split) error {
		if at++; at == 5 {
			cancel()
		}
		return inner(n, sp)
	}
	samples, err := e.Run(stopped, backends.RunRequest{Steps: 1000})
	require.Equal(t, backends.Canceled, backends.CodeOf(err))
	require.Len(t, samples.Steps, 5)
	w := tensor.New(tensor.F32)
	require.NoError(t, s.Read(ctx, []string{"w"}, []*tensor.Tensor{w}))
	require.Equal(t, []float64{5}, w.Float64s(), "the updates are those of whole steps")
	run(t, e, 0, 1)
}

func TestPlanAndProfile(t *testing.T) {
	s := open(t, backends.SessionConfig{Threads: 2})
	e := lenet(t, s, true, 4)
	plan := e.Plan()
	kernels := map[string]string{}
	nodes := map[string]bool{}
	for _, p := range plan.Partitions {
		for _, n := range p.Nodes {
			require.False(t, nodes[n], "%s is in two partitions", n)
			nodes[n], kernels[n] = true, p.Kernel
		}
		require.NotEmpty(t, p.Algorithm)
		require.Equal(t, graph.Strict, p.Math)
	}
	best := " " + isa.Best().String()
	for node, kernel := range map[string]string{
		"input.Cast": "elementwise", "input.Add": "elementwise", "conv1.Conv": "depthwise conv+bias+relu" + best, "Relu_1": "conv+bias+relu" + best,
		"fc1.Gemm": "gemm+bias+relu" + best, "fc3.Gemm": "gemm+bias" + best, "Flatten": "view",
		"grad.AveragePool.AveragePoolGrad": "average pool gradient+relu gradient" + best,
		"grad.Relu.ReluGrad":               "average pool gradient+relu gradient" + best,
		"update.fc3.bias.SGD":              "sgd" + best,
	} {
		require.Equal(t, kernel, kernels[node], node)
	}
	require.Positive(t, plan.CompileTime)

	digests := map[string]bool{plan.Digest: true}
	require.Equal(t, plan.Digest, lenet(t, s, true, 4).Plan().Digest)
	for _, other := range []*backends.Bound{lenet(t, s, true, 5), lenet(t, s, false, 4),
		lenet(t, open(t, backends.SessionConfig{Threads: 1}), true, 4), lenet(t, openISA(t, isa.Generic), true, 4)} {
		digests[other.Plan().Digest] = true
	}
	if isa.Best() == isa.Generic {
		require.Len(t, digests, 4)
	} else {
		require.Len(t, digests, 5)
	}

	samples, err := e.Run(ctx, backends.RunRequest{Steps: 3, Profile: true})
	require.NoError(t, err)
	require.Len(t, samples.Partitions, len(plan.Partitions))
	inside, whole := int64(0), int64(0)
	for i, p := range samples.Partitions {
		require.Equal(t, i, p.Partition)
		inside += p.Nanos
	}
	for _, st := range samples.Steps {
		whole += st.End - st.Start
	}
	require.Positive(t, inside)
	require.LessOrEqual(t, inside, whole)
	stats, err := s.Stats(ctx)
	require.NoError(t, err)
	require.Positive(t, stats.StateBytes)
	require.GreaterOrEqual(t, stats.ArenaBytes, plan.ArenaBytes)
}
