package opsample

import "github.com/clsbench/clsbench/graph"

func optimizers() (list []Sample) {
	p, slot := in(Signed, 3, 4), in(Positive, 3, 4)
	add := func(op string, a graph.Attrs, in ...Input) {
		for _, skip := range []Input{{Kind: Absent}, {Kind: Truth}} {
			list = append(list, Sample{op, a, append(append([]Input(nil), in...), skip)})
		}
	}
	for _, a := range []graph.Attrs{
		nil,
		{"momentum": graph.F(0.9)},
		{"momentum": graph.F(0.9), "nesterov": graph.I(1), "weight_decay": graph.F(0.1)},
		{"momentum": graph.F(0.5), "dampening": graph.F(0.3)},
	} {
		add("SGD", a, p, p, p, in(Positive))
	}
	for _, op := range []string{"Adam", "AdamW"} {
		add(op, nil, p, p, p, slot, index(100), in(Positive))
		add(op, graph.Attrs{"beta1": graph.F(0.5), "beta2": graph.F(0.25), "epsilon": graph.F(0.01), "weight_decay": graph.F(0.1)},
			p, p, p, slot, index(100), in(Positive))
	}
	momentum := graph.Attrs{"alpha": graph.F(0.5), "momentum": graph.F(0.9), "weight_decay": graph.F(0.1)}
	centered := graph.Attrs{"alpha": graph.F(0.9), "centered": graph.I(1), "epsilon": graph.F(0.01)}
	both := graph.Attrs{"alpha": graph.F(0.9), "centered": graph.I(1), "momentum": graph.F(0.5)}
	none, small := in(Absent), in(Small, 3, 4) // whose square is below square_avg
	add("RMSprop", nil, p, p, slot, none, none, in(Positive))
	add("RMSprop", momentum, p, p, slot, p, none, in(Positive))
	add("RMSprop", centered, p, p, slot, none, small, in(Positive))
	add("RMSprop", both, p, p, slot, p, small, in(Positive))
	add("ExponentialMovingAverage", graph.Attrs{"decay": graph.F(0.75)}, p, p)
	return list
}

func scalings() []Sample {
	none := in(Signed, 0, 3)
	return []Sample{
		{"GlobalNorm", nil, []Input{in(Signed, 3, 4), in(Signed), in(Signed, 7)}},
		{"GlobalNorm", nil, []Input{none, in(Signed, 2, 2)}},
		{"GlobalNorm", nil, []Input{none}},
		{"ClipByNorm", graph.Attrs{"max_norm": graph.F(0.25)}, []Input{in(Signed, 3, 4), in(Positive)}},
		{"ClipByNorm", graph.Attrs{"max_norm": graph.F(3), "epsilon": graph.F(0.5)}, []Input{in(Signed, 5), in(Positive)}},
		{"AllFinite", nil, []Input{in(Signed, 3, 4), in(Signed), none}},
		{"AllFinite", nil, []Input{in(Signed, 5)}},
		{"DynamicLossScale", nil, []Input{in(Single), index(100), in(Truth)}},
		{"DynamicLossScale", graph.Attrs{"growth_factor": graph.F(3), "backoff_factor": graph.F(0.25), "growth_interval": graph.I(1)},
			[]Input{in(Single), index(1), in(Truth)}},
		{"DynamicLossScale", graph.Attrs{"growth_interval": graph.I(2)}, []Input{in(Single), index(3), in(Truth)}},
	}
}
