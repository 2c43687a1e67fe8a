package measure

import (
	"math"
	"slices"
)

// exactPairs is up to how many pairs the signed-rank distribution is summed exactly; beyond, it is normal to within
// any use made of it here.
const exactPairs = 200

// signedRank is Wilcoxon's signed-rank statistic of differences, given their sizes: under the hypothesis that each is
// as likely as its negative, the sum of the ranks of the positive ones. Ranks are doubled to keep those of ties whole.
type signedRank struct {
	sum   int   // doubled ranks of the positive differences
	ranks []int // doubled ranks of all that are not zero
	n     int   // differences, zeros included
}

// rankSigned ranks the differences by size. Equal sizes share the mean of their ranks. Zeros take the lowest ranks and
// are then left out (Pratt 1959): dropped first, as Wilcoxon did, they would make the rest look more decided.
func rankSigned(differences []float64) signedRank {
	order := slices.Clone(differences)
	slices.SortFunc(order, func(a, b float64) int {
		switch x, y := math.Abs(a), math.Abs(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	s := signedRank{n: len(order)}
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && math.Abs(order[j]) == math.Abs(order[i]) {
			j++
		}
		doubled := i + 1 + j // twice the mean of ranks i+1 … j
		for _, d := range order[i:j] {
			if d == 0 {
				continue
			}
			s.ranks = append(s.ranks, doubled)
			if d > 0 {
				s.sum += doubled
			}
		}
		i = j
	}
	return s
}

// tails gives P(W ≤ w) and P(W ≥ w). With nothing but zeros both are 1.
func (s signedRank) tails() (lower, upper float64) {
	if s.n > exactPairs {
		return s.normalTails()
	}
	for sum, p := range rankSumDistribution(s.ranks) {
		if sum <= s.sum {
			lower += p
		}
		if sum >= s.sum {
			upper += p
		}
	}
	return min(lower, 1), min(upper, 1)
}

// rankSumDistribution gives the probability of each sum of a random subset of the ranks, every subset alike.
func rankSumDistribution(ranks []int) []float64 {
	total := 0
	for _, r := range ranks {
		total += r
	}
	p := make([]float64, total+1)
	p[0] = 1
	reached := 0
	for _, r := range ranks {
		reached += r
		for sum := reached; sum >= 0; sum-- {
			p[sum] /= 2
			if sum >= r {
				// Still undivided: sums are taken from above.
				p[sum] += p[sum-r] / 2
			}
		}
	}
	return p
}

// normalTails approximates with the variance that ties leave (Lehmann, Nonparametrics, 3.2) and the correction for
// continuity.
func (s signedRank) normalTails() (lower, upper float64) {
	mean, variance := 0.0, 0.0
	for _, r := range s.ranks {
		mean += float64(r) / 2
		variance += float64(r) * float64(r) / 4
	}
	if variance == 0 {
		return 1, 1
	}
	const half = 1 // of a rank, doubled
	z := func(w float64) float64 { return 0.5 * math.Erfc(-(w-mean)/math.Sqrt(2*variance)) }
	return z(float64(s.sum) + half), 1 - z(float64(s.sum)-half)
}

// Wilcoxon is the two-sided p-value of the signed-rank test that the differences are as likely positive as negative,
// of the same sizes (Wilcoxon 1945): exact up to 200 of them, with ties and zeros too. It is 1 for none.
func Wilcoxon(differences []float64) float64 {
	lower, upper := rankSigned(differences).tails()
	return min(1, 2*min(lower, upper))
}

// pseudoMedian is the Hodges–Lehmann estimate, the median of all means of two differences (each with itself too), with
// the interval that inverts the signed-rank test (Hollander, Wolfe and Chicken, 3.3): it leaves out 0 just when the
// test at 1 − confidence rejects. The coverage reached is below confidence if there are too few differences.
func pseudoMedian(differences []float64, confidence float64) Estimate {
	n := len(differences)
	if n == 0 {
		return Estimate{}
	}
	means := make([]float64, 0, n*(n+1)/2)
	for i, a := range differences {
		for _, b := range differences[i:] {
			means = append(means, (a+b)/2)
		}
	}
	slices.Sort(means)
	cut, covered := signedRankCut(n, confidence)
	return Estimate{Quantile(means, 0.5), means[cut], means[len(means)-1-cut], covered}
}

// signedRankCut is how many of the smallest and of the largest means lie outside of the interval, and its coverage
// 1 − 2·P(W ≤ cut).
func signedRankCut(n int, confidence float64) (cut int, covered float64) {
	ranks := make([]int, n)
	for i := range ranks {
		ranks[i] = i + 1
	}
	tail := (1 - confidence) / 2
	if n > exactPairs {
		mean := float64(n*(n+1)) / 4
		sd := math.Sqrt(float64(n*(n+1)*(2*n+1)) / 24)
		cut = int(mean - 0.5 + sd*math.Sqrt2*math.Erfinv(2*tail-1))
		return cut, confidence
	}
	p := rankSumDistribution(ranks)
	sum := p[0]
	for sum+p[cut+1] <= tail {
		cut++
		sum += p[cut]
	}
	return cut, 1 - 2*sum
}
