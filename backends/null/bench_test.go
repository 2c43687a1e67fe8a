package null_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/null"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

var registry = plugin.Registry{"null": null.New}

func TestMain(m *testing.M) {
	plugin.MaybeServe(registry)
	os.Exit(m.Run())
}

// BenchmarkOverhead reports what the harness adds to a step at k = 50.
func BenchmarkOverhead(b *testing.B) {
	var each []time.Duration
	for b.Loop() {
		d, err := plugin.Overhead(context.Background(), plugin.Options{Registry: registry}, 400)
		require.NoError(b, err)
		each = append(each, d)
	}
	slices.Sort(each)
	b.ReportMetric(float64(each[len(each)/2].Nanoseconds())/1e3, "µs/step")
}

// BenchmarkFeed copies 38.5 MB (64 images of 224×224×3 in f32) into a warm slot
// and lets a plugin read it, in turn with the same in one process on one
// thread, and reports the ratio of the rates.
func BenchmarkFeed(b *testing.B) {
	const n = 64 * 224 * 224 * 3 * 4
	ctx := context.Background()
	p, err := plugin.Open(ctx, plugin.Spec{Label: "null", Name: "null", Options: map[string]string{"read": "1"}},
		plugin.Options{Registry: registry})
	require.NoError(b, err)
	defer p.Close()
	ses, err := p.Open(ctx, backends.SessionConfig{})
	require.NoError(b, err)
	g := graph.NewBuilder("feed")
	g.Feed("x", tensor.T(tensor.U8, n))
	y := g.Const("y", tensor.New(tensor.F32, 1))
	g.Fetch(g.Op("Relu", nil, y))
	prog, err := g.Program()
	require.NoError(b, err)
	exe, err := backends.CompileBound(ctx, ses, prog, func(string) int { return 1 }, nil)
	require.NoError(b, err)

	src, private := tensor.AlignedBytes(n), tensor.AlignedBytes(n)
	for i := range src {
		src[i] = byte(i * 7)
	}
	var apart, within time.Duration
	step := int64(0)
	sum := null.Sum(src)
	round := func() (a, w time.Duration) {
		begin := time.Now()
		copy(exe.At("x", step), src)
		_, err := exe.Run(ctx, backends.RunRequest{First: step, Steps: 1})
		a = time.Since(begin)
		require.NoError(b, err)
		step++
		begin = time.Now()
		copy(private, src)
		got := null.Sum(private)
		w = time.Since(begin)
		require.Equal(b, sum, got)
		return a, w
	}
	for range 3 {
		round()
	}
	for b.Loop() {
		a, w := round()
		apart += a
		within += w
	}
	b.ReportMetric(100*float64(within)/float64(apart), "%of-one-process")
	b.ReportMetric(float64(b.N)*n/apart.Seconds()/1e9, "GB/s")
	require.NoError(b, exe.Close())
	require.NoError(b, ses.Close())
}
