package results

import (
	"fmt"

	"github.com/clsbench/clsbench/internal/measure"
)

// sideBySide shows the comparisons: a table for each baseline and workload, a row for each task, and for each other
// subject its rate, its ratio to the baseline with the interval, and the word. Subjects that don't fit the width go
// into further tables.
func (d *Document) sideBySide(o RenderOptions) []section {
	cells := map[string]*Result{}
	for i := range d.Results {
		cells[d.Results[i].Cell] = &d.Results[i]
	}
	type table struct{ workload, baseline string }
	var order []table
	pairs := map[table][]*pair{}
	for i := range d.Comparisons {
		c := &d.Comparisons[i]
		x := &pair{Comparison: c, a: cells[c.A], b: cells[c.B]}
		if x.a == nil || x.b == nil {
			continue // the validator refuses it
		}
		x.subjectA, x.subjectB = groupOf(x.a).subject, groupOf(x.b).subject
		t := table{x.b.Workload, x.subjectB}
		if pairs[t] == nil {
			order = append(order, t)
		}
		pairs[t] = append(pairs[t], x)
	}
	var out []section
	for _, t := range order {
		out = append(out, pairSections(t.workload, t.baseline, pairs[t], o)...)
	}
	return out
}

// pair is a comparison with what it compares.
type pair struct {
	*Comparison
	a, b               *Result
	subjectA, subjectB string
}

// task is the row's name: what was asked, with the precision where it is not everyone's.
func (x *pair) task(mixed bool) string {
	if mixed {
		return rowName(x.b) + " " + x.b.Precision
	}
	return rowName(x.b)
}

func pairSections(workload, baseline string, pairs []*pair, o RenderOptions) []section {
	var others, precisions []string
	rounds := pairs[0].Rounds
	for _, x := range pairs {
		others, precisions = addNew(others, x.subjectA), addNew(precisions, x.b.Precision)
		rounds = min(rounds, x.Rounds)
	}
	var tasks []string
	rates := map[string]string{}
	blocks := map[string]map[string][]string{} // by other subject and task
	for _, x := range pairs {
		task := x.task(len(precisions) > 1)
		tasks = addNew(tasks, task)
		rates[task] = rateOf(x.b)
		if blocks[x.subjectA] == nil {
			blocks[x.subjectA] = map[string][]string{}
		}
		blocks[x.subjectA][task] = x.block(painter(o.Color))
	}
	title := painter(o.Color).bold("side by side · "+workload) + fmt.Sprintf(" · %s, interleaved", plural(rounds, "round"))
	var out []section
	for len(others) > 0 {
		n := 1
		for n < len(others) && (o.Width == 0 || pairWidth(tasks, baseline, others[:n+1], blocks) <= o.Width) {
			n++
		}
		out = append(out, section{title: title, grid: pairGrid(tasks, rates, baseline, others[:n], blocks)})
		others = others[n:]
	}
	return out
}

// block is one subject's columns in one row: rate, ratio, interval, word.
func (x *pair) block(p painter) []string {
	word := p.word(x.Word)
	switch {
	case x.Need > 0:
		word += fmt.Sprintf(" (needs %s)", plural(x.Need, "round"))
	case x.Word == measure.Undecided:
		word += fmt.Sprintf(" (sees %s)", FormatShare(x.Visible))
	}
	return []string{rateOf(x.a), FormatRatio(x.Ratio.Median), significant(x.Ratio.Low) + "–" + significant(x.Ratio.High), word}
}

func rateOf(r *Result) string {
	if t := shown(r); t != nil {
		return FormatRate(t.Median)
	}
	return Missing
}

func pairGrid(tasks []string, rates map[string]string, baseline string, others []string, blocks map[string]map[string][]string) grid {
	g := grid{head: []string{"", baseline}, left: map[int]bool{0: true}}
	for _, other := range others {
		n := len(g.head)
		g.head = append(g.head, other, "ratio", "95 % CI", "")
		g.left[n+2], g.left[n+3] = true, true
	}
	for _, task := range tasks {
		row := []string{task, rates[task]}
		for _, other := range others {
			if b := blocks[other][task]; b != nil {
				row = append(row, b...)
			} else {
				row = append(row, Missing, Missing, Missing, "")
			}
		}
		g.rows = append(g.rows, row)
	}
	return g
}

// pairWidth is how wide pairGrid would be.
func pairWidth(tasks []string, baseline string, others []string, blocks map[string]map[string][]string) int {
	rates := map[string]string{}
	for _, t := range tasks {
		rates[t] = "000.0k"
	}
	g := pairGrid(tasks, rates, baseline, others, blocks)
	sum := 0
	for i, h := range g.head {
		w := width(h)
		for _, r := range g.rows {
			w = max(w, width(r[i]))
		}
		sum += w + 2
	}
	return sum - 2
}
