// Package pass holds rewrites of whole programs, a file each.
package pass

import (
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Decompose rewrites every node that supported refuses into the ops of its
// row's decomposition, again and again until all are supported. Values keep
// their names. The error names the first refused op that has no decomposition.
func Decompose(p *graph.Program, supported func(*graph.Call) bool) (*graph.Program, error) {
	for {
		next, changed, err := decomposeOnce(p, supported)
		if err != nil || !changed {
			return next, err
		}
		p = next
	}
}

func decomposeOnce(p *graph.Program, supported func(*graph.Call) bool) (*graph.Program, bool, error) {
	g, err := p.Infer()
	if err != nil {
		return nil, false, err
	}
	changed := false
	out := p.Clone()
	out.Nodes = nil
	for i := range g.Calls {
		c := &g.Calls[i]
		if p.Origin != nil && i == p.Origin.Forward {
			out.Origin.Forward = len(out.Nodes)
		}
		if supported(c) {
			out.Nodes = append(out.Nodes, *c.Node)
			continue
		}
		if c.Op.Decompose == nil {
			return nil, false, &graph.NodeError{Node: c.Name, Op: c.Op.Name, Err: fmt.Errorf("not supported, and a core op has no decomposition")}
		}
		if err := splice(&out, c); err != nil {
			return nil, false, err
		}
		changed = true
	}
	if p.Origin != nil && p.Origin.Forward == len(g.Calls) {
		out.Origin.Forward = len(out.Nodes)
	}
	return &out, changed, nil
}

// splice appends the decomposition of c to out, its values and nodes prefixed
// with the node's name, its results under the node's output names.
func splice(out *graph.Program, c *graph.Call) error {
	sub, results, err := Expansion(c)
	if err != nil {
		return err
	}
	rename := map[string]string{}
	for i := range c.Inputs {
		rename[c.Inputs[i]] = c.Inputs[i]
	}
	prefixed := func(name string) string {
		if name == "" {
			return ""
		}
		if r, ok := rename[name]; ok {
			return r
		}
		return c.Name + "/" + name
	}
	for i, r := range results {
		if !c.Wants(i) {
			continue
		}
		if _, taken := rename[r.Name]; taken || isConst(sub, r.Name) {
			return &graph.NodeError{Node: c.Name, Op: c.Op.Name, Err: fmt.Errorf("decomposition hands %s through: it must end in a node of its own", r.Name)}
		}
		rename[r.Name] = c.Outputs[i]
	}
	for _, k := range sub.Consts {
		out.Consts = append(out.Consts, graph.Const{Name: prefixed(k.Name), Tensor: k.Tensor})
	}
	for _, n := range sub.Nodes {
		n.Name = prefixed(n.Name)
		for i := range n.Inputs {
			n.Inputs[i] = prefixed(n.Inputs[i])
		}
		for i := range n.Outputs {
			n.Outputs[i] = prefixed(n.Outputs[i])
		}
		out.Nodes = append(out.Nodes, n)
	}
	return nil
}

func isConst(p *graph.Program, name string) bool {
	for _, c := range p.Consts {
		if c.Name == name {
			return true
		}
	}
	return false
}

// Expansion is the decomposition of one call as a program of its own, whose
// feeds are the call's inputs under their names, and the values of its
// outputs. What computes in 16-bit floats is decomposed in f32, between casts:
// rounding after each of its steps would be another function.
func Expansion(c *graph.Call) (*graph.Program, []graph.Value, error) {
	b := graph.NewBuilder(c.Name)
	fed := map[string]graph.Value{}
	for i := range c.In {
		if v := c.Input(i); v.Name != "" && fed[v.Name].Name == "" {
			fed[v.Name] = b.Feed(v.Name, v.Type)
		}
	}
	body, err := widened(b, c, fed)
	if err != nil {
		return nil, nil, err
	}
	results := c.Op.Decompose(b, body)
	for i, r := range results {
		if r.Name != "" && r.Type.DType != c.Out[i].DType {
			results[i] = b.Op("Cast", graph.Attrs{"to": graph.S(c.Out[i].DType.String())}, r)
		}
	}
	p, err := b.Program()
	if err != nil {
		return nil, nil, fmt.Errorf("decomposition of %s: %w", c.Op.Name, err)
	}
	return p, results, nil
}

// widened is the call with its 16-bit floats cast to f32; the call itself if
// it has none or only moves data.
func widened(b *graph.Builder, c *graph.Call, fed map[string]graph.Value) (*graph.Call, error) {
	if c.Op.Work == nil {
		return c, nil
	}
	node, in, changed := *c.Node, slices.Clone(c.In), false
	node.Inputs = slices.Clone(c.Inputs)
	for i := range in {
		if !c.Has(i) || in[i].DType != tensor.F16 && in[i].DType != tensor.BF16 {
			continue
		}
		v := b.Op("Cast", graph.Attrs{"to": graph.S(tensor.F32.String())}, fed[c.Inputs[i]])
		node.Inputs[i], in[i], changed = v.Name, v.Type, true
	}
	if !changed {
		return c, nil
	}
	return graph.Resolve(&node, in)
}
