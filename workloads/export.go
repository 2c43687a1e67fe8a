package workloads

import (
	"fmt"
	"io"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/safetensors"
)

// ExportedLogits is what an exported network's answer is called, f32 N×Classes.
const ExportedLogits = "logits"

// MarshalONNX writes an inference program of one fetch, the logits, as a model
// for everybody: ops of ONNX's own domain alone, each as old as the opset.
func MarshalONNX(p *graph.Program, opset int) ([]byte, error) {
	q, err := pass.Decompose(p, onnx.Native(opset))
	if err != nil {
		return nil, err
	}
	own := pass.Prune(q).Clone() // shares nothing with p
	rename(&own, own.Fetches[0], ExportedLogits)
	if err := zeroPoints(&own); err != nil {
		return nil, err
	}
	return onnx.Marshal(&own, onnx.WithOpset(opset))
}

// zeroPoints gives weights that are dequantized by channel the zero points that ONNX
// lets them leave out: ONNX Runtime 1.30 puts a scalar in their place where a Gemm
// reads them, and then refuses it.
func zeroPoints(p *graph.Program) error {
	g, err := p.Infer()
	if err != nil {
		return err
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if n.Op != "DequantizeLinear" || len(n.Inputs) != 2 {
			continue
		}
		x, scale := g.Types[n.Inputs[0]], g.Types[n.Inputs[1]]
		if len(scale.Shape) == 1 && x.DType == tensor.S8 {
			zero := graph.Const{Name: n.Inputs[0] + ".zero_point", Tensor: tensor.New(tensor.S8, scale.Shape...)}
			p.Consts = append(p.Consts, zero)
			n.Inputs = append(slices.Clone(n.Inputs), zero.Name)
		}
	}
	return nil
}

// Unfronted is an inference program without what standardises: in place of pixels
// it takes images that are standardised already, f32 N×C×H×W, as Bare does.
func Unfronted(p *graph.Program) (*graph.Program, error) {
	q := p.Clone()
	g, err := q.Infer()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(q.Nodes, func(n graph.Node) bool { return slices.Contains(n.Inputs, standardShift) })
	if i < 0 {
		return nil, fmt.Errorf("%s: nothing in it standardises images", p.Name)
	}
	images := q.Nodes[i].Outputs[0]
	q.Feeds = []graph.Value{{Name: images, Type: g.Types[images]}}
	q.Nodes = slices.Delete(q.Nodes, i, i+1)
	short := pass.Prune(&q).Clone()
	rename(&short, images, FeedImage)
	short.Feeds[0].Name = FeedImage
	return &short, nil
}

// rename calls a value of p by another name, which no value may have.
func rename(p *graph.Program, from, to string) {
	in := func(list []string) {
		for i := range list {
			if list[i] == from {
				list[i] = to
			}
		}
	}
	for i := range p.Nodes {
		in(p.Nodes[i].Inputs)
		in(p.Nodes[i].Outputs)
	}
	in(p.Fetches)
}

// forPyTorch is the metadata that its loaders ask for.
var forPyTorch = map[string]string{"format": "pt"}

// WriteWeights writes weights as safetensors under their names, which are
// torchvision's, for PyTorch.
func WriteWeights(to io.Writer, weights Weights) error {
	return safetensors.Encode(to, weights, forPyTorch)
}

// SaveWeights is WriteWeights to a file, which is there whole or not at all.
func SaveWeights(path string, weights Weights) error { return writeWhole(path, weights, forPyTorch) }
