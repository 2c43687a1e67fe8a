package workloads

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/data"
	"github.com/clsbench/clsbench/workloads/data/augment"
)

// everyTrick is a training run with all that changes its inputs.
func everyTrick() TrainConfig {
	cfg := config()
	r := cfg.Recipe
	r.Augment = []augment.Step{{Kind: augment.KindCrop, Pad: 1}, {Kind: augment.KindFlip, P: 0.2}, {Kind: augment.KindErase, P: 0.2}}
	r.Mixup, r.CutMix, r.LabelSmoothing, r.EMA = 0.2, 0.5, 0.1, 0.8
	r.Optimizer = Optimizer{Kind: "adamw", LR: 0.02, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.01, NoDecay: []Kind{KindBias}, ClipNorm: 1}
	r.DropLast = false
	return cfg
}

// Neither workers nor the length of calls nor an interruption change a bit.
func TestTheInputPipelineIsDeterministic(t *testing.T) {
	cfg := everyTrick()
	cfg.Workers = 1
	whole, want := train(t, cfg, Hooks{})
	for _, c := range []struct{ workers, perCall int }{{2, 4}, {5, 1}, {16, 50}} {
		cfg.Workers, cfg.PerCall = c.workers, c.perCall
		o, got := train(t, cfg, Hooks{})
		requireSameWeights(t, want, got)
		require.Equal(t, whole.Final.Loss, o.Final.Loss)
	}
	cfg.Checkpoint, cfg.Resume = filepath.Join(t.TempDir(), "run.safetensors"), true
	interrupted(t, cfg, 2)
	o, got := train(t, cfg, Hooks{})
	requireSameWeights(t, want, got)
	require.Positive(t, o.InputWait)
	require.Less(t, o.InputWaitShare, 1.0)

	cfg = everyTrick()
	cfg.Recipe.Augment = nil
	_, other := train(t, cfg, Hooks{})
	require.NotEqual(t, want["fc.weight"].Data, other["fc.weight"].Data)
}

func TestMixedTrainingLearns(t *testing.T) {
	cfg := everyTrick()
	cfg.Recipe.Augment, cfg.Recipe.Epochs = nil, 8
	o, _ := train(t, cfg, Hooks{})
	require.Greater(t, o.Final.Top1, 0.8)
}

// Evaluation reads the averages: the test loss is that of the weights that
// Trained gives, and not that of the last step's.
func TestAveragesAreEvaluated(t *testing.T) {
	ctx, cfg, s := context.Background(), config(), session(t)
	cfg.Recipe.EMA = 0.9
	o, err := Train(ctx, s, cfg, Hooks{})
	require.NoError(t, err)
	trained, err := cfg.Workload.Trained(ctx, s, cfg.Recipe)
	require.NoError(t, err)
	lossOf := func(w Weights) float64 {
		p, err := cfg.Workload.Inference(7, StandardOf(cfg.Data), w)
		require.NoError(t, err)
		e, err := NewEvaluator(ctx, session(t), p, 2)
		require.NoError(t, err)
		defer e.Close()
		r, err := e.Run(ctx, cfg.Data.Test)
		require.NoError(t, err)
		return r.Loss
	}
	require.InDelta(t, o.Final.Loss, lossOf(trained), 1e-9)
	last := stateOf(t, s, cfg)
	require.NotEqual(t, last["fc.weight"].Data, trained["fc.weight"].Data)
	require.Equal(t, last["fc.weight.ema"].Data, trained["fc.weight"].Data)
	require.Greater(t, lossOf(trained), lossOf(last)+1e-3, "which lag behind")
}

// Larger images come to the network's size: their middle in evaluation, what
// the steps make of them in training.
func TestLargerImagesAreBroughtToSize(t *testing.T) {
	cfg := config()
	framed := func(s data.Split) data.Split {
		out := data.Split{Labels: s.Labels}
		for i := range s.Len() {
			out.Images = append(out.Images, augment.Crop(augment.Image{H: 4, W: 4, C: 1, Pix: s.Image(i)}, -1, -1, 6, 6).Pix...)
		}
		return out
	}
	set := *cfg.Data
	set.H, set.W, set.Train, set.Test = 6, 6, framed(set.Train), framed(set.Test)
	cfg.Recipe.Resize = 6
	_, want := train(t, cfg, Hooks{})
	cfg.Data = &set
	large, got := train(t, cfg, Hooks{})
	requireSameWeights(t, want, got)
	require.Greater(t, large.Final.Top1, 0.9)

	cfg.Recipe.Resize = 0
	_, whole := train(t, cfg, Hooks{})
	require.NotEqual(t, got["fc.weight"].Data, whole["fc.weight"].Data, "scaled to cover")
	cfg.Recipe.Augment = []augment.Step{{Kind: augment.KindResizedCrop}}
	_, cropped := train(t, cfg, Hooks{})
	require.NotEqual(t, whole["fc.weight"].Data, cropped["fc.weight"].Data)
}

// What the device waits for is the input, and is told.
func TestWaitingForInputIsMeasured(t *testing.T) {
	ctx, set := context.Background(), stripeSet()
	p, err := tiny().Inference(2, StandardOf(set), tiny().Init(3))
	require.NoError(t, err)
	st, err := openStream(ctx, session(t), p, 3)
	require.NoError(t, err)
	defer st.Close()
	const slow = 2 * time.Millisecond
	var filled, drained []int64
	st.fill = func(_ context.Context, step int64) error { time.Sleep(slow); filled = append(filled, step); return nil }
	st.drain = func(step int64) error { drained = append(drained, step); return nil }
	require.NoError(t, st.run(ctx, 5, 25))
	require.Len(t, filled, 20)
	require.Equal(t, filled, drained)
	require.Positive(t, st.waited)

	broken := errors.New("broken")
	st.fill = func(_ context.Context, step int64) error {
		if step == 7 {
			return broken
		}
		return nil
	}
	drained = nil
	require.ErrorIs(t, st.run(ctx, 0, 25), broken)
	require.LessOrEqual(t, len(drained), 7)
	st.fill = func(context.Context, int64) error { return nil }
	st.drain = func(step int64) error {
		if step == 4 {
			return broken
		}
		return nil
	}
	require.ErrorIs(t, st.run(ctx, 0, 25), broken)
	require.NoError(t, st.run(ctx, 3, 3), "no steps at all")
}

// Large images leave room for few steps a call.
func TestRingsAreBounded(t *testing.T) {
	w := around(Input{1024, 1024, 1}, 3, func(n *Net, x graph.Value) graph.Value {
		return n.Linear("fc", n.Flatten(n.GlobalAvgPool2d(x)), 3, nil)
	})
	p, err := w.Inference(16, unit(1), w.Init(1))
	require.NoError(t, err)
	st, err := openStream(context.Background(), session(t), p, DefaultPerCall)
	require.NoError(t, err)
	defer st.Close()
	require.EqualValues(t, maxFeedRing/2/(16<<20), st.perCall)
}

func TestParametersHaveTheirKinds(t *testing.T) {
	kinds := map[Kind]map[string]bool{}
	for _, spec := range []string{"vit-micro", "mobilenetv3-small-0.5"} {
		for _, p := range lookup(t, spec).Params() {
			if kinds[p.Kind] == nil {
				kinds[p.Kind] = map[string]bool{}
			}
			kinds[p.Kind][p.Name] = true
		}
	}
	require.Len(t, kinds, 4)
	require.Equal(t, map[string]bool{"class_token": true, "encoder.pos_embedding": true}, kinds[KindEmbedding])
	for name, kind := range map[string]Kind{
		"encoder.ln.weight": KindNorm, "encoder.ln.bias": KindNorm, "features.0.1.weight": KindNorm, "features.0.0.weight": "",
		"encoder.layers.encoder_layer_0.self_attention.in_proj_bias": KindBias, "encoder.layers.encoder_layer_0.self_attention.in_proj_weight": "",
		"heads.head.bias": KindBias, "conv_proj.bias": KindBias,
	} {
		require.True(t, kinds[kind][name], name)
	}
}

func TestLabelsAreWrittenAsTheProgramTakesThem(t *testing.T) {
	feed := make([]byte, 2*3*4)
	PutLabels(feed, tensor.T(tensor.F32, 2, 3), []int64{2, 0})
	require.Equal(t, []float32{0, 0, 1, 1, 0, 0}, tensor.View[float32](feed))
	PutLabels(feed, tensor.T(tensor.S64, 3), []int64{2, 0, 1})
	require.Equal(t, []int64{2, 0, 1}, tensor.View[int64](feed))
}
