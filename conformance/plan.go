package conformance

import (
	"context"
	"fmt"
	"sync"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/reference/beside"
	"github.com/clsbench/clsbench/tensor"
)

// PlanCase is a partition of a compiled program, cut out at its real shape.
type PlanCase struct {
	*Case
	Program   string // that it is cut out of
	Partition backends.Partition
}

// PlanError says that a backend's plan is not one of its program.
type PlanError struct{ What string }

func (e *PlanError) Error() string { return e.What }

// Part is a partition in reports and bundles.
type Part struct {
	Nodes     []string `json:"nodes"`
	Kernel    string   `json:"kernel"`
	Algorithm string   `json:"algorithm,omitempty"`
	Math      string   `json:"math,omitempty"`
}

// Check judges the partition as a case.
func (c PlanCase) Check(ctx context.Context, s backends.Session, seed uint64, o *Oracle, features []string) *Result {
	return c.result(c.Case.Check(ctx, s, seed, o, features))
}

// result makes a case's result one on the partition. A right answer by another
// kernel than the partition's says nothing of the partition, and counts as no
// case.
func (c PlanCase) result(r *Result) *Result {
	part := Part(c.Partition)
	r.Program, r.Partition = c.Program, &part
	if r.Status == StatusPass && !sameKernel(r.plan, c.Partition) {
		r.Status, r.Why = StatusMistrusted, fmt.Sprintf("alone it is computed by %v", r.Kernels)
	}
	return r
}

// untested says why a result is no word on its partition; "" if it is one.
func untested(r *Result) string {
	if r.Status == StatusMistrusted || r.Status == StatusUnsupported {
		return r.Why
	}
	return ""
}

// CasesFromPlan cuts every partition of a plan out of its program as a case of
// its own: its feeds are what the rest of the program gives it, with the values
// that the reference has there; consts stay consts, state stays state, so that
// the backend computes it as it does in the program. Partitions whose results
// nobody reads are left out. Names of nodes that no partition has are returned
// too: nothing is known of those.
func CasesFromPlan(p *graph.Program, plan backends.Plan) (cases []PlanCase, uncovered []string, err error) {
	g, err := p.Infer()
	if err != nil {
		return nil, nil, err
	}
	all := &prefix{graph: g}
	covered := map[string]bool{}
	for i, part := range plan.Partitions {
		inside := map[string]bool{}
		for _, n := range part.Nodes {
			inside[n], covered[n] = true, true
		}
		cut, err := cutOut(g, inside)
		if err != nil {
			return nil, nil, &PlanError{fmt.Sprintf("partition %d of the plan (%s): %v", i, part.Kernel, err)}
		}
		if cut == nil {
			continue
		}
		cases = append(cases, PlanCase{partitionCase(g, cut, all, i, part), g.Name, part})
	}
	for _, n := range p.Nodes {
		if !covered[n.Name] {
			uncovered = append(uncovered, n.Name)
		}
	}
	return cases, uncovered, nil
}

func partitionCase(g *graph.Graph, cut *graph.Program, all *prefix, i int, part backends.Partition) *Case {
	c := &Case{
		Op: "Partition", DType: tensor.F32, Params: fmt.Sprintf("%s,index=%d,%s", g.Name, i, part.Kernel), Class: "partition",
		bound: every(programRule), natural: true, subject: &partitionSubject{cut, all},
	}
	if op := loneOp(cut); op != "" {
		c.Op, c.bound = op, own(op)
		c.sample(cut)
	}
	return c
}

// cutOut is the program of some nodes of g; nil if nobody reads what they
// give.
func cutOut(g *graph.Graph, inside map[string]bool) (*graph.Program, error) {
	cut := &graph.Program{Name: "partition of " + g.Name}
	made, read := map[string]bool{}, map[string]bool{} // by the nodes; from outside
	for i := range g.Calls {
		c := &g.Calls[i]
		if !inside[c.Name] {
			continue
		}
		cut.Nodes = append(cut.Nodes, *c.Node)
		for _, in := range c.Inputs {
			if in != "" && !made[in] {
				read[in] = true
			}
		}
		for _, out := range c.Outputs {
			made[out] = true
		}
	}
	if len(cut.Nodes) != len(inside) {
		return nil, fmt.Errorf("%d of its %d nodes are not in the program", len(inside)-len(cut.Nodes), len(inside))
	}
	for _, c := range g.Consts {
		if read[c.Name] {
			cut.Consts = append(cut.Consts, c)
			delete(read, c.Name)
		}
	}
	for _, u := range g.Updates {
		if made[u.Value] {
			cut.Updates = append(cut.Updates, u)
			read[u.State] = true
		}
	}
	for _, s := range g.State {
		if read[s.Name] {
			cut.State = append(cut.State, s)
			delete(read, s.Name)
		}
	}
	for _, name := range valuesInOrder(g) {
		if read[name] {
			cut.Feeds = append(cut.Feeds, graph.Value{Name: name, Type: g.Types[name]})
		}
	}
	cut.Fetches = wantedOutside(g, inside, made)
	if len(cut.Fetches)+len(cut.Updates) == 0 {
		return nil, nil
	}
	return cut, nil
}

// valuesInOrder are all values that are fed or computed, in the program's
// order.
func valuesInOrder(g *graph.Graph) []string {
	var names []string
	for _, f := range g.Feeds {
		names = append(names, f.Name)
	}
	for i := range g.Calls {
		for _, out := range g.Calls[i].Outputs {
			if out != "" {
				names = append(names, out)
			}
		}
	}
	return names
}

// wantedOutside are the values made inside that nodes outside read, or that
// are fetched.
func wantedOutside(g *graph.Graph, inside, made map[string]bool) []string {
	wanted := map[string]bool{}
	for _, f := range g.Fetches {
		wanted[f] = true
	}
	for i := range g.Calls {
		if !inside[g.Calls[i].Name] {
			for _, in := range g.Calls[i].Inputs {
				wanted[in] = true
			}
		}
	}
	var list []string
	for _, name := range valuesInOrder(g) {
		if made[name] && wanted[name] {
			list = append(list, name)
		}
	}
	return list
}

// prefix evaluates the whole program once for each set of data, for all its
// partitions.
type prefix struct {
	graph *graph.Graph
	mu    sync.Mutex
	sets  map[Draw]map[string]*reference.Array
}

func (p *prefix) values(d Draw) (map[string]*reference.Array, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.Case = p.graph.Name // all partitions share the data
	if p.large() {
		d.Set = 0
	}
	if env, ok := p.sets[d]; ok {
		return env, nil
	}
	rate := float64(usualRate) // and one set whose steps show the gradients
	if d.Set == 0 {
		rate = exposingRate
	}
	env := arraysOf(fillByUse(d, p.graph, map[string]fill{rateFeed(p.graph): constant(rate)}))
	if _, err := reference.Eval(p.graph, env, beside.Mode(reference.Mode{})); err != nil {
		return nil, err
	}
	if p.sets == nil {
		p.sets = map[Draw]map[string]*reference.Array{}
	}
	p.sets[d] = env
	return env, nil
}

// large says whether one set of data is evaluated, see largePlan.
func (p *prefix) large() bool { return p.graph.FLOPs() > largePlan }

// forget lets go of all values; who asks again waits again.
func (p *prefix) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sets = nil
}

// rateFeed is the value that optimizers take as learning rate, "" if none.
func rateFeed(g *graph.Graph) string {
	for name, u := range usesOf(g) {
		if u.param == "lr" {
			return name
		}
	}
	return ""
}

// partitionSubject is a cut with the values that lead up to it.
type partitionSubject struct {
	cut    *graph.Program
	prefix *prefix
}

func (s *partitionSubject) drawn() bool                          { return false }
func (s *partitionSubject) program(Draw) (*graph.Program, error) { return s.cut, nil }

func (s *partitionSubject) values(d Draw, g *graph.Graph) (Values, error) {
	env, err := s.prefix.values(d)
	if err != nil {
		return nil, err
	}
	v := Values{}
	for _, list := range [][]graph.Value{g.Feeds, g.State} {
		for _, x := range list {
			v[x.Name] = env[x.Name].Tensor(x.Type.DType)
			if n := x.Type.Shape.Elements(); d.Set > 0 && s.prefix.large() && x.Type.DType.IsFloat() {
				v[x.Name] = turned(v[x.Name], 1+d.rng("turn").intn(n))
			}
		}
	}
	return v, nil
}

// sameKernel says whether a plan computes a cut by the kernel that the
// partition it came from has.
func sameKernel(plan backends.Plan, part backends.Partition) bool {
	for _, p := range plan.Partitions {
		if p.Kernel == part.Kernel && p.Algorithm == part.Algorithm && p.Math == part.Math {
			return true
		}
	}
	return false
}
