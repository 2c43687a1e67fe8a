package opbench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/internal/measure"
)

// cell is one case on one backend while it is timed.
type cell struct {
	run      *runner
	lane     *lane
	prepared *conformance.Prepared
	row      *Result
	single   bool // the type is computed in f32, whose peak is measured
	reduced  bool // by an algorithm of fewer operations than the direct one

	bench *conformance.Bench
	steps int // of a hot call
}

// errWrong is an answer that was timed and is outside its bounds.
type errWrong struct{ what string }

func (e errWrong) Error() string { return e.what }

// ready compiles the case, on a process of its own for every round if the
// effort says so.
func (c *cell) ready(ctx context.Context, round int) error {
	if c.bench != nil && !(c.run.Effort.FreshProcess && round > 0) {
		return nil
	}
	if c.bench != nil {
		c.drop()
		if err := c.lane.renew(ctx); err != nil {
			return err
		}
	}
	b, err := c.prepared.Bench(ctx, c.lane.session)
	if err != nil {
		return err
	}
	c.bench = b
	c.row.FLOPs, c.row.Bytes, c.row.Kernels = b.FLOPs, b.Bytes, b.Kernels
	c.reduced = b.Reduced
	c.steps, err = c.calibrate(ctx)
	return err
}

func (c *cell) drop() {
	if c.bench != nil {
		_ = c.bench.Close() // the process may be gone, and with it its side
		c.bench = nil
	}
}

// calibrate doubles the steps of a call until it takes half a round, which
// warms up too, and gives the steps that fill one.
func (c *cell) calibrate(ctx context.Context) (int, error) {
	for steps := 1; ; steps *= 2 {
		ns, err := c.call(ctx, steps)
		if err != nil {
			return 0, err
		}
		if ns >= float64(c.run.Effort.Round)/2 || 2*steps > measure.MaxSteps {
			return c.run.Effort.Steps(time.Duration(max(1, ns/float64(steps)))), nil
		}
	}
}

// call is how long a call took by the backend's samples, from the first start
// to the last end, ns. They must fit into the harness's clock.
func (c *cell) call(ctx context.Context, steps int) (float64, error) {
	m := measure.Call{Asked: steps, Begin: backends.Now()}
	s, err := c.bench.Run(ctx, steps)
	if err != nil {
		return 0, err
	}
	m.End = backends.Now()
	for _, x := range s.Steps {
		m.Steps = append(m.Steps, measure.Step{Start: x.Start, End: x.End, Queue: x.Split.Queue})
	}
	if err := m.Check(); err != nil {
		return 0, err
	}
	ns := float64(m.Steps[steps-1].End - m.Steps[0].Start)
	if ns <= 0 {
		return 0, &measure.Violation{Rule: "clock", Detail: fmt.Sprintf("%d steps took no time at all", steps)}
	}
	return ns, nil
}

// hot is a round of steps one after the other on data in the caches, ns a
// step.
func (c *cell) hot(ctx context.Context, round int) (float64, error) {
	ns, err := c.call(ctx, c.steps)
	if err != nil {
		return 0, err
	}
	return ns / float64(c.steps), c.judge(round)
}

// Cold runs of a round: at least, where figures are claimed, and at most.
const (
	minCold = 3
	maxCold = 20
)

// cold is a round of single steps, each after the caches were emptied: the
// median, ns. The threads of a backend, which park when idle, are woken in it.
func (c *cell) cold(ctx context.Context, round int) (float64, error) {
	var all []float64
	for start := time.Now(); len(all) < maxCold; {
		c.run.evict.evict()
		ns, err := c.call(ctx, 1)
		if err != nil {
			return 0, err
		}
		all = append(all, ns)
		if time.Since(start) >= c.run.Effort.Round && (len(all) >= minCold || !c.run.Effort.Figures) {
			break
		}
	}
	slices.Sort(all)
	return measure.Quantile(all, 0.5), c.judge(round)
}

// judge holds the last timed answer against its bounds: in the last round, or
// in each one that had a process of its own.
func (c *cell) judge(round int) error {
	if round < c.run.Effort.Rounds-1 && !c.run.Effort.FreshProcess {
		return nil
	}
	if why := c.bench.Judge(c.lane.what.Features); why != "" {
		return errWrong{"timed, it answered wrong: " + why}
	}
	return nil
}

// fail enters what ended the cell's rounds early, if anything did.
func (c *cell) fail(err error) {
	var v *measure.Violation
	var wrong errWrong
	switch {
	case err == nil:
		return
	case errors.As(err, &wrong):
		c.row.Status = Status(conformance.StatusFail)
	case errors.As(err, &v):
		c.row.Status = StatusInvalid
	case errors.Is(err, context.DeadlineExceeded), backends.CodeOf(err) == backends.DeadlineExceeded:
		c.row.Status = Status(conformance.StatusTimeout)
	default:
		c.row.Status = Status(conformance.StatusCrashed)
	}
	c.row.Why = err.Error()
	if !c.row.Status.Negative() {
		c.drop()
		_ = c.lane.close() // the next case starts it anew
	}
}

// finish ends the cell. A row that is not ok keeps no figures, and none has any
// where the effort claims none.
func (c *cell) finish(ctx context.Context) {
	c.drop()
	r := c.row
	if r.Status.Measured() && r.Hot != nil && c.limited() {
		if err := c.run.withinPeak(ctx, r.Hot.GFLOPS); err != nil {
			c.fail(err)
		}
	}
	if !r.Status.Measured() || !c.run.Effort.Figures {
		r.Hot, r.Cold = nil, nil
	}
}

// limited says whether the machine's multiply-adds bound the cell's rate.
func (c *cell) limited() bool { return c.single && c.lane.onCPU() && !c.reduced }
