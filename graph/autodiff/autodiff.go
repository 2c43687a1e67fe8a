// Package autodiff differentiates programs in reverse mode: each row of the op
// table writes its own gradient, this package only orders and sums them
// (Griewank and Walther, Evaluating Derivatives, 2nd ed., §3.2).
package autodiff

import (
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Gradients appends to b the nodes that give d loss / d v for each v in wrt,
// and returns those gradients in order. loss is a scalar value of b. Where
// loss does not depend on v the gradient is a constant of zeros. Forward nodes
// whose gradient needs saved outputs (a pool's indices, a loss's log-sum-exp)
// get those outputs.
func Gradients(b *graph.Builder, loss graph.Value, wrt []graph.Value) ([]graph.Value, error) {
	if b.Err() != nil {
		return nil, b.Err()
	}
	if len(loss.Type.Shape) != 0 || !loss.Type.DType.IsFloat() {
		return nil, fmt.Errorf("loss %s is %v: want a scalar float", loss.Name, loss.Type)
	}
	r := &reverse{b: b, sums: map[string]graph.Value{}, needed: dependents(b.Calls(), wrt)}
	r.sums[loss.Name] = b.Scalar(loss.Type.DType, 1)
	for k := len(b.Calls()) - 1; k >= 0; k-- {
		r.visit(k)
	}
	out := make([]graph.Value, len(wrt))
	for i, v := range wrt {
		g, ok := r.sums[v.Name]
		if !ok {
			g = b.Const("zero_grad."+v.Name, tensor.New(v.Type.DType, v.Type.Shape...))
		}
		out[i] = g
	}
	return out, b.Err()
}

// dependents is the set of values that depend on any of vs, vs included.
func dependents(calls []*graph.Call, vs []graph.Value) map[string]bool {
	set := map[string]bool{}
	for _, v := range vs {
		set[v.Name] = true
	}
	for _, c := range calls {
		for _, in := range c.Inputs {
			if in != "" && set[in] {
				for _, out := range c.Outputs {
					set[out] = true
				}
			}
		}
	}
	delete(set, "")
	return set
}

type reverse struct {
	b      *graph.Builder
	sums   map[string]graph.Value // gradient of each value so far
	needed map[string]bool        // values on a path from wrt
}

// visit propagates the gradients of node k's outputs to its inputs.
func (r *reverse) visit(k int) {
	c := r.b.Calls()[k]
	dy := make([]graph.Value, len(c.Out))
	reached := false
	for i := range c.Outputs {
		if g, ok := r.sums[c.Outputs[i]]; ok && c.Outputs[i] != "" && !slices.Contains(c.Op.Detached, i) {
			dy[i], reached = g, true
		}
	}
	wanted := slices.ContainsFunc(c.Inputs, func(in string) bool { return r.needed[in] })
	if !reached || !wanted {
		return
	}
	for i, in := range c.Inputs {
		if p := c.Op.In(i); p.Fixed && r.needed[in] {
			r.b.Fail(&graph.NodeError{Node: c.Name, Op: c.Op.Name, Err: fmt.Errorf("the op has no gradient for its input %s", p.Name)})
			return
		}
	}
	if c.Op.Grad == nil {
		r.b.Fail(&graph.NodeError{Node: c.Name, Op: c.Op.Name, Err: fmt.Errorf("the op has no gradient")})
		return
	}
	for _, i := range c.Op.Saves {
		r.b.Save(k, i)
	}
	r.b.Scoped("grad", func() {
		r.b.Scoped(c.Name, func() { r.accumulate(c, c.Op.Grad(r.b, c, dy)) })
	})
}

func (r *reverse) accumulate(c *graph.Call, grads []graph.Value) {
	for i, g := range grads {
		if i >= len(c.Inputs) || g.Name == "" || !r.needed[c.Inputs[i]] {
			continue
		}
		if old, ok := r.sums[c.Inputs[i]]; ok {
			g = r.b.Op("Add", nil, old, g)
		}
		r.sums[c.Inputs[i]] = g
	}
}
