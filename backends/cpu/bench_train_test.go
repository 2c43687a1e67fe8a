package cpu

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads"
)

// BenchmarkTrain is a step of training, within this process, of the small
// networks by their own recipes. ms/step is the least of all steps, of each
// partition for itself, which tells more than the mean where others use the
// processors. With -v it lists where the time goes.
func BenchmarkTrain(b *testing.B) {
	for _, name := range []string{"resnet20", "mobilenetv3-small-0.5", "vit-micro"} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/threads=%d", name, threads), func(b *testing.B) {
				s := open(b, backends.SessionConfig{Threads: threads})
				e, g := training(b, s, name)
				defer e.Close()
				run(b, e, 0, 1)
				least := make([]int64, len(e.Plan().Partitions))
				b.ResetTimer()
				for k := range b.N {
					samples, err := e.Run(ctx, backends.RunRequest{Steps: 1, Profile: true})
					require.NoError(b, err)
					for i, p := range samples.Partitions {
						if k == 0 || p.Nanos < least[i] {
							least[i] = p.Nanos
						}
					}
				}
				b.StopTimer()
				total := int64(0)
				for _, ns := range least {
					total += ns
				}
				b.ReportMetric(float64(total)/1e6, "ms/step")
				logPartitions(b, e.Plan(), g, least, total)
			})
		}
	}
}

// training compiles a network's training step by its default recipe and fills
// its feeds.
func training(t testing.TB, s backends.Session, name string) (*backends.Bound, *graph.Graph) {
	w, err := workloads.Lookup(name)
	require.NoError(t, err)
	standard := workloads.Standard{Mean: []float64{0.5, 0.5, 0.5}, Std: []float64{0.3, 0.3, 0.3}}
	batch := w.Recipes[workloads.DefaultRecipe].Batch
	p, err := w.Training(batch, standard, w.Recipes[workloads.DefaultRecipe], false)
	require.NoError(t, err)
	p, err = backends.Fit(ctx, s, p)
	require.NoError(t, err)
	for name, x := range w.Init(1) {
		require.NoError(t, s.Write(ctx, []string{name}, []*tensor.Tensor{x}))
	}
	g, err := pass.Prune(p).Infer()
	require.NoError(t, err)
	e := bind(t, s, p, 1)
	for _, f := range p.Feeds {
		x := tensor.New(f.Type.DType, f.Type.Shape...)
		switch f.Name {
		case workloads.FeedImage:
			tensor.FillSeeded(x, tensor.Fill{Kind: tensor.Integers, Lo: 0, Hi: 255}, 1, 1)
		case workloads.FeedLabel:
			tensor.FillSeeded(x, tensor.Fill{Kind: tensor.Integers, Lo: 0, Hi: 9}, 1, 2)
		case workloads.FeedLR:
			x.SetFloat64s([]float64{0.001})
		}
		copy(e.At(f.Name, 0), x.Data)
	}
	return e, g
}

// logPartitions lists the time of partitions of the same ops and kernel.
func logPartitions(b *testing.B, plan backends.Plan, g *graph.Graph, nanos []int64, total int64) {
	ops := map[string]string{}
	for i := range g.Calls {
		ops[g.Calls[i].Name] = g.Calls[i].Op.Name
	}
	times, counts := map[string]int64{}, map[string]int{}
	for i, p := range plan.Partitions {
		var names []string
		for _, n := range p.Nodes[:min(8, len(p.Nodes))] {
			names = append(names, ops[n])
		}
		key := fmt.Sprintf("%s (%s, %s)", strings.Join(names, "+"), p.Kernel, p.Algorithm)
		times[key] += nanos[i]
		counts[key]++
	}
	for _, key := range slices.SortedFunc(maps.Keys(times), func(a, b string) int { return cmp.Compare(times[b], times[a]) }) {
		if share := float64(times[key]) / float64(total); share > 0.002 {
			b.Logf("%8.2f ms %5.1f %%  %3d × %s", float64(times[key])/1e6, 100*share, counts[key], key)
		}
	}
}
