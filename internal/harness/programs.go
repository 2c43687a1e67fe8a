package harness

import (
	"context"
	"math/rand/v2"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads"
	"github.com/clsbench/clsbench/workloads/data"
)

// program is the cell's: inference with frozen weights, in 8 bits by what
// a calibration found, or a training step.
func (h *run) program(c *Cell, set *data.Set, w workloads.Weights, found *workloads.Calibration) (*graph.Program, error) {
	switch {
	case c.Mode == "train":
		return c.Workload.Training(c.Batch, standardOf(set), c.Recipe, false)
	case c.Quant != nil:
		return c.Workload.Quantized(c.Batch, standardOf(set), w, c.Quant, found)
	}
	return c.Workload.Inference(c.Batch, standardOf(set), w)
}

// rigFor compiles the cell's program in the bench's session, with state
// written and feeds drawn at random from the training split.
func (h *run) rigFor(ctx context.Context, c *Cell, b *bench, set *data.Set, w workloads.Weights) (*rig, error) {
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	found, err := h.calibration(ctx, c, b, set, w)
	if err != nil {
		return nil, err
	}
	p, err := h.program(c, set, w, found)
	if err != nil {
		return nil, err
	}
	r, err := fitRig(ctx, b.session, p, c.Batch)
	if err != nil {
		return nil, err
	}
	r.ownCost = h.ownCost()
	r.feed = feeder(set, c, randomSource(h.opts.Seed, "feeds "+c.String()))
	if len(p.State) > 0 {
		if err := workloads.Restore(ctx, b.session, p.State, workloads.FirstState(p.State, w)); err != nil {
			_ = r.Close() // the error that counts is the one before
			return nil, err
		}
	}
	return r, nil
}

// fitRig compiles p on s, with what s refuses decomposed. Its feeds have no
// source yet.
func fitRig(ctx context.Context, s backends.Session, p *graph.Program, batch int) (*rig, error) {
	fitted, err := backends.Fit(ctx, s, p)
	if err != nil {
		return nil, err
	}
	r, err := newRig(ctx, s, fitted, batch)
	if err != nil {
		return nil, err
	}
	r.canonical = p
	return r, nil
}

// feeder fills a step's feeds with images drawn at random, as evaluation sees
// them: what the device does with them is timed, not what the host does before.
// Training rounds run at a twentieth of the recipe's rate, far from divergence.
func feeder(set *data.Set, c *Cell, r *rand.Rand) func(int64, func(string) []byte) error {
	view, labelType := workloads.ViewOf(c.Workload, set, c.Recipe), c.Workload.LabelType(c.Batch, c.Recipe)
	indices, labels := make([]int32, c.Batch), make([]int64, c.Batch)
	return func(_ int64, at func(string) []byte) error {
		for i := range indices {
			n := r.IntN(set.Train.Len())
			indices[i], labels[i] = int32(n), set.Train.Labels[n]
		}
		if c.Mode == "train" {
			workloads.PutLabels(at(workloads.FeedLabel), labelType, labels)
			tensor.View[float32](at(workloads.FeedLR))[0] = float32(c.Recipe.Optimizer.LR / 20)
		}
		return view.Read(context.Background(), at(workloads.FeedImage), set.Train, indices)
	}
}
