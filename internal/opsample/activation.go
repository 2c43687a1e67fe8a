package opsample

import "github.com/clsbench/clsbench/graph"

// activations are sampled with their default attributes and with others, away
// from the kinks at 0, at 1 and, of the hard ones, at ±2.5 and ±3.
func activations() (list []Sample) {
	alpha := graph.Attrs{"alpha": graph.F(0.75)}
	for _, s := range []struct {
		op    string
		attrs []graph.Attrs
	}{
		{"LeakyRelu", []graph.Attrs{nil, alpha}},
		{"ThresholdedRelu", []graph.Attrs{{"alpha": graph.F(0.125)}}},
		{"Elu", []graph.Attrs{nil, alpha}},
		{"Selu", []graph.Attrs{nil, {"alpha": graph.F(0.75), "gamma": graph.F(1.5)}}},
		{"Celu", []graph.Attrs{nil, alpha}},
		{"Gelu", []graph.Attrs{nil, {"approximate": graph.S("tanh")}}},
		{"HardSigmoid", []graph.Attrs{nil, {"alpha": graph.F(0.125), "beta": graph.F(0.25)}}},
		{"HardSwish", []graph.Attrs{nil}},
		{"Swish", []graph.Attrs{nil, {"alpha": graph.F(1.702)}}},
		{"Softplus", []graph.Attrs{nil}},
		{"Softsign", []graph.Attrs{nil}},
		{"Mish", []graph.Attrs{nil}},
	} {
		for _, a := range s.attrs {
			list = append(list, Sample{s.op, a, []Input{in(OffZero, 3, 5)}})
		}
	}
	return append(list,
		Sample{"HardSigmoid", graph.Attrs{"alpha": graph.F(0.3)}, []Input{in(Distinct, 5, 5)}},
		Sample{"PRelu", nil, []Input{in(OffZero, 2, 3, 4), in(Signed, 3, 1)}},
		Sample{"PRelu", nil, []Input{in(OffZero, 2, 3), in(Signed)}},
	)
}
