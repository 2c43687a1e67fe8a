package faults

import (
	"math"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Wrong products, convolutions and sums.

var productFaults = []Fault{
	kernel("conv-dilation-ignored", "Conv", "dilation 1 taken for granted", func(k *Launch) ([]*reference.Array, error) {
		// The window keeps its outputs; its taps close up.
		return convTaps(k, func(axis, o, tap int, w *graph.Window) int { return w.Start(axis, o) + tap })
	}),
	kernel("conv-pads-swapped", "Conv", "beginnings and ends of asymmetric padding exchanged", func(k *Launch) ([]*reference.Array, error) {
		return convTaps(k, func(axis, o, tap int, w *graph.Window) int {
			return o*w.Strides[axis] - w.PadEnd[axis] + tap*w.Dilations[axis]
		})
	}),
	kernel("conv-kernel-flipped", "Conv", "a true convolution in place of a correlation", on(1, func(w *reference.Array, _ *Launch) *reference.Array {
		return flippedTaps(w)
	})),
	kernel("conv-dilation-one-axis", "Conv", "the first axis's dilation taken for both", func(k *Launch) ([]*reference.Array, error) {
		return convTaps(k, func(axis, o, tap int, w *graph.Window) int { return w.Start(axis, o) + tap*w.Dilations[0] })
	}),
	kernel("conv-group-off-by-one", "Conv", "a filter at the edge of a group sees the next group's channels", on(0, func(x *reference.Array, k *Launch) *reference.Array {
		return rotatedGroups(x, k.Call.Int("group"))
	})),
	kernel("conv-last-tap-dropped", "Conv", "the last tap of a window left out", on(1, func(w *reference.Array, _ *Launch) *reference.Array {
		last := len(w.Shape) - 1
		return withoutIndex(w, last, w.Shape[last]-1, w.Shape[last] > 1)
	})),
	kernel("conv-large-batch-zero", "Conv", "images beyond 65,535 left zero (tensorflow#9870)", largeBatchZero).standard(),
	kernel("conv-channel-slice-stride", "Slice", "a convolution reads a slice of channels as if its images lay side by side", channelSlice).only("Conv"),
	kernel("conv-bias-first-group", "Conv", "fused bias indexed within the group (onnxruntime#12498)", on(2, func(b *reference.Array, k *Launch) *reference.Array {
		y := reference.New(b.Shape...)
		per := len(b.Data) / k.Call.Int("group")
		for i := range y.Data {
			y.Data[i] = b.Data[i%per]
		}
		return y
	})),
	kernel("conv-last-channel-dropped", "Conv", "a tail of the sum over input channels left out", on(1, func(w *reference.Array, _ *Launch) *reference.Array {
		return withoutIndex(w, 1, w.Shape[1]-1, w.Shape[1] > 1)
	})),
	kernel("conv-tf32-inputs", "Conv", "inputs of 11 bits in strict mode", func(k *Launch) ([]*reference.Array, error) {
		k.In[0], k.In[1] = mapped(k.In[0], tf32), mapped(k.In[1], tf32)
		return k.Plain()
	}),
	kernel("conv-input-grad-strides", "ConvInputGrad", "the gradient's last row of outputs left out where strides do not divide", on(0, func(dy *reference.Array, _ *Launch) *reference.Array {
		return withoutIndex(dy, 2, dy.Shape[2]-1, dy.Shape[2] > 1)
	})),
	kernel("conv-input-grad-not-flipped", "ConvInputGrad", "weights not mirrored for the transposed convolution", on(1, func(w *reference.Array, _ *Launch) *reference.Array {
		return flippedTaps(w)
	})),
	kernel("conv-weight-grad-last-image", "ConvWeightGrad", "split sum over the batch without its tail", on(1, func(dy *reference.Array, _ *Launch) *reference.Array {
		return withoutIndex(dy, 0, dy.Shape[0]-1, dy.Shape[0] > 1)
	})),
	kernel("conv-weight-grad-bf16-partials", "ConvWeightGrad", "partial sums of a split rounded to bf16", after(func(y float64, _ int, _ *Launch) float64 {
		return tensor.Round(y, tensor.BF16)
	})),
	kernel("conv-input-grad-first-group", "ConvInputGrad", "every group's gradient by the weights of the first", on(1, func(w *reference.Array, k *Launch) *reference.Array {
		return firstGroup(w, k.Call.Int("group"))
	})),
	kernel("conv-weight-grad-one-image", "ConvWeightGrad", "the gradient of the last image in place of their sum", on(1, func(dy *reference.Array, _ *Launch) *reference.Array {
		y := dy
		for n := range dy.Shape[0] - 1 {
			y = withoutIndex(y, 0, n, true)
		}
		return y
	})),
	kernel("conv-weight-grad-pads-swapped", "ConvWeightGrad", "beginnings and ends of asymmetric padding exchanged", attr(func(a graph.Attrs, c *graph.Call) {
		pads := slices.Clone(a["pads"].Ints) // none: nothing to exchange
		if len(pads) == 0 {
			return
		}
		half := len(pads) / 2
		for i := range half {
			pads[i], pads[half+i] = pads[half+i], pads[i]
		}
		a["pads"] = graph.L(pads...)
	})),
	kernel("matmul-stack-of-the-first", "MatMul", "a stack that is broadcast on both sides read from its first matrix", on(1, func(b *reference.Array, k *Launch) *reference.Array {
		n := len(b.Shape) - 2
		size := b.Shape[n:].Elements()
		y := reference.New(b.Shape...)
		for i := range y.Data {
			y.Data[i] = b.Data[i%size]
		}
		return y
	})),
	kernel("matmul-empty-sum-stale", "MatMul", "with no terms to add up the output is left as it was", after(func(y float64, i int, k *Launch) float64 {
		if a := k.Call.In[0].Shape; a[len(a)-1] == 0 {
			return 1
		}
		return y
	})).standard(),
	kernel("matmul-large-stack-zero", "MatMul", "products beyond 65,535 left zero (tensorflow#9870)", largeBatchZero).standard(),
	kernel("matmul-split-k-bf16-partials", "MatMul", "two halves of the sum, each rounded to bf16", func(k *Launch) ([]*reference.Array, error) {
		first, second := *k, *k
		last := len(k.In[0].Shape) - 1
		half := func(l *Launch, keep func(i int) bool) ([]*reference.Array, error) {
			l.In = slices.Clone(k.In)
			for i := range k.In[0].Shape[last] {
				l.In[0] = withoutIndex(l.In[0], last, i, !keep(i))
			}
			return l.Plain()
		}
		middle := k.In[0].Shape[last] / 2
		a, err := half(&first, func(i int) bool { return i < middle })
		if err != nil {
			return nil, err
		}
		b, err := half(&second, func(i int) bool { return i >= middle })
		if err != nil {
			return nil, err
		}
		return []*reference.Array{reference.Add(mapped(a[0], bf16), mapped(b[0], bf16))}, nil
	}),
	kernel("gemm-transposed-as-it-lies", "Gemm", "a square B read without its transposition, or with one too many", attr(func(a graph.Attrs, c *graph.Call) {
		if b := c.In[1].Shape; b[0] == b[1] {
			a["transB"] = graph.I(1 - c.Int("transB"))
		}
	})).standard(),
	kernel("matmul-bf16-inputs", "MatMul", "inputs of 8 bits", func(k *Launch) ([]*reference.Array, error) {
		k.In[0], k.In[1] = mapped(k.In[0], bf16), mapped(k.In[1], bf16)
		return k.Plain()
	}),
	kernel("matmul-tf32-one-input", "MatMul", "only the packed operand loses bits", on(1, func(b *reference.Array, _ *Launch) *reference.Array { return mapped(b, tf32) })),
	kernel("matmul-f16-accumulator", "MatMul", "sums kept in f16", halfAccumulator),
	kernel("matmul-depth-tail-dropped", "MatMul", "K beyond a multiple of 8 left out", on(0, func(a *reference.Array, _ *Launch) *reference.Array {
		last := len(a.Shape) - 1
		y := a
		for i := a.Shape[last] / 8 * 8; i < a.Shape[last]; i++ {
			y = withoutIndex(y, last, i, a.Shape[last] > 8)
		}
		return y
	})),
	kernel("matmul-last-k-dropped", "MatMul", "a loop over K that ends one short", on(0, func(a *reference.Array, _ *Launch) *reference.Array {
		last := len(a.Shape) - 1
		return withoutIndex(a, last, a.Shape[last]-1, a.Shape[last] > 0)
	})),
	kernel("matmul-row-tail-stale", "MatMul", "rows of the last register tile of 14 written with the tile before", after(func(y float64, i int, k *Launch) float64 {
		n := k.Call.Out[0].Shape[len(k.Call.Out[0].Shape)-1]
		m := k.Call.Out[0].Shape[len(k.Call.Out[0].Shape)-2]
		if row := i / n % m; m > 14 && m%14 != 0 && row >= m/14*14 {
			return 0
		}
		return y
	})),
	kernel("matmul-zero-skipped", "MatMul", "multiplying by zero skipped, which loses NaN (gonum#224)", func(k *Launch) ([]*reference.Array, error) {
		k.In[0] = mapped(k.In[0], func(v float64) float64 {
			if math.IsNaN(v) {
				return 0
			}
			return v
		})
		return k.Plain()
	}),
	kernel("matmul-dropped-once-in-a-while", "MatMul", "a race that loses one product in a thousand", on(1, func(b *reference.Array, _ *Launch) *reference.Array {
		y := mapped(b, func(v float64) float64 { return v })
		for i := 500 % len(y.Data); i < len(y.Data); i += 1009 {
			y.Data[i] = 0
		}
		return y
	})),
	kernel("gemm-beta-ignored", "Gemm", "beta taken for 1", attr(func(a graph.Attrs, _ *graph.Call) { delete(a, "beta") })),
	kernel("gemm-bias-by-row", "Gemm", "a bias of N read by row where M allows it", on(2, func(c *reference.Array, k *Launch) *reference.Array {
		m, n, _, err := k.Call.GemmDims()
		if err != nil || len(c.Data) != n || m < 2 {
			return c
		}
		y := reference.New(m, 1)
		for i := range y.Data {
			y.Data[i] = c.Data[i%n]
		}
		return y
	})),
	kernel("reduce-sum-tail", "ReduceSum", "the tail of a vectorised sum left out", on(0, func(x *reference.Array, k *Launch) *reference.Array {
		axes, err := k.Call.Axes("axes")
		if err != nil {
			return x
		}
		a := axes[len(axes)-1]
		return withoutIndex(x, a, x.Shape[a]-1, x.Shape[a]%4 != 0)
	})),
	kernel("reduce-mean-off-by-one", "ReduceMean", "divided by n − 1", after(func(y float64, _ int, k *Launch) float64 {
		n := float64(k.Call.In[0].Shape.Elements()) / float64(k.Call.Out[0].Shape.Elements())
		return y * n / (n - 1)
	})),
	kernel("reduce-mean-for-sum", "ReduceSum", "the sum divided by the number of its terms", after(func(y float64, _ int, k *Launch) float64 {
		return y * float64(k.Call.Out[0].Shape.Elements()) / float64(k.Call.In[0].Shape.Elements())
	})),
	kernel("reduce-max-from-zero", "ReduceMax", "a maximum that starts at zero", after(func(y float64, _ int, _ *Launch) float64 { return max(y, 0) })),
}

// largeBatchZero clears what is beyond the first 65,535 of the leading axis.
var largeBatchZero = after(func(y float64, i int, k *Launch) float64 {
	if s := k.Call.Out[0].Shape; i/s[1:].Elements() >= 65_535 {
		return 0
	}
	return y
})

// rotatedGroups hands each group the channels of the next.
func rotatedGroups(x *reference.Array, groups int) *reference.Array {
	y := reference.New(x.Shape...)
	image := x.Shape[1:].Elements()
	for i := range y.Data {
		y.Data[i] = x.Data[i/image*image+(i%image+image/groups)%image]
	}
	return y
}

// firstGroup repeats the first group's weights.
func firstGroup(w *reference.Array, groups int) *reference.Array {
	y, size := reference.New(w.Shape...), len(w.Data)/groups
	for i := range y.Data {
		y.Data[i] = w.Data[i%size]
	}
	return y
}

// channelSlice takes images for as far apart as those of its output are.
func channelSlice(k *Launch) ([]*reference.Array, error) {
	ranges, err := k.Call.SliceRanges()
	if err != nil || len(ranges) != 4 || ranges[1].Count == k.In[0].Shape[1] || ranges[1].Step != 1 {
		return k.Plain()
	}
	y, plane := reference.New(k.Call.Out[0].Shape...), k.In[0].Shape[2:].Elements()
	for i := range y.Data {
		y.Data[i] = k.In[0].Data[ranges[1].Start*plane+i]
	}
	return []*reference.Array{y}, nil
}

func tf32(v float64) float64 { return chopped(v, 11) }
func bf16(v float64) float64 { return tensor.Round(v, tensor.BF16) }

// chopped rounds to a number of significand bits.
func chopped(v float64, bits int) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return v
	}
	f, e := math.Frexp(v)
	return math.Ldexp(math.RoundToEven(math.Ldexp(f, bits)), e-bits)
}

// withoutIndex zeroes one index of an axis.
func withoutIndex(x *reference.Array, axis, index int, really bool) *reference.Array {
	if !really {
		return x
	}
	y := mapped(x, func(v float64) float64 { return v })
	inner := x.Shape[axis+1:].Elements()
	for i := range y.Data {
		if i/inner%x.Shape[axis] == index {
			y.Data[i] = 0
		}
	}
	return y
}

// flippedTaps mirrors the spatial axes of weights.
func flippedTaps(w *reference.Array) *reference.Array {
	y, taps := reference.New(w.Shape...), w.Shape[2:].Elements()
	for i := range y.Data {
		y.Data[i] = w.Data[i/taps*taps+taps-1-i%taps]
	}
	return y
}

// convTaps is a 2-D convolution whose taps lie where at says; the bias and
// groups are right.
func convTaps(k *Launch, at func(axis, o, tap int, w *graph.Window) int) ([]*reference.Array, error) {
	win, err := k.Call.ConvWindow()
	if err != nil || len(win.In) != 2 {
		return k.Plain()
	}
	x, w, y := k.In[0], k.In[1], reference.New(k.Call.Out[0].Shape...)
	m, c := w.Shape[0], w.Shape[1]
	perGroup := m / k.Call.Int("group")
	for i := range y.Data {
		o1, o0, f, n := i%win.Out[1], i/win.Out[1]%win.Out[0], i/(win.Out[1]*win.Out[0])%m, i/(win.Out[1]*win.Out[0]*m)
		sum := 0.0
		if k.In[2] != nil {
			sum = k.In[2].Data[f]
		}
		for ch := range c {
			for t0 := range win.Kernel[0] {
				for t1 := range win.Kernel[1] {
					i0, i1 := at(0, o0, t0, win), at(1, o1, t1, win)
					if i0 < 0 || i1 < 0 || i0 >= win.In[0] || i1 >= win.In[1] {
						continue
					}
					from := ((n*x.Shape[1]+f/perGroup*c+ch)*win.In[0]+i0)*win.In[1] + i1
					sum += x.Data[from] * w.Data[((f*c+ch)*win.Kernel[0]+t0)*win.Kernel[1]+t1]
				}
			}
		}
		y.Data[i] = sum
	}
	return []*reference.Array{y}, nil
}

// halfAccumulator is a matrix product whose running sum is rounded to 11 bits
// (with f32's range, so that only the precision is at fault).
func halfAccumulator(k *Launch) ([]*reference.Array, error) {
	if len(k.In[0].Shape) != 2 || len(k.In[1].Shape) != 2 {
		return k.Plain()
	}
	m, depth, n := k.In[0].Shape[0], k.In[0].Shape[1], k.In[1].Shape[1]
	y := reference.New(m, n)
	for i := range m {
		for j := range n {
			sum := 0.0
			for l := range depth {
				sum = chopped(sum+k.In[0].Data[i*depth+l]*k.In[1].Data[l*n+j], 11)
			}
			y.Data[i*n+j] = sum
		}
	}
	return []*reference.Array{y}, nil
}
