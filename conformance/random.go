package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/autodiff"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/tensor"
)

// Random programs: diamonds, x + x, shared weights, values that are both
// fetched and read, outputs nobody wants, dead ends, feeds nobody reads. What
// goes wrong in them are plans, lifetimes of buffers and aliases, not kernels.

const (
	randomGraphs = 48
	quickGraphs  = 10
)

func randomCases() []*Case {
	var all []*Case
	for i := range randomGraphs {
		e := Standard
		if i < quickGraphs {
			e = Quick
		}
		all = append(all, randomGradient(i, e), &Case{
			Op: "Random", DType: tensor.F32, Params: fmt.Sprintf("graph=%d,nodes=%d", i, randomNodes(i)), Class: "program",
			Suite: InferenceCore, Effort: e, Required: true, bound: every(programRule),
			subject: &networkSubject{build: func(Draw) (*graph.Program, error) { return randomProgram(i, false) }},
		})
	}
	return all
}

// randomGradient differentiates a random program: the gradients of values with
// several readers are sums. Its ops are smooth: differences that all but cancel
// would put a ReLU's input at its kink whatever the data.
func randomGradient(i int, e Effort) *Case {
	return &Case{
		Op: "Random", DType: tensor.F32, Params: fmt.Sprintf("graph=%d,nodes=%d", i, randomNodes(i)), Class: "gradient",
		Suite: TrainingCore, Effort: e, Required: true, bound: every(programRule),
		subject: &networkSubject{build: func(Draw) (*graph.Program, error) {
			p, err := randomProgram(i, true)
			if err != nil {
				return nil, err
			}
			b, err := graph.Extend(p)
			if err != nil {
				return nil, err
			}
			var outputs, wrt []graph.Value
			for _, name := range p.Fetches {
				v, err := b.Value(name)
				if err != nil {
					return nil, err
				}
				outputs = append(outputs, v)
			}
			wrt = append(wrt, p.Feeds[:2]...)
			grads, err := autodiff.Gradients(b, weighted(b, outputs), wrt)
			if err != nil {
				return nil, err
			}
			b.Fetch(grads...)
			whole, err := b.Program()
			if err != nil {
				return nil, err
			}
			whole.Fetches = whole.Fetches[len(p.Fetches):]
			return pass.Prune(whole), nil
		}},
	}
}

func randomNodes(i int) int { return 6 + i%4*8 }

// grower writes a random program. Its shape follows from the index alone, so
// that a case's name says all.
type grower struct {
	*graph.Builder
	r       *rng
	values  []graph.Value // what can be read, all f32 of rank 2, 24×n
	weights map[int]graph.Value
}

func randomProgram(index int, smooth bool) (*graph.Program, error) {
	g := &grower{Builder: graph.NewBuilder(fmt.Sprintf("random %d", index)), weights: map[int]graph.Value{}}
	g.r = (Draw{Case: "random program", Seed: uint64(index)}).rng("structure")
	for i := range 2 {
		g.values = append(g.values, g.Feed(fmt.Sprintf("x%d", i), tensor.T(tensor.F32, 24, 17)))
	}
	g.Feed("unread", tensor.T(tensor.F32, 5))
	choice := growths
	if smooth {
		choice = growths[:len(growths)-kinky]
	}
	for range randomNodes(index) {
		w := choice[g.r.intn(len(choice))]
		if y := w(g, g.pick(), g.pick()); y.Name != "" {
			g.values = append(g.values, y)
		}
	}
	// A third of all values is fetched, the last among them: some of these are
	// read on, others end here, and what is not fetched may be a dead end.
	fetched := g.values[2:]
	for i, v := range fetched {
		if i == len(fetched)-1 || g.r.intn(3) == 0 {
			g.Fetch(v)
		}
	}
	return g.Program()
}

// pick prefers late values, so that chains grow, but reads early ones too.
func (g *grower) pick() graph.Value {
	n := len(g.values)
	if g.r.intn(3) == 0 {
		return g.values[g.r.intn(n)]
	}
	return g.values[n-1-g.r.intn(min(4, n))]
}

// fit brings b to a's width by a product with a shared weight.
func (g *grower) fit(a, b graph.Value) graph.Value {
	if a.Type.Shape.Equal(b.Type.Shape) {
		return b
	}
	return g.times(b, a.Type.Shape[1])
}

// times multiplies by the one weight of its shape.
func (g *grower) times(x graph.Value, width int) graph.Value {
	key := x.Type.Shape[1]<<16 | width
	w, ok := g.weights[key]
	if !ok {
		t := tensor.New(tensor.F32, x.Type.Shape[1], width)
		t.SetFloat64s(uniform(-1, 1)(g.r, t.Type))
		w = g.Const(fmt.Sprintf("w%dx%d", x.Type.Shape[1], width), t)
		g.weights[key] = w
	}
	y := g.Op("MatMul", nil, x, w)
	return g.Op("Mul", nil, y, g.Scalar(tensor.F32, 1/math.Sqrt(float64(x.Type.Shape[1]))))
}

// kinky is how many of the growths, the last ones, have kinks.
const kinky = 2

var growths = []func(g *grower, a, b graph.Value) graph.Value{
	func(g *grower, a, b graph.Value) graph.Value { return g.Op("Add", nil, a, g.fit(a, b)) },
	func(g *grower, a, b graph.Value) graph.Value { return g.Op("Sub", nil, a, g.fit(a, b)) },
	func(g *grower, a, _ graph.Value) graph.Value { return g.Op("Add", nil, a, a) },
	func(g *grower, a, _ graph.Value) graph.Value { return g.Op("Tanh", nil, a) },
	func(g *grower, a, _ graph.Value) graph.Value { return g.times(a, []int{17, 9, 33}[g.r.intn(3)]) },
	func(g *grower, a, b graph.Value) graph.Value { // bounded, or products would explode
		return g.Op("Mul", nil, g.Op("Sigmoid", nil, a), g.fit(a, b))
	},
	func(g *grower, a, _ graph.Value) graph.Value { // there and back
		t := g.Op("Transpose", graph.Attrs{"perm": graph.L(1, 0)}, a)
		return g.Op("Transpose", graph.Attrs{"perm": graph.L(1, 0)}, g.Op("Neg", nil, t))
	},
	func(g *grower, a, b graph.Value) graph.Value { // a diamond
		return g.Op("Add", nil, g.Op("Neg", nil, a), g.Op("Mul", nil, g.Op("Tanh", nil, a), g.fit(a, b)))
	},
	func(g *grower, a, _ graph.Value) graph.Value { // a row's mean, spread again
		m := g.Op("ReduceMean", graph.Attrs{"axes": graph.L(1)}, a)
		return g.Op("Sub", nil, a, g.Op("Expand", graph.Attrs{"shape": graph.L(a.Type.Shape...)}, m))
	},
	func(g *grower, a, _ graph.Value) graph.Value { return g.Op("Softmax", nil, a) },
	func(g *grower, a, b graph.Value) graph.Value { // a dead end
		g.Op("Exp", nil, g.Op("Sub", nil, a, g.fit(a, b)))
		return graph.Value{}
	},
	func(g *grower, a, _ graph.Value) graph.Value { return g.Op("Relu", nil, a) },
	func(g *grower, a, _ graph.Value) graph.Value { // a pool whose indices nobody wants
		image := g.Op("Reshape", graph.Attrs{"shape": graph.L(2, 3, 4, a.Type.Shape[1])}, a)
		y := g.OpN("MaxPool", graph.Attrs{"kernel_shape": graph.L(3, 3), "pads": graph.L(1, 1, 1, 1)}, 2, image)[0]
		return g.Op("Reshape", graph.Attrs{"shape": graph.L(a.Type.Shape...)}, y)
	},
}
