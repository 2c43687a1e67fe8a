package workloads

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

func in(t testing.TB, w *Workload, precision string) *Workload {
	w, err := w.In(precision)
	require.NoError(t, err)
	return w
}

// torchOps are the ops of testdata/autocast by PyTorch's names, as ours.
var torchOps = map[string]string{"convolution": "Conv", "addmm": "Gemm", "mm": "Gemm", "native_batch_norm": "BatchNormalizationTraining",
	"native_layer_norm": "LayerNormalization", "relu": "Relu", "gelu": "Gelu", "add": "Add", "avg_pool2d": "AveragePool", "mean": "GlobalAveragePool",
	"nll_loss_forward": "SoftmaxCrossEntropy"}

// torchTypes are the types that torch.autocast gives the ops of a network, as
// "Conv bf16": of the images, and of an addition of its result, since torch adds
// two types where here one is cast before. What it makes of several ops is one
// here: its products of attention (whose softmax is bf16 on the CPU, f32 on
// CUDA and inside of our op), a linear layer's sum, and the loss.
func torchTypes(t *testing.T, network string) (list []string) {
	b, err := os.ReadFile(filepath.Join("testdata", "autocast", network+".json"))
	require.NoError(t, err)
	var ops [][3]string
	require.NoError(t, json.Unmarshal(b, &ops))
	short := map[string]string{"float32": "f32", "bfloat16": "bf16"}
	for i, op := range ops {
		name, typ := torchOps[op[0]], short[op[1]]
		switch op[0] {
		case "add":
			if typ = short[op[2]]; ops[i-1][0] == "mm" {
				continue
			}
		case "bmm":
			if name = "Attention"; ops[i-1][0] == "_softmax" {
				continue
			}
		case "_softmax", "_log_softmax":
			continue
		}
		list = append(list, name+" "+typ)
	}
	return list
}

// The types of the ops of a network are those that PyTorch gives them.
func TestTypesAreThoseOfPyTorchsAutocast(t *testing.T) {
	known := append(slices.Collect(maps.Values(torchOps)), "Attention")
	for network, spec := range map[string]string{"lenet5": "lenet5", "resnet20": "resnet20", "vit-micro": "vit-micro;dropout=0.1;stochastic_depth=0.1"} {
		w := in(t, lookup(t, spec), "bf16")
		standard := Standard{}
		for range w.Input.Channels {
			standard.Mean, standard.Std = append(standard.Mean, 0.5), append(standard.Std, 0.5)
		}
		p, err := w.Training(4, standard, w.Recipes[DefaultRecipe], false)
		require.NoError(t, err)
		g, err := p.Infer()
		require.NoError(t, err)
		var got []string
		for _, c := range g.Calls[:p.Origin.Forward] {
			if slices.Contains(known, c.Op.Name) && c.Name != "input.Add" /* of the standardising */ {
				typ := c.In[0].DType
				if c.Op.Name == "BatchNormalizationTraining" { // in f32 between casts: what its images come as, and go on as
					typ = g.Types[strings.TrimSuffix(c.Outputs[0], ".f32")].DType
				}
				got = append(got, c.Op.Name+" "+typ.String())
			}
		}
		require.Equal(t, torchTypes(t, network), got, network)
	}
}

// mixedTiny has what a skipped step must leave alone: running statistics, and
// a layer that draws random numbers.
func mixedTiny() *Workload {
	w := &Workload{Name: "tiny", Input: Input{4, 4, 1}, Classes: 3,
		network: func(n *Net, x graph.Value, _ map[string]string) graph.Value {
			x = n.BatchNorm2d("bn", n.Conv2d("conv", x, Conv{Out: 4, Kernel: 3, Pad: 1, NoBias: true}), BatchNorm{})
			x = n.Dropout("drop", n.Flatten(n.Tanh(x)), 0.25)
			return n.Linear("fc", x, 3, nil)
		}}
	return w.with(nil)
}

// mixedRecipes are of optimizers whose slots, averages and steps a skipped step
// must leave alone as well.
func mixedRecipes() map[string]Optimizer {
	return map[string]Optimizer{
		"sgd":      {Kind: "sgd", LR: 0.05, Momentum: 0.9, Nesterov: true, WeightDecay: 1e-4, ClipNorm: 1},
		"dampened": {Kind: "sgd", LR: 0.05, Momentum: 0.9, Dampening: 0.5},
		"adamw":    {Kind: "adamw", LR: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.01},
		"rmsprop":  {Kind: "rmsprop", LR: 0.01, Alpha: 0.99, Epsilon: 1e-8, Momentum: 0.9, Centered: true},
	}
}

// narrow is a session that rounds to 16 bits, as the reference's does not.
func narrow(t testing.TB) backends.Session {
	s, err := cpu.New().Open(context.Background(), backends.SessionConfig{Threads: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// stepOnce runs one step of training from a state that scale goes into.
func stepOnce(t *testing.T, w *Workload, r *Recipe, scale float64) (before, after Weights) {
	set := stripeSet()
	p, err := w.Training(8, StandardOf(set), r, false)
	require.NoError(t, err)
	s := narrow(t)
	st, err := openStream(t.Context(), s, p, 1)
	require.NoError(t, err)
	defer st.Close()
	before = FirstState(p.State, w.Init(3))
	if before[StateLossScale] != nil {
		before[StateLossScale] = tensor.Scalar(tensor.F32, scale)
		before[StateGrowthCounter] = tensor.Scalar(tensor.S64, 7)
	}
	require.NoError(t, Restore(t.Context(), s, p.State, before))
	st.fill = func(_ context.Context, step int64) error {
		tensor.View[float32](st.At(FeedLR, step))[0] = 0.05
		copy(st.At(FeedImage, step), set.Train.Images)
		PutLabels(st.At(FeedLabel, step), w.LabelType(8, r), set.Train.Labels[:8])
		return nil
	}
	st.drain = func(int64) error { return nil }
	require.NoError(t, st.run(t.Context(), 0, 1))
	after, err = Snapshot(t.Context(), s, p.State)
	require.NoError(t, err)
	return before, after
}

// A scale that makes gradients overflow skips the step: all state is as it was
// to the last bit, but for the scale.
func TestOverflowSkipsTheStep(t *testing.T) {
	for name, o := range mixedRecipes() {
		r := recipe()
		r.Optimizer, r.EMA = o, 0.75
		before, after := stepOnce(t, in(t, mixedTiny(), "fp16"), r, 0x1p100)
		require.Equal(t, []float64{0x1p99}, after[StateLossScale].Float64s(), name)
		require.Equal(t, []float64{0}, after[StateGrowthCounter].Float64s(), name)
		for state, x := range before {
			if state != StateLossScale && state != StateGrowthCounter {
				require.Equal(t, x.Data, after[state].Data, "%s: %s", name, state)
			}
		}
		require.Contains(t, before, "step", name)
		require.Contains(t, before, "bn.running_var.ema", name)

		_, after = stepOnce(t, in(t, mixedTiny(), "fp16"), r, 1024)
		require.Equal(t, []float64{1024}, after[StateLossScale].Float64s(), name)
		require.Equal(t, []float64{8}, after[StateGrowthCounter].Float64s(), name)
		for state, x := range before {
			if state != StateLossScale && state != StateGrowthCounter {
				require.NotEqual(t, x.Data, after[state].Data, "%s: %s is updated", name, state)
			}
		}
	}
}

// A step in 16 bits moves every parameter about as one in f32 does, whatever
// the scale; all state is f32.
func TestMixedStepsAreNearThoseOfF32(t *testing.T) {
	r := recipe()
	r.EMA = 0.75
	_, want := stepOnce(t, mixedTiny(), r, 0)
	for _, c := range []struct {
		precision string
		scale     float64
		off       float64 // share of how far a tensor has moved
	}{{"bf16", 0, 0.03}, {"fp16", 1, 0.01}, {"fp16", 4096, 0.004}} {
		before, after := stepOnce(t, in(t, mixedTiny(), c.precision), r, c.scale)
		require.Equal(t, c.precision == "fp16", before[StateLossScale] != nil, "bf16 has the range of f32, and needs no scale")
		for state, x := range want {
			require.True(t, x.Type.Equal(after[state].Type), state)
			var moved, off float64
			for i, v := range x.Float64s() {
				moved += math.Pow(v-before[state].Float64s()[i], 2)
				off += math.Pow(v-after[state].Float64s()[i], 2)
			}
			require.LessOrEqual(t, math.Sqrt(off), c.off*math.Sqrt(moved), "%s, scale %v: %s", c.precision, c.scale, state)
			if state != "step" && state != "fc.bias.ema" {
				require.Positive(t, off, "%s: %s is exactly that of f32", c.precision, state)
			}
		}
	}
}

// A frozen network keeps its products' weights in 16 bits: half the bytes.
func TestMixedInferenceHoldsHalfTheBytes(t *testing.T) {
	w := mixedTiny()
	weights := w.Init(1)
	for _, precision := range []string{"bf16", "fp16"} {
		m := in(t, w, precision)
		p, err := m.Inference(2, unit(1), weights)
		require.NoError(t, err)
		require.EqualValues(t, 2*(4*9+64*3+3)+4*4*4, TensorBytes(p), "%s: products by 2 bytes, a norm's by 4", precision)
		g, err := p.Infer()
		require.NoError(t, err)
		require.Equal(t, tensor.F32, g.Types[p.Fetches[0]].DType)
		require.Contains(t, p.Name, " in "+precision)
	}
}

// A resumed run in fp16 has the scale that it was interrupted with; one in
// another precision is refused.
func TestMixedTrainingResumes(t *testing.T) {
	cfg := config()
	cfg.Workload = in(t, mixedTiny(), "fp16")
	whole, want := train(t, cfg, Hooks{})
	require.Greater(t, whole.Final.Top1, 0.9)
	require.Equal(t, []float64{float64(whole.Steps)}, want[StateGrowthCounter].Float64s(), "no step was skipped")
	require.Equal(t, []float64{firstLossScale}, want[StateLossScale].Float64s())

	cfg.Checkpoint, cfg.Resume = filepath.Join(t.TempDir(), "run.safetensors"), true
	interrupted(t, cfg, 2)
	_, got := train(t, cfg, Hooks{})
	requireSameWeights(t, want, got)

	cfg.Workload = in(t, mixedTiny(), "bf16")
	_, err := Train(t.Context(), session(t), cfg, Hooks{})
	require.ErrorContains(t, err, "precision fp16, not bf16")
	cfg.Workload = mixedTiny()
	_, err = Train(t.Context(), session(t), cfg, Hooks{})
	require.ErrorContains(t, err, "precision fp16, not f32")
}

func TestPrecisionIsNotKnown(t *testing.T) {
	_, err := tiny().In("f16")
	require.ErrorContains(t, err, `"f16" is not known: want f32, bf16, fp16`)
}
