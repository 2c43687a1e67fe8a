package conformance

import (
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Programs that backends fuse as a whole: what stands around an attention and
// a GELU in a transformer, squeeze and excite, an inverted bottleneck.

// fusedProgram is one of them: inputs by name, and how they are put together.
type fusedProgram struct {
	name   string
	inputs []input
	write  func(g *graph.Builder, in map[string]graph.Value) graph.Value
}

func fusedPrograms() []*Case {
	var all []*Case
	for _, d := range []tensor.DType{tensor.F32, tensor.BF16, tensor.F16} {
		for _, p := range []fusedProgram{normGelu(d), projectedAttention(d), squeezeExcite(d), invertedBottleneck(d)} {
			s := &opSubject{inputs: p.inputs, apply: func(g *graph.Builder, in []graph.Value) []graph.Value {
				v := map[string]graph.Value{}
				for i, x := range p.inputs {
					v[x.name] = in[i]
				}
				return []graph.Value{p.write(g, v)}
			}}
			make := func(class string, suite Suite, f form, e Effort, s subject) *Case {
				if d != tensor.F32 {
					e = Standard
				}
				return &Case{Op: "Fused", DType: d, Params: p.name, Class: class + formNames[f], Suite: suite, Effort: e, Required: true, form: f,
					bound: every(programRule), subject: s}
			}
			all = append(all, make("program", InferenceCore, whole, Quick, s))
			if d == tensor.F32 {
				all = append(all, make("program", InferenceCore, decomposed, Standard, s), make("program", InferenceCore, opByOp, Standard, s))
			}
			all = append(all, make("gradient", TrainingCore, whole, Standard, &gradientSubject{s}))
		}
	}
	return all
}

func (p *fusedProgram) add(d tensor.DType, name string, f fill, r role, shape ...int) {
	p.inputs = append(p.inputs, input{name: name, typ: tensor.T(d, shape...), fill: f, role: r})
}

// around1 is for the scales of norms.
var around1 = uniform(0.5, 1.5)

// normGelu is a transformer's second half: x + (GELU(norm(x)·W0 + b0)·W1 + b1).
func normGelu(d tensor.DType) fusedProgram {
	const tokens, features, hidden = 13, 33, 70
	p := fusedProgram{name: "LayerNormalization+MatMul+Gelu+MatMul"}
	p.add(d, "x", normal(1), fed, 2, tokens, features)
	p.add(d, "scale", around1, frozen, features)
	p.add(d, "shift", normal(0.3), frozen, features)
	p.add(d, "w0", normal(0.2), frozen, features, hidden)
	p.add(d, "b0", normal(0.3), frozen, hidden)
	p.add(d, "w1", normal(0.15), frozen, hidden, features)
	p.add(d, "b1", normal(0.3), frozen, features)
	p.write = func(g *graph.Builder, v map[string]graph.Value) graph.Value {
		h := g.Op("LayerNormalization", nil, v["x"], v["scale"], v["shift"])
		h = g.Op("Gelu", nil, g.Op("Add", nil, g.Op("MatMul", nil, h, v["w0"]), v["b0"]))
		return g.Op("Add", nil, v["x"], g.Op("Add", nil, g.Op("MatMul", nil, h, v["w1"]), v["b1"]))
	}
	return p
}

// projectedAttention is its first half: three projections, which a backend may
// do as one, attention, and a fourth behind it.
func projectedAttention(d tensor.DType) fusedProgram {
	const tokens, features, heads = 17, 24, 3
	p := fusedProgram{name: "LayerNormalization+Attention+MatMul"}
	p.add(d, "x", normal(1), fed, 2, tokens, features)
	p.add(d, "scale", around1, frozen, features)
	p.add(d, "shift", normal(0.3), frozen, features)
	names := []string{"query", "key", "value", "projection"}
	for _, n := range names {
		p.add(d, n, normal(0.25), frozen, features, features)
		p.add(d, n+"_bias", normal(0.3), frozen, features)
	}
	p.write = func(g *graph.Builder, v map[string]graph.Value) graph.Value {
		h := g.Op("LayerNormalization", nil, v["x"], v["scale"], v["shift"])
		linear := func(name string, x graph.Value) graph.Value {
			return g.Op("Add", nil, g.Op("MatMul", nil, x, v[name]), v[name+"_bias"])
		}
		h = g.Op("Attention", graph.Attrs{"q_num_heads": graph.I(heads), "kv_num_heads": graph.I(heads)},
			linear("query", h), linear("key", h), linear("value", h))
		return g.Op("Add", nil, v["x"], linear("projection", h))
	}
	return p
}

// excite weighs channels by what all of a plane says (Hu, Shen and Sun 2018).
func excite(g *graph.Builder, x graph.Value, v map[string]graph.Value) graph.Value {
	s := g.Op("ReduceMean", graph.Attrs{"axes": graph.L(2, 3)}, x)
	s = g.Op("Swish", nil, g.Op("Conv", nil, s, v["squeeze"], v["squeeze_bias"]))
	return g.Op("Mul", nil, x, g.Op("Sigmoid", nil, g.Op("Conv", nil, s, v["excite"], v["excite_bias"])))
}

func (p *fusedProgram) addExcite(d tensor.DType, channels, squeezed int) {
	p.add(d, "squeeze", normal(0.4), frozen, squeezed, channels, 1, 1)
	p.add(d, "squeeze_bias", normal(0.3), frozen, squeezed)
	p.add(d, "excite", normal(0.4), frozen, channels, squeezed, 1, 1)
	p.add(d, "excite_bias", normal(0.3), frozen, channels)
}

func squeezeExcite(d tensor.DType) fusedProgram {
	const channels = 18
	p := fusedProgram{name: "Conv+ReduceMean+Conv+Conv+Mul"}
	p.add(d, "x", normal(1), fed, 2, 5, 9, 8)
	p.add(d, "w", normal(0.3), frozen, channels, 5, 3, 3)
	p.addExcite(d, channels, 7)
	p.write = func(g *graph.Builder, v map[string]graph.Value) graph.Value {
		return excite(g, g.Op("Conv", graph.Attrs{"pads": graph.L(1, 1, 1, 1)}, v["x"], v["w"]), v)
	}
	return p
}

// invertedBottleneck widens, filters each channel, weighs and narrows again,
// with a residual between the narrow ends (Sandler et al. 2018; Tan and Le
// 2019).
func invertedBottleneck(d tensor.DType) fusedProgram {
	const narrow, wide = 9, 24
	p := fusedProgram{name: "Conv+Swish+Depthwise+Swish+excite+Conv"}
	p.add(d, "x", normal(1), fed, 2, narrow, 8, 7)
	p.add(d, "widen", normal(0.4), frozen, wide, narrow, 1, 1)
	p.add(d, "widen_bias", normal(0.3), frozen, wide)
	p.add(d, "filter", normal(0.4), frozen, wide, 1, 3, 3)
	p.add(d, "filter_bias", normal(0.3), frozen, wide)
	p.addExcite(d, wide, 6)
	p.add(d, "narrow", normal(0.3), frozen, narrow, wide, 1, 1)
	p.write = func(g *graph.Builder, v map[string]graph.Value) graph.Value {
		h := g.Op("Swish", nil, g.Op("Conv", nil, v["x"], v["widen"], v["widen_bias"]))
		h = g.Op("Swish", nil, g.Op("Conv", graph.Attrs{"pads": graph.L(1, 1, 1, 1), "group": graph.I(wide)}, h, v["filter"], v["filter_bias"]))
		return g.Op("Add", nil, v["x"], g.Op("Conv", nil, excite(g, h, v), v["narrow"]))
	}
	return p
}
