package measure

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// Confidence is the least coverage that an interval must have to be called one.
const Confidence = 0.95

// Estimate is a median over rounds with an interval for the true one.
type Estimate struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	// Confidence is the coverage that the interval reaches. Below 0.95 there were too few rounds: Low and High are
	// then the smallest and the largest, no interval (Bounded).
	Confidence float64 `json:"confidence"`
}

// Bounded says whether Low and High are an interval, not just the range of too few rounds.
func (e Estimate) Bounded() bool { return e.Confidence >= Confidence }

// HalfWidth is the larger arm of the interval over the median, as a fraction: how finely this figure is known. +Inf
// where there is no interval or the median is 0.
func (e Estimate) HalfWidth() float64 {
	if !e.Bounded() || e.Median == 0 {
		return math.Inf(1)
	}
	return max(e.High-e.Median, e.Median-e.Low) / math.Abs(e.Median)
}

// MedianOf is the median over rounds with its order-statistic interval. For independent rounds of any continuous
// distribution, the k-th smallest and the k-th largest of n bracket the true median with probability
// 1 − 2·P(Binomial(n, ½) < k) (David and Nagaraja, Order Statistics, 7.1): the largest k that keeps 95 % is taken.
// Six rounds give the smallest and the largest at 96.9 %. Equal tails make the interval of a rate and that of its
// inverse the same. Without rounds it is zero.
func MedianOf(rounds []float64) Estimate {
	n := len(rounds)
	if n == 0 {
		return Estimate{}
	}
	sorted := slices.Sorted(slices.Values(rounds))
	k := 1
	for 2*(k+1) <= n && coverage(n, k+1) >= Confidence {
		k++
	}
	return Estimate{Quantile(sorted, 0.5), sorted[k-1], sorted[n-k], coverage(n, k)}
}

// coverage is the probability that the k-th smallest and the k-th largest of n values bracket the median.
func coverage(n, k int) float64 {
	// P(Binomial(n, ½) ≤ k−1) = I_½(n−k+1, k)
	return 1 - 2*mathext.RegIncBeta(float64(n-k+1), float64(k), 0.5)
}
