package conformance

import (
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Reading and writing at indices, from either end of the axis, most of them
// more than once.

// indexing is a row: data, the shape of the indices and the axis.
type indexing struct {
	data, indices tensor.Shape
	axis          int
	index         tensor.DType
}

var indexings = []indexing{
	{tensor.Shape{50, 16}, tensor.Shape{4, 7}, 0, tensor.S64}, // an embedding
	{tensor.Shape{3, 9, 5}, tensor.Shape{11}, 1, tensor.S32},
	{tensor.Shape{5, 33}, tensor.Shape{3, 3}, -1, tensor.S64},
	{tensor.Shape{19, 7}, tensor.Shape{}, 0, tensor.S64},
	{tensor.Shape{517, 67}, tensor.Shape{131}, 0, tensor.S64},
	{tensor.Shape{2, 31, 129}, tensor.Shape{257}, 1, tensor.S32},
}

// elementIndexings are for one index an element.
var elementIndexings = []indexing{
	{tensor.Shape{5, 7}, tensor.Shape{9, 7}, 0, tensor.S64},
	{tensor.Shape{3, 4, 33}, tensor.Shape{2, 3, 19}, -1, tensor.S32},
	{tensor.Shape{3, 9, 5}, tensor.Shape{3, 1, 4}, 1, tensor.S64},
	{tensor.Shape{67, 131}, tensor.Shape{67, 257}, 1, tensor.S64},
}

func (x indexing) params() string {
	return fmt.Sprintf("x=%v,indices=%v,axis=%d,index=%v", x.data, x.indices, x.axis, x.index)
}

func (x indexing) attrs() graph.Attrs { return graph.Attrs{"axis": graph.I(x.axis)} }

// at are indices of both signs.
func (x indexing) at() input {
	n := x.data[(x.axis+len(x.data))%len(x.data)]
	return input{name: "indices", typ: tensor.Type{DType: x.index, Shape: x.indices}, fill: integers(-n, n-1)}
}

func (x indexing) make(op string, d tensor.DType, class string, e Effort, b *Bound, more ...input) *Case {
	return &Case{
		Op: op, DType: d, Params: x.params(), Class: class, Suite: InferenceCore, Effort: e, Required: d == tensor.F32, bound: every(b),
		subject: &opSubject{apply: single(op, x.attrs(), 1), inputs: append([]input{more[0], x.at()}, more[1:]...)},
	}
}

func gatherCases() []*Case {
	var all []*Case
	for i, x := range indexings {
		all = append(all, x.reads("Gather", i)...)
		all = append(all, x.sums(i)...)
	}
	for i, x := range elementIndexings {
		all = append(all, x.reads("GatherElements", i)...)
	}
	return all
}

// reads has each row in f32 and, by turns, in two of the other types.
func (x indexing) reads(op string, row int) []*Case {
	others := []tensor.DType{tensor.U8, tensor.F16, tensor.S64, tensor.F64, tensor.BF16, tensor.S32, tensor.Bool, tensor.S8, tensor.U32}
	data := func(d tensor.DType, f fill) input {
		return input{name: "data", typ: tensor.Type{DType: d, Shape: x.data}, fill: f}
	}
	list := []*Case{x.make(op, tensor.F32, "moved", effortOf(tensor.F32, row), exact, data(tensor.F32, normal(1)))}
	if x.indices.Elements() >= 8 {
		list = append(list, x.make(op, tensor.F32, "specials", Quick, exact, data(tensor.F32, sprinkled(normal(1), specialValues(tensor.F32, true)...))))
	}
	for _, d := range []tensor.DType{others[2*row%len(others)], others[(2*row+1)%len(others)]} {
		f := integers(0, 100)
		if d == tensor.Bool {
			f = integers(0, 1)
		}
		list = append(list, x.make(op, d, "moved", max(Quick, effortOf(d, row)), exact, data(d, f)))
	}
	return list
}

// sums are ScatterAdd's: by the classes of dot products, each term times 1.
func (x indexing) sums(row int) []*Case {
	axis := (x.axis + len(x.data)) % len(x.data)
	shape := slices.Concat(x.data[:axis], x.indices, x.data[axis+1:])
	with := func(d tensor.DType, f fill) []input {
		return []input{{name: "data", typ: tensor.Type{DType: d, Shape: x.data}, fill: f}, {name: "updates", typ: tensor.Type{DType: d, Shape: shape}, fill: f}}
	}
	var list []*Case
	for _, d := range []tensor.DType{tensor.F32, []tensor.DType{tensor.F64, tensor.F16, tensor.BF16}[row%3]} {
		e := effortOf(d, row)
		r := int(min(exactTotal(d)/float64(x.indices.Elements()+1), 1/d.UnitRoundoff()))
		list = append(list,
			x.make("ScatterAdd", d, "structure", e, exact, with(d, integers(-r, r))...),
			x.make("ScatterAdd", d, "real", max(e, Quick), dotBound, with(d, uniform(-1, 1))...))
	}
	if x.indices.Elements() >= 8 {
		list = append(list, x.make("ScatterAdd", tensor.F32, "specials", Quick, dotBound, with(tensor.F32, rarely(uniform(-1, 1), nonFinite...))...))
	}
	d := []tensor.DType{tensor.S32, tensor.S64, tensor.U8}[row%3]
	return append(list, x.make("ScatterAdd", d, "integers", Quick, exact, with(d, integers(0, 100))...))
}
