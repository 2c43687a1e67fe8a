package reference

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Attention is scaled dot product attention (Vaswani et al., "Attention Is All
// You Need", 2017, §3.2.1) as ONNX's opset 24 has it. For every head and query
// i, over the keys j of the head of K and V that its group shares (Ainslie et
// al., "GQA", 2023),
//
//	S[j] = c·tanh(s[j]/c) + bias[i,j], s[j] = scale · Σ_d Q[i,d]·K[j,d]
//	P[j] = exp(S[j]) / Σ_j exp(S[j]),  lse[i] = log Σ_j exp(S[j])
//	Y[i] = Σ_j P[j]·V[j]
//
// without the hyperbolic tangent if the cap c is 0. A key whose bias is −∞
// takes no part, whatever its score; a query that no key is left to has Y = 0,
// P = 0 and, so that exp(S − lse) is 0 as well, lse = +∞.
//
// Q is B×H×L×D, K B×G×T×D, V B×G×T×E, Y B×H×L×E, lse B×H×L; mask and valid are
// attentionBias's. qk, B×H×L×T, is by mode 0 to 3: s, s after the cap, S, P.
func Attention(acc *Acc, q, k, v, mask, valid *Array, a *graph.Attention, mode int) (y, qk, lse *Array) {
	y, qk, lse = New(a.Batch, a.Heads, a.Queries, a.ValueSize), New(a.Batch, a.Heads, a.Queries, a.Keys), New(a.Batch, a.Heads, a.Queries)
	parallel(acc.threads, len(lse.Data), func(from, to int) {
		acc := &Acc{order: acc.order}
		for i := from; i < to; i++ {
			r := attentionScores(acc, q, k, mask, valid, a, i)
			p, l := attentionSoftmax(acc, r.biased)
			lse.Data[i] = l
			copy(qk.Data[i*a.Keys:], [][]float64{r.raw, r.capped, r.biased, p}[mode])
			for e := range a.ValueSize {
				s := acc.New()
				for j := range p {
					if r.takesPart(j) {
						s = s.Plus(p[j] * v.Data[(r.keys+j)*a.ValueSize+e])
					}
				}
				y.Data[i*a.ValueSize+e] = s.Value()
			}
		}
	})
	return y, qk, lse
}

// attentionRow is what a query makes of every key.
type attentionRow struct {
	keys                      int // the row of K and V where the keys of its head begin
	raw, capped, biased, bias []float64
}

func (r *attentionRow) takesPart(j int) bool { return !math.IsInf(r.bias[j], -1) }

// attentionScores are the scores of query i, all heads of all batches counted
// through.
func attentionScores(acc *Acc, q, k, mask, valid *Array, a *graph.Attention, i int) *attentionRow {
	batch, head := i/(a.Heads*a.Queries), i/a.Queries%a.Heads
	r := &attentionRow{keys: (batch*a.KVHeads + head/a.Group()) * a.Keys, bias: attentionBias(mask, valid, a, i)}
	for j := range a.Keys {
		s := acc.New()
		for d := range a.Size {
			s = s.Plus(q.Data[i*a.Size+d] * k.Data[(r.keys+j)*a.Size+d])
		}
		raw := a.Scale * s.Value()
		capped := raw
		if a.Softcap > 0 {
			capped = a.Softcap * math.Tanh(raw/a.Softcap)
		}
		biased := math.Inf(-1)
		if r.takesPart(j) {
			biased = capped + r.bias[j]
		}
		r.raw, r.capped, r.biased = append(r.raw, raw), append(r.capped, capped), append(r.biased, biased)
	}
	return r
}

// attentionBias is what is added to the scores of query i. The mask, nil or of
// four axes that are B×H×L×T or stretch to it, holds numbers, −∞ for a truth
// value that is false; columns that it lacks are −∞. valid is nil or how many
// keys each batch has. Attention that is causal lets query l of a head attend
// the keys up to l + offset, the offset being how many of them came before the
// first query (onnx#8068).
func attentionBias(mask, valid *Array, a *graph.Attention, i int) []float64 {
	batch, head, l := i/(a.Heads*a.Queries), i/a.Queries%a.Heads, i%a.Queries
	count, keys := -1, a.Keys
	if valid != nil {
		count = int(valid.Data[batch])
		keys = count
	}
	if a.Causal {
		keys = min(keys, l+a.Offset(count)+1)
	}
	bias := make([]float64, a.Keys)
	for j := range bias {
		switch {
		case j >= keys:
			bias[j] = math.Inf(-1)
		case mask != nil && j >= mask.Shape[3]:
			bias[j] = math.Inf(-1)
		case mask != nil:
			strides := tensor.BroadcastStrides(mask.Shape[:3], tensor.Shape{a.Batch, a.Heads, a.Queries})
			row := batch*strides[0] + head*strides[1] + l*strides[2]
			bias[j] = mask.Data[row*mask.Shape[3]+j]
		}
	}
	return bias
}

// attentionSoftmax is the softmax of a row of scores and the logarithm of its
// sum; 0 and +∞ where all scores are −∞.
func attentionSoftmax(acc *Acc, scores []float64) (p []float64, lse float64) {
	top := math.Inf(-1)
	for _, s := range scores {
		top = max(top, s) // the builtin, which keeps NaN
	}
	p = make([]float64, len(scores))
	if math.IsInf(top, -1) {
		return p, math.Inf(1)
	}
	sum := acc.New()
	for j, s := range scores {
		p[j] = math.Exp(s - top)
		sum = sum.Plus(p[j])
	}
	total := sum.Value()
	for j := range p {
		p[j] /= total
	}
	return p, top + math.Log(total)
}

// AttentionGrad are Attention's gradients (Dao et al., "FlashAttention", 2022,
// §B.2): with P[i,j] = exp(S[i,j] − lse[i]) and, for every query i,
//
//	dP[i,j] = Σ_e dY[i,e]·V[j,e]
//	dS[i,j] = P[i,j]·(dP[i,j] − Σ_e dY[i,e]·Y[i,e])
//	ds[i,j] = scale · dS[i,j] · (1 − tanh²(s[i,j]/c)), the last factor only under a cap
//	dQ[i] = Σ_j ds[i,j]·K[j], dK[j] = Σ_i ds[i,j]·Q[i], dV[j] = Σ_i P[i,j]·dY[i]
//
// the sums over i being over the queries of all heads of a group. Shapes are
// Attention's; dS, B×H×L×T, is the gradient of the bias.
func AttentionGrad(acc *Acc, dy, q, k, v, y, lse, mask, valid *Array, a *graph.Attention) (dq, dk, dv, dS *Array) {
	p, ds := New(a.Batch, a.Heads, a.Queries, a.Keys), New(a.Batch, a.Heads, a.Queries, a.Keys)
	dq, dS = New(q.Shape...), New(p.Shape...)
	parallel(acc.threads, len(lse.Data), func(from, to int) {
		acc := &Acc{order: acc.order}
		for i := from; i < to; i++ {
			r := attentionScores(acc, q, k, mask, valid, a, i)
			inner := acc.New()
			for e := range a.ValueSize {
				inner = inner.Plus(dy.Data[i*a.ValueSize+e] * y.Data[i*a.ValueSize+e])
			}
			row := inner.Value()
			for j := range a.Keys {
				if !r.takesPart(j) {
					continue
				}
				dP := acc.New()
				for e := range a.ValueSize {
					dP = dP.Plus(dy.Data[i*a.ValueSize+e] * v.Data[(r.keys+j)*a.ValueSize+e])
				}
				at := i*a.Keys + j
				p.Data[at] = math.Exp(r.biased[j] - lse.Data[i])
				dS.Data[at] = p.Data[at] * (dP.Value() - row)
				ds.Data[at] = a.Scale * dS.Data[at]
				if a.Softcap > 0 {
					t := math.Tanh(r.raw[j] / a.Softcap)
					ds.Data[at] *= 1 - t*t
				}
			}
			for d := range a.Size {
				s := acc.New()
				for j := range a.Keys {
					if r.takesPart(j) {
						s = s.Plus(ds.Data[i*a.Keys+j] * k.Data[(r.keys+j)*a.Size+d])
					}
				}
				dq.Data[i*a.Size+d] = s.Value()
			}
		}
	})
	return dq, groupSum(ds, q, a, a.Size).Array(acc), groupSum(p, dy, a, a.ValueSize).Array(acc), dS
}

// groupSum is Σ_i W[i,j]·X[i] for every key j and head of K, over the queries
// i of all heads of its group: W B×H×L×T, X B×H×L×size, the sum B×G×T×size.
func groupSum(w, x *Array, a *graph.Attention, size int) Formula {
	return Formula{tensor.Shape{a.Batch, a.KVHeads, a.Keys, size}, func(acc *Acc, at int) float64 {
		group, j, d := at/(a.Keys*size), at/size%a.Keys, at%size
		s := acc.New()
		for i := range a.Group() * a.Queries {
			row := group*a.Group()*a.Queries + i
			s = s.Plus(w.Data[row*a.Keys+j] * x.Data[row*size+d])
		}
		return s.Value()
	}}
}
