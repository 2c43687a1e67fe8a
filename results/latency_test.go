package results

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/internal/measure"
)

func latenciesOf(ns []int64) *measure.Latencies {
	var l measure.Latencies
	for _, x := range ns {
		l.Add(x)
	}
	return &l
}

func TestLatencyPercentilesOnlyWhenTheCountBearsThem(t *testing.T) {
	steps := func(n int) *Latency {
		ns := make([]int64, n)
		for i := range ns {
			ns[i] = int64(n-i) * 1e6 // n, n-1, …, 1 ms
		}
		l := NewLatency(latenciesOf(ns))
		var c checker
		c.latency("", l)
		require.Empty(t, c.problems)
		return l
	}
	require.Nil(t, NewLatency(new(measure.Latencies)))
	l := steps(63)
	require.Equal(t, []any{63, 1.0, 32.0, 63.0}, []any{l.Count, l.Min, l.P50, l.Max})
	require.Nil(t, l.P90)
	require.Equal(t, 63.0, l.Samples[0], "samples keep the order measured")
	l = steps(64)
	require.InDelta(t, 57.7, *l.P90, 1e-9)
	require.Nil(t, l.P99)
	require.Nil(t, steps(661).P99)
	l = steps(662)
	require.NotNil(t, l.P99)
	require.Nil(t, l.P999)
	require.NotNil(t, steps(6636).P999)
	require.Equal(t, 1.0, steps(1).P50)
}

func TestLatencyBecomesAHistogram(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	ns := make([]int64, measure.MaxSamples+1)
	for i := range ns {
		ns[i] = int64(1e5 * math.Exp(0.2*rng.NormFloat64()))
	}
	for _, ns := range [][]int64{ns, make([]int64, measure.MaxSamples+1)} {
		l := NewLatency(latenciesOf(ns))
		require.Nil(t, l.Samples)
		var c checker
		c.latency("", l)
		require.Empty(t, c.problems)
		require.LessOrEqual(t, l.Histogram.Edges[0], l.Min)
		require.Less(t, l.Max, l.Histogram.Edges[len(l.Histogram.Counts)])
	}
}
