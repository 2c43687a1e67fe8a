package workloads

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/data"
)

// noise is a set of seeded images that any library can make again.
func noise(n int) *data.Set {
	images := tensor.FillSeeded(tensor.New(tensor.U8, n, 28, 28), tensor.Fill{Kind: tensor.Integers, Lo: 0, Hi: 255}, 5, 0)
	s := data.Split{Images: images.Data, Labels: make([]int64, n)}
	for i := range s.Labels {
		s.Labels[i] = int64(i * 7 % 10)
	}
	return &data.Set{Name: "noise", Classes: make([]string, 10), H: 28, W: 28, C: 1, Train: s, Test: s,
		Mean: []float64{0.5}, Std: []float64{0.25}}
}

func TestLeNet5TrainsAsPyTorchDoes(t *testing.T) {
	r := &Recipe{Data: "noise", Optimizer: Optimizer{Kind: "sgd", LR: 0.05, Momentum: 0.9, Nesterov: true, WeightDecay: 1e-3},
		Schedule: Schedule{Kind: "cosine"}, Epochs: 1, Batch: 8, DropLast: true, Target: 1}
	s, err := reference.New().Open(context.Background(), backends.SessionConfig{Options: map[string]string{"round": "off"}})
	require.NoError(t, err)
	defer s.Close()
	// Losses of PyTorch 1.13 in float64, from the same parameters and batches.
	for spec, want := range map[string][]float64{
		"lenet5":                          {2.301621522, 2.262010464, 2.356375926, 2.331127610, 2.314365006},
		"lenet5;activation=tanh;pool=max": {2.332673326, 2.279431877, 2.372856289, 2.379901998, 2.381242409},
		"lenet5;activation=sigmoid":       {2.250054119, 2.186054558, 2.711883479, 2.595570707, 2.506565027},
	} {
		var losses []float64
		_, err := Train(context.Background(), s, TrainConfig{Workload: lookup(t, spec), Recipe: r, Data: noise(40), Seed: 1, EvalBatch: 8},
			Hooks{Step: func(_, _ int64, loss float64) { losses = append(losses, loss) }})
		require.NoError(t, err)
		require.InDeltaSlice(t, want, losses, 1e-6, spec)
	}
}

// A part of the default set, two epochs: the whole recipe goes on from there.
func TestLeNet5LearnsDigits(t *testing.T) {
	ctx, w := context.Background(), lookup(t, "lenet5")
	set, err := data.Open(ctx, "digits/v1", data.Options{TrainLimit: 8000, TestLimit: 1000, CacheDir: t.TempDir()})
	require.NoError(t, err)
	s, err := cpu.New().Open(ctx, backends.SessionConfig{Threads: 1})
	require.NoError(t, err)
	defer s.Close()
	r := *w.Recipes[DefaultRecipe]
	r.Epochs = 2
	o, err := Train(ctx, s, TrainConfig{Workload: w, Recipe: &r, Data: set, Seed: 1}, Hooks{})
	require.NoError(t, err)
	require.Greater(t, o.Final.Top1, 0.9)
	require.Greater(t, o.Final.Top5, 0.99)
	t.Logf("top-1 %.2f %%, %.0f images/s", 100*o.Final.Top1, o.Throughput)
}
