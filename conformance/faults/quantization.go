package faults

import (
	"math"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Wrong quantizers, and wrong products of 8-bit integers.

var quantizationFaults = []Fault{
	kernel("quantize-half-away", "QuantizeLinear", "ties rounded away from zero, as C's round does", requantized(halfAway)),
	kernel("quantize-zero-before-rounding", "QuantizeLinear", "the zero point added before rounding, which moves ties where it is odd", requantized(zeroFirst)),
	kernel("quantize-wraps", "QuantizeLinear", "a conversion that drops upper bits in place of saturation", requantized(wrapping)),
	kernel("quantize-f16-truncates", "QuantizeLinear", "16-bit floats truncated instead of rounded", func(k *Launch) ([]*reference.Array, error) {
		if d := k.Call.In[0].DType; d != tensor.F16 && d != tensor.BF16 {
			return k.Plain()
		}
		return requantized(func(q reference.Quantized, v float64, i int) float64 { return q.Of(math.Trunc(v), i) })(k)
	}),
	kernel("quantize-channel-off-by-one", "QuantizeLinear", "scales of the next channel", on(1, nextIndex)),
	kernel("quantize-signed-zero-point", "QuantizeLinear", "a u8 zero point read as signed", on(2, asSigned)),
	kernel("dequantize-zero-ignored", "DequantizeLinear", "symmetric quantization taken for granted", on(2, zeros)).once("DequantizeLinear's cases have one class of data, all of a type's integers"),
	kernel("dequantize-channel-off-by-one", "DequantizeLinear", "scales of the next channel", on(1, nextIndex)).once("DequantizeLinear's cases have one class of data, all of a type's integers"),
	kernel("dynamic-range-without-zero", "DynamicQuantizeLinear", "the range of the data not widened to hold 0", narrowRange),
	kernel("dynamic-zero-truncated", "DynamicQuantizeLinear", "the zero point truncated, not rounded", func(k *Launch) ([]*reference.Array, error) {
		scale, _ := reference.DynamicRange(k.In[0])
		lo := 0.0
		for _, v := range k.In[0].Data {
			lo = min(lo, v)
		}
		return dynamicBy(k, scale, math.Trunc(-lo/scale))
	}),
	kernel("fake-gradient-outside", "FakeQuantizeGrad", "the straight-through gradient passes outside of the range", func(k *Launch) ([]*reference.Array, error) {
		return []*reference.Array{k.In[0]}, nil
	}).also("FakeQuantize"),
	kernel("fake-narrow-range", "FakeQuantize", "the lowest level left out, as for weights", attr(func(a graph.Attrs, c *graph.Call) {
		a["quant_min"] = graph.I(c.Int("quant_min") + 1)
	})),
	kernel("qmatmul-pair-saturates", "MatMulInteger", "sums of two u8·s8 products saturated to 16 bits (VPMADDUBSW; oneDNN's caveat without VNNI)", pairSaturating),
	kernel("qmatmul-weights-halved", "QLinearMatMul", "s8 weights halved against that saturation, and their last bit lost (oneDNN#375)", on(3, func(w *reference.Array, k *Launch) *reference.Array {
		if k.Call.In[3].DType != tensor.S8 {
			return w
		}
		return mapped(w, func(v float64) float64 { return 2 * math.Floor(v/2) })
	})),
	kernel("qmatmul-half-away", "QLinearMatMul", "sums requantized half away from zero", requantized(halfAway)).once("only ties show it: one class has them"),
	kernel("qmatmul-depth-tail", "MatMulInteger", "u8·s8 products beyond a multiple of four left out on one path (onnxruntime#16105)", depthTail),
	kernel("qmatmul-f32-accumulator", "MatMulInteger", "sums of integers kept in f32", after(func(y float64, _ int, _ *Launch) float64 { return float64(float32(y)) })).once("only sums beyond 2^24 show it: one class has them"),
	kernel("qconv-pad-zero", "QLinearConv", "quantized images padded with 0 in place of the zero point (tvm#4807)", padWithZero(0, 2)),
	kernel("conv-integer-pad-zero", "ConvInteger", "quantized images padded with 0 in place of the zero point (tvm#4807)", padWithZero(0, 2)),
	kernel("qconv-edges", "QLinearConv", "outputs whose windows meet padding requantized with the first channel's scale (tvm#13364)", edgesByFirstScale),
	kernel("qconv-weights-zero-ignored", "QLinearConv", "the weights' zero point taken for 0", on(5, zeros)),
	kernel("conv-integer-weights-zero-ignored", "ConvInteger", "the weights' zero point taken for 0", on(3, zeros)),
	kernel("qconv-bias-first-scale", "QLinearConv", "the bias quantized by the first channel's scale", on(8, func(b *reference.Array, k *Launch) *reference.Array {
		i, s := -1, k.In[4].Data
		return mapped(b, func(v float64) float64 { i++; return v * s[0] / s[i%len(s)] })
	})),
	kernel("qconv-zero-before-rounding", "QLinearConv", "the zero point added before rounding", requantized(zeroFirst)).once("only ties show it: one class has them"),
	kernel("qconv-channel-off-by-one", "QLinearConv", "scales of the next channel", on(4, nextIndex)),
	kernel("qconv-wraps", "QLinearConv", "sums that are not saturated", requantized(wrapping)),
	qdqPlan("int8-sum-saturated-before-add", "a product saturated to 8 bits before the residual is added (oneDNN#1870)", saturateBeforeAdd),
	qdqPlan("relu-at-zero", "a ReLU between quantizers done as max(q, 0), not at the zero point", func(p *graph.Program) {
		for i := range p.Nodes {
			if n := &p.Nodes[i]; n.Op == "Relu" {
				n.Op, n.Inputs = "Mul", []string{n.Inputs[0], one(p)}
			}
		}
	}),
	qdqPlan("weights-by-one-scale", "scales of channels folded into one", func(p *graph.Program) {
		for i, c := range p.Consts {
			if v := c.Tensor.Float64s(); c.Name == "w_scale" || c.Name == "w1_scale" {
				t := tensor.New(c.Tensor.DType, c.Tensor.Shape...)
				for j := range v {
					v[j] = v[0]
				}
				t.SetFloat64s(v)
				p.Consts[i].Tensor = t
			}
		}
	}),
}

// requantized computes output 0 anew from what the call rounds.
func requantized(f func(q reference.Quantized, v float64, i int) float64) Kernel {
	return func(k *Launch) ([]*reference.Array, error) {
		q, err := reference.QuantizedOf(k.Call, k.In)
		if err != nil {
			return nil, err
		}
		y := q.Steps.Array(k.Acc)
		for i, v := range y.Data {
			y.Data[i] = f(q, v, i)
		}
		return []*reference.Array{y}, nil
	}
}

func halfAway(q reference.Quantized, v float64, i int) float64 { return q.Of(math.Round(v), i) }

func zeroFirst(q reference.Quantized, v float64, i int) float64 {
	if q.Zero == nil {
		return q.Of(v, i)
	}
	zero := q.Zero(i)
	return tensor.Round(v+zero, q.Type)
}

func wrapping(q reference.Quantized, v float64, i int) float64 {
	v = math.RoundToEven(v)
	if q.Zero != nil {
		v += q.Zero(i)
	}
	if math.Abs(v) > 1<<31 {
		return q.Of(v, i)
	}
	if q.Type == tensor.S8 {
		return float64(int8(int64(v)))
	}
	return float64(uint8(int64(v)))
}

func zeros(x *reference.Array, _ *Launch) *reference.Array { return reference.New(x.Shape...) }

// nextIndex reads one element further on.
func nextIndex(x *reference.Array, _ *Launch) *reference.Array {
	y := reference.New(x.Shape...)
	for i := range y.Data {
		y.Data[i] = x.Data[(i+1)%len(x.Data)]
	}
	return y
}

func asSigned(x *reference.Array, k *Launch) *reference.Array {
	return mapped(x, func(v float64) float64 {
		if k.Call.In[2].DType == tensor.U8 && v > 127 {
			return v - 256
		}
		return v
	})
}

// dynamicBy quantizes with a scale and a zero point.
func dynamicBy(k *Launch, scale, zero float64) ([]*reference.Array, error) {
	y := reference.DynamicQuantizeLinear(k.In[0], scale, zero).Formula().Array(k.Acc)
	scalar := func(v float64) *reference.Array { return &reference.Array{Shape: tensor.Shape{}, Data: []float64{v}} }
	return []*reference.Array{y, scalar(scale), scalar(zero)}, nil
}

func narrowRange(k *Launch) ([]*reference.Array, error) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range k.In[0].Data {
		lo, hi = min(lo, v), max(hi, v)
	}
	if lo == hi {
		return k.Plain()
	}
	scale := (hi - lo) / 255
	return dynamicBy(k, scale, tensor.Round(-lo/scale, tensor.U8))
}

// pairSaturating is MatMulInteger of two matrices without zero points, by
// pairs of products as VPMADDUBSW adds them.
func pairSaturating(k *Launch) ([]*reference.Array, error) {
	a, b := k.In[0], k.In[1]
	if len(a.Shape) != 2 || len(b.Shape) != 2 || k.Call.In[0].DType != tensor.U8 || k.Call.In[1].DType != tensor.S8 {
		return k.Plain()
	}
	// The zero points are taken off afterwards: only the raw sum saturates.
	out, err := k.Plain()
	if err != nil {
		return nil, err
	}
	depth, n := a.Shape[1], b.Shape[1]
	y := mapped(out[0], func(v float64) float64 { return v })
	for i := range y.Data {
		row, col := i/n, i%n
		for l := 0; l+1 < depth; l += 2 {
			pair := a.Data[row*depth+l]*b.Data[l*n+col] + a.Data[row*depth+l+1]*b.Data[(l+1)*n+col]
			y.Data[i] += min(max(pair, -1<<15), 1<<15-1) - pair
		}
	}
	return []*reference.Array{y}, nil
}

// depthTail leaves out what is beyond a multiple of four of u8·s8 sums.
func depthTail(k *Launch) ([]*reference.Array, error) {
	depth := k.Call.In[0].Shape[len(k.Call.In[0].Shape)-1]
	if k.Call.In[0].DType != tensor.U8 || k.Call.In[1].DType != tensor.S8 || depth < 8 || k.In[2] != nil && len(k.In[2].Data) > 1 {
		return k.Plain()
	}
	zero := 0.0
	if k.In[2] != nil {
		zero = k.In[2].Data[0]
	}
	a := mapped(k.In[0], func(v float64) float64 { return v })
	for i := range a.Data {
		if i%depth >= depth/4*4 {
			a.Data[i] = zero
		}
	}
	k.In[0] = a
	return k.Plain()
}

// padWithZero pads the image with zeros first, so that padding differs from
// the zero point; the inputs are numbered.
func padWithZero(x, xZero int) Kernel {
	return func(k *Launch) ([]*reference.Array, error) {
		win, err := k.Call.ConvWindow()
		if err != nil || k.In[xZero] == nil {
			return k.Plain()
		}
		s := k.In[x].Shape
		padded := s.Clone()
		for a := range win.In {
			padded[2+a] += win.PadBegin[a] + win.PadEnd[a]
		}
		y := reference.New(padded...)
		strides := padded.Strides()
		for i, v := range k.In[x].Data {
			at, rest := 0, i
			for a := len(s) - 1; a >= 0; a-- {
				index := rest % s[a]
				rest /= s[a]
				if a >= 2 {
					index += win.PadBegin[a-2]
				}
				at += index * strides[a]
			}
			y.Data[at] = v
		}
		attrs := k.attrs()
		delete(attrs, "pads")
		k.In[x] = y
		call := *k.Call
		call.In = append([]tensor.Type(nil), call.In...)
		call.In[x].Shape = padded
		k.Call = &call
		return k.Plain()
	}
}

func edgesByFirstScale(k *Launch) ([]*reference.Array, error) {
	win, err := k.Call.ConvWindow()
	if err != nil {
		return nil, err
	}
	out, err := k.Plain()
	if err != nil {
		return nil, err
	}
	first := *k
	first.In = append([]*reference.Array(nil), k.In...)
	scale := first.In[4]
	first.In[4] = mapped(scale, func(float64) float64 { return scale.Data[0] })
	edge, err := first.Plain()
	if err != nil {
		return nil, err
	}
	plane := tensor.Shape(win.Out).Elements()
	taps := tensor.Shape(win.Kernel).Elements()
	for i := range out[0].Data {
		if len(windowInputs(win, i%plane)) < taps {
			out[0].Data[i] = edge[0].Data[i]
		}
	}
	return out, nil
}

// qdqPlan is a wrong plan of programs between quantizers.
func qdqPlan(name, why string, rewrite func(p *graph.Program)) Fault {
	f := plan(name, why, rewrite)
	f.Ops = []string{"QDQ"}
	return f
}

// saturateBeforeAdd quantizes what a residual is added to.
func saturateBeforeAdd(p *graph.Program) {
	for i := range p.Nodes {
		add := p.Nodes[i]
		if add.Op != "Add" {
			continue
		}
		q, d := graph.Node{Name: "faulty quantizer", Op: "QuantizeLinear", Inputs: []string{add.Inputs[0], "y_scale", "y_zero"}, Outputs: []string{"faulty q"}},
			graph.Node{Name: "faulty dequantizer", Op: "DequantizeLinear", Inputs: []string{"faulty q", "y_scale", "y_zero"}, Outputs: []string{"faulty dq"}}
		add.Inputs = []string{"faulty dq", add.Inputs[1]}
		p.Nodes = append(append(append([]graph.Node(nil), p.Nodes[:i]...), q, d, add), p.Nodes[i+1:]...)
		return
	}
}

// requantizers are legal ways to quantize: in f32 by the reciprocal of the
// scale, or in double with the products in another order.
func requantizers(single bool) map[string]Kernel {
	round := func(v float64) float64 {
		if single {
			return float64(float32(v))
		}
		return v
	}
	products := func(sum func(k *Launch) (*reference.Array, error), factor func(k *Launch, i int) (x, w float64), scale int) Kernel {
		return func(k *Launch) ([]*reference.Array, error) {
			q, err := reference.QuantizedOf(k.Call, k.In)
			if err != nil {
				return nil, err
			}
			s, err := sum(k)
			if err != nil {
				return nil, err
			}
			y := reference.New(s.Shape...)
			for i, v := range s.Data {
				a, b := factor(k, i)
				if single {
					y.Data[i] = q.Of(round(round(v)*round(round(a*b)/k.In[scale].Data[0])), i)
				} else {
					y.Data[i] = q.Of(v*a*b/k.In[scale].Data[0], i)
				}
			}
			return []*reference.Array{y}, nil
		}
	}
	// The sums are those of steps of 1.
	unit := func(x, w, y int) func(k *Launch) (*reference.Array, error) {
		return func(k *Launch) (*reference.Array, error) {
			in := append([]*reference.Array(nil), k.In...)
			for _, i := range []int{x, w, y} {
				in[i] = mapped(in[i], func(float64) float64 { return 1 })
			}
			q, err := reference.QuantizedOf(k.Call, in)
			return q.Steps.Array(k.Acc), err
		}
	}
	return map[string]Kernel{
		"QuantizeLinear": requantized(func(q reference.Quantized, v float64, i int) float64 { return q.Of(round(v), i) }),
		"QLinearConv": products(unit(1, 4, 6), func(k *Launch, i int) (float64, float64) {
			s := k.Call.Out[0].Shape
			w := k.In[4].Data
			return k.In[1].Data[0], w[i/s[2:].Elements()%s[1]%len(w)]
		}, 6),
		"QLinearMatMul": products(unit(1, 4, 6), func(k *Launch, i int) (float64, float64) {
			s := k.Call.Out[0].Shape
			m, n := s[len(s)-2], s[len(s)-1]
			matrix, row, col := i/(m*n), i/n%m, i%n
			a, b := k.In[1].Data, k.In[4].Data
			return a[(matrix*m+row)%len(a)], b[(matrix*n+col)%len(b)]
		}, 6),
	}
}

// requantizing is a legal variant with other arithmetic in its quantizers.
func requantizing(single bool) func() backends.Backend {
	return func() backends.Backend {
		return &Rig{Mode: reference.Mode{Round: true}, Kernels: requantizers(single)}
	}
}
