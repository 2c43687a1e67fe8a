package pass_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/autodiff"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/internal/opsample"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

func core(c *graph.Call) bool { return c.Op.Core }

// run evaluates a program in float64 and gives all of its values.
func run(t *testing.T, p *graph.Program, feeds map[string]*tensor.Tensor) (env, next map[string]*reference.Array) {
	g, err := p.Infer()
	require.NoError(t, err)
	env = map[string]*reference.Array{}
	for name, x := range feeds {
		env[name] = reference.FromTensor(x)
	}
	next, err = reference.Eval(g, env, reference.Mode{})
	require.NoError(t, err)
	return env, next
}

// same compares two results of float64 formulas that are equal on paper.
func same(t *testing.T, want, got *reference.Array, msg ...any) {
	require.True(t, want.Shape.Equal(got.Shape), msg...)
	scale := 0.0
	for _, v := range want.Data {
		if !math.IsInf(v, 0) {
			scale = max(scale, math.Abs(v))
		}
	}
	for i, w := range want.Data {
		v := got.Data[i]
		if w != v && !(math.IsNaN(w) && math.IsNaN(v)) && !(math.Abs(w-v) <= 1e-12*scale) {
			require.Failf(t, "decomposition", "%v: element %d is %v, the row gives %v", msg, i, v, w)
		}
	}
}

// Every row outside of the core set gives, decomposed all the way, what it
// gives whole: all outputs, at every sample, optional inputs in and out.
func TestDecompositionsEqualTheirRows(t *testing.T) {
	tested := map[string]bool{}
	for _, s := range opsample.All() {
		p, err := s.Program(tensor.F64)
		require.NoError(t, err)
		if op := graph.Lookup(p.Nodes[0].Domain, s.Op); op.Core {
			continue
		}
		tested[s.Op] = true
		t.Run(s.String(), func(t *testing.T) {
			whole := p.Clone()
			d, err := pass.Decompose(p, core)
			require.NoError(t, err)
			require.Equal(t, &whole, p, "the program given was changed")
			for _, n := range d.Nodes {
				require.True(t, graph.Lookup(n.Domain, n.Op).Core, "%s is left", n.Op)
			}
			require.Equal(t, p.Fetches, d.Fetches)
			for seed := range uint64(4) {
				feeds := s.Feeds(tensor.F64, seed)
				want, _ := run(t, p, feeds)
				got, _ := run(t, d, feeds)
				for _, f := range p.Fetches {
					same(t, want[f], got[f], f)
				}
			}
		})
	}
	for _, op := range graph.Ops() {
		require.Equal(t, !op.Core, tested[op.Name], op.Name)
	}
}

// Decompositions never lead back to where they came from: walked over every
// row and sample, each ends in core ops.
func TestDecompositionsAreAcyclic(t *testing.T) {
	uses := map[string]map[string]bool{}
	for _, s := range opsample.All() {
		for _, d := range graph.Floats.DTypes() {
			p, err := s.Program(d)
			require.NoError(t, err)
			g, err := p.Infer()
			require.NoError(t, err)
			c := &g.Calls[0]
			if c.Op.Core {
				continue
			}
			sub, results, err := pass.Expansion(c)
			require.NoError(t, err, s)
			require.Len(t, results, len(c.Out), s)
			for i, r := range results {
				require.True(t, r.Type.Equal(c.Out[i]), "%s: output %d decomposes into %v, want %v", s, i, r.Type, c.Out[i])
			}
			if uses[s.Op] == nil {
				uses[s.Op] = map[string]bool{}
			}
			for _, n := range sub.Nodes {
				uses[s.Op][n.Op] = true
			}
		}
	}
	const entered, left = 1, 2
	state := map[string]int{}
	var visit func(op string)
	visit = func(op string) {
		require.NotEqual(t, entered, state[op], "the decomposition of %s leads back to it", op)
		if state[op] == left {
			return
		}
		state[op] = entered
		for next := range uses[op] {
			visit(next)
		}
		state[op] = left
	}
	for _, op := range graph.Ops() {
		visit(op.Name)
		require.Equal(t, op.Core, len(uses[op.Name]) == 0, op.Name)
	}
}

// Specials that a product with a mask or a maximum would lose.
func TestDecompositionsKeepSpecials(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	row := func(v ...float64) *tensor.Tensor { return tensor.Of(tensor.F64, tensor.Shape{1, len(v)}, v...) }
	for _, c := range []struct {
		op string
		in []*tensor.Tensor
	}{
		{"Relu", []*tensor.Tensor{row(nan, inf, -inf, 0, -1)}},
		{"ReluGrad", []*tensor.Tensor{row(1, nan, inf, nan, -inf), row(nan, 1, 1, 0, 0)}},
		{"Sigmoid", []*tensor.Tensor{row(nan, inf, -inf, 800, -800)}},
		{"Softmax", []*tensor.Tensor{row(1, -inf, 2)}},
		{"Softmax", []*tensor.Tensor{row(1, nan, 2)}},
		{"Softmax", []*tensor.Tensor{row(1e300, -1e300, 1e300)}},
		{"SoftmaxCrossEntropy", []*tensor.Tensor{row(1, -inf, 2), tensor.Of(tensor.S64, tensor.Shape{1}, 2)}},
		{"SoftmaxCrossEntropy", []*tensor.Tensor{row(1, -inf, 2), tensor.Of(tensor.S64, tensor.Shape{1}, 1)}},
		{"SoftmaxCrossEntropy", []*tensor.Tensor{row(1, -inf, 2), row(0.25, 0, 0.75)}},
		{"NegativeLogLikelihoodLoss", []*tensor.Tensor{row(-1, -inf, -2), tensor.Of(tensor.S64, tensor.Shape{1}, 2)}},
	} {
		b := graph.NewBuilder(c.op)
		feeds := map[string]*tensor.Tensor{}
		var in []graph.Value
		for i, x := range c.in {
			v := b.Feed(string(rune('a'+i)), x.Type)
			feeds[v.Name] = x
			in = append(in, v)
		}
		y := b.Op(c.op, nil, in...)
		b.Fetch(y)
		p, err := b.Program()
		require.NoError(t, err)
		d, err := pass.Decompose(p, core)
		require.NoError(t, err)
		want, _ := run(t, p, feeds)
		got, _ := run(t, d, feeds)
		same(t, want[y.Name], got[y.Name], c.op, want[y.Name].Data)
	}
}

// training is a small network with its loss, gradients and optimizer; SGD or
// Adam, whose slots are state.
func training(t *testing.T, optimizer string) *graph.Program {
	b := graph.NewBuilder("training")
	f64 := func(s ...int) tensor.Type { return tensor.T(tensor.F64, s...) }
	image, label, lr := b.Feed("image", tensor.T(tensor.U8, 2, 8, 8, 1)), b.Feed("label", tensor.T(tensor.S64, 2)), b.Feed("lr", f64())
	x := b.Op("Transpose", graph.Attrs{"perm": graph.L(0, 3, 1, 2)}, b.Op("Cast", graph.Attrs{"to": graph.S("f64")}, image))
	x = b.Op("Mul", nil, x, b.Scalar(tensor.F64, 1.0/256))
	params := []graph.Value{
		b.State("conv.weight", f64(3, 1, 3, 3)), b.State("conv.bias", f64(3)),
		b.State("fc.weight", f64(4, 27)), b.State("fc.bias", f64(4)),
	}
	h := b.Op("Relu", nil, b.Op("Conv", nil, x, params[0], params[1]))
	h = b.Op("MaxPool", graph.Attrs{"kernel_shape": graph.L(2, 2), "strides": graph.L(2, 2)}, h)
	logits := b.Op("Gemm", graph.Attrs{"transB": graph.I(1)}, b.Op("Flatten", nil, h), params[2], params[3])
	loss := b.Op("SoftmaxCrossEntropy", nil, logits, label)
	b.SetOrigin(loss, optimizer)
	grads, err := autodiff.Gradients(b, loss, params)
	require.NoError(t, err)
	var step graph.Value
	if optimizer == "Adam" {
		step = b.State("step", tensor.T(tensor.S64))
		b.Update(step, b.Op("Add", nil, step, b.Scalar(tensor.S64, 1)))
	}
	for i, p := range params {
		if optimizer == "Adam" {
			m, v := b.State(p.Name+".m", p.Type), b.State(p.Name+".v", p.Type)
			out := b.OpN("Adam", nil, 3, p, grads[i], m, v, step, lr)
			b.Update(p, out[0])
			b.Update(m, out[1])
			b.Update(v, out[2])
			continue
		}
		v := b.State(p.Name+".v", p.Type)
		out := b.OpN("SGD", graph.Attrs{"momentum": graph.F(0.9), "nesterov": graph.I(1)}, 2, p, grads[i], v, lr)
		b.Update(p, out[0])
		b.Update(v, out[1])
	}
	b.Fetch(loss, logits)
	p, err := b.Program()
	require.NoError(t, err)
	return p
}

// A training program, decomposed, trains the same; names of fetches, state and
// updates stand, and so does what Origin says.
func TestDecomposeTrainingProgram(t *testing.T) {
	for _, optimizer := range []string{"SGD", "Adam"} {
		p := training(t, optimizer)
		d, err := pass.Decompose(p, core)
		require.NoError(t, err)
		require.Equal(t, p.Fetches, d.Fetches)
		require.Equal(t, p.Updates, d.Updates)
		require.Equal(t, p.State, d.State)
		require.Equal(t, p.Feeds, d.Feeds)
		require.Equal(t, p.Origin.Loss, d.Origin.Loss)
		// The forward part still ends with what makes the loss.
		last := d.Nodes[d.Origin.Forward-1]
		require.Contains(t, last.Outputs, p.Origin.Loss)

		feeds := map[string]*tensor.Tensor{
			"image": tensor.FillSeeded(tensor.New(tensor.U8, 2, 8, 8, 1), tensor.Fill{Kind: tensor.Integers, Hi: 255}, 1, 0),
			"label": tensor.Of(tensor.S64, tensor.Shape{2}, 1, 3),
			"lr":    tensor.Scalar(tensor.F64, 0.1),
		}
		states := [2]map[string]*tensor.Tensor{{}, {}}
		for i, s := range p.State {
			x := tensor.New(s.Type.DType, s.Type.Shape...)
			if i < 4 {
				tensor.FillSeeded(x, tensor.Fill{Kind: tensor.Normal, Hi: 0.3}, 2, uint32(i))
			}
			states[0][s.Name], states[1][s.Name] = x, x.Clone()
		}
		first := 0.0
		for range 5 {
			var losses [2]float64
			for k, q := range []*graph.Program{p, d} {
				in := map[string]*tensor.Tensor{}
				for _, m := range []map[string]*tensor.Tensor{feeds, states[k]} {
					for name, x := range m {
						in[name] = x
					}
				}
				env, next := run(t, q, in)
				losses[k] = env[p.Origin.Loss].Data[0]
				for _, s := range p.State {
					states[k][s.Name] = next[s.Name].Tensor(s.Type.DType)
				}
			}
			require.InDelta(t, losses[0], losses[1], 1e-11)
			if first == 0 {
				first = losses[0]
			}
			require.LessOrEqual(t, losses[0], first)
		}
		for _, s := range p.State {
			same(t, reference.FromTensor(states[0][s.Name]), reference.FromTensor(states[1][s.Name]), optimizer, s.Name)
		}
	}
}

// Only what is refused is rewritten, and a refused core op is an error that
// names the node.
func TestDecomposeOnlyTheRefused(t *testing.T) {
	p := training(t, "SGD")
	same, err := pass.Decompose(p, func(*graph.Call) bool { return true })
	require.NoError(t, err)
	require.Equal(t, p, same)

	d, err := pass.Decompose(p, func(c *graph.Call) bool { return c.Op.Name != "Gemm" })
	require.NoError(t, err)
	kept := map[string]int{}
	for _, n := range d.Nodes {
		kept[n.Op]++
	}
	require.Zero(t, kept["Gemm"])
	require.Equal(t, 3, kept["MatMul"])
	require.Equal(t, 4, kept["SGD"])
	require.Equal(t, 1, kept["Relu"])

	_, err = pass.Decompose(p, func(c *graph.Call) bool { return c.Op.Core && c.Op.Name != "MaxPool" })
	var node *graph.NodeError
	require.ErrorAs(t, err, &node)
	require.Equal(t, "MaxPool", node.Op)
}

// Two nodes of one op, one of them fed twice by one value, do not collide.
func TestDecomposeTwice(t *testing.T) {
	b := graph.NewBuilder("twice")
	x := b.Feed("x", tensor.T(tensor.F64, 3, 3))
	y := b.Op("Gemm", graph.Attrs{"alpha": graph.F(0.5), "beta": graph.F(2)}, x, x, x)
	z := b.Op("Gemm", graph.Attrs{"alpha": graph.F(0.5), "beta": graph.F(2)}, y, x, y)
	b.Fetch(z, y)
	p, err := b.Program()
	require.NoError(t, err)
	d, err := pass.Decompose(p, core)
	require.NoError(t, err)
	feeds := map[string]*tensor.Tensor{"x": tensor.FillSeeded(tensor.New(tensor.F64, 3, 3), tensor.Fill{Lo: -1, Hi: 1}, 1, 0)}
	want, _ := run(t, p, feeds)
	got, _ := run(t, d, feeds)
	same(t, want[z.Name], got[z.Name])
	same(t, want[y.Name], got[y.Name])
}

// In 16-bit floats a decomposition computes in f32, between casts.
func TestNarrowFloatsDecomposeInF32(t *testing.T) {
	b := graph.NewBuilder("narrow")
	x := b.Feed("x", tensor.T(tensor.F16, 2, 3))
	b.Fetch(b.Op("Sigmoid", nil, x))
	p, err := b.Program()
	require.NoError(t, err)
	low, err := pass.Decompose(p, func(c *graph.Call) bool { return c.Op.Core })
	require.NoError(t, err)
	g, err := low.Infer()
	require.NoError(t, err)
	require.Equal(t, tensor.F16, g.Types[low.Fetches[0]].DType)
	for _, c := range g.Calls {
		if c.Op.Name != "Cast" {
			require.Equal(t, tensor.F32, c.Out[0].DType, c.Op.Name)
		}
	}
}
