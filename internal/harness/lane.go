package harness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads"
	"github.com/clsbench/clsbench/workloads/data"
)

// lane is one cell on its way from a compiled program to a result.
type lane struct {
	cell   *Cell
	bench  *bench
	build  func(ctx context.Context) (*rig, error) // compiles the cell's program in the bench's present session
	rig    *rig
	result *results.Result

	set     *data.Set
	weights workloads.Weights
	trained bool   // weights are a training run's
	judge   *judge // what has been proved of the executable

	warm   *measure.Warmup
	rounds []*figure
	repeat struct{ fresh, again []float64 } // seconds a step, in pairs
	picks  []conformance.Fetched            // timed steps kept for checking, one a round
	calls  int                              // of the present stretch
}

// figure is what one round of one cell gives.
type figure struct {
	rate       float64 // images a second
	throughput *part   // nil in the single-stream scenario
	latency    *part
}

// prepare compiles, judges and warms the lane up.
func (l *lane) prepare(ctx context.Context, h *run) error {
	begin := time.Now()
	r, err := l.build(ctx)
	if err != nil {
		return err
	}
	l.rig = r
	l.result.PlanDigest = r.Plan().Digest
	if l.cell.Mode == "infer" {
		l.result.Model = &results.Model{Bytes: workloads.TensorBytes(r.canonical), Checkpoint: l.weights.Bytes()}
	}
	setup := results.Setup{Open: l.bench.openMillis, Compile: millis(time.Since(begin))}
	r.refill(1)
	first := time.Now()
	if _, err := r.run(ctx, 1, true); err != nil {
		return err
	}
	setup.FirstRun = millis(time.Since(first))
	l.result.Setup = &setup
	if err := unlessDone(ctx, func() error { return l.judge.executable(ctx, h, l) }); err != nil {
		return err
	}
	l.warm, err = r.warm(ctx, h.Effort, h.Effort.Round)
	return err
}

// unlessDone runs act, but does not wait for its end once ctx is done: the
// reference computes for seconds where no cancellation reaches it. The run ends
// then, and what act holds is not used any more.
func unlessDone(ctx context.Context, act func() error) error {
	done := make(chan error, 1)
	go func() { done <- act() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drop closes the executable and frees its buffers on both sides.
func (l *lane) drop() {
	if l.rig != nil {
		_ = l.rig.Close() // the process may be gone, and with it its side
		l.rig = nil
	}
}

// measure is one round: throughput with many steps in flight, then latency
// with every step waited for, then the same inputs once more.
func (l *lane) measure(ctx context.Context, e measure.Effort, round int) (*figure, error) {
	if e.FreshProcess && round > 0 {
		if err := l.renew(ctx, e); err != nil {
			return nil, err
		}
	}
	f := &figure{}
	keep, err := l.keeper(ctx, round)
	if err != nil {
		return nil, err
	}
	if l.cell.Scenario != "singlestream" {
		if f.throughput, err = l.rig.stretch(ctx, e.Round, 1, false, keep); err != nil {
			return nil, err
		}
		f.rate = f.throughput.rate(l.rig.batch)
		if err := l.repeated(ctx); err != nil {
			return nil, err
		}
	}
	if f.throughput != nil {
		keep = tap{}
	}
	samples := (e.Samples() + e.Rounds - 1) / e.Rounds
	if f.latency, err = l.rig.stretch(ctx, e.Round, samples, true, keep); err != nil {
		return nil, err
	}
	if f.throughput == nil {
		f.rate = f.latency.rate(l.rig.batch)
	}
	l.rounds = append(l.rounds, f)
	return f, nil
}

// renew starts the backend's process anew for the next round.
func (l *lane) renew(ctx context.Context, e measure.Effort) error {
	l.drop()
	if err := l.bench.reopen(ctx); err != nil {
		return err
	}
	r, err := l.build(ctx)
	if err != nil {
		return err
	}
	l.rig = r
	if d := r.Plan().Digest; d != l.result.PlanDigest {
		return &measure.Violation{Rule: "plan", Detail: fmt.Sprintf("a new process planned %s, the judged plan is %s", d, l.result.PlanDigest)}
	}
	_, err = r.warm(ctx, e, e.Round)
	return err
}

// repeated times the same number of steps on fresh inputs and on inputs seen
// already, for measure.CheckRepeat. A training step is never the same twice.
func (l *lane) repeated(ctx context.Context) error {
	if l.cell.Mode != "infer" {
		return nil
	}
	n := min(l.rig.k, l.rig.feedSlots())
	l.rig.refill(n)
	first := l.rig.next
	fresh, err := l.rig.run(ctx, n, false)
	if err != nil {
		return err
	}
	l.rig.next = first // the same slots
	again, err := l.rig.run(ctx, n, false)
	if err != nil {
		return err
	}
	l.repeat.fresh = append(l.repeat.fresh, perStep(fresh))
	l.repeat.again = append(l.repeat.again, perStep(again))
	return nil
}

func perStep(c measure.Call) float64 { return float64(c.End-c.Begin) / 1e9 / float64(c.Asked) }

// runGroup measures lanes of one task in interleaved rounds and finishes their
// results. What fails in one lane stays in it.
func (h *run) runGroup(ctx context.Context, lanes []*lane) {
	var ready []*lane
	for i, l := range lanes {
		h.events.Stage(l.cell.label(), i, len(lanes)*(h.Effort.Rounds+1), "warming up "+l.cell.Subject())
		if l.failed() {
			continue // its training run did
		}
		if err := h.guard(ctx, l, func() error { return l.prepare(ctx, h) }); err == nil {
			ready = append(ready, l)
		}
	}
	if len(ready) > 0 && ctx.Err() == nil {
		h.rounds(ctx, ready)
	}
	if ctx.Err() != nil {
		return // cells cut short are not results; the journal has the others
	}
	for _, l := range lanes {
		h.finish(ctx, l)
	}
}

func (h *run) rounds(ctx context.Context, lanes []*lane) {
	cells := make([]measure.Cell[*figure], len(lanes))
	for i, l := range lanes {
		cells[i] = measure.Cell[*figure]{Name: l.cell.String(), Measure: func(ctx context.Context, round int) (*figure, error) {
			return l.measure(ctx, h.Effort, round)
		}}
	}
	done, total := 0, len(lanes)*h.Effort.Rounds
	series, _ := measure.Rounds(ctx, cells, measure.Plan{
		Rounds: h.Effort.Rounds, Order: measure.Shuffle(h.opts.Seed),
		Done: func(int, string, error) {
			done++
			h.events.Stage(lanes[0].cell.label(), done, total, "rounds")
		},
	})
	for i, s := range series {
		if s.Err != nil {
			h.fail(lanes[i], s.Err)
		}
	}
}

func (l *lane) failed() bool { return l.result.Status != results.StatusOK }

// guard runs one act of a lane and turns its error into the lane's status.
func (h *run) guard(ctx context.Context, l *lane, act func() error) error {
	err := act()
	if err != nil && ctx.Err() == nil {
		h.fail(l, err)
	}
	return err
}

// fail records why a lane ended and brings its backend back for the next.
func (h *run) fail(l *lane, err error) {
	var v *measure.Violation
	if errors.As(err, &v) {
		l.result.Status = results.StatusInvalid
		l.result.Cause = &results.Cause{Kind: violationKind(v), Message: v.Error()}
		return
	}
	var diverged *workloads.DivergedError
	if errors.As(err, &diverged) {
		l.result.Status = results.StatusInvalid
		l.result.Cause = &results.Cause{Kind: results.CauseAccuracy, Message: err.Error()}
		return
	}
	l.result.Status, l.result.Cause = statusOf(err)
	if l.result.Cause.LogTail == nil {
		l.result.Cause.LogTail = l.bench.logTail()
	}
	l.bench.broken = true
}

// violationKind names what a dishonest cell did, in the schema's words.
func violationKind(v *measure.Violation) results.CauseKind {
	switch v.Rule {
	case "peak":
		return results.CauseOverLimit
	case "repeat":
		return results.CauseReplayed
	case "clock":
		return results.CauseForgedTime
	case "answer":
		return results.CauseWrong
	}
	return results.CauseProtocol
}

func millis(d time.Duration) float64 { return float64(d) / 1e6 }
