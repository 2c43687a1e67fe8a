package conformance

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Cutting, joining and padding: the rows of movement.go, one more axis, every
// direction and every mode.

func cuttings() []movement {
	slice := func(s tensor.Shape, starts, ends, axes, steps []int) movement {
		a := graph.Attrs{"starts": graph.L(starts...), "ends": graph.L(ends...)}
		p := fmt.Sprintf("x=%v,from=%s,to=%s", s, list(starts, ","), list(ends, ","))
		if axes != nil {
			a["axes"] = graph.L(axes...)
			p += ",axes=" + list(axes, ",")
		}
		if steps != nil {
			a["steps"] = graph.L(steps...)
			p += ",steps=" + list(steps, ",")
		}
		return movement{op: "Slice", params: p, in: s, attrs: a}
	}
	axes := func(op string, s tensor.Shape, v ...int) movement {
		a := graph.Attrs{}
		if v != nil {
			a["axes"] = graph.L(v...)
		}
		return movement{op: op, params: params("x="+s.String(), "axes="+list(v, ",")), in: s, attrs: a}
	}
	split := func(s tensor.Shape, axis int, sizes ...int) movement {
		a := graph.Attrs{"axis": graph.I(axis), "split": graph.L(sizes...)}
		return movement{op: "Split", params: fmt.Sprintf("x=%v,axis=%d,split=%s", s, axis, list(sizes, ",")), in: s, attrs: a, outputs: len(sizes)}
	}
	equal := func(s tensor.Shape, axis, n int) movement {
		a := graph.Attrs{"axis": graph.I(axis), "num_outputs": graph.I(n)}
		return movement{op: "Split", params: fmt.Sprintf("x=%v,axis=%d,outputs=%d", s, axis, n), in: s, attrs: a, outputs: n}
	}
	concat := func(axis int, shapes ...tensor.Shape) movement {
		return movement{op: "Concat", params: fmt.Sprintf("axis=%d,x=%s", axis, shapeList(shapes)), in: shapes[0], more: shapes[1:], attrs: graph.Attrs{"axis": graph.I(axis)}}
	}
	const far = 1 << 40
	return []movement{
		slice(tensor.Shape{5, 33}, []int{1, 2}, []int{4, 19}, nil, nil),
		slice(tensor.Shape{2, 6, 9, 7}, []int{3}, []int{far}, []int{1}, nil), // half of the channels
		slice(tensor.Shape{3, 17, 5}, []int{-1, -2}, []int{-far, 0}, []int{1, -1}, []int{-1, -2}),
		slice(tensor.Shape{4, 35}, []int{1}, []int{-1}, []int{-1}, []int{3}),
		slice(tensor.Shape{67, 131}, []int{1, 5}, []int{66, far}, nil, []int{1, 2}),
		slice(tensor.Shape{9}, []int{-100}, []int{5}, nil, nil),

		padded(tensor.Shape{2, 3, 5, 7}, "constant", 0, 0, 0, 1, 1, 0, 0, 1, 1), // around images
		padded(tensor.Shape{3, 5, 7}, "constant", -1.5, 0, 2, 1, 1, 0, 3),
		padded(tensor.Shape{4, 9, 6}, "constant", 3, 1, -2, 0, -1, 1, -3), // some cut off
		padded(tensor.Shape{9, 3}, "constant", 0, 2, 0, -2, 0),            // moved: the shape stays
		padded(tensor.Shape{9, 3}, "constant", 2, -1, 1, 1, 2),
		padded(tensor.Shape{7, 5, 2}, "constant", -1, 0, 0, 1, 0, 0, 3),
		padded(tensor.Shape{2, 5, 7}, "reflect", 0, 0, 2, 4, 0, 1, 6),
		padded(tensor.Shape{2, 3, 4}, "reflect", 0, 1, 5, 0, 0, 4, 9), // there and back again
		padded(tensor.Shape{5, 1, 3}, "reflect", 0, 0, 2, 1, 0, 1, 1), // of one element there is no other
		padded(tensor.Shape{2, 5, 7}, "edge", 0, 1, 2, 3, 0, 1, 6),
		padded(tensor.Shape{2, 5, 7}, "wrap", 0, 0, 2, 9, 1, 6, 3),
		padded(tensor.Shape{1, 2, 67, 71}, "constant", 0, 0, 0, 3, 3, 0, 0, 2, 5),
		padded(tensor.Shape{5, 67, 71}, "edge", 0, 0, 3, 3, 0, 2, 5),

		concat(1, tensor.Shape{2, 3, 5}, tensor.Shape{2, 4, 5}, tensor.Shape{2, 1, 5}),
		concat(-1, tensor.Shape{7, 3}, tensor.Shape{7, 5}),
		concat(0, tensor.Shape{2, 9}, tensor.Shape{1, 9}, tensor.Shape{4, 9}, tensor.Shape{3, 9}),
		concat(1, tensor.Shape{2, 16, 23, 19}, tensor.Shape{2, 24, 23, 19}), // a DenseNet's
		split(tensor.Shape{2, 9, 5}, 1, 4, 2, 3),
		split(tensor.Shape{3, 35}, -1, 1, 33, 1),
		equal(tensor.Shape{8, 5}, 0, 4),
		equal(tensor.Shape{3, 11, 4}, 1, 3),   // the last smaller
		equal(tensor.Shape{97, 3, 192}, 1, 3), // queries, keys, values

		axes("Squeeze", tensor.Shape{1, 3, 1, 7}),
		axes("Squeeze", tensor.Shape{5, 1, 1, 3}, -2),
		axes("Unsqueeze", tensor.Shape{3, 7}, 0, -1),
		axes("Unsqueeze", tensor.Shape{33}, 1),
	}
}

func shapeList(shapes []tensor.Shape) string {
	text := shapes[0].String()
	for _, s := range shapes[1:] {
		text += "+" + s.String()
	}
	return text
}

// sliceCases has each row in f32 and, by turns, in two of the other types.
func sliceCases() []*Case {
	var all []*Case
	seen := map[string]int{}
	others := []tensor.DType{tensor.F16, tensor.S64, tensor.F64, tensor.Bool, tensor.BF16, tensor.U8, tensor.S32, tensor.S8, tensor.U32}
	for i, m := range cuttings() {
		for _, d := range []tensor.DType{tensor.F32, others[2*i%len(others)], others[(2*i+1)%len(others)]} {
			if v, ok := m.attrs["value"]; ok && tensor.Round(float64(v.Float), d) != float64(v.Float) {
				continue
			}
			all = append(all, m.cases(d, seen[m.op])...)
		}
		if seen[m.op] == 0 {
			all = append(all, m.narrow(others[2*i%len(others)], others[(2*i+1)%len(others)])...)
		}
		seen[m.op]++
	}
	return append(all, padGridCases()...)
}

// padGridCases cut off, shift and pad one axis at a time of three, with rows of
// one to five columns: what is shifted keeps its shape, and few columns are
// moved by other means than long rows.
func padGridCases() []*Case {
	var all []*Case
	ways := []struct{ begin, end int }{{-1, 0}, {0, -2}, {1, -1}, {-1, 1}, {2, 1}}
	others := []tensor.DType{tensor.F16, tensor.U8, tensor.F64, tensor.S64, tensor.BF16, tensor.S8, tensor.S32, tensor.U32}
	for columns := 1; columns <= 5; columns++ {
		for axis := range 3 {
			for _, w := range ways {
				s := tensor.Shape{4, 5, columns}
				if s[axis]+min(w.begin, 0)+min(w.end, 0) <= 0 {
					continue // nothing of the data is left
				}
				pads := make([]int, 6)
				pads[axis], pads[3+axis] = w.begin, w.end
				m := padded(s, "constant", 2, pads...)
				for _, d := range []tensor.DType{tensor.F32, others[len(all)/2%len(others)]} {
					c := m.cases(d, 1)[0]
					if d != tensor.F32 {
						c.Effort = Standard
					}
					all = append(all, c)
				}
			}
		}
	}
	return all
}

func padded(s tensor.Shape, mode string, value float64, pads ...int) movement {
	a := graph.Attrs{"pads": graph.L(pads...), "mode": graph.S(mode), "value": graph.F(value)}
	return movement{op: "Pad", params: fmt.Sprintf("x=%v,pads=%s,mode=%s,value=%v", s, list(pads, ","), mode, value), in: s, attrs: a}
}
