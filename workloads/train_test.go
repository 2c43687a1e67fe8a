package workloads

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/data"
)

// tiny is a network small enough for the reference: 4×4 images, 3 classes.
func tiny() *Workload {
	w := &Workload{Name: "tiny", Input: Input{4, 4, 1}, Classes: 3,
		network: func(n *Net, x graph.Value, _ map[string]string) graph.Value {
			x = n.ReLU(n.Conv2d("conv", x, Conv{Out: 4, Kernel: 3, Pad: 1}))
			return n.Linear("fc", n.Flatten(n.MaxPool2d(x, Pool{Kernel: 2})), 3, nil)
		}}
	return w.with(nil)
}

// stripes are images whose class is the column that is bright.
func stripes(n int, seed uint64) data.Split {
	noise := tensor.FillSeeded(tensor.New(tensor.U8, n, 4, 4), tensor.Fill{Kind: tensor.Integers, Lo: 0, Hi: 100}, seed, 0)
	s := data.Split{Images: noise.Data, Labels: make([]int64, n)}
	for i := range n {
		s.Labels[i] = int64(i % 3)
		for row := range 4 {
			s.Images[i*16+row*4+i%3] += 135
		}
	}
	return s
}

func stripeSet() *data.Set {
	return &data.Set{Name: "stripes", Classes: []string{"a", "b", "c"}, H: 4, W: 4, C: 1,
		Train: stripes(50, 1), Test: stripes(31, 2), Mean: []float64{0.3}, Std: []float64{0.2}}
}

func recipe() *Recipe {
	return &Recipe{Data: "stripes", Optimizer: Optimizer{Kind: "sgd", LR: 0.05, Momentum: 0.9, Nesterov: true},
		Schedule: Schedule{Kind: "cosine", Warmup: 0.5}, Epochs: 4, Batch: 8, DropLast: true, Target: 0.9}
}

func config() TrainConfig {
	return TrainConfig{Workload: tiny(), Recipe: recipe(), Data: stripeSet(), Seed: 7, PerCall: 4, EvalBatch: 7}
}

func session(t testing.TB) backends.Session {
	s, err := reference.New().Open(context.Background(), backends.SessionConfig{Threads: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// train runs cfg in a session of its own and returns the state it left.
func train(t testing.TB, cfg TrainConfig, h Hooks) (*Outcome, Weights) {
	s := session(t)
	o, err := Train(context.Background(), s, cfg, h)
	require.NoError(t, err)
	return o, stateOf(t, s, cfg)
}

func stateOf(t testing.TB, s backends.Session, cfg TrainConfig) Weights {
	p, err := cfg.Workload.Training(cfg.Recipe.Batch, StandardOf(cfg.Data), cfg.Recipe, false)
	require.NoError(t, err)
	w, err := Snapshot(context.Background(), s, p.State)
	require.NoError(t, err)
	return w
}

func requireSameWeights(t testing.TB, want, got Weights) {
	require.Len(t, got, len(want))
	for name, x := range want {
		require.Equal(t, x.Data, got[name].Data, name)
	}
}

func TestTrainLearns(t *testing.T) {
	var points []Point
	var steps []int64
	o, w := train(t, config(), Hooks{
		Step:  func(step, of int64, loss float64) { steps = append(steps, step); require.EqualValues(t, 24, of) },
		Epoch: func(p Point) { points = append(points, p) },
	})
	require.EqualValues(t, 24, o.Steps)
	require.Len(t, steps, 24)
	for i, s := range steps {
		require.EqualValues(t, i+1, s)
	}
	require.Equal(t, points, o.Curve)
	require.Len(t, o.Curve, 4)
	for i, p := range o.Curve {
		require.Equal(t, i+1, p.Epoch)
		if i > 0 {
			require.Greater(t, p.Seconds, o.Curve[i-1].Seconds)
			require.Less(t, p.TrainLoss, o.Curve[i-1].TrainLoss)
		}
	}
	require.Greater(t, o.Final.Top1, 0.9)
	require.Equal(t, o.Final.Top1, o.Curve[3].Top1)
	require.True(t, o.Reached)
	require.Positive(t, o.TimeToAccuracy)
	require.Positive(t, o.Throughput)
	require.NotEqual(t, tiny().Init(7)["fc.weight"].Data, w["fc.weight"].Data)
	require.Contains(t, w, "fc.weight.velocity")
}

// The rings, their halves and the calls' lengths must not show in the result.
func TestStepsPerCallChangeNothing(t *testing.T) {
	cfg := config()
	_, want := train(t, cfg, Hooks{})
	for _, k := range []int{1, 5, 6, 50} {
		cfg.PerCall = k
		o, got := train(t, cfg, Hooks{})
		requireSameWeights(t, want, got)
		require.EqualValues(t, 24, o.Steps)
	}
	cfg.Seed++
	_, other := train(t, cfg, Hooks{})
	require.NotEqual(t, want["fc.weight"].Data, other["fc.weight"].Data)
}

// A step by hand, on the same batches, is what the loop does.
func TestTrainDoesWhatAStepByStepLoopDoes(t *testing.T) {
	cfg := config()
	cfg.Recipe.Epochs = 1
	cfg.Recipe.Schedule.Warmup = 0
	_, want := train(t, cfg, Hooks{})

	ctx, s := context.Background(), session(t)
	p, err := cfg.Workload.Training(8, StandardOf(cfg.Data), cfg.Recipe, false)
	require.NoError(t, err)
	w := cfg.Workload.Init(cfg.Seed)
	exe, err := backends.CompileBound(ctx, s, p, func(string) int { return 1 }, nil)
	require.NoError(t, err)
	require.NoError(t, Restore(ctx, s, p.State[:4], w))
	batches, err := data.Training(cfg.Data.Train, 8, cfg.Seed)
	require.NoError(t, err)
	for i := range batches.Len() {
		batches.Fill(i, exe.At(FeedImage, 0), tensor.View[int64](exe.At(FeedLabel, 0)))
		rate := 0.05 * 0.5 * (1 + math.Cos(math.Pi*float64(i)/6))
		tensor.View[float32](exe.At(FeedLR, 0))[0] = float32(rate)
		_, err := exe.Run(ctx, backends.RunRequest{Steps: 1})
		require.NoError(t, err)
	}
	require.NoError(t, exe.Close())
	requireSameWeights(t, want, stateOf(t, s, cfg))
}

func TestPartialBatchesCountUnlessDropped(t *testing.T) {
	cfg := config()
	cfg.Recipe.DropLast = false
	o, w := train(t, cfg, Hooks{})
	require.EqualValues(t, 4*7, o.Steps, "50 images are 6 batches of 8 and one of 2")
	cfg.PerCall = 3
	_, again := train(t, cfg, Hooks{})
	requireSameWeights(t, w, again)
}

func TestStopsAtTheTarget(t *testing.T) {
	cfg := config()
	cfg.Recipe.Target = 0.5
	cfg.StopAtTarget = true
	o, _ := train(t, cfg, Hooks{})
	require.Less(t, len(o.Curve), 4)
	require.True(t, o.Reached)
	require.Equal(t, o.Curve[len(o.Curve)-1].Seconds, o.TimeToAccuracy)
}

func TestDivergenceIsAnError(t *testing.T) {
	cfg := config()
	cfg.Recipe.Optimizer.LR = 1e30
	_, err := Train(context.Background(), session(t), cfg, Hooks{})
	var diverged *DivergedError
	require.ErrorAs(t, err, &diverged)
	require.EqualValues(t, 1, diverged.Epoch)
	require.ErrorContains(t, err, "try a lower rate")
}

func TestAdamTrains(t *testing.T) {
	cfg := config()
	cfg.Recipe.Optimizer = Optimizer{Kind: "adam", LR: 0.02, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
	o, w := train(t, cfg, Hooks{})
	require.Greater(t, o.Final.Top1, 0.9)
	require.EqualValues(t, 24, tensor.View[int64](w[StateStep].Data)[0])
}

func TestTrainRefuses(t *testing.T) {
	for want, spoil := range map[string]func(*TrainConfig){
		"recipe: epochs":         func(c *TrainConfig) { c.Recipe.Epochs = 0 },
		"50 of 5×4×1 take 1000":  func(c *TrainConfig) { c.Data.H = 5 },
		"has 3 channels":         func(c *TrainConfig) { c.Data.C = 3 },
		"has 4 classes":          func(c *TrainConfig) { c.Data.Classes = append(c.Data.Classes, "d") },
		"batch":                  func(c *TrainConfig) { c.Recipe.Batch = 51 },
		"steps a call":           func(c *TrainConfig) { c.PerCall = -1 },
		"batch -1":               func(c *TrainConfig) { c.EvalBatch = -1 },
		"want a positive number": func(c *TrainConfig) { c.Data.Std[0] = 0 },
	} {
		cfg := config()
		spoil(&cfg)
		_, err := Train(context.Background(), session(t), cfg, Hooks{})
		require.ErrorContains(t, err, want)
	}
}

// interrupted trains until an epoch's end and stops there.
func interrupted(t testing.TB, cfg TrainConfig, epochs int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := Train(ctx, session(t), cfg, Hooks{Epoch: func(p Point) {
		if p.Epoch == epochs {
			cancel()
		}
	}})
	require.Equal(t, backends.Canceled, backends.CodeOf(err))
}

func TestResumeContinuesBitForBit(t *testing.T) {
	cfg := config()
	whole, want := train(t, cfg, Hooks{})
	cfg.Checkpoint = filepath.Join(t.TempDir(), "run.safetensors")
	cfg.Resume = true // nothing is there yet
	interrupted(t, cfg, 2)
	first := 0
	o, got := train(t, cfg, Hooks{Epoch: func(p Point) {
		if first == 0 {
			first = p.Epoch
		}
	}})
	require.Equal(t, 3, first)
	requireSameWeights(t, want, got)
	require.Len(t, o.Curve, 4)
	for i := range o.Curve {
		require.Equal(t, whole.Curve[i].Top1, o.Curve[i].Top1)
		require.Equal(t, whole.Curve[i].TrainLoss, o.Curve[i].TrainLoss)
	}
	require.Greater(t, o.Curve[2].Seconds, o.Curve[1].Seconds)
	// Resumed once more there is nothing left to do but to evaluate.
	o, got = train(t, cfg, Hooks{Epoch: func(Point) { t.Fatal("an epoch too many") }})
	requireSameWeights(t, want, got)
	require.Equal(t, whole.Final.Confusion, o.Final.Confusion)
}

func TestResumeRefusesOtherFiles(t *testing.T) {
	cfg := config()
	cfg.Checkpoint = filepath.Join(t.TempDir(), "run.safetensors")
	interrupted(t, cfg, 1)
	good, err := os.ReadFile(cfg.Checkpoint)
	require.NoError(t, err)
	resume := func(cfg TrainConfig, file []byte) error {
		require.NoError(t, os.WriteFile(cfg.Checkpoint, file, 0o644))
		cfg.Resume = true
		cfg.Recipe.Epochs = 4
		_, err := Train(context.Background(), session(t), cfg, Hooks{})
		return err
	}
	flipped := append([]byte{}, good...)
	flipped[len(flipped)-1] ^= 1
	foreign := filepath.Join(t.TempDir(), "foreign")
	require.NoError(t, writeWhole(foreign, Weights{"w": tensor.Scalar(tensor.F32, 1)}, nil))
	other, err := os.ReadFile(foreign)
	require.NoError(t, err)
	for want, file := range map[string][]byte{
		"belong":              append(append([]byte{}, good...), 0),
		"ends within":         good[:len(good)-1],
		"cut short":           good[:100],
		"the hash":            flipped,
		"not a checkpoint of": other,
		"no safetensors file": nil,
	} {
		err := resume(cfg, file)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "run.safetensors")
		require.ErrorContains(t, err, "remove it")
	}
	for want, change := range map[string]func(*TrainConfig){
		"seed 7, not 8": func(c *TrainConfig) { c.Seed = 8 },
		"data set":      func(c *TrainConfig) { c.Data.Train.Labels[0] = 2 },
		"recipe":        func(c *TrainConfig) { c.Recipe.Optimizer.LR = 0.1 },
		"workload tiny": func(c *TrainConfig) { c.Workload.Name = "other" },
	} {
		changed := config()
		changed.Checkpoint = cfg.Checkpoint
		change(&changed)
		require.ErrorContains(t, resume(changed, good), want)
	}
	changed := config()
	changed.Checkpoint, changed.Recipe.Target = cfg.Checkpoint, 0.95
	require.NoError(t, resume(changed, good), "the target steers no step")

	require.NoError(t, os.Truncate(cfg.Checkpoint, 1<<30)) // sparse: its size is held against the state's first
	cfg.Resume = true
	_, err = Train(context.Background(), session(t), cfg, Hooks{})
	require.ErrorContains(t, err, "more than the run's state takes")
	cfg.Checkpoint = filepath.Join(t.TempDir(), "no", "such", "folder")
	_, err = Train(context.Background(), session(t), cfg, Hooks{})
	require.ErrorContains(t, err, "checkpoint ")
	require.True(t, errors.Is(err, os.ErrNotExist))
}
