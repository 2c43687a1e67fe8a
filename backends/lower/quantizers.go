package lower

import (
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// quantizer is a QuantizeLinear or DequantizeLinear in f32 without blocks.
type quantizer struct {
	at          int    // place in l.nodes
	x           string // what it takes
	scale, zero string // zero is "" where it is left out
	axis        int    // of a scale that is no single number; -1 if it is one
}

// quantizer reads node i as one that is op; nil if it is another.
func (l *lowering) quantizer(i int, op string) *quantizer {
	n := &l.nodes[i]
	if n.Op != op {
		return nil
	}
	c, err := l.call(&n.Node)
	if err != nil || c.Int("block_size") != 0 || c.In[1].DType != tensor.F32 {
		return nil
	}
	q := &quantizer{at: i, x: n.Inputs[0], scale: n.Inputs[1], axis: -1}
	if c.Has(2) {
		q.zero = n.Inputs[2]
	}
	if !single(c.In[1].Shape) {
		rank := len(c.In[0].Shape)
		q.axis = (c.Int("axis") + rank) % rank
	}
	float := c.Out[0].DType
	if op == "QuantizeLinear" {
		float = c.In[0].DType
	}
	if float != tensor.F32 {
		return nil
	}
	return q
}

// single says whether a scale is one number.
func single(s tensor.Shape) bool { return len(s) <= 1 && s.Elements() == 1 }

// steady says whether scale and zero point exist before the first node, so
// that the quantizer can be moved.
func (l *lowering) steady(q *quantizer) bool {
	return l.given[q.scale] && (q.zero == "" || l.given[q.zero])
}

// ordered are the ops that only move elements or choose the largest of some:
// they commute with a quantizer of one scale, to the bit, since that never
// turns the order of two numbers round.
var ordered = map[string]bool{"MaxPool": true, "Reshape": true, "Flatten": true, "Transpose": true, "Identity": true}

// chooses says whether node i is of these, with the values alone as its result.
func (l *lowering) chooses(i int) bool {
	n := &l.nodes[i]
	return ordered[n.Op] && n.Domain == graph.Std && !slices.ContainsFunc(n.Outputs[1:], func(o string) bool { return o != "" })
}

// sink lets DequantizeLinear be done after what only chooses elements: a pool
// then has 8-bit integers before it.
func (l *lowering) sink() {
	for i := 0; i < len(l.nodes); i++ {
		if !l.chooses(i) {
			continue
		}
		k, ok := l.makers()[l.nodes[i].Inputs[0]]
		if !ok {
			continue
		}
		q := l.quantizer(k, "DequantizeLinear")
		if q == nil || q.axis >= 0 || !graph.EightBits.Has(l.types[q.x].DType) {
			continue
		}
		n := l.nodes[i]
		stands := slices.Concat(l.nodes[k].stands, n.stands)
		octets := l.unique(n.Outputs[0] + "/octets")
		pair := []node{l.made(n.Op, n.Attrs, stands, octets, q.x),
			l.made("DequantizeLinear", l.nodes[k].Attrs, stands, n.Outputs[0], octets, q.scale, q.zero)}
		if l.possible(pair) {
			l.nodes = slices.Replace(l.nodes, i, i+1, pair...)
		}
	}
}

// raise lets QuantizeLinear be done before what only chooses elements, where
// nobody else wants the floats: what makes them can then end in integers.
func (l *lowering) raise() {
	for i := len(l.nodes) - 1; i >= 0; i-- {
		q := l.quantizer(i, "QuantizeLinear")
		if q == nil || q.axis >= 0 || !l.steady(q) || l.ends[q.x] || len(l.readers()[q.x]) != 1 {
			continue
		}
		k, ok := l.makers()[q.x]
		if !ok || !l.chooses(k) {
			continue
		}
		n := l.nodes[k]
		stands := slices.Concat(n.stands, l.nodes[i].stands)
		octets := l.unique(n.Inputs[0] + "/octets")
		pair := []node{l.made("QuantizeLinear", l.nodes[i].Attrs, stands, octets, n.Inputs[0], q.scale, q.zero),
			l.made(n.Op, n.Attrs, stands, l.nodes[i].Outputs[0], octets)}
		if l.possible(pair) {
			l.nodes = slices.Delete(l.nodes, i, i+1)
			l.nodes = slices.Replace(l.nodes, k, k+1, pair...)
		}
	}
}

// cancel drops a QuantizeLinear that undoes the DequantizeLinear before it:
// (q − z)·s / s is within an ulp of q − z, and rounds to it.
func (l *lowering) cancel() {
	for i := 0; i < len(l.nodes); i++ {
		q := l.quantizer(i, "QuantizeLinear")
		if q == nil || q.axis >= 0 || l.ends[l.nodes[i].Outputs[0]] {
			continue
		}
		k, ok := l.makers()[q.x]
		if !ok {
			continue
		}
		d := l.quantizer(k, "DequantizeLinear")
		if d == nil || d.axis >= 0 || l.types[d.x].DType != l.types[l.nodes[i].Outputs[0]].DType || !l.sameScale(q, d) {
			continue
		}
		for r := range l.nodes {
			for j, in := range l.nodes[r].Inputs {
				if in == l.nodes[i].Outputs[0] {
					l.nodes[r].Inputs[j] = d.x
					l.nodes[r].stands = slices.Concat(l.nodes[r].stands, l.nodes[k].stands, l.nodes[i].stands)
				}
			}
		}
		l.nodes = slices.Delete(l.nodes, i, i+1)
		i--
	}
}

// sameScale says whether two quantizers are known to have equal scales, that
// are usual numbers, and equal zero points.
func (l *lowering) sameScale(a, b *quantizer) bool {
	x, y := l.consts[a.scale], l.consts[b.scale]
	if x == nil || y == nil {
		return false
	}
	s := x.Float64s()[0]
	return s == y.Float64s()[0] && s > 1e-30 && s < 1e30 && l.zeroOf(a) == l.zeroOf(b) && l.zeroOf(a) != unknown
}

// unknown is no zero point.
const unknown = 1 << 20

// zeroOf is a quantizer's zero point, if that is one constant number.
func (l *lowering) zeroOf(q *quantizer) float64 {
	if q.zero == "" {
		return 0
	}
	if t := l.consts[q.zero]; t != nil && t.Type.Shape.Elements() == 1 {
		return t.Float64s()[0]
	}
	return unknown
}
