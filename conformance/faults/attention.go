package faults

import (
	"math"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
)

// Wrong attention, and wrong random numbers.

var attentionFaults = []Fault{
	kernel("attention-mask-off-by-one", "Attention", "the mask of the key before", on(3, func(mask *reference.Array, k *Launch) *reference.Array {
		n := mask.Shape[len(mask.Shape)-1]
		y := reference.New(mask.Shape...)
		for i := range y.Data {
			y.Data[i] = mask.Data[i/n*n+(i+n-1)%n]
		}
		return y
	})),
	kernel("attention-causal-from-the-end", "Attention", "the last query sees the last key, without a cache (onnx#8068 the other way round)", func(k *Launch) ([]*reference.Array, error) {
		g, err := k.Call.Attention()
		if err != nil || !g.Causal || k.In[6] != nil {
			return k.Plain()
		}
		k.In[6] = reference.New(g.Batch)
		for i := range k.In[6].Data {
			k.In[6].Data[i] = float64(g.Keys)
		}
		return k.Plain()
	}).once("only a causal mask over fewer keys than queries shows it, or more"),
	kernel("attention-scale-without-root", "Attention", "scores times 1/d in place of 1/√d", attr(func(a graph.Attrs, c *graph.Call) {
		if g, err := c.Attention(); err == nil && c.Attrs["scale"].Kind != graph.Float {
			a["scale"] = graph.F(1 / float64(g.Size))
		}
	})),
	kernel("attention-scale-twice", "Attention", "Q and K both scaled whole", attr(func(a graph.Attrs, c *graph.Call) {
		if g, err := c.Attention(); err == nil {
			a["scale"] = graph.F(g.Scale * g.Scale)
		}
	})),
	kernel("attention-nan-at-64", "Attention", "NaN at a length of 64 beyond a multiple of 128 with a mask", after(func(y float64, _ int, k *Launch) float64 {
		if g, err := k.Call.Attention(); err == nil && g.Keys%128 == 64 && k.Call.Has(3) {
			return math.NaN()
		}
		return y
	})).once("one length of keys in 128, which one class has"),
	kernel("attention-empty-row-is-mean", "Attention", "a query without keys gives the mean of V", func(k *Launch) ([]*reference.Array, error) {
		if k.In[3] != nil && !k.Call.In[3].DType.IsFloat() {
			k.In[3] = filledRows(k.In[3])
		}
		return k.Plain()
	}).once("only a query without keys shows it: the class of empty rows"),
	kernel("attention-masked-nan-leaks", "Attention", "−∞ added to a masked NaN (pytorch#101967)", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err == nil && k.In[1] != nil {
			for _, v := range k.In[1].Data {
				if math.IsNaN(v) {
					out[0] = mapped(out[0], func(float64) float64 { return math.NaN() })
				}
			}
		}
		return out, err
	}).once("only NaN behind a mask shows it: one class has it"),
	kernel("attention-not-causal", "Attention", "every key attended", attr(func(a graph.Attrs, _ *graph.Call) { delete(a, "is_causal") })),
	kernel("attention-cap-ignored", "Attention", "scores not capped", attr(func(a graph.Attrs, _ *graph.Call) { delete(a, "softcap") })),
	kernel("attention-heads-interleaved", "Attention", "heads of a packed tensor taken for its rows", on(2, func(v *reference.Array, k *Launch) *reference.Array {
		g, err := k.Call.Attention()
		if err != nil || !g.Packed {
			return v
		}
		y := reference.New(v.Shape...)
		for i := range v.Data {
			row, col := i/v.Shape[2], i%v.Shape[2]
			y.Data[i] = v.Data[row*v.Shape[2]+col%g.ValueSize*g.KVHeads+col/g.ValueSize]
		}
		return y
	})),
	kernel("attention-grad-without-row-sum", "AttentionGrad", "dS = P∘dP, the term Σ dY∘Y forgotten", on(4, func(y *reference.Array, _ *Launch) *reference.Array {
		return mapped(y, func(float64) float64 { return 0 })
	})).also("Attention"),
	kernel("attention-grad-not-scaled", "AttentionGrad", "dQ without the scale", after(func(y float64, _ int, k *Launch) float64 {
		if g, err := k.Call.Attention(); err == nil {
			return y / g.Scale
		}
		return y
	})).also("Attention"),
}

var randomFaults = []Fault{
	kernel("dropout-not-scaled", "TrainingDropout", "what is kept is not divided by 1 - ratio", after(func(y float64, _ int, k *Launch) float64 {
		return y * (1 - k.Call.Float("ratio"))
	})),
	kernel("dropout-keeps-ratio", "TrainingDropout", "ratio taken for the share that is kept", attr(func(a graph.Attrs, c *graph.Call) {
		a["ratio"] = graph.F(1 - c.Float("ratio"))
	})),
	kernel("dropout-key-without-step", "TrainingDropout", "the same mask in every step", on(1, func(s *reference.Array, _ *Launch) *reference.Array {
		return mapped(s, func(float64) float64 { return 0 })
	})),
	kernel("dropout-rows-one-by-one", "TrainingDropout", "elements dropped where rows were to be", after(func(y float64, i int, k *Launch) float64 {
		if k.Call.Str("mode") != "row" {
			return y
		}
		if p := k.Call.Philox(int64(k.In[1].Data[0])); uint64(p.Word(uint64(i))) < k.Call.DropThreshold() {
			return 0
		}
		return k.In[0].Data[i] / (1 - k.Call.Float("ratio"))
	})),
	frozenMask(),
	freshMask(),
	kernel("bits-stream-ignored", "RandomBits", "all nodes draw the same numbers", attr(func(a graph.Attrs, _ *graph.Call) { delete(a, "stream") })),
	kernel("bits-upper-key-lost", "RandomBits", "a seed of 32 bits", attr(func(a graph.Attrs, _ *graph.Call) {
		a["seed"] = graph.Attr{Kind: graph.Int, Int: int64(uint32(a["seed"].Int))}
	})),
	kernel("normal-sine", "RandomNormal", "the pair's other deviate", after(func(y float64, _ int, k *Launch) float64 {
		return 2*k.Call.Float("mean") - y
	})).once("a deviate has one right value: numbers have one class of data, their key and step"),
	kernel("bernoulli-inverted", "Bernoulli", "one where the number is above p", on(0, func(p *reference.Array, _ *Launch) *reference.Array {
		return mapped(p, func(p float64) float64 { return 1 - p })
	})).once("a draw has one right value: numbers have one class of data, their key and step"),
}

// frozenMask replays the step of the first run of each shape (pytorch#84614).
func frozenMask() Fault {
	f := kernel("dropout-mask-frozen-under-replay", "TrainingDropout", "a captured step replays the mask that it was captured with (pytorch#84614)", nil)
	f.Backend = func() backends.Backend {
		first := map[string]*reference.Array{}
		return &Rig{Mode: reference.Mode{Round: true}, Kernels: map[string]Kernel{"TrainingDropout": on(1, func(s *reference.Array, k *Launch) *reference.Array {
			if first[k.Call.Name+k.Call.In[0].String()] == nil {
				first[k.Call.Name+k.Call.In[0].String()] = s
			}
			return first[k.Call.Name+k.Call.In[0].String()]
		})}}
	}
	return f
}

// freshMask draws another mask for the second dropout of a stream.
func freshMask() Fault {
	f := kernel("dropout-fresh-backward-mask", "TrainingDropout", "the gradient drops other elements than the forward pass did", nil).once("only the two passes together show it: one program has both")
	f.Kind = KindPlan
	f.Backend = func() backends.Backend {
		return &Rig{Mode: reference.Mode{Round: true}, Rewrite: func(p *graph.Program) *graph.Program {
			c := p.Clone()
			seen := false
			for i, n := range c.Nodes {
				if n.Op != "TrainingDropout" {
					continue
				}
				if seen {
					a := graph.Attrs{"stream": graph.I(99)}
					for name, v := range n.Attrs {
						if name != "stream" {
							a[name] = v
						}
					}
					c.Nodes[i].Attrs = a
				}
				seen = true
			}
			return &c
		}}
	}
	return f
}

// filledRows lets rows of truth values that are false throughout attend all.
func filledRows(mask *reference.Array) *reference.Array {
	y := mapped(mask, func(v float64) float64 { return v })
	n := mask.Shape[len(mask.Shape)-1]
	for i := 0; i < len(y.Data); i += n {
		some := false
		for _, v := range y.Data[i : i+n] {
			some = some || v != 0
		}
		for j := i; j < i+n && !some; j++ {
			y.Data[j] = 1
		}
	}
	return y
}
