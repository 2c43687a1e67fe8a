package workloads

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/data"
)

// The feeds of every program. Inference and evaluation take images alone.
const (
	FeedImage = "image" // u8 N×H×W×C
	FeedLabel = "label" // s64 N; f32 N×Classes, distributions, where the recipe mixes images
	FeedLR    = "lr"    // f32 scalar: the step's learning rate
)

// StateStep counts updates, for Adam and for layers that draw random numbers;
// s64 scalar.
const StateStep = "step"

// Standard is how images are standardised: (v/255 - Mean)/Std by channel.
type Standard struct{ Mean, Std []float64 }

// StandardOf is how a set's images are standardised: by its training split.
func StandardOf(set *data.Set) Standard { return Standard{set.Mean, set.Std} }

// Fits refuses a set whose channels or classes are not the network's. Images of
// another size are brought to it, see View.
func (w *Workload) Fits(set *data.Set) error {
	if set.C != w.Input.Channels {
		return fmt.Errorf("data set %s has %d channels, %s takes %d", set.Name, set.C, w.Name, w.Input.Channels)
	}
	for _, split := range []data.Split{set.Train, set.Test} {
		if split.Source != nil {
			continue
		}
		if n := split.Len() * set.H * set.W * set.C; len(split.Images) != n {
			return fmt.Errorf("data set %s has %d bytes of images, %d of %v take %d", set.Name, len(split.Images), split.Len(), Input{set.H, set.W, set.C}, n)
		}
	}
	if len(set.Classes) > w.Classes {
		return fmt.Errorf("data set %s has %d classes, %s tells %d apart", set.Name, len(set.Classes), w.Name, w.Classes)
	}
	return nil
}

// Inference is the network on batch images with its parameters frozen into
// constants. Its one fetch is the logits, f32 N×Classes.
func (w *Workload) Inference(batch int, s Standard, weights Weights) (*graph.Program, error) {
	return w.frozen(weights, func(n *Net) graph.Value { return w.forward(n, batch, s) })
}

// Bare is Inference without its front: it takes images that are standardised
// already, f32 N×C×H×W.
func (w *Workload) Bare(batch int, weights Weights) (*graph.Program, error) {
	return w.frozen(weights, func(n *Net) graph.Value {
		n.wantBatch(batch)
		in := w.Input
		return w.network(n, n.Feed(FeedImage, tensor.T(tensor.F32, batch, in.Channels, in.Height, in.Width)), w.chosen)
	})
}

// frozen is the network with its parameters as constants; logits applies it.
func (w *Workload) frozen(weights Weights, logits func(*Net) graph.Value) (*graph.Program, error) {
	b := graph.NewBuilder(w.title("inference"))
	n := newNet(b, nil)
	n.enter = func(p Param) graph.Value {
		t, ok := weights[p.Name]
		if !ok || !t.Type.Equal(p.Type) {
			b.Fail(fmt.Errorf("weights: no %s of type %v", p.Name, p.Type))
			return graph.Value{}
		}
		return b.Const(n.local(p.Name), t) // in the builder's scope, which is n's
	}
	b.Fetch(logits(n))
	return w.finish(b)
}

// Evaluation is the network on batch images with its parameters as state, as
// training leaves them. Its one fetch is the logits, f32 N×Classes.
func (w *Workload) Evaluation(batch int, s Standard) (*graph.Program, error) {
	return w.evaluation(batch, s, "")
}

// evaluation takes as state what is named as the parameters are and then by
// suffix: themselves or their averages.
func (w *Workload) evaluation(batch int, s Standard, suffix string) (*graph.Program, error) {
	b := graph.NewBuilder(w.title("evaluation"))
	n := newNet(b, func(p Param) graph.Value { return b.State(p.Name+suffix, p.Type) })
	b.Fetch(w.forward(n, batch, s))
	return w.finish(b)
}

// Training is one step on batch images: mean cross-entropy, gradients, the
// recipe's optimizer. The first fetch is the loss, an f32 scalar; with
// gradients the others are each parameter's, in the order of Params.
func (w *Workload) Training(batch int, s Standard, r *Recipe, gradients bool) (*graph.Program, error) {
	b := graph.NewBuilder(w.title("training"))
	var params []Param
	var values []graph.Value
	n := newNet(b, func(p Param) graph.Value {
		v := b.State(p.Name, p.Type)
		if !p.Buffer {
			params, values = append(params, p), append(values, v)
		}
		return v
	})
	n.training, n.momentum = true, r.NormMomentum
	logits := w.forward(n, batch, s)
	label := b.Feed(FeedLabel, w.LabelType(batch, r))
	lr := b.Feed(FeedLR, tensor.T(tensor.F32))
	attrs := graph.Attrs{"reduction": graph.S("mean")}
	if r.LabelSmoothing > 0 {
		attrs["label_smoothing"] = graph.F(r.LabelSmoothing)
	}
	loss := b.Op("SoftmaxCrossEntropy", attrs, logits, label)
	b.Fetch(loss)
	w.cast(n)
	n.SetOrigin(loss, r.Optimizer.op())
	grads, err := w.gradients(n, loss, values)
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", w, err)
	}
	if gradients {
		n.Fetch(grads...)
	}
	r.update(n, params, values, grads, lr)
	n.write()
	p, err := n.Program()
	if err != nil {
		return nil, err
	}
	return pass.Prune(p), nil // the images' gradient
}

// forward feeds images, standardises them and applies the network.
func (w *Workload) forward(n *Net, batch int, s Standard) graph.Value {
	b := n.Builder
	n.wantBatch(batch)
	if c := w.Input.Channels; len(s.Mean) != c || len(s.Std) != c {
		b.Fail(fmt.Errorf("mean %v and deviation %v: want %d channels each", s.Mean, s.Std, c))
	}
	image := b.Feed(FeedImage, tensor.T(tensor.U8, batch, w.Input.Height, w.Input.Width, w.Input.Channels))
	var x graph.Value
	b.Scoped("input", func() { x = standardise(b, image, s) })
	return w.network(n, x, w.chosen)
}

func (n *Net) wantBatch(batch int) {
	if batch < 1 {
		n.Fail(fmt.Errorf("batch %d: want at least 1", batch))
	}
}

// What standardise's constants are called in a program.
const (
	standardScale = "input.scale"
	standardShift = "input.shift"
)

// standardise makes u8 N×H×W×C into f32 N×C×H×W of mean 0 and deviation 1:
// one multiplication and one addition, x·1/(255·Std) - Mean/Std.
func standardise(b *graph.Builder, image graph.Value, s Standard) graph.Value {
	scale, shift := make([]float64, len(s.Std)), make([]float64, len(s.Std))
	for i, std := range s.Std {
		if !(std > 0) {
			b.Fail(fmt.Errorf("deviation %v of channel %d: want a positive number", std, i))
		}
		scale[i], shift[i] = 1/(255*std), -s.Mean[i]/std
	}
	x := b.Op("Cast", graph.Attrs{"to": graph.S(tensor.F32.String())}, image)
	x = b.Op("Transpose", graph.Attrs{"perm": graph.L(0, 3, 1, 2)}, x)
	channels := tensor.Shape{1, len(scale), 1, 1}
	x = b.Op("Mul", nil, x, b.Const("scale", tensor.Of(tensor.F32, channels, scale...)))
	return b.Op("Add", nil, x, b.Const("shift", tensor.Of(tensor.F32, channels, shift...)))
}
