package results

import (
	"fmt"
	"math"
	"slices"

	"github.com/clsbench/clsbench/internal/measure"
)

// checker collects what a JSON Schema can't say.
type checker struct{ problems []Problem }

func (c *checker) fail(field, mend, format string, args ...any) {
	c.problems = append(c.problems, Problem{Field: field, Text: fmt.Sprintf(format, args...), Mend: mend})
}

// check goes through a document that the schema accepts.
func (d *Document) check() []Problem {
	var c checker
	if d.Run.Ended.Before(d.Run.Started) {
		c.fail("/run/ended", "", "before the run started")
	}
	cells := map[string]int{}
	for i := range d.Results {
		r, at := &d.Results[i], fmt.Sprintf("/results/%d", i)
		if first, twice := cells[r.Cell]; twice {
			c.fail(at+"/cell", "a document has one row a cell", "%q stands in /results/%d already", r.Cell, first)
		} else {
			cells[r.Cell] = i
		}
		c.result(at, r)
		if r.Measured() && r.Throughput == nil && d.Run.Effort.Name != EffortSmoke {
			c.fail(at+"/throughput", "only the effort smoke claims no figure", "is missing, though the status is %s", r.Status)
		}
		if r.Session > len(d.Run.Resumed) {
			c.fail(at+"/session", "", "%d, but /run/resumed has %d", r.Session, len(d.Run.Resumed))
			continue
		}
		peaks := d.Peaks
		if r.Session > 0 {
			peaks = d.Run.Resumed[r.Session-1].Peaks
		}
		if _, ok := peaks[r.Peak]; r.Peak != "" && !ok {
			c.fail(at+"/peak", "name a peak of the cell's session", "%q is not among its peaks", r.Peak)
		}
	}
	for i := range d.Comparisons {
		c.comparison(fmt.Sprintf("/comparisons/%d", i), &d.Comparisons[i], cells)
	}
	return c.problems
}

// Measured says whether figures of the cell can be read.
func (r *Result) Measured() bool { return r.Status.Measured() }

// Validate checks one row as reading it back would. The error is an *InvalidError.
func (r *Result) Validate() error {
	raw, err := encodeLine(r)
	if err != nil {
		return err // a number that JSON has not
	}
	_, err = decodeResult(raw)
	return err
}

// Bare is a row of the same cell that claims nothing: what is left of one that no document can hold.
func (r *Result) Bare(s Status, c *Cause) *Result {
	return &Result{Cell: r.Cell, Status: s, Cause: c, Backend: r.Backend, Workload: r.Workload, Mode: r.Mode, Scenario: r.Scenario,
		Data: r.Data, Precision: r.Precision, Batch: r.Batch, Threads: r.Threads, Math: r.Math, Repro: r.Repro, Session: r.Session,
		Conformance: Conformance{Verdict: VerdictNone}}
}

// check goes through one result that the schema accepts.
func (r *Result) check() []Problem {
	var c checker
	c.result("", r)
	return c.problems
}

func (c *checker) result(at string, r *Result) {
	c.name(at, r)
	if (r.Status == StatusOK) != (r.Cause == nil) {
		c.fail(at+"/cause", "every status but ok has a cause", "status is %s", r.Status)
	}
	if t := r.Throughput; t != nil {
		c.estimate(at+"/throughput", t.Estimate)
		for i, x := range t.Rounds {
			if !(x > 0) {
				c.fail(fmt.Sprintf("%s/throughput/rounds/%d", at, i), "", "%g is not above 0", x)
			}
		}
		if m := measure.MedianOf(t.Rounds).Median; math.Abs(t.Median-m) > 1e-9*m {
			c.fail(at+"/throughput/median", "it is that of the rounds", "%g, but the rounds' is %g", t.Median, m)
		}
		if lo, hi := slices.Min(t.Rounds), slices.Max(t.Rounds); !(lo <= t.Low && t.High <= hi) {
			c.fail(at+"/throughput/low", "low and high are rounds", "the interval %g–%g leaves the rounds' range %g–%g", t.Low, t.High, lo, hi)
		}
	}
	if (r.PeakShare == nil) != (r.Peak == "") {
		c.fail(at+"/peak_share", "a share needs the key of its peak, and the other way round", "peak_share and peak come together")
	}
	if r.Measured() && r.PeakShare != nil && *r.PeakShare > measure.PeakTolerance*(1+1e-9) {
		c.fail(at+"/peak_share", "such a row has status invalid", "%.4g of the machine's limit, though the status is %s", *r.PeakShare, r.Status)
	}
	if r.Measured() && r.Conformance.Verdict == VerdictNone {
		c.fail(at+"/conformance/verdict", "no figure stands without one", "none, though the status is %s", r.Status)
	}
	if r.Conformance.Verdict == VerdictPass && r.PluginHash == "" {
		c.fail(at+"/plugin_hash", "a verdict is on the very code that it judged", "is missing beside a pass")
	}
	if r.Latency != nil {
		c.latency(at+"/latency_ms", r.Latency)
	}
	if r.Accuracy != nil {
		c.accuracy(at+"/accuracy", r.Accuracy)
	}
	if m := r.Memory; m != nil && m.Anonymous+m.Shared > m.Peak {
		c.fail(at+"/memory/peak_bytes", "", "%d is less than anonymous and shared memory together", m.Peak)
	}
	c.conformance(at+"/conformance", r.Conformance)
}

// name holds the cell's name against the fields that it repeats.
func (c *checker) name(at string, r *Result) {
	n, err := ParseCell(r.Cell)
	if err != nil {
		c.fail(at+"/cell", "", "%v", err)
		return
	}
	if s := n.String(); s != r.Cell {
		c.fail(at+"/cell", fmt.Sprintf("write %q", s), "settings out of order")
	}
	for _, f := range []struct {
		key       string
		name, has any
	}{
		{"workload", n.Workload, r.Workload}, {"mode", n.Mode, r.Mode}, {"precision", n.Precision, r.Precision},
		{"batch", n.Batch, r.Batch}, {"backend", n.Backend, r.Backend},
	} {
		if f.name != f.has {
			c.fail(at+"/"+f.key, "name and fields say the same", "%v, but the cell's name says %v", f.has, f.name)
		}
	}
}

func (c *checker) estimate(at string, e measure.Estimate) {
	if !(e.Low <= e.Median && e.Median <= e.High) {
		c.fail(at+"/median", "low ≤ median ≤ high", "%g lies outside %g–%g", e.Median, e.Low, e.High)
	}
	if !(e.Low > 0) {
		c.fail(at+"/low", "", "%g is not above 0", e.Low)
	}
}

func (c *checker) latency(at string, l *Latency) {
	order := []float64{l.Min, l.P50}
	for _, p := range l.percentiles() {
		if *p.value == nil {
			continue
		}
		order = append(order, **p.value)
		if need := measure.MinSamples(p.p); l.Count < need {
			c.fail(at+"/"+p.name, fmt.Sprintf("leave it out below %d", need), "%d samples don't bear it", l.Count)
		}
	}
	if !slices.IsSorted(append(order, l.Max)) {
		c.fail(at, "", "min, percentiles and max don't ascend")
	}
	if n := len(l.Samples); n > 0 && n != l.Count {
		c.fail(at+"/samples", "all samples or a histogram", "%d of them, but count is %d", n, l.Count)
	}
	if h := l.Histogram; h != nil {
		var sum int64
		for _, n := range h.Counts {
			sum += n
		}
		if len(h.Edges) != len(h.Counts)+1 || !slices.IsSorted(h.Edges) || sum != int64(l.Count) || slices.Min(h.Counts) < 0 {
			c.fail(at+"/histogram", "n counts, n + 1 ascending edges, and the counts' sum is count", "does not add up")
		}
	}
}

func (c *checker) accuracy(at string, a *Accuracy) {
	if a.Test != nil {
		c.classification(at+"/test", a.Test)
	}
	seeds := map[uint64]bool{}
	for i, r := range a.Runs {
		at := fmt.Sprintf("%s/runs/%d", at, i)
		if seeds[r.Seed] {
			c.fail(at+"/seed", "each training run has its own seed", "%d stands twice", r.Seed)
		}
		seeds[r.Seed] = true
		for j := 1; j < len(r.Curve); j++ {
			if p, q := r.Curve[j-1], r.Curve[j]; q.Seconds < p.Seconds || q.Epoch <= p.Epoch {
				c.fail(fmt.Sprintf("%s/curve/%d", at, j), "", "time or epochs run backwards")
			}
		}
	}
}

func (c *checker) conformance(at string, v Conformance) {
	switch {
	case v.Passed > v.Total:
		c.fail(at+"/cases_passed", "", "%d of %d", v.Passed, v.Total)
	case v.Verdict == VerdictPass && (v.Total == 0 || v.Passed < v.Total || len(v.Failures) > 0):
		c.fail(at+"/verdict", "a pass has cases, and all of them passed", "pass with %d of %d cases", v.Passed, v.Total)
	case v.Verdict == VerdictFail && v.Passed == v.Total:
		c.fail(at+"/verdict", "", "fail, but all of %d cases passed", v.Total)
	}
}

func (c *checker) comparison(at string, x *Comparison, cells map[string]int) {
	for _, side := range []struct{ key, cell string }{{"a", x.A}, {"b", x.B}} {
		if _, ok := cells[side.cell]; !ok {
			c.fail(at+"/"+side.key, "", "no cell %q in this document", side.cell)
		}
	}
	c.estimate(at+"/ratio", x.Ratio)
	if x.PHolm < x.P {
		c.fail(at+"/p_holm", "", "adjusting can't make p smaller")
	}
}
