package plots

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
)

// table is the documents' cells by what was asked (tasks) and who answered (series), each in the order of its first
// cell.
type table struct {
	tasks  []string // short labels: what all tasks share stands in common
	common string   // "lenet5 · f32"
	series []string
	cells  map[place]*results.Result
}

type place struct{ task, series int }

// newTable sorts the cells of all documents into a table. With several documents, each series is tagged with the
// beginning of its run's id.
func newTable(docs []*results.Document) (*table, error) {
	t := &table{cells: map[place]*results.Result{}}
	var tasks []results.Cell
	taskAt, seriesAt := map[string]int{}, map[string]int{}
	for _, d := range docs {
		for i := range d.Results {
			r := &d.Results[i]
			c, err := results.ParseCell(r.Cell)
			if err != nil {
				return nil, err
			}
			name := strings.ReplaceAll(c.Subject(), ";", " ")
			if len(docs) > 1 {
				name += " · " + tag(d)
			}
			if _, ok := taskAt[c.Task()]; !ok {
				taskAt[c.Task()] = len(tasks)
				tasks = append(tasks, c)
			}
			if _, ok := seriesAt[name]; !ok {
				seriesAt[name] = len(t.series)
				t.series = append(t.series, name)
			}
			t.cells[place{taskAt[c.Task()], seriesAt[name]}] = r
		}
	}
	t.label(tasks)
	return t, nil
}

// tag tells documents apart.
func tag(d *results.Document) string { return d.Run.ID[:min(6, len(d.Run.ID))] }

// label names the tasks, and puts what they share in common.
func (t *table) label(tasks []results.Cell) {
	workloads, precisions, shared := map[string]bool{}, map[string]bool{}, map[string]int{}
	settings := func(c results.Cell) []string {
		_, list, _ := strings.Cut(c.Task(), ";")
		return strings.FieldsFunc(list, func(r rune) bool { return r == ';' })
	}
	for _, c := range tasks {
		workloads[c.Workload], precisions[c.Precision] = true, true
		for _, s := range settings(c) {
			shared[s]++
		}
	}
	everyones := func(setting string) bool { return shared[setting] == len(tasks) }
	var common []string
	for _, c := range tasks {
		var parts []string
		if len(workloads) > 1 {
			parts = append(parts, c.Workload)
		}
		parts = append(parts, c.Mode, fmt.Sprintf("b%d", c.Batch))
		if len(precisions) > 1 {
			parts = append(parts, c.Precision)
		}
		parts = append(parts, slices.DeleteFunc(settings(c), everyones)...)
		t.tasks = append(t.tasks, strings.Join(parts, " "))
	}
	if len(workloads) == 1 && len(tasks) > 0 {
		common = append(common, tasks[0].Workload)
	}
	if len(precisions) == 1 && len(tasks) > 0 {
		common = append(common, tasks[0].Precision)
	}
	if len(tasks) > 0 {
		common = append(common, slices.DeleteFunc(settings(tasks[0]), func(s string) bool { return !everyones(s) })...)
	}
	if len(t.series) == 1 {
		common = append(common, t.series[0])
	}
	t.common = strings.Join(common, " · ")
}

// each calls f with every cell, by task, then series.
func (t *table) each(f func(place, *results.Result)) {
	for i := range t.tasks {
		for j := range t.series {
			if r := t.cells[place{i, j}]; r != nil {
				f(place{i, j}, r)
			}
		}
	}
}

// remark is what has to stand beside a figure or in its place: a status that is not ok, a verdict that is not a pass.
func remark(r *results.Result) string {
	var parts []string
	if r.Status != results.StatusOK {
		parts = append(parts, string(r.Status))
	}
	if r.Throughput != nil {
		switch r.Conformance.Verdict {
		case results.VerdictFail:
			parts = append(parts, "wrong")
		case results.VerdictPartial:
			parts = append(parts, "partly judged")
		case results.VerdictNone:
			parts = append(parts, "not judged")
		}
	}
	return strings.Join(parts, ", ")
}

// rateRow is one row of the throughput plot.
type rateRow struct {
	place
	rate   measure.Estimate // images/s; zero where there is no figure
	remark string
}

func (t *table) rates() []rateRow {
	var rows []rateRow
	figure := false
	t.each(func(p place, r *results.Result) {
		row := rateRow{place: p, remark: remark(r)}
		if r.Measured() && r.Throughput != nil {
			row.rate, figure = r.Throughput.Estimate, true
		}
		rows = append(rows, row)
	})
	if !figure {
		return nil
	}
	return rows
}

// roundsOf says how many rounds the figures rest on: "10 rounds", "6–10 rounds".
func (t *table) roundsOf() string {
	var ns []int
	t.each(func(_ place, r *results.Result) {
		if r.Measured() && r.Throughput != nil {
			ns = append(ns, len(r.Throughput.Rounds))
		}
	})
	switch {
	case len(ns) == 0:
		return "no rounds"
	case slices.Min(ns) == slices.Max(ns) && ns[0] == 1:
		return "1 round"
	case slices.Min(ns) == slices.Max(ns):
		return fmt.Sprintf("%d rounds", ns[0])
	}
	return fmt.Sprintf("%d–%d rounds", slices.Min(ns), slices.Max(ns))
}

// latencyCurve is the distribution of a cell's steps: a share of shares[i] took at most ms[i].
type latencyCurve struct {
	place
	ms, shares []float64
	marks      []latencyMark
}

// latencyMark is a percentile that the count bears.
type latencyMark struct{ share, ms float64 }

// curvePoints is about how many points of a distribution are drawn.
const curvePoints = 400

func (t *table) latencies() []latencyCurve {
	var curves []latencyCurve
	t.each(func(p place, r *results.Result) {
		l := r.Latency
		if l == nil || !r.Measured() {
			return
		}
		c := latencyCurve{place: p}
		if l.Histogram != nil {
			c.fromHistogram(l.Histogram, l.Min, l.Max)
		} else {
			c.fromSamples(l.Samples)
		}
		if len(c.ms) == 0 || c.ms[len(c.ms)-1] <= 0 {
			return // samples of 0 have no place on a log axis
		}
		c.marks = append(c.marks, latencyMark{0.5, l.P50})
		if l.P90 != nil {
			c.marks = append(c.marks, latencyMark{0.9, *l.P90})
		}
		curves = append(curves, c)
	})
	return curves
}

// fromSamples keeps the smallest, the largest, and about every n-th between.
func (c *latencyCurve) fromSamples(samples []float64) {
	sorted := slices.Sorted(slices.Values(samples))
	n := len(sorted)
	kept := -1.0
	for i, x := range sorted {
		share := float64(i+1) / float64(n)
		if x > 0 && (len(c.ms) == 0 || share-kept >= 1.0/curvePoints || i == n-1) {
			c.ms, c.shares, kept = append(c.ms, x), append(c.shares, share), share
		}
	}
}

// fromHistogram puts each bin's samples at its upper edge, within the extremes.
func (c *latencyCurve) fromHistogram(h *results.Histogram, low, high float64) {
	var sum, total int64
	for _, n := range h.Counts {
		total += n
	}
	kept := -1.0
	for i, n := range h.Counts {
		sum += n
		share := float64(sum) / float64(total)
		x := min(max(h.Edges[i+1], low), high)
		if n > 0 && x > 0 && (share-kept >= 1.0/curvePoints || sum == total) {
			c.ms, c.shares, kept = append(c.ms, x), append(c.shares, share), share
		}
	}
}

// accuracyCurve is one training run.
type accuracyCurve struct {
	place
	epochs, seconds, top1, loss []float64
	first                       bool // of its cell: it carries the markers
}

// accuracies gives the training runs and the targets by task.
func (t *table) accuracies() (curves []accuracyCurve, targets map[int]float64) {
	targets = map[int]float64{}
	t.each(func(p place, r *results.Result) {
		if r.Accuracy == nil {
			return
		}
		first := true
		for _, run := range r.Accuracy.Runs {
			if len(run.Curve) == 0 {
				continue
			}
			c := accuracyCurve{place: p, first: first}
			first = false
			for _, q := range run.Curve {
				c.epochs, c.seconds = append(c.epochs, q.Epoch), append(c.seconds, q.Seconds)
				c.top1, c.loss = append(c.top1, q.Top1), append(c.loss, q.Loss)
			}
			curves = append(curves, c)
		}
		if !first && r.Accuracy.Target > 0 {
			targets[p.task] = r.Accuracy.Target
		}
	})
	return curves, targets
}

// memoryRow is one row of the memory plot, bytes. Parts are in the order of memoryParts.
type memoryRow struct {
	place
	parts  [4]float64
	remark string
}

var memoryParts = [4]string{"anonymous", "shared with the harness", "files and the rest", "device, in use"}

func (t *table) memories() []memoryRow {
	var rows []memoryRow
	t.each(func(p place, r *results.Result) {
		m := r.Memory
		if m == nil {
			return
		}
		row := memoryRow{place: p, remark: remark(r)}
		row.parts = [4]float64{float64(m.Anonymous), float64(m.Shared), float64(m.Peak - m.Anonymous - m.Shared), 0}
		if m.Device != nil {
			row.parts[3] = float64(m.Device.Used)
		}
		rows = append(rows, row)
	})
	return rows
}

// tradeoff is one point of throughput against accuracy.
type tradeoff struct {
	place
	mode      string
	rate      measure.Estimate
	top1      float64
	low, high float64 // over the seeds
	remark    string
}

func (t *table) tradeoffs() []tradeoff {
	var points []tradeoff
	t.each(func(p place, r *results.Result) {
		if r.Accuracy == nil || r.Throughput == nil || !r.Measured() {
			return
		}
		x := tradeoff{place: p, mode: r.Mode, rate: r.Throughput.Estimate, top1: r.Accuracy.Top1, remark: remark(r)}
		x.low, x.high = x.top1, x.top1
		for _, run := range r.Accuracy.Runs {
			x.low, x.high = min(x.low, run.Top1), max(x.high, run.Top1)
		}
		points = append(points, x)
	})
	return points
}

// tested is a cell with its final evaluation.
type tested struct {
	place
	test *results.Classification
}

func (t *table) tests() []tested {
	var list []tested
	t.each(func(p place, r *results.Result) {
		if r.Accuracy != nil && r.Accuracy.Test != nil {
			list = append(list, tested{p, r.Accuracy.Test})
		}
	})
	return list
}

// nameOf is the name of a cell by itself.
func (t *table) nameOf(p place) string {
	if len(t.series) == 1 {
		return t.tasks[p.task]
	}
	return t.tasks[p.task] + " · " + t.series[p.series]
}
