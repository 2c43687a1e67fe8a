package measure

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// pairOf makes n rounds of two cells that share a drifting machine: B's speed is 100, A's ratio times that.
func pairOf(r *rand.Rand, n int, ratio, noise float64) Pair {
	p := Pair{A: "a", B: "b"}
	for i := range n {
		machine := 100 * math.Exp(0.2*math.Sin(float64(i)))
		p.FiguresA = append(p.FiguresA, machine*ratio*math.Exp(noise*r.NormFloat64()))
		p.FiguresB = append(p.FiguresB, machine*math.Exp(noise*r.NormFloat64()))
	}
	return p
}

func TestCompareWords(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 13))
	for _, c := range []struct {
		name         string
		n            int
		ratio, noise float64
		margin       float64
		want         Word
		need         int
	}{
		{"clearly faster", 10, 1.10, 0.01, 0.02, Faster, 0},
		{"clearly slower", 10, 0.90, 0.01, 0.02, Slower, 0},
		{"the same", 12, 1, 0.002, 0.02, Same, 0},
		{"a real difference within the margin", 12, 1.01, 0.0005, 0.02, Same, 0},
		{"the same difference without a margin", 12, 1.01, 0.0005, 0, Faster, 0},
		{"too noisy to say", 10, 1.01, 0.10, 0.02, Undecided, 0},
		{"too few rounds", 9, 1.50, 0.001, 0.02, Undecided, 10},
		{"equal, without a margin", 10, 1, 0, 0, Undecided, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := Compare([]Pair{pairOf(r, c.n, c.ratio, c.noise)}, c.margin)
			require.NoError(t, err)
			got := rows[0]
			require.Equal(t, c.want, got.Word, "%+v", got)
			require.Equal(t, c.need, got.Need)
			require.Equal(t, c.n, got.Rounds)
			require.Equal(t, c.margin, got.Margin)
			require.Equal(t, got.P, got.PHolm, "one row needs no correction")
			require.LessOrEqual(t, got.Ratio.Low, got.Ratio.Median)
			require.LessOrEqual(t, got.Ratio.Median, got.Ratio.High)
			require.InDelta(t, c.ratio, got.Ratio.Median, 4*c.noise+1e-9)
		})
	}
}

func TestPairingRemovesTheMachinesDrift(t *testing.T) {
	// The machine swings by ±20 %; the difference is 1 %.
	r := rand.New(rand.NewPCG(1, 1))
	rows, err := Compare([]Pair{pairOf(r, 12, 1.01, 0.001)}, 0)
	require.NoError(t, err)
	require.Equal(t, Faster, rows[0].Word)
	require.Less(t, rows[0].Visible, 0.005)
}

func TestCompareOfTimesIsOfSpeeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(10, 20).Draw(t, "n")
		p := pairOf(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), n, rapid.Float64Range(0.8, 1.25).Draw(t, "ratio"), 0.02)
		inverse := Pair{A: p.A, B: p.B, Times: true}
		for i := range p.FiguresA {
			inverse.FiguresA = append(inverse.FiguresA, 1/p.FiguresA[i])
			inverse.FiguresB = append(inverse.FiguresB, 1/p.FiguresB[i])
		}
		swapped := Pair{A: p.B, B: p.A, FiguresA: p.FiguresB, FiguresB: p.FiguresA}
		rates, err := Compare([]Pair{p}, 0.02)
		require.NoError(t, err)
		times, err := Compare([]Pair{inverse}, 0.02)
		require.NoError(t, err)
		back, err := Compare([]Pair{swapped}, 0.02)
		require.NoError(t, err)
		require.Equal(t, rates[0].Word, times[0].Word)
		require.InEpsilon(t, rates[0].Ratio.Median, times[0].Ratio.Median, 1e-9)
		require.InEpsilon(t, rates[0].Ratio.Low, 1/back[0].Ratio.High, 1e-9)
		opposite := map[Word]Word{Faster: Slower, Slower: Faster, Same: Same, Undecided: Undecided}
		require.Equal(t, opposite[rates[0].Word], back[0].Word)
	})
}

func TestMinRounds(t *testing.T) {
	for rows, want := range map[int]int{0: 10, 1: 10, 6: 10, 7: 11, 12: 11, 13: 12, 25: 12, 26: 13, 100: 14, 1000: 18} {
		require.Equal(t, want, MinRounds(rows), "%d rows", rows)
		if rows > 0 {
			least := 2 / math.Exp2(float64(MinRounds(rows)))
			require.LessOrEqual(t, float64(rows)*least, 0.05, "a row that wins every round must win after Holm")
		}
	}
}

func TestHolm(t *testing.T) {
	for _, c := range []struct{ ps, want []float64 }{
		{[]float64{0.01, 0.02, 0.03, 0.04}, []float64{0.04, 0.06, 0.06, 0.06}}, // R: p.adjust(ps, "holm")
		{[]float64{0.04, 0.01, 0.03, 0.02}, []float64{0.06, 0.04, 0.06, 0.06}},
		{[]float64{0.001, 0.5, 0.9}, []float64{0.003, 1, 1}},
		{[]float64{0.2}, []float64{0.2}},
		{nil, []float64{}},
	} {
		got := Holm(c.ps)
		require.Len(t, got, len(c.want))
		for i := range got {
			require.InDelta(t, c.want[i], got[i], 1e-12)
		}
	}
}

func TestHolmProtectsTheFamily(t *testing.T) {
	const trials, rows = 1500, 8
	r := rand.New(rand.NewPCG(99, 1))
	wrong := 0
	for range trials {
		pairs := make([]Pair, rows)
		for i := range pairs {
			pairs[i] = pairOf(r, MinRounds(rows), 1, 0.03)
		}
		got, err := Compare(pairs, 0)
		require.NoError(t, err)
		for _, c := range got {
			if c.Word != Undecided {
				wrong++
				break
			}
		}
	}
	require.Less(t, float64(wrong)/trials, 0.05, "no difference anywhere: at most one run in twenty may claim one")
	require.Positive(t, wrong, "and the test is able to claim one")
}

func TestRatioIntervalCoversTheTruth(t *testing.T) {
	const trials = 4000
	r := rand.New(rand.NewPCG(5, 5))
	covered := 0
	for range trials {
		got, err := Compare([]Pair{pairOf(r, 10, 1.07, 0.05)}, 0)
		require.NoError(t, err)
		if got[0].Ratio.Low <= 1.07 && 1.07 <= got[0].Ratio.High {
			covered++
		}
	}
	require.GreaterOrEqual(t, float64(covered)/trials, 0.94)
}

func TestVisibleIsWhatCanBeSeen(t *testing.T) {
	// A difference well above it is found nearly always, one well below hardly ever.
	r := rand.New(rand.NewPCG(6, 6))
	found := func(times float64) (share float64) {
		const trials = 300
		for range trials {
			quiet, err := Compare([]Pair{pairOf(r, 12, 1, 0.02)}, 0)
			require.NoError(t, err)
			got, err := Compare([]Pair{pairOf(r, 12, 1+times*quiet[0].Visible, 0.02)}, 0)
			require.NoError(t, err)
			if got[0].Word == Faster {
				share += 1.0 / trials
			}
		}
		return share
	}
	require.Greater(t, found(2.5), 0.9)
	require.Less(t, found(0.25), 0.3)
}

func TestCompareRefusesWhatIsNoPair(t *testing.T) {
	for _, c := range []struct {
		pair Pair
		says string
	}{
		{Pair{A: "x", B: "y", FiguresA: []float64{1}, FiguresB: []float64{1, 2}}, "x against y: 1 and 2 rounds"},
		{Pair{A: "x", B: "y"}, "0 and 0 rounds"},
		{Pair{A: "x", B: "y", FiguresA: []float64{1, 0}, FiguresB: []float64{1, 1}}, "round 2: figures 0 and 1"},
		{Pair{A: "x", B: "y", FiguresA: []float64{-1}, FiguresB: []float64{1}}, "round 1"},
		{Pair{A: "x", B: "y", FiguresA: []float64{math.NaN()}, FiguresB: []float64{1}}, "NaN"},
		{Pair{A: "x", B: "y", FiguresA: []float64{1}, FiguresB: []float64{math.Inf(1)}}, "Inf"},
	} {
		_, err := Compare([]Pair{c.pair}, 0)
		require.ErrorContains(t, err, c.says)
	}
	for _, margin := range []float64{-0.1, math.NaN(), math.Inf(1)} {
		_, err := Compare(nil, margin)
		require.ErrorContains(t, err, fmt.Sprint("margin ", margin))
	}
	rows, err := Compare(nil, 0.02)
	require.NoError(t, err)
	require.Empty(t, rows)
}

func TestSlowerBy(t *testing.T) {
	c := Comparison{Word: Slower, Ratio: Estimate{Median: 0.97}}
	require.True(t, c.SlowerBy(0.02))
	require.False(t, c.SlowerBy(0.05), "slower, but by less than that")
	c.Word = Undecided
	require.False(t, c.SlowerBy(0.02), "not for sure")
}
