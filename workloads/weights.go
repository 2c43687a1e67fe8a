package workloads

import (
	"context"
	"strings"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
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

// FirstState is the state that training begins with, given weights: averages
// begin at what they are averages of, a loss scale at PyTorch's, and what else
// has no weight, such as an optimizer's slots, at zero.
func FirstState(state []graph.Value, weights Weights) Weights {
	out := Weights{}
	for _, v := range state {
		out[v.Name] = weights[v.Name]
		if name, average := strings.CutSuffix(v.Name, averageSuffix); average && out[v.Name] == nil {
			out[v.Name] = weights[name]
		}
		if v.Name == StateLossScale && out[v.Name] == nil {
			out[v.Name] = tensor.Scalar(v.Type.DType, firstLossScale)
		}
		if out[v.Name] == nil {
			out[v.Name] = tensor.New(v.Type.DType, v.Type.Shape...)
		}
	}
	return out
}

// evaluated is what the names of the state that evaluation reads end in.
func (r *Recipe) evaluated() string {
	if r.EMA > 0 {
		return averageSuffix
	}
	return ""
}

// Trained reads the weights that training by r has left in session s: what it
// was evaluated with, the averages where it keeps them.
func (w *Workload) Trained(ctx context.Context, s backends.Session, r *Recipe) (Weights, error) {
	var state []graph.Value
	for _, p := range w.tensors() {
		state = append(state, graph.Value{Name: p.Name + r.evaluated(), Type: p.Type})
	}
	read, err := Snapshot(ctx, s, state)
	if err != nil {
		return nil, err
	}
	out := Weights{}
	for name, t := range read {
		out[strings.TrimSuffix(name, r.evaluated())] = t
	}
	return out, nil
}
