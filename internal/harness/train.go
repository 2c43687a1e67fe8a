package harness

import (
	"context"
	"fmt"
	"hash/fnv"
	"path/filepath"

	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads"
	"github.com/clsbench/clsbench/workloads/data"
)

// trained is what a backend's training run left behind.
type trained struct {
	weights  workloads.Weights
	accuracy *results.Accuracy
	err      error
}

// trainOnce trains the cell's workload on its backend to the recipe's end, or
// to the target if one was asked for. Time to accuracy has its evaluations on
// the clock.
func (h *run) trainOnce(ctx context.Context, c *Cell, b *bench) *trained {
	t, err := h.train(ctx, c, b)
	if err != nil {
		b.broken = true
		return &trained{err: err}
	}
	return t
}

// worthTelling is the share of its training that a backend waits for images,
// above which the reader is told.
const worthTelling = 0.05

func (h *run) train(ctx context.Context, c *Cell, b *bench) (*trained, error) {
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	set, err := h.sets.open(ctx, c.Data, c.Workload)
	if err != nil {
		return nil, err
	}
	cfg := workloads.TrainConfig{
		Workload: c.Workload, Recipe: c.Recipe, Data: set,
		Weights: h.first(c.Workload), Seed: h.opts.Seed, StopAtTarget: h.opts.Target > 0,
		Checkpoint: h.checkpoint(c), Resume: h.session > 0,
	}
	rate := newMeter()
	var last workloads.Point
	warned := false
	outcome, err := workloads.Train(ctx, b.session, cfg, workloads.Hooks{
		Step: func(step, of int64, _ float64) {
			if images, due := rate.step(c.Recipe.Batch); due {
				h.events.Stage("train", int(step), int(of), fmt.Sprintf("%s · epoch %d · %.1f %% · ~%s img/s",
					c.Subject(), last.Epoch+1, 100*last.Top1, results.FormatRate(images)))
			}
		},
		Epoch: func(p workloads.Point) { last = p },
		Unsaved: func(err error) { // which a resumption alone would miss
			if !warned {
				h.events.Note(fmt.Sprintf("%s trains on, but if interrupted it would begin again from an earlier epoch: %v", c, err))
			}
			warned = true
		},
	})
	if err != nil {
		return nil, err
	}
	h.events.Stage("train", int(outcome.Steps), int(outcome.Steps), fmt.Sprintf("%s · %.1f %% in %.1f s", c.Subject(), 100*outcome.Final.Top1, outcome.Seconds))
	if share := outcome.InputWaitShare; share > worthTelling {
		h.events.Note(fmt.Sprintf("%s waited for its images for %.1f s, %.0f %% of its training", c, outcome.InputWait, 100*share))
	}
	weights, err := c.Workload.Trained(ctx, b.session, c.Recipe)
	if err != nil {
		return nil, err
	}
	if err := h.saveWeights(c, weights); err != nil {
		return nil, err
	}
	return &trained{weights: weights, accuracy: h.accuracyOf(c, outcome, set)}, nil
}

// checkpoint is the file that a training run saves its epochs to, next to the
// journal and named by the run and by what trains on what.
func (h *run) checkpoint(c *Cell) string {
	return h.fileOf(c, "checkpoint")
}

// fileOf is a safetensors file of what trains as the cell does.
func (h *run) fileOf(c *Cell, kind string) string {
	key := fnv.New32a()
	fmt.Fprint(key, c.trainsLike())
	return filepath.Join(h.opts.Store.Dir, fmt.Sprintf("%s-%08x.%s.safetensors", h.doc.Run.ID, key.Sum32(), kind))
}

func (h *run) accuracyOf(c *Cell, o *workloads.Outcome, set *data.Set) *results.Accuracy {
	run := results.Training{Seed: h.opts.Seed, Top1: o.Final.Top1, Seconds: o.Seconds, Reached: o.Reached,
		InputWait: o.InputWait, InputWaitShare: o.InputWaitShare}
	for _, p := range o.Curve {
		run.Curve = append(run.Curve, results.CurvePoint{Epoch: float64(p.Epoch), Seconds: p.Seconds, Top1: p.Top1, Loss: p.TrainLoss})
	}
	a := &results.Accuracy{Top1: o.Final.Top1, Floor: c.Recipe.Floor, Seconds: o.Seconds, Runs: []results.Training{run},
		Test: classification(o.Final, set.Classes)}
	if o.Reached {
		a.Seconds = o.TimeToAccuracy
	}
	if c.Recipe.Target < 1 {
		a.Target = c.Recipe.Target
	}
	return a
}
