package workloads

import (
	"context"
	"math"
	"runtime"

	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/data"
	"github.com/clsbench/clsbench/workloads/data/augment"
)

// View is how a set's images come to a network's size: those in memory from the
// set's, those that are decoded as they are read from a size of their own.
type View struct {
	From, To Input
	// Resize is a recipe's: the shorter side that larger images are scaled to
	// before their middle is taken.
	Resize int
}

// ViewOf is how w, trained by r, sees the images of set.
func ViewOf(w *Workload, set *data.Set, r *Recipe) View {
	return View{From: Input{set.H, set.W, set.C}, To: w.Input, Resize: r.Resize}
}

// Read writes the images at indices, u8 N×H×W×C, as evaluation sees them.
func (v View) Read(ctx context.Context, dst []byte, split data.Split, indices []int32) error {
	return v.read(ctx, dst, split, indices, augment.Pipeline{}, 0, 0, runtime.GOMAXPROCS(0))
}

// read writes them as the steps of p leave them in an epoch. Images that are
// fed as they are in memory are not worth a second worker.
func (v View) read(ctx context.Context, dst []byte, split data.Split, indices []int32, p augment.Pipeline, seed, epoch uint64, workers int) error {
	p.H, p.W, p.Resize = v.To.Height, v.To.Width, v.Resize
	if v.From == v.To && len(p.Steps) == 0 && split.Source == nil {
		workers = 1
	}
	return p.Batch(ctx, dst, seed, epoch, indices, func(i int32) (augment.Image, error) {
		if split.Source != nil {
			return split.Source.Decode(int(i))
		}
		return augment.Image{H: v.From.Height, W: v.From.Width, C: v.From.Channels, Pix: split.Image(int(i))}, nil
	}, workers)
}

// PutLabels writes a batch's labels into a training program's feed: labels, or
// where t is of floats the distributions that name them.
func PutLabels(feed []byte, t tensor.Type, labels []int64) {
	if !t.DType.IsFloat() {
		copy(tensor.View[int64](feed), labels)
		return
	}
	out, classes := tensor.View[float32](feed), t.Shape[1]
	clear(out)
	for i, label := range labels {
		out[i*classes+int(label)] = 1
	}
}

// LabelType is the type of a training program's feed of labels.
func (w *Workload) LabelType(batch int, r *Recipe) tensor.Type {
	if r.mixes() {
		return tensor.T(tensor.F32, batch, w.Classes)
	}
	return tensor.T(tensor.S64, batch)
}

// feeder makes the batches of training: images in the epoch's order, augmented
// and mixed as the recipe says. What a step is fed depends on the seed, the
// epoch and the step, not on the number of workers.
type feeder struct {
	split    data.Split
	batches  *data.Batches
	perEpoch int64 // steps
	view     View
	pipeline augment.Pipeline // the steps alone
	mix      *mixing          // nil for none
	seed     uint64
	workers  int
	labels   []int64
}

// augmentStream keeps what images draw from what else a seed is for.
const augmentStream = 0x617567 << 32 // "aug"

func newFeeder(cfg *TrainConfig) (*feeder, error) {
	r, w := cfg.Recipe, cfg.Workload
	batches, err := data.Training(cfg.Data.Train, r.Batch, cfg.Seed)
	if err != nil {
		return nil, err
	}
	f := &feeder{split: cfg.Data.Train, batches: batches, perEpoch: int64(batches.Len()), view: ViewOf(w, cfg.Data, r), seed: cfg.Seed, workers: cfg.Workers}
	f.pipeline.Steps = r.Augment
	for _, mean := range cfg.Data.Mean { // which is 0 to the network, as what torchvision erases is
		f.pipeline.Fill = append(f.pipeline.Fill, byte(math.Round(255*min(max(mean, 0), 1))))
	}
	if r.mixes() {
		f.mix = &mixing{mixup: r.Mixup, cutmix: r.CutMix, seed: cfg.Seed, in: w.Input, classes: w.Classes}
	}
	return f, nil
}

// fill writes a step's images and labels.
func (f *feeder) fill(ctx context.Context, step int64, images, labels []byte, t tensor.Type) error {
	indices := f.batches.Indices(int(step % f.perEpoch))
	f.labels = f.labels[:0]
	for _, i := range indices {
		f.labels = append(f.labels, f.split.Labels[i])
	}
	err := f.view.read(ctx, images, f.split, indices, f.pipeline, f.seed^augmentStream, uint64(step/f.perEpoch), f.workers)
	if err != nil {
		return err
	}
	if f.mix != nil {
		f.mix.apply(step, images, f.labels, labels)
	} else {
		PutLabels(labels, t, f.labels)
	}
	return nil
}
