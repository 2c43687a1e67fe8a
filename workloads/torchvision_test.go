package workloads

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// trained is a file of testdata/torchvision/golden: what golden.py says there.
type trained struct {
	Workload  string
	Batch     int
	Before    sketch // logits, of all images
	First     []float64
	Losses    []float64
	Noise     []float64 // of the losses
	After     sketch
	Gradients map[string]sketch
}

// sketch is a tensor's norm, the sum of its elements with pseudo-random signs,
// and the norm of what PyTorch's f32 is off.
type sketch struct{ Norm, Signed, Noise float64 }

// hashed is golden.py's hash32: the i-th of the words that a name gives.
func hashed(name uint32, i int) uint32 {
	h := uint32(i)*0x9E3779B1 + name
	h ^= h >> 15
	h *= 0x85EBCA77
	h ^= h >> 13
	h *= 0xC2B2AE3D
	return h ^ h>>16
}

func sketchOf(name string, t *tensor.Tensor) sketch {
	h, squares, signed := streamOf(name), 0.0, 0.0
	for i, v := range tensor.View[float32](t.Data) {
		v := float64(v)
		squares += v * v
		if hashed(h, i)&1 == 0 {
			v = -v
		}
		signed += v
	}
	return sketch{Norm: math.Sqrt(squares), Signed: signed}
}

// goldenWeights are golden.py's first parameters and buffers.
func goldenWeights(w *Workload) Weights {
	out := Weights{}
	for _, p := range w.tensors() {
		t, name := tensor.New(p.Type.DType, p.Type.Shape...), streamOf(p.Name)
		centre, bound := goldenRange(filepath.Ext("."+p.Name), p.Type.Shape)
		for i, v := 0, tensor.View[float32](t.Data); i < len(v); i++ {
			v[i] = float32((centre - bound) + 2*bound*(float64(hashed(name, i)>>8)/(1<<24)))
		}
		out[p.Name] = t
	}
	return out
}

func goldenRange(last string, s tensor.Shape) (centre, bound float64) {
	switch {
	case last == ".running_var", last == ".weight" && len(s) == 1:
		return 0.5, 0.1
	case len(s) < 2:
		return 0, 0.1
	case len(s) == 3:
		return 0, 0.5
	}
	return 0, math.Sqrt(6 / float64(s[1:].Elements()))
}

// What golden.py trains with.
const (
	goldenRate     = 0.001
	goldenMomentum = 0.9
	goldenDecay    = 1e-4
)

// openGolden compiles p, with one slot a tensor, and feeds golden.py's images.
func openGolden(t *testing.T, s backends.Session, p *graph.Program) *backends.Bound {
	p, err := backends.Fit(t.Context(), s, p)
	require.NoError(t, err)
	b, err := backends.CompileBound(t.Context(), s, p, func(string) int { return 1 }, nil)
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	image, name := b.At(FeedImage, 0), streamOf("image")
	for i := range image {
		image[i] = uint8(hashed(name, i) >> 24)
	}
	return b
}

// agree holds one network on cpu, in f32, against golden.py's float64.
func agree(t *testing.T, w *Workload, want trained) {
	s, err := cpu.New().Open(t.Context(), backends.SessionConfig{})
	require.NoError(t, err)
	defer s.Close()
	half := Standard{}
	for range w.Input.Channels {
		half.Mean, half.Std = append(half.Mean, 0.5), append(half.Std, 0.5)
	}
	sgd := &Recipe{Optimizer: Optimizer{Kind: "sgd", LR: goldenRate, Momentum: goldenMomentum, WeightDecay: goldenDecay}}
	p, err := w.Training(want.Batch, half, sgd, true)
	require.NoError(t, err)
	step := openGolden(t, s, p)
	weights := goldenWeights(w)
	for _, v := range p.State {
		if weights[v.Name] == nil {
			weights[v.Name] = tensor.New(v.Type.DType, v.Type.Shape...)
		}
	}
	require.NoError(t, Restore(t.Context(), s, p.State, weights))
	e, err := w.Evaluation(want.Batch, half)
	require.NoError(t, err)
	evaluation := openGolden(t, s, e)
	answer := func() *tensor.Tensor {
		_, err := evaluation.Run(t.Context(), backends.RunRequest{Steps: 1})
		require.NoError(t, err)
		return &tensor.Tensor{Type: tensor.T(tensor.F32, want.Batch, w.Classes), Data: evaluation.At(e.Fetches[0], 0)}
	}

	before := answer()
	requireSketch(t, want.Before, sketchOf("logits", before), "logits before training")
	require.InDeltaSlice(t, want.First, before.Float64s()[:len(want.First)], tolerance(want.Before))
	labels, name := tensor.View[int64](step.At(FeedLabel, 0)), streamOf("label")
	for i := range labels {
		labels[i] = int64(hashed(name, i) % uint32(w.Classes))
	}
	tensor.View[float32](step.At(FeedLR, 0))[0] = goldenRate
	for i, loss := range want.Losses {
		_, err := step.Run(t.Context(), backends.RunRequest{First: int64(i), Steps: 1})
		require.NoError(t, err)
		require.InDelta(t, loss, tensor.View[float32](step.At(p.Fetches[0], 0))[0], tolerance(sketch{Norm: loss, Noise: want.Noise[i]}), "loss of step %d", i)
		if i > 0 {
			continue
		}
		require.Len(t, want.Gradients, len(w.Params()))
		for j, q := range w.Params() {
			g := &tensor.Tensor{Type: q.Type, Data: step.At(p.Fetches[1+j], 0)}
			requireSketch(t, want.Gradients[q.Name], sketchOf(q.Name, g), q.Name)
		}
	}
	requireSketch(t, want.After, sketchOf("logits", answer()), "logits after training")
}

// tolerance of a tensor: a few times what PyTorch's f32 is off, whose errors
// have other signs and, by its own orders of summation, another size.
func tolerance(want sketch) float64 { return 12*want.Noise + 3e-5*want.Norm }

func requireSketch(t *testing.T, want, got sketch, what string) {
	require.InDelta(t, want.Norm, got.Norm, tolerance(want), "%s: %v, want %v", what, got, want)
	require.InDelta(t, want.Signed, got.Signed, tolerance(want), "%s: %v, want %v", what, got, want)
}

func TestEveryNetworkAgreesWithTorchvision(t *testing.T) {
	files, err := filepath.Glob("testdata/torchvision/golden/*.json")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var want trained
		require.NoError(t, json.Unmarshal(text, &want))
		w := lookup(t, want.Workload)
		seen[w.Name] = true
		t.Run(want.Workload, func(t *testing.T) {
			if testing.Short() && w.Parameters() > 1e6 {
				t.Skip("large; without -short it runs")
			}
			agree(t, w, want)
		})
	}
	for _, w := range All() {
		require.True(t, seen[w.Name], "golden.py has no %s", w.Name)
	}
}
