package opbench

import (
	"context"
	"errors"
	"time"

	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/measure"
)

// Options say what to time and how long.
type Options struct {
	Cases   []*conformance.Case
	Lanes   []Lane
	Effort  measure.Effort
	Seed    uint64        // of all data; 0: drawn anew
	Threads int           // of a backend, for the peaks; 0: as many CPUs as there are
	Timeout time.Duration // of one check, or one round of one case; 0: a minute

	// Measured, if not nil, is told the peaks before the first case.
	Measured func(machine.Peaks)
	// Progress, if not nil, is called after every case with its rows.
	Progress func(done, total int, rows []*Result)
}

// share of an effort's round that a case gets: a run has hundreds of cases
// where a benchmark of networks has a handful of cells.
const share = 10

type runner struct {
	Options
	lanes  []*lane
	doc    *Document
	evict  *evictor
	oracle *conformance.Oracle
	timed  []*cell
	pairs  []measure.Pair
	named  []string // the pairs' cases
}

// Run checks and times every case on every backend. An error is one of the
// run itself; what is wrong with a backend stands in the document. If ctx ends,
// the document has what was done until then.
func Run(ctx context.Context, o Options) (*Document, error) {
	if o.Seed == 0 {
		o.Seed = conformance.NewSeed()
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	rows := len(o.Cases) * (len(o.Lanes) - 1)
	if o.Effort.FreshProcess && rows > 0 {
		o.Effort.Rounds = max(o.Effort.Rounds, measure.MinRounds(rows)) // or no row could have a word
	}
	o.Effort.Round /= share
	start := time.Now()
	r := &runner{Options: o, oracle: &conformance.Oracle{Math: o.Lanes[0].Config.Math}}
	info := machine.Capture(ctx)
	r.evict = newEvictor(info.CPU)
	r.doc = &Document{
		Schema: Schema, SuiteVersion: conformance.Version, Started: start.UTC(), Seed: o.Seed, Effort: o.Effort.Name, Rounds: o.Effort.Rounds,
		RoundMillis: float64(o.Effort.Round) / 1e6, EvictBytes: r.evict.bytes(), Machine: info, Results: []*Result{},
	}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	defer r.close()
	r.doc.Interrupted = r.peaks(ctx, info) != nil || r.all(ctx) != nil
	r.shares()
	r.doc.Seconds = time.Since(start).Seconds()
	return r.doc, r.compare()
}

// all works through the cases. Its error is the context's.
func (r *runner) all(ctx context.Context) error {
	for i, c := range r.Cases {
		rows := r.one(ctx, c)
		if err := ctx.Err(); err != nil {
			return err // stopped in the middle: it says nothing
		}
		r.doc.Results = append(r.doc.Results, rows...)
		if r.Progress != nil {
			r.Progress(i+1, len(r.Cases), rows)
		}
	}
	return nil
}

// open starts all backends. One that does not start costs its own rows.
// A math mode that it lacks is the caller's fault: a *ModeError.
func (r *runner) open(ctx context.Context) error {
	for _, l := range r.Lanes {
		x := &lane{Lane: l}
		var mode *ModeError
		if err := x.renew(ctx); errors.As(err, &mode) { // another is kept, for its rows
			r.close()
			return err
		}
		r.lanes = append(r.lanes, x)
		r.doc.Backends = append(r.doc.Backends, conformance.NewBackendInfo(l.Label, x.what, l.Config))
	}
	return nil
}

func (r *runner) close() {
	for _, l := range r.lanes {
		_ = l.close() // all is measured
	}
}

// one checks a case on every backend and times it where it passed.
func (r *runner) one(ctx context.Context, c *conformance.Case) []*Result {
	prepared := c.Prepare(r.Seed, r.oracle)
	var rows []*Result
	var cells []*cell
	for _, l := range r.lanes {
		row := &Result{Case: c.Name(), Backend: l.Label}
		rows = append(rows, row)
		if r.check(ctx, l, prepared, row) {
			cells = append(cells, &cell{run: r, lane: l, prepared: prepared, row: row, single: c.DType.IsFloat() && c.DType.Size() <= 4})
		}
	}
	r.time(ctx, cells)
	r.timed = append(r.timed, cells...)
	return rows
}

// check runs a case's check and says whether it may be timed.
func (r *runner) check(ctx context.Context, l *lane, p *conformance.Prepared, row *Result) bool {
	limited, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	if l.session == nil {
		if err := l.renew(limited); err != nil {
			row.Status, row.Why = Status(conformance.StatusCrashed), err.Error()
			return false
		}
	}
	res := p.Check(limited, l.session, r.oracle, l.what.Features)
	row.Worst, row.Decomposed, row.Why = res.Worst, res.Decomposed, res.Why
	if res.Status == conformance.StatusPass {
		row.Status = StatusOK
		return true
	}
	row.Status = Status(res.Status)
	if res.Status == conformance.StatusCrashed || res.Status == conformance.StatusTimeout {
		_ = l.close() // the next case starts it anew
	}
	return false
}

// time measures the hot rounds of all cells, then the cold ones.
func (r *runner) time(ctx context.Context, cells []*cell) {
	hot := r.pass(ctx, cells, (*cell).hot)
	var warm []*cell
	for i, c := range cells {
		if c.fail(hot[i].Err); c.row.Status.Measured() && len(hot[i].Figures) > 0 {
			c.row.Hot = newTime(hot[i].Figures, c.steps, c.row)
			warm = append(warm, c)
		}
	}
	var onCPU []*cell
	for _, c := range warm {
		if c.lane.onCPU() {
			onCPU = append(onCPU, c)
		}
	}
	cold := r.pass(ctx, onCPU, (*cell).cold)
	for i, c := range onCPU {
		if c.fail(cold[i].Err); c.row.Status.Measured() && len(cold[i].Figures) > 0 {
			c.row.Cold = newTime(cold[i].Figures, 1, c.row)
		}
	}
	for _, c := range cells {
		c.finish(ctx)
	}
	if ctx.Err() == nil {
		r.pair(cells, hot)
	}
}

// pass measures one kind of figure of the cells in interleaved rounds.
func (r *runner) pass(ctx context.Context, cells []*cell, figure func(*cell, context.Context, int) (float64, error)) []measure.Series[float64] {
	list := make([]measure.Cell[float64], len(cells))
	for i, c := range cells {
		list[i] = measure.Cell[float64]{Name: c.lane.Label, Measure: func(ctx context.Context, round int) (float64, error) {
			limited, cancel := context.WithTimeout(ctx, r.Timeout)
			defer cancel()
			if err := c.ready(limited, round); err != nil {
				return 0, err
			}
			return figure(c, limited, round)
		}}
	}
	series, _ := measure.Rounds(ctx, list, measure.Plan{Rounds: r.Effort.Rounds, Order: measure.Shuffle(r.Seed)})
	return series
}

// pair enters the backends after the first as pairs with it.
func (r *runner) pair(cells []*cell, hot []measure.Series[float64]) {
	same := func(x float64) float64 { return x }
	for i, c := range cells {
		if i == 0 || cells[0].lane != r.lanes[0] || cells[0].row.Hot == nil || c.row.Hot == nil {
			continue
		}
		a, b := measure.Paired(hot[i], hot[0], same)
		r.pairs = append(r.pairs, measure.Pair{A: c.lane.Label, B: cells[0].lane.Label, FiguresA: a, FiguresB: b, Times: true})
		r.named = append(r.named, c.row.Case)
	}
}

// compare judges all pairs together.
func (r *runner) compare() error {
	if !r.Effort.Figures {
		return nil
	}
	list, err := measure.Compare(r.pairs, 0)
	if err != nil {
		return err
	}
	for i, c := range list {
		r.doc.Comparisons = append(r.doc.Comparisons, Comparison{Case: r.named[i], A: c.A, B: c.B, Rounds: c.Rounds,
			Ratio: c.Ratio, PHolm: c.PHolm, Word: c.Word, Visible: c.Visible, Need: c.Need})
	}
	return nil
}
