package pass

import "github.com/clsbench/clsbench/graph"

// Prune returns p without the nodes and constants that nothing reads: no
// fetch, no update, no node that stays. A gradient row writes the gradients of
// all its inputs, and those of images, say, are wanted by nobody.
func Prune(p *graph.Program) *graph.Program {
	live := map[string]bool{}
	for _, f := range p.Fetches {
		live[f] = true
	}
	for _, u := range p.Updates {
		live[u.Value] = true
	}
	if p.Origin != nil {
		live[p.Origin.Loss] = true
	}
	keep := make([]bool, len(p.Nodes))
	for i := len(p.Nodes) - 1; i >= 0; i-- {
		for _, out := range p.Nodes[i].Outputs {
			keep[i] = keep[i] || out != "" && live[out]
		}
		if keep[i] {
			for _, in := range p.Nodes[i].Inputs {
				live[in] = true
			}
		}
	}
	out := p.Clone()
	out.Nodes, out.Consts = nil, nil
	for i, n := range p.Nodes {
		if keep[i] {
			out.Nodes = append(out.Nodes, n)
		} else if p.Origin != nil && i < p.Origin.Forward {
			out.Origin.Forward--
		}
	}
	for _, c := range p.Consts {
		if live[c.Name] {
			out.Consts = append(out.Consts, c)
		}
	}
	return &out
}
