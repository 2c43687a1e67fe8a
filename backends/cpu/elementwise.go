package cpu

import (
	"fmt"

	"github.com/clsbench/clsbench/backends/cpu/pool"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// ranger computes the elements lo ≤ i < hi of an output, by flat index.
type ranger func(lo, hi int)

// elementwiseRows are the functions of one element of each input. Chains of
// them are computed together, a block that fits the first cache at a time, in
// place in the last one's output.
func elementwiseRows() []row {
	var rows []row
	add := func(op string, takes func(*graph.Call) error, elements func(*builder, *graph.Call, []*value, *value) ranger) {
		rows = append(rows, row{op, []implementation{{
			kernel: "elementwise", algorithm: "direct",
			takes: takes, absorbs: continuesChain, build: buildChain, elements: elements,
		}}})
	}
	for _, op := range []string{"Add", "Sub", "Mul", "Div", "Max", "Min"} {
		add(op, ofTypes(wide, 0), buildBinary)
	}
	add("Pow", ofTypes(wideFloat|graph.Indices, 0), buildPow)
	for op := range floatFunctions {
		add(op, ofTypes(wideFloat, 0), buildUnary)
	}
	for op := range signFunctions {
		add(op, ofTypes(wide, 0), buildUnary)
	}
	add("PRelu", ofTypes(wideFloat, 0), buildBinary)
	add("Clip", ofTypes(wide, 0), buildClip)
	add("ReluGrad", ofTypes(wideFloat, 0), buildReluGrad)
	add("Equal", ofTypes(wide|graph.Bools, 0), buildComparison)
	for _, op := range []string{"Less", "LessOrEqual", "Greater", "GreaterOrEqual"} {
		add(op, ofTypes(wide, 0), buildComparison)
	}
	for _, op := range []string{"And", "Or", "Xor"} {
		add(op, ofTypes(graph.Bools, 0), buildComparison)
	}
	add("Not", ofTypes(graph.Bools, 0), buildTest)
	add("IsNaN", ofTypes(wideFloat, 0), buildTest)
	add("IsInf", ofTypes(wideFloat, 0), buildTest)
	add("Where", ofTypes(graph.Any, 1), buildWhere)
	add("Cast", ofTypes(graph.Any, 0), buildCast)
	return rows
}

// elementsOf is how a node of a chain is computed; nil: it can't be in one.
func (t table) elementsOf(c *graph.Call) func(*builder, *graph.Call, []*value, *value) ranger {
	if impl, err := t.choose(c); err == nil {
		return impl.elements
	}
	return nil
}

// blockElements is how much of a chain is computed at a time.
const blockElements = 4096

// continuesChain lets a chain go on while its values keep their number of
// elements and their type, and with views in between.
func continuesChain(t table, p *part, c *graph.Call) bool {
	last := p.last()
	if isView(c) {
		return true
	}
	if t.elementsOf(c) == nil {
		return false
	}
	from, to := last.Out[0], c.Out[0]
	if from.DType != to.DType || from.Shape.Elements() != to.Shape.Elements() {
		return false
	}
	// The chain is computed in place: where its value so far is broadcast or
	// is the condition of a choice, it is not read where it is written.
	for i, in := range c.Inputs {
		if in == p.output() && (c.In[i].DType != to.DType || c.In[i].Shape.Elements() != to.Shape.Elements()) {
			return false
		}
	}
	return true
}

// buildChain makes one phase of all nodes.
func buildChain(b *builder, p *part) error {
	out := b.out(p.last(), 0)
	var chain []ranger
	for k, c := range p.calls {
		if isView(c) {
			continue
		}
		in := make([]*value, len(c.Inputs))
		for i, name := range c.Inputs {
			if in[i] = b.in(c, i); in[i] == nil && name != "" {
				in[i] = &value{name, c.In[i], out.mem} // the chain so far
				b.inner = append(b.inner, in[i])
			}
		}
		at := &value{out.name, c.Out[0], out.mem}
		b.inner = append(b.inner, at)
		r := b.table.elementsOf(c)(b, c, in, at)
		if r == nil {
			return fmt.Errorf("no loop for %v", c.In)
		}
		chain = append(chain, r)
		if k == 0 {
			b.mayOverlap(p, c, out, in)
		}
	}
	n := out.elements()
	p.phases = []phase{{task: shareChain(chain, n), serial: n*len(chain) < serialElements}}
	return nil
}

// mayOverlap notes the inputs of a call that its output, a whole block at a
// time, may lie in.
func (b *builder) mayOverlap(p *part, c *graph.Call, out *value, in []*value) {
	for _, v := range in {
		if v != nil && v.elements() == out.elements() {
			p.overlaps = append(p.overlaps, overlap{c, out, v})
		}
	}
}

// serialElements is the number of elements that are not worth sharing: some
// 2 µs of work at a vector a cycle.
const serialElements = 1 << 14

// shareOf is the part of n elements that a worker does, cut at cache lines.
func shareOf(n, worker, workers int) (lo, hi int) {
	const line = 64
	lines := (n + line - 1) / line
	return min(n, lines*worker/workers*line), min(n, lines*(worker+1)/workers*line)
}

func shareChain(chain []ranger, n int) pool.Task {
	return func(worker, workers int) {
		lo, hi := shareOf(n, worker, workers)
		if len(chain) == 1 {
			if lo < hi {
				chain[0](lo, hi)
			}
			return
		}
		for ; lo < hi; lo += blockElements {
			for _, r := range chain {
				r(lo, min(lo+blockElements, hi))
			}
		}
	}
}

// broadcast is how the inputs of an op lie in its output: axes that all inputs
// run through, or repeat along, in the same way are one.
type broadcast struct {
	outer  []int   // extents of all axes but the last
	inner  int     // extent of the last
	steps  [][]int // [input][outer axis]
	inners []int   // [input]: 1, or 0 if the input repeats along the last axis
}

func newBroadcast(out tensor.Shape, in ...tensor.Shape) *broadcast {
	strides := make([][]int, len(in))
	for k, s := range in {
		strides[k] = tensor.BroadcastStrides(s, out)
	}
	var dims []int
	var steps [][]int // [axis][input]
	for axis, extent := range out {
		if extent == 1 {
			continue
		}
		at := make([]int, len(in))
		merge := len(dims) > 0
		for k := range in {
			at[k] = strides[k][axis]
			merge = merge && steps[len(steps)-1][k] == at[k]*extent
		}
		if merge {
			dims[len(dims)-1] *= extent
			steps[len(steps)-1] = at
			continue
		}
		dims, steps = append(dims, extent), append(steps, at)
	}
	if len(dims) == 0 {
		dims, steps = []int{1}, [][]int{make([]int, len(in))}
	}
	last := len(dims) - 1
	b := &broadcast{outer: dims[:last], inner: dims[last], inners: steps[last]}
	for k := range in {
		var s []int
		for axis := range last {
			s = append(s, steps[axis][k])
		}
		b.steps = append(b.steps, s)
	}
	return b
}

// at is where input k's element for the output's element i lies, and how many
// elements from i on to hi are in the same row.
func (b *broadcast) at(k, i int) int {
	row, col := i/b.inner, i%b.inner
	o := col * b.inners[k]
	steps := b.steps[k]
	for axis := len(b.outer) - 1; axis >= 0; axis-- {
		o += row % b.outer[axis] * steps[axis]
		row /= b.outer[axis]
	}
	return o
}

// operand is what input k, whose elements x has, brings to the n elements from
// i on of a row: so many numbers, or one.
func (b *broadcast) operand(k int, x []float32, i, n int) []float32 {
	at := b.at(k, i)
	if b.inners[k] == 0 {
		n = 1
	}
	return x[at : at+n]
}

// rest is how many of the elements lo to hi are in lo's row.
func (b *broadcast) rest(lo, hi int) int { return min(b.inner-lo%b.inner, hi-lo) }
