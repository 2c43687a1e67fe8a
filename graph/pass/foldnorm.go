package pass

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// FoldBatchNorms puts every batch norm of an inference program that directly
// follows a convolution into the convolution's weights and bias (Jacob et al.,
// "Quantization and Training of Neural Networks for Efficient
// Integer-Arithmetic-Only Inference", 2018, §3.2):
//
//	γ·(w∗x + b − μ)/√(σ² + ε) + β = (w·s)∗x + (b − μ)·s + β,  s = γ/√(σ² + ε)
//
// Both have to be constants, and nobody else may read the convolution's result.
// New constants are computed in float64 and rounded once.
func FoldBatchNorms(p *graph.Program) (*graph.Program, error) {
	r, err := newRewriter(p)
	if err != nil {
		return nil, err
	}
	made := map[string]int{} // by value, the convolution of r.out that makes it
	for i := range r.from.Calls {
		c := &r.from.Calls[i]
		if c.Op.Name == "BatchNormalization" && c.Domain == graph.Std {
			if k, ok := made[c.Inputs[0]]; ok && r.foldable(c) {
				r.fold(&r.out.Nodes[k], c)
				continue
			}
		}
		if c.Op.Name == "Conv" && r.frozen(c, 1) && r.reads[c.Outputs[0]] == 1 {
			made[c.Outputs[0]] = len(r.out.Nodes)
		}
		r.out.Nodes = append(r.out.Nodes, cloned(c.Node))
	}
	return r.finish()
}

func cloned(n *graph.Node) graph.Node {
	p := graph.Program{Nodes: []graph.Node{*n}}
	return p.Clone().Nodes[0]
}

// frozen says whether the inputs of c from one on are constants of floats.
func (r *rewriter) frozen(c *graph.Call, from int) bool {
	for i := from; i < len(c.In); i++ {
		if c.Has(i) && (r.consts[c.Inputs[i]] == nil || !c.In[i].DType.IsFloat()) {
			return false
		}
	}
	return true
}

func (r *rewriter) foldable(c *graph.Call) bool {
	return c.Int("training_mode") == 0 && r.frozen(c, 1) && !c.Wants(1) && !c.Wants(2)
}

// fold lets a convolution do what the norm behind it did.
func (r *rewriter) fold(conv *graph.Node, norm *graph.Call) {
	read := func(i int) []float64 { return r.consts[norm.Inputs[i]].Float64s() }
	gamma, beta, mean, variance := read(1), read(2), read(3), read(4)
	weights := r.consts[conv.Inputs[1]]
	w, bias := weights.Float64s(), make([]float64, len(gamma))
	if len(conv.Inputs) > 2 && conv.Inputs[2] != "" {
		bias = r.consts[conv.Inputs[2]].Float64s()
	}
	each := len(w) / len(gamma)
	for f := range gamma {
		s := gamma[f] / math.Sqrt(variance[f]+norm.Float("epsilon"))
		bias[f] = (bias[f]-mean[f])*s + beta[f]
		for i := range each {
			w[f*each+i] *= s
		}
	}
	d := weights.Type.DType
	conv.Inputs = []string{conv.Inputs[0],
		r.constant(conv.Name+".weight", tensor.Of(d, weights.Type.Shape, w...)),
		r.constant(conv.Name+".bias", tensor.Of(d, tensor.Shape{len(bias)}, bias...))}
	conv.Outputs = []string{norm.Outputs[0]}
}
