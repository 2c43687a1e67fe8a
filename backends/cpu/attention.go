package cpu

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// attentionRows are attention and its gradient, fused by head: the scores of a
// block of queries lie in scratch memory and never anywhere else.
func attentionRows() []row {
	return []row{
		{"Attention", []implementation{{kernel: "attention", algorithm: "by head", takes: takesAttention, build: buildAttention}}},
		{"AttentionGrad", []implementation{{kernel: "attention gradient", algorithm: "by head", takes: takesAttentionGrad, build: buildAttentionGrad}}},
	}
}

func takesAttention(c *graph.Call) error {
	if c.Has(4) || c.Wants(1) || c.Wants(2) || c.Wants(3) {
		return errors.New("a cache, or scores wanted: there is a kernel for Y and lse")
	}
	return ofTypes(f32Only, 0)(c)
}

func takesAttentionGrad(c *graph.Call) error {
	if c.Wants(3) {
		return errors.New("the mask's gradient is wanted: there is a kernel for those of Q, K and V")
	}
	return ofTypes(f32Only, 1)(c)
}

// blockQueries is how many rows of scores are made at a time, at most.
const blockQueries = 64

// attention is what forward and backward share.
type attention struct {
	*graph.Attention
	isa         kernel.ISA
	q, k, v     *value
	mask, valid *value // nil: none
	maskSteps   []int  // of a row of the mask, by batch, head and query
	maskCols    int
	blocks      int // of queries, of nearly equal heights: see height
}

func newAttention(b *builder, c *graph.Call, q, mask, valid int) (*attention, error) {
	g, err := c.Attention()
	if err != nil {
		return nil, err
	}
	a := &attention{Attention: g, isa: b.isa, q: b.in(c, q), k: b.in(c, q+1), v: b.in(c, q+2), mask: b.in(c, mask), valid: b.in(c, valid)}
	a.blocks = (a.Queries + blockQueries - 1) / blockQueries
	if a.mask != nil {
		s := c.MaskShape(mask)
		a.maskCols = s[3]
		a.maskSteps = tensor.BroadcastStrides(s[:3], tensor.Shape{a.Batch, a.Heads, a.Queries})
	}
	return a, nil
}

// height is the least number of rows of a block; some have one more. Blocks of
// one row among higher ones would be packed for otherwise.
func (a *attention) height() int { return a.Queries / a.blocks }

// block is the rows of block i.
func (a *attention) block(i int) (lo, hi int) {
	return a.Queries * i / a.blocks, a.Queries * (i + 1) / a.blocks
}

// plans are the products of blocks of queries: of both heights.
func (a *attention) plans(plan func(rows int) *kernel.Gemm) [2]*kernel.Gemm {
	return [2]*kernel.Gemm{plan(a.height()), plan(a.height() + 1)}
}

// head sees one head of a value of so many heads as a matrix of rows.
func (a *attention) head(v *value, batch, head, heads, rows, size int) kernel.Matrix {
	if a.Packed {
		return kernel.RowMajor(v.f32()[batch*rows*heads*size+head*size:], heads*size)
	}
	return kernel.RowMajor(v.f32()[(batch*heads+head)*rows*size:], size)
}

// from is the matrix without its first rows.
func from(m kernel.Matrix, rows int) kernel.Matrix {
	m.Data = m.Data[rows*m.RS:]
	return m
}

// keys is how many keys, from the first on, query l may attend, by all but the
// mask.
func (a *attention) keys(batch, l int) int {
	valid, keys := -1, a.Keys
	if a.valid != nil {
		valid = int(min(int64(a.Keys), max(0, view[int64](a.valid)[batch])))
		keys = valid
	}
	if a.Causal {
		keys = min(keys, max(0, l+a.Offset(valid)+1))
	}
	return keys
}

// bias caps the scores of a query and adds its bias to them; t, if not nil,
// gets the hyperbolic tangents of the cap.
func (a *attention) bias(s, t []float32, batch, head, l int) {
	if a.Softcap > 0 {
		kernel.Div.Scalar(a.isa, s, s, float32(a.Softcap))
		kernel.Tanh.Map(a.isa, s, s)
		copy(t, s)
		kernel.Mul.Scalar(a.isa, s, s, float32(a.Softcap))
	}
	none := float32(math.Inf(-1))
	n := a.keys(batch, l)
	if a.mask != nil {
		n = min(n, a.maskCols)
		at := (batch*a.maskSteps[0] + head*a.maskSteps[1] + l*a.maskSteps[2]) * a.maskCols
		if a.mask.typ.DType == tensor.Bool {
			for j, on := range a.mask.bytes()[at:][:n] {
				if on == 0 {
					s[j] = none
				}
			}
		} else {
			for j, m := range a.mask.f32()[at:][:n] {
				if s[j] += m; m == none {
					s[j] = none
				}
			}
		}
	}
	for j := n; j < len(s); j++ {
		s[j] = none
	}
}

// softmax makes probabilities of scores and gives the logarithm of their sum;
// 0 and +∞ where no key is left.
func (a *attention) softmax(s []float32) float32 {
	if !slices.ContainsFunc(s, func(v float32) bool { return !math.IsInf(float64(v), -1) }) {
		clear(s)
		return float32(math.Inf(1))
	}
	m, sum := kernel.Softmax(a.isa, s, s)
	return m + float32(math.Log(sum))
}

func buildAttention(b *builder, p *part) error {
	c := p.head()
	a, err := newAttention(b, c, 0, 3, 6)
	if err != nil {
		return err
	}
	y, lse := b.out(c, 0), b.out(c, 4)
	p.kernel = fmt.Sprintf("attention %v", b.isa)
	scores := a.plans(func(rows int) *kernel.Gemm {
		g := kernel.NewGemm(b.isa, rows, a.Keys, a.Size)
		g.Alpha = float32(a.Scale)
		return g
	})
	values := a.plans(func(rows int) *kernel.Gemm { return kernel.NewGemm(b.isa, rows, a.ValueSize, a.Keys) })
	s, keys, vals := b.scratches(4*(a.height()+1)*a.Keys), b.scratches(4*scores[0].PackedLen()), b.scratches(4*values[0].PackedLen())
	products := make([]kernel.Product, b.workers)
	items := a.Batch * a.Heads * a.blocks
	p.phases = []phase{{serial: c.FLOPs() < serialFLOPs, task: func(worker, workers int) {
		q, packed := &products[worker], -1
		s := s[worker].f32()
		for i := items * worker / workers; i < items*(worker+1)/workers; i++ {
			batch, head := i/(a.Heads*a.blocks), i/a.blocks%a.Heads
			if kv := batch*a.KVHeads + head/a.Group(); kv != packed {
				packed = kv
				scores[0].PackB(keys[worker].f32(), a.head(a.k, batch, head/a.Group(), a.KVHeads, a.Keys, a.Size).Transposed(), 0, scores[0].Panels())
				values[0].PackB(vals[worker].f32(), a.head(a.v, batch, head/a.Group(), a.KVHeads, a.Keys, a.ValueSize), 0, values[0].Panels())
			}
			lo, hi := a.block(i % a.blocks)
			tall := hi - lo - a.height()
			*q = kernel.Product{A: from(a.head(a.q, batch, head, a.Heads, a.Queries, a.Size), lo), B: scores[tall].Packed(keys[worker].f32()), C: s, CRS: a.Keys}
			scores[tall].Multiply(q, 0, 1)
			for l := lo; l < hi; l++ {
				row := s[(l-lo)*a.Keys:][:a.Keys]
				a.bias(row, nil, batch, head, l)
				sum := a.softmax(row)
				if lse != nil {
					lse.f32()[(batch*a.Heads+head)*a.Queries+l] = sum
				}
			}
			if y != nil {
				out := from(a.head(y, batch, head, a.Heads, a.Queries, a.ValueSize), lo)
				*q = kernel.Product{A: kernel.RowMajor(s, a.Keys), B: values[tall].Packed(vals[worker].f32()), C: out.Data, CRS: out.RS}
				values[tall].Multiply(q, 0, 1)
			}
		}
	}}}
	return nil
}
