package workloads

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/data"
)

// unit is the standard of images that stay as they are, divided by 255.
func unit(channels int) Standard {
	s := Standard{}
	for range channels {
		s.Mean, s.Std = append(s.Mean, 0), append(s.Std, 1)
	}
	return s
}

// around is a workload of one or a few layers.
func around(in Input, classes int, network func(n *Net, x graph.Value) graph.Value) *Workload {
	w := &Workload{Name: "around", Input: in, Classes: classes,
		network: func(n *Net, x graph.Value, _ map[string]string) graph.Value { return network(n, x) }}
	return w.with(nil)
}

func TestLayersHavePyTorchsTensorsAndShapes(t *testing.T) {
	image := Input{8, 8, 6}
	tokens := func(n *Net, x graph.Value) graph.Value { // 1×16×12
		return n.PatchEmbedding("patch", x, 2, 12, nil)
	}
	for name, c := range map[string]struct {
		network func(n *Net, x graph.Value) graph.Value
		tensors map[string]string
		out     []int
	}{
		"depthwise": {
			func(n *Net, x graph.Value) graph.Value {
				return n.Conv2d("c", x, Conv{Out: 6, Kernel: 3, Stride: 2, Pad: 1, Groups: 6, NoBias: true})
			}, map[string]string{"c.weight": "f32[6x1x3x3]"}, []int{1, 6, 4, 4}},
		"grouped": {
			func(n *Net, x graph.Value) graph.Value {
				return n.Conv2d("c", x, Conv{Out: 4, Kernel: 3, Groups: 2})
			}, map[string]string{"c.weight": "f32[4x3x3x3]", "c.bias": "f32[4]"}, []int{1, 4, 6, 6}},
		"batch norm": {
			func(n *Net, x graph.Value) graph.Value { return n.BatchNorm2d("bn", x, BatchNorm{}) },
			map[string]string{"bn.weight": "f32[6]", "bn.bias": "f32[6]", "bn.running_mean": "f32[6]", "bn.running_var": "f32[6]"}, []int{1, 6, 8, 8}},
		"local response": {
			func(n *Net, x graph.Value) graph.Value { return n.LocalResponse(x, 5, 2, 1e-4, 0.75) },
			map[string]string{}, []int{1, 6, 8, 8}},
		"overlapping pool": {
			func(n *Net, x graph.Value) graph.Value { return n.MaxPool2d(x, Pool{Kernel: 3, Stride: 2, Pad: 1}) },
			map[string]string{}, []int{1, 6, 4, 4}},
		"adaptive pool": {
			func(n *Net, x graph.Value) graph.Value { return n.AdaptiveAvgPool2d(x, 3) },
			map[string]string{}, []int{1, 6, 3, 3}},
		"squeeze and excite": {
			func(n *Net, x graph.Value) graph.Value { return n.SqueezeExcite("se", x, 2, nil) },
			map[string]string{"se.fc1.weight": "f32[2x6x1x1]", "se.fc1.bias": "f32[2]", "se.fc2.weight": "f32[6x2x1x1]", "se.fc2.bias": "f32[6]"},
			[]int{1, 6, 8, 8}},
		"tokens": {
			func(n *Net, x graph.Value) graph.Value {
				return n.LayerNorm("ln", n.Positions("pos", n.ClassToken("cls", tokens(n, x))), 1e-6)
			},
			map[string]string{"patch.weight": "f32[12x6x2x2]", "patch.bias": "f32[12]", "cls": "f32[1x1x12]", "pos": "f32[1x17x12]",
				"ln.weight": "f32[12]", "ln.bias": "f32[12]"}, []int{1, 17, 12}},
		"attention": {
			func(n *Net, x graph.Value) graph.Value {
				return n.In("block", func() graph.Value { return n.SelfAttention("sa", tokens(n, x), 3) })
			},
			map[string]string{"block.patch.weight": "f32[12x6x2x2]", "block.patch.bias": "f32[12]",
				"block.sa.in_proj_weight": "f32[36x12]", "block.sa.in_proj_bias": "f32[36]",
				"block.sa.out_proj.weight": "f32[12x12]", "block.sa.out_proj.bias": "f32[12]"}, []int{1, 16, 12}},
		"linear of tokens": {
			func(n *Net, x graph.Value) graph.Value { return n.FirstToken(n.Linear("fc", tokens(n, x), 5, nil)) },
			map[string]string{"patch.weight": "f32[12x6x2x2]", "patch.bias": "f32[12]", "fc.weight": "f32[5x12]", "fc.bias": "f32[5]"}, []int{1, 5}},
	} {
		w := around(image, 1, c.network)
		require.NotPanics(t, func() { w.bare() }, name)
		tensors, g := w.bare()
		got := map[string]string{}
		for _, p := range tensors {
			got[p.Name] = p.Type.String()
		}
		require.Equal(t, c.tensors, got, name)
		require.Equal(t, tensor.T(tensor.F32, c.out...), g.Types[g.Fetches[0]], name)

		p, err := w.Inference(2, unit(6), w.Init(1))
		require.NoError(t, err, name)
		consts := map[string]bool{}
		for _, k := range p.Consts {
			consts[k.Name] = true
		}
		for k := range c.tensors {
			require.True(t, consts[k], "%s: no const %s among %v", name, k, consts)
		}
	}
}

func TestLayersRefuseAnotherRank(t *testing.T) {
	for name, network := range map[string]func(n *Net, x graph.Value) graph.Value{
		"c":  func(n *Net, x graph.Value) graph.Value { return n.Conv2d("c", n.Flatten(x), Conv{Out: 1, Kernel: 1}) },
		"fc": func(n *Net, x graph.Value) graph.Value { return n.Linear("fc", x, 3, nil) },
		"bn": func(n *Net, x graph.Value) graph.Value { return n.BatchNorm2d("bn", n.Flatten(x), BatchNorm{}) },
		"ln": func(n *Net, x graph.Value) graph.Value { return n.LayerNorm("ln", x, 1e-5) },
		"sa": func(n *Net, x graph.Value) graph.Value { return n.SelfAttention("sa", x, 1) },
	} {
		_, err := around(Input{2, 2, 1}, 3, network).Evaluation(1, unit(1))
		require.ErrorContains(t, err, name+": the input is f32")
		require.ErrorContains(t, err, "want rank")
	}
}

// normed has a batch norm and both kinds of dropout.
func normed() *Workload {
	return around(Input{4, 4, 1}, 3, func(n *Net, x graph.Value) graph.Value {
		x = n.ReLU(n.BatchNorm2d("bn", n.Conv2d("conv", x, Conv{Out: 4, Kernel: 3, Pad: 1, NoBias: true}), BatchNorm{Momentum: 0.25}))
		x = n.StochasticDepth("depth", x, 0.25)
		x = n.Dropout("drop", n.Flatten(n.MaxPool2d(x, Pool{Kernel: 2})), 0.5)
		return n.Linear("fc", x, 3, nil)
	})
}

func TestTrainingNormsByTheBatchAndDrops(t *testing.T) {
	w := normed()
	sgd, adam := recipe(), recipe()
	adam.Optimizer = Optimizer{Kind: "adam", LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
	for _, r := range []*Recipe{sgd, adam} {
		p, err := w.Training(8, unit(1), r, true)
		require.NoError(t, err)
		_, err = p.Infer()
		require.NoError(t, err)
		require.Len(t, nodesOf(p, "BatchNormalizationTraining"), 1)
		require.Empty(t, nodesOf(p, "BatchNormalization"))
		require.Len(t, p.Fetches, 1+len(w.Params()), "buffers have no gradients")
		updated := map[string]int{}
		for _, u := range p.Updates {
			updated[u.State]++
		}
		require.Equal(t, 1, updated["bn.running_mean"])
		require.Equal(t, 1, updated["bn.running_var"])
		require.Equal(t, 1, updated[StateStep], r.Optimizer.Kind)
		require.NotContains(t, updated, "bn.running_mean.velocity")

		streams := map[string]int64{}
		for _, n := range p.Nodes {
			if n.Op == "TrainingDropout" && n.Name[:4] != "grad" {
				streams[n.Name] = n.Attrs["stream"].Int
			}
		}
		require.Equal(t, map[string]int64{"depth.TrainingDropout": int64(streamOf("depth")), "drop.TrainingDropout": int64(streamOf("drop"))}, streams)
	}
	for _, build := range []func() (*graph.Program, error){
		func() (*graph.Program, error) { return w.Evaluation(8, unit(1)) },
		func() (*graph.Program, error) { return w.Inference(8, unit(1), w.Init(1)) },
	} {
		p, err := build()
		require.NoError(t, err)
		require.Len(t, nodesOf(p, "BatchNormalization"), 1)
		require.Empty(t, nodesOf(p, "TrainingDropout"))
		require.Empty(t, p.Updates)
	}
}

// A step moves the running statistics by PyTorch's rule; evaluation then reads
// them: PyTorch 1.13 says running' = (1-m)·running + m·batch, the variance
// unbiased. A recipe may give all norms another m than their own.
func TestRunningStatisticsAreThoseOfTheBatches(t *testing.T) {
	w := around(Input{2, 2, 1}, 1, func(n *Net, x graph.Value) graph.Value {
		x = n.BatchNorm2d("bn", x, BatchNorm{Momentum: 0.25})
		return n.Linear("fc", n.Flatten(x), 1, nil)
	})
	set := noiseFor(w, 4)
	s := StandardOf(set)
	var sum, squares float64
	for _, v := range set.Train.Images {
		x := (float64(v)/255 - s.Mean[0]) / s.Std[0]
		sum, squares = sum+x, squares+x*x
	}
	k := float64(len(set.Train.Images))
	mean := sum / k
	variance := (squares - k*mean*mean) / (k - 1)
	for _, c := range []struct{ recipes, want float64 }{{0, 0.25}, {0.5, 0.5}} {
		r := recipe()
		r.Epochs, r.Batch, r.NormMomentum = 1, 4, c.recipes
		_, state := train(t, TrainConfig{Workload: w, Recipe: r, Data: set, Seed: 1, EvalBatch: 4}, Hooks{})
		require.InDelta(t, c.want*mean, state["bn.running_mean"].Float64s()[0], 1e-6, c)
		require.InDelta(t, 1-c.want+c.want*variance, state["bn.running_var"].Float64s()[0], 1e-6, c)
	}
}

// noiseFor is n images of noise for a network, classes in turn.
func noiseFor(w *Workload, n int) *data.Set {
	in := w.Input
	images := tensor.FillSeeded(tensor.New(tensor.U8, n, in.Height, in.Width, in.Channels), tensor.Fill{Kind: tensor.Integers, Lo: 0, Hi: 255}, 5, 0)
	s := data.Split{Images: images.Data, Labels: make([]int64, n)}
	for i := range s.Labels {
		s.Labels[i] = int64(i % w.Classes)
	}
	set := &data.Set{Name: "noise", Classes: make([]string, w.Classes), H: in.Height, W: in.Width, C: in.Channels, Train: s, Test: s}
	for range in.Channels {
		set.Mean, set.Std = append(set.Mean, 0.5), append(set.Std, 0.25)
	}
	return set
}

// losses trains a network on one batch of noise, again and again, on the
// reference, and gives each step's loss.
func losses(t *testing.T, w *Workload, o Optimizer, batch, steps int) (list []float64) {
	r := &Recipe{Data: "noise", Optimizer: o, Schedule: Schedule{Kind: "constant"}, Epochs: steps, Batch: batch, DropLast: true, Target: 1}
	set := noiseFor(w, batch)
	set.Test = data.Split{Images: set.Test.Images[:len(set.Test.Images)/batch], Labels: set.Test.Labels[:1]}
	s, err := reference.New().Open(context.Background(), backends.SessionConfig{Options: map[string]string{"round": "off"}})
	require.NoError(t, err)
	defer s.Close()
	_, err = Train(context.Background(), s, TrainConfig{Workload: w, Recipe: r, Data: set, Seed: 1, EvalBatch: 1},
		Hooks{Step: func(_, _ int64, loss float64) { list = append(list, loss) }})
	require.NoError(t, err)
	require.Len(t, list, steps)
	return list
}

func TestANetworkWithNormsAndDropoutLearns(t *testing.T) {
	l := losses(t, normed(), Optimizer{Kind: "sgd", LR: 0.1, Momentum: 0.9}, 12, 30)
	require.Less(t, l[len(l)-1], 0.8*l[0], "%v", l)
	require.False(t, math.IsNaN(l[len(l)-1]))
}
