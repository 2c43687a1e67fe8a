package graph

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/clsbench/clsbench/tensor"
)

// attentionOps are scaled dot product attention and its gradient (Vaswani et
// al., "Attention Is All You Need", 2017; groups of heads that share keys:
// Ainslie et al., "GQA", 2023). The meaning is the text of ONNX's opset 24 with
// its errata of 1.23 (onnx#8068), and one thing more, which that text leaves
// to 0·NaN: a key whose bias is -∞ takes no part, whatever its score.
var attentionOps = []*Op{
	{
		// Y = softmax(cap(scale·Q·Kᵀ) + bias)·V for every head. The output lse
		// is ours: training programs have it, for the gradient.
		Name: "Attention", Version: 24,
		Inputs: []Param{{Name: "Q", Types: Floats, Var: "T"}, {Name: "K", Types: Floats, Var: "T"}, {Name: "V", Types: Floats, Var: "T"},
			{Name: "attn_mask", Types: Floats | Bools, Optional: true},
			{Name: "past_key", Types: Floats, Var: "T", Optional: true}, {Name: "past_value", Types: Floats, Var: "T", Optional: true},
			{Name: "nonpad_kv_seqlen", Types: Int64s, Optional: true}},
		Outputs: []Param{{Name: "Y", Types: Floats, Var: "T"},
			{Name: "present_key", Types: Floats, Var: "T", Optional: true, Fixed: true}, {Name: "present_value", Types: Floats, Var: "T", Optional: true, Fixed: true},
			{Name: "qk_matmul_output", Types: Floats, Var: "T", Optional: true, Fixed: true}, {Name: "lse", Types: Statistics, Optional: true, Fixed: true}},
		Attrs: append([]AttrSpec{{Name: "qk_matmul_output_mode", Kind: Int, Default: I(0)}, {Name: "softmax_precision", Kind: Int, Default: I(0)}}, attentionAttrs...),
		Infer: inferAttention,
		Work: func(c *Call) int64 {
			a, _ := c.Attention()
			return a.scores() * int64(2*a.Size+2*a.ValueSize+5)
		},
		Saves:     []int{4},
		Grad:      gradAttention,
		Decompose: decomposeAttention,
	},
	{
		// The gradients of Q, K, V and of a mask of floats by the saved
		// log-sum-exp (Dao et al., "FlashAttention", 2022, §B.2).
		Name: "AttentionGrad", Domain: Own, Version: 1,
		Inputs: []Param{{Name: "dY", Types: Floats, Var: "T"}, {Name: "Q", Types: Floats, Var: "T"}, {Name: "K", Types: Floats, Var: "T"},
			{Name: "V", Types: Floats, Var: "T"}, {Name: "Y", Types: Floats, Var: "T"}, {Name: "lse", Types: Statistics},
			{Name: "attn_mask", Types: Floats | Bools, Optional: true}, {Name: "nonpad_kv_seqlen", Types: Int64s, Optional: true}},
		Outputs: []Param{{Name: "dQ", Types: Floats, Var: "T"}, {Name: "dK", Types: Floats, Var: "T"}, {Name: "dV", Types: Floats, Var: "T"},
			{Name: "dmask", Types: Floats, Var: "T", Optional: true}},
		Attrs: attentionAttrs,
		Infer: inferAttentionGrad,
		Work: func(c *Call) int64 {
			a, _ := c.Attention()
			return a.scores() * int64(6*a.Size+4*a.ValueSize+8)
		},
		Decompose: decomposeAttentionGrad,
	},
}

var attentionAttrs = []AttrSpec{{Name: "is_causal", Kind: Int, Default: I(0)},
	{Name: "q_num_heads", Kind: Int, Default: I(0)}, {Name: "kv_num_heads", Kind: Int, Default: I(0)},
	{Name: "scale", Kind: Float}, // 1/√size when absent
	{Name: "softcap", Kind: Float, Default: F(0)}}

// Attention is the geometry of an Attention or AttentionGrad.
type Attention struct {
	Batch, Heads, KVHeads int
	Queries, Keys, Past   int // rows of Q; of K with the cache; of the cache
	Size, ValueSize       int // of a head of Q and K; of V
	// Packed says that Q, K, V and Y have rank 3, batch × rows × (heads·size);
	// else they are batch × heads × rows × size.
	Packed         bool
	Causal         bool
	Scale, Softcap float64

	// Inputs by place; -1: the op has no such input.
	q, mask, past, nonpad int
}

// Group is how many heads of Q share one of K and V.
func (a *Attention) Group() int { return a.Heads / a.KVHeads }

// Offset is how many keys come before the first query: query i may attend
// keys up to i + Offset if attention is causal. valid is the element of
// nonpad_kv_seqlen, or -1 if it is not given.
func (a *Attention) Offset(valid int) int {
	if valid >= 0 {
		return valid - a.Queries
	}
	return a.Past
}

func (a *Attention) scores() int64 {
	return int64(a.Batch) * int64(a.Heads) * int64(a.Queries) * int64(a.Keys)
}

// shape is that of a value of so many heads, rows and elements a row.
func (a *Attention) shape(heads, rows, size int) tensor.Shape {
	if a.Packed {
		return tensor.Shape{a.Batch, rows, heads * size}
	}
	return tensor.Shape{a.Batch, heads, rows, size}
}

// MaskShape is the mask's shape aligned to the scores': four axes, of which
// the last may be shorter than the keys.
func (c *Call) MaskShape(input int) tensor.Shape {
	s := tensor.Shape{1, 1, 1, 1}
	copy(s[4-len(c.In[input].Shape):], c.In[input].Shape)
	return s
}

// Attention reads the geometry of the call and checks it.
func (c *Call) Attention() (*Attention, error) {
	a := &Attention{q: 0, mask: 3, past: 4, nonpad: 6, Causal: c.Int("is_causal") != 0, Softcap: c.Float("softcap")}
	if c.Op.Name == "AttentionGrad" {
		a.q, a.mask, a.past, a.nonpad = 1, 6, -1, 7
	}
	q, k, v := c.In[a.q].Shape, c.In[a.q+1].Shape, c.In[a.q+2].Shape
	if (len(q) != 3 && len(q) != 4) || len(k) != len(q) || len(v) != len(q) {
		return nil, fmt.Errorf("Q is %v, K %v, V %v: want all of rank 3 or all of rank 4", q, k, v)
	}
	keys, err := a.heads(c, q, k, v)
	if err != nil {
		return nil, err
	}
	if err := a.cache(c, keys); err != nil {
		return nil, err
	}
	if !a.shape(a.Heads, a.Queries, a.Size).Equal(q) || !a.shape(a.KVHeads, keys, a.Size).Equal(k) || !a.shape(a.KVHeads, keys, a.ValueSize).Equal(v) {
		return nil, fmt.Errorf("Q is %v, K %v, V %v: batches, rows or sizes of heads differ", q, k, v)
	}
	if a.Scale = 1 / math.Sqrt(float64(a.Size)); c.Attrs["scale"].Kind == Float {
		a.Scale = c.Float("scale")
	}
	if a.Batch == 0 || a.Queries == 0 || a.Keys == 0 || a.ValueSize == 0 {
		return nil, fmt.Errorf("Q is %v, K %v, V %v: want at least one of each", q, k, v)
	}
	if !(a.Softcap >= 0) {
		return nil, fmt.Errorf("attribute softcap: %v, want 0 or more", a.Softcap)
	}
	return a, a.checkMasks(c)
}

// heads reads extents from the shapes and gives the rows of K.
func (a *Attention) heads(c *Call, q, k, v tensor.Shape) (keys int, err error) {
	a.Batch = q[0]
	h, g := c.Int("q_num_heads"), c.Int("kv_num_heads")
	if a.Packed = len(q) == 3; a.Packed {
		if h <= 0 || g <= 0 || q[2]%h != 0 || k[2]%g != 0 || v[2]%g != 0 {
			return 0, fmt.Errorf("attributes q_num_heads, kv_num_heads: %d and %d do not divide Q %v, K %v, V %v", h, g, q, k, v)
		}
		a.Heads, a.KVHeads, a.Queries, keys = h, g, q[1], k[1]
		a.Size, a.ValueSize = q[2]/h, v[2]/g
	} else {
		a.Heads, a.KVHeads, a.Queries, keys = q[1], k[1], q[2], k[2]
		a.Size, a.ValueSize = q[3], v[3]
		if (h != 0 && h != a.Heads) || (g != 0 && g != a.KVHeads) {
			return 0, fmt.Errorf("attributes q_num_heads, kv_num_heads: %d and %d, Q is %v, K %v", h, g, q, k)
		}
	}
	if a.KVHeads == 0 || a.Heads%a.KVHeads != 0 || a.Size == 0 {
		return 0, fmt.Errorf("%d heads of Q, %d of K, size %d: want whole groups of heads", a.Heads, a.KVHeads, a.Size)
	}
	return keys, nil
}

// cache adds the keys that came before.
func (a *Attention) cache(c *Call, keys int) error {
	a.Keys = keys
	if a.past < 0 || (!c.Has(a.past) && !c.Has(a.past+1)) {
		return nil
	}
	if !c.Has(a.past) || !c.Has(a.past+1) {
		return errors.New("of past_key and past_value one is given: want both or none")
	}
	pk, pv := c.In[a.past].Shape, c.In[a.past+1].Shape
	if len(pk) == 4 {
		a.Past = pk[2]
	}
	if !pk.Equal(tensor.Shape{a.Batch, a.KVHeads, a.Past, a.Size}) || !pv.Equal(tensor.Shape{a.Batch, a.KVHeads, a.Past, a.ValueSize}) {
		return fmt.Errorf("past_key is %v, past_value %v: want batch × kv_num_heads × past × size of a head", pk, pv)
	}
	a.Keys += a.Past
	return nil
}

func (a *Attention) checkMasks(c *Call) error {
	if c.Has(a.nonpad) {
		if !c.In[a.nonpad].Shape.Equal(tensor.Shape{a.Batch}) {
			return fmt.Errorf("nonpad_kv_seqlen is %v, want %v", c.In[a.nonpad].Shape, tensor.Shape{a.Batch})
		}
		if a.past >= 0 && c.Has(a.past) {
			return errors.New("nonpad_kv_seqlen and past_key are both given: a cache is inside of the op or outside")
		}
	}
	if !c.Has(a.mask) {
		return nil
	}
	m := c.In[a.mask]
	if m.DType != tensor.Bool && m.DType != c.In[a.q].DType {
		return limited("attn_mask is %v, Q is %v: want bool or the same type", m.DType, c.In[a.q].DType)
	}
	if len(m.Shape) < 1 || len(m.Shape) > 4 {
		return fmt.Errorf("attn_mask is %v, want 1 to 4 axes", m.Shape)
	}
	scores := tensor.Shape{a.Batch, a.Heads, a.Queries, a.Keys}
	for i, n := range c.MaskShape(a.mask) {
		switch {
		case n == scores[i], n == 1 && i < 3:
		case i == 3 && n < a.Keys && n != 1:
			// Padded with -∞. Of 1 the text says that it is stretched, the
			// reference of ONNX pads it.
		default:
			return fmt.Errorf("attn_mask is %v, which does not fit scores of %v", m.Shape, scores)
		}
	}
	return nil
}

func inferAttention(c *Call) ([]tensor.Type, error) {
	a, err := c.Attention()
	if err != nil {
		return nil, err
	}
	if m := c.Int("qk_matmul_output_mode"); m < 0 || m > 3 {
		return nil, fmt.Errorf("attribute qk_matmul_output_mode: %d, want 0 to 3", m)
	}
	// ONNX's numbers of FLOAT, FLOAT16, DOUBLE and BFLOAT16. Whatever is asked
	// for, more precision is legal, and 16-bit floats compute in f32.
	if p := c.Int("softmax_precision"); !slices.Contains([]int{0, 1, 10, 11, 16}, p) {
		return nil, fmt.Errorf("attribute softmax_precision: %d, want 1, 10, 11 or 16", p)
	}
	t := func(s ...int) tensor.Type { return tensor.T(c.In[0].DType, s...) }
	return []tensor.Type{t(a.shape(a.Heads, a.Queries, a.ValueSize)...),
		t(a.Batch, a.KVHeads, a.Keys, a.Size), t(a.Batch, a.KVHeads, a.Keys, a.ValueSize), t(a.Batch, a.Heads, a.Queries, a.Keys),
		tensor.T(single(c.In[0].DType), a.Batch, a.Heads, a.Queries)}, nil
}

func inferAttentionGrad(c *Call) ([]tensor.Type, error) {
	a, err := c.Attention()
	if err != nil {
		return nil, err
	}
	if y := a.shape(a.Heads, a.Queries, a.ValueSize); !c.In[0].Shape.Equal(y) || !c.In[4].Shape.Equal(y) {
		return nil, fmt.Errorf("dY is %v, Y %v: want %v", c.In[0].Shape, c.In[4].Shape, y)
	}
	if want := tensor.T(single(c.In[1].DType), a.Batch, a.Heads, a.Queries); !c.In[5].Equal(want) {
		return nil, fmt.Errorf("lse is %v, want %v", c.In[5], want)
	}
	mask := tensor.T(c.In[1].DType) // zero, if there is no mask of floats
	if c.Has(6) && c.In[6].DType != tensor.Bool {
		mask = c.In[6]
	}
	return []tensor.Type{c.In[1], c.In[2], c.In[3], mask}, nil
}

func gradAttention(b *Builder, c *Call, dy []Value) []Value {
	if c.Has(4) || dy[0].Name == "" || slices.ContainsFunc(dy[1:], func(v Value) bool { return v.Name != "" }) {
		b.Fail(&NodeError{c.Name, c.Op.Name, errors.New("only Y, without a cache, has a gradient")})
		return nil
	}
	attrs := Attrs{}
	for _, spec := range attentionAttrs {
		if a, ok := c.Attrs[spec.Name]; ok {
			attrs[spec.Name] = a
		}
	}
	n, mask := 3, c.Input(3)
	if mask.Name != "" && mask.Type.DType != tensor.Bool {
		n = 4
	}
	d := b.OpN("AttentionGrad", attrs, n, dy[0], c.Input(0), c.Input(1), c.Input(2), c.Output(0), c.Output(4), mask, c.Input(6))
	return d
}
