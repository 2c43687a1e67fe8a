package workloads

import "github.com/clsbench/clsbench/graph"

// Both layers here drop by the same bits in every training run: a mask depends
// on the layer's name and the step alone, so that a network is one program
// whatever the seed of its first parameters.

// Dropout drops elements with probability p in training and scales the others
// by 1/(1-p) (Srivastava et al. 2014); else it is nothing.
func (n *Net) Dropout(name string, x graph.Value, p float64) graph.Value {
	return n.drop(name, "element", x, p)
}

// StochasticDepth drops all that a residual branch adds to an image, with
// probability p, in training (Huang et al. 2016), and scales what is left by
// 1/(1-p).
func (n *Net) StochasticDepth(name string, x graph.Value, p float64) graph.Value {
	return n.drop(name, "row", x, p)
}

func (n *Net) drop(name, mode string, x graph.Value, p float64) graph.Value {
	if !n.training || p == 0 {
		return x
	}
	return n.In(name, func() graph.Value {
		attrs := graph.Attrs{"mode": graph.S(mode), "ratio": graph.F(p), "stream": graph.I(int(n.stream()))}
		return n.Op("TrainingDropout", attrs, x, n.Step())
	})
}
