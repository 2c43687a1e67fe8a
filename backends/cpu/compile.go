package cpu

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/backends/cpu/pool"
	"github.com/clsbench/clsbench/backends/lower"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/tensor"
)

// phase is a piece of a partition's work that is done before the next begins.
type phase struct {
	task   pool.Task
	serial bool        // one worker does it: it is too little to share
	needed func() bool // asked in every step; nil: always
}

// builder compiles one program.
type builder struct {
	table   table
	isa     kernel.ISA
	workers int
	apart   bool // every value in memory of its own, for tests

	g       *graph.Graph
	stands  map[string][]string // by node: those of the program as given that it stands for
	parts   []*part
	values  map[string]*value
	inner   []*value  // of chains, which lie in their outputs
	pieces  []*memory // to be placed in the arena
	kept    []*memory // persistent
	current int       // partition being built
	atStart []func()  // to be done once, when all memory is there
	failure *atomic.Pointer[backends.Error]
}

// never is after every partition and before none.
const never = int(^uint(0) >> 1)

// compile plans a program. apart gives every value memory of its own.
func compile(s *session, p *graph.Program, bindings []backends.Binding, apart bool) (*executable, error) {
	begin := time.Now()
	t := newTable()
	live, err := lower.Integers(pass.Prune(p), t.has)
	if err != nil {
		return nil, backends.Malformed(err)
	}
	g, err := live.Infer()
	if err != nil {
		return nil, backends.Malformed(err)
	}
	for _, v := range g.State {
		if err := s.agrees(v.Name, v.Type); err != nil {
			return nil, err
		}
	}
	b := &builder{table: t, isa: s.isa, workers: s.pool.Threads(), apart: apart, g: g, stands: live.Stands, values: map[string]*value{}, failure: new(atomic.Pointer[backends.Error])}
	if b.parts, err = fuse(b.table, g); err != nil {
		return nil, unimplemented(err)
	}
	e := &executable{session: s, bindings: slices.Clone(bindings), failure: b.failure}
	if e.rings, err = s.regions.Bind(g, bindings); err != nil {
		return nil, err
	}
	if err := b.finish(s, e); err != nil {
		s.regions.Release(bindings)
		return nil, err
	}
	e.plan.CompileTime = time.Since(begin)
	s.arenas += e.plan.ArenaBytes
	return e, nil
}

// finish builds the partitions of a bound program and gives them memory.
func (b *builder) finish(s *session, e *executable) error {
	b.declare(s, e.rings)
	for i, p := range b.parts {
		b.current = i
		if err := b.build(p); err != nil {
			return err
		}
	}
	b.ends()
	b.placeRings(e.rings)
	b.overlap()
	commits := b.commits(e.rings)
	if err := b.allocate(e); err != nil {
		return err
	}
	e.collect(b, commits)
	for _, f := range b.atStart {
		f()
	}
	e.plan.Partitions, e.plan.Digest = b.describe()
	return nil
}

func unimplemented(err error) error {
	out := &backends.Error{Code: backends.Unimplemented, Message: err.Error()}
	if n := (*graph.NodeError)(nil); errors.As(err, &n) {
		out.Node, out.Op, out.Message = n.Node, n.Op, n.Err.Error()
	}
	return out
}

// declare enters what exists before the first node.
func (b *builder) declare(s *session, rings map[string]*backends.Ring) {
	enter := func(name string, t tensor.Type, m *memory) {
		m.size, m.first, m.last = t.Bytes(), never, -1
		b.values[name] = &value{name, t, m}
	}
	for _, c := range b.g.Consts {
		enter(c.Name, c.Tensor.Type, &memory{kind: constMemory, data: c.Tensor.Clone().Data})
	}
	for _, v := range b.g.State {
		own := s.variable(v.Name, v.Type)
		enter(v.Name, v.Type, &memory{kind: stateMemory, variable: own, data: own.Data})
	}
	for _, v := range b.g.Feeds {
		enter(v.Name, v.Type, &memory{kind: ringMemory, ring: rings[v.Name]})
	}
}

// build enters the outputs of a partition and lets its implementation make the
// phases.
func (b *builder) build(p *part) error {
	inside, empty := map[string]bool{}, true
	for _, c := range p.calls {
		for _, in := range c.Inputs {
			if in != "" && !inside[in] {
				b.values[in].mem.read(b.current)
			}
		}
		for i, out := range c.Outputs {
			if out == "" {
				continue
			}
			if inside[out] = true; c == p.last() || p.impl.joins != nil {
				m := &memory{size: c.Out[i].Bytes(), first: never, last: -1}
				m.written(b.current)
				b.pieces = append(b.pieces, m)
				b.values[out] = &value{out, c.Out[i], m}
				empty = empty && m.size == 0
			}
		}
	}
	if empty {
		return nil
	}
	if err := p.impl.build(b, p); err != nil {
		return &backends.Error{Code: backends.Unimplemented, Node: b.stands[p.head().Name][0], Op: p.head().Op.Name, Message: err.Error()}
	}
	return nil
}

// in and out are a call's inputs and outputs; nil where left out or, for an
// input, where it never exists outside of the partition.
func (b *builder) in(c *graph.Call, i int) *value {
	if !c.Has(i) {
		return nil
	}
	return b.values[c.Inputs[i]]
}

func (b *builder) out(c *graph.Call, i int) *value {
	if !c.Wants(i) {
		return nil
	}
	return b.values[c.Outputs[i]]
}

// scratch is memory that is the partition's while it runs.
func (b *builder) scratch(bytes int) *memory {
	m := &memory{size: bytes, first: b.current, last: b.current}
	b.pieces = append(b.pieces, m)
	return m
}

// scratches are n pieces of scratch memory, one a worker.
func (b *builder) scratches(bytes int) []*memory {
	m := make([]*memory, b.workers)
	for i := range m {
		m[i] = b.scratch(bytes)
	}
	return m
}

// persistent is memory that keeps what is in it from step to step.
func (b *builder) persistent(bytes int) *memory {
	m := &memory{kind: persistentMemory, size: bytes}
	b.kept = append(b.kept, m)
	return m
}

func (m *memory) f32() []float32 { return tensor.View[float32](m.data) }

// alias makes out another view of in.
func (b *builder) alias(out, in *value) {
	out.mem.join(in.mem.root())
}

// fail notes a fault in the data that a kernel met. The run ends with it after
// the step.
func (b *builder) fail(c *graph.Call, format string, args ...any) {
	b.failure.CompareAndSwap(nil, &backends.Error{Code: backends.InvalidArgument, Node: b.stands[c.Name][0], Op: c.Op.Name, Message: fmt.Sprintf(format, args...)})
}

// ends notes that fetches and the sources of updates are read after the last
// partition.
func (b *builder) ends() {
	for _, f := range b.g.Fetches {
		b.values[f].mem.read(len(b.parts))
	}
	for _, u := range b.g.Updates {
		b.values[u.Value].mem.read(len(b.parts))
	}
}

// placeRings lets fetched values be written to their slots at once, where they
// are not views of something that lies elsewhere.
func (b *builder) placeRings(rings map[string]*backends.Ring) {
	for _, f := range b.g.Fetches {
		if m := b.values[f].mem.root(); m.kind == arenaMemory {
			m.kind, m.ring = ringMemory, rings[f]
		}
	}
}

// overlap lets outputs lie where inputs did that nobody reads any more: other
// values, or the state that the output updates.
func (b *builder) overlap() {
	updates := map[*memory][]*memory{} // value → states
	for _, u := range b.g.Updates {
		v := b.values[u.Value].mem.root()
		updates[v] = append(updates[v], b.values[u.State].mem)
	}
	for i, p := range b.parts {
		if b.apart {
			break
		}
		for _, o := range p.overlaps {
			out, in := o.out.mem, o.in.mem.root()
			if out.joined != nil { // lies where another input did
				continue
			}
			if out.kind != arenaMemory || out.size != in.size || in.last != i || o.out.typ.DType != o.in.typ.DType || b.readByOthers(p, o, in) {
				continue
			}
			if in.kind == arenaMemory || slices.Contains(updates[out], in) {
				out.join(in)
			}
		}
	}
	b.pieces = slices.DeleteFunc(b.pieces, func(m *memory) bool { return m.joined != nil || m.kind != arenaMemory })
}

// readByOthers tells whether another node of the partition reads the memory.
func (b *builder) readByOthers(p *part, o overlap, in *memory) bool {
	for _, c := range p.calls {
		if c == o.call {
			continue
		}
		for _, name := range c.Inputs {
			if v := b.values[name]; v != nil && v.mem.root() == in {
				return true
			}
		}
	}
	return false
}

// commit is a copy at the end of a step.
type commit struct{ to, from *memory }

// commits are the copies at the end of a step: fetches that are views, then
// updates that did not come about in place. A source that is state itself is
// set aside before any state changes.
func (b *builder) commits(rings map[string]*backends.Ring) []commit {
	var fetches, aside, updates []commit
	for _, f := range b.g.Fetches {
		if m := b.values[f].mem.root(); m.ring == nil || m.ring != rings[f] {
			fetches = append(fetches, commit{&memory{kind: ringMemory, ring: rings[f]}, m})
		}
	}
	b.current = len(b.parts)
	for _, u := range b.g.Updates {
		to, from := b.values[u.State].mem, b.values[u.Value].mem.root()
		if from == to {
			continue
		}
		if from.kind == stateMemory {
			kept := b.scratch(from.size)
			aside = append(aside, commit{kept, from})
			from = kept
		}
		updates = append(updates, commit{to, from})
	}
	return slices.Concat(fetches, aside, updates)
}

// allocate places everything and takes the memory, if there is as much.
func (b *builder) allocate(e *executable) error {
	arena, kept := 0, placeApart(b.kept)
	if b.apart {
		arena = placeApart(b.pieces)
	} else {
		arena = placeArena(b.pieces)
	}
	if free := availableMemory(); free > 0 && int64(arena)+int64(kept) > free {
		return &backends.Error{Code: backends.ResourceExhausted, Message: "the values between nodes", Wanted: int64(arena) + int64(kept), Free: free}
	}
	e.arena, e.free = mapMemory(arena + kept)
	e.poisoned = e.arena[:arena]
	for _, m := range b.pieces {
		m.data = e.arena[m.offset : m.offset+m.size : m.offset+m.size]
	}
	for _, m := range b.kept {
		at := arena + m.offset
		m.data = e.arena[at : at+m.size : at+m.size]
	}
	for _, v := range b.values {
		v.mem = v.mem.root()
	}
	for _, v := range b.inner {
		v.mem = v.mem.root()
	}
	e.plan.ArenaBytes = int64(arena + kept)
	return nil
}

// describe is the plan's list of partitions and its digest, which covers all
// that a result depends on beside the data.
func (b *builder) describe() (list []backends.Partition, digest string) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%v, %d workers\n", b.isa, b.workers)
	for _, p := range b.parts {
		part := backends.Partition{Kernel: p.kernel, Algorithm: p.algorithm, Math: graph.Strict}
		fmt.Fprintf(hash, "%s, %s\n", p.kernel, p.algorithm)
		for _, c := range p.calls {
			for _, name := range b.stands[c.Name] {
				if !slices.Contains(part.Nodes, name) {
					part.Nodes = append(part.Nodes, name)
				}
			}
			fmt.Fprintf(hash, "%q %q %q %q %v %v %v\n", c.Name, c.Op.Name, c.Inputs, c.Outputs, c.Attrs, c.In, c.Out)
		}
		list = append(list, part)
	}
	return list, fmt.Sprintf("%x", hash.Sum(nil))
}
