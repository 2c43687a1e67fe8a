package measure

import (
	"math"
	"slices"
)

// outlierScore is the modified z-score beyond which a round is flagged (Iglewicz and Hoaglin 1993).
const outlierScore = 3.5

// Outliers gives the places of the rounds that stand apart from the rest: 0.6745·|x − median| > 3.5·MAD, where MAD is
// the median of the distances from the median. Where more than half of the rounds are equal, so that MAD is 0, the mean
// distance serves (1.253314 of it stand for a standard deviation). They are flagged and never dropped.
func Outliers(rounds []float64) []int {
	if len(rounds) < 3 {
		return nil
	}
	median := medianOf(rounds)
	distances := make([]float64, len(rounds))
	mean := 0.0
	for i, x := range rounds {
		distances[i] = math.Abs(x - median)
		mean += distances[i] / float64(len(rounds))
	}
	deviation := medianOf(distances) / 0.6745 // of a normal distribution
	if deviation == 0 {
		deviation = 1.253314 * mean
	}
	var flagged []int
	for i, d := range distances {
		if deviation > 0 && d > outlierScore*deviation {
			flagged = append(flagged, i)
		}
	}
	return flagged
}

const (
	// throttleLeast is the least slowdown that is flagged.
	throttleLeast = 0.03
	// throttleCertain is the one-sided p of a flag.
	throttleCertain = 0.05
	// throttleSteps is how many steps a round needs for its last quarter to be told from its first.
	throttleSteps = 8
)

// Throttle tells of a machine that slows down while it is measured: heat, a power limit, a spent quota of bursts.
type Throttle struct {
	// Within is by how much, as a fraction, the last quarter of a round's steps is slower than the first: the median
	// over rounds; 0 where rounds have fewer than 8 steps.
	Within float64 `json:"within"`
	// Across is by how much the last round is slower than the first, by the Theil–Sen line through all.
	Across float64 `json:"across"`
	// Flagged says that one of them is at least 3 % and more than chance would do (p ≤ 0.05, one-sided). Flagged
	// figures are shown, not discarded.
	Flagged bool `json:"flagged"`
}

// Throttling looks at the lengths of steps, rounds[i] in the order they ran, all above 0 and in one unit.
func Throttling(rounds [][]float64) Throttle {
	var within, medians []float64
	for _, steps := range rounds {
		if len(steps) == 0 {
			continue
		}
		medians = append(medians, math.Log(medianOf(steps)))
		if quarter := len(steps) / 4; len(steps) >= throttleSteps {
			within = append(within, math.Log(medianOf(steps[len(steps)-quarter:])/medianOf(steps[:quarter])))
		}
	}
	var t Throttle
	if len(within) > 0 {
		t.Within = math.Expm1(medianOf(within))
		_, upper := rankSigned(within).tails()
		t.Flagged = t.Within >= throttleLeast && upper <= throttleCertain
	}
	if len(medians) > 1 {
		slope, p := risingTrend(medians)
		t.Across = math.Expm1(slope * float64(len(medians)-1))
		t.Flagged = t.Flagged || t.Across >= throttleLeast && p <= throttleCertain
	}
	return t
}

// risingTrend gives the Theil–Sen slope of a series, the median of the slopes between any two, and the one-sided p of
// the Mann–Kendall test that it rises: the share of all orders with at least as many rising pairs.
func risingTrend(xs []float64) (slope, p float64) {
	var slopes []float64
	rising := 0
	for j := range xs {
		for i := range j {
			slopes = append(slopes, (xs[j]-xs[i])/float64(j-i))
			if xs[j] > xs[i] {
				rising++
			}
		}
	}
	for pairs, probability := range risingPairs(len(xs)) {
		if pairs >= rising {
			p += probability
		}
	}
	return Quantile(slices.Sorted(slices.Values(slopes)), 0.5), min(p, 1)
}

// risingPairs gives the probability of each number of rising pairs in a random order of n values (Kendall 1938): the
// k-th value rises above anything from 0 to k−1 of those before it, every number alike.
func risingPairs(n int) []float64 {
	p := []float64{1}
	for k := 2; k <= n; k++ {
		next := make([]float64, len(p)+k-1)
		for pairs, probability := range p {
			for above := range k {
				next[pairs+above] += probability / float64(k)
			}
		}
		p = next
	}
	return p
}
