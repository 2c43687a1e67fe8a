// Package lower holds rewrites of programs that compiled backends share: what a
// program says in ops that every backend has, they say in ops that fast kernels
// exist for. The harness never sees the result.
package lower

import (
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/tensor"
)

// Lowered is a rewritten program: its feeds, fetches, state and updates are
// those of the program that it was made from.
type Lowered struct {
	*graph.Program
	// Stands says for every node which nodes of the program before it does the
	// work of, in that program's order: what a plan has to name. A node that two
	// new ones stand for is named by both.
	Stands map[string][]string
}

// node is a node on its way, with the nodes that it stands for.
type node struct {
	graph.Node
	stands []string
}

// lowering is the state that the rewrites share.
type lowering struct {
	program *graph.Program // the one given
	takes   func(*graph.Call) bool
	nodes   []node
	types   map[string]tensor.Type
	consts  map[string]*tensor.Tensor
	added   []graph.Const
	names   map[string]bool
	ends    map[string]bool // fetched, or what an update takes
	given   map[string]bool // values that exist before the first node
}

func newLowering(p *graph.Program, takes func(*graph.Call) bool) (*lowering, error) {
	g, err := p.Infer()
	if err != nil {
		return nil, err
	}
	l := &lowering{program: p, takes: takes, types: g.Types, consts: map[string]*tensor.Tensor{}, names: map[string]bool{},
		ends: map[string]bool{}, given: map[string]bool{}}
	for name := range g.Types {
		l.names[name] = true
	}
	for _, n := range p.Nodes {
		l.nodes = append(l.nodes, node{n, []string{n.Name}})
		l.names[n.Name] = true
	}
	for _, c := range p.Consts {
		l.consts[c.Name], l.given[c.Name] = c.Tensor, true
	}
	for _, list := range [][]graph.Value{p.Feeds, p.State} {
		for _, v := range list {
			l.given[v.Name] = true
		}
	}
	for _, f := range p.Fetches {
		l.ends[f] = true
	}
	for _, u := range p.Updates {
		l.ends[u.Value] = true
	}
	return l, nil
}

// finish is the program of the nodes as they are now.
func (l *lowering) finish() (*Lowered, error) {
	p := l.program.Clone()
	p.Nodes = nil
	stands := map[string][]string{}
	order := map[string]int{}
	for i, n := range l.program.Nodes {
		order[n.Name] = i
	}
	for _, n := range l.nodes {
		p.Nodes = append(p.Nodes, n.Node)
		slices.SortFunc(n.stands, func(a, b string) int { return order[a] - order[b] })
		stands[n.Name] = slices.Compact(n.stands)
	}
	p.Consts = append(p.Consts, l.added...)
	out := pass.Prune(&p)
	if _, err := out.Infer(); err != nil {
		return nil, fmt.Errorf("lowering %s: %w", p.Name, err)
	}
	return &Lowered{out, stands}, nil
}

// unique is a name that nothing has.
func (l *lowering) unique(name string) string {
	free := name
	for i := 1; l.names[free]; i++ {
		free = fmt.Sprintf("%s_%d", name, i)
	}
	l.names[free] = true
	return free
}

// constant adds a constant.
func (l *lowering) constant(name string, t *tensor.Tensor) string {
	name = l.unique(name)
	l.added = append(l.added, graph.Const{Name: name, Tensor: t})
	l.consts[name], l.types[name], l.given[name] = t, t.Type, true
	return name
}

// makers finds the node that makes a value, by its place in l.nodes.
func (l *lowering) makers() map[string]int {
	m := map[string]int{}
	for i, n := range l.nodes {
		for _, out := range n.Outputs {
			if out != "" {
				m[out] = i
			}
		}
	}
	return m
}

// readers finds the nodes that read a value, each once.
func (l *lowering) readers() map[string][]int {
	m := map[string][]int{}
	for i, n := range l.nodes {
		for _, in := range n.Inputs {
			if r := m[in]; in != "" && (len(r) == 0 || r[len(r)-1] != i) {
				m[in] = append(r, i)
			}
		}
	}
	return m
}

// call resolves a node by the types known.
func (l *lowering) call(n *graph.Node) (*graph.Call, error) {
	in := make([]tensor.Type, len(n.Inputs))
	for i, name := range n.Inputs {
		if name != "" {
			in[i] = l.types[name]
		}
	}
	return graph.Resolve(n, in)
}

// possible says whether nodes are well formed and the backend takes each; then
// the types of what they give are known.
func (l *lowering) possible(nodes []node) bool {
	for i := range nodes {
		c, err := l.call(&nodes[i].Node)
		if err != nil || !l.takes(c) {
			return false
		}
		for k, out := range c.Outputs {
			if out != "" {
				l.types[out] = c.Out[k]
			}
		}
	}
	return true
}

// made is a new node; what it gives first is named by its output.
func (l *lowering) made(op string, attrs graph.Attrs, stands []string, output string, inputs ...string) node {
	for len(inputs) > 0 && inputs[len(inputs)-1] == "" {
		inputs = inputs[:len(inputs)-1]
	}
	return node{graph.Node{Name: l.unique(output + "/" + op), Op: op, Attrs: attrs, Inputs: inputs, Outputs: []string{output}}, stands}
}
