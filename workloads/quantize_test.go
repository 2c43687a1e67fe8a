package workloads_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads"
	"github.com/clsbench/clsbench/workloads/data"
)

func parsed(t testing.TB, spec string) *workloads.Quantization {
	q, err := workloads.ParseQuantization(spec)
	require.NoError(t, err)
	return q
}

func TestQuantizationSpecs(t *testing.T) {
	for spec, canonical := range map[string]string{
		"dynamic":                      "dynamic",
		"static":                       "static:mse",
		"static:entropy":               "static:entropy",
		"aware":                        "aware:mse",
		"aware:minmax,keep=last":       "aware:minmax,keep=last",
		"static:minmax,act=s8":         "static:minmax,act=s8",
		"static,keep=last,keep=first":  "static:mse,keep=first,keep=last",
		"dynamic,exclude=^fc[12]{1,2}": "dynamic,exclude=^fc[12]{1,2}",
	} {
		q := parsed(t, spec)
		require.Equal(t, canonical, q.String())
		require.Equal(t, q, parsed(t, canonical))
	}
	for spec, want := range map[string]string{
		"":                 "want dynamic, static[:METHOD] or aware[:METHOD]",
		"statically":       "want dynamic, static[:METHOD] or aware[:METHOD]",
		"dynamic:mse":      "want dynamic, static[:METHOD] or aware[:METHOD]",
		"static:best":      `calibration method "best": want minmax, percentile, mse, entropy`,
		"dynamic,act=s8":   "dynamic quantization is to u8",
		"static,act=s4":    `"act=s4": want act=u8, act=s8, keep=first`,
		"static,":          `"": want act=u8`,
		"static,exclude=(": "missing closing )",
	} {
		_, err := workloads.ParseQuantization(spec)
		require.ErrorContains(t, err, want, spec)
	}
}

// setOf is a data set of a network's images.
func setOf(w *workloads.Workload, train data.Split) *data.Set {
	in := w.Input
	return &data.Set{Name: "noise", Classes: make([]string, w.Classes), H: in.Height, W: in.Width, C: in.Channels, Train: train, Test: train,
		Mean: slices.Repeat([]float64{0.5}, in.Channels), Std: slices.Repeat([]float64{0.3}, in.Channels)}
}

// noisy are images that say nothing, as a data set's split.
func noisy(w *workloads.Workload, n int) data.Split {
	in := w.Input
	return data.Split{Labels: make([]int64, n), Images: tensor.FillSeeded(tensor.New(tensor.U8, n, in.Height, in.Width, in.Channels),
		tensor.Fill{Kind: tensor.Integers, Hi: 255}, 5, 0).Data}
}

func logits(t testing.TB, p *graph.Program, images []byte) *reference.Array {
	g, err := p.Infer()
	require.NoError(t, err)
	x := tensor.New(tensor.U8, p.Feeds[0].Type.Shape...)
	copy(x.Data, images)
	env := map[string]*reference.Array{workloads.FeedImage: reference.FromTensor(x)}
	_, err = reference.Eval(g, env, reference.Mode{})
	require.NoError(t, err)
	return env[p.Fetches[0]]
}

func openCPU(t testing.TB) backends.Session {
	s, err := cpu.New().Open(context.Background(), backends.SessionConfig{Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// Networks with their first weights, quantized in every way, are what they
// were but for the noise of 8 bits, in float64, and shrink as they should.
func TestQuantizedWorkloads(t *testing.T) {
	s := openCPU(t)
	for _, c := range []struct {
		workload string
		specs    []string
		noise    float64 // root mean square of the error by that of the logits
		shrinks  float64
	}{
		{"lenet5", []string{"dynamic", "static:minmax", "static:percentile", "static:mse", "static:entropy", "static:mse,act=s8"}, 0.08, 0.73},
		{"resnet20", []string{"dynamic", "static:mse"}, 0.15, 0.73},
		{"mobilenetv3-small-0.5", []string{"static:mse"}, 0.4, 0.73},
	} {
		w, err := workloads.Lookup(c.workload)
		require.NoError(t, err)
		weights, images := w.Init(1), noisy(w, 48)
		set := setOf(w, images)
		standard := workloads.StandardOf(set)
		plain, err := w.Inference(2, standard, weights)
		require.NoError(t, err)
		want := logits(t, plain, images.Images)
		for _, spec := range c.specs {
			q := parsed(t, spec)
			found, err := w.Calibrate(context.Background(), s, set, weights, q, 1)
			require.NoError(t, err)
			p, err := w.Quantized(2, standard, weights, q, found)
			require.NoError(t, err)
			got := logits(t, p, images.Images)
			e, size := 0.0, 0.0
			for i, v := range want.Data {
				e += (got.Data[i] - v) * (got.Data[i] - v)
				size += v * v
			}
			require.Less(t, math.Sqrt(e/size), c.noise, "%s %s", c.workload, spec)
			require.Positive(t, e)
			require.Less(t, float64(workloads.TensorBytes(p)), (1-c.shrinks)*float64(weights.Bytes()), "%s %s", c.workload, spec)

			bare, err := w.Uncalibrated(2, standard, weights, q)
			require.NoError(t, err)
			require.Equal(t, len(p.Nodes), len(bare.Nodes))
		}
	}
}

// The same images, whatever their order in memory says, give the same ranges;
// other seeds draw others.
func TestCalibrationIsSeeded(t *testing.T) {
	s := openCPU(t)
	w, err := workloads.Lookup("lenet5")
	require.NoError(t, err)
	weights, images := w.Init(1), noisy(w, 800)
	of := func(spec string, seed uint64) any {
		found, err := w.Calibrate(context.Background(), s, setOf(w, images), weights, parsed(t, spec), seed)
		require.NoError(t, err)
		return found.Ranges
	}
	require.Equal(t, of("static:mse", 1), of("static:mse", 1))
	require.NotEqual(t, of("static:mse", 1), of("static:mse", 2))
	require.Len(t, of("static:minmax", 1), 5)
	require.Len(t, of("static:minmax,keep=first,exclude=^fc", 1), 1)
	require.Empty(t, of("dynamic", 1))

	for want, c := range map[string]struct {
		spec   string
		images data.Split
	}{
		"no images":                  {"static", data.Split{}},
		"leaves every node in float": {"static,exclude=.", images},
	} {
		_, err := w.Calibrate(context.Background(), s, setOf(w, c.images), weights, parsed(t, c.spec), 1)
		require.ErrorContains(t, err, want)
	}
	weights["conv1.bias"].SetFloat64s([]float64{math.NaN(), 0, 0, 0, 0, 0})
	_, err = w.Calibrate(context.Background(), s, setOf(w, images), weights, parsed(t, "static"), 1)
	require.ErrorContains(t, err, "a value is NaN")
}

// LeNet-5 that has learned its digits keeps what it knows.
func TestQuantizationKeepsAccuracy(t *testing.T) {
	ctx, s := context.Background(), openCPU(t)
	w, err := workloads.Lookup("lenet5")
	require.NoError(t, err)
	set, err := data.Open(ctx, "digits/v1", data.Options{TrainLimit: 6000, TestLimit: 2000})
	require.NoError(t, err)
	recipe := *w.Recipes[workloads.DefaultRecipe]
	recipe.Epochs, recipe.Target, recipe.Floor = 5, 1, 0
	trained, err := workloads.Train(ctx, s, workloads.TrainConfig{Workload: w, Recipe: &recipe, Data: set, Seed: 3}, workloads.Hooks{})
	require.NoError(t, err)
	require.Greater(t, trained.Final.Top1, 0.85, "too little was learned to lose any of it")
	state, err := w.Evaluation(1, workloads.StandardOf(set))
	require.NoError(t, err)
	weights, err := workloads.Snapshot(ctx, s, state.State)
	require.NoError(t, err)
	for _, spec := range []string{"dynamic", "static:minmax", "static:percentile", "static:mse", "static:entropy", "static:mse,act=s8", "aware:mse"} {
		q := parsed(t, spec)
		found, err := w.Calibrate(ctx, s, set, weights, q, 1)
		require.NoError(t, err)
		require.Equal(t, q.Aware, len(found.Tuned) == 10, "weights and biases")
		p, err := w.Quantized(100, workloads.StandardOf(set), weights, q, found)
		require.NoError(t, err)
		e, err := workloads.NewEvaluator(ctx, s, p, 4)
		require.NoError(t, err)
		got, err := e.Run(ctx, set.Test)
		require.NoError(t, err)
		require.NoError(t, e.Close())
		t.Logf("%s: %.4f, in floats %.4f", spec, got.Top1, trained.Final.Top1)
		require.GreaterOrEqual(t, got.Top1, trained.Final.Top1-0.01, spec)
	}
}
