package workloads

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/calibrate"
)

// What is trained between fake quantizers computes what will be computed
// between real ones, but for the rounding of biases; its parameters are the
// folded weights and biases, each with a gradient, and no norm is left.
func TestAwareNetworksComputeWhatTheyWill(t *testing.T) {
	for _, spec := range []string{"resnet20", "mobilenetv3-small-0.5", "vit-micro"} {
		w := lookup(t, spec)
		standard := Standard{Mean: slices.Repeat([]float64{0.5}, 3), Std: slices.Repeat([]float64{0.3}, 3)}
		weights, q := w.Init(1), &Quantization{Method: calibrate.MinMax, Activations: tensor.U8, Aware: true, KeepFirst: spec == "vit-micro"}
		for name, x := range weights { // a head begins at 0, and its logits say nothing
			if len(x.Type.Shape) == 2 {
				tensor.FillSeeded(x, tensor.Fill{Kind: tensor.Normal, Hi: 0.1}, 2, streamOf(name))
			}
		}
		folded, err := w.Folded(1, standard, weights)
		require.NoError(t, err)
		names, err := pass.Quantizable(folded, q.pass(nil))
		require.NoError(t, err)
		image := tensor.FillSeeded(tensor.New(tensor.U8, 1, 32, 32, 3), tensor.Fill{Kind: tensor.Integers, Hi: 255}, 9, 0)
		env := evaluated(t, folded, image, nil)
		ranges := map[string]pass.Range{}
		for _, n := range names {
			ranges[n] = pass.Range{Lo: slices.Min(env[n].Data), Hi: slices.Max(env[n].Data)}
		}

		a := &aware{w, standard, weights, q, ranges}
		d := a.workload()
		program, err := d.Evaluation(1, standard)
		require.NoError(t, err)
		got := evaluated(t, program, image, a.first())[program.Fetches[0]].Data
		real, err := w.Quantized(1, standard, weights, q, &Calibration{Ranges: ranges})
		require.NoError(t, err)
		want := evaluated(t, real, image, nil)[real.Fetches[0]].Data
		plain := env[folded.Fetches[0]].Data
		require.Less(t, distance(want, got), 0.05*distance(nil, want), spec)
		require.Greater(t, distance(plain, got), 1e-4*distance(nil, plain), "%s: nothing is quantized", spec)

		training, err := d.Training(2, standard, w.tuneRecipe(), false)
		require.NoError(t, err, spec)
		ops := map[string]int{}
		for _, n := range training.Nodes {
			ops[n.Op]++
		}
		products, err := pass.Quantized(folded, q.pass(ranges))
		require.NoError(t, err)
		require.Equal(t, len(products)+len(names), ops["FakeQuantize"], spec)
		require.GreaterOrEqual(t, ops["FakeQuantizeGrad"], len(products), spec)
		require.Zero(t, ops["BatchNormalization"]+ops["BatchNormalizationTraining"], spec)
		require.Len(t, d.Params(), 2*len(products), spec)
	}
}

// distance is the Euclidean one; nil is the origin.
func distance(a, b []float64) float64 {
	sum := 0.0
	for i, v := range b {
		if a != nil {
			v -= a[i]
		}
		sum += v * v
	}
	return math.Sqrt(sum)
}

func evaluated(t *testing.T, p *graph.Program, image *tensor.Tensor, state Weights) map[string]*reference.Array {
	g, err := p.Infer()
	require.NoError(t, err)
	env := map[string]*reference.Array{FeedImage: reference.FromTensor(image)}
	for _, v := range p.State {
		require.NotNil(t, state[v.Name], v.Name)
		env[v.Name] = reference.FromTensor(state[v.Name])
	}
	_, err = reference.Eval(g, env, reference.Mode{Threads: 2})
	require.NoError(t, err)
	return env
}
