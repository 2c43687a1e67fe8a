package conformance

import (
	"fmt"
	"math"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Repeating, regrouping, running sums and resampling.

var resizeBound = &Bound{
	Name: "resize", Formula: "nearest: y = y* rounded once; linear: u(8 + 4Σn)·max|x|, n the extents of the axes resized",
	Source: "a place among n elements, computed in the type, is off by some 2un, and the weights with it", Proposal: true,
	expect: func(s *site) (*expectation, error) {
		if s.call.Str("mode") == "nearest" {
			return exact.expect(s)
		}
		axes, err := s.call.ResizeAxes()
		if err != nil {
			return nil, err
		}
		places, largest := 8.0, math.Abs(s.call.Float("extrapolation_value"))
		for _, a := range axes {
			if !a.Same {
				places += 4 * float64(a.In)
			}
		}
		for _, v := range s.in(0).Data {
			largest = max(largest, math.Abs(v))
		}
		return s.within(func(int, float64) float64 { return s.u() * places * largest })
	},
}

// regroupings are rows of movement.go.
func regroupings() []movement {
	tile := func(s tensor.Shape, repeats ...int) movement {
		return movement{op: "Tile", params: fmt.Sprintf("x=%v,repeats=%s", s, list(repeats, ",")), in: s, attrs: graph.Attrs{"repeats": graph.L(repeats...)}}
	}
	space := func(s tensor.Shape, block int, mode string) movement {
		return movement{op: "DepthToSpace", params: fmt.Sprintf("x=%v,block=%d,mode=%s", s, block, mode), in: s,
			attrs: graph.Attrs{"blocksize": graph.I(block), "mode": graph.S(mode)}}
	}
	depth := func(s tensor.Shape, block int) movement {
		return movement{op: "SpaceToDepth", params: fmt.Sprintf("x=%v,block=%d", s, block), in: s, attrs: graph.Attrs{"blocksize": graph.I(block)}}
	}
	nearest := func(s tensor.Shape, coordinates, round string, to ...int) movement {
		return movement{op: "Resize", params: fmt.Sprintf("x=%v,to=%s,mode=nearest,at=%s,round=%s", s, list(to, "x"), coordinates, round), in: s,
			attrs: graph.Attrs{"sizes": graph.L(to...), "coordinate_transformation_mode": graph.S(coordinates), "nearest_mode": graph.S(round)}}
	}
	return []movement{
		tile(tensor.Shape{3, 5}, 2, 3),
		tile(tensor.Shape{2, 7, 3}, 1, 2, 1),
		space(tensor.Shape{2, 12, 3, 5}, 2, "DCR"),
		space(tensor.Shape{2, 12, 3, 5}, 2, "CRD"),
		depth(tensor.Shape{2, 3, 4, 6}, 2),
		depth(tensor.Shape{1, 3, 48, 48}, 16), // ViT's patches
		// Extents whose places are not halves but where the rounding decides.
		nearest(tensor.Shape{2, 3, 5, 7}, "half_pixel", "round_prefer_floor", 2, 3, 10, 14), // doubled
		nearest(tensor.Shape{1, 2, 8, 6}, "asymmetric", "floor", 1, 2, 4, 12),
		nearest(tensor.Shape{1, 2, 8, 4}, "asymmetric", "ceil", 1, 2, 16, 8),
		nearest(tensor.Shape{1, 2, 8, 4}, "asymmetric", "round_prefer_ceil", 1, 2, 16, 8),
		nearest(tensor.Shape{1, 2, 8, 4}, "asymmetric", "round_prefer_floor", 1, 2, 16, 8),
		nearest(tensor.Shape{1, 2, 5, 3}, "align_corners", "floor", 1, 2, 9, 5),
		nearest(tensor.Shape{1, 2, 8, 4}, "tf_half_pixel_for_nn", "floor", 1, 2, 4, 8),
		nearest(tensor.Shape{1, 2, 5, 4}, "align_corners", "floor", 1, 2, 1, 7), // to one element: the first
	}
}

// resampling is a row of linear interpolation.
type resampling struct {
	in          tensor.Shape
	coordinates string
	to          []int
	scales, roi []float32
}

var resamplings = []resampling{
	{in: tensor.Shape{2, 3, 5, 7}, coordinates: "half_pixel", to: []int{2, 3, 10, 14}},
	{in: tensor.Shape{1, 2, 9, 11}, coordinates: "half_pixel", to: []int{1, 2, 5, 6}},
	{in: tensor.Shape{1, 2, 5, 6}, coordinates: "align_corners", to: []int{1, 2, 8, 13}},
	{in: tensor.Shape{1, 2, 7, 6}, coordinates: "asymmetric", scales: []float32{1, 1, 1.6, 0.7}},
	{in: tensor.Shape{1, 2, 7, 6}, coordinates: "half_pixel_symmetric", scales: []float32{1, 1, 1.55, 0.55}},
	{in: tensor.Shape{1, 3, 6, 4}, coordinates: "pytorch_half_pixel", to: []int{1, 3, 9, 1}},
	{in: tensor.Shape{1, 2, 8, 8}, coordinates: "tf_crop_and_resize", to: []int{1, 2, 7, 5}, roi: []float32{0, 0, -0.25, 0.3, 1, 1, 0.7, 1.2}},
	{in: tensor.Shape{2, 2, 8, 7}, coordinates: "tf_crop_and_resize", to: []int{2, 2, 1, 5}, roi: []float32{0, 0, 0.1, 0.2, 1, 1, 0.6, 0.9}},
	{in: tensor.Shape{1, 2, 6, 5}, coordinates: "align_corners", to: []int{1, 2, 1, 9}},
	{in: tensor.Shape{1, 3, 33, 35}, coordinates: "half_pixel", to: []int{1, 3, 67, 71}},
	{in: tensor.Shape{3, 17}, coordinates: "half_pixel", to: []int{7, 31}},
}

func (x resampling) make(d tensor.DType, class string, e Effort, f fill) *Case {
	floats := func(v []float32) graph.Attr { return graph.Attr{Kind: graph.FloatList, Floats: v} }
	a := graph.Attrs{"mode": graph.S("linear"), "coordinate_transformation_mode": graph.S(x.coordinates)}
	p := fmt.Sprintf("x=%v,to=%s,mode=linear,at=%s", x.in, list(x.to, "x"), x.coordinates)
	if x.scales != nil {
		a["scales"] = floats(x.scales)
		p = fmt.Sprintf("x=%v,scales=%s,mode=linear,at=%s", x.in, strings.Trim(strings.ReplaceAll(fmt.Sprint(x.scales), " ", "x"), "[]"), x.coordinates)
	} else {
		a["sizes"] = graph.L(x.to...)
	}
	if x.roi != nil {
		a["roi"], a["extrapolation_value"] = floats(x.roi), graph.F(-2.5)
	}
	return &Case{
		Op: "Resize", DType: d, Params: p, Class: class, Suite: InferenceCore, Effort: e, Required: d == tensor.F32, bound: own("Resize"),
		subject: &opSubject{apply: single("Resize", a, 1), inputs: []input{{name: "X", typ: tensor.Type{DType: d, Shape: x.in}, fill: f}}},
	}
}

func rearrangeCases() []*Case {
	var all []*Case
	seen := map[string]int{}
	others := []tensor.DType{tensor.F16, tensor.S64, tensor.F64, tensor.U8, tensor.BF16, tensor.S32}
	for i, m := range regroupings() {
		for _, d := range []tensor.DType{tensor.F32, others[i%len(others)]} {
			all = append(all, m.cases(d, seen[m.op])...)
		}
		if seen[m.op] == 0 {
			all = append(all, m.narrow(others[i%len(others)])...)
		}
		seen[m.op]++
	}
	for i, x := range resamplings {
		all = append(all, x.make(tensor.F32, "real", effortOf(tensor.F32, i), normal(1)),
			x.make([]tensor.DType{tensor.F64, tensor.F16, tensor.BF16}[i%3], "real", Standard, normal(1)))
	}
	return append(all, cumSumCases()...)
}

func cumSumCases() []*Case {
	var all []*Case
	for i, row := range []struct {
		in                       tensor.Shape
		axis, exclusive, reverse int
		d                        tensor.DType
	}{
		{tensor.Shape{5, 33}, 1, 0, 0, tensor.F64}, {tensor.Shape{3, 17, 5}, 1, 1, 0, tensor.S32},
		{tensor.Shape{19, 4}, 0, 0, 1, tensor.F16}, {tensor.Shape{3, 67}, -1, 1, 1, tensor.S64}, {tensor.Shape{67, 131}, 0, 0, 0, tensor.BF16},
	} {
		make := func(d tensor.DType, class string, e Effort, f fill, b *Bound) *Case {
			return &Case{
				Op: "CumSum", DType: d, Params: fmt.Sprintf("x=%v,axis=%d,exclusive=%d,reverse=%d", row.in, row.axis, row.exclusive, row.reverse),
				Class: class, Suite: InferenceCore, Effort: e, Required: d == tensor.F32, bound: every(b),
				subject: &opSubject{
					apply:  single("CumSum", graph.Attrs{"axis": graph.I(row.axis), "exclusive": graph.I(row.exclusive), "reverse": graph.I(row.reverse)}, 1),
					inputs: []input{{name: "x", typ: tensor.Type{DType: d, Shape: row.in}, fill: f}}},
			}
		}
		all = append(all,
			make(tensor.F32, "structure", effortOf(tensor.F32, i), integers(-1000, 1000), exact),
			make(tensor.F32, "real", Quick, uniform(-1, 1), dotBound),
			make(row.d, "structure", Standard, integers(-3, 3), exact)) // sums that bf16 holds
	}
	return all
}
