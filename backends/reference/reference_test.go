package reference_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/opsample"
	ref "github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

var ctx = context.Background()

func open(t *testing.T, options map[string]string) backends.Session {
	s, err := reference.New().Open(ctx, backends.SessionConfig{Threads: 1, Options: options})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// private are regions without shared memory, as the chunked transport's.
func private(bytes int64) (*backends.Region, error) { return backends.NewPrivateRegion(bytes), nil }

func compile(t *testing.T, s backends.Session, p *graph.Program, slots int) *backends.Bound {
	e, err := backends.CompileBound(ctx, s, p, func(string) int { return slots }, private)
	require.NoError(t, err)
	return e
}

func run(t *testing.T, e backends.Executable, first int64, steps int) backends.Samples {
	s, err := e.Run(ctx, backends.RunRequest{First: first, Steps: steps})
	require.NoError(t, err)
	require.Len(t, s.Steps, steps)
	return s
}

// counter trains one number: w += rate·x each step, and shows w before it.
func counter(t *testing.T) *graph.Program {
	b := graph.NewBuilder("counter")
	w, x := b.State("w", tensor.T(tensor.F32)), b.Feed("x", tensor.T(tensor.F32))
	shown := b.Op("Mul", nil, w, b.Scalar(tensor.F32, 1))
	b.Fetch(shown)
	b.Update(w, b.Op("Add", nil, w, x))
	p, err := b.Program()
	require.NoError(t, err)
	return p
}

// reader shows w, which another program trains.
func reader(t *testing.T) *graph.Program {
	b := graph.NewBuilder("reader")
	b.Fetch(b.Op("Neg", nil, b.State("w", tensor.T(tensor.F32))))
	p, err := b.Program()
	require.NoError(t, err)
	return p
}

func f32(b []byte) *float32 { return &tensor.View[float32](b)[0] }

// Every row, in every float type, through Check, Compile and Run: the same
// bits as the functions themselves.
func TestServesEveryRow(t *testing.T) {
	s, rounding := open(t, nil), open(t, map[string]string{"round": "on", "order": "9"})
	for _, sample := range opsample.All() {
		for _, d := range graph.Floats.DTypes() {
			p, err := sample.Program(d)
			require.NoError(t, err)
			verdicts, err := s.Check(ctx, p)
			require.NoError(t, err)
			require.Len(t, verdicts, 1)
			require.True(t, verdicts[0].Supported, "%s", sample)
			require.Equal(t, graph.Lookup(p.Nodes[0].Domain, sample.Op).Version, verdicts[0].Version)
			g, err := p.Infer()
			require.NoError(t, err)
			for session, mode := range map[backends.Session]ref.Mode{s: {}, rounding: {Round: true, Order: 9}} {
				e := compile(t, session, p, 1)
				env := map[string]*ref.Array{}
				for name, x := range sample.Feeds(d, 4) {
					copy(e.At(name, 0), x.Data)
					env[name] = ref.FromTensor(x)
				}
				run(t, e, 0, 1)
				_, err = ref.Eval(g, env, mode)
				require.NoError(t, err)
				for _, f := range p.Fetches {
					require.Equal(t, env[f].Tensor(g.Types[f].DType).Data, e.At(f, 0), "%s %v: %s", sample, d, f)
				}
				require.NoError(t, e.Close())
			}
		}
	}
}

// State outlives a step, is shared by executables, and goes in and out by Read
// and Write; slots are the step's.
func TestStateAndSlots(t *testing.T) {
	s := open(t, nil)
	train, show := compile(t, s, counter(t), 3), compile(t, s, reader(t), 1)
	fetch := counter(t).Fetches[0]
	for i := range int64(3) {
		*f32(train.At("x", i)) = float32(i + 1)
	}
	run(t, train, 0, 3)
	for i, want := range []float32{0, 1, 3} {
		require.Equal(t, want, *f32(train.At(fetch, int64(i))))
	}
	run(t, show, 0, 1)
	require.Equal(t, float32(-6), *f32(show.At(reader(t).Fetches[0], 0)))

	w := tensor.Scalar(tensor.F32, 100)
	require.NoError(t, s.Write(ctx, []string{"w"}, []*tensor.Tensor{w}))
	run(t, train, 4, 1) // slot 1 of 3: x = 2
	require.Equal(t, float32(100), *f32(train.At(fetch, 1)))
	require.NoError(t, s.Read(ctx, []string{"w"}, []*tensor.Tensor{w}))
	require.Equal(t, []float64{102}, w.Float64s())

	st, err := s.Stats(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 4, st.StateBytes)
	require.Equal(t, train.Plan().ArenaBytes+show.Plan().ArenaBytes, st.ArenaBytes)
	require.NoError(t, train.Close())
	require.NoError(t, show.Close())

	wrong := []*tensor.Tensor{tensor.New(tensor.F32, 2)}
	require.Equal(t, backends.InvalidArgument, backends.CodeOf(s.Read(ctx, []string{"w"}, wrong)))
	require.Equal(t, backends.InvalidArgument, backends.CodeOf(s.Write(ctx, []string{"w"}, wrong)))
	require.Equal(t, backends.InvalidArgument, backends.CodeOf(s.Read(ctx, []string{"v"}, wrong)))
	require.NoError(t, s.Write(ctx, []string{"v"}, wrong), "Write creates")
	require.NoError(t, s.Read(ctx, []string{"v"}, wrong))
}

func TestRefusals(t *testing.T) {
	for _, cfg := range []backends.SessionConfig{
		{Device: 1}, {Math: "fast"}, {Threads: -1}, {Threads: backends.MaxThreads + 1},
		{Options: map[string]string{"round": "maybe"}}, {Options: map[string]string{"order": "-1"}}, {Options: map[string]string{"isa": "avx2"}},
	} {
		_, err := reference.New().Open(ctx, cfg)
		require.Equal(t, backends.InvalidArgument, backends.CodeOf(err), "%+v", cfg)
	}
	s := open(t, nil)
	p := counter(t)
	_, err := s.Compile(ctx, p, nil)
	require.Equal(t, backends.InvalidArgument, backends.CodeOf(err), "unbound")
	bad := p.Clone()
	bad.Nodes[0].Op = "Convolute"
	_, err = s.Check(ctx, &bad)
	require.Equal(t, backends.Unimplemented, backends.CodeOf(err))
	require.NoError(t, s.Write(ctx, []string{"w"}, []*tensor.Tensor{tensor.New(tensor.F64)}))
	_, err = backends.CompileBound(ctx, s, p, func(string) int { return 1 }, private)
	require.ErrorContains(t, err, `state "w"`)

	// Nothing of this size is made: the arena is refused first.
	b := graph.NewBuilder("huge")
	x := b.Feed("x", tensor.T(tensor.U8, 1))
	y := b.Op("Expand", graph.Attrs{"shape": graph.L(1 << 39)}, x)
	b.Fetch(b.Op("Reshape", graph.Attrs{"shape": graph.L(-1)}, x))
	b.Op("Neg", nil, y)
	huge, err := b.Program()
	require.NoError(t, err)
	_, err = backends.CompileBound(ctx, s, huge, func(string) int { return 1 }, private)
	require.Equal(t, backends.ResourceExhausted, backends.CodeOf(err))
}

// classes is a loss whose labels can be wrong.
func classes(t *testing.T) *graph.Program {
	b := graph.NewBuilder("classes")
	x, l := b.Feed("x", tensor.T(tensor.F32, 1, 3)), b.Feed("label", tensor.T(tensor.S64, 1))
	b.Fetch(b.Op("SoftmaxCrossEntropy", nil, x, l))
	p, err := b.Program()
	require.NoError(t, err)
	return p
}

// A failed run poisons the session; only Close is left.
func TestFailurePoisonsTheSession(t *testing.T) {
	s := open(t, nil)
	e := compile(t, s, classes(t), 1)
	run(t, e, 0, 1)
	_, err := e.Run(ctx, backends.RunRequest{First: -1, Steps: 1})
	require.Equal(t, backends.InvalidArgument, backends.CodeOf(err))
	run(t, e, 0, 1) // a bad request is no failure inside a run
	tensor.View[int64](e.At("label", 0))[0] = 3
	_, err = e.Run(ctx, backends.RunRequest{Steps: 1})
	require.Equal(t, backends.InvalidArgument, backends.CodeOf(err))
	require.ErrorContains(t, err, "label 3")
	tensor.View[int64](e.At("label", 0))[0] = 0
	_, err = e.Run(ctx, backends.RunRequest{Steps: 1})
	require.Equal(t, backends.FailedPrecondition, backends.CodeOf(err))
	_, err = s.Stats(ctx)
	require.Equal(t, backends.FailedPrecondition, backends.CodeOf(err))
	require.Equal(t, backends.FailedPrecondition, backends.CodeOf(s.Map(ctx, backends.NewPrivateRegion(64))))
	require.NoError(t, e.Executable.Close())
}

// Cancelling stops a run and harms nothing.
func TestCancel(t *testing.T) {
	s := open(t, nil)
	e := compile(t, s, counter(t), 1)
	*f32(e.At("x", 0)) = 1
	stopped, cancel := context.WithCancel(ctx)
	time.AfterFunc(20*time.Millisecond, cancel)
	samples, err := e.Run(stopped, backends.RunRequest{Steps: backends.MaxSteps})
	require.Equal(t, backends.Canceled, backends.CodeOf(err))
	w := tensor.New(tensor.F32)
	require.NoError(t, s.Read(ctx, []string{"w"}, []*tensor.Tensor{w}))
	require.Equal(t, float64(len(samples.Steps)), w.Float64s()[0], "updates are those of whole steps")
	run(t, e, 0, 1)
}

func TestClosed(t *testing.T) {
	s := open(t, nil)
	e := compile(t, s, counter(t), 1)
	require.Equal(t, backends.FailedPrecondition, backends.CodeOf(s.Unmap(ctx, e.Region.ID)), "bound")
	require.NoError(t, e.Executable.Close())
	require.NoError(t, e.Executable.Close())
	_, err := e.Run(ctx, backends.RunRequest{Steps: 1})
	require.Equal(t, backends.FailedPrecondition, backends.CodeOf(err))
	require.NoError(t, s.Unmap(ctx, e.Region.ID))
	other := compile(t, s, counter(t), 1)
	require.NoError(t, s.Close())
	_, err = other.Run(ctx, backends.RunRequest{Steps: 1})
	require.Equal(t, backends.FailedPrecondition, backends.CodeOf(err))
	_, err = s.Check(ctx, counter(t))
	require.Equal(t, backends.FailedPrecondition, backends.CodeOf(err))
	require.NoError(t, other.Executable.Close())
}

func TestPlanAndProfile(t *testing.T) {
	s := open(t, nil)
	e := compile(t, s, counter(t), 1)
	plan := e.Plan()
	require.Len(t, plan.Partitions, 2)
	require.Equal(t, []string{"Mul"}, plan.Partitions[0].Nodes)
	require.Equal(t, "reference.Mul", plan.Partitions[0].Kernel)
	require.Equal(t, plan.Digest, compile(t, s, counter(t), 2).Plan().Digest)
	require.NotEqual(t, plan.Digest, compile(t, open(t, map[string]string{"order": "1"}), counter(t), 1).Plan().Digest)

	samples, err := e.Run(ctx, backends.RunRequest{Steps: 4, Profile: true, Sync: true})
	require.NoError(t, err)
	require.Len(t, samples.Partitions, 2)
	inside := int64(0)
	for i, p := range samples.Partitions {
		require.Equal(t, i, p.Partition)
		require.Positive(t, p.Nanos)
		inside += p.Nanos
	}
	whole := int64(0)
	for _, step := range samples.Steps {
		sp := step.Split
		require.LessOrEqual(t, sp.HostToDevice+sp.Device+sp.DeviceToHost+sp.Host, step.End-step.Start)
		whole += step.End - step.Start
	}
	require.LessOrEqual(t, inside, whole)
}
