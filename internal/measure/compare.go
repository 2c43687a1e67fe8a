package measure

import (
	"fmt"
	"math"
	"slices"
)

// Word is what a comparison comes to.
type Word string

const (
	Faster    Word = "FASTER"    // A is
	Slower    Word = "SLOWER"    // A is
	Same      Word = "SAME"      // the whole interval lies within the margin
	Undecided Word = "UNDECIDED" // neither can be said; Comparison.Visible tells what could have been seen
)

// Pair is two cells' figures of the same interleaved rounds: FiguresA[i] and FiguresB[i] are of one round (Paired).
type Pair struct {
	A, B               string
	FiguresA, FiguresB []float64 // each above 0
	// Times says that the figures are times, of which the smaller is the better, not rates.
	Times bool
}

// Comparison is the verdict on a pair.
type Comparison struct {
	A, B   string
	Rounds int
	// Ratio is A's speed over B's: the Hodges–Lehmann median of the rounds' log ratios, with the interval that belongs
	// to the test. Above 1, A is the faster.
	Ratio Estimate
	// P is the two-sided p of Wilcoxon's signed-rank test on the log ratios, PHolm the same adjusted for the number of
	// rows.
	P, PHolm float64
	Word     Word
	// Margin is the difference, as a fraction, that counts as none; 0 is no margin, and then nothing is SAME.
	Margin float64
	// Visible is the smallest difference, as a fraction, that these rounds could have shown: half the interval at the
	// confidence that Holm's first step asks of this many rows. Where Need > 0 it is larger still.
	Visible float64
	// Need is how many rounds a word needs here, where there were fewer; else 0.
	Need int
}

// MinRounds is the fewest rounds that a word may rest on, over that many rows: max(10, ⌈log₂(40·rows)⌉ + 2). Of n
// rounds the signed-rank test's least p is 2/2ⁿ, and Holm's first step wants 0.05/rows: 2ⁿ ≥ 40·rows. Two more leave
// room for a round that goes the other way.
func MinRounds(rows int) int {
	return max(10, int(math.Ceil(math.Log2(40*float64(max(rows, 1)))))+2)
}

// Compare gives its verdict on each pair; together they are the rows that Holm's correction counts. The margin is a
// fraction: at 0.02, speeds within 2 % of each other are SAME, even where the difference is real. It fails for figures
// that cannot be compared, naming the pair and the round.
func Compare(pairs []Pair, margin float64) ([]Comparison, error) {
	if margin < 0 || math.IsNaN(margin) || math.IsInf(margin, 0) {
		return nil, fmt.Errorf("margin %g: must be a fraction, 0 or more, such as 0.02", margin)
	}
	rows := make([]Comparison, len(pairs))
	ps := make([]float64, len(pairs))
	for i, pair := range pairs {
		logs, err := pair.logRatios()
		if err != nil {
			return nil, err
		}
		rows[i] = compare(pair, logs, len(pairs))
		rows[i].Margin = margin
		ps[i] = rows[i].P
	}
	for i, p := range Holm(ps) {
		rows[i].PHolm = p
		rows[i].Word = rows[i].word()
	}
	return rows, nil
}

// logRatios gives ln(speed of A / speed of B), round by round.
func (p Pair) logRatios() ([]float64, error) {
	if len(p.FiguresA) != len(p.FiguresB) || len(p.FiguresA) == 0 {
		return nil, fmt.Errorf("%s against %s: %d and %d rounds: as many of each, and at least one, are needed", p.A, p.B, len(p.FiguresA), len(p.FiguresB))
	}
	logs := make([]float64, len(p.FiguresA))
	for i, a := range p.FiguresA {
		b := p.FiguresB[i]
		logs[i] = math.Log(a) - math.Log(b)
		if p.Times {
			logs[i] = -logs[i]
		}
		if !(a > 0 && b > 0) || math.IsInf(logs[i], 0) {
			return nil, fmt.Errorf("%s against %s: round %d: figures %g and %g: must be finite and above 0", p.A, p.B, i+1, a, b)
		}
	}
	return logs, nil
}

func compare(pair Pair, logs []float64, rows int) Comparison {
	c := Comparison{A: pair.A, B: pair.B, Rounds: len(logs), P: Wilcoxon(logs)}
	e := pseudoMedian(logs, Confidence)
	c.Ratio = Estimate{math.Exp(e.Median), math.Exp(e.Low), math.Exp(e.High), e.Confidence}
	wide := pseudoMedian(logs, 1-(1-Confidence)/float64(rows))
	c.Visible = math.Expm1((wide.High - wide.Low) / 2)
	if need := MinRounds(rows); len(logs) < need {
		c.Need = need
	}
	return c
}

func (c Comparison) word() Word {
	switch {
	case c.Need > 0:
		return Undecided
	case c.Margin > 0 && c.Ratio.Low > 1/(1+c.Margin) && c.Ratio.High < 1+c.Margin:
		return Same
	case c.PHolm > 1-Confidence:
		return Undecided
	case c.Ratio.Median > 1:
		return Faster
	}
	return Slower
}

// SlowerBy says whether A is slower for sure, and by at least that fraction: `--fail-on slower:2%` is SlowerBy(0.02).
func (c Comparison) SlowerBy(fraction float64) bool {
	return c.Word == Slower && c.Ratio.Median <= 1-fraction
}

// Holm adjusts p-values for their number (Holm 1979): with the m p-values in rising order, the i-th becomes the largest
// of (m−j+1)·p_j over j ≤ i, at most 1. It keeps the order of the list.
func Holm(ps []float64) []float64 {
	order := make([]int, len(ps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case ps[a] < ps[b]:
			return -1
		case ps[a] > ps[b]:
			return 1
		}
		return 0
	})
	adjusted := make([]float64, len(ps))
	worst := 0.0
	for rank, i := range order {
		worst = max(worst, min(1, float64(len(ps)-rank)*ps[i]))
		adjusted[i] = worst
	}
	return adjusted
}
