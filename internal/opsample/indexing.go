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

// scatters samples what writes at indices, none of them twice where that is
// not allowed: into one row, or in order.
func scatters() (list []Sample) {
	for _, r := range []string{"add", "none"} {
		a := graph.Attrs{"reduction": graph.S(r), "axis": graph.I(1)}
		list = append(list, Sample{"ScatterElements", a, []Input{in(Signed, 3, 5), index(5, 3, 1), in(Signed, 3, 1)}},
			Sample{"ScatterND", graph.Attrs{"reduction": graph.S(r)}, []Input{in(Signed, 3, 4), index(3, 1, 1), in(Signed, 1, 4)}},
			Sample{"ScatterND", graph.Attrs{"reduction": graph.S(r)}, []Input{in(Signed, 3, 4, 2), index(3, 2), in(Signed, 2)}})
	}
	return append(list,
		Sample{"ScatterElements", graph.Attrs{"reduction": graph.S("add")}, []Input{in(Signed, 3, 5), index(3, 7, 4), in(Signed, 7, 4)}},
		Sample{"ScatterND", graph.Attrs{"reduction": graph.S("add")}, []Input{in(Signed, 3, 4, 2), index(3, 5, 2), in(Signed, 5, 2)}},
		Sample{"GatherND", nil, []Input{in(Signed, 3, 4, 2), index(3, 2, 3, 2)}},
		Sample{"GatherND", nil, []Input{in(Signed, 3, 4), index(3, 5, 1)}},
		Sample{"GatherND", graph.Attrs{"batch_dims": graph.I(1)}, []Input{in(Signed, 2, 4, 3), index(4, 2, 3, 1)}})
}

// selections samples what finds elements.
func selections() (list []Sample) {
	x := []Input{in(Distinct, 3, 4, 5)}
	for _, op := range []string{"ArgMax", "ArgMin"} {
		list = append(list, Sample{op, nil, x},
			Sample{op, graph.Attrs{"axis": graph.I(-1), "keepdims": graph.I(0), "select_last_index": graph.I(1)}, x})
	}
	return append(list,
		Sample{"TopK", graph.Attrs{"k": graph.I(2)}, x},
		Sample{"TopK", graph.Attrs{"k": graph.I(4), "axis": graph.I(1), "largest": graph.I(0)}, x},
		Sample{"OneHot", graph.Attrs{"depth": graph.I(5)}, []Input{index(5, 2, 3), in(Signed, 2)}},
		Sample{"OneHot", graph.Attrs{"depth": graph.I(3), "axis": graph.I(1)}, []Input{index(5, 2, 3), in(Signed, 2)}},
		Sample{"OneHot", graph.Attrs{"depth": graph.I(3), "axis": graph.I(0)}, []Input{in(Signed, 4), in(Signed, 2)}})
}

// rearrangements samples what repeats, regroups and resizes.
func rearrangements() (list []Sample) {
	for _, mode := range []string{"nearest", "linear"} {
		for _, how := range []string{"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"} {
			a := graph.Attrs{"mode": graph.S(mode), "coordinate_transformation_mode": graph.S(how),
				"sizes": graph.L(1, 2, 7, 3), "roi": fs(0, 0, -0.25, 0.5, 1, 1, 0.75, 1), "extrapolation_value": graph.F(0.5)}
			if mode == "nearest" || how != "tf_half_pixel_for_nn" {
				list = append(list, Sample{"Resize", a, []Input{in(Signed, 1, 2, 4, 5)}})
			}
		}
		for _, round := range []string{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"} {
			a := graph.Attrs{"mode": graph.S(mode), "nearest_mode": graph.S(round), "coordinate_transformation_mode": graph.S("asymmetric"),
				"scales": fs(0.7, 2), "axes": graph.L(2, -2)}
			list = append(list, Sample{"Resize", a, []Input{in(Signed, 2, 3, 5)}})
		}
	}
	for _, policy := range []string{"not_larger", "not_smaller"} {
		list = append(list, Sample{"Resize", graph.Attrs{"sizes": graph.L(4, 9), "keep_aspect_ratio_policy": graph.S(policy)}, []Input{in(Signed, 3, 5)}})
	}
	for i := range 4 {
		list = append(list, Sample{"CumSum", graph.Attrs{"axis": graph.I(i % 3), "exclusive": graph.I(i & 1), "reverse": graph.I(i >> 1)}, []Input{in(Signed, 2, 5, 3)}})
	}
	return append(list,
		Sample{"Tile", graph.Attrs{"repeats": graph.L(2, 1, 3)}, []Input{in(Signed, 2, 3, 2)}},
		Sample{"DepthToSpace", graph.Attrs{"blocksize": graph.I(2)}, []Input{in(Signed, 2, 8, 2, 3)}},
		Sample{"DepthToSpace", graph.Attrs{"blocksize": graph.I(2), "mode": graph.S("CRD")}, []Input{in(Signed, 2, 8, 2, 3)}},
		Sample{"SpaceToDepth", graph.Attrs{"blocksize": graph.I(2)}, []Input{in(Signed, 2, 3, 4, 6)}})
}

// fs makes a list of floats.
func fs(v ...float32) graph.Attr { return graph.Attr{Kind: graph.FloatList, Floats: v} }

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
