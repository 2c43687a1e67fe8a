package reference

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// How calls of Attention and AttentionGrad, packed or not, with masks of any
// rank, become those of the functions of attention.go.

// attention sees every tensor as batch × heads × rows × size, the new keys and
// values behind those that came before.
func attention(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
	a, err := c.Attention()
	if err != nil {
		return nil, err
	}
	k, v := headsApart(in[1], a.KVHeads, a), headsApart(in[2], a.KVHeads, a)
	if a.Past > 0 {
		k, v = joinedRows(in[4], k), joinedRows(in[5], v)
	}
	y, qk, lse := Attention(acc, headsApart(in[0], a.Heads, a), k, v, additive(c, 3, in[3]), in[6], a, c.Int("qk_matmul_output_mode"))
	return []*Array{headsTogether(y, a), k, v, qk, lse}, nil
}

func attentionGrad(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
	a, err := c.Attention()
	if err != nil {
		return nil, err
	}
	dy, q, y := headsApart(in[0], a.Heads, a), headsApart(in[1], a.Heads, a), headsApart(in[4], a.Heads, a)
	k, v, mask := headsApart(in[2], a.KVHeads, a), headsApart(in[3], a.KVHeads, a), additive(c, 6, in[6])
	dq, dk, dv, dbias := AttentionGrad(acc, dy, q, k, v, y, in[5], mask, in[7], a)
	dmask := New()
	if in[6] != nil && c.In[6].DType.IsFloat() {
		dmask = unstretched(acc, dbias, mask.Shape).reshaped(in[6].Shape)
	}
	return []*Array{headsTogether(dq, a), headsTogether(dk, a), headsTogether(dv, a), dmask}, nil
}

// headsApart is X as B×heads×rows×size, from B×rows×(heads·size) if packed.
func headsApart(x *Array, heads int, a *graph.Attention) *Array {
	if !a.Packed {
		return x
	}
	s := x.Shape
	return Transpose(x.reshaped(tensor.Shape{s[0], s[1], heads, s[2] / heads}), []int{0, 2, 1, 3})
}

// headsTogether is the way back.
func headsTogether(x *Array, a *graph.Attention) *Array {
	if !a.Packed {
		return x
	}
	s := x.Shape
	return Transpose(x, []int{0, 2, 1, 3}).reshaped(tensor.Shape{s[0], s[2], s[1] * s[3]})
}

// joinedRows is Y after X along their third of four axes.
func joinedRows(x, y *Array) *Array {
	s := x.Shape.Clone()
	s[2] += y.Shape[2]
	out := &Array{Shape: s}
	before, after := x.Shape[2]*x.Shape[3], y.Shape[2]*y.Shape[3]
	for i := range s[0] * s[1] {
		out.Data = append(out.Data, x.Data[i*before:][:before]...)
		out.Data = append(out.Data, y.Data[i*after:][:after]...)
	}
	return out
}

// additive is a mask, input i of a call, as numbers to be added, of four axes.
func additive(c *graph.Call, i int, mask *Array) *Array {
	if mask == nil {
		return nil
	}
	mask = mask.reshaped(c.MaskShape(i))
	if c.In[i].DType != tensor.Bool {
		return mask
	}
	return apply(mask, func(v float64) float64 {
		if v == 0 {
			return math.Inf(-1)
		}
		return 0
	})
}

// unstretched sums the gradient of a bias, B×H×L×T, over what a mask of four
// axes was stretched along; columns that the mask lacks have none.
func unstretched(acc *Acc, dbias *Array, shape tensor.Shape) *Array {
	s := dbias.Shape.Clone()
	s[3] = shape[3]
	part := New(s...)
	for i := range part.Data {
		part.Data[i] = dbias.Data[i/s[3]*dbias.Shape[3]+i%s[3]]
	}
	var axes []int
	for i := range 3 {
		if shape[i] != s[i] {
			axes = append(axes, i)
		}
	}
	return ReduceSum(part, axes, shape).Array(acc)
}
