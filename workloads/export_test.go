package workloads

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/safetensors"
)

// answers are the logits that p gives for fixed images on cpu.
func answers(t *testing.T, s backends.Session, p *graph.Program) []float64 {
	require.Len(t, p.Feeds, 1)
	image := tensor.New(p.Feeds[0].Type.DType, p.Feeds[0].Type.Shape...)
	if p.Feeds[0].Type.DType == tensor.U8 {
		for i := range image.Data {
			image.Data[i] = uint8(hashed(1, i) >> 24)
		}
	} else {
		for i, v := 0, tensor.View[float32](image.Data); i < len(v); i++ {
			v[i] = float32(hashed(1, i)>>8)/(1<<23) - 1
		}
	}
	return answersTo(t, s, p, image.Data)
}

// answersTo are the logits that p gives for images on cpu.
func answersTo(t *testing.T, s backends.Session, p *graph.Program, images []byte) []float64 {
	fitted, err := backends.Fit(t.Context(), s, p)
	require.NoError(t, err)
	b, err := backends.CompileBound(t.Context(), s, fitted, func(string) int { return 1 }, nil)
	require.NoError(t, err)
	defer b.Close()
	require.Equal(t, len(images), copy(b.At(p.Feeds[0].Name, 0), images))
	_, err = b.Run(t.Context(), backends.RunRequest{Steps: 1})
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	out := &tensor.Tensor{Type: g.Types[p.Fetches[0]], Data: slices.Clone(b.At(p.Fetches[0], 0))}
	return out.Float64s()
}

// requireClose holds answers that differ in the order of f32 operations alone.
func requireClose(t *testing.T, want, got []float64) {
	norm := 0.0
	for _, v := range want {
		norm = max(norm, math.Abs(v))
	}
	require.Greater(t, norm, 0.0)
	require.InDeltaSlice(t, want, got, 2e-5*norm)
}

// youngOps are the ops of the networks that not every opset has.
var youngOps = map[string]int{"HardSwish": 14, "LayerNormalization": 17, "Gelu": 20, "Attention": 23}

func TestExportedModelsGiveTheSameAnswers(t *testing.T) {
	s, err := cpu.New().Open(t.Context(), backends.SessionConfig{})
	require.NoError(t, err)
	defer s.Close()
	half := Standard{Mean: []float64{0.5, 0.4, 0.3}, Std: []float64{0.25, 0.2, 0.3}}
	seen := map[string]bool{}
	for _, spec := range []string{"lenet5;form=1998", "resnet20", "resnet20;shortcut=projection", "mobilenetv3-small-0.35", "vit-micro"} {
		w := lookup(t, spec)
		weights, standard := goldenWeights(w), Standard{half.Mean[:w.Input.Channels], half.Std[:w.Input.Channels]}
		bare, err := w.Bare(2, weights)
		require.NoError(t, err)
		front, err := w.Inference(2, standard, weights)
		require.NoError(t, err)
		for what, p := range map[string]*graph.Program{"nchw-f32": bare, "u8-nhwc": front} {
			want := answers(t, s, p)
			for opset := onnx.OldestWritten; opset <= graph.Opset; opset++ {
				if what == "u8-nhwc" && opset > onnx.OldestWritten && opset < graph.Opset {
					continue // the front's ops are the same in all of them
				}
				t.Run(fmt.Sprintf("%s/%s/%d", spec, what, opset), func(t *testing.T) {
					before := onnx.Digest(p)
					model, err := MarshalONNX(p, opset)
					require.NoError(t, err)
					require.Equal(t, before, onnx.Digest(p), "the program itself has changed")
					sig, err := onnx.ReadSignature(model)
					require.NoError(t, err)
					require.Equal(t, []string{FeedImage}, sig.Inputs)
					require.Equal(t, []string{ExportedLogits}, sig.Outputs)
					for _, op := range sig.Ops {
						seen[op] = true
						require.LessOrEqual(t, youngOps[op], opset, op)
					}
					q, err := onnx.Unmarshal(model)
					require.NoError(t, err)
					for _, n := range q.Nodes {
						require.Equal(t, graph.Std, n.Domain, n.Op)
					}
					requireClose(t, want, answers(t, s, q))
				})
			}
		}
	}
	for op := range youngOps {
		require.True(t, seen[op], "%s is decomposed in opsets that have it", op)
	}
}

// Every network, the large ones too, is expressible in the oldest opset; only
// types are looked at, the weights are not filled.
func TestEveryNetworkIsExpressibleInTheOldestOpset(t *testing.T) {
	for _, w := range All() {
		if w.Parameters() > 3e7 {
			continue // families whose smaller members have the same ops
		}
		weights := Weights{}
		for _, p := range w.tensors() {
			weights[p.Name] = tensor.New(p.Type.DType, p.Type.Shape...)
		}
		p, err := w.Bare(1, weights)
		require.NoError(t, err)
		_, err = MarshalONNX(p, onnx.OldestWritten)
		require.NoError(t, err, w.Name)
	}
}

func TestWrittenWeightsAreTheSameBits(t *testing.T) {
	w := lookup(t, "mobilenetv3-small-0.35")
	weights := w.Init(3)
	var b bytes.Buffer
	require.NoError(t, WriteWeights(&b, weights))
	read, metadata, err := safetensors.Decode(b.Bytes())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"format": "pt"}, metadata)
	require.Equal(t, map[string]*tensor.Tensor(weights), read)
}
