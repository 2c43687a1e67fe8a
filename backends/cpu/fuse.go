package cpu

import (
	"slices"

	"github.com/clsbench/clsbench/graph"
)

// part is a partition: nodes computed as one. Only the outputs that something
// outside of it reads exist in memory.
type part struct {
	impl  *implementation
	calls []*graph.Call // in the program's order
	at    int           // place of the last one

	kernel, algorithm string // as the plan names them
	phases            []phase
	overlaps          []overlap
}

// overlap says that a call's output may lie where one of its inputs does: it
// reads no element of the input after it has written the output's of the same
// index.
type overlap struct {
	call    *graph.Call
	out, in *value
}

func (p *part) head() *graph.Call { return p.calls[0] }
func (p *part) last() *graph.Call { return p.calls[len(p.calls)-1] }

// output is the name of the value that the partition ends in.
func (p *part) output() string { return p.last().Outputs[0] }

// absorb appends c.
func (p *part) absorb(c *graph.Call, at int) {
	p.calls = append(p.calls, c)
	p.at = max(p.at, at)
}

// fuser cuts a program into partitions.
type fuser struct {
	table   table
	g       *graph.Graph
	readers map[string][]int // nodes that read a value, once for each time
	kept    map[string]bool  // values that must exist: fetches, updates
	part    []*part          // of each node so far
}

// fuse cuts the program into partitions, in an order that respects what they
// read. The error is of the first node that no implementation takes.
func fuse(t table, g *graph.Graph) ([]*part, error) {
	f := &fuser{table: t, g: g, readers: map[string][]int{}, kept: map[string]bool{}, part: make([]*part, len(g.Calls))}
	for i := range g.Calls {
		for _, in := range g.Calls[i].Inputs {
			if in != "" {
				f.readers[in] = append(f.readers[in], i)
			}
		}
	}
	for _, name := range g.Fetches {
		f.kept[name] = true
	}
	for _, u := range g.Updates {
		f.kept[u.Value] = true
	}
	var parts []*part
	for i := range g.Calls {
		if f.part[i] != nil {
			continue
		}
		p, err := f.grow(i)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	// A partition stands where its last node stood: there all its inputs exist,
	// and its output has no reader before.
	slices.SortStableFunc(parts, func(a, b *part) int { return a.at - b.at })
	return join(parts), nil
}

// grow makes the partition that begins with node i.
func (f *fuser) grow(i int) (*part, error) {
	c := &f.g.Calls[i]
	impl, err := f.table.choose(c)
	if err != nil {
		return nil, &graph.NodeError{Node: c.Name, Op: c.Op.Name, Err: err}
	}
	p := &part{impl: impl, kernel: impl.kernel, algorithm: impl.algorithm}
	p.absorb(c, i)
	f.part[i] = p
	for impl.absorbs != nil {
		next, ok := f.onlyReader(p.last())
		if !ok || f.part[next] != nil || !impl.absorbs(f.table, p, &f.g.Calls[next]) {
			break
		}
		p.absorb(&f.g.Calls[next], next)
		f.part[next] = p
	}
	return p, nil
}

// onlyReader is the node that alone reads what c gives, if c gives one value
// that need not exist otherwise.
func (f *fuser) onlyReader(c *graph.Call) (int, bool) {
	for i := range c.Outputs {
		if (i > 0 && c.Wants(i)) || !c.Wants(0) {
			return 0, false
		}
	}
	r := f.readers[c.Outputs[0]]
	if len(r) == 0 || f.kept[c.Outputs[0]] {
		return 0, false
	}
	for _, i := range r {
		if i != r[0] {
			return 0, false
		}
	}
	return r[0], true
}

// join puts neighbours together that do not depend on each other, where the
// implementation gains by it.
func join(parts []*part) []*part {
	var out []*part
	for _, p := range parts {
		if n := len(out); n > 0 && len(p.calls) == 1 {
			if before := out[n-1]; before.impl == p.impl && p.impl.joins != nil && !reads(p.head(), before) && p.impl.joins(before, p.head()) {
				before.absorb(p.head(), p.at)
				continue
			}
		}
		out = append(out, p)
	}
	return out
}

// reads tells whether c reads what p gives.
func reads(c *graph.Call, p *part) bool {
	for _, q := range p.calls {
		for _, out := range q.Outputs {
			if out != "" && slices.Contains(c.Inputs, out) {
				return true
			}
		}
	}
	return false
}
