package cpu

import (
	"fmt"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
)

// attentionBack is the gradient's kernel: each worker has heads of K of its
// own, whose gradients it sums over the blocks of all queries of the group.
type attentionBack struct {
	*attention
	dy, y, lse, dq, dk, dv *value

	scores, dp, toQ, toK, toV [2]*kernel.Gemm // by height of the block
}

// attentionScratch is a worker's.
type attentionScratch struct {
	s, dp, tanh, keys, values, rows, panels *memory
	product                                 kernel.Product
}

func buildAttentionGrad(b *builder, p *part) error {
	c := p.head()
	a, err := newAttention(b, c, 1, 6, 7)
	if err != nil {
		return err
	}
	k := &attentionBack{attention: a, dy: b.in(c, 0), y: b.in(c, 4), lse: b.in(c, 5), dq: b.out(c, 0), dk: b.out(c, 1), dv: b.out(c, 2)}
	p.kernel = fmt.Sprintf("attention gradient %v", b.isa)
	k.plan(b)
	scratch := make([]attentionScratch, b.workers)
	n := 4 * (a.height() + 1) * a.Keys
	for i := range scratch {
		w := &scratch[i]
		w.s, w.dp = b.scratch(n), b.scratch(n)
		if a.Softcap > 0 {
			w.tanh = b.scratch(n)
		}
		w.keys, w.values, w.rows = b.scratch(4*k.scores[0].PackedLen()), b.scratch(4*k.dp[0].PackedLen()), b.scratch(4*k.toQ[0].PackedLen())
		w.panels = b.scratch(4 * max(k.toK[1].PackedLen(), k.toV[1].PackedLen()))
	}
	heads := a.Batch * a.KVHeads
	p.phases = []phase{{serial: c.FLOPs() < serialFLOPs, task: func(worker, workers int) {
		for i := heads * worker / workers; i < heads*(worker+1)/workers; i++ {
			k.head(&scratch[worker], i/a.KVHeads, i%a.KVHeads)
		}
	}}}
	return nil
}

func (k *attentionBack) plan(b *builder) {
	of := func(m, n, depth func(rows int) int) [2]*kernel.Gemm {
		return k.plans(func(rows int) *kernel.Gemm { return kernel.NewGemm(b.isa, m(rows), n(rows), depth(rows)) })
	}
	rows := func(rows int) int { return rows }
	keys := func(int) int { return k.Keys }
	size := func(int) int { return k.Size }
	value := func(int) int { return k.ValueSize }
	k.scores, k.dp, k.toQ = of(rows, keys, size), of(rows, keys, value), of(rows, size, keys)
	k.toK, k.toV = of(keys, size, rows), of(keys, value, rows)
	for i := range k.scores {
		k.scores[i].Alpha = float32(k.Scale)
	}
}

// head computes the gradients of one head of K and V, and of Q in its group.
func (k *attentionBack) head(w *attentionScratch, batch, kv int) {
	keys := k.attention.head(k.k, batch, kv, k.KVHeads, k.Keys, k.Size)
	k.scores[0].PackB(w.keys.f32(), keys.Transposed(), 0, k.scores[0].Panels())
	k.dp[0].PackB(w.values.f32(), k.attention.head(k.v, batch, kv, k.KVHeads, k.Keys, k.ValueSize).Transposed(), 0, k.dp[0].Panels())
	k.toQ[0].PackB(w.rows.f32(), keys, 0, k.toQ[0].Panels())
	for head := kv * k.Group(); head < (kv+1)*k.Group(); head++ {
		for i := range k.blocks {
			k.block(w, batch, head, i, head > kv*k.Group() || i > 0)
		}
	}
}

// block computes what a block of queries brings; more says that its share in
// dK and dV is to be added.
func (k *attentionBack) block(w *attentionScratch, batch, head, i int, more bool) {
	lo, hi := k.attention.block(i)
	tall := hi - lo - k.height()
	q := from(k.attention.head(k.q, batch, head, k.Heads, k.Queries, k.Size), lo)
	dy := from(k.attention.head(k.dy, batch, head, k.Heads, k.Queries, k.ValueSize), lo)
	y := from(k.attention.head(k.y, batch, head, k.Heads, k.Queries, k.ValueSize), lo)
	s, dp := w.s.f32(), w.dp.f32()
	w.multiply(k.scores[tall], kernel.Product{A: q, B: k.scores[tall].Packed(w.keys.f32()), C: s, CRS: k.Keys})
	w.multiply(k.dp[tall], kernel.Product{A: dy, B: k.dp[tall].Packed(w.values.f32()), C: dp, CRS: k.Keys})
	for l := lo; l < hi; l++ {
		at := (l - lo) * k.Keys
		var tanh []float32
		if w.tanh != nil {
			tanh = w.tanh.f32()[at:][:k.Keys]
		}
		k.bias(s[at:][:k.Keys], tanh, batch, head, l)
		inner := 0.0
		for e := range k.ValueSize {
			inner += float64(dy.Data[(l-lo)*dy.RS+e]) * float64(y.Data[(l-lo)*y.RS+e])
		}
		k.row(s[at:][:k.Keys], dp[at:][:k.Keys], tanh, k.lse.f32()[(batch*k.Heads+head)*k.Queries+l], float32(inner))
	}
	kv := head / k.Group()
	if k.dq != nil {
		w.multiply(k.toQ[tall], k.into(kernel.RowMajor(dp, k.Keys), k.toQ[tall].Packed(w.rows.f32()), from(k.attention.head(k.dq, batch, head, k.Heads, k.Queries, k.Size), lo), false))
	}
	if k.dk != nil {
		w.panelled(k.toK[tall], q, k.into(kernel.RowMajor(dp, k.Keys).Transposed(), kernel.Right{}, k.attention.head(k.dk, batch, kv, k.KVHeads, k.Keys, k.Size), more))
	}
	if k.dv != nil {
		w.panelled(k.toV[tall], dy, k.into(kernel.RowMajor(s, k.Keys).Transposed(), kernel.Right{}, k.attention.head(k.dv, batch, kv, k.KVHeads, k.Keys, k.ValueSize), more))
	}
}

// row makes probabilities of the scores s, and of dp the gradients of the raw
// scores, times the scale.
func (k *attentionBack) row(s, dp, tanh []float32, lse, inner float32) {
	kernel.SoftmaxGrad(k.isa, s, dp, lse, inner, float32(k.Scale))
	for j, t := range tanh {
		if dp[j] != 0 { // the tangent of what takes no part may be NaN
			dp[j] *= 1 - t*t
		}
	}
}

func (k *attentionBack) into(a kernel.Matrix, b kernel.Right, c kernel.Matrix, more bool) kernel.Product {
	return kernel.Product{A: a, B: b, C: c.Data, CRS: c.RS, Accumulate: more}
}

func (w *attentionScratch) multiply(g *kernel.Gemm, p kernel.Product) {
	w.product = p // on the heap once: a literal would be an allocation
	g.Multiply(&w.product, 0, 1)
}

// panelled packs the right-hand side first.
func (w *attentionScratch) panelled(g *kernel.Gemm, right kernel.Matrix, p kernel.Product) {
	g.PackB(w.panels.f32(), right, 0, g.Panels())
	p.B = g.Packed(w.panels.f32())
	w.multiply(g, p)
}
