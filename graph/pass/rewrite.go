package pass

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// rewriter is what passes over inference programs share: the program being
// written, and what is known of the one being read.
type rewriter struct {
	from   *graph.Graph
	out    graph.Program
	consts map[string]*tensor.Tensor // of the program read
	reads  map[string]int            // how often a value is read: by nodes, as a fetch, as an update
	names  map[string]bool           // of nodes and values, both of the program read and of what is written
}

func newRewriter(p *graph.Program) (*rewriter, error) {
	g, err := p.Infer()
	if err != nil {
		return nil, err
	}
	r := &rewriter{from: g, out: p.Clone(), consts: map[string]*tensor.Tensor{}, reads: map[string]int{}, names: map[string]bool{}}
	r.out.Nodes = nil
	for _, c := range p.Consts {
		r.consts[c.Name] = c.Tensor
	}
	for name := range g.Types {
		r.names[name] = true
	}
	for _, n := range p.Nodes {
		r.names[n.Name] = true
		for _, in := range n.Inputs {
			r.reads[in]++
		}
	}
	for _, f := range p.Fetches {
		r.reads[f]++
	}
	for _, u := range p.Updates {
		r.reads[u.Value]++
	}
	return r, nil
}

// unique is a name that nothing has.
func (r *rewriter) unique(name string) string {
	free := name
	for i := 1; r.names[free]; i++ {
		free = fmt.Sprintf("%s_%d", name, i)
	}
	r.names[free] = true
	return free
}

// constant adds a constant.
func (r *rewriter) constant(name string, t *tensor.Tensor) string {
	name = r.unique(name)
	r.out.Consts = append(r.out.Consts, graph.Const{Name: name, Tensor: t})
	return name
}

// finish is the program written, without what nobody reads any more.
func (r *rewriter) finish() (*graph.Program, error) {
	p := Prune(&r.out)
	if _, err := p.Infer(); err != nil {
		return nil, err
	}
	return p, nil
}
