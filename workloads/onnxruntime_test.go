package workloads

import (
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/calibrate"
	"github.com/clsbench/clsbench/workloads/data"
)

var onnxruntime = flag.String("onnxruntime", "", "folder in which npm install has put onnxruntime-node")

// peer runs models in ONNX Runtime. Without -onnxruntime there is none.
func peer(t *testing.T, folder string) {
	cmd := exec.CommandContext(t.Context(), "node", "testdata/onnxruntime/run.js", *onnxruntime, folder)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}

// exchange is a model, and our answers to fixed images, as logits N×classes.
type exchange struct {
	name   string
	ours   []float64
	within float64 // how far theirs may be off
	size   int     // classes
}

// put writes a program's model and its input, and answers it on cpu.
func put(t *testing.T, s backends.Session, folder, name string, p *graph.Program, opset int, image []byte) exchange {
	model, err := MarshalONNX(p, opset)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, name+".onnx"), model, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, name+".in"), image, 0o600))
	g, err := p.Infer()
	require.NoError(t, err)
	return exchange{name: name, ours: answersTo(t, s, p, image), size: g.Types[p.Fetches[0]].Shape[1]}
}

// theirs are ONNX Runtime's answers.
func theirs(t *testing.T, folder, name string) []float64 {
	b, err := os.ReadFile(filepath.Join(folder, name+".out"))
	require.NoError(t, err)
	require.Zero(t, len(b)%4)
	return (&tensor.Tensor{Type: tensor.T(tensor.F32, len(b)/4), Data: b}).Float64s()
}

// agrees holds answers of the peer's against ours: each within its tolerance, the
// same top-1 of every image.
func (e exchange) agrees(t *testing.T, got []float64) {
	require.Len(t, got, len(e.ours), e.name)
	worst, ties := 0.0, 0
	for i, v := range e.ours {
		require.False(t, math.IsNaN(got[i]), e.name)
		worst = max(worst, math.Abs(got[i]-v)/e.within)
	}
	t.Logf("%-40s worst of the tolerance %.3f", e.name, worst)
	require.LessOrEqual(t, worst, 1.0, "%s: an answer is off by so many times the tolerance", e.name)
	for i := 0; i < len(got); i += e.size {
		ours, its := e.ours[i:i+e.size], got[i:i+e.size]
		if best := top(ours); top(its) != best {
			require.LessOrEqual(t, ours[best]-ours[top(its)], e.within, "%s: top-1 of image %d", e.name, i/e.size)
			ties++
		}
	}
	if images := len(got) / e.size; images >= 100 {
		require.LessOrEqual(t, ties, images/100, "%s: so many images of another top-1", e.name)
	}
}

func top(logits []float64) int { return slices.Index(logits, slices.Max(logits)) }

func norm(x []float64) (largest float64) {
	for _, v := range x {
		largest = max(largest, math.Abs(v))
	}
	return largest
}

// floatTolerance is of the largest answer: the orders of f32 sums differ.
const floatTolerance = 2e-5

// Integers tolerate what rounding to them has itself moved the answers by: either
// side may round a value that lies between two the other way, and what follows
// moves on. Where weights are random and layers many, so that every rounding comes
// out differently in the end, that counts for both sides. A wrong scale or zero
// point moves answers by more.
const roundings = 2

func TestONNXRuntimeGivesTheSameAnswers(t *testing.T) {
	if *onnxruntime == "" {
		t.Skip("needs npm's onnxruntime-node: make onnxruntime installs it and runs this")
	}
	s, err := cpu.New().Open(t.Context(), backends.SessionConfig{})
	require.NoError(t, err)
	defer s.Close()
	compare := func(name string, models func(t *testing.T, folder string) []exchange) {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir() // which a large model does not outlive
			all := models(t, folder)
			peer(t, folder)
			for _, e := range all {
				e.agrees(t, theirs(t, folder, e.name))
			}
		})
	}
	compare("trained", func(t *testing.T, folder string) []exchange { return trainedLeNet(t, s, folder) })
	for _, spec := range variants() {
		w := lookup(t, spec)
		variant := w.Variant() != "" && (strings.HasPrefix(w.Name, "vit") || strings.HasPrefix(w.Name, "mobilenet"))
		if variant || w.Parameters() > 80e6 {
			continue // of training alone or of widths; a third of a gigabyte of a family that is here
		}
		compare(spec, func(t *testing.T, folder string) []exchange { return untrained(t, s, folder, w) })
	}
}

// untrained are a network's models by pseudo-random weights and images; of a large
// network the newest in floats.
func untrained(t *testing.T, s backends.Session, folder string, w *Workload) (list []exchange) {
	const large, batch = 12e6, 2
	weights := goldenWeights(w)
	pixels := make([]byte, batch*w.Input.bytes())
	for i := range pixels {
		pixels[i] = uint8(hashed(1, i) >> 24)
	}
	standard := unit(w.Input.Channels)
	front, err := w.Inference(batch, standard, weights)
	require.NoError(t, err)
	opsets := []int{graph.Opset}
	if w.Parameters() < large {
		opsets = append(opsets, youngestOf...)
	}
	for _, opset := range opsets {
		e := put(t, s, folder, fmt.Sprintf("f32-%d", opset), front, opset, pixels)
		e.within = floatTolerance * norm(e.ours)
		list = append(list, e)
	}
	if w.Parameters() > large {
		return list
	}
	exact := list[0].ours
	split := data.Split{Images: pixels, Labels: make([]int64, batch)}
	set := &data.Set{Name: "pixels", H: w.Input.Height, W: w.Input.Width, C: w.Input.Channels, Mean: standard.Mean, Std: standard.Std, Train: split, Test: split, Classes: make([]string, w.Classes)}
	for _, q := range []*Quantization{{Activations: tensor.U8}, {Method: calibrate.MinMax, Activations: tensor.U8}, {Method: calibrate.MinMax, Activations: tensor.S8}} {
		found, err := w.Calibrate(t.Context(), s, set, weights, q, 0)
		require.NoError(t, err)
		p, err := w.Quantized(batch, standard, weights, q, found)
		require.NoError(t, err)
		e := put(t, s, folder, q.String(), p, graph.Opset, pixels)
		e.within = roundings * apart(exact, e.ours)
		list = append(list, e)
	}
	return list
}

func apart(a, b []float64) float64 {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return norm(d)
}

// youngestOf are the opsets in which one more op of the networks' is decomposed,
// the oldest among them.
var youngestOf = []int{onnx.OldestWritten, 14, 17, 20, 23}

// trainedLeNet are the models of a trained network on images that it has not seen.
func trainedLeNet(t *testing.T, s backends.Session, folder string) (list []exchange) {
	const images = 500
	w := lookup(t, "lenet5")
	set, err := data.Open(t.Context(), "digits/v1", data.Options{TrainLimit: 6000, TestLimit: images})
	require.NoError(t, err)
	r := *w.Recipes[DefaultRecipe]
	r.Epochs = 2
	_, err = Train(t.Context(), s, TrainConfig{Workload: w, Recipe: &r, Data: set, Seed: 1}, Hooks{})
	require.NoError(t, err)
	weights, err := w.Trained(t.Context(), s, &r)
	require.NoError(t, err)
	standard := StandardOf(set)
	front, err := w.Inference(images, standard, weights)
	require.NoError(t, err)
	e := put(t, s, folder, "f32", front, graph.Opset, set.Test.Images)
	e.within = floatTolerance * norm(e.ours)
	list = append(list, e)
	for _, spec := range []string{"dynamic", "static:mse", "static:entropy,act=s8", "aware:mse"} {
		q, err := ParseQuantization(spec)
		require.NoError(t, err)
		found, err := w.Calibrate(t.Context(), s, set, weights, q, 0)
		require.NoError(t, err)
		p, err := w.Quantized(images, standard, weights, q, found)
		require.NoError(t, err)
		for _, opset := range []int{onnx.OldestWritten, graph.Opset} {
			e := put(t, s, folder, fmt.Sprintf("%s-%d", spec, opset), p, opset, set.Test.Images)
			e.within = apart(list[0].ours, e.ours)
			list = append(list, e)
		}
	}
	return list
}
