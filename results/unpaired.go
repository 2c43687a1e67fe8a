package results

import (
	"errors"
	"math"
	"slices"

	"github.com/aclements/go-moremath/stats"

	"github.com/clsbench/clsbench/internal/measure"
)

// exactRounds is up to how many rounds a side the distribution of U is summed exactly.
const exactRounds = 50

// ratioOf estimates the ratio of B's speed to A's from rounds that were not interleaved: the Hodges–Lehmann shift of
// the logs, the median of all differences, with the interval that inverts the Mann–Whitney test (Hollander, Wolfe and
// Chicken, 4.2 and 4.3). Rounds are above 0.
func ratioOf(a, b []float64) measure.Estimate {
	shifts := make([]float64, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			shifts = append(shifts, math.Log(y)-math.Log(x))
		}
	}
	slices.Sort(shifts)
	cut, covered := rankSumCut(len(a), len(b))
	return measure.Estimate{
		Median: math.Exp(measure.Quantile(shifts, 0.5)),
		Low:    math.Exp(shifts[cut]), High: math.Exp(shifts[len(shifts)-1-cut]),
		Confidence: covered,
	}
}

// rankSumCut is how many of the smallest and of the largest differences of m and n values lie outside of the interval,
// and its coverage, 1 − 2·P(U ≤ cut).
func rankSumCut(m, n int) (cut int, covered float64) {
	const tail = (1 - measure.Confidence) / 2
	if m > exactRounds || n > exactRounds {
		mean, sd := float64(m*n)/2, math.Sqrt(float64(m*n*(m+n+1))/12)
		return max(0, int(mean-0.5+sd*math.Sqrt2*math.Erfinv(2*tail-1))), measure.Confidence
	}
	u := stats.UDist{N1: m, N2: n}
	for u.CDF(float64(cut+1)) <= tail {
		cut++
	}
	return cut, 1 - 2*u.CDF(float64(cut))
}

// mannWhitney is the two-sided p that A's and B's rounds are of one distribution; 1 if all are equal.
func mannWhitney(a, b []float64) (float64, error) {
	r, err := stats.MannWhitneyUTest(a, b, stats.LocationDiffers)
	if errors.Is(err, stats.ErrSamplesEqual) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	return r.P, nil
}
