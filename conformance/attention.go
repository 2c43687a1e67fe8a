package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Attention and its gradient, by the program rule: kernels fuse what is in it
// and none keeps the scores. Lengths stand around tiles of 16, 32 and 64 rows
// and at 64 beyond a multiple of 128, heads have 32, 64 and 80 elements.

// scene is a row: what attends to what.
type scene struct {
	batch, heads, kv    int
	queries, keys, past int
	size, value         int // of a head; value 0: size
	packed, causal      bool
	scale, softcap      float64
	mask                string // "", bool, float, key (a padding of keys), row (rows without keys), short
	valid               bool   // nonpad_kv_seqlen
	class               string // real; blocks for what is too large for a gradient
	mode                int    // of qk_matmul_output, which is fetched if class is scores
}

// scenes are a covering array over all that, chosen so that every pair of
// mask, causality, packing, groups and size of head stands somewhere.
var scenes = []scene{
	{batch: 2, heads: 3, kv: 3, queries: 17, keys: 17, size: 32},
	{batch: 1, heads: 2, kv: 2, queries: 50, keys: 50, size: 64, packed: true},
	{batch: 2, heads: 4, kv: 2, queries: 16, keys: 33, size: 20, packed: true, mask: "bool"},
	{batch: 1, heads: 6, kv: 1, queries: 31, keys: 9, size: 80, mask: "float", packed: true},
	{batch: 2, heads: 2, kv: 2, queries: 33, keys: 33, size: 32, causal: true},
	{batch: 1, heads: 4, kv: 2, queries: 7, keys: 40, size: 16, causal: true, mask: "float"},
	{batch: 2, heads: 2, kv: 1, queries: 40, keys: 19, size: 32, value: 17, causal: true, packed: true, mask: "bool"},
	{batch: 3, heads: 2, kv: 2, queries: 12, keys: 30, size: 24, mask: "key"},
	{batch: 2, heads: 3, kv: 3, queries: 20, keys: 14, size: 80, mask: "row", packed: true},
	{batch: 3, heads: 2, kv: 2, queries: 9, keys: 21, size: 32, valid: true},
	{batch: 4, heads: 2, kv: 1, queries: 10, keys: 26, size: 16, valid: true, causal: true, mask: "float"},
	{batch: 1, heads: 1, kv: 1, queries: 1, keys: 130, size: 64},
	{batch: 2, heads: 2, kv: 2, queries: 24, keys: 24, size: 32, softcap: 2, scale: 0.5, mask: "bool"},
	{batch: 1, heads: 2, kv: 2, queries: 70, keys: 1, size: 5, scale: 0.3},
	{batch: 1, heads: 1, kv: 1, queries: 64, keys: 192, size: 32, mask: "bool", class: "blocks"},
	{batch: 1, heads: 2, kv: 2, queries: 197, keys: 197, size: 64, packed: true, class: "blocks"},
	{batch: 1, heads: 1, kv: 1, queries: 192, keys: 192, size: 16, causal: true, mask: "key", class: "blocks"},
	{batch: 1, heads: 1, kv: 1, queries: 320, keys: 320, size: 64, mask: "float", class: "blocks"},
	{batch: 67, heads: 12, kv: 12, queries: 5, keys: 6, size: 8, class: "blocks"},
	{batch: 2, heads: 2, kv: 2, queries: 13, keys: 16, size: 32, mask: "bool", class: "scores"},
	{batch: 2, heads: 4, kv: 2, queries: 5, keys: 5, size: 32, value: 17, past: 28, causal: true, class: "cached"},
	{batch: 3, heads: 2, kv: 1, queries: 7, keys: 6, size: 24, past: 1, packed: true, mask: "float", class: "cached"},
	{batch: 2, heads: 2, kv: 2, queries: 9, keys: 21, size: 20, softcap: 0.75, mask: "short"},
	{batch: 1, heads: 2, kv: 1, queries: 13, keys: 16, size: 32, softcap: 3, mask: "float", class: "scores", mode: 1},
	{batch: 1, heads: 2, kv: 2, queries: 13, keys: 16, size: 32, softcap: 3, causal: true, packed: true, class: "scores", mode: 2},
	{batch: 2, heads: 2, kv: 2, queries: 13, keys: 16, size: 32, mask: "row", class: "scores", mode: 3},
}

func attentionCases() []*Case {
	var all []*Case
	for i, s := range scenes {
		for _, d := range floats {
			if d != tensor.F32 && (s.class == "blocks" || i%3 != 0) {
				continue
			}
			e := effortOf(d, i)
			if i%2 == 1 || d == tensor.F64 || d == tensor.BF16 {
				e = max(e, Standard)
			}
			all = append(all, s.forward(d, e))
			if s.class == "" {
				all = append(all, s.gradient(d, e))
			}
		}
	}
	return append(all, attentionExtremes()...)
}

func (s scene) params(more ...string) string {
	flag := func(on bool, name string) string {
		if on {
			return name
		}
		return ""
	}
	number := func(v float64, name string) string { return flag(v != 0, fmt.Sprintf("%s=%v", name, v)) }
	return params(append([]string{
		fmt.Sprintf("b=%d,h=%d:%d,l=%dx%d,d=%d", s.batch, s.heads, s.kv, s.queries, s.keys, s.size),
		number(float64(s.value), "e"), number(float64(s.past), "past"), flag(s.packed, "packed"), flag(s.causal, "causal"), number(s.scale, "scale"), number(s.softcap, "softcap"),
		flag(s.mask != "", "mask="+s.mask), flag(s.valid, "valid"), flag(s.class == "scores", fmt.Sprintf("mode=%d", s.mode))}, more...)...)
}

func (s scene) attrs() graph.Attrs {
	a := graph.Attrs{}
	if s.packed {
		a["q_num_heads"], a["kv_num_heads"] = graph.I(s.heads), graph.I(s.kv)
	}
	if s.causal {
		a["is_causal"] = graph.I(1)
	}
	if s.scale != 0 {
		a["scale"] = graph.F(s.scale)
	}
	if s.softcap != 0 {
		a["softcap"] = graph.F(s.softcap)
	}
	return a
}

func (s scene) shape(heads, rows, size int) tensor.Shape {
	if s.packed {
		return tensor.Shape{s.batch, rows, heads * size}
	}
	return tensor.Shape{s.batch, heads, rows, size}
}

func (s scene) valueSize() int {
	if s.value != 0 {
		return s.value
	}
	return s.size
}

// inputs are Q, K, V, the mask, the cache and the number of valid keys: those
// that the scene has.
func (s scene) inputs(d tensor.DType) []input {
	t := func(shape ...int) tensor.Type { return tensor.T(d, shape...) }
	in := []input{
		{name: "Q", typ: t(s.shape(s.heads, s.queries, s.size)...), fill: normal(1)},
		{name: "K", typ: t(s.shape(s.kv, s.keys, s.size)...), fill: normal(1)},
		{name: "V", typ: t(s.shape(s.kv, s.keys, s.valueSize())...), fill: normal(1)}}
	keys := s.keys + s.past
	switch s.mask {
	case "bool":
		in = append(in, input{name: "attn_mask", typ: tensor.T(tensor.Bool, s.batch, 1, s.queries, keys), fill: mostly(0.7)})
	case "float":
		in = append(in, input{name: "attn_mask", typ: t(s.heads, s.queries, keys), fill: sprinkled(normal(1), math.Inf(-1))})
	case "key":
		in = append(in, input{name: "attn_mask", typ: tensor.T(tensor.Bool, s.batch, 1, 1, keys), fill: mostly(0.6)})
	case "short": // the columns that it lacks take no part
		in = append(in, input{name: "attn_mask", typ: t(s.queries, keys-5), fill: normal(1)})
	case "row":
		in = append(in, input{name: "attn_mask", typ: tensor.T(tensor.Bool, s.queries, keys), fill: emptyRows()})
	}
	if s.past > 0 {
		in = append(in, input{name: "past_key", typ: t(s.batch, s.kv, s.past, s.size), fill: normal(1)},
			input{name: "past_value", typ: t(s.batch, s.kv, s.past, s.valueSize()), fill: normal(1)})
	}
	if s.valid {
		in = append(in, input{name: "nonpad_kv_seqlen", typ: tensor.T(tensor.S64, s.batch), fill: integers(0, s.keys)})
	}
	return in
}

// mostly is true with a probability, and somewhere in every row.
func mostly(p float64) fill {
	return func(r *rng, t tensor.Type) []float64 {
		v := make([]float64, t.Shape.Elements())
		n := t.Shape[len(t.Shape)-1]
		for i := range v {
			if r.float() < p || i%n == (i/n*7)%n {
				v[i] = 1
			}
		}
		return v
	}
}

// emptyRows are rows of truth values of which every third is false throughout.
func emptyRows() fill {
	return func(r *rng, t tensor.Type) []float64 {
		v := mostly(0.6)(r, t)
		n := t.Shape[len(t.Shape)-1]
		for i := range v {
			if i/n%3 == 1 {
				v[i] = 0
			}
		}
		return v
	}
}

// place puts the inputs that there are where the signature wants them.
func place(op string, in []input, v []graph.Value) []graph.Value {
	row := graph.Lookup(graph.Std, op)
	if row == nil {
		row = graph.Lookup(graph.Own, op)
	}
	placed := make([]graph.Value, len(row.Inputs))
	for i, p := range row.Inputs {
		for j, x := range in {
			if x.name == p.Name {
				placed[i] = v[j]
			}
		}
	}
	return placed
}

func (s scene) apply(in []input, outputs int) func(*graph.Builder, []graph.Value) []graph.Value {
	a := s.attrs()
	if outputs > 1 {
		a["qk_matmul_output_mode"] = graph.I(s.mode)
	}
	return func(b *graph.Builder, v []graph.Value) []graph.Value {
		return b.OpN("Attention", a, outputs, place("Attention", in, v)...)
	}
}

func (s scene) make(op string, d tensor.DType, class string, e Effort, subject *opSubject) *Case {
	return &Case{Op: op, DType: d, Params: s.params(), Class: class, Suite: Attention, Effort: e, Required: d == tensor.F32,
		bound: every(programRule), subject: subject}
}

func (s scene) forward(d tensor.DType, e Effort) *Case {
	in, outputs, class := s.inputs(d), 1, s.class
	switch class {
	case "scores":
		outputs = 5
	case "cached":
		outputs = 3
	case "":
		class = "real"
	}
	return s.make("Attention", d, class, e, &opSubject{inputs: in, apply: s.apply(in, outputs)})
}

// gradient is AttentionGrad alone, on outputs that belong to its inputs.
func (s scene) gradient(d tensor.DType, e Effort) *Case {
	y := tensor.Type{DType: d, Shape: s.shape(s.heads, s.queries, s.valueSize())}
	lse := tensor.T(tensor.F32, s.batch, s.heads, s.queries)
	if d == tensor.F64 {
		lse.DType = d
	}
	forward := s.inputs(d)
	in := append([]input{{name: "dY", typ: y, fill: normal(1)}, {name: "Y", typ: y, fill: constant(0)}, {name: "lse", typ: lse, fill: constant(0)}}, forward...)
	outputs := 3
	if s.mask == "float" {
		outputs = 4
	}
	return s.make("AttentionGrad", d, "backward", e, &opSubject{inputs: in, tie: s.tie(forward),
		apply: func(b *graph.Builder, v []graph.Value) []graph.Value {
			return b.OpN("AttentionGrad", s.attrs(), outputs, place("AttentionGrad", in, v)...)
		}})
}

// tie sets Y and lse to what the forward pass gives.
func (s scene) tie(forward []input) func(Values) {
	return func(v Values) {
		b := graph.NewBuilder("forward")
		in := make([]graph.Value, len(forward))
		env := map[string]*reference.Array{}
		for i, x := range forward {
			in[i] = b.Feed(x.name, x.typ)
			env[x.name] = reference.FromTensor(v[x.name])
		}
		out := s.apply(forward, 5)(b, in)
		p, err := b.Program()
		if err != nil {
			panic(err) // the case's own program has been inferred by now
		}
		g, err := p.Infer()
		if err != nil {
			panic(err)
		}
		if _, err := reference.Eval(g, env, reference.Mode{}); err != nil {
			panic(err)
		}
		v["Y"].SetFloat64s(env[out[0].Name].Data)
		v["lse"].SetFloat64s(env[out[4].Name].Data)
	}
}

// attentionExtremes are data that break what is not written with care.
func attentionExtremes() (all []*Case) {
	s := scene{batch: 2, heads: 2, kv: 2, queries: 19, keys: 33, size: 64, mask: "key"}
	for _, x := range []struct {
		class string
		tie   func(Values)
		q, k  fill
	}{
		// Scores around 800: exponentials overflow unless the maximum is
		// subtracted first.
		{"shifted", nil, uniform(9, 11), uniform(9, 11)},
		// Keys that are masked hold anything at all (pytorch#101967).
		{"masked-nan", func(v Values) { spoil(v, math.NaN()) }, normal(1), normal(1)},
		{"masked-huge", func(v Values) { spoil(v, 1e30) }, normal(1), normal(1)},
	} {
		in := s.inputs(tensor.F32)
		in[0].fill, in[1].fill = x.q, x.k
		all = append(all, s.make("Attention", tensor.F32, x.class, Quick, &opSubject{inputs: in, tie: x.tie, apply: s.apply(in, 1)}))
	}
	// One key, all others masked: Y is its value, bit for bit.
	one := s
	one.mask, one.batch = "row", 1
	in := one.inputs(tensor.F32)
	in[3].fill = oneHotRows()
	c := one.make("Attention", tensor.F32, "one-key", Quick, &opSubject{inputs: in, apply: one.apply(in, 1)})
	c.bound = every(oneKeyBound)
	return append(all, c)
}

// oneKeyBound is for rows that attend a single key.
var oneKeyBound = &Bound{
	Name: "one key", Formula: "2 ulp", Source: "exp(0) and the sum of one term are 1", Proposal: true,
	expect: func(s *site) (*expectation, error) {
		limit := make([]float64, len(s.want.Data))
		for i, y := range s.want.Data {
			limit[i] = 2 * ulp(y, s.dtype())
		}
		return &expectation{want: s.want.Data, limit: limit}, nil
	},
}

// spoil fills the keys that a mask of one row a batch leaves out.
func spoil(v Values, with float64) {
	k, mask := v["K"], v["attn_mask"].Float64s()
	data := k.Float64s()
	keys, size := k.Shape[2], k.Shape[3]
	for i := range data {
		batch, j := i/k.Shape[1:].Elements(), i/size%keys
		if mask[batch*keys+j] == 0 {
			data[i] = with
		}
	}
	k.SetFloat64s(data)
}

// oneHotRows are rows of truth values with a single one.
func oneHotRows() fill {
	return func(r *rng, t tensor.Type) []float64 {
		v := make([]float64, t.Shape.Elements())
		n := t.Shape[len(t.Shape)-1]
		for row := 0; row < len(v); row += n {
			v[row+r.intn(n)] = 1
		}
		return v
	}
}
