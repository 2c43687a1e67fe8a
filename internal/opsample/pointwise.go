package opsample

import "github.com/clsbench/clsbench/graph"

func pointwise() (list []Sample) {
	for _, op := range []string{"Max", "Min"} {
		list = append(list,
			Sample{op, nil, []Input{in(Signed, 2, 3), in(OffZero, 2, 3)}},
			Sample{op, nil, []Input{in(Signed, 2, 1, 3), in(OffZero, 4, 1)}})
	}
	for _, op := range []string{"Sin", "Cos", "Erf", "Floor", "Ceil", "Round"} {
		list = append(list, Sample{op, nil, []Input{in(Signed, 3, 5)}})
	}
	for _, op := range []string{"Abs", "Sign", "Reciprocal"} {
		list = append(list, Sample{op, nil, []Input{in(OffZero, 3, 5)}})
	}
	return append(list,
		Sample{"Pow", nil, []Input{in(Positive, 2, 1, 3), in(Signed, 4, 1)}},
		Sample{"Pow", nil, []Input{in(OffZero, 2, 3), index(5, 3)}},
		Sample{"Pow", nil, []Input{index(9, 4, 5), index(6, 5)}},
		Sample{"Clip", nil, []Input{in(Signed, 4, 5), in(Absent), in(Absent)}},
		Sample{"Clip", nil, []Input{in(Signed, 4, 5), in(Signed), in(Absent)}},
		Sample{"Clip", nil, []Input{in(Signed, 4, 5), in(Absent), in(Signed)}},
		Sample{"Clip", nil, []Input{in(Distinct, 4, 5), in(Signed), in(Positive)}},
		Sample{"Identity", nil, []Input{in(Signed, 3, 5)}},
	)
}

func logic() (list []Sample) {
	for _, op := range []string{"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"} {
		list = append(list, Sample{op, nil, []Input{in(Distinct, 3, 1), in(Distinct, 5)}})
	}
	for _, op := range []string{"And", "Or", "Xor"} {
		list = append(list, Sample{op, nil, []Input{in(Truth, 3, 1), in(Truth, 5)}})
	}
	return append(list,
		Sample{"Not", nil, []Input{in(Truth, 7)}},
		Sample{"IsNaN", nil, []Input{in(Signed, 7)}},
		Sample{"IsInf", nil, []Input{in(Signed, 7)}},
		Sample{"IsInf", graph.Attrs{"detect_negative": graph.I(0)}, []Input{in(Signed, 7)}},
	)
}
