package lower_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu"
	"github.com/clsbench/clsbench/backends/lower"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

func everything(*graph.Call) bool { return true }

// writer writes programs between quantizers.
type writer struct {
	*graph.Builder
	stream uint32
}

func (w *writer) fill(name string, d tensor.DType, f tensor.Fill, shape ...int) graph.Value {
	w.stream++
	return w.Const(name, tensor.FillSeeded(tensor.New(d, shape...), f, 11, w.stream))
}

func (w *writer) scale(lo, hi float64, shape ...int) graph.Value {
	return w.fill("scale", tensor.F32, tensor.Fill{Lo: lo, Hi: hi}, shape...)
}

func (w *writer) octets(d tensor.DType, shape ...int) graph.Value {
	lo, hi := tensor.IntRange(d)
	return w.fill("weights", d, tensor.Fill{Kind: tensor.Integers, Lo: lo, Hi: hi}, shape...)
}

func (w *writer) quantize(x graph.Value, scale, zero graph.Value) graph.Value {
	return w.Op("QuantizeLinear", nil, x, scale, zero)
}

func (w *writer) dequantize(q graph.Value, scale, zero graph.Value, axis int) graph.Value {
	return w.Op("DequantizeLinear", graph.Attrs{"axis": graph.I(axis)}, q, scale, zero)
}

// through is x as 8-bit integers of type d give it back.
func (w *writer) through(x graph.Value, d tensor.DType, step float64, zero float64) graph.Value {
	s, z := w.scale(step, step), w.Const("zero", tensor.Scalar(d, zero))
	return w.dequantize(w.quantize(x, s, z), s, z, 1)
}

func (w *writer) program(t require.TestingT, fetches ...graph.Value) *graph.Program {
	w.Fetch(fetches...)
	p, err := w.Program()
	require.NoError(t, err)
	return p
}

func newWriter() *writer { return &writer{Builder: graph.NewBuilder("qdq")} }

func evaluated(t require.TestingT, p *graph.Program, feeds map[string]*tensor.Tensor) map[string]*reference.Array {
	g, err := p.Infer()
	require.NoError(t, err)
	env := map[string]*reference.Array{}
	for name, x := range feeds {
		env[name] = reference.FromTensor(x)
	}
	_, err = reference.Eval(g, env, reference.Mode{})
	require.NoError(t, err)
	return env
}

func ops(p *graph.Program) string {
	var list []string
	for _, n := range p.Nodes {
		list = append(list, n.Op)
	}
	return strings.Join(list, " ")
}

func conv(w *writer, x, weights graph.Value, more ...graph.Value) graph.Value {
	return w.Op("Conv", graph.Attrs{"pads": graph.L(1, 1, 1, 1)}, append([]graph.Value{x, weights}, more...)...)
}

// Every pattern gives the ops it is meant to.
func TestPatterns(t *testing.T) {
	u8, s8 := tensor.U8, tensor.S8
	image := tensor.T(tensor.F32, 2, 3, 6, 6)
	// weights of 4 channels, dequantized by channel.
	weights := func(w *writer) graph.Value {
		return w.dequantize(w.octets(s8, 4, 3, 3, 3), w.scale(0.004, 0.012, 4), graph.Value{}, 0)
	}
	input := func(w *writer) graph.Value { return w.through(w.Feed("x", image), u8, 0.02, 120) }
	quantized := func(w *writer, y graph.Value, d tensor.DType, zero float64) graph.Value {
		return w.quantize(y, w.scale(0.05, 0.05), w.Const("zero", tensor.Scalar(d, zero)))
	}
	for name, c := range map[string]struct {
		write func(w *writer) graph.Value
		ops   string
	}{
		"conv": {func(w *writer) graph.Value { return quantized(w, conv(w, input(w), weights(w)), u8, 128) },
			"QuantizeLinear QLinearConv"},
		"relu below the zero point": {func(w *writer) graph.Value {
			return quantized(w, w.Op("Relu", nil, conv(w, input(w), weights(w))), u8, 0)
		}, "QuantizeLinear QLinearConv"},
		"relu of signed integers": {func(w *writer) graph.Value {
			return quantized(w, w.Op("Relu", nil, conv(w, input(w), weights(w))), s8, 0)
		}, "QuantizeLinear QLinearConv Max"},
		"no zero points": {func(w *writer) graph.Value {
			s := w.scale(0.02, 0.02)
			x := w.Op("DequantizeLinear", nil, w.Op("QuantizeLinear", nil, w.Feed("x", image), s), s)
			return w.Op("QuantizeLinear", nil, conv(w, x, weights(w)), w.scale(0.05, 0.05))
		}, "QuantizeLinear QLinearConv"},
		"whole bias": {func(w *writer) graph.Value {
			s, z := w.Const("s", tensor.Scalar(tensor.F32, 0.25)), w.Const("z", tensor.Scalar(u8, 3))
			x := w.dequantize(w.quantize(w.Feed("x", image), s, z), s, z, 1)
			k := w.dequantize(w.octets(s8, 4, 3, 3, 3), w.Const("ws", tensor.Of(tensor.F32, tensor.Shape{4}, 1, 0.5, 2, 4)), graph.Value{}, 0)
			b := w.dequantize(w.fill("b", tensor.S32, tensor.Fill{Kind: tensor.Integers, Lo: -1000, Hi: 1000}, 4),
				w.Const("bs", tensor.Of(tensor.F32, tensor.Shape{4}, 0.25, 0.125, 0.5, 1)), graph.Value{}, 0)
			return w.quantize(conv(w, x, k, b), w.Const("ys", tensor.Scalar(tensor.F32, 40)), w.Const("yz", tensor.Scalar(u8, 100)))
		}, "QuantizeLinear QLinearConv"},
		"bias of another scale": {func(w *writer) graph.Value {
			b := w.dequantize(w.fill("b", tensor.S32, tensor.Fill{Kind: tensor.Integers, Lo: -1000, Hi: 1000}, 4), w.scale(0.01, 0.02, 4), graph.Value{}, 0)
			return conv(w, input(w), weights(w), b)
		}, "DequantizeLinear QuantizeLinear ConvInteger DequantizeLinear Reshape Add"},
		"bias in floats": {func(w *writer) graph.Value {
			return quantized(w, conv(w, input(w), weights(w), w.scale(-1, 1, 4)), u8, 128)
		}, "QuantizeLinear ConvInteger DequantizeLinear Add QuantizeLinear"},
		"result in floats": {func(w *writer) graph.Value { return w.Op("HardSwish", nil, conv(w, input(w), weights(w))) },
			"QuantizeLinear ConvInteger DequantizeLinear HardSwish"},
		"residual": {func(w *writer) graph.Value {
			y := conv(w, input(w), weights(w))
			return quantized(w, w.Op("Relu", nil, w.Op("Add", nil, y, w.Op("Neg", nil, y))), u8, 0)
		}, "QuantizeLinear ConvInteger DequantizeLinear Neg Add Relu QuantizeLinear"},
		"pool of maxima": {func(w *writer) graph.Value {
			y := w.Op("MaxPool", graph.Attrs{"kernel_shape": graph.L(2, 2)}, w.Op("Relu", nil, conv(w, input(w), weights(w))))
			return quantized(w, w.Op("Flatten", nil, y), u8, 0)
		}, "QuantizeLinear QLinearConv MaxPool Flatten"},
		"pool between quantizers": {func(w *writer) graph.Value {
			x := w.Op("MaxPool", graph.Attrs{"kernel_shape": graph.L(2, 2)}, input(w))
			return conv(w, x, weights(w))
		}, "QuantizeLinear MaxPool ConvInteger DequantizeLinear"},
		"quantizers that cancel": {func(w *writer) graph.Value {
			s, z := w.scale(0.02, 0.02), w.Const("z", tensor.Scalar(u8, 3))
			x := w.dequantize(w.quantize(w.Feed("x", image), s, z), s, z, 1)
			x = w.dequantize(w.quantize(w.Op("MaxPool", graph.Attrs{"kernel_shape": graph.L(2, 2)}, x), s, z), s, z, 1)
			return conv(w, x, weights(w))
		}, "QuantizeLinear MaxPool ConvInteger DequantizeLinear"},
		"average pool": {func(w *writer) graph.Value {
			return quantized(w, w.Op("AveragePool", graph.Attrs{"kernel_shape": graph.L(2, 2)}, conv(w, input(w), weights(w))), u8, 128)
		}, "QuantizeLinear ConvInteger DequantizeLinear AveragePool QuantizeLinear"},
		"dynamic": {func(w *writer) graph.Value {
			q := w.OpN("DynamicQuantizeLinear", nil, 3, w.Feed("x", image))
			return conv(w, w.dequantize(q[0], q[1], q[2], 1), weights(w), w.scale(-1, 1, 4))
		}, "DynamicQuantizeLinear ConvInteger Mul DequantizeLinear Add"},
		"gemm": {func(w *writer) graph.Value {
			x := w.through(w.Feed("x", tensor.T(tensor.F32, 5, 7)), u8, 0.02, 120)
			k := w.dequantize(w.octets(s8, 3, 7), w.scale(0.01, 0.02, 3), graph.Value{}, 0)
			return quantized(w, w.Op("Gemm", graph.Attrs{"transB": graph.I(1)}, x, k), u8, 128)
		}, "QuantizeLinear QLinearMatMul"},
		"gemm with a bias": {func(w *writer) graph.Value {
			x := w.through(w.Feed("x", tensor.T(tensor.F32, 5, 7)), s8, 0.02, -3)
			k := w.dequantize(w.octets(u8, 7, 3), w.scale(0.01, 0.02, 3), w.fill("z", u8, tensor.Fill{Kind: tensor.Integers, Lo: 100, Hi: 150}, 3), 1)
			return quantized(w, w.Op("Relu", nil, w.Op("Gemm", nil, x, k, w.scale(-1, 1, 3))), u8, 0)
		}, "QuantizeLinear MatMulInteger DequantizeLinear Add Relu QuantizeLinear"},
		"stack of matrices": {func(w *writer) graph.Value {
			x := w.through(w.Feed("x", tensor.T(tensor.F32, 2, 5, 7)), u8, 0.02, 120)
			k := w.dequantize(w.octets(s8, 7, 3), w.scale(0.01, 0.02, 3), graph.Value{}, 1)
			return quantized(w, w.Op("MatMul", nil, x, k), u8, 128)
		}, "QuantizeLinear QLinearMatMul"},
		"scaled by input channel": {func(w *writer) graph.Value {
			return conv(w, input(w), w.dequantize(w.octets(s8, 4, 3, 3, 3), w.scale(0.01, 0.02, 3), graph.Value{}, 1))
		}, "QuantizeLinear DequantizeLinear DequantizeLinear Conv"},
		"input scaled by channel": {func(w *writer) graph.Value {
			s := w.scale(0.01, 0.02, 3)
			return conv(w, w.dequantize(w.Op("QuantizeLinear", nil, w.Feed("x", image), s), s, graph.Value{}, 1), weights(w))
		}, "QuantizeLinear DequantizeLinear DequantizeLinear Conv"},
		"weights alone": {func(w *writer) graph.Value { return conv(w, w.Feed("x", image), weights(w)) },
			"DequantizeLinear Conv"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWriter()
			p := w.program(t, c.write(w))
			before := p.Clone()
			l, err := lower.Integers(p, everything)
			require.NoError(t, err)
			require.Equal(t, &before, p, "the program given was changed")
			require.Equal(t, c.ops, ops(l.Program))
			require.Equal(t, p.Fetches, l.Fetches)
			standFor(t, p, l)
			for seed := range uint64(4) {
				feeds := feedsOf(p, seed)
				alike(t, p, evaluated(t, p, feeds), evaluated(t, l.Program, feeds))
			}
		})
	}
}

// standFor holds what the new nodes say of the old ones: all are named.
func standFor(t require.TestingT, p *graph.Program, l *lower.Lowered) {
	named := map[string]bool{}
	for _, n := range l.Nodes {
		require.NotEmpty(t, l.Stands[n.Name], n.Name)
		for _, s := range l.Stands[n.Name] {
			named[s] = true
		}
	}
	for _, n := range p.Nodes {
		require.True(t, named[n.Name], "nothing stands for %s", n.Name)
	}
}

func feedsOf(p *graph.Program, seed uint64) map[string]*tensor.Tensor {
	feeds := map[string]*tensor.Tensor{}
	for i, f := range p.Feeds {
		feeds[f.Name] = tensor.FillSeeded(tensor.New(f.Type.DType, f.Type.Shape...), tensor.Fill{Kind: tensor.Normal, Hi: 1}, seed, uint32(i))
	}
	return feeds
}

// alike wants integers that differ by a step at most, and seldom: at ties; and
// floats that differ by roundings of f32.
func alike(t require.TestingT, p *graph.Program, want, got map[string]*reference.Array) {
	g, err := p.Infer()
	require.NoError(t, err)
	for _, f := range p.Fetches {
		w, v := want[f].Data, got[f].Data
		size, steps := 0.0, 0
		for _, x := range w {
			size = max(size, math.Abs(x))
		}
		for i, x := range w {
			if g.Types[f].DType.IsFloat() {
				require.InDelta(t, x, v[i], 1e-5*size, f)
				continue
			}
			require.LessOrEqual(t, math.Abs(x-v[i]), 1.0, "%s, element %d", f, i)
			if x != v[i] {
				steps++
			}
		}
		require.LessOrEqual(t, steps, 1+len(w)/50, f)
	}
}

// drawChain draws a chain of products, pools and activations between
// quantizers, each of which is fetched.
func drawChain(t *rapid.T) *graph.Program {
	w := newWriter()
	types := rapid.SampledFrom([]tensor.DType{tensor.U8, tensor.S8})
	channels := rapid.IntRange(1, 5).Draw(t, "channels")
	x := w.Feed("x", tensor.T(tensor.F32, 2, channels, 7, 6))
	in := w.through(x, types.Draw(t, "input"), 0.02, 10)
	var fetches []graph.Value
	for range rapid.IntRange(1, 3).Draw(t, "layers") {
		out := rapid.IntRange(1, 6).Draw(t, "out")
		d, fan := types.Draw(t, "weights"), 9*float64(channels)
		var scales []int
		if rapid.Bool().Draw(t, "by channel") {
			scales = []int{out}
		}
		var zero graph.Value
		if d == tensor.U8 {
			zero = w.fill("zero", d, tensor.Fill{Kind: tensor.Integers, Lo: 110, Hi: 140}, scales...)
		}
		k := w.dequantize(w.octets(d, out, channels, 3, 3), w.scale(0.004, 0.012, scales...), zero, 0)
		args := []graph.Value{in, k}
		if rapid.Bool().Draw(t, "bias") {
			args = append(args, w.scale(-1, 1, out))
		}
		h := w.Op("Conv", graph.Attrs{"pads": graph.L(1, 1, 1, 1)}, args...)
		product := h
		switch rapid.SampledFrom([]string{"none", "Relu", "HardSwish", "residual", "MaxPool", "AveragePool"}).Draw(t, "then") {
		case "Relu":
			h = w.Op("Relu", nil, h)
		case "HardSwish":
			h = w.Op("HardSwish", nil, h)
		case "residual":
			h = w.Op("Add", nil, h, w.Op("Relu", nil, h))
		case "MaxPool":
			h = w.Op("MaxPool", graph.Attrs{"kernel_shape": graph.L(3, 3), "pads": graph.L(1, 1, 1, 1)}, h)
		case "AveragePool":
			h = w.Op("AveragePool", graph.Attrs{"kernel_shape": graph.L(3, 3), "pads": graph.L(1, 1, 1, 1)}, h)
		}
		if rapid.IntRange(0, 3).Draw(t, "fetch") == 0 {
			fetches = append(fetches, product)
		}
		y := types.Draw(t, "output")
		lo, _ := tensor.IntRange(y)
		s := w.scale(0.012*math.Sqrt(fan)*1.5, 0.016*math.Sqrt(fan)*1.5)
		z := w.Const("zero", tensor.Scalar(y, lo+float64(rapid.SampledFrom([]int{0, 0, 128}).Draw(t, "zero"))))
		q := w.quantize(h, s, z)
		fetches = append(fetches, q)
		in, channels = w.dequantize(q, s, z, 1), out
	}
	return pass.Prune(w.program(t, fetches...))
}

// What is lowered gives what was there, in float64 as in the cpu backend, which
// lowers what it compiles: integers within a step, floats as f32 rounds.
func TestChains(t *testing.T) {
	s, err := cpu.New().Open(context.Background(), backends.SessionConfig{Threads: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	rapid.Check(t, func(t *rapid.T) {
		p := drawChain(t)
		l, err := lower.Integers(p, everything)
		require.NoError(t, err)
		standFor(t, p, l)
		require.NotContains(t, strings.Fields(ops(l.Program)), "Conv", "a product is left in floats")
		feeds := feedsOf(p, rapid.Uint64Range(0, 1<<20).Draw(t, "seed"))
		want := evaluated(t, p, feeds)
		alike(t, p, want, evaluated(t, l.Program, feeds))
		alike(t, p, want, computed(t, s, p, feeds))
	})
}

// computed is what the backend makes of a program.
func computed(t *rapid.T, s backends.Session, p *graph.Program, feeds map[string]*tensor.Tensor) map[string]*reference.Array {
	ctx := context.Background()
	private := func(bytes int64) (*backends.Region, error) { return backends.NewPrivateRegion(bytes), nil }
	e, err := backends.CompileBound(ctx, s, p, func(string) int { return 1 }, private)
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	kernels := []string{}
	for _, part := range e.Plan().Partitions {
		kernels = append(kernels, part.Kernel)
	}
	require.True(t, slices.ContainsFunc(kernels, func(k string) bool { return strings.HasPrefix(k, "integer conv") }), kernels)
	for name, x := range feeds {
		copy(e.At(name, 0), x.Data)
	}
	_, err = e.Run(ctx, backends.RunRequest{Steps: 1})
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	out := map[string]*reference.Array{}
	for _, f := range p.Fetches {
		x := tensor.New(g.Types[f].DType, g.Types[f].Shape...)
		copy(x.Data, e.At(f, 0))
		out[f] = reference.FromTensor(x)
	}
	return out
}

// What the backend has no kernel for stays as it was.
func TestOnlyWhatIsTaken(t *testing.T) {
	w := newWriter()
	x := w.through(w.Feed("x", tensor.T(tensor.F32, 2, 3, 6, 6)), tensor.U8, 0.02, 120)
	k := w.dequantize(w.octets(tensor.S8, 4, 3, 3, 3), w.scale(0.004, 0.012, 4), graph.Value{}, 0)
	p := w.program(t, w.quantize(conv(w, x, k), w.scale(0.05, 0.05), w.Const("z", tensor.Scalar(tensor.U8, 99))))
	without := func(names ...string) string {
		l, err := lower.Integers(p, func(c *graph.Call) bool { return !slices.Contains(names, c.Op.Name) })
		require.NoError(t, err)
		standFor(t, p, l)
		return ops(l.Program)
	}
	require.Equal(t, "QuantizeLinear ConvInteger DequantizeLinear QuantizeLinear", without("QLinearConv"))
	require.Equal(t, ops(p), without("QLinearConv", "ConvInteger"))
}
