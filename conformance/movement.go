package conformance

import (
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Movement ops, between other ops: alone, a Reshape is what an echo does. A
// float comes out of a Neg, other types out of a Cast, so that the bytes fetched
// are never the bytes fed.

// movement is a row: an op with its attributes on one shape, or on more where
// it has more inputs.
type movement struct {
	op      string
	params  string
	in      tensor.Shape
	attrs   graph.Attrs
	more    []tensor.Shape
	outputs int // 0: one
}

func movements() []movement {
	perm := func(s tensor.Shape, p ...int) movement {
		return movement{"Transpose", "x=" + s.String() + ",perm=" + list(p, ""), s, graph.Attrs{"perm": graph.L(p...)}, nil, 0}
	}
	shape := func(op string, s tensor.Shape, to ...int) movement {
		return movement{op, "x=" + s.String() + ",shape=" + list(to, "x"), s, graph.Attrs{"shape": graph.L(to...)}, nil, 0}
	}
	flat := func(s tensor.Shape, axis int) movement {
		return movement{"Flatten", params("x="+s.String(), "axis="+list([]int{axis}, "")), s, graph.Attrs{"axis": graph.I(axis)}, nil, 0}
	}
	return []movement{
		perm(tensor.Shape{2, 9, 7, 3}, 0, 3, 1, 2), // images: NHWC to NCHW
		perm(tensor.Shape{33, 17}, 1, 0),
		perm(tensor.Shape{2, 3, 5, 7}, 3, 1, 0, 2),
		perm(tensor.Shape{5, 1, 16}, 2, 0, 1),
		perm(tensor.Shape{2, 131, 97, 3}, 0, 3, 1, 2), // large, see flatShapes
		perm(tensor.Shape{517, 131}, 1, 0),
		{"Transpose", "x=4x3x5", tensor.Shape{4, 3, 5}, nil, nil, 0},
		shape("Reshape", tensor.Shape{2, 3, 35}, 6, -1),
		shape("Reshape", tensor.Shape{4, 1, 9}, 0, 9),
		shape("Reshape", tensor.Shape{37}, 1, 37, 1),
		flat(tensor.Shape{3, 16, 4, 4}, 1),
		flat(tensor.Shape{2, 3, 5}, -1),
		flat(tensor.Shape{2, 3, 5}, 0),
		shape("Expand", tensor.Shape{1, 17, 1}, 3, 17, 5),
		shape("Expand", tensor.Shape{5, 1}, 4, 5, 3),
		shape("Expand", tensor.Shape{}, 33),
		shape("Expand", tensor.Shape{1, 67, 1}, 33, 67, 31),
	}
}

func movementCases() []*Case {
	var all []*Case
	seen := map[string]int{}
	for _, m := range movements() {
		for _, d := range tensor.DTypes() {
			all = append(all, m.cases(d, seen[m.op])...)
		}
		seen[m.op]++
	}
	return all
}

func (m movement) cases(d tensor.DType, row int) []*Case {
	make := func(class string, e Effort, s *opSubject) *Case {
		return &Case{Op: m.op, DType: d, Params: m.params, Class: class, Suite: InferenceCore, Effort: e, Required: d == tensor.F32,
			bound: every(exact), subject: s}
	}
	effort := effortOf(d, row)
	if d != tensor.F32 {
		effort = max(effort, Quick)
	}
	if d.IsFloat() {
		list := []*Case{make("moved", effort, m.after("Neg", nil, d, normal(1)))}
		if m.in.Elements() >= 8 {
			list = append(list, make("specials", max(effort, Quick), m.after("Neg", nil, d, sprinkled(normal(1), specialValues(d, true)...))))
		}
		return list
	}
	if d == tensor.Bool {
		return []*Case{make("moved", effort, m.after("Cast", graph.Attrs{"to": graph.S(d.String())}, tensor.F32, integers(0, 1)))}
	}
	return []*Case{make("moved", effort, m.after("Cast", graph.Attrs{"to": graph.S(d.String())}, tensor.F32, uniform(1, 100)))}
}

// narrow are a row's cases in the 16-bit floats that it does not have by turns.
func (m movement) narrow(had ...tensor.DType) []*Case {
	var all []*Case
	for _, d := range narrowFloats {
		if !slices.Contains(had, d) {
			all = append(all, m.cases(d, 0)[0])
		}
	}
	return all
}

// after puts the op behind another.
func (m movement) after(op string, attrs graph.Attrs, d tensor.DType, f fill) *opSubject {
	s := &opSubject{apply: func(b *graph.Builder, in []graph.Value) []graph.Value {
		moved := make([]graph.Value, len(in))
		for i, x := range in {
			moved[i] = b.Op(op, attrs, x)
		}
		return b.OpN(m.op, m.attrs, max(1, m.outputs), moved...)
	}}
	for i, shape := range append([]tensor.Shape{m.in}, m.more...) {
		s.inputs = append(s.inputs, input{name: fmt.Sprint("data", i), typ: tensor.Type{DType: d, Shape: shape}, fill: f})
	}
	return s
}
