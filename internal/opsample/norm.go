package opsample

import (
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

func norms() []Sample {
	return append(append(batchNorms(), axisNorms()...), append(groupNorms(), responses()...)...)
}

func batchNorms() (list []Sample) {
	for _, x := range []tensor.Shape{{4, 3, 2, 3}, {5, 2}, {1, 2, 7}} {
		c := x[1]
		p, v := in(Signed, c), in(Positive, c)
		for _, a := range []graph.Attrs{nil, {"epsilon": graph.F(0.1)}, {"training_mode": graph.I(1), "momentum": graph.F(0.7)}} {
			list = append(list, Sample{"BatchNormalization", a, []Input{in(Signed, x...), p, p, p, v}})
		}
		for _, a := range []graph.Attrs{nil, {"epsilon": graph.F(0.1), "momentum": graph.F(0.3), "convention": graph.S("onnx")}} {
			for _, skip := range []Input{in(Absent), in(Truth)} {
				list = append(list, Sample{"BatchNormalizationTraining", a, []Input{in(Signed, x...), p, p, p, v, skip}})
			}
		}
		list = append(list, Sample{"BatchNormalizationGrad", nil, []Input{in(Signed, x...), in(Signed, x...), p, p, v}})
	}
	return list
}

func axisNorms() (list []Sample) {
	x := tensor.Shape{2, 3, 5}
	for _, axis := range []int{-1, 1, 0} {
		from := (axis + 3) % 3
		a := graph.Attrs{"axis": graph.I(axis), "epsilon": graph.F(0.05)}
		plain := graph.Attrs{"axis": graph.I(axis)}
		p := in(Signed, x[from:]...)
		s := in(Positive, x[:from].Elements())
		list = append(list,
			Sample{"LayerNormalization", plain, []Input{in(Signed, x...), p, in(Absent)}},
			Sample{"LayerNormalization", a, []Input{in(Signed, x...), p, p}},
			Sample{"LayerNormalization", a, []Input{in(Signed, x...), in(Signed, 5), in(Signed)}},
			Sample{"LayerNormalizationGrad", plain, []Input{in(Signed, x...), in(Signed, x...), p, s, s}},
			Sample{"RMSNormalization", plain, []Input{in(Signed, x...), p}},
			Sample{"RMSNormalization", a, []Input{in(Signed, x...), in(Signed, 1)}},
			Sample{"RMSNormalizationGrad", a, []Input{in(Signed, x...), in(Signed, x...), p}})
	}
	return list
}

func groupNorms() (list []Sample) {
	x := tensor.Shape{2, 6, 3, 2}
	p := in(Signed, 6)
	for _, groups := range []int{1, 2, 6} {
		a := graph.Attrs{"num_groups": graph.I(groups)}
		list = append(list,
			Sample{"GroupNormalization", a, []Input{in(Signed, x...), p, p}},
			Sample{"GroupNormalizationGrad", a, []Input{in(Signed, x...), in(Signed, x...), p}})
	}
	return append(list,
		Sample{"InstanceNormalization", nil, []Input{in(Signed, x...), p, p}},
		Sample{"InstanceNormalization", graph.Attrs{"epsilon": graph.F(0.2)}, []Input{in(Signed, 2, 3, 5), in(Signed, 3), in(Signed, 3)}})
}

func responses() (list []Sample) {
	x := in(Signed, 2, 7, 2, 3)
	for _, a := range []graph.Attrs{
		{"size": graph.I(5)},
		{"size": graph.I(4), "alpha": graph.F(0.5), "beta": graph.F(0.6), "bias": graph.F(0.8)},
		{"size": graph.I(1), "alpha": graph.F(1), "bias": graph.F(2)},
		{"size": graph.I(9), "alpha": graph.F(0.9)},
	} {
		list = append(list, Sample{"LRN", a, []Input{x}}, Sample{"LRNGrad", a, []Input{x, x}})
	}
	return list
}
