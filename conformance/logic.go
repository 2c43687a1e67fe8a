package conformance

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Comparisons and truth values.

func logicCases() []*Case {
	var all []*Case
	for _, op := range []string{"Equal", "LessOrEqual"} {
		all = append(all, comparisonCases(op, broadcastPairs)...)
	}
	for _, op := range []string{"Less", "Greater", "GreaterOrEqual"} {
		all = append(all, comparisonCases(op, broadcastPairs[:2])...)
	}
	for _, op := range []string{"And", "Or", "Xor"} {
		for i, p := range broadcastPairs[:4] {
			all = append(all, comparisonCase(op, tensor.Bool, p, "truth", []Effort{Smoke, Quick, Standard, Standard}[i], integers(0, 1)))
		}
	}
	return append(all, testCases()...)
}

// comparisonCases compare numbers of which many are equal.
func comparisonCases(op string, pairs [][2]tensor.Shape) []*Case {
	var all []*Case
	for _, d := range graph.Lookup(graph.Std, op).Inputs[0].Types.DTypes() {
		for i, p := range pairs {
			f := integers(0, 2)
			if d == tensor.Bool {
				f = integers(0, 1)
			}
			e := effortOf(d, i)
			if d != tensor.F32 && op != "Equal" {
				e = Standard
			}
			all = append(all, comparisonCase(op, d, p, "ties", e, f))
		}
	}
	// NaN is neither equal nor less, zeros of both signs are equal.
	s := tensor.Shape{11, 13}
	return append(all, comparisonCase(op, tensor.F32, [2]tensor.Shape{s, s}, "specials", Quick, sprinkled(integers(-1, 1), specialValues(tensor.F32, false)...)))
}

func comparisonCase(op string, d tensor.DType, p [2]tensor.Shape, class string, e Effort, f fill) *Case {
	return &Case{
		Op: op, DType: d, Params: fmt.Sprintf("a=%v,b=%v", p[0], p[1]), Class: class, Suite: InferenceCore, Effort: e,
		Required: d == tensor.F32 || d == tensor.Bool && class == "truth" || op == "Equal" && d == tensor.S64, bound: every(exact),
		subject: &opSubject{apply: single(op, nil, 1), inputs: []input{
			{name: "A", typ: tensor.Type{DType: d, Shape: p[0]}, fill: f}, {name: "B", typ: tensor.Type{DType: d, Shape: p[1]}, fill: f}}},
	}
}

// testCases ask of each element alone.
func testCases() []*Case {
	var all []*Case
	add := func(op string, attrs graph.Attrs, d tensor.DType, s tensor.Shape, class string, e Effort, f fill) {
		m := mapping{op: op, attrs: attrs}
		all = append(all, &Case{
			Op: op, DType: d, Params: params("x="+s.String(), m.params()), Class: class, Suite: InferenceCore, Effort: e,
			Required: d == tensor.F32 || d == tensor.Bool, bound: every(exact),
			subject: &opSubject{apply: single(op, attrs, 1), inputs: []input{{name: "X", typ: tensor.Type{DType: d, Shape: s}, fill: f}}},
		})
	}
	for i, s := range flatShapes {
		add("Not", nil, tensor.Bool, s, "truth", min(Smoke+Effort(i), Standard), integers(0, 1))
	}
	for i, d := range floats {
		e := []Effort{Smoke, Standard}[min(i, 1)]
		f := sprinkled(normal(1), specialValues(d, false)...)
		add("IsNaN", nil, d, tensor.Shape{7, 41}, "specials", e, f)
		add("IsInf", nil, d, tensor.Shape{7, 41}, "specials", e, f)
		if d == tensor.F32 {
			add("IsInf", graph.Attrs{"detect_negative": graph.I(0)}, d, tensor.Shape{7, 41}, "specials", Quick, f)
			add("IsInf", graph.Attrs{"detect_positive": graph.I(0)}, d, tensor.Shape{7, 41}, "specials", Quick, f)
		}
	}
	for _, d := range narrowFloats {
		add("IsNaN", nil, d, everyShape, "every-number", Standard, everyNumber)
		add("IsInf", nil, d, everyShape, "every-number", Standard, everyNumber)
	}
	return all
}
