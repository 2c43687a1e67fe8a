package pass_test

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// drawn is a constant of random numbers between lo and hi.
func drawn(b *graph.Builder, name string, stream uint32, lo, hi float64, shape ...int) graph.Value {
	return b.Const(name, tensor.FillSeeded(tensor.New(tensor.F32, shape...), tensor.Fill{Lo: lo, Hi: hi}, 7, stream))
}

// network has what quantization meets: norms behind convolutions with and
// without a bias, a residual, a depthwise convolution, a gate of squeeze and
// excite, pools, and products of both kinds.
func network(t *testing.T) *graph.Program {
	b := graph.NewBuilder("network")
	stream := uint32(0)
	next := func(name string, lo, hi float64, shape ...int) graph.Value {
		stream++
		return drawn(b, name, stream, lo, hi, shape...)
	}
	norm := func(name string, x graph.Value) graph.Value {
		c := x.Type.Shape[1]
		return b.Op("BatchNormalization", graph.Attrs{"epsilon": graph.F(1e-3)}, x, next(name+".weight", -1.5, 1.5, c), next(name+".bias", -1, 1, c),
			next(name+".mean", -0.5, 0.5, c), next(name+".var", 0.2, 2, c))
	}
	conv := func(name string, x graph.Value, out, in, k, group int, bias bool) graph.Value {
		inputs := []graph.Value{x, next(name+".w", -0.4, 0.4, out, in, k, k)}
		if bias {
			inputs = append(inputs, next(name+".b", -1, 1, out))
		}
		var y graph.Value
		b.Scoped(name, func() {
			y = b.Op("Conv", graph.Attrs{"pads": graph.L(k/2, k/2, k/2, k/2), "group": graph.I(group)}, inputs...)
		})
		return y
	}
	x := b.Feed("x", tensor.T(tensor.F32, 2, 3, 8, 8))
	h := b.Op("Relu", nil, norm("bn1", conv("stem", x, 6, 3, 3, 1, false)))
	y := b.Op("HardSwish", nil, norm("bn2", conv("deep", h, 6, 1, 3, 6, true)))
	gate := b.Op("Relu", nil, conv("squeeze", b.Op("GlobalAveragePool", nil, y), 3, 6, 1, 1, true))
	gate = b.Op("HardSigmoid", nil, conv("excite", gate, 6, 3, 1, 1, true))
	y = b.Op("Add", nil, h, norm("bn3", conv("narrow", b.Op("Mul", nil, y, gate), 6, 6, 1, 1, false)))
	y = b.Op("MaxPool", graph.Attrs{"kernel_shape": graph.L(2, 2), "strides": graph.L(2, 2)}, b.Op("Relu", nil, y))
	y = b.Op("Flatten", nil, y)
	b.Scoped("fc1", func() {
		y = b.Op("Gemm", graph.Attrs{"transB": graph.I(1)}, y, next("fc1.w", -0.2, 0.2, 12, 96), next("fc1.b", -1, 1, 12))
	})
	b.Scoped("fc2", func() { y = b.Op("MatMul", nil, b.Op("Relu", nil, y), next("fc2.w", -0.4, 0.4, 12, 5)) })
	b.Fetch(y)
	p, err := b.Program()
	require.NoError(t, err)
	return p
}

func feedsOf(p *graph.Program, seed uint64) map[string]*tensor.Tensor {
	feeds := map[string]*tensor.Tensor{}
	for i, f := range p.Feeds {
		feeds[f.Name] = tensor.FillSeeded(tensor.New(f.Type.DType, f.Type.Shape...), tensor.Fill{Kind: tensor.Normal, Hi: 1}, seed, uint32(i))
	}
	return feeds
}

func count(p *graph.Program) map[string]int {
	n := map[string]int{}
	for _, node := range p.Nodes {
		n[node.Op]++
	}
	return n
}

func TestFoldBatchNorms(t *testing.T) {
	p := network(t)
	before := p.Clone()
	folded, err := pass.FoldBatchNorms(p)
	require.NoError(t, err)
	require.Equal(t, &before, p, "the program given was changed")
	require.Zero(t, count(folded)["BatchNormalization"])
	require.Equal(t, count(p)["Conv"], count(folded)["Conv"])
	require.Equal(t, p.Fetches, folded.Fetches)
	feeds := feedsOf(p, 3)
	want, _ := run(t, p, feeds)
	got, _ := run(t, folded, feeds)
	y := p.Fetches[0]
	for i, v := range want[y].Data { // constants are f32
		require.InDelta(t, v, got[y].Data[i], 1e-5)
	}

	again, err := pass.FoldBatchNorms(folded)
	require.NoError(t, err)
	require.Equal(t, folded, again)
}

// A norm stays where its convolution's result has another reader, where its
// numbers are not known, and where something else stands before it.
func TestNormsThatDoNotFold(t *testing.T) {
	for name, write := range map[string]func(b *graph.Builder, conv func() graph.Value, stats []graph.Value){
		"read twice": func(b *graph.Builder, conv func() graph.Value, stats []graph.Value) {
			y := conv()
			b.Fetch(b.Op("Add", nil, y, b.Op("BatchNormalization", nil, append([]graph.Value{y}, stats...)...)))
		},
		"fetched": func(b *graph.Builder, conv func() graph.Value, stats []graph.Value) {
			y := conv()
			b.Fetch(y, b.Op("BatchNormalization", nil, append([]graph.Value{y}, stats...)...))
		},
		"behind a relu": func(b *graph.Builder, conv func() graph.Value, stats []graph.Value) {
			b.Fetch(b.Op("BatchNormalization", nil, append([]graph.Value{b.Op("Relu", nil, conv())}, stats...)...))
		},
		"state": func(b *graph.Builder, conv func() graph.Value, stats []graph.Value) {
			stats[0] = b.State("weight", tensor.T(tensor.F32, 4))
			b.Fetch(b.Op("BatchNormalization", nil, append([]graph.Value{conv()}, stats...)...))
		},
	} {
		b := graph.NewBuilder(name)
		x := b.Feed("x", tensor.T(tensor.F32, 1, 2, 3, 3))
		write(b, func() graph.Value { return b.Op("Conv", nil, x, drawn(b, "w", 1, -1, 1, 4, 2, 1, 1)) },
			[]graph.Value{drawn(b, "s", 2, 1, 2, 4), drawn(b, "b", 3, 1, 2, 4), drawn(b, "m", 4, 1, 2, 4), drawn(b, "v", 5, 1, 2, 4)})
		p, err := b.Program()
		require.NoError(t, err)
		folded, err := pass.FoldBatchNorms(p)
		require.NoError(t, err)
		require.Equal(t, count(p), count(folded), name)
	}
}

// calibrated finds the ranges that a program's values have on some data.
func calibrated(t *testing.T, p *graph.Program, q pass.Quantization) map[string]pass.Range {
	names, err := pass.Quantizable(p, q)
	require.NoError(t, err)
	ranges := map[string]pass.Range{}
	for seed := range uint64(4) {
		env, _ := run(t, p, feedsOf(p, seed))
		for _, n := range names {
			r := ranges[n]
			ranges[n] = pass.Range{Lo: min(r.Lo, slices.Min(env[n].Data)), Hi: max(r.Hi, slices.Max(env[n].Data))}
		}
	}
	return ranges
}

// noise is the root mean square of the difference as a share of that of want.
func noise(want, got *reference.Array) float64 {
	e, s := 0.0, 0.0
	for i, v := range want.Data {
		e += (got.Data[i] - v) * (got.Data[i] - v)
		s += v * v
	}
	return math.Sqrt(e / s)
}

// Each way to quantize gives what the network gives but for the noise of 8
// bits; weights and biases are integers, and every product has its quantizers.
func TestQuantizedNetworks(t *testing.T) {
	p, err := pass.FoldBatchNorms(network(t))
	require.NoError(t, err)
	feeds := feedsOf(p, 2)
	want, _ := run(t, p, feeds)
	y := p.Fetches[0]
	for name, c := range map[string]struct {
		q       pass.Quantization
		static  bool
		noise   float64
		weights int // quantized
		inputs  int // quantizers of activations
	}{
		"static u8":  {pass.Quantization{}, true, 0.05, 7, 7},
		"static s8":  {pass.Quantization{Activations: tensor.S8}, true, 0.05, 7, 7},
		"dynamic":    {pass.Quantization{}, false, 0.05, 7, 7},
		"ends kept":  {pass.Quantization{KeepFirst: true, KeepLast: true}, true, 0.05, 5, 5},
		"excluded":   {pass.Quantization{Exclude: regexp.MustCompile(`^(squeeze|excite)\.`)}, true, 0.05, 5, 5},
		"sums":       {pass.Quantization{Also: []string{"Add"}}, true, 0.06, 7, 8},
		"everything": {pass.Quantization{Exclude: regexp.MustCompile(``)}, true, 1e-12, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if c.static {
				c.q.Ranges = calibrated(t, p, c.q)
			}
			before := p.Clone()
			quantized, err := pass.Quantize(p, c.q)
			require.NoError(t, err)
			require.Equal(t, &before, p, "the program given was changed")
			got, _ := run(t, quantized, feeds)
			e := noise(want[y], got[y])
			require.LessOrEqual(t, e, c.noise)
			n, octets := count(quantized), 0
			for _, k := range quantized.Consts {
				if k.Tensor.Type.DType == tensor.S8 && len(k.Tensor.Type.Shape) > 1 {
					octets++
				}
			}
			require.Equal(t, c.weights, octets)
			quantizers := n["QuantizeLinear"]
			if !c.static {
				quantizers = n["DynamicQuantizeLinear"]
				require.Zero(t, n["QuantizeLinear"])
			}
			require.Equal(t, c.inputs, quantizers)
			if c.inputs > 0 {
				require.Greater(t, e, 1e-4, "nothing was quantized")
			}
		})
	}
}

// The bias of a convolution becomes integers where its sums do, and stays as it
// is where they don't; that of a Gemm becomes integers.
func TestQuantizedBiases(t *testing.T) {
	p, err := pass.FoldBatchNorms(network(t))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		q     pass.Quantization
		whole []string // products whose bias is one of integers
	}{
		"static":        {pass.Quantization{}, []string{"squeeze", "fc1"}},
		"one excluded":  {pass.Quantization{Exclude: regexp.MustCompile(`^excite\.`)}, []string{"fc1"}},
		"sums":          {pass.Quantization{Also: []string{"Add"}}, []string{"stem", "squeeze", "narrow", "fc1"}},
		"fetched":       {pass.Quantization{}, []string{"fc1"}},
		"read as float": {pass.Quantization{}, []string{"fc1"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := p.Clone()
			g, err := p.Infer()
			require.NoError(t, err)
			for i := range p.Nodes { // squeeze's sums, or what a Relu makes of them
				n := p.Nodes[i]
				if name == "fetched" && n.Name == "squeeze.Conv" || name == "read as float" && n.Op == "Relu" && g.Types[n.Outputs[0]].Shape[1] == 3 {
					p.Fetches = append(p.Fetches, n.Outputs[0])
				}
			}
			c.q.Ranges = calibrated(t, &p, c.q)
			q, err := pass.Quantize(&p, c.q)
			require.NoError(t, err)
			types := map[string]tensor.DType{}
			for _, k := range q.Consts {
				types[k.Name] = k.Tensor.Type.DType
			}
			makers := map[string]graph.Node{}
			for _, n := range q.Nodes {
				for _, y := range n.Outputs {
					makers[y] = n
				}
			}
			var whole []string
			for _, n := range q.Nodes {
				if (n.Op == "Conv" || n.Op == "Gemm") && len(n.Inputs) > 2 {
					if m, ok := makers[n.Inputs[2]]; ok {
						require.Equal(t, tensor.S32, types[m.Inputs[0]])
						whole = append(whole, n.Name[:len(n.Name)-len("."+n.Op)])
					} else {
						require.Equal(t, tensor.F32, types[n.Inputs[2]])
					}
				}
			}
			require.Equal(t, c.whole, whole)
		})
	}
}

// Scales, zero points and integers of a product, by hand.
func TestQuantizedNumbers(t *testing.T) {
	b := graph.NewBuilder("gemm")
	x := b.Feed("x", tensor.T(tensor.F32, 1, 2))
	w := b.Const("w", tensor.Of(tensor.F32, tensor.Shape{3, 2}, 1.27, -0.5, 0, 0, 254, 127.9))
	y := b.Op("Gemm", graph.Attrs{"transB": graph.I(1)}, x, w, b.Const("b", tensor.Of(tensor.F32, tensor.Shape{3}, 0.1, 3, -1)))
	b.Fetch(y)
	p, err := b.Program()
	require.NoError(t, err)
	for _, c := range []struct {
		r     pass.Range
		d     tensor.DType
		scale float64
		zero  float64
	}{
		{pass.Range{Lo: -1, Hi: 4.1}, tensor.U8, 0.02, 50},
		{pass.Range{Lo: -1, Hi: 4.1}, tensor.S8, 0.02, -78},
		{pass.Range{Lo: 1, Hi: 2.55}, tensor.U8, 0.01, 0}, // 0 is in the range all the same
		{pass.Range{Lo: -2.55, Hi: -1}, tensor.S8, 0.01, 127},
		{pass.Range{}, tensor.U8, 1, 0},
	} {
		q, err := pass.Quantize(p, pass.Quantization{Activations: c.d, Ranges: map[string]pass.Range{"x": c.r}})
		require.NoError(t, err)
		consts := map[string]*tensor.Tensor{}
		for _, k := range q.Consts {
			consts[k.Name] = k.Tensor
		}
		require.InDelta(t, c.scale, consts["x.scale"].Float64s()[0], 1e-7)
		require.Equal(t, c.zero, consts["x.zero_point"].Float64s()[0])
		require.Equal(t, c.d, consts["x.zero_point"].Type.DType)
		require.Equal(t, []float64{127, -50, 0, 0, 127, 64}, consts["w.quantized"].Float64s())
		scales, biases := consts["w.scale"].Float64s(), consts["b.quantized"].Float64s()
		require.InDelta(t, 0.01, scales[0], 1e-8)
		require.InDelta(t, 2, scales[2], 1e-7)
		for i, v := range []float64{0.1, 3, -1} {
			step := consts["b.scale"].Float64s()[i]
			require.Equal(t, float64(float32(consts["x.scale"].Float64s()[0])*float32(scales[i])), step)
			require.InDelta(t, v, biases[i]*step, step/2*1.0001)
			require.LessOrEqual(t, math.Abs(biases[i]), 0x1p30)
		}
	}
}

func TestQuantizeRefuses(t *testing.T) {
	p := network(t)
	q := pass.Quantization{}
	q.Ranges = calibrated(t, p, q)
	broken := func(change func(map[string]pass.Range)) pass.Quantization {
		r := maps.Clone(q.Ranges)
		change(r)
		return pass.Quantization{Ranges: r}
	}
	for want, c := range map[string]pass.Quantization{
		"activations of s32: want u8 or s8":  {Activations: tensor.S32},
		"dynamic quantization":               {Activations: tensor.S8},
		"range of x: have [0, 0]":            broken(func(r map[string]pass.Range) { delete(r, "x") }),
		"range of x: have [2, 1]: calibrate": broken(func(r map[string]pass.Range) { r["x"] = pass.Range{Lo: 2, Hi: 1} }),
		"range of x: have [NaN, 1]":          broken(func(r map[string]pass.Range) { r["x"] = pass.Range{Lo: math.NaN(), Hi: 1} }),
		"range of x: have [-Inf, 1]":         broken(func(r map[string]pass.Range) { r["x"] = pass.Range{Lo: math.Inf(-1), Hi: 1} }),
	} {
		_, err := pass.Quantize(p, c)
		require.ErrorContains(t, err, want)
	}
}
