package conformance

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Where elements stand: first and last among equal ones, NaN before and behind
// numbers, rows that lie apart.

// selection is a row: an op on a shape.
type selection struct {
	op    string
	in    tensor.Shape
	attrs graph.Attrs
	text  string
}

func selections() []selection {
	arg := func(op string, s tensor.Shape, axis, keep, last int) selection {
		return selection{op, s, graph.Attrs{"axis": graph.I(axis), "keepdims": graph.I(keep), "select_last_index": graph.I(last)},
			fmt.Sprintf("x=%v,axis=%d,keep=%d,last=%d", s, axis, keep, last)}
	}
	top := func(s tensor.Shape, axis, k, largest int) selection {
		return selection{"TopK", s, graph.Attrs{"axis": graph.I(axis), "k": graph.I(k), "largest": graph.I(largest)},
			fmt.Sprintf("x=%v,axis=%d,k=%d,largest=%d", s, axis, k, largest)}
	}
	return []selection{
		arg("ArgMax", tensor.Shape{33, 10}, 1, 0, 0), // the class
		arg("ArgMax", tensor.Shape{3, 9, 17}, 0, 1, 1),
		arg("ArgMax", tensor.Shape{2, 35, 5}, -2, 1, 0),
		arg("ArgMax", tensor.Shape{131, 1000}, -1, 0, 0),
		arg("ArgMin", tensor.Shape{33, 10}, 1, 1, 0),
		arg("ArgMin", tensor.Shape{3, 31, 7}, 1, 0, 1),
		top(tensor.Shape{33, 10}, -1, 5, 1), // top five
		top(tensor.Shape{3, 17, 5}, 1, 3, 0),
		top(tensor.Shape{9, 33}, 1, 33, 1), // a sort
		top(tensor.Shape{35, 4}, 0, 7, 1),
		top(tensor.Shape{67, 1000}, -1, 5, 1),
	}
}

func selectCases() []*Case {
	var all []*Case
	seen := map[string]int{}
	others := []tensor.DType{tensor.F64, tensor.S32, tensor.F16, tensor.U8, tensor.BF16, tensor.S64}
	for i, s := range selections() {
		row := seen[s.op]
		seen[s.op]++
		d := others[i%len(others)]
		all = append(all,
			s.make(tensor.F32, "real", effortOf(tensor.F32, row), distinct(0.125)),
			s.make(tensor.F32, "ties", Quick, integers(-2, 2)),
			s.make(tensor.F32, "specials", Quick, sprinkled(integers(-2, 2), specialValues(tensor.F32, false)...)),
			s.make(d, "ties", max(Quick, effortOf(d, row)), integers(0, 50)))
		for _, narrow := range narrowFloats {
			if row == 0 && narrow != d {
				all = append(all, s.make(narrow, "ties", Quick, integers(0, 50)))
			}
		}
	}
	return append(all, oneHotCases()...)
}

func (s selection) make(d tensor.DType, class string, e Effort, x fill) *Case {
	outputs := len(ownBounds[s.op])
	return &Case{
		Op: s.op, DType: d, Params: s.text, Class: class, Suite: InferenceCore, Effort: e, Required: d == tensor.F32, bound: every(exact),
		subject: &opSubject{apply: single(s.op, s.attrs, outputs), inputs: []input{{name: "data", typ: tensor.Type{DType: d, Shape: s.in}, fill: x}}},
	}
}

// oneHotCases have indices from both ends and some beyond them.
func oneHotCases() []*Case {
	var all []*Case
	for i, row := range []struct {
		indices     tensor.Shape
		axis, depth int
		index, d    tensor.DType
	}{
		{tensor.Shape{33}, -1, 10, tensor.S64, tensor.F32},
		{tensor.Shape{5, 7}, 1, 9, tensor.S64, tensor.F32},
		{tensor.Shape{5, 7}, 0, 4, tensor.S32, tensor.F32},
		{tensor.Shape{131}, -1, 1000, tensor.S64, tensor.F32},
		{tensor.Shape{3, 5}, -1, 6, tensor.F32, tensor.F64},
		{tensor.Shape{9}, 0, 5, tensor.U8, tensor.S32},
		{tensor.Shape{9}, -1, 5, tensor.F64, tensor.U8},
		{tensor.Shape{9}, -1, 5, tensor.F16, tensor.S8},
		{tensor.Shape{9}, -1, 5, tensor.BF16, tensor.U32},
		{tensor.Shape{9}, -1, 5, tensor.S8, tensor.S64},
		{tensor.Shape{9}, -1, 5, tensor.U32, tensor.Bool},
		{tensor.Shape{9}, -1, 5, tensor.S64, tensor.F16},
		{tensor.Shape{9}, 0, 5, tensor.S64, tensor.BF16},
	} {
		lo, hi := -row.depth-1, row.depth
		if row.index == tensor.U8 || row.index == tensor.U32 {
			lo = 0
		}
		values := normal(1)
		switch {
		case row.d == tensor.Bool:
			values = integers(0, 1)
		case row.d == tensor.U8 || row.d == tensor.U32:
			values = integers(0, 200)
		case !row.d.IsFloat():
			values = integers(-100, 100)
		}
		all = append(all, &Case{
			Op: "OneHot", DType: row.d, Params: fmt.Sprintf("indices=%v,axis=%d,depth=%d,index=%v", row.indices, row.axis, row.depth, row.index),
			Class: "moved", Suite: InferenceCore, Effort: effortOf(row.d, i), Required: row.d == tensor.F32, bound: every(exact),
			subject: &opSubject{
				apply: single("OneHot", graph.Attrs{"axis": graph.I(row.axis), "depth": graph.I(row.depth)}, 1),
				inputs: []input{
					{name: "indices", typ: tensor.Type{DType: row.index, Shape: row.indices}, fill: integers(lo, hi)},
					{name: "values", typ: tensor.T(row.d, 2), fill: values}},
			},
		})
	}
	return all
}
