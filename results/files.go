package results

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/measure"
)

// compareSchema names the version of a comparison in JSON.
const compareSchema = "clsbench.compare/v1"

// FileComparison holds two documents against each other. Their rounds were never interleaved, so whatever changed on
// the machine in between is in the ratios too; how much the machine's own peaks moved says how much to believe.
type FileComparison struct {
	Schema      string      `json:"schema"`
	A           Side        `json:"a"`
	B           Side        `json:"b"`
	Interleaved bool        `json:"interleaved"` // never
	SameMachine bool        `json:"same_machine"`
	Drift       []PeakDrift `json:"drift"`
	Cells       []CellDiff  `json:"cells"`
	OnlyA       []string    `json:"only_a"`
	OnlyB       []string    `json:"only_b"`
}

// Side is one of the documents.
type Side struct {
	Run     string    `json:"run"`
	Started time.Time `json:"started"`
	Effort  string    `json:"effort"`
	Machine string    `json:"machine"`
}

// PeakDrift is a peak that both sessions measured.
type PeakDrift struct {
	Key   string  `json:"key"`
	A     float64 `json:"a"`
	B     float64 `json:"b"`
	Unit  string  `json:"unit"`
	Ratio float64 `json:"ratio"` // of B to A
}

// CellDiff is one cell in both documents. Ratios are of B to A.
type CellDiff struct {
	A      string            `json:"a"` // cell names; they differ where two backends are compared
	B      string            `json:"b"`
	Status [2]Status         `json:"status"`
	RateA  *measure.Estimate `json:"rate_a,omitempty"`
	RateB  *measure.Estimate `json:"rate_b,omitempty"`
	Ratio  *measure.Estimate `json:"ratio,omitempty"`
	// Drift is by how much, as a fraction either way, the peak that this cell is held against moved; absent if it was
	// not measured in both sessions.
	Drift  *float64     `json:"drift,omitempty"`
	P      float64      `json:"p,omitempty"`      // Mann–Whitney U test, two-sided
	PHolm  float64      `json:"p_holm,omitempty"` // adjusted over the cells
	Word   measure.Word `json:"word,omitempty"`   // of B against A
	Shares *[2]float64  `json:"peak_shares,omitempty"`
	// Verdicts and Top1 are of A and B.
	Verdicts [2]Verdict  `json:"verdicts"`
	Top1     *[2]float64 `json:"top1,omitempty"`
	Memory   *[2]int64   `json:"peak_bytes,omitempty"`
}

// SlowerBy says whether B is slower for sure, and by at least that fraction.
func (c *CellDiff) SlowerBy(fraction float64) bool {
	return c.Ratio != nil && measure.Comparison{Word: c.Word, Ratio: *c.Ratio}.SlowerBy(fraction)
}

// Lost says what A had and B has no more: the figure, or the verdict that it
// stands on; "" if neither.
func (c *CellDiff) Lost() string {
	switch s, v := c.Status, c.Verdicts; {
	case s[0].Measured() && !s[1].Measured():
		return fmt.Sprintf("status %s → %s", s[0], s[1])
	case v[0] == VerdictPass && v[1] != VerdictPass:
		return fmt.Sprintf("conform %s → %s", strings.ToUpper(string(v[0])), strings.ToUpper(string(v[1])))
	}
	return ""
}

// SlowerBy says whether A is slower for sure, and by at least that fraction.
func (c *Comparison) SlowerBy(fraction float64) bool {
	return measure.Comparison{Word: c.Word, Ratio: c.Ratio}.SlowerBy(fraction)
}

// CompareFiles holds B against A, cell by cell. Where no cell is in both and each has one subject, it compares the two
// subjects task by task. Differences within the margin, a fraction, count as none; no word claims a difference that is
// not larger than the drift of the peak.
func CompareFiles(a, b *Document, margin float64) (*FileComparison, error) {
	if margin < 0 || math.IsNaN(margin) || math.IsInf(margin, 0) {
		return nil, fmt.Errorf("margin %g: must be a fraction, 0 or more, such as 0.02", margin)
	}
	c := &FileComparison{
		Schema: compareSchema,
		A:      a.side(), B: b.side(),
		SameMachine: a.Machine.ID == b.Machine.ID,
		Drift:       []PeakDrift{}, Cells: []CellDiff{}, OnlyA: []string{}, OnlyB: []string{},
	}
	for _, key := range slices.Sorted(maps.Keys(a.Peaks)) {
		x := a.Peaks[key]
		if y, ok := b.Peaks[key]; ok && x.Unit == y.Unit && x.Value > 0 {
			c.Drift = append(c.Drift, PeakDrift{key, x.Value, y.Value, x.Unit, y.Value / x.Value})
		}
	}
	pairs, onlyA, onlyB := match(a, b, func(c Cell) string { return c.String() })
	if len(pairs) == 0 && len(subjectsOf(a)) == 1 && len(subjectsOf(b)) == 1 {
		pairs, onlyA, onlyB = match(a, b, Cell.Task)
	}
	for _, r := range onlyA {
		c.OnlyA = append(c.OnlyA, r.Cell)
	}
	for _, r := range onlyB {
		c.OnlyB = append(c.OnlyB, r.Cell)
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("runs %s and %s have no cell in common; compare runs of the same workload, mode, precision and batch", a.Run.ID, b.Run.ID)
	}
	for _, p := range pairs {
		d, err := diffCells(a, b, p[0], p[1])
		if err != nil {
			return nil, err
		}
		c.Cells = append(c.Cells, d)
	}
	c.judge(margin)
	return c, nil
}

func (d *Document) side() Side {
	return Side{Run: d.Run.ID, Started: d.Run.Started, Effort: d.Run.Effort.Name, Machine: d.Machine.Title()}
}

// subjectsOf lists who answered in a document, in the order of their first rows.
func subjectsOf(d *Document) []string {
	var out []string
	for i := range d.Results {
		out = addNew(out, groupOf(&d.Results[i]).subject)
	}
	return out
}

// match pairs the cells of two documents by a name made of each, in A's order.
func match(a, b *Document, name func(Cell) string) (pairs [][2]*Result, onlyA, onlyB []*Result) {
	in := map[string]*Result{}
	var names []string
	for i := range b.Results {
		r := &b.Results[i]
		if c, err := ParseCell(r.Cell); err == nil && in[name(c)] == nil {
			in[name(c)] = r
			names = append(names, name(c))
		}
	}
	for i := range a.Results {
		r := &a.Results[i]
		c, err := ParseCell(r.Cell)
		if err != nil {
			continue
		}
		if other := in[name(c)]; other != nil {
			pairs = append(pairs, [2]*Result{r, other})
			delete(in, name(c))
		} else {
			onlyA = append(onlyA, r)
		}
	}
	for _, n := range names {
		if r := in[n]; r != nil {
			onlyB = append(onlyB, r)
		}
	}
	return pairs, onlyA, onlyB
}

func diffCells(a, b *Document, x, y *Result) (CellDiff, error) {
	d := CellDiff{A: x.Cell, B: y.Cell, Status: [2]Status{x.Status, y.Status},
		Verdicts: [2]Verdict{x.Conformance.Verdict, y.Conformance.Verdict}}
	if x.Accuracy != nil && y.Accuracy != nil {
		d.Top1 = &[2]float64{x.Accuracy.Top1, y.Accuracy.Top1}
	}
	if x.Memory != nil && y.Memory != nil {
		d.Memory = &[2]int64{x.Memory.Peak, y.Memory.Peak}
	}
	s, t := shown(x), shown(y)
	if s != nil {
		d.RateA = &s.Estimate
	}
	if t != nil {
		d.RateB = &t.Estimate
	}
	if s == nil || t == nil {
		return d, nil
	}
	ratio := ratioOf(s.Rounds, t.Rounds)
	d.Ratio = &ratio
	if x.PeakShare != nil && y.PeakShare != nil && x.Peak == y.Peak {
		d.Shares = &[2]float64{*x.PeakShare, *y.PeakShare}
	}
	p, ok := peakOf(a, x)
	q, both := peakOf(b, y)
	if ok && both && p.Key() == q.Key() && p.Value > 0 && q.Value > 0 {
		drift := math.Expm1(math.Abs(math.Log(q.Value / p.Value)))
		d.Drift = &drift
	}
	var err error
	d.P, err = mannWhitney(s.Rounds, t.Rounds)
	return d, err
}

// peakOf is the limit that a cell is held against, in the session that measured it.
func peakOf(d *Document, r *Result) (machine.Peak, bool) {
	peaks := d.Peaks
	if n := r.Session; n > 0 && n <= len(d.Run.Resumed) {
		peaks = d.Run.Resumed[n-1].Peaks
	}
	p, ok := peaks[r.Peak]
	return p, ok
}

// judge gives the words, once all cells are known.
func (c *FileComparison) judge(margin float64) {
	var compared []*CellDiff
	var ps []float64
	for i := range c.Cells {
		if d := &c.Cells[i]; d.Ratio != nil {
			compared = append(compared, d)
			ps = append(ps, d.P)
		}
	}
	for i, p := range measure.Holm(ps) {
		d := compared[i]
		d.PHolm = p
		d.Word = measure.Undecided
		if d.Drift == nil || !c.SameMachine {
			continue // what the machine did in between is unknown
		}
		certain := p <= 1-measure.Confidence
		beyond := 1 + max(margin, *d.Drift)
		switch {
		case margin >= *d.Drift && margin > 0 && d.Ratio.Bounded() && d.Ratio.Low > 1/(1+margin) && d.Ratio.High < 1+margin:
			d.Word = measure.Same
		case certain && d.Ratio.Low > beyond:
			d.Word = measure.Faster
		case certain && d.Ratio.High < 1/beyond:
			d.Word = measure.Slower
		}
	}
}
