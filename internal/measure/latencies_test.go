package measure

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestBuckets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.Int64Range(0, math.MaxInt64).Draw(t, "ns") >> rapid.IntRange(0, 62).Draw(t, "shift")
		b := bucketOf(ns)
		low, high := bucketLow(b), bucketLow(b+1)
		require.LessOrEqual(t, low, ns)
		require.True(t, ns < high || ns == math.MaxInt64, "%d is in the bucket below %d", ns, high)
		require.LessOrEqual(t, float64(high-low), max(1, float64(low)/128), "a bucket is narrower than 0.8 %")
	})
	for b := range bucketOf(math.MaxInt64) {
		require.Equal(t, b, bucketOf(bucketLow(b)), "buckets follow each other without a gap")
		require.Equal(t, b, bucketOf(bucketLow(b+1)-1))
	}
}

func TestLatenciesKeepAllSamples(t *testing.T) {
	var l Latencies
	require.Zero(t, l.Count())
	require.Empty(t, l.Percentiles())
	require.Panics(t, func() { quantileOf(&l, 0.5) })
	for _, ns := range []int64{30, 10, 20} {
		l.Add(ns)
	}
	require.Equal(t, []int64{30, 10, 20}, l.Samples(), "in the order measured")
	require.Equal(t, 20.0, quantileOf(&l, 0.5))
	l.Add(50)
	l.Add(4)
	l.Add(3)
	require.Equal(t, 15.0, quantileOf(&l, 0.5), "later samples count after a read too")
	require.Equal(t, []int64{30, 10, 20, 50, 4, 3}, l.Samples(), "reading does not reorder them")
	require.EqualValues(t, 3, l.Min())
	require.EqualValues(t, 50, l.Max())
	edges, counts := l.Histogram()
	require.Nil(t, edges)
	require.Nil(t, counts)
}

func TestLatenciesAgreeBeforeAndBeyondTheLimit(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 14))
	var l Latencies
	var all []float64
	add := func() {
		ns := int64(1e5 * math.Exp(r.NormFloat64()))
		all = append(all, float64(ns))
		l.Add(ns)
	}
	for range MaxSamples {
		add()
	}
	require.Len(t, l.Samples(), MaxSamples)
	slices.Sort(all)
	require.Equal(t, percentilesOf(all), l.Percentiles(), "exact while samples are kept")

	for range 50_000 {
		add()
	}
	require.Nil(t, l.Samples())
	require.Equal(t, 150_000, l.Count())
	slices.Sort(all)
	for _, q := range []float64{0.001, 0.1, 0.5, 0.9, 0.99, 0.999} {
		require.InEpsilon(t, Quantile(all, q), quantileOf(&l, q), 0.008, "q %g", q)
	}
	require.Equal(t, all[0], quantileOf(&l, 0))
	require.Equal(t, all[len(all)-1], quantileOf(&l, 1))
	exact, near := percentilesOf(all), l.Percentiles()
	require.Len(t, near, len(exact))
	for i := range exact {
		require.InEpsilon(t, exact[i].Upper, near[i].Upper, 0.008)
	}

	edges, counts := l.Histogram()
	require.Len(t, edges, len(counts)+1)
	require.True(t, slices.IsSorted(edges))
	require.Positive(t, counts[0])
	require.Positive(t, counts[len(counts)-1])
	sum := int64(0)
	for _, c := range counts {
		sum += c
	}
	require.EqualValues(t, 150_000, sum)
	require.LessOrEqual(t, edges[0], l.Min())
	require.Greater(t, edges[len(edges)-1], l.Max())
	require.Less(t, len(counts), 10_000, "few enough for a result file")
}

func TestLatenciesOfEqualSamplesBeyondTheLimit(t *testing.T) {
	var l Latencies
	for range MaxSamples + 1 {
		l.Add(1_000_003)
	}
	require.Equal(t, 1_000_003.0, quantileOf(&l, 0.5), "the extremes bound every quantile")
}

// quantileOf is the q-th quantile in ns, exact from samples, within 0.8 % from
// the histogram.
func quantileOf(l *Latencies, q float64) float64 { return quantileAt(l.n, q, l.at()) }
