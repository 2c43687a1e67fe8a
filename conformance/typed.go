package conformance

import (
	"cmp"
	"math"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Ops in every element type that the table gives them, on small whole numbers,
// which all types hold and whose results are exact. Other files have the types
// that networks compute in, on data that unmask more.

// typed is a row: an op, and which of its inputs goes through the types.
type typed struct {
	op      string
	domain  string // "": ONNX's
	text    string // shapes and attributes, as elsewhere
	attrs   graph.Attrs
	of      int // the input whose types are gone through
	outputs int // 0: one
	inputs  func(d tensor.DType) []input
}

// few are the whole numbers nearest to 0 that a type has, n to each side.
func few(n int, d tensor.DType) fill {
	lo, _ := typeRange(d)
	if d == tensor.Bool {
		n = 1
	}
	return integers(max(-n, int(max(lo, -100))), n)
}

// typeRange is that of integers; floats have all whole numbers near 0.
func typeRange(d tensor.DType) (lo, hi float64) {
	switch {
	case d == tensor.Bool:
		return 0, 1
	case d.IsInt():
		return tensor.IntRange(d)
	}
	return -maxFinite(d), maxFinite(d)
}

// numbers is an input of whole numbers.
func numbers(name string, d tensor.DType, n int, shape ...int) input {
	return input{name: name, typ: tensor.T(d, shape...), fill: few(n, d)}
}

func typedRows() []typed {
	rows := slices.Concat(typedPointwise(), typedReductions(), typedIndices(), typedQuantizers())
	for _, name := range []string{"RandomUniform", "RandomNormal"} {
		a, key := keyed(2, graph.Attrs{"shape": graph.L(131)})
		rows = append(rows, typed{op: name, domain: graph.Own, text: "x=131," + key, attrs: a, inputs: func(d tensor.DType) []input { return []input{steps(d)} }})
	}
	for _, name := range []string{"Bernoulli", "TrainingDropout"} {
		a, key := keyed(2, nil)
		if name == "TrainingDropout" {
			a["ratio"] = graph.F(0.5)
		}
		rows = append(rows, typed{op: name, domain: graph.Own, text: "x=131," + key, attrs: a, of: 1, inputs: func(d tensor.DType) []input {
			return []input{{name: "x", typ: tensor.T(tensor.F32, 131), fill: uniform(0.25, 0.75)}, steps(d)}
		}})
	}
	return rows
}

func typedPointwise() (rows []typed) {
	for _, op := range []string{"Neg", "Relu", "Abs", "Sign"} {
		rows = append(rows, typed{op: op, text: "x=5x19", inputs: func(d tensor.DType) []input { return []input{numbers("X", d, 9, 5, 19)} }})
	}
	return append(rows,
		typed{op: "Pow", text: "x=5x19,y=19", of: 1, inputs: func(d tensor.DType) []input {
			return []input{{name: "X", typ: tensor.T(tensor.F32, 5, 19), fill: integers(1, 9)}, {name: "Y", typ: tensor.T(d, 19), fill: integers(0, 3)}}
		}},
		typed{op: "Gemm", text: "m=5,k=7,n=6,c=6", inputs: func(d tensor.DType) []input {
			return []input{numbers("A", d, 3, 5, 7), numbers("B", d, 3, 7, 6), numbers("C", d, 9, 6)}
		}},
		typed{op: "CumSum", text: "x=5x9,axis=1", attrs: graph.Attrs{"axis": graph.I(1)}, inputs: func(d tensor.DType) []input {
			return []input{numbers("x", d, 9, 5, 9)}
		}},
		typed{op: "Resize", text: "x=1x2x3x5,to=1x2x6x10,mode=nearest", attrs: graph.Attrs{"sizes": graph.L(1, 2, 6, 10), "mode": graph.S("nearest")},
			inputs: func(d tensor.DType) []input { return []input{numbers("X", d, 100, 1, 2, 3, 5)} }})
}

func typedReductions() (rows []typed) {
	attrs := graph.Attrs{"axes": graph.L(1), "keepdims": graph.I(0)}
	for op, size := range map[string]int{"ReduceSum": 9, "ReduceMax": 100, "ReduceMin": 100, "ReduceMean": 25, "ReduceProd": 3, "ReduceL1": 9, "ReduceSumSquare": 4} {
		rows = append(rows, typed{op: op, text: "x=9x4x7,axes=1,keep=0", attrs: attrs, inputs: func(d tensor.DType) []input {
			in := numbers("data", d, size, 9, 4, 7)
			if op == "ReduceMean" { // means of four that are whole
				whole := in.fill
				in.fill = func(r *rng, t tensor.Type) []float64 {
					v := whole(r, t)
					for i := range v {
						v[i] *= 4
					}
					return v
				}
			}
			return []input{in}
		}})
	}
	slices.SortFunc(rows, func(a, b typed) int { return cmp.Compare(a.op, b.op) })
	return rows
}

func typedIndices() []typed {
	at := func(n int, shape ...int) input {
		return input{name: "indices", typ: tensor.T(tensor.S64, shape...), fill: integers(-n, n-1)}
	}
	elements := scattering{"ScatterElements", tensor.Shape{9, 7}, tensor.Shape{4, 7}, 0, tensor.S64}
	tuples := scattering{"ScatterND", tensor.Shape{19, 5}, tensor.Shape{8, 1}, 0, tensor.S64}
	scattered := func(s scattering) func(tensor.DType) []input {
		return func(d tensor.DType) []input {
			return []input{numbers("data", d, 100, s.data...), {name: "indices", typ: tensor.Type{DType: s.index, Shape: s.indices}, fill: s.apart()},
				numbers("updates", d, 100, s.updates()...)}
		}
	}
	axis := graph.Attrs{"axis": graph.I(0)}
	return []typed{
		{op: "Gather", text: "x=19x7,indices=9,axis=0", attrs: axis, inputs: func(d tensor.DType) []input {
			return []input{numbers("data", d, 100, 19, 7), at(19, 9)}
		}},
		{op: "GatherElements", text: "x=5x7,indices=9x7,axis=0", attrs: axis, inputs: func(d tensor.DType) []input {
			return []input{numbers("data", d, 100, 5, 7), at(5, 9, 7)}
		}},
		{op: "GatherND", text: "x=7x5x3,indices=9x2,batch=0", inputs: func(d tensor.DType) []input {
			return []input{numbers("data", d, 100, 7, 5, 3), at(5, 9, 2)}
		}},
		{op: "ScatterElements", text: "x=9x7,indices=4x7,axis=0", attrs: axis, inputs: scattered(elements)},
		{op: "ScatterND", text: "x=19x5,indices=8x1", inputs: scattered(tuples)},
		{op: "ScatterAdd", domain: graph.Own, text: "x=7x5,indices=9,axis=0", attrs: axis, inputs: func(d tensor.DType) []input {
			return []input{numbers("data", d, 5, 7, 5), at(7, 9), numbers("updates", d, 5, 9, 5)}
		}},
		{op: "ArgMax", text: "x=33x10,axis=1", attrs: graph.Attrs{"axis": graph.I(1)}, inputs: func(d tensor.DType) []input { return []input{numbers("data", d, 50, 33, 10)} }},
		{op: "ArgMin", text: "x=33x10,axis=1", attrs: graph.Attrs{"axis": graph.I(1)}, inputs: func(d tensor.DType) []input { return []input{numbers("data", d, 50, 33, 10)} }},
		{op: "TopK", text: "x=33x10,axis=1,k=3", attrs: graph.Attrs{"axis": graph.I(1), "k": graph.I(3)}, outputs: 2,
			inputs: func(d tensor.DType) []input { return []input{numbers("X", d, 50, 33, 10)} }},
		{op: "OneHot", text: "indices=33,depth=9", attrs: graph.Attrs{"depth": graph.I(9)}, inputs: func(d tensor.DType) []input {
			return []input{numbers("indices", d, 9, 33), numbers("values", tensor.F32, 50, 2)}
		}},
		{op: "OneHot", text: "indices=33,depth=9,values", attrs: graph.Attrs{"depth": graph.I(9)}, of: 1, inputs: func(d tensor.DType) []input {
			values := numbers("values", d, 50, 2)
			if d == tensor.Bool { // two that are equal make a constant
				values.fill = func(r *rng, t tensor.Type) []float64 { on := float64(r.intn(2)); return []float64{1 - on, on} }
			}
			return []input{numbers("indices", tensor.S64, 9, 33), values}
		}},
	}
}

// typedQuantizers have scales that are powers of two.
func typedQuantizers() []typed {
	scale := func(name string, d tensor.DType, from, to int) input {
		return input{name: name, typ: tensor.T(d), fill: each(func(r *rng) float64 { return math.Ldexp(1, from+r.intn(to-from+1)) })}
	}
	zero := func(name string, d tensor.DType) input {
		return input{name: name, typ: tensor.T(d), fill: integers(0, 9)}
	}
	return []typed{{op: "QLinearMatMul", text: "m=9,k=7,n=6", of: 1, inputs: func(d tensor.DType) []input {
		u8, s8 := tensor.U8, tensor.S8
		return []input{numbers("a", u8, 20, 9, 7), scale("a_scale", d, -2, 0), zero("a_zero_point", u8),
			numbers("b", s8, 20, 7, 6), scale("b_scale", d, -2, 0), zero("b_zero_point", s8), scale("y_scale", d, 0, 2), zero("y_zero_point", u8)}
	}}}
}

func typedCases() []*Case {
	var all []*Case
	for _, row := range typedRows() {
		op := graph.Lookup(cmp.Or(row.domain, graph.Std), row.op)
		for _, d := range op.Inputs[row.of].Types.DTypes() {
			if d != tensor.F32 {
				all = append(all, row.make(d))
			}
		}
	}
	return all
}

// approximate are the ops whose results are rounded even on whole numbers.
var approximate = []string{"Pow", "RandomUniform", "RandomNormal", "TrainingDropout", "QLinearMatMul"}

func (row typed) make(d tensor.DType) *Case {
	bound := every(exact)
	if slices.Contains(approximate, row.op) {
		bound = own(row.op)
	}
	return &Case{
		Op: row.op, DType: d, Params: row.text, Class: "typed", Suite: row.suite(), Effort: Standard, bound: bound,
		subject: &opSubject{inputs: row.inputs(d), apply: func(b *graph.Builder, in []graph.Value) []graph.Value {
			if row.op == "Relu" || row.op == "Abs" { // of unsigned numbers an echo
				in = []graph.Value{b.Op("Add", nil, in[0], in[0])}
			}
			return b.OpN(row.op, row.attrs, max(1, row.outputs), in...)
		}},
	}
}

func (row typed) suite() Suite {
	switch row.op {
	case "RandomUniform", "RandomNormal", "Bernoulli", "TrainingDropout":
		return TrainingCore
	case "QLinearMatMul":
		return Quantized
	}
	return InferenceCore
}
