package workloads

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// What PyTorch makes of the same recipes, by testdata/training/generate.py.
func goldenTraining[T any](t *testing.T, file string) (cases []T) {
	content, err := os.ReadFile("testdata/training/" + file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(content, &cases))
	require.NotEmpty(t, cases)
	return cases
}

// part reads a part of a recipe, which the golden cases write as its file does.
func part(t *testing.T, fields any, into any) {
	text, err := yaml.Dump(fields)
	require.NoError(t, err)
	require.NoError(t, yaml.Load(text, into, yaml.WithKnownFields()))
}

func TestRatesArePyTorchs(t *testing.T) {
	type golden struct {
		Schedule map[string]any
		LR       float64
		Epochs   int
		PerEpoch int64 `json:"per_epoch"`
		Rates    []float64
	}
	kinds := map[string]bool{}
	for _, c := range goldenTraining[golden](t, "schedules.json") {
		r := recipe()
		r.Optimizer.LR, r.Epochs, r.Schedule = c.LR, c.Epochs, Schedule{}
		part(t, c.Schedule, &r.Schedule)
		require.NoError(t, r.Validate())
		kinds[r.Schedule.Kind] = true
		var got []float64
		for step := range int64(c.Epochs) * c.PerEpoch {
			got = append(got, r.Rate(step, c.PerEpoch))
		}
		require.InDeltaSlice(t, c.Rates, got, 1e-12, "%v", c.Schedule)
	}
	require.Len(t, kinds, len(scheduleKinds))
}

// goldenNet is generate.py's Net.
func goldenNet() *Workload {
	return around(Input{3, 3, 1}, 3, func(n *Net, x graph.Value) graph.Value {
		x = n.Tanh(n.BatchNorm2d("bn", n.Conv2d("conv", x, Conv{Out: 2, Kernel: 2}), BatchNorm{}))
		return n.Linear("fc", n.Flatten(x), 3, nil)
	})
}

type goldenStep struct {
	LR, Loss float64
	Norm     float64 // of the gradients before they were clipped
	Images   []float64
	Labels   []int64
	Targets  []float64
	State    map[string][]float64
	Average  map[string][]float64
}

// Steps through a real session: optimizers, exemptions from decay, clipping,
// smoothed and soft targets, averages.
func TestStepsArePyTorchs(t *testing.T) {
	type golden struct {
		Recipe map[string]any
		Batch  int
		Start  map[string][]float64
		Steps  []goldenStep
	}
	kinds, clipped, whole := map[string]bool{}, 0, 0
	for _, c := range goldenTraining[golden](t, "updates.json") {
		r := recipe()
		r.Optimizer, r.Batch = Optimizer{LR: 1}, c.Batch
		part(t, c.Recipe, r)
		require.NoError(t, r.Validate())
		kinds[r.Optimizer.Kind] = true
		w := goldenNet()
		p, err := w.Training(c.Batch, unit(1), r, false)
		require.NoError(t, err)
		s, run := stepper(t, p, c.Start)
		for i, step := range c.Steps {
			if step.Norm > r.Optimizer.ClipNorm {
				clipped++
			} else if step.Norm > 0 {
				whole++
			}
			require.InDelta(t, step.Loss, run(step), 1e-6, "%v, step %d", c.Recipe, i)
			state, err := Snapshot(context.Background(), s, p.State)
			require.NoError(t, err)
			for name, want := range step.State {
				require.InDeltaSlice(t, want, state[name].Float64s(), 1e-6, "%v, step %d, %s", c.Recipe, i, name)
			}
			for name, want := range step.Average {
				require.InDeltaSlice(t, want, state[name+averageSuffix].Float64s(), 1e-6, "%v, step %d, average of %s", c.Recipe, i, name)
			}
		}
		trained, err := w.Trained(context.Background(), s, r)
		require.NoError(t, err)
		last := c.Steps[len(c.Steps)-1]
		want := last.State
		if r.EMA > 0 {
			want = last.Average
		}
		require.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(trained)))
		for name := range want {
			require.InDeltaSlice(t, want[name], trained[name].Float64s(), 1e-6, name)
		}
	}
	require.Len(t, kinds, len(optimizerOps))
	require.Positive(t, clipped)
	require.Positive(t, whole)
}

// stepper compiles a training program on the reference, gives it its first
// state, and returns what runs one step and gives its loss.
func stepper(t *testing.T, p *graph.Program, start map[string][]float64) (backends.Session, func(goldenStep) float64) {
	ctx := context.Background()
	s, err := reference.New().Open(ctx, backends.SessionConfig{Options: map[string]string{"round": "off"}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	exe, err := backends.CompileBound(ctx, s, p, func(string) int { return 1 }, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, exe.Close()) })
	weights := Weights{}
	for _, v := range p.State {
		if start[v.Name] != nil {
			weights[v.Name] = tensor.Of(v.Type.DType, v.Type.Shape, start[v.Name]...)
		}
	}
	require.Len(t, weights, len(start))
	require.NoError(t, Restore(ctx, s, p.State, FirstState(p.State, weights)))
	return s, func(step goldenStep) float64 {
		for i, v := range step.Images {
			exe.At(FeedImage, 0)[i] = byte(v)
		}
		copy(tensor.View[int64](exe.At(FeedLabel, 0)), step.Labels)
		for i, v := range step.Targets {
			tensor.View[float32](exe.At(FeedLabel, 0))[i] = float32(v)
		}
		tensor.View[float32](exe.At(FeedLR, 0))[0] = float32(step.LR)
		_, err := exe.Run(ctx, backends.RunRequest{Steps: 1})
		require.NoError(t, err)
		return float64(tensor.View[float32](exe.At(p.Fetches[0], 0))[0])
	}
}
