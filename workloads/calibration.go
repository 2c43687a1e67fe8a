package workloads

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/calibrate"
	"github.com/clsbench/clsbench/workloads/data"
)

// CalibrationImages is how many images ranges are found on: a few hundred are
// enough (Wu et al. 2020, §3.3; TensorRT asks for 500).
const CalibrationImages = 512

const (
	calibrationBatch = 32
	calibrationRoom  = 32 << 20 // bytes of activations a step, about
)

// Calibration is what a quantization learned ahead; its zero value is what a
// dynamic one needs.
type Calibration struct {
	Ranges map[string]pass.Range // of activations
	Tuned  Weights               // constants of Folded that fine-tuning changed
}

// Calibrate finds the ranges of the activations that q quantizes: it runs the
// network in floats on images for training drawn by the seed, and fetches what
// will be quantized. If q is to be aware, it then trains the network on between
// quantizers. Dynamic quantization needs neither.
func (w *Workload) Calibrate(ctx context.Context, session backends.Session, set *data.Set, weights Weights, q *Quantization, seed uint64) (*Calibration, error) {
	if q.Dynamic() {
		return &Calibration{}, nil
	}
	c, err := w.newActivations(ctx, session, StandardOf(set), weights, q, set.Train, seed)
	if err != nil {
		return nil, fmt.Errorf("calibrating %s: %w", w, err)
	}
	ranges, err := c.ranges(ctx, q.Method)
	c.stream.Close()
	if err != nil {
		return nil, fmt.Errorf("calibrating %s: %w", w, err)
	}
	found := &Calibration{Ranges: ranges}
	if q.Aware {
		found.Tuned, err = w.tune(ctx, session, weights, q, ranges, set, seed)
	}
	return found, err
}

// activations is a program that shows its activations, and images for it.
type activations struct {
	stream *stream
	names  []string // fetches
	split  data.Split
	chosen []int32 // of the split
	batch  int
	drain  func(name string, values []float32) error
}

func (w *Workload) newActivations(ctx context.Context, session backends.Session, s Standard, weights Weights, q *Quantization, split data.Split, seed uint64) (*activations, error) {
	c := &activations{split: split}
	for _, i := range rand.New(rand.NewPCG(seed, uint64(streamOf("calibration")))).Perm(split.Len()) {
		c.chosen = append(c.chosen, int32(i))
	}
	c.chosen = c.chosen[:min(CalibrationImages, len(c.chosen))]
	if len(c.chosen) == 0 {
		return nil, fmt.Errorf("no images")
	}
	one, err := w.shown(1, s, weights, q)
	if err != nil {
		return nil, err
	}
	g, err := one.Infer()
	if err != nil {
		return nil, err
	}
	c.names = one.Fetches
	bytes := 1
	for _, name := range c.names {
		if g.Types[name].DType != tensor.F32 {
			return nil, fmt.Errorf("%s is %v: want f32", name, g.Types[name])
		}
		bytes += g.Types[name].Bytes()
	}
	c.batch = max(1, min(calibrationBatch, len(c.chosen), calibrationRoom/bytes))
	c.chosen = c.chosen[:len(c.chosen)/c.batch*c.batch]
	p, err := w.shown(c.batch, s, weights, q)
	if err != nil {
		return nil, err
	}
	if c.stream, err = openStream(ctx, session, p, 1); err != nil {
		return nil, err
	}
	c.stream.fill = c.fill
	c.stream.drain = func(step int64) error {
		for _, name := range c.names {
			if err := c.drain(name, tensor.View[float32](c.stream.At(name, step))); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
	return c, nil
}

// shown is the network in floats with what q quantizes as its fetches.
func (w *Workload) shown(batch int, s Standard, weights Weights, q *Quantization) (*graph.Program, error) {
	p, err := w.Folded(batch, s, weights)
	if err != nil {
		return nil, err
	}
	if p.Fetches, err = pass.Quantizable(p, q.pass(nil)); err != nil {
		return nil, err
	}
	if len(p.Fetches) == 0 {
		return nil, fmt.Errorf("quantization %s leaves every node in floats", q)
	}
	return pass.Prune(p), nil
}

func (c *activations) fill(_ context.Context, step int64) error {
	return c.split.Read(c.stream.At(FeedImage, step), c.chosen[int(step)*c.batch:][:c.batch])
}

// pass runs over all images.
func (c *activations) pass(ctx context.Context, drain func(name string, values []float32) error) error {
	c.drain = drain
	return c.stream.run(ctx, 0, int64(len(c.chosen)/c.batch))
}

// ranges finds what the values lie between, then, if the method wants to know
// more, how they are spread.
func (c *activations) ranges(ctx context.Context, m calibrate.Method) (map[string]pass.Range, error) {
	ranges := map[string]pass.Range{}
	err := c.pass(ctx, func(name string, values []float32) (err error) {
		ranges[name], err = calibrate.Widen(ranges[name], values)
		return err
	})
	if err != nil || m == calibrate.MinMax {
		return ranges, err
	}
	histograms := map[string]*calibrate.Histogram{}
	for name, r := range ranges {
		histograms[name] = calibrate.NewHistogram(r)
	}
	err = c.pass(ctx, func(name string, values []float32) error {
		histograms[name].Add(values)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for name, h := range histograms {
		ranges[name] = m.Range(h)
	}
	return ranges, nil
}
