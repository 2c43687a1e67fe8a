package opsample

import "github.com/clsbench/clsbench/graph"

// cuts samples what cuts, joins and pads.
func cuts() (list []Sample) {
	x := []Input{in(Signed, 3, 5, 4)}
	for _, a := range []graph.Attrs{
		{"starts": graph.L(1, 0), "ends": graph.L(3, 2)},
		{"starts": graph.L(-3, 1), "ends": graph.L(1000, -1), "axes": graph.L(1, -1)},
		{"starts": graph.L(0, 3), "ends": graph.L(5, -5), "axes": graph.L(1, 2), "steps": graph.L(2, -1)},
		{"starts": graph.L(-1), "ends": graph.L(-1000), "axes": graph.L(1), "steps": graph.L(-3)},
		{"starts": graph.L(4), "ends": graph.L(4), "axes": graph.L(1)},
		{"starts": graph.L(1), "ends": graph.L(2), "axes": graph.L(2), "steps": graph.L(7)},
	} {
		list = append(list, Sample{"Slice", a, x})
	}
	for _, a := range []graph.Attrs{
		{"num_outputs": graph.I(2)},
		{"num_outputs": graph.I(2), "axis": graph.I(1)},
		{"num_outputs": graph.I(3), "axis": graph.I(-2), "split": graph.L(1, 4, 0)},
		{"num_outputs": graph.I(1)},
	} {
		list = append(list, Sample{"Split", a, x})
	}
	for _, a := range []graph.Attrs{
		{"pads": graph.L(0, 1, 2, 1, 0, 0)},
		{"pads": graph.L(0, -1, 2, 1, 3, -3), "value": graph.F(1.5)},
		{"pads": graph.L(2, 1), "axes": graph.L(-1)},
		{"pads": graph.L(0, 0, 0, 0, 0, 0)},
	} {
		for _, mode := range []string{"constant", "reflect", "edge", "wrap"} {
			m := with(a, "mode", nil)
			m["mode"] = graph.S(mode)
			list = append(list, Sample{"Pad", m, x})
		}
	}
	far := graph.Attrs{"pads": graph.L(5, 8), "axes": graph.L(0), "mode": graph.S("reflect")} // there and back again
	return append(list,
		Sample{"Pad", far, x},
		Sample{"Concat", graph.Attrs{"axis": graph.I(0)}, []Input{in(Signed, 2, 3)}},
		Sample{"Concat", graph.Attrs{"axis": graph.I(-1)}, []Input{in(Signed, 2, 3), in(Signed, 2, 1), in(Signed, 2, 0), in(Signed, 2, 2)}},
		Sample{"Concat", graph.Attrs{"axis": graph.I(1)}, []Input{in(Signed, 2, 1, 3), in(Signed, 2, 2, 3)}},
		Sample{"Squeeze", nil, []Input{in(Signed, 1, 3, 1)}},
		Sample{"Squeeze", graph.Attrs{"axes": graph.L(-1)}, []Input{in(Signed, 1, 3, 1)}},
		Sample{"Unsqueeze", graph.Attrs{"axes": graph.L(-1, 0, 2)}, []Input{in(Signed, 3, 2)}},
	)
}

// gathers samples what reads and writes at indices.
func gathers() []Sample {
	return []Sample{
		{"Gather", nil, []Input{in(Signed, 5, 3), index(5, 2, 2)}},
		{"Gather", graph.Attrs{"axis": graph.I(-1)}, []Input{in(Signed, 2, 3), index(3, 7)}},
		{"Gather", graph.Attrs{"axis": graph.I(1)}, []Input{in(Signed, 2, 4, 3), index(4)}},
		{"ScatterAdd", nil, []Input{in(Signed, 5, 3), index(5, 2, 2), in(Signed, 2, 2, 3)}},
		{"ScatterAdd", graph.Attrs{"axis": graph.I(-1)}, []Input{in(Signed, 2, 3), index(3, 7), in(Signed, 2, 7)}},
		{"ScatterAdd", graph.Attrs{"axis": graph.I(1)}, []Input{in(Signed, 2, 4, 3), index(4), in(Signed, 2, 3)}},
		{"GatherElements", nil, []Input{in(Signed, 5, 3), index(5, 7, 2)}},
		{"GatherElements", graph.Attrs{"axis": graph.I(-1)}, []Input{in(Signed, 3, 2, 4), index(4, 2, 2, 3)}},
	}
}
