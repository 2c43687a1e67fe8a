package workloads

import (
	"bytes"
	"maps"
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
	"github.com/clsbench/clsbench/workloads/safetensors"
)

// weightsOf writes tensors as safetensors.
func weightsOf(t testing.TB, tensors map[string]*tensor.Tensor, metadata map[string]string) string {
	var b bytes.Buffer
	require.NoError(t, safetensors.Encode(&b, tensors, metadata))
	return fileOf(t, b.Bytes())
}

func fileOf(t testing.TB, b []byte) string {
	path := filepath.Join(t.TempDir(), "weights")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

// small are the networks whose weights a test may fill.
func small() (list []*Workload) {
	for _, spec := range variants() {
		if w, err := Lookup(spec); err == nil && w.Parameters() < 3e6 {
			list = append(list, w)
		}
	}
	return list
}

func TestExportedWeightsComeBackBitForBit(t *testing.T) {
	for _, w := range small() {
		want := goldenWeights(w)
		var b bytes.Buffer
		require.NoError(t, WriteWeights(&b, want))
		read, err := w.ReadWeights(fileOf(t, b.Bytes()), false)
		require.NoError(t, err)
		require.Equal(t, want, read.Weights, w.String())
		require.Len(t, read.SHA256, 64)

		p, err := w.Bare(1, want)
		require.NoError(t, err)
		for _, opset := range []int{onnx.OldestWritten, graph.Opset} {
			model, err := MarshalONNX(p, opset)
			require.NoError(t, err)
			read, err = w.ReadWeights(fileOf(t, model), false)
			require.NoError(t, err, w.String())
			require.Equal(t, want, read.Weights, w.String())
		}
	}
}

func floatsOf(x *tensor.Tensor) []float32 {
	if x.DType != tensor.F32 {
		return nil
	}
	return tensor.View[float32](x.Data)
}

// renamed are a network's weights by another's names.
func renamed(w *Workload, n naming) map[string]*tensor.Tensor {
	out := map[string]*tensor.Tensor{}
	for name, x := range goldenWeights(w) {
		out[n.theirs(name)] = x
		if strings.HasSuffix(name, "running_mean") {
			out[strings.TrimSuffix(n.theirs(name), "running_mean")+"num_batches_tracked"] = tensor.Scalar(tensor.S64, 7)
		}
	}
	return out
}

func TestWeightsOfOtherNamesAreOurs(t *testing.T) {
	for _, spec := range []string{"vit-micro", "resnet20"} {
		w := lookup(t, spec)
		for _, n := range w.namings() {
			read, err := w.ReadWeights(weightsOf(t, renamed(w, n), nil), false)
			require.NoError(t, err, n.whose)
			require.Equal(t, goldenWeights(w), read.Weights, n.whose)
		}
	}
}

// timm's linear layer before MobileNetV3's classifier is a convolution, and its
// norms have another ε: the network's answers must be those of its ε.
func TestMobileNetOfTimmGivesItsAnswers(t *testing.T) {
	w := lookup(t, "mobilenetv3-small-0.35")
	theirs, ours := renamed(w, *w.timm), goldenWeights(w)
	for name, x := range theirs {
		factor := float32(1)
		if strings.HasSuffix(name, "running_var") { // so small that ε counts
			factor = 1e-3
		} else if theirs[strings.TrimSuffix(name, "weight")+"running_var"] != nil { // and the scale to go with it
			factor = 0.03
		}
		for i, v := 0, floatsOf(x); i < len(v); i++ {
			v[i] *= factor
		}
	}
	for _, p := range w.tensors() {
		copy(ours[p.Name].Data, theirs[w.timm.theirs(p.Name)].Data)
	}
	p, err := w.Bare(2, ours)
	require.NoError(t, err)
	changed := 0
	for i := range p.Nodes {
		if p.Nodes[i].Op == "BatchNormalization" {
			p.Nodes[i].Attrs["epsilon"] = graph.F(timmEpsilon)
			changed++
		}
	}
	require.Positive(t, changed)
	head := theirs["conv_head.weight"]
	theirs["conv_head.weight"] = &tensor.Tensor{Type: tensor.T(tensor.F32, append(head.Shape.Clone(), 1, 1)...), Data: head.Data}
	read, err := w.ReadWeights(weightsOf(t, theirs, nil), false)
	require.NoError(t, err)
	q, err := w.Bare(2, read.Weights)
	require.NoError(t, err)
	s, err := cpu.New().Open(t.Context(), backends.SessionConfig{})
	require.NoError(t, err)
	defer s.Close()
	requireClose(t, answers(t, s, p), answers(t, s, q))
}

func TestWeightsOfOtherFloatsAreConverted(t *testing.T) {
	w := lookup(t, "lenet5")
	theirs := map[string]*tensor.Tensor{}
	for name, x := range w.Init(1) {
		theirs[name] = tensor.Of(tensor.BF16, x.Shape, x.Float64s()...)
	}
	read, err := w.ReadWeights(weightsOf(t, theirs, nil), false)
	require.NoError(t, err)
	for name, x := range read.Weights {
		require.Equal(t, tensor.F32, x.DType)
		require.Equal(t, theirs[name].Float64s(), x.Float64s())
	}
}

func TestWeightsThatDoNotFitAreRefused(t *testing.T) {
	w := lookup(t, "resnet20")
	change := func(f func(map[string]*tensor.Tensor)) string {
		x := w.Init(1)
		f(x)
		return weightsOf(t, x, nil)
	}
	classes := func(x map[string]*tensor.Tensor) {
		x["fc.weight"], x["fc.bias"] = tensor.New(tensor.F32, 7, 64), tensor.New(tensor.F32, 7)
	}
	whole, err := os.ReadFile(weightsOf(t, w.Init(1), nil))
	require.NoError(t, err)
	folder := t.TempDir()
	for want, path := range map[string]string{
		"no tensor layer1.0.bn1.weight 16, which resnet20 has": change(func(x map[string]*tensor.Tensor) { delete(x, "layer1.0.bn1.weight") }),
		"tensor layer9 is none of resnet20's":                  change(func(x map[string]*tensor.Tensor) { x["layer9"] = tensor.New(tensor.F32, 1) }),
		"tensor conv1.weight is 16x3x5x5, resnet20 has 16x3x3x3": change(func(x map[string]*tensor.Tensor) {
			x["conv1.weight"] = tensor.New(tensor.F32, 16, 3, 5, 5)
		}),
		"tensor conv1.weight is of s8: want floats": change(func(x map[string]*tensor.Tensor) {
			x["conv1.weight"] = tensor.New(tensor.S8, 16, 3, 3, 3)
		}),
		"tensor fc.weight is of 7 classes, resnet20 has 10: --new-head begins with a fresh classifier": change(classes),
		"tensors is named as one of resnet20: want torchvision's (conv1.weight) names":                 weightsOf(t, lookup(t, "mobilenetv3-small-0.35").Init(1), nil),
		"no such file":                          filepath.Join(folder, "none"),
		"not a file":                            folder,
		"it is of another network":              fileOf(t, make([]byte, 64<<20)),
		"neither safetensors nor an ONNX model": fileOf(t, []byte("pickle")),
		"ends within":                           fileOf(t, whole[:len(whole)-1]),
	} {
		_, err := w.ReadWeights(path, false)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, path)
		require.NotContains(t, err.Error(), "\n")
	}

	read, err := w.ReadWeights(change(classes), true)
	require.NoError(t, err)
	require.True(t, read.NewHead)
	require.NotContains(t, read.Weights, "fc.weight")
	first := read.First(w, 5)
	require.Equal(t, w.Init(5)["fc.weight"], first["fc.weight"])
	require.Equal(t, w.Init(1)["conv1.weight"], first["conv1.weight"])
}

func TestModelsWithoutTheirWeightsAreRefused(t *testing.T) {
	w := lookup(t, "resnet20")
	standard := unit(3)
	folded, err := w.Folded(1, standard, w.Init(1))
	require.NoError(t, err)
	q := &Quantization{Activations: tensor.U8}
	rounded, err := w.Uncalibrated(1, standard, w.Init(1), q)
	require.NoError(t, err)
	for want, p := range map[string]*graph.Program{
		"batch norms are folded":  folded,
		"it is a model in 8 bits": rounded,
	} {
		model, err := MarshalONNX(p, graph.Opset)
		require.NoError(t, err)
		_, err = w.ReadWeights(fileOf(t, model), false)
		require.ErrorContains(t, err, want)
	}
}

// A checkpoint has what evaluation saw: the averages where the recipe keeps them.
func TestWeightsOfACheckpoint(t *testing.T) {
	w := lookup(t, "lenet5")
	state := map[string]*tensor.Tensor(w.Init(1))
	for name, x := range w.Init(2) {
		state[name+averageSuffix] = x
	}
	state[StateStep] = tensor.Scalar(tensor.S64, 9)
	metadata := map[string]string{manifestKey: `{"workload":"lenet5"}`, digestKey: digest(state)}
	read, err := w.ReadWeights(weightsOf(t, state, metadata), false)
	require.NoError(t, err)
	require.Equal(t, w.Init(2), read.Weights)

	other := maps.Clone(metadata)
	other[manifestKey] = `{"workload":"lenet5;pool=max"}`
	_, err = w.ReadWeights(weightsOf(t, state, other), false)
	require.ErrorContains(t, err, "it is a checkpoint of lenet5;pool=max, not of lenet5")
	other[manifestKey], other[digestKey] = metadata[manifestKey], "00"
	_, err = w.ReadWeights(weightsOf(t, state, other), false)
	require.ErrorContains(t, err, "it is damaged")
}

// Where timm's mobilenetv3.py and vision_transformer.py have what torchvision has:
// a stage's first block, blocks with and without expansion and excitation, both ends.
func TestNamesOfTimm(t *testing.T) {
	for spec, pairs := range map[string]map[string]string{
		"mobilenetv3-large": {
			"features.0.0.weight": "conv_stem.weight", "features.0.1.running_mean": "bn1.running_mean",
			"features.1.block.0.0.weight": "blocks.0.0.conv_dw.weight", "features.1.block.1.0.weight": "blocks.0.0.conv_pw.weight",
			"features.1.block.1.1.bias": "blocks.0.0.bn2.bias", "features.2.block.0.0.weight": "blocks.1.0.conv_pw.weight",
			"features.3.block.2.1.weight": "blocks.1.1.bn3.weight", "features.4.block.1.0.weight": "blocks.2.0.conv_dw.weight",
			"features.4.block.2.fc1.weight": "blocks.2.0.se.conv_reduce.weight", "features.6.block.2.fc2.bias": "blocks.2.2.se.conv_expand.bias",
			"features.10.block.2.0.weight": "blocks.3.3.conv_pwl.weight", "features.12.block.3.0.weight": "blocks.4.1.conv_pwl.weight",
			"features.15.block.3.1.weight": "blocks.5.2.bn3.weight", "features.16.0.weight": "blocks.6.0.conv.weight",
			"features.16.1.running_var": "blocks.6.0.bn1.running_var", "classifier.0.weight": "conv_head.weight", "classifier.3.bias": "classifier.bias",
		},
		"mobilenetv3-small": {
			"features.1.block.0.0.weight": "blocks.0.0.conv_dw.weight", "features.1.block.1.fc1.weight": "blocks.0.0.se.conv_reduce.weight",
			"features.1.block.2.0.weight": "blocks.0.0.conv_pw.weight", "features.2.block.2.0.weight": "blocks.1.0.conv_pwl.weight",
			"features.6.block.1.0.weight": "blocks.2.2.conv_dw.weight", "features.8.block.3.1.bias": "blocks.3.1.bn3.bias",
			"features.11.block.2.fc1.bias": "blocks.4.2.se.conv_reduce.bias", "features.12.0.weight": "blocks.5.0.conv.weight",
		},
		"vit-b16": {
			"class_token": "cls_token", "encoder.pos_embedding": "pos_embed", "conv_proj.bias": "patch_embed.proj.bias",
			"encoder.layers.encoder_layer_11.ln_1.weight":                   "blocks.11.norm1.weight",
			"encoder.layers.encoder_layer_1.self_attention.in_proj_weight":  "blocks.1.attn.qkv.weight",
			"encoder.layers.encoder_layer_1.self_attention.in_proj_bias":    "blocks.1.attn.qkv.bias",
			"encoder.layers.encoder_layer_0.self_attention.out_proj.weight": "blocks.0.attn.proj.weight",
			"encoder.layers.encoder_layer_2.ln_2.bias":                      "blocks.2.norm2.bias",
			"encoder.layers.encoder_layer_2.mlp.0.weight":                   "blocks.2.mlp.fc1.weight",
			"encoder.layers.encoder_layer_2.mlp.3.bias":                     "blocks.2.mlp.fc2.bias",
			"encoder.ln.weight": "norm.weight", "heads.head.weight": "head.weight",
		},
	} {
		w := lookup(t, spec)
		for ours, theirs := range pairs {
			require.True(t, slices.ContainsFunc(w.tensors(), func(p Param) bool { return p.Name == ours }), ours)
			require.Equal(t, theirs, w.timm.theirs(ours), spec)
		}
		seen := map[string]bool{}
		for _, p := range w.tensors() {
			name := w.timm.theirs(p.Name)
			require.False(t, seen[name], name)
			require.False(t, strings.Contains(name, "features") || strings.Contains(name, "encoder"), name)
			seen[name] = true
		}
	}
}

// What torch.onnx.export writes of the same networks, with goldenWeights: read back
// where it keeps names and norms, refused with the mend where it folds them.
func TestModelsOfTorchAreRead(t *testing.T) {
	const python = "/usr/bin/python3" // Debian's, which has its packages
	if testing.Short() {
		t.Skip("starts PyTorch; without -short it runs")
	}
	if err := exec.CommandContext(t.Context(), python, "-c", "import torchvision").Run(); err != nil {
		t.Skipf("needs Debian's python3-torchvision: %v", err)
	}
	folder := t.TempDir()
	out, err := exec.CommandContext(t.Context(), python, "testdata/torchvision/export.py", folder).CombinedOutput()
	require.NoError(t, err, "%s", out)
	for spec, folded := range map[string]string{
		"lenet5":                 "", // has nothing that folds
		"resnet20":               "its batch norms are folded into the convolutions: give a model that keeps them",
		"mobilenetv3-small-0.35": "its batch norms are folded",
		"vit-micro":              "do_constant_folding=False leaves them",
	} {
		w := lookup(t, spec)
		read, err := w.ReadWeights(filepath.Join(folder, spec+".onnx"), false)
		require.NoError(t, err, spec)
		require.Equal(t, goldenWeights(w), read.Weights, spec)
		if folded != "" {
			_, err = w.ReadWeights(filepath.Join(folder, spec+".folded.onnx"), false)
			require.ErrorContains(t, err, folded, spec)
		}
	}
}

// Whatever is read is a network's weights, or one line says why not.
func FuzzReadWeights(f *testing.F) {
	w, err := Lookup("lenet5")
	require.NoError(f, err)
	var b bytes.Buffer
	require.NoError(f, WriteWeights(&b, w.Init(0)))
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:len(b.Bytes())-1])
	p, err := w.Bare(1, w.Init(0))
	require.NoError(f, err)
	model, err := MarshalONNX(p, graph.Opset)
	require.NoError(f, err)
	f.Add(model)
	f.Add(model[:len(model)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		read, err := w.ReadWeights(fileOf(t, b), false)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.Len(t, read.Weights, len(w.tensors()))
	})
}
