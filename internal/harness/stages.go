package harness

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads"
)

// introduce starts the backends, so that a wrong option or math mode is told
// before anything is measured. One that does not come up is its cells' trouble.
func (h *run) introduce(ctx context.Context) error {
	known, all := []string{graph.Strict}, true
	for _, c := range h.Cells {
		b := h.bench(c)
		err := b.start(ctx)
		var spec *plugin.SpecError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &spec):
			return &UsageError{"backend", spec}
		case err != nil:
			all = false
		}
		known = append(known, b.desc.Math...)
	}
	for _, m := range h.opts.Math {
		if all && !slices.Contains(known, m) {
			slices.Sort(known)
			return badFlag("math", "%q: no backend has it; there are %s", m, strings.Join(slices.Compact(known), ", "))
		}
	}
	return nil
}

// all works through the plan: each workload's training runs, then its groups
// of cells. The error is only ever one that ends the run; cells keep theirs.
func (h *run) all(ctx context.Context) error {
	for _, b := range h.order() {
		err := h.judgeOps(ctx, b, h.cellsOf(b))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			b.close() // each of its cells tries anew and says what is wrong
		}
	}
	trainings := map[string]*trained{}
	for _, group := range h.groups() {
		if ctx.Err() != nil {
			return nil
		}
		var lanes []*lane
		for _, c := range group {
			if h.done[c.String()] {
				continue
			}
			h.bench(c).serve(c.Workload)
			key := c.trainsLike()
			if trainings[key] == nil && h.trains(c) {
				trainings[key] = h.trainOnce(ctx, h.trainingCell(c), h.bench(c))
			}
			l, err := h.newLane(ctx, c, trainings[key])
			if err != nil {
				return err
			}
			lanes = append(lanes, l)
		}
		if ctx.Err() == nil {
			h.runGroup(ctx, lanes)
		}
	}
	return nil
}

// overhead measures what the harness itself costs, with a backend that does
// nothing.
func (h *run) overhead(ctx context.Context) {
	if h.registry["null"] == nil {
		return
	}
	const calls = 100
	d, err := plugin.Overhead(ctx, plugin.Options{Registry: h.registry}, calls)
	if err != nil {
		h.events.Note("the harness's own cost is unknown: " + err.Error())
		return
	}
	h.peaks.Put(machine.Peak{Name: machine.PeakHarness, Value: float64(d) / 1e3, Unit: "µs",
		How: fmt.Sprintf("added to a step by harness and plugin boundary, null backend, %d steps a call, median of %d calls", plugin.OverheadSteps, calls)})
}

// ownCost is what the harness costs a step, as measured in this session; 0 if
// it is unknown.
func (h *run) ownCost() time.Duration {
	p := h.peaks[machine.PeakHarness]
	return time.Duration(p.Value * float64(time.Microsecond))
}

// benchKey tells benches apart: a math mode is a property of the session.
func benchKey(c *Cell) string { return c.Spec.Label + "\x00" + c.Math }

// bench finds or makes the bench of a cell.
func (h *run) bench(c *Cell) *bench {
	key := benchKey(c)
	if h.benches[key] == nil {
		h.benches[key] = &bench{
			spec:   c.Spec,
			config: backends.SessionConfig{Math: c.Math, Threads: h.threads()},
			opts:   plugin.Options{Registry: h.registry, MemoryLimit: h.opts.Memory},
			limit:  h.opts.Timeout,
		}
	}
	return h.benches[key]
}

// order makes every bench of the plan, in the plan's order.
func (h *run) order() (list []*bench) {
	for _, c := range h.Cells {
		if b := h.bench(c); !h.done[c.String()] && !slices.Contains(list, b) {
			list = append(list, b)
		}
	}
	return list
}

func (h *run) cellsOf(b *bench) (list []*Cell) {
	for _, c := range h.Cells {
		if h.bench(c) == b {
			list = append(list, c)
		}
	}
	return list
}

// trains says whether the plan trains the cell's workload on its backend to
// an accuracy: some train cell of both is in it, and the effort claims figures.
func (h *run) trains(c *Cell) bool { return h.Effort.Figures && h.trainingCell(c) != nil }

// trainingCell is the train cell whose recipe the training run follows.
func (h *run) trainingCell(c *Cell) *Cell {
	for _, o := range h.Cells {
		if o.Mode == "train" && o.trainsLike() == c.trainsLike() {
			return o
		}
	}
	return nil
}

// newLane prepares a cell's way to a result.
func (h *run) newLane(ctx context.Context, c *Cell, t *trained) (*lane, error) {
	set, err := h.sets.open(ctx, c.Data, c.Workload)
	if err != nil {
		return nil, err
	}
	b := h.bench(c)
	weights := h.first(c.Workload)
	if t != nil && t.err == nil {
		weights = t.weights
	}
	l := &lane{cell: c, bench: b, set: set, weights: weights, result: &results.Result{
		Cell: c.String(), Status: results.StatusOK, Backend: c.Spec.Label, Workload: c.Workload.Name, Mode: c.Mode,
		Scenario: c.Scenario, Data: set.Name, Precision: c.Precision, Batch: c.Batch, Threads: h.threads(), Math: c.Math,
		Options: c.Spec.Options, Repro: h.repro(c), FLOPsPerImage: float64(c.Workload.FLOPs()),
	}}
	if c.Mode == "train" {
		// Forward, and the gradients to inputs and to weights.
		l.result.FLOPsPerImage *= 3
		l.result.Recipe = c.Recipe.Fields()
	}
	b.identify(l.result)
	l.build = func(ctx context.Context) (*rig, error) { return h.rigFor(ctx, c, b, set, weights) }
	l.judge = newJudge(h, l)
	h.noteWeights(l.result)
	l.trained = h.given()
	if c.Quant != nil {
		l.result.Quantization = &results.Quantization{Recipe: c.Quant.String()}
	}
	if t != nil {
		h.credit(ctx, l, t)
	}
	return l, nil
}

// credit gives a lane what the training run says of it.
func (h *run) credit(ctx context.Context, l *lane, t *trained) {
	switch {
	case ctx.Err() != nil:
	case t.err != nil && l.cell.Mode == "train":
		h.fail(l, t.err)
	case t.err != nil:
		l.result.Flags = append(l.result.Flags, results.FlagUntrained)
		h.events.Note(fmt.Sprintf("%s runs with untrained weights: training failed", l.cell))
	case l.cell == h.trainingCell(l.cell):
		l.result.Accuracy = t.accuracy
		if t.accuracy.Top1 < t.accuracy.Floor {
			l.result.Status = results.StatusInvalid
			l.result.Cause = &results.Cause{Kind: results.CauseAccuracy,
				Message: fmt.Sprintf("top-1 is %.4f, the recipe's floor %.4f", t.accuracy.Top1, t.accuracy.Floor)}
		}
	}
	l.trained = t.err == nil
}

// evaluate gives an inference cell the accuracy of its own program: frozen
// weights, its batch.
func (h *run) evaluate(ctx context.Context, l *lane) error {
	if l.cell.Mode != "infer" || !l.trained {
		return nil
	}
	found, err := h.calibration(ctx, l.cell, l.bench, l.set, l.weights)
	if err != nil {
		return err
	}
	p, err := h.program(l.cell, l.set, l.weights, found)
	if err != nil {
		return err
	}
	e, err := workloads.NewEvaluator(ctx, l.bench.session, p, workloads.DefaultPerCall)
	if err != nil {
		return err
	}
	defer e.Close()
	e.See(workloads.ViewOf(l.cell.Workload, l.set, l.cell.Recipe))
	got, err := e.Run(ctx, l.set.Test)
	if err != nil {
		return err
	}
	l.result.Accuracy = &results.Accuracy{Top1: got.Top1}
	return h.sensitivity(ctx, l, found)
}

// repro is the line that measures the cell alone, under the same seed, from
// any folder of this machine.
func (h *run) repro(c *Cell) string {
	s := fmt.Sprintf("clsbench run --backend %s --workload %s --effort %s --seed %d --filter %s",
		ShellQuote(c.Spec.String()), ShellQuote(c.Workload.String()), h.Effort.Name, h.opts.Seed, ShellQuote("^"+regexp.QuoteMeta(c.String())+"$"))
	return h.there(c) + s + h.opts.reproFlags(c)
}
