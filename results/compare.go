package results

import (
	"fmt"

	"github.com/clsbench/clsbench/internal/measure"
)

// Split is the first task whose cells with figures an interruption has left to different sessions; "" if none.
func (d *Document) Split() string {
	session := map[string]int{} // by task
	for i := range d.Results {
		r := &d.Results[i]
		c, err := ParseCell(r.Cell)
		if err != nil || shown(r) == nil {
			continue
		}
		if first, ok := session[c.Task()]; ok && first != r.Session {
			return c.Task()
		}
		session[c.Task()] = r.Session
	}
	return ""
}

// CompareWithin sets the document's comparisons: in each task every measured cell of one session against that of the
// baseline, a subject ("cpu", "cpu;isa=avx2"; "" is the first with a figure), pairing their rounds. At a margin above 0
// smaller differences are SAME. The cells must have been measured in interleaved rounds, from the same first one. Where
// an interruption left two of a task to different sessions there is no comparison, and a warning says so.
func (d *Document) CompareWithin(baseline string, margin float64) error {
	cells := make([]Cell, len(d.Results))
	base := map[string]*Result{} // by task
	for i := range d.Results {
		r := &d.Results[i]
		c, err := ParseCell(r.Cell)
		if err != nil {
			return err
		}
		if cells[i] = c; shown(r) == nil {
			continue
		}
		if baseline == "" {
			baseline = c.Subject()
		}
		if c.Subject() == baseline {
			base[c.Task()] = r
		}
	}
	if len(base) == 0 && baseline != "" {
		return fmt.Errorf("baseline %q has no figure; name one of the backends measured", baseline)
	}
	var pairs []measure.Pair
	for i := range d.Results {
		a, b := &d.Results[i], base[cells[i].Task()]
		if b == nil || a == b || shown(a) == nil {
			continue
		}
		if a.Session != b.Session {
			d.Warnings = addNew(d.Warnings, fmt.Sprintf("%s is not compared with %s: an interruption came between them, so their rounds were not interleaved; clsbench rerun measures both anew", a.Cell, b.Cell))
			continue
		}
		n := min(len(a.Throughput.Rounds), len(b.Throughput.Rounds))
		pairs = append(pairs, measure.Pair{A: a.Cell, B: b.Cell, FiguresA: a.Throughput.Rounds[:n], FiguresB: b.Throughput.Rounds[:n]})
	}
	rows, err := measure.Compare(pairs, margin)
	if err != nil {
		return err
	}
	d.Comparisons = nil
	for _, c := range rows {
		d.Comparisons = append(d.Comparisons, Comparison{A: c.A, B: c.B, Rounds: c.Rounds, Ratio: c.Ratio, P: c.P,
			PHolm: c.PHolm, Word: c.Word, Margin: c.Margin, Visible: c.Visible, Need: c.Need})
	}
	return nil
}
