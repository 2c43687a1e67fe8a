package workloads

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/workloads/data"
)

// What 8 bits may cost of top-1, and by how much the tensors have to shrink
// against the checkpoint in f32.
const (
	staticLoss = 0.010
	awareLoss  = 0.005
	shrinks    = 0.73
)

// BenchmarkAccuracy trains networks to the end on backend cpu, within this
// process, quantizes them, and reports how they classify the test split. It
// fails where a recipe misses its target or 8 bits cost too much. The networks
// for small images go by their default recipes and, if CLSBENCH_DATA names a
// folder of 28×28 or smaller digits, LeNet-5 by uci-digits on that. Each run has
// a seed of its own.
//
//	go test ./workloads -run '^$' -bench Accuracy -benchtime 1x -timeout 2h
func BenchmarkAccuracy(b *testing.B) {
	for _, name := range []string{"lenet5", "resnet20", "mobilenetv3-small-0.5", "vit-micro"} {
		b.Run(name, func(b *testing.B) {
			var specs []string
			if name != "vit-micro" {
				specs = []string{"static", "aware"}
			}
			w := lookup(b, name)
			accuracy(b, w, w.Recipes[DefaultRecipe].Data, DefaultRecipe, specs)
		})
	}
	if dir := os.Getenv("CLSBENCH_DATA"); dir != "" {
		b.Run("folder", func(b *testing.B) { accuracy(b, lookup(b, "lenet5"), dir, "uci-digits", nil) })
	}
}

func accuracy(b *testing.B, w *Workload, from, name string, specs []string) {
	ctx, r := context.Background(), w.Recipes[name]
	set, err := data.Open(ctx, from, data.Options{Height: w.Input.Height, Width: w.Input.Width})
	require.NoError(b, err)
	s, err := cpu.New().Open(ctx, backends.SessionConfig{})
	require.NoError(b, err)
	defer s.Close()
	seed, top1, rate, seconds := uint64(0), 0.0, 0.0, 0.0
	b.ResetTimer()
	for b.Loop() {
		o, err := Train(ctx, s, TrainConfig{Workload: w, Recipe: r, Data: set, Seed: seed}, Hooks{})
		require.NoError(b, err)
		b.Logf("seed %d: top-1 %.2f %%, test loss %.3f, %.1f s", seed, 100*o.Final.Top1, o.Final.Loss, o.Seconds)
		assert.GreaterOrEqual(b, o.Final.Top1, r.Target)
		weights, err := w.Trained(ctx, s, r)
		require.NoError(b, err)
		for _, spec := range specs {
			quantized(b, s, w, set, weights, spec, seed, o.Final.Top1)
		}
		seed++
		top1 += o.Final.Top1
		rate += o.Throughput
		seconds += o.Seconds
	}
	b.ReportMetric(100*top1/float64(seed), "top1-%")
	b.ReportMetric(rate/float64(seed), "images/s")
	b.ReportMetric(seconds/float64(seed), "training-s")
}

// quantized brings trained weights to 8 bits and holds what that costs against
// its limits.
func quantized(b *testing.B, s backends.Session, w *Workload, set *data.Set, weights Weights, spec string, seed uint64, before float64) {
	ctx := context.Background()
	q, err := ParseQuantization(spec)
	require.NoError(b, err)
	found, err := w.Calibrate(ctx, s, set, weights, q, seed)
	require.NoError(b, err)
	p, err := w.Quantized(100, StandardOf(set), weights, q, found)
	require.NoError(b, err)
	lost := before - classified(b, s, p, set).Top1
	shrunk := 1 - float64(TensorBytes(p))/float64(weights.Bytes())
	b.Logf("seed %d: %s loses %.2f points, %d bytes in place of %d, %.2f %% less", seed, q, 100*lost, TensorBytes(p), weights.Bytes(), 100*shrunk)
	limit := staticLoss
	if q.Aware {
		limit = awareLoss
	}
	assert.LessOrEqual(b, lost, limit, spec)
	assert.GreaterOrEqual(b, shrunk, shrinks, spec)
}

func classified(b *testing.B, s backends.Session, p *graph.Program, set *data.Set) *Evaluation {
	e, err := NewEvaluator(context.Background(), s, p, evalPerCall)
	require.NoError(b, err)
	defer e.Close()
	got, err := e.Run(context.Background(), set.Test)
	require.NoError(b, err)
	return got
}
