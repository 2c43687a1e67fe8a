package measure

import (
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/mathext"
)

// Quantile is the q-th quantile, 0 ≤ q ≤ 1, of an ascending list, interpolated linearly between its neighbours: type 7
// of Hyndman and Fan 1996, and numpy.percentile's default. It panics on an empty list.
func Quantile(sorted []float64, q float64) float64 {
	return quantileAt(len(sorted), q, func(k int) float64 { return sorted[k] })
}

// quantileAt is Quantile over anything that knows its k-th smallest of n values.
func quantileAt(n int, q float64, at func(k int) float64) float64 {
	if n == 0 {
		panic("measure: quantile of nothing")
	}
	position := min(max(q, 0), 1) * float64(n-1)
	lower := int(math.Floor(position))
	a := at(lower)
	if fraction := position - float64(lower); fraction > 0 {
		return a + fraction*(at(lower+1)-a)
	}
	return a
}

// medianOf is the median of a list in any order.
func medianOf(xs []float64) float64 { return Quantile(slices.Sorted(slices.Values(xs)), 0.5) }

// tailConfidence is how sure Percentile.Upper is, as MLPerf LoadGen has it (results.cc).
const tailConfidence = 0.99

// MinSamples is the fewest samples that bear a claim about the percentile p, given as a fraction: 64 for p90, 662 for
// p99.
//
// It is the rule of MLPerf LoadGen's early stopping (mlcommons/inference, loadgen/early_stopping.cc; the inference
// rules, "Early Stopping"), with no tolerance: n samples of which t are over the bound suffice if so few would be
// over by chance in at most 1 % of runs, were the true share over the bound 1 − p:
//
//	Σ_{x ≤ t} C(n, x) (1−p)^x p^(n−x) = I_p(n−t, t+1) ≤ 0.01
//
// LoadGen asks for at least one sample over the bound, t = 1.
func MinSamples(p float64) int {
	return sort.Search(math.MaxInt32, func(n int) bool { return n > 1 && overByChance(n, 1, p) <= 1-tailConfidence })
}

// overByChance is the probability that at most t of n samples exceed the true p-th quantile.
func overByChance(n, t int, p float64) float64 {
	return mathext.RegIncBeta(float64(n-t), float64(t+1), p)
}

// discards is LoadGen's t for n samples: the p-th percentile is at most the t-th largest of them, with 99 %
// confidence. 0 if n is too small.
func discards(n int, p float64) int {
	// The first t that is too many, less one.
	return max(0, sort.Search(n, func(t int) bool { return overByChance(n, t, p) > 1-tailConfidence })-1)
}

// Percentile is one percentile of latencies.
type Percentile struct {
	P     float64 // 0.5, 0.9, 0.99, 0.999
	Value float64 // the sample's own, by Quantile; ns
	// Upper bounds the true percentile from above with 99 % confidence (LoadGen's early-stopping estimate), ns. 0 for a
	// median of fewer than 11 samples, which bear none.
	Upper float64
}

// reported are the percentiles worth reporting; each but the median needs MinSamples.
var reported = []float64{0.5, 0.9, 0.99, 0.999}

// percentilesAt gives those that n samples bear, in rising order; none for no samples.
func percentilesAt(n int, at func(k int) float64) []Percentile {
	var ps []Percentile
	for _, p := range reported {
		if n == 0 || p != 0.5 && n < MinSamples(p) {
			break
		}
		percentile := Percentile{P: p, Value: quantileAt(n, p, at)}
		if t := discards(n, p); t > 0 {
			percentile.Upper = at(n - t)
		}
		ps = append(ps, percentile)
	}
	return ps
}
