package workloads

import (
	"cmp"

	"github.com/clsbench/clsbench/graph"
)

// BatchNorm says what a batch norm is; zero fields take PyTorch's default.
type BatchNorm struct {
	Epsilon  float64 // added to the variance; default 1e-5
	Momentum float64 // share of a batch in the running statistics; default 0.1
}

// BatchNorm2d normalises every channel of N×C×H×W (Ioffe and Szegedy 2015):
// in training by the batch's statistics, which move the running ones, else by
// those. Its parameters are name.weight and name.bias, its buffers
// name.running_mean and name.running_var. PyTorch's num_batches_tracked counts
// for nothing where the momentum is fixed, and is left out.
func (n *Net) BatchNorm2d(name string, x graph.Value, o BatchNorm) graph.Value {
	return n.In(name, func() graph.Value {
		if !n.wantRank(x, 4) {
			return graph.Value{}
		}
		c := x.Type.Shape[1]
		attrs := graph.Attrs{"epsilon": graph.F(cmp.Or(o.Epsilon, 1e-5))}
		weight, bias := n.special(KindNorm, "weight", constant(1), c), n.special(KindNorm, "bias", constant(0), c)
		mean, variance := n.Buffer("running_mean", constant(0), c), n.Buffer("running_var", constant(1), c)
		if !n.training {
			return n.Op("BatchNormalization", attrs, x, weight, bias, mean, variance)
		}
		attrs["momentum"] = graph.F(cmp.Or(n.momentum, o.Momentum, 0.1))
		y := n.OpN("BatchNormalizationTraining", attrs, 3, x, weight, bias, mean, variance)
		n.Update(mean, y[1])
		n.Update(variance, y[2])
		return y[0]
	})
}

// LayerNorm normalises the features of every token, N×tokens×features (Ba,
// Kiros and Hinton 2016), with parameters name.weight and name.bias.
func (n *Net) LayerNorm(name string, x graph.Value, epsilon float64) graph.Value {
	return n.In(name, func() graph.Value {
		if !n.wantRank(x, 3) {
			return graph.Value{}
		}
		d := x.Type.Shape[2]
		return n.Op("LayerNormalization", graph.Attrs{"axis": graph.I(-1), "epsilon": graph.F(epsilon)},
			x, n.special(KindNorm, "weight", constant(1), d), n.special(KindNorm, "bias", constant(0), d))
	})
}

// LocalResponse divides every element of N×C×H×W by (k + α·Σ a²)^β, the sum
// over the size neighbouring channels (Krizhevsky, Sutskever and Hinton 2012,
// §3.3). ONNX's alpha is of their mean.
func (n *Net) LocalResponse(x graph.Value, size int, k, alpha, beta float64) graph.Value {
	return n.Op("LRN", graph.Attrs{"size": graph.I(size), "bias": graph.F(k), "alpha": graph.F(alpha * float64(size)), "beta": graph.F(beta)}, x)
}
