package measure

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchmath"
	"pgregory.net/rapid"
)

// binomialUpTo is Σ_{x ≤ t} C(n, x) (1−p)^x p^(n−x), summed term by term in logarithms.
func binomialUpTo(n, t int, p float64) float64 {
	sum := 0.0
	logFactorial := func(n int) float64 { v, _ := math.Lgamma(float64(n + 1)); return v }
	for x := 0; x <= t; x++ {
		sum += math.Exp(logFactorial(n) - logFactorial(x) - logFactorial(n-x) + float64(x)*math.Log1p(-p) + float64(n-x)*math.Log(p))
	}
	return sum
}

func TestMedianOfTakesTheOrderStatisticsOfTheTables(t *testing.T) {
	// k and coverage for 95 %: David and Nagaraja; any table of sign-test intervals.
	for _, c := range []struct {
		n, k     int
		coverage float64
	}{{6, 1, 0.96875}, {7, 1, 0.984375}, {8, 1, 0.9921875}, {9, 2, 0.9609375}, {10, 2, 0.978515625}, {15, 4, 0.96484}, {20, 6, 0.95861}, {25, 8, 0.95671}, {100, 40, 0.9648}} {
		rounds := make([]float64, c.n)
		for i := range rounds {
			rounds[i] = float64(i + 1)
		}
		rand.New(rand.NewPCG(1, uint64(c.n))).Shuffle(c.n, func(i, j int) { rounds[i], rounds[j] = rounds[j], rounds[i] })
		e := MedianOf(rounds)
		require.Equal(t, float64(c.n+1)/2, e.Median)
		require.Equal(t, float64(c.k), e.Low, "n = %d", c.n)
		require.Equal(t, float64(c.n+1-c.k), e.High, "n = %d", c.n)
		require.InDelta(t, c.coverage, e.Confidence, 5e-5, "n = %d", c.n)
		require.True(t, e.Bounded())
	}
}

func TestMedianOfTooFewSaysSo(t *testing.T) {
	require.Equal(t, Estimate{}, MedianOf(nil))
	require.Equal(t, Estimate{Median: 7, Low: 7, High: 7}, MedianOf([]float64{7}))
	for n := 1; n < 6; n++ {
		e := MedianOf(make([]float64, n))
		require.False(t, e.Bounded(), "%d rounds", n)
		require.InDelta(t, 1-math.Exp2(1-float64(n)), e.Confidence, 1e-12)
		require.True(t, math.IsInf(e.HalfWidth(), 1))
	}
	// benchmath agrees on where intervals begin; it marks fewer rounds by ±Inf, which JSON refuses.
	for n := 2; n < 12; n++ {
		rounds := make([]float64, n)
		for i := range rounds {
			rounds[i] = float64(i)
		}
		theirs := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(rounds), &benchmath.DefaultThresholds), 0.95)
		ours := MedianOf(rounds)
		require.Equal(t, !math.IsInf(theirs.Lo, 0) && !math.IsInf(theirs.Hi, 0), ours.Bounded(), "%d rounds", n)
		require.Equal(t, theirs.Center, ours.Median)
	}
}

func TestMedianOfDoesNotTouchItsInput(t *testing.T) {
	rounds := []float64{3, 1, 2}
	MedianOf(rounds)
	require.Equal(t, []float64{3, 1, 2}, rounds)
}

func TestMedianOfOfRatesAndOfTimesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rates := rapid.SliceOfN(rapid.Float64Range(0.1, 10), 1, 30).Draw(t, "rates")
		times := make([]float64, len(rates))
		for i, r := range rates {
			times[i] = 1 / r
		}
		a, b := MedianOf(rates), MedianOf(times)
		require.InEpsilon(t, a.Low, 1/b.High, 1e-12)
		require.InEpsilon(t, a.High, 1/b.Low, 1e-12)
		require.Equal(t, a.Confidence, b.Confidence)
		require.LessOrEqual(t, a.Low, a.Median)
		require.LessOrEqual(t, a.Median, a.High)
	})
}

func TestIntervalCoversTheTrueMedian(t *testing.T) {
	const trials = 10000
	for seed, c := range []struct {
		name string
		draw func(r *rand.Rand) float64 // its median is 1
	}{
		{"lognormal", func(r *rand.Rand) float64 { return math.Exp(0.3 * r.NormFloat64()) }},
		{"exponential", func(r *rand.Rand) float64 { return r.ExpFloat64() / math.Ln2 }},
		{"cauchy", func(r *rand.Rand) float64 { return 1 + math.Tan(math.Pi*(r.Float64()-0.5)) }},
	} {
		for _, n := range []int{6, 10, 17} {
			r := rand.New(rand.NewPCG(uint64(seed), uint64(n)))
			covered, claimed := 0, 0.0
			rounds := make([]float64, n)
			for range trials {
				for i := range rounds {
					rounds[i] = c.draw(r)
				}
				e := MedianOf(rounds)
				claimed = e.Confidence
				if e.Low <= 1 && 1 <= e.High {
					covered++
				}
			}
			require.GreaterOrEqual(t, claimed, Confidence)
			standardError := math.Sqrt(claimed * (1 - claimed) / trials)
			require.InDelta(t, claimed, float64(covered)/trials, 4*standardError, "%s, %d rounds", c.name, n)
		}
	}
}

func TestHalfWidth(t *testing.T) {
	require.InDelta(t, 0.04, Estimate{100, 98, 104, 0.97}.HalfWidth(), 1e-12)
	require.True(t, math.IsInf(Estimate{0, -1, 1, 0.97}.HalfWidth(), 1))
}

func TestQuantileIsNumPys(t *testing.T) {
	// numpy.percentile([1, 2, 3, 4], [0, 25, 50, 90, 100]) and of one, and of two values.
	for _, c := range []struct {
		sorted []float64
		q      float64
		want   float64
	}{
		{[]float64{1, 2, 3, 4}, 0, 1}, {[]float64{1, 2, 3, 4}, 0.25, 1.75}, {[]float64{1, 2, 3, 4}, 0.5, 2.5},
		{[]float64{1, 2, 3, 4}, 0.9, 3.7}, {[]float64{1, 2, 3, 4}, 1, 4}, {[]float64{5}, 0.3, 5}, {[]float64{0, 10}, 0.75, 7.5},
	} {
		require.InDelta(t, c.want, Quantile(c.sorted, c.q), 1e-12)
	}
	require.Panics(t, func() { Quantile(nil, 0.5) })
}

func TestMinSamplesAreLoadGens(t *testing.T) {
	require.Equal(t, 64, MinSamples(0.9))
	require.Equal(t, 662, MinSamples(0.99))
	require.Equal(t, 11, MinSamples(0.5))
	for _, p := range []float64{0.5, 0.9, 0.95, 0.97, 0.99, 0.999} {
		n := MinSamples(p)
		require.LessOrEqual(t, binomialUpTo(n, 1, p), 0.01, "%g", p)
		require.Greater(t, binomialUpTo(n-1, 1, p), 0.01, "%g: one fewer is too few", p)
	}
}

func TestDiscardsAgainstTheSum(t *testing.T) {
	for _, p := range []float64{0.5, 0.9, 0.99} {
		for _, n := range []int{0, 1, 5, 10, 11, 63, 64, 65, 100, 661, 662, 700, 1000, 5000} {
			want := 0
			for want+1 < n && binomialUpTo(n, want+1, p) <= 0.01 {
				want++
			}
			require.Equal(t, want, discards(n, p), "p %g of %d", p, n)
		}
	}
	require.Equal(t, 1, discards(64, 0.9), "at the least count the largest sample is the estimate")
	require.Positive(t, discards(10_000_000, 0.99), "counts of long runs stay in range")
}

func TestPercentilesGiveOnlyWhatTheCountBears(t *testing.T) {
	for n, want := range map[int][]float64{
		0: nil, 1: {0.5}, 10: {0.5}, 63: {0.5}, 64: {0.5, 0.9}, 661: {0.5, 0.9}, 662: {0.5, 0.9, 0.99}, 6635: {0.5, 0.9, 0.99}, 7000: {0.5, 0.9, 0.99, 0.999},
	} {
		samples := make([]float64, n)
		for i := range samples {
			samples[i] = float64((i * 7919) % max(n, 1)) // out of order
		}
		var got []float64
		for _, p := range percentilesOf(samples) {
			got = append(got, p.P)
			if p.Upper != 0 {
				require.GreaterOrEqual(t, p.Upper, p.Value, "n %d, p %g", n, p.P)
			}
		}
		require.Equal(t, want, got, "n = %d", n)
	}
	ascending := make([]float64, 2000)
	for i := range ascending {
		ascending[i] = float64(i)
	}
	p99 := percentilesOf(ascending)[2]
	require.InDelta(t, 0.99*1999, p99.Value, 1e-9)
	require.Equal(t, float64(2000-discards(2000, 0.99)), p99.Upper, "the t-th largest")
	require.Greater(t, discards(2000, 0.99), 1)

	few := percentilesOf([]float64{2, 1, 3})
	require.Equal(t, []Percentile{{P: 0.5, Value: 2}}, few)
}

func TestUpperBoundsTheTruePercentile(t *testing.T) {
	const trials = 4000
	r := rand.New(rand.NewPCG(4, 2))
	truth := -math.Log(0.1) // of the exponential's p90
	over := 0
	samples := make([]float64, 200)
	for range trials {
		for i := range samples {
			samples[i] = r.ExpFloat64()
		}
		if percentilesOf(samples)[1].Upper >= truth {
			over++
		}
	}
	require.GreaterOrEqual(t, float64(over)/trials, 0.99)
}

// percentilesOf are those of a list, in any order.
func percentilesOf(samples []float64) []Percentile {
	sorted := slices.Sorted(slices.Values(samples))
	return percentilesAt(len(sorted), func(k int) float64 { return sorted[k] })
}
