package conformance

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// The grid of what backends fuse: a product, a bias of its own or apart, a
// batch norm before or behind the activation, an activation, a residual before
// or after it, one consumer or two, and the intermediate value an output as
// well. Faults of fusion show nowhere else. Of all combinations the cases are
// a covering array: any two choices meet somewhere.

// block is a point of the grid.
type block struct {
	dtype      tensor.DType
	product    string // of fusedProducts
	bias       string // none, own (an input of the op), added
	norm       string // none, before the activation, where it can be folded into the product, after it, where it can't
	activation string // none, or of fusedActivations
	residual   string // none, before, after the activation
	consumers  string // one, two, output
	weights    string // const, state
}

// fusedActivations write activations by name.
var fusedActivations = map[string]func(g *graph.Builder, x graph.Value) graph.Value{
	"Relu": applied("Relu"), "Tanh": applied("Tanh"), "Sigmoid": applied("Sigmoid"), "HardSwish": applied("HardSwish"),
	"Gelu": applied("Gelu"), "Swish": applied("Swish"),
	"Relu6": func(g *graph.Builder, x graph.Value) graph.Value {
		return g.Op("Clip", nil, x, g.Scalar(x.Type.DType, 0), g.Scalar(x.Type.DType, 6))
	},
}

func applied(op string) func(*graph.Builder, graph.Value) graph.Value {
	return func(g *graph.Builder, x graph.Value) graph.Value { return g.Op(op, nil, x) }
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

// fusedAxes are the grid's, but for the type.
var fusedAxes = [][]string{
	fusedOrder,
	{"own", "added", "none"},
	{"none", "before", "after"},
	{"Relu", "Tanh", "Sigmoid", "HardSwish", "Gelu", "Swish", "Relu6", "none"},
	{"none", "before", "after"},
	{"one", "two", "output"},
	{frozen.String(), held.String()},
}

// blocks are a covering array of the grid in some types.
func blocks(types ...tensor.DType) []block {
	extents := []int{len(types)}
	for _, axis := range fusedAxes {
		extents = append(extents, len(axis))
	}
	rows := covering(extents, func(row []int) bool { // a MatMul has no bias of its own
		return row[1] < 0 || fusedOrder[row[1]] != "MatMul" || row[2] != 0
	})
	list := make([]block, len(rows))
	for i, row := range rows {
		at := func(k int) string { return fusedAxes[k][row[k+1]] }
		list[i] = block{types[row[0]], at(0), at(1), at(2), at(3), at(4), at(5), at(6)}
	}
	return list
}

func fusedCases() []*Case {
	var all []*Case
	for _, b := range blocks(tensor.F32) {
		all = append(all, b.make(Quick))
		// Backward, where a kernel joins the activation's gradient with the
		// product's. In training no norm is folded.
		if b.norm == "none" {
			all = append(all, b.gradient(Quick))
		}
	}
	for _, b := range blocks(tensor.F16, tensor.BF16) {
		all = append(all, b.make(Standard))
	}
	return append(all, fusedPrograms()...)
}

func (b block) params() string {
	s := fmt.Sprintf("%s,bias=%s,act=%s,residual=%s,consumers=%s,w=%s", b.product, b.bias, b.activation, b.residual, b.consumers, b.weights)
	if b.norm != "none" {
		s += ",norm=" + b.norm
	}
	return s
}

func (b block) make(e Effort) *Case {
	return &Case{Op: "Fused", DType: b.dtype, Params: b.params(), Class: "program", Suite: InferenceCore, Effort: e, Required: true,
		bound: every(programRule), subject: b.subject()}
}

func (b block) gradient(e Effort) *Case {
	c := b.make(e)
	c.Class, c.Suite, c.subject = "gradient", TrainingCore, &gradientSubject{b.subject()}
	return c
}

func (b block) subject() *opSubject {
	p := fusedProducts[b.product]
	r := frozen
	if b.weights == held.String() {
		r = held
	}
	of := func(s tensor.Shape) tensor.Type { return tensor.Type{DType: b.dtype, Shape: s} }
	s := &opSubject{apply: b.write}
	add := func(name string, shape tensor.Shape, f fill, r role) {
		s.inputs = append(s.inputs, input{name: name, typ: of(shape), fill: f, role: r})
	}
	add("x", p.x, normal(1), fed)
	add("w", p.w, normal(0.3), r)
	switch b.bias {
	case "own":
		add("bias", p.bias, normal(0.5), r)
	case "added":
		add("bias", p.added, normal(0.5), r)
	}
	if b.norm != "none" {
		channels := b.output()[1:2]
		// Scales of both signs: one that is negative turns an activation round.
		add("scale", channels, each(func(r *rng) float64 { return r.sign() * (0.3 + r.float()) }), r)
		add("shift", channels, normal(0.5), r)
		add("mean", channels, normal(0.5), r)
		add("variance", channels, uniform(0.5, 2), r)
	}
	if b.residual != "none" {
		add("residual", b.output(), normal(1), fed)
	}
	return s
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
	rest := in[2:]
	take := func(n int) []graph.Value { taken := rest[:n]; rest = rest[n:]; return taken }
	args := in[:2:2]
	if b.bias == "own" {
		args = append(args, take(1)...)
	}
	product := g.Op(p.op, p.attrs, args...)
	y := product
	if b.bias == "added" {
		y = g.Op("Add", nil, y, take(1)[0])
	}
	normalise := func() {}
	if b.norm != "none" {
		statistics := take(4)
		normalise = func() { y = g.Op("BatchNormalization", nil, append([]graph.Value{y}, statistics...)...) }
	}
	if b.norm == "before" {
		normalise()
	}
	if b.residual == "before" {
		y = g.Op("Add", nil, y, rest[0])
	}
	if b.activation != "none" {
		y = fusedActivations[b.activation](g, y)
	}
	if b.norm == "after" {
		normalise()
	}
	if b.residual == "after" {
		y = g.Op("Add", nil, y, rest[0])
	}
	switch b.consumers {
	case "two": // the product is read once more, after the fusion
		return []graph.Value{g.Op("Neg", nil, y), g.Op("Mul", nil, product, y)}
	case "output":
		return []graph.Value{y, product}
	}
	return []graph.Value{y}
}
