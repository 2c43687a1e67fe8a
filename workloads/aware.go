package workloads

import (
	"context"
	"fmt"
	"strings"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/data"
)

// Quantization-aware fine-tuning (Jacob et al. 2018, §3; Krishnamoorthi 2018,
// §3.2): the network, batch norms folded, is trained on between quantizers that
// give floats back, so that its weights learn to be rounded. The gradient of a
// quantizer is that of the identity within its range, and 0 outside. The ranges
// of activations are a calibration's, those of weights what they are.

// tuneRecipe is how a network is trained on: its own recipe, for an epoch, at a
// twentieth of the rate.
func (w *Workload) tuneRecipe() *Recipe {
	r := *w.Recipes[DefaultRecipe]
	r.Epochs, r.Target, r.Floor = 1, 1, 0
	r.EMA = 0 // what is read is the last step's
	r.Optimizer.LR /= 20
	r.Schedule = Schedule{Kind: "cosine"}
	return &r
}

// tune trains the network on, by q and the ranges of its calibration, and gives
// the constants of Folded that this changed.
func (w *Workload) tune(ctx context.Context, session backends.Session, weights Weights, q *Quantization, ranges map[string]pass.Range, set *data.Set, seed uint64) (Weights, error) {
	a := &aware{w, StandardOf(set), weights, q, ranges}
	tuned := a.workload()
	cfg := TrainConfig{Workload: tuned, Recipe: w.tuneRecipe(), Data: set, Seed: seed, Weights: a.first()}
	if _, err := Train(ctx, session, cfg, Hooks{}); err != nil {
		return nil, fmt.Errorf("quantization-aware fine-tuning of %s: %w", w, err)
	}
	p, err := tuned.Evaluation(1, a.standard)
	if err != nil {
		return nil, err
	}
	state, err := Snapshot(ctx, session, p.State)
	if err != nil {
		return nil, err
	}
	out := Weights{}
	for name, t := range state {
		out[strings.TrimPrefix(name, awarePrefix)] = t
	}
	return out, nil
}

// awarePrefix stands before the names of state, so that nothing of the network
// as it was is written over.
const awarePrefix = "aware."

// aware writes a network with fake quantizers.
type aware struct {
	plain    *Workload
	standard Standard
	weights  Weights
	*Quantization
	ranges map[string]pass.Range
}

// workload is the network as one that can be trained.
func (a *aware) workload() *Workload {
	w := *a.plain
	w.network = func(n *Net, x graph.Value, _ map[string]string) graph.Value { return a.network(n, x) }
	return &w
}

// first are the parameters to begin with: the folded constants.
func (a *aware) first() Weights {
	out := Weights{}
	p, err := a.plain.Folded(1, a.standard, a.weights)
	if err != nil {
		return out // which the training will say
	}
	for _, c := range p.Consts {
		out[awarePrefix+c.Name] = c.Tensor
	}
	return out
}

// network writes the folded network again, node by node, its products' weights
// and biases as parameters and what they multiply through fake quantizers.
func (a *aware) network(n *Net, x graph.Value) graph.Value {
	if n.Err() != nil {
		return graph.Value{}
	}
	p, err := a.plain.Folded(x.Type.Shape[0], a.standard, a.weights)
	if err != nil {
		n.Fail(err)
		return graph.Value{}
	}
	g, err := p.Infer()
	if err != nil {
		n.Fail(err)
		return graph.Value{}
	}
	names, err := pass.Quantized(p, a.pass(a.ranges))
	n.Fail(err)
	products := map[string]bool{}
	for _, name := range names {
		products[name] = true
	}
	consts := map[string]*tensor.Tensor{}
	for _, c := range p.Consts {
		consts[c.Name] = c.Tensor
	}
	values, faked := map[string]graph.Value{}, map[string]graph.Value{}
	for i := range g.Calls {
		c := &g.Calls[i]
		if strings.HasPrefix(c.Name, "input.") { // the standardising, whose result x is
			values[c.Outputs[0]] = x
			continue
		}
		in := make([]graph.Value, len(c.Inputs))
		for k, name := range c.Inputs {
			if t := consts[name]; t != nil && values[name].Name == "" {
				if products[c.Name] {
					values[name] = n.Param(awarePrefix+name, constant(0), t.Type.Shape...)
				} else {
					values[name] = n.Const(awarePrefix+name, t)
				}
			}
			in[k] = values[name]
		}
		if products[c.Name] {
			if faked[c.Inputs[0]].Name == "" {
				faked[c.Inputs[0]] = a.activation(n, c.Inputs[0], in[0])
			}
			in[0], in[1] = faked[c.Inputs[0]], fakeWeights(n, in[1], pass.ChannelAxis(c))
		}
		for k, y := range n.OpN(c.Op.Name, c.Attrs, len(c.Outputs), in...) {
			values[c.Outputs[k]] = y
		}
	}
	return values[p.Fetches[0]]
}

// activation is x as the quantizer of its range will give it back.
func (a *aware) activation(n *Net, name string, x graph.Value) graph.Value {
	scale, zero := pass.Affine(a.ranges[name], a.Activations)
	lo, hi := tensor.IntRange(a.Activations)
	return n.Op("FakeQuantize", graph.Attrs{"quant_min": graph.I(int(lo)), "quant_max": graph.I(int(hi))},
		x, n.Const("scale", tensor.Scalar(tensor.F32, float64(scale))), n.Const("zero_point", tensor.Scalar(tensor.S32, zero)))
}

// fakeWeights are weights as 8 bits give them back, by channel, at the scale
// that their largest now has.
func fakeWeights(n *Net, w graph.Value, axis int) graph.Value {
	if n.Err() != nil {
		return graph.Value{}
	}
	var others []int
	for i := range w.Type.Shape {
		if i != axis {
			others = append(others, i)
		}
	}
	scale := n.Op("ReduceMax", graph.Attrs{"axes": graph.L(others...), "keepdims": graph.I(0)}, n.Op("Abs", nil, w))
	scale = n.Op("Max", nil, n.Op("Mul", nil, scale, n.Scalar(tensor.F32, 1.0/127)), n.Scalar(tensor.F32, 1e-30))
	return n.Op("FakeQuantize", graph.Attrs{"axis": graph.I(axis), "quant_min": graph.I(-127), "quant_max": graph.I(127)}, w, scale)
}
