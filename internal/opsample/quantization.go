package opsample

import "github.com/clsbench/clsbench/graph"

func quantizations() (list []Sample) {
	axis := func(a int) graph.Attrs { return graph.Attrs{"axis": graph.I(a)} }
	blocks := func(a, size int) graph.Attrs { return graph.Attrs{"axis": graph.I(a), "block_size": graph.I(size)} }
	narrow := graph.Attrs{"quant_min": graph.I(-1), "quant_max": graph.I(1)}
	for _, k := range []Kind{Unsigned, TwosComplement} {
		list = append(list,
			Sample{"QuantizeLinear", nil, []Input{in(Signed, 3, 7), in(Step), in(k)}},
			Sample{"QuantizeLinear", nil, []Input{in(Signed, 2, 3, 4), in(Positive, 3), in(k, 3)}},
			Sample{"QuantizeLinear", axis(-1), []Input{in(Signed, 2, 3, 4), in(Step, 4), in(k, 4)}},
			Sample{"QuantizeLinear", blocks(1, 3), []Input{in(Signed, 2, 6, 3), in(Step, 2, 2, 3), in(k, 2, 2, 3)}},
			Sample{"DequantizeLinear", axis(0), []Input{in(k, 3, 5), in(Positive, 3), in(k, 3)}},
			Sample{"DequantizeLinear", nil, []Input{in(k, 5), in(Positive), in(Absent)}},
			Sample{"DequantizeLinear", blocks(-1, 2), []Input{in(k, 3, 4), in(Positive, 3, 2), in(k, 3, 2)}})
	}
	list = append(list,
		Sample{"QuantizeLinear", nil, []Input{in(Signed, 11), in(Step, 1), in(Absent)}},
		Sample{"QuantizeLinear", graph.Attrs{"output_dtype": graph.S("s8")}, []Input{in(Word, 3, 4), in(Positive, 4), in(Absent)}},
		Sample{"DequantizeLinear", graph.Attrs{"output_dtype": graph.S("f32")}, []Input{in(Word, 2, 3), in(Single, 3), in(Word, 3)}},
		Sample{"DynamicQuantizeLinear", nil, []Input{in(Levels, 3, 5)}})
	for _, a := range []graph.Attrs{nil, narrow} {
		list = append(list,
			Sample{"FakeQuantize", a, []Input{in(Signed, 4, 5), in(Positive), in(Absent)}},
			Sample{"FakeQuantize", a, []Input{in(Signed, 4, 5), in(Positive, 5), in(Word, 5)}},
			Sample{"FakeQuantizeGrad", a, []Input{in(Signed, 4, 5), in(Signed, 4, 5), in(Positive), in(Absent)}},
			Sample{"FakeQuantizeGrad", a, []Input{in(Signed, 4, 5), in(Signed, 4, 5), in(Positive, 5), in(Word, 5)}})
	}
	return append(list, integerProducts()...)
}

func integerProducts() (list []Sample) {
	window := graph.Attrs{"pads": graph.L(1, 0, 2, 1), "strides": graph.L(2, 1)}
	grouped := graph.Attrs{"group": graph.I(2), "dilations": graph.L(1, 2)}
	for _, k := range []Kind{Unsigned, TwosComplement} {
		list = append(list,
			Sample{"MatMulInteger", nil, []Input{in(k, 3, 5), in(TwosComplement, 5, 4), in(Absent), in(Absent)}},
			Sample{"MatMulInteger", nil, []Input{in(k, 3, 5), in(Unsigned, 5, 4), in(k), in(Unsigned, 4)}},
			Sample{"MatMulInteger", nil, []Input{in(Unsigned, 2, 3, 5), in(k, 5, 4), in(Unsigned, 2, 3, 1), in(k, 1, 4)}},
			Sample{"QLinearMatMul", nil, []Input{in(k, 3, 5), in(Step), in(k), in(TwosComplement, 5, 4), in(Step), in(TwosComplement), in(Step), in(k)}},
			Sample{"QLinearMatMul", nil, []Input{in(k, 2, 3, 5), in(Step, 3), in(k, 3), in(Unsigned, 5, 4), in(Step, 4), in(Unsigned, 4), in(Step, 1), in(k, 1)}},
			Sample{"ConvInteger", nil, []Input{in(k, 1, 2, 5, 5), in(TwosComplement, 3, 2, 3, 3), in(Absent), in(Absent)}},
			Sample{"ConvInteger", window, []Input{in(k, 2, 2, 5, 5), in(Unsigned, 3, 2, 3, 3), in(k, 1), in(Unsigned, 3)}},
			Sample{"ConvInteger", grouped, []Input{in(k, 1, 4, 5, 6), in(k, 6, 2, 2, 2), in(k), in(k)}},
			Sample{"QLinearConv", window, []Input{in(k, 2, 2, 5, 5), in(Step), in(k), in(TwosComplement, 3, 2, 3, 3), in(Step, 3), in(TwosComplement, 3), in(Step), in(k), in(Word, 3)}},
			Sample{"QLinearConv", grouped, []Input{in(k, 1, 4, 5, 6), in(Step, 1), in(k, 1), in(k, 6, 2, 2, 2), in(Step), in(k), in(Step, 1), in(Unsigned, 1), in(Absent)}})
	}
	// Sums too long for one convolution in f32.
	return append(list, Sample{"ConvInteger", nil, []Input{in(Unsigned, 1, 300, 2, 2), in(TwosComplement, 2, 300, 1, 2), in(Unsigned), in(TwosComplement)}})
}
