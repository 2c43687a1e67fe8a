package workloads

import (
	"io"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/graph/pass"
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
	return onnx.Marshal(&own, onnx.WithOpset(opset))
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

// WriteWeights writes weights as safetensors under their names, which are
// torchvision's, for PyTorch.
func WriteWeights(to io.Writer, weights Weights) error {
	return safetensors.Encode(to, weights, map[string]string{"format": "pt"})
}
