package workloads

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu"
	"github.com/clsbench/clsbench/workloads/data"
)

// BenchmarkAccuracy trains LeNet-5 to the end on backend cpu, within this
// process, and reports how it classifies the test split: by the default recipe
// on digits/v1 and, if CLSBENCH_DATA names a folder of 28×28 or smaller
// digits, by the recipe uci-digits on that. Each run has a seed of its own.
//
//	go test ./workloads -run '^$' -bench Accuracy -benchtime 5x
func BenchmarkAccuracy(b *testing.B) {
	b.Run("digits", func(b *testing.B) { accuracy(b, "digits/v1", DefaultRecipe) })
	if dir := os.Getenv("CLSBENCH_DATA"); dir != "" {
		b.Run("folder", func(b *testing.B) { accuracy(b, dir, "uci-digits") })
	}
}

func accuracy(b *testing.B, spec, name string) {
	ctx, w := context.Background(), lookup(b, "lenet5")
	set, err := data.Open(ctx, spec, data.Options{Height: w.Input.Height, Width: w.Input.Width})
	require.NoError(b, err)
	s, err := cpu.New().Open(ctx, backends.SessionConfig{})
	require.NoError(b, err)
	defer s.Close()
	seed, top1, rate := uint64(0), 0.0, 0.0
	b.ResetTimer()
	for b.Loop() {
		o, err := Train(ctx, s, TrainConfig{Workload: w, Recipe: w.Recipes[name], Data: set, Seed: seed}, Hooks{})
		require.NoError(b, err)
		b.Logf("seed %d: top-1 %.2f %%, test loss %.3f, %.1f s", seed, 100*o.Final.Top1, o.Final.Loss, o.Seconds)
		seed++
		top1 += o.Final.Top1
		rate += o.Throughput
	}
	b.ReportMetric(100*top1/float64(seed), "top1-%")
	b.ReportMetric(rate/float64(seed), "images/s")
}
