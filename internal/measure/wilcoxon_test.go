package measure

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// enumerate is the definition: over all signs of the nonzero differences, the share whose positive ranks sum to at
// most, and to at least, what was seen. Ranks are counted pair by pair, not sorted.
func enumerate(differences []float64) (lower, upper float64) {
	var ranks []float64
	seen := 0.0
	for i, d := range differences {
		rank := 1.0
		for j, other := range differences {
			switch a, b := math.Abs(other), math.Abs(d); {
			case j != i && a < b:
				rank++
			case j != i && a == b:
				rank += 0.5
			}
		}
		if d != 0 {
			ranks = append(ranks, rank)
			if d > 0 {
				seen += rank
			}
		}
	}
	for signs := range uint(1) << len(ranks) {
		sum := 0.0
		for s := signs; s != 0; s &= s - 1 {
			sum += ranks[bits.TrailingZeros(s)]
		}
		if sum <= seen {
			lower++
		}
		if sum >= seen {
			upper++
		}
	}
	all := math.Exp2(float64(len(ranks)))
	return lower / all, upper / all
}

func TestWilcoxonAgainstEnumeration(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Small whole numbers make ties and zeros common.
		whole := rapid.SliceOfN(rapid.IntRange(-4, 4), 1, 12).Draw(t, "differences")
		differences := make([]float64, len(whole))
		for i, d := range whole {
			differences[i] = float64(d)
		}
		lower, upper := rankSigned(differences).tails()
		wantLower, wantUpper := enumerate(differences)
		require.InDelta(t, wantLower, lower, 1e-12)
		require.InDelta(t, wantUpper, upper, 1e-12)
		require.InDelta(t, min(1, 2*min(wantLower, wantUpper)), Wilcoxon(differences), 1e-12)
	})
}

func TestWilcoxonKnownValues(t *testing.T) {
	// Hollander and Wolfe's depression scale, the example of R's wilcox.test: V = 40, one-sided p = 0.01953.
	first := []float64{1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30}
	second := []float64{0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29}
	differences := make([]float64, len(first))
	for i := range first {
		differences[i] = first[i] - second[i]
	}
	s := rankSigned(differences)
	require.Equal(t, 80, s.sum, "doubled")
	_, upper := s.tails()
	require.InDelta(t, 10.0/512, upper, 1e-12)
	require.InDelta(t, 20.0/512, Wilcoxon(differences), 1e-12)

	require.Equal(t, 1.0, Wilcoxon(nil))
	require.Equal(t, 1.0, Wilcoxon([]float64{0, 0, 0}), "nothing but zeros decides nothing")
	require.InDelta(t, 2/math.Exp2(10), Wilcoxon([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), 1e-15, "the least that ten can give")
	// Pratt: the zero takes rank 1; of the signs of ranks 2, 3, 4 one in eight is as extreme each way.
	require.InDelta(t, 0.25, Wilcoxon([]float64{0, 1, 2, 3}), 1e-15)
}

func TestWilcoxonIsSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		differences := rapid.SliceOfN(rapid.Float64Range(-1, 1), 1, 40).Draw(t, "differences")
		negated := make([]float64, len(differences))
		for i, d := range differences {
			negated[i] = -d
		}
		require.InDelta(t, Wilcoxon(differences), Wilcoxon(negated), 1e-9)
	})
}

func TestWilcoxonApproximationMeetsTheExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	differences := make([]float64, exactPairs)
	for i := range differences {
		differences[i] = r.NormFloat64() + 0.15
	}
	s := rankSigned(differences)
	lower, upper := s.tails()
	nearLower, nearUpper := s.normalTails()
	require.InDelta(t, lower, nearLower, 1e-3)
	require.InDelta(t, upper, nearUpper, 1e-3)
	require.Less(t, Wilcoxon(append(differences, differences...)), 0.05, "beyond the exact limit it still decides")

	cut, covered := signedRankCut(exactPairs, 0.95)
	nearCut, _ := signedRankCut(exactPairs+1, 0.95)
	require.InDelta(t, float64(cut), float64(nearCut), 120, "one more pair moves the cut by about n/2 of 20,100 sums")
	require.GreaterOrEqual(t, covered, 0.95)
}

func TestSignedRankCutAgainstTables(t *testing.T) {
	// Two-sided critical values at 0.05 (Hollander, Wolfe and Chicken, table A.4).
	for n, want := range map[int]int{6: 0, 7: 2, 8: 3, 9: 5, 10: 8, 12: 13, 15: 25, 20: 52} {
		cut, covered := signedRankCut(n, 0.95)
		require.Equal(t, want, cut, "n = %d", n)
		require.GreaterOrEqual(t, covered, 0.95)
	}
	cut, covered := signedRankCut(5, 0.95)
	require.Equal(t, 0, cut)
	require.InDelta(t, 1-2.0/32, covered, 1e-12, "five differences cannot reach 95 %, and say so")
	_, covered = signedRankCut(1, 0.95)
	require.Zero(t, covered)
}

func TestPseudoMedianBelongsToTheTest(t *testing.T) {
	// The interval leaves 0 out just when the test rejects.
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(6, 20).Draw(t, "n")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		shift := rapid.Float64Range(-1.5, 1.5).Draw(t, "shift")
		differences := make([]float64, n)
		for i := range differences {
			differences[i] = r.NormFloat64() + shift
		}
		e := pseudoMedian(differences, 0.95)
		require.LessOrEqual(t, e.Low, e.Median)
		require.LessOrEqual(t, e.Median, e.High)
		require.Equal(t, Wilcoxon(differences) <= 0.05, e.Low > 0 || e.High < 0)
	})
	require.Equal(t, Estimate{}, pseudoMedian(nil, 0.95))
	e := pseudoMedian([]float64{1, 2, 6}, 0.95) // means 1 1.5 2 3.5 4 6
	require.Equal(t, 2.75, e.Median)
}

func TestRisingPairsAgainstEnumeration(t *testing.T) {
	for n := 1; n <= 7; n++ {
		want := make([]float64, n*(n-1)/2+1)
		orders := 0.0
		var permute func(rest, taken []int)
		permute = func(rest, taken []int) {
			if len(rest) == 0 {
				rising := 0
				for j := range taken {
					for i := range j {
						if taken[j] > taken[i] {
							rising++
						}
					}
				}
				want[rising]++
				orders++
				return
			}
			for i := range rest {
				permute(slices.Delete(slices.Clone(rest), i, i+1), append(taken, rest[i]))
			}
		}
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		permute(all, nil)
		got := risingPairs(n)
		require.Len(t, got, len(want))
		for i := range want {
			require.InDelta(t, want[i]/orders, got[i], 1e-12)
		}
	}
}
