package conformance

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// The grid of what backends fuse: a product, a bias of its own or apart, an
// activation, a residual before or after it, one consumer or two, and the
// intermediate value an output as well. Faults of fusion show nowhere else.

// block is a point of the grid.
type block struct {
	product    string // Conv, ConvGroups, Gemm, MatMul
	bias       string // "", own (an input of the op), added
	activation string // an op, or ""
	residual   string // "", before, after the activation
	consumers  string // one, two, output
	held       bool   // weights are state
}

// fusedProducts write the products by name, on input and weights of fixed
// shapes.
var fusedProducts = map[string]struct {
	x, w, bias tensor.Shape // of the op's own bias
	added      tensor.Shape // of one added behind it
	op         string
	attrs      graph.Attrs
}{
	"Conv":       {tensor.Shape{2, 5, 9, 8}, tensor.Shape{17, 5, 3, 3}, tensor.Shape{17}, tensor.Shape{1, 17, 1, 1}, "Conv", graph.Attrs{"pads": graph.L(1, 1, 1, 1)}},
	"ConvGroups": {tensor.Shape{2, 6, 9, 8}, tensor.Shape{10, 3, 3, 3}, tensor.Shape{10}, tensor.Shape{1, 10, 1, 1}, "Conv", graph.Attrs{"pads": graph.L(1, 1, 1, 1), "group": graph.I(2)}},
	"Depthwise":  {tensor.Shape{2, 7, 9, 8}, tensor.Shape{7, 1, 3, 3}, tensor.Shape{7}, tensor.Shape{1, 7, 1, 1}, "Conv", graph.Attrs{"pads": graph.L(1, 1, 1, 1), "group": graph.I(7)}},
	"Gemm":       {tensor.Shape{15, 37}, tensor.Shape{33, 37}, tensor.Shape{33}, tensor.Shape{33}, "Gemm", graph.Attrs{"transB": graph.I(1)}},
	"MatMul":     {tensor.Shape{3, 15, 37}, tensor.Shape{37, 33}, nil, tensor.Shape{33}, "MatMul", nil},
}

var fusedOrder = []string{"Conv", "ConvGroups", "Depthwise", "Gemm", "MatMul"}

func fusedCases() []*Case {
	var all []*Case
	n := 0
	for _, product := range fusedOrder {
		for _, bias := range []string{"own", "added", ""} {
			if bias == "own" && fusedProducts[product].bias == nil {
				continue
			}
			for _, activation := range []string{"Relu", "Tanh", "Sigmoid", ""} {
				for _, residual := range []string{"", "before", "after"} {
					for _, consumers := range []string{"one", "two", "output"} {
						b := block{product, bias, activation, residual, consumers, n%3 == 2}
						all = append(all, b.make(n))
						n++
					}
				}
			}
		}
	}
	return all
}

func (b block) params() string {
	or := func(s, none string) string {
		if s == "" {
			return none
		}
		return s
	}
	w := frozen
	if b.held {
		w = held
	}
	return fmt.Sprintf("%s,bias=%s,act=%s,residual=%s,consumers=%s,w=%v", b.product, or(b.bias, "none"), or(b.activation, "none"), or(b.residual, "none"), b.consumers, w)
}

// make is the case. One in seven runs quickly: seven shares no factor with the
// grid's extents, so that every value of every axis is among them.
func (b block) make(n int) *Case {
	e := Standard
	if n%7 == 0 {
		e = Quick
	}
	p := fusedProducts[b.product]
	r := frozen
	if b.held {
		r = held
	}
	f32 := func(s tensor.Shape) tensor.Type { return tensor.Type{DType: tensor.F32, Shape: s} }
	s := &opSubject{inputs: []input{
		{name: "x", typ: f32(p.x), fill: normal(1)},
		{name: "w", typ: f32(p.w), fill: normal(0.3), role: r},
	}}
	bias := p.bias
	if b.bias == "added" {
		bias = p.added
	}
	if b.bias != "" {
		s.inputs = append(s.inputs, input{name: "bias", typ: f32(bias), fill: normal(0.5), role: r})
	}
	if b.residual != "" {
		s.inputs = append(s.inputs, input{name: "residual", typ: f32(b.output()), fill: normal(1)})
	}
	s.apply = b.write
	return &Case{Op: "Fused", DType: tensor.F32, Params: b.params(), Class: "program", Suite: InferenceCore, Effort: e, Required: true,
		bound: every(programRule), subject: s}
}

// output is the product's shape.
func (b block) output() tensor.Shape {
	p := fusedProducts[b.product]
	g := graph.NewBuilder("shape")
	y := g.Op(p.op, p.attrs, g.Feed("x", tensor.Type{DType: tensor.F32, Shape: p.x}), g.Feed("w", tensor.Type{DType: tensor.F32, Shape: p.w}))
	if g.Err() != nil {
		panic(g.Err())
	}
	return y.Type.Shape
}

func (b block) write(g *graph.Builder, in []graph.Value) []graph.Value {
	p := fusedProducts[b.product]
	next := 2
	take := func() graph.Value { next++; return in[next-1] }
	args := in[:2:2]
	if b.bias == "own" {
		args = append(args, take())
	}
	product := g.Op(p.op, p.attrs, args...)
	y := product
	if b.bias == "added" {
		y = g.Op("Add", nil, y, take())
	}
	var residual graph.Value
	if b.residual != "" {
		residual = take()
	}
	if b.residual == "before" {
		y = g.Op("Add", nil, y, residual)
	}
	if b.activation != "" {
		y = g.Op(b.activation, nil, y)
	}
	if b.residual == "after" {
		y = g.Op("Add", nil, y, residual)
	}
	switch b.consumers {
	case "two": // the product is read once more, after the fusion
		return []graph.Value{g.Op("Neg", nil, y), g.Op("Mul", nil, product, y)}
	case "output":
		return []graph.Value{y, product}
	}
	return []graph.Value{y}
}
