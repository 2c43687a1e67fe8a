package autodiff_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/autodiff"
	"github.com/clsbench/clsbench/internal/opsample"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

const f64 = tensor.F64

// network builds a scalar loss from feeds of a builder.
type network func(b *graph.Builder) (loss graph.Value, wrt []graph.Value)

// checkGradients compares every element of every gradient with the central
// difference of the loss, both in float64. Its error is h²·f‴/6 from the
// curve and 2⁻⁵³·|loss|/h from rounding: about 1e-10 of values near 1.
func checkGradients(t require.TestingT, net network, feeds map[string]*tensor.Tensor) {
	const h, tolerance = 1e-5, 1e-7
	b := graph.NewBuilder("differentiated")
	loss, wrt := net(b)
	grads, err := autodiff.Gradients(b, loss, wrt)
	require.NoError(t, err)
	require.Len(t, grads, len(wrt))
	p, err := b.Program()
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	env := arrays(feeds)
	_, err = reference.Eval(g, env, reference.Mode{})
	require.NoError(t, err)

	plain := forward(t, net)
	at := func(x map[string]*reference.Array) float64 {
		_, err := reference.Eval(plain, x, reference.Mode{Threads: 1})
		require.NoError(t, err)
		return x[loss.Name].Data[0]
	}
	scale := 1.0
	for _, dx := range grads {
		for _, v := range env[dx.Name].Data {
			scale = max(scale, math.Abs(v))
		}
	}
	for i, x := range wrt {
		require.True(t, grads[i].Type.Equal(x.Type), "gradient of %s is %v, want %v", x.Name, grads[i].Type, x.Type)
		for j := range env[x.Name].Data {
			var ends [2]float64
			for k, step := range []float64{h, -h} {
				moved := arrays(feeds)
				moved[x.Name].Data[j] += step
				ends[k] = at(moved)
			}
			want, got := (ends[0]-ends[1])/(2*h), env[grads[i].Name].Data[j]
			if !(math.Abs(got-want) <= tolerance*scale) {
				require.Fail(t, "gradient", "d loss/d %s[%d] is %v, finite differences give %v", x.Name, j, got, want)
			}
		}
	}
}

func forward(t require.TestingT, net network) *graph.Graph {
	b := graph.NewBuilder("forward")
	net(b)
	p, err := b.Program()
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	return g
}

func arrays(feeds map[string]*tensor.Tensor) map[string]*reference.Array {
	env := map[string]*reference.Array{}
	for name, x := range feeds {
		env[name] = reference.FromTensor(x)
	}
	return env
}

// weighted is Σ v·w over all elements, w fixed and different everywhere, so
// that the gradient that flows into v differs by element.
func weighted(b *graph.Builder, v graph.Value, stream uint32) graph.Value {
	w := tensor.FillSeeded(tensor.New(f64, v.Type.Shape...), tensor.Fill{Kind: tensor.Uniform, Lo: -1, Hi: 1}, 3, stream)
	return b.Op("ReduceSum", graph.Attrs{"keepdims": graph.I(0)}, b.Op("Mul", nil, v, b.Const("weights", w)))
}

// FakeQuantize passes the gradient inside its range and nothing outside, to X
// alone.
func TestStraightThrough(t *testing.T) {
	b := graph.NewBuilder("straight through")
	x, scale := b.Feed("x", tensor.T(f64, 6)), b.Feed("scale", tensor.T(f64))
	y := b.Op("FakeQuantize", graph.Attrs{"quant_min": graph.I(-2), "quant_max": graph.I(1)}, x, scale)
	loss := b.Op("ReduceSum", graph.Attrs{"keepdims": graph.I(0)}, b.Op("Mul", nil, y, y))
	grads, err := autodiff.Gradients(b, loss, []graph.Value{x, scale})
	require.NoError(t, err)
	b.Fetch(grads...)
	p, err := b.Program()
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	env := arrays(map[string]*tensor.Tensor{
		"x": tensor.Of(f64, tensor.Shape{6}, -1.3, -1.2, -0.6, 0.1, 0.7, 0.8), "scale": tensor.Scalar(f64, 0.5)})
	_, err = reference.Eval(g, env, reference.Mode{})
	require.NoError(t, err)
	// Levels -3 (out), -2, -1, 0, 1, 2 (out): the gradient is 2y where in.
	require.Equal(t, []float64{0, -2, -1, 0, 1, 0}, env[grads[0].Name].Data)
	require.Equal(t, []float64{0}, env[grads[1].Name].Data)
}

// Every row with a gradient, at every sample: all float outputs together and,
// where there are several, each alone.
func TestRowsAgainstFiniteDifferences(t *testing.T) {
	tested := map[string]bool{}
	for _, s := range opsample.All() {
		op := row(s.Op)
		if op.Grad == nil || op.StraightThrough {
			continue
		}
		tested[s.Op] = true
		for _, outputs := range subsets(op, s) {
			t.Run(fmt.Sprintf("%s/%v", s, outputs), func(t *testing.T) {
				checkGradients(t, func(b *graph.Builder) (loss graph.Value, wrt []graph.Value) {
					in, out := s.Apply(b, f64)
					for _, i := range outputs {
						part := weighted(b, out[i], uint32(i))
						if loss.Name != "" {
							part = b.Op("Add", nil, loss, part)
						}
						loss = part
					}
					for i, v := range in {
						if v.Type.DType == f64 && !op.In(i).Fixed {
							wrt = append(wrt, v)
						}
					}
					return loss, wrt
				}, s.Feeds(f64, 11))
			})
		}
	}
	for _, op := range graph.Ops() {
		require.Equal(t, op.Grad != nil && !op.StraightThrough, tested[op.Name], op.Name)
	}
}

// A gradient that no row defines is an error, not zero.
func TestFixedInputsHaveNoGradient(t *testing.T) {
	b := graph.NewBuilder("distillation")
	x, soft := b.Feed("x", tensor.T(f64, 2, 3)), b.Feed("soft", tensor.T(f64, 2, 3))
	loss := b.Op("SoftmaxCrossEntropy", nil, x, b.Op("Softmax", nil, soft))
	_, err := autodiff.Gradients(b, loss, []graph.Value{x})
	require.NoError(t, err)
	_, err = autodiff.Gradients(b, loss, []graph.Value{soft})
	require.ErrorContains(t, err, "no gradient for its input labels")
}

func row(name string) *graph.Op {
	if op := graph.Lookup(graph.Own, name); op != nil {
		return op
	}
	return graph.Lookup(graph.Std, name)
}

// subsets are the sets of float outputs to differentiate: all, and each.
func subsets(op *graph.Op, s opsample.Sample) (sets [][]int) {
	_, out := s.Apply(graph.NewBuilder("outputs"), f64)
	var floats []int
	for i, v := range out {
		if v.Type.DType == f64 && !slices.Contains(op.Detached, i) && !op.Out(i).Fixed {
			floats = append(floats, i)
			sets = append(sets, []int{i})
		}
	}
	if len(floats) > 1 {
		sets = append(sets, floats)
	}
	return sets
}

func normal(shape ...int) func(seed uint64) *tensor.Tensor {
	return func(seed uint64) *tensor.Tensor {
		return tensor.FillSeeded(tensor.New(f64, shape...), tensor.Fill{Kind: tensor.Normal, Lo: 0, Hi: 0.5}, seed, 0)
	}
}

// A small LeNet with one pool of each kind and every kind of layer.
func TestChainOfLayers(t *testing.T) {
	feeds := map[string]*tensor.Tensor{}
	declare := func(b *graph.Builder, name string, shape ...int) graph.Value {
		feeds[name] = normal(shape...)(uint64(len(name)) + uint64(name[0]))
		return b.Feed(name, tensor.T(f64, shape...))
	}
	pool := graph.Attrs{"kernel_shape": graph.L(2, 2), "strides": graph.L(2, 2)}
	net := func(b *graph.Builder) (graph.Value, []graph.Value) {
		x := declare(b, "image", 2, 1, 12, 12)
		w1, b1 := declare(b, "w1", 3, 1, 3, 3), declare(b, "bias1", 3)
		w2, b2 := declare(b, "w2", 4, 3, 2, 2), declare(b, "bias2", 4)
		w3, b3 := declare(b, "w3", 5, 16), declare(b, "bias3", 5)
		labels := b.Const("labels", tensor.Of(tensor.S64, tensor.Shape{2}, 3, 0))
		h := b.Op("AveragePool", pool, b.Op("Tanh", nil, b.Op("Conv", nil, x, w1, b1)))
		h = b.Op("MaxPool", pool, b.Op("Sigmoid", nil, b.Op("Conv", nil, h, w2, b2)))
		h = b.Op("Gemm", graph.Attrs{"transB": graph.I(1)}, b.Op("Flatten", nil, h), w3, b3)
		loss := b.Op("SoftmaxCrossEntropy", nil, h, labels)
		return loss, []graph.Value{x, w1, b1, w2, b2, w3, b3}
	}
	forward(t, net) // fills feeds
	checkGradients(t, net, feeds)
}

func TestSharedInputs(t *testing.T) {
	x := normal(3, 3)(5)
	for name, f := range map[string]func(b *graph.Builder, x graph.Value) graph.Value{
		"x+x":      func(b *graph.Builder, x graph.Value) graph.Value { return b.Op("Add", nil, x, x) },
		"x-x":      func(b *graph.Builder, x graph.Value) graph.Value { return b.Op("Sub", nil, x, x) },
		"x*x":      func(b *graph.Builder, x graph.Value) graph.Value { return b.Op("Mul", nil, x, x) },
		"x@x":      func(b *graph.Builder, x graph.Value) graph.Value { return b.Op("MatMul", nil, x, x) },
		"x@x + x":  func(b *graph.Builder, x graph.Value) graph.Value { return b.Op("Gemm", nil, x, x, x) },
		"residual": func(b *graph.Builder, x graph.Value) graph.Value { return b.Op("Add", nil, b.Op("Tanh", nil, x), x) },
		"diamond": func(b *graph.Builder, x graph.Value) graph.Value {
			h := b.Op("Exp", nil, x)
			return b.Op("Mul", nil, b.Op("Tanh", nil, h), b.Op("Sigmoid", nil, h))
		},
		"diamond of diamonds": func(b *graph.Builder, x graph.Value) graph.Value {
			for range 3 {
				l, r := b.Op("Tanh", nil, x), b.Op("Neg", nil, x)
				x = b.Op("Add", nil, b.Op("Mul", nil, l, r), x)
			}
			return x
		},
		"shared weight": func(b *graph.Builder, x graph.Value) graph.Value {
			h := x
			for range 3 {
				h = b.Op("Tanh", nil, b.Op("MatMul", nil, h, x))
			}
			return h
		},
	} {
		t.Run(name, func(t *testing.T) {
			checkGradients(t, func(b *graph.Builder) (graph.Value, []graph.Value) {
				v := b.Feed("x", x.Type)
				return weighted(b, f(b, v), 0), []graph.Value{v}
			}, map[string]*tensor.Tensor{"x": x})
		})
	}
}

// An intermediate value may be differentiated by, and what the loss does not
// use gets neither nodes nor gradient.
func TestUnusedAndIndependent(t *testing.T) {
	b := graph.NewBuilder("unused")
	x, y, z := b.Feed("x", tensor.T(f64, 4)), b.Feed("y", tensor.T(f64, 2, 3)), b.Feed("z", tensor.T(f64, 4))
	h := b.Op("Tanh", nil, x)
	dead := b.Op("ReduceMax", nil, b.Op("Exp", nil, h)) // ReduceMax has no gradient, and needs none here
	b.Fetch(dead, z)
	loss := b.Op("ReduceSum", graph.Attrs{"keepdims": graph.I(0)}, b.Op("Mul", nil, h, z))
	grads, err := autodiff.Gradients(b, loss, []graph.Value{x, y, h, loss})
	require.NoError(t, err)
	p, err := b.Program()
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	env := map[string]*reference.Array{"x": reference.New(4), "y": reference.New(2, 3), "z": reference.New(4)}
	copy(env["x"].Data, []float64{0, 0.5, -1, 2})
	copy(env["z"].Data, []float64{1, 2, 3, 4})
	_, err = reference.Eval(g, env, reference.Mode{})
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{2, 3}, env[grads[1].Name].Shape)
	require.Equal(t, make([]float64, 6), env[grads[1].Name].Data)
	require.Equal(t, env["z"].Data, env[grads[2].Name].Data)
	require.Equal(t, []float64{1}, env[grads[3].Name].Data)
	for i, v := range env["x"].Data {
		th := math.Tanh(v)
		require.InDelta(t, env["z"].Data[i]*(1-th*th), env[grads[0].Name].Data[i], 1e-15)
	}
}

// Nothing flows through what is whole-numbered.
func TestIntegersStopGradients(t *testing.T) {
	b := graph.NewBuilder("rounded")
	x := b.Feed("x", tensor.T(f64, 3))
	whole := b.Op("Cast", graph.Attrs{"to": graph.S("s32")}, x)
	back := b.Op("Cast", graph.Attrs{"to": graph.S("f64")}, whole)
	loss := b.Op("ReduceSum", graph.Attrs{"keepdims": graph.I(0)}, b.Op("Mul", nil, back, x))
	grads, err := autodiff.Gradients(b, loss, []graph.Value{x})
	require.NoError(t, err)
	p, err := b.Program()
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	env := map[string]*reference.Array{"x": {Shape: tensor.Shape{3}, Data: []float64{1.5, -2.5, 0.5}}}
	_, err = reference.Eval(g, env, reference.Mode{})
	require.NoError(t, err)
	require.Equal(t, []float64{1, -2, 0}, env[grads[0].Name].Data)
}

func TestEmptyTensors(t *testing.T) {
	for _, axis := range []int{0, 1} {
		b := graph.NewBuilder("empty")
		x, y := b.Feed("x", tensor.T(f64, 2, 0)), b.Feed("y", tensor.T(f64, 1))
		h := b.Op("ReduceSum", graph.Attrs{"axes": graph.L(axis), "keepdims": graph.I(0)}, b.Op("Add", nil, x, y))
		grads, err := autodiff.Gradients(b, b.Op("ReduceSum", graph.Attrs{"keepdims": graph.I(0)}, h), []graph.Value{x, y})
		require.NoError(t, err)
		require.True(t, grads[0].Type.Equal(x.Type))
		require.True(t, grads[1].Type.Equal(y.Type))
	}
}

func TestRefuses(t *testing.T) {
	b := graph.NewBuilder("refused")
	x := b.Feed("x", tensor.T(f64, 3))
	_, err := autodiff.Gradients(b, x, []graph.Value{x})
	require.ErrorContains(t, err, "scalar")
	count := b.Op("Cast", graph.Attrs{"to": graph.S("s32")}, b.Op("ReduceSum", graph.Attrs{"keepdims": graph.I(0)}, x))
	_, err = autodiff.Gradients(b, count, []graph.Value{x})
	require.ErrorContains(t, err, "float")
	loss := b.Op("ReduceSum", graph.Attrs{"keepdims": graph.I(0)}, b.Op("ReluGrad", nil, x, x))
	_, err = autodiff.Gradients(b, loss, []graph.Value{x})
	var node *graph.NodeError
	require.ErrorAs(t, err, &node)
	require.Equal(t, "ReluGrad", node.Op)
}

// Random graphs of smooth ops: any value may feed any later node, often twice,
// and many feed nothing.
func TestRandomGraphs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type step struct{ op, a, b int }
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{rapid.IntRange(0, 7).Draw(t, "op"), rapid.IntRange(0, 99).Draw(t, "a"), rapid.IntRange(0, 99).Draw(t, "b")}
		}), 1, 12).Draw(t, "steps")
		feeds := map[string]*tensor.Tensor{
			"p": normal(2, 2)(rapid.Uint64().Draw(t, "seed")),
			"q": normal(1, 2)(7),
		}
		checkGradients(t, func(b *graph.Builder) (graph.Value, []graph.Value) {
			wrt := []graph.Value{b.Feed("p", feeds["p"].Type), b.Feed("q", feeds["q"].Type)}
			values := append([]graph.Value(nil), wrt...)
			for _, s := range steps {
				x, y := values[s.a%len(values)], values[s.b%len(values)]
				// Every value stays a 2×2 or 1×2 and near 1.
				v := graph.Value{}
				switch s.op {
				case 0:
					v = b.Op("Add", nil, x, y)
				case 1:
					v = b.Op("Sub", nil, x, y)
				case 2:
					v = b.Op("Mul", nil, x, y)
				case 3:
					v = b.Op("MatMul", nil, x, wrt[0])
				case 4:
					v = b.Op("Softmax", nil, x)
				case 5:
					v = b.Op("Div", nil, x, b.Op("Exp", nil, b.Op("Tanh", nil, y)))
				case 6:
					v = b.Op("ReduceMean", graph.Attrs{"axes": graph.L(0)}, x)
				case 7:
					v = b.Op("Sigmoid", nil, x)
				}
				values = append(values, b.Op("Tanh", nil, v))
			}
			return weighted(b, values[len(values)-1], 0), wrt
		}, feeds)
	})
}
