package graph

import (
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// Attention in core ops. All heads that share keys are multiplied as one
// matrix: batch × KVHeads × (Group·rows) × size.

// attentionCore writes the decompositions.
type attentionCore struct {
	*Builder
	*Attention
	c *Call
	d tensor.DType
}

func (b *Builder) attention(c *Call) *attentionCore {
	a, err := c.Attention()
	b.Fail(err)
	return &attentionCore{b, a, c, c.In[a.q].DType}
}

func (w *attentionCore) to(v Value, s ...int) Value {
	if w.err != nil || v.Type.Shape.Equal(s) {
		return v
	}
	return w.Op("Reshape", Attrs{"shape": L(s...), "allowzero": I(1)}, v)
}

// split is a value as batch × heads × rows × size.
func (w *attentionCore) split(v Value, heads int) Value {
	if w.err != nil || !w.Packed {
		return v
	}
	s := v.Type.Shape
	return w.Op("Transpose", Attrs{"perm": L(0, 2, 1, 3)}, w.to(v, s[0], s[1], heads, s[2]/heads))
}

// merge is the way back.
func (w *attentionCore) merge(v Value, heads, rows, size int) Value {
	v = w.to(v, w.Batch, heads, rows, size)
	if !w.Packed {
		return v
	}
	return w.to(w.Op("Transpose", Attrs{"perm": L(0, 2, 1, 3)}, v), w.Batch, rows, heads*size)
}

// grouped sees the heads of Q as those of K.
func (w *attentionCore) grouped(v Value, size int) Value {
	return w.to(v, w.Batch, w.KVHeads, w.Group()*w.Queries, size)
}

// whole sees scores by head.
func (w *attentionCore) whole(v Value, last int) Value {
	return w.to(v, w.Batch, w.Heads, w.Queries, last)
}

// scores are the raw ones, those after the cap with its hyperbolic tangent,
// and those after the bias, batch × Heads × Queries × Keys.
func (w *attentionCore) scores(q, k Value) (raw, capped, tanh, biased Value) {
	s := w.Op("MatMul", nil, w.grouped(w.scaled(q, w.Scale), w.Size), w.swapLast(k))
	raw = w.whole(s, w.Keys)
	capped = raw
	if w.Softcap > 0 {
		tanh = w.Op("Tanh", nil, w.scaled(raw, 1/w.Softcap))
		capped = w.scaled(tanh, w.Softcap)
	}
	biased = capped
	allowed := w.allowed()
	if w.c.Has(w.mask) && w.c.In[w.mask].DType != tensor.Bool {
		m := w.padded(w.c.Input(w.mask), math.Inf(-1))
		biased = w.Op("Add", nil, capped, m)
		allowed = w.and(allowed, w.not(w.Op("Equal", nil, m, w.Scalar(w.d, math.Inf(-1)))))
	}
	if allowed.Name != "" {
		biased = w.Op("Where", nil, allowed, biased, w.Scalar(w.d, math.Inf(-1)))
	}
	return raw, capped, tanh, biased
}

// allowed says which keys a query may attend, by all but a mask of floats; the
// zero Value: all.
func (w *attentionCore) allowed() (allowed Value) {
	if w.c.Has(w.mask) && w.c.In[w.mask].DType == tensor.Bool {
		allowed = w.padded(w.c.Input(w.mask), 0)
	}
	var valid Value
	if w.c.Has(w.nonpad) {
		valid = w.to(w.c.Input(w.nonpad), w.Batch, 1, 1, 1)
		needs := w.index("keys", 1, w.Keys, func(_, j int) int { return j + 1 })
		allowed = w.and(allowed, w.Op("LessOrEqual", nil, needs, valid))
	}
	switch {
	case w.Causal && valid.Name != "": // j ≤ i + valid - Queries
		needs := w.index("causal", w.Queries, w.Keys, func(i, j int) int { return j - i + w.Queries })
		allowed = w.and(allowed, w.Op("LessOrEqual", nil, needs, valid))
	case w.Causal:
		t := tensor.New(tensor.Bool, w.Queries, w.Keys)
		for i := range w.Queries {
			for j := range min(w.Keys, i+w.Past+1) {
				t.Data[i*w.Keys+j] = 1
			}
		}
		allowed = w.and(allowed, w.Const("causal", t))
	}
	return allowed
}

func (w *attentionCore) index(name string, rows, cols int, f func(i, j int) int) Value {
	t := tensor.New(tensor.S64, rows, cols)
	at := tensor.View[int64](t.Data)
	for i := range at {
		at[i] = int64(f(i/cols, i%cols))
	}
	return w.Const(name, t)
}

// padded stretches a mask's last axis to all keys.
func (w *attentionCore) padded(mask Value, with float64) Value {
	s := mask.Type.Shape.Clone()
	n := s[len(s)-1]
	if n == w.Keys {
		return mask
	}
	s[len(s)-1] = w.Keys - n
	rest := tensor.New(mask.Type.DType, s...)
	tensor.FillSeeded(rest, tensor.Fill{Kind: tensor.Constant, Lo: with}, 0, 0)
	return w.Op("Concat", Attrs{"axis": I(-1)}, mask, w.Const("beyond", rest))
}

func (w *attentionCore) and(a, b Value) Value {
	if a.Name == "" {
		return b
	}
	return w.Op("Where", nil, a, b, w.Scalar(tensor.Bool, 0))
}

func (w *attentionCore) not(a Value) Value {
	return w.Op("Where", nil, a, w.Scalar(tensor.Bool, 0), w.Scalar(tensor.Bool, 1))
}

// cached joins the keys or values with those that came before.
func (w *attentionCore) cached(input int, v Value) Value {
	if !w.c.Has(input) {
		return v
	}
	return w.Op("Concat", Attrs{"axis": I(2)}, w.c.Input(input), v)
}

func decomposeAttention(b *Builder, c *Call) []Value {
	w := b.attention(c)
	q := w.split(c.Input(0), w.Heads)
	presentK, presentV := w.cached(4, w.split(c.Input(1), w.KVHeads)), w.cached(5, w.split(c.Input(2), w.KVHeads))
	raw, capped, _, s := w.scores(q, presentK)

	// A row without a key has the maximum -∞; its probabilities are 0.
	keep := Attrs{"axes": L(-1), "keepdims": I(1)}
	zero, one := w.Scalar(w.d, 0), w.Scalar(w.d, 1)
	m := w.Op("ReduceMax", keep, s)
	none := w.Op("Equal", nil, m, w.Scalar(w.d, math.Inf(-1)))
	m = w.Op("Where", nil, none, zero, m)
	e := w.Op("Exp", nil, w.Op("Sub", nil, s, m))
	sum := w.Op("Where", nil, none, one, w.Op("ReduceSum", keep, e))
	p := w.Op("Div", nil, e, sum)
	lse := w.Op("Where", nil, none, w.Scalar(w.d, math.Inf(1)), w.Op("Add", nil, m, w.Op("Log", nil, sum)))

	y := w.Op("MatMul", nil, w.grouped(p, w.Keys), presentV)
	qk := []Value{raw, capped, s, p}[c.Int("qk_matmul_output_mode")]
	return []Value{w.merge(y, w.Heads, w.Queries, w.ValueSize), w.named(presentK, c, 1), w.named(presentV, c, 2),
		qk, w.to(lse, w.Batch, w.Heads, w.Queries)}
}

// named makes a value of a program's own one of the decomposition, to be given
// an output's name.
func (w *attentionCore) named(v Value, c *Call, input int) Value {
	if v.Name == c.Inputs[input] {
		return w.Op("Reshape", Attrs{"shape": L(v.Type.Shape...), "allowzero": I(1)}, v)
	}
	return v
}

func decomposeAttentionGrad(b *Builder, c *Call) []Value {
	w := b.attention(c)
	in := func(i, heads int) Value { return w.split(c.Input(i), heads) }
	dy, q, k, v, y := in(0, w.Heads), in(1, w.Heads), in(2, w.KVHeads), in(3, w.KVHeads), in(4, w.Heads)
	_, _, tanh, s := w.scores(q, k)
	p := w.Op("Exp", nil, w.Op("Sub", nil, s, w.to(c.Input(5), w.Batch, w.Heads, w.Queries, 1)))

	// dS = P∘(dY·Vᵀ − Σ dY∘Y), then through the cap.
	dV := w.Op("MatMul", nil, w.swapLast(w.grouped(p, w.Keys)), w.grouped(dy, w.ValueSize))
	dP := w.whole(w.Op("MatMul", nil, w.grouped(dy, w.ValueSize), w.swapLast(v)), w.Keys)
	row := w.Op("ReduceSum", Attrs{"axes": L(-1), "keepdims": I(1)}, w.Op("Mul", nil, dy, y))
	dS := w.Op("Mul", nil, p, w.Op("Sub", nil, dP, row))
	dMask := w.maskGrad(dS)
	if w.Softcap > 0 {
		dS = w.Op("Mul", nil, dS, w.Op("Sub", nil, w.Scalar(w.d, 1), w.Op("Mul", nil, tanh, tanh)))
	}
	dS = w.grouped(w.scaled(dS, w.Scale), w.Keys)
	dQ := w.Op("MatMul", nil, dS, k)
	dK := w.Op("MatMul", nil, w.swapLast(dS), w.grouped(q, w.Size))
	return []Value{w.merge(dQ, w.Heads, w.Queries, w.Size), w.merge(dK, w.KVHeads, w.Keys, w.Size), w.merge(dV, w.KVHeads, w.Keys, w.ValueSize), dMask}
}

// maskGrad sums dS over what the mask was stretched along; 0 if it has no
// gradient.
func (w *attentionCore) maskGrad(dS Value) Value {
	mask := w.c.Input(w.mask)
	if mask.Name == "" || mask.Type.DType == tensor.Bool {
		return w.Op("Reshape", Attrs{"shape": L[int]()}, w.Scalar(w.d, 0))
	}
	if n := mask.Type.Shape[len(mask.Type.Shape)-1]; n != w.Keys {
		dS = w.Op("Slice", Attrs{"starts": L(0), "ends": L(n), "axes": L(3)}, dS)
	}
	return w.SumTo(dS, mask.Type.Shape)
}
