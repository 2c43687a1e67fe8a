package reference

import (
	"hash/fnv"

	"github.com/clsbench/clsbench/tensor"
)

// Acc makes the sums of one node: every Σ of a formula is
//
//	s := acc.New()
//	for … {
//		s = s.Plus(x * w)
//	}
//	… s.Value()
//
// A plain Acc adds in float64 in the order of the formula. Others add as some
// legal implementation would, see order. An Acc serves one goroutine; its zero
// value is plain and uses one.
type Acc struct {
	order   *order // nil: plain
	threads int    // what Formula.Array may use
	free    []*partials
}

// Sum is a sum under way. It is a value: Plus returns the longer sum, and only
// that may be used on.
type Sum struct {
	total float64
	parts *partials // nil: plain
}

// New starts a sum at zero.
func (a *Acc) New() Sum {
	if a.order == nil {
		return Sum{}
	}
	return a.begin()
}

// Plus is the sum with one more term. It is a value in, value out, and small
// enough to be inlined: a plain sum then stays in a register.
func (s Sum) Plus(term float64) Sum {
	if s.parts != nil {
		s.parts.add(term)
	} else {
		s.total += term
	}
	return s
}

// Value ends the sum.
func (s Sum) Value() float64 {
	if s.parts == nil {
		return s.total
	}
	return s.parts.end()
}

// order is a legal order of summation. Terms are dealt in runs to lanes, round
// and round, and the lanes added up at the end, one after the other or as a
// tree. One lane is the loop as written; lanes with runs of 1 are a vector
// unit's; long runs are blocks of a cache or parts of a split sum.
type order struct {
	lanes int  // 1 … maxLanes
	run   int  // terms in a row to one lane
	first int  // lane that the others are added to, if not as a tree
	tree  bool // how the lanes are added up
	// single rounds every partial sum to f32. A term is then a product of two
	// f32, exact in float64, so that adding it rounds once, as a fused
	// multiply-add does; terms says to round it first, as without one.
	single, terms bool
	// backwards takes the terms from the last to the first, which therefore all
	// wait for the end.
	backwards bool
}

const maxLanes = 64

// Order is an Acc's order for those who follow it by themselves, see order.
type Order struct {
	Lanes, Run               int
	Single, Terms, Backwards bool
	Join                     func(lanes []float64) float64 // adds up the lanes that had terms, and overwrites them
}

// Order is the order of the sums that a makes.
func (a *Acc) Order() Order {
	if a.order == nil {
		return Order{Lanes: 1, Run: 1, Join: (&order{}).join}
	}
	o := a.order
	return Order{o.lanes, o.run, o.single, o.terms, o.backwards, o.join}
}

// drawOrder draws the order in which a node sums, from a seed and its name.
// Seed 0 is the order of the formula.
func drawOrder(seed uint64, node string) order {
	if seed == 0 {
		return order{lanes: 1, run: 1}
	}
	h := fnv.New64a()
	h.Write([]byte(node))
	r := tensor.Philox{Key: seed ^ h.Sum64()}
	o := order{
		lanes: 1 + int(r.Word(0)%maxLanes),
		run:   1 << (r.Word(1) % 13),
		tree:  r.Word(2)&1 == 1,
		terms: r.Word(3)&1 == 1,
	}
	if r.Word(4)&1 == 1 {
		o.run = 1 // what most kernels do should come often
	}
	switch r.Word(6) & 3 {
	case 0: // the loop as written: a matrix product's kernel, and the worst
		o.lanes = 1
	case 1: // nearly as bad, and of other errors
		o.lanes = 2 + int(r.Word(0)%3)
	}
	o.first = int(r.Word(5)) % o.lanes
	return o
}

// partials are the lanes of one sum.
type partials struct {
	acc  *Acc
	sum  [maxLanes]float64
	used int // lanes that have had terms; the others are 0
	at   int // lane of the next term
	left int // terms until the next lane
	wait []float64
}

func (a *Acc) begin() Sum {
	var p *partials
	if n := len(a.free); n > 0 {
		p, a.free = a.free[n-1], a.free[:n-1]
	} else {
		p = &partials{acc: a}
	}
	p.used, p.at, p.left = 0, 0, a.order.run
	return Sum{parts: p}
}

// add takes one more term. Inlined here, it would keep Plus from being so.
//
//go:noinline
func (p *partials) add(term float64) {
	if p.acc.order.backwards {
		p.wait = append(p.wait, term)
		return
	}
	p.take(term)
}

// take adds a term to its lane.
func (p *partials) take(term float64) {
	o := p.acc.order
	i := p.at & (maxLanes - 1)
	if o.single {
		if o.terms {
			term = float64(float32(term))
		}
		p.sum[i] = float64(float32(p.sum[i] + term))
	} else {
		p.sum[i] += term
	}
	p.used = max(p.used, i+1)
	if p.left--; p.left == 0 {
		p.left = o.run
		if p.at++; p.at == o.lanes {
			p.at = 0
		}
	}
}

// end adds up the lanes and gives their memory back.
func (p *partials) end() float64 {
	for n := len(p.wait); n > 0; n-- {
		p.take(p.wait[n-1])
	}
	p.wait = p.wait[:0]
	lanes := p.sum[:max(1, p.used)]
	total := p.acc.order.join(lanes)
	clear(lanes)
	p.acc.free = append(p.acc.free, p)
	return total
}

// join adds up lanes, which it overwrites.
func (o *order) join(lanes []float64) float64 {
	if o.tree {
		for n := len(lanes); n > 1; n -= n / 2 {
			for i := range n / 2 { // the upper half onto the lower
				lanes[i] = o.rounded(lanes[i] + lanes[n-n/2+i])
			}
		}
	} else {
		first := o.first % len(lanes)
		lanes[0], lanes[first] = lanes[first], lanes[0]
		for _, v := range lanes[1:] {
			lanes[0] = o.rounded(lanes[0] + v)
		}
	}
	return lanes[0]
}

func (o *order) rounded(v float64) float64 {
	if o.single {
		return float64(float32(v))
	}
	return v
}
