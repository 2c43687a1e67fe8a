package workloads

import (
	"github.com/clsbench/clsbench/tensor"
)

// Weights are tensors by the names of state variables.
type Weights map[string]*tensor.Tensor

// Init draws the network's first parameters and buffers. Each is a stream of its own,
// named by the parameter, of the generator keyed by seed: the same on every
// machine, and independent of the order of layers.
func (w *Workload) Init(seed uint64) Weights {
	out := Weights{}
	for _, p := range w.tensors() {
		t := tensor.New(p.Type.DType, p.Type.Shape...)
		out[p.Name] = tensor.FillSeeded(t, p.Init, seed, streamOf(p.Name))
	}
	return out
}
