package opsample

import (
	"maps"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

func randoms() []Sample {
	key := func(more graph.Attrs) graph.Attrs {
		a := graph.Attrs{"seed": graph.I(-7), "stream": graph.I(3)}
		maps.Copy(a, more)
		return a
	}
	shape := graph.L(3, 5)
	step := index(100)
	return []Sample{
		{"RandomBits", graph.Attrs{"shape": shape}, []Input{step}},
		{"RandomBits", key(graph.Attrs{"shape": graph.L[int]()}), []Input{step}},
		{"RandomUniform", key(graph.Attrs{"shape": shape}), []Input{step}},
		{"RandomUniform", key(graph.Attrs{"shape": shape, "low": graph.F(-1), "high": graph.F(3), "dtype": graph.S("f64")}), []Input{step}},
		{"RandomNormal", key(graph.Attrs{"shape": shape, "dtype": graph.S("f64")}), []Input{step}}, // in f32 2π is rounded
		{"RandomNormal", key(graph.Attrs{"shape": shape, "mean": graph.F(2), "scale": graph.F(0.5), "dtype": graph.S("f64")}), []Input{step}},
		{"Bernoulli", key(nil), []Input{in(Signed, 3, 5), step}},
		{"Bernoulli", key(graph.Attrs{"dtype": graph.S("s32")}), []Input{in(Positive, 7), step}},
		{"TrainingDropout", nil, []Input{in(Signed, 3, 5), step}},
		{"TrainingDropout", key(graph.Attrs{"ratio": graph.F(0.2)}), []Input{in(Signed, 3, 5), step}},
		{"TrainingDropout", key(graph.Attrs{"ratio": graph.F(0)}), []Input{in(Signed, 7), step}},
		{"TrainingDropout", key(graph.Attrs{"ratio": graph.F(1)}), []Input{in(Signed, 7), step}},
		{"TrainingDropout", key(graph.Attrs{"mode": graph.S("row")}), []Input{in(Signed, 4, 2, 3), step}},
	}
}

// attentions samples Attention and, from the same inputs, its gradient.
func attentions() (list []Sample) {
	packed := graph.Attrs{"q_num_heads": graph.I(4), "kv_num_heads": graph.I(2)}
	absent := in(Absent)
	for _, s := range []struct {
		a            graph.Attrs
		q, k, v      tensor.Shape
		mask, nonpad Input
	}{
		{nil, tensor.Shape{2, 3, 4, 5}, tensor.Shape{2, 3, 6, 5}, tensor.Shape{2, 3, 6, 2}, absent, absent},
		{graph.Attrs{"is_causal": graph.I(1), "scale": graph.F(0.3)}, tensor.Shape{1, 4, 5, 3}, tensor.Shape{1, 2, 3, 3}, tensor.Shape{1, 2, 3, 3}, absent, absent},
		{packed, tensor.Shape{2, 3, 8}, tensor.Shape{2, 5, 4}, tensor.Shape{2, 5, 6}, in(Signed, 3, 5), absent},
		{with(packed, "", nil), tensor.Shape{2, 3, 8}, tensor.Shape{2, 5, 4}, tensor.Shape{2, 5, 6}, in(Truth, 2, 1, 3, 5), absent},
		{graph.Attrs{"softcap": graph.F(1.5)}, tensor.Shape{2, 2, 3, 4}, tensor.Shape{2, 1, 5, 4}, tensor.Shape{2, 1, 5, 4}, in(Signed, 2, 1, 5), index(6, 2)},
		{graph.Attrs{"is_causal": graph.I(1)}, tensor.Shape{3, 2, 3, 4}, tensor.Shape{3, 2, 5, 4}, tensor.Shape{3, 2, 5, 4}, absent, index(6, 3)},
	} {
		q, k, v := in(Signed, s.q...), in(Signed, s.k...), in(Signed, s.v...)
		for mode := range 4 {
			a := with(s.a, "", nil)
			a["qk_matmul_output_mode"] = graph.I(mode)
			list = append(list, Sample{"Attention", a, []Input{q, k, v, s.mask, absent, absent, s.nonpad}})
		}
		forward := list[len(list)-1]
		y := forward.output()
		lse := in(Saved, s.q[0], s.q[1], s.q[2])
		if len(s.q) == 3 {
			lse = in(Saved, s.q[0], 4, s.q[1])
		}
		list = append(list, Sample{"AttentionGrad", s.a, []Input{in(Signed, y...), q, k, v, in(Signed, y...), lse, s.mask, s.nonpad}})
	}
	return list
}
