package faults

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Wrong movement, indexing and reductions.

var indexingFaults = []Fault{
	kernel("slice-step-ignored", "Slice", "a strided slice read as a contiguous one", func(k *Launch) ([]*reference.Array, error) {
		ranges, err := k.Call.SliceRanges()
		for i := range ranges {
			if ranges[i].Step > 1 {
				ranges[i].Step = 1
			}
		}
		return []*reference.Array{reference.Slice(k.In[0], ranges)}, err
	}),
	kernel("slice-channel-stride", "Slice", "a slice of channels taken for whole images of fewer channels", func(k *Launch) ([]*reference.Array, error) {
		ranges, err := k.Call.SliceRanges()
		if err != nil || len(ranges) < 2 || ranges[1].Step != 1 {
			out, err := k.Plain()
			return out, err
		}
		y := reference.New(k.Call.Out[0].Shape...)
		first := ranges[1].Start * k.In[0].Shape[2:].Elements()
		for i := range y.Data {
			y.Data[i] = k.In[0].Data[(first+i)%len(k.In[0].Data)]
		}
		return []*reference.Array{y}, nil
	}),
	kernel("concat-order", "Concat", "the second input written before the first", func(k *Launch) ([]*reference.Array, error) {
		if n := len(k.In); n > 1 {
			k.In[0], k.In[1] = k.In[1], k.In[0]
		}
		return k.Plain()
	}),
	kernel("split-equal-parts", "Split", "uneven parts cut as if they were even", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err != nil || len(out) < 2 {
			return out, err
		}
		last := out[len(out)-1]
		y := reference.New(last.Shape...)
		copy(y.Data, k.In[0].Data)
		out[len(out)-1] = y
		return out, nil
	}),
	kernel("pad-wrong-side", "Pad", "the pads of beginnings and ends exchanged", attr(func(a graph.Attrs, c *graph.Call) {
		p := c.Ints("pads")
		n := len(p) / 2
		for i := range n {
			if p[i] >= 0 && p[n+i] >= 0 {
				p[i], p[n+i] = p[n+i], p[i]
			}
		}
		a["pads"] = graph.L(p...)
	})),
	kernel("pad-shift-of-outer-axis-ignored", "Pad", "an outer axis that keeps its extent taken for one that is not padded", attr(func(a graph.Attrs, c *graph.Call) {
		begin, end, err := c.PadWidths()
		if err != nil {
			return // the plain kernel says so
		}
		for axis := range len(begin) - 1 {
			if begin[axis]+end[axis] == 0 {
				begin[axis], end[axis] = 0, 0
			}
		}
		a["pads"] = graph.L(append(begin, end...)...)
		delete(a, "axes")
	})),
	kernel("pad-reflect-repeats-edge", "Pad", "symmetric in place of reflect: the edge stands twice", func(k *Launch) ([]*reference.Array, error) {
		if k.Call.Str("mode") != "reflect" {
			return k.Plain()
		}
		begin, end, err := k.Call.PadWidths()
		if err != nil {
			return nil, err
		}
		edged := k.In[0]
		one, other := make([]int, len(begin)), make([]int, len(end))
		for i := range begin {
			one[i], other[i] = min(1, max(begin[i], 0)), min(1, max(end[i], 0))
			begin[i], end[i] = begin[i]-one[i], end[i]-other[i]
		}
		edged = reference.Pad(edged, one, other, "edge", 0)
		return []*reference.Array{reference.Pad(edged, begin, end, "reflect", 0)}, nil
	}),
	kernel("pad-value-zero", "Pad", "the constant taken for 0", attr(func(a graph.Attrs, _ *graph.Call) { a["value"] = graph.F(0) })),
	kernel("gather-negative-clamped", "Gather", "negative indices drawn to 0", clampedIndices).also("GatherElements"),
	kernel("gather-elements-as-gather", "GatherElements", "the first row's indices used for all", func(k *Launch) ([]*reference.Array, error) {
		axis, err := k.Call.Axis("axis")
		if err != nil {
			return nil, err
		}
		indices := reference.New(k.In[1].Shape...)
		inner := indices.Shape[axis+1:].Elements()
		for i := range indices.Data {
			indices.Data[i] = k.In[1].Data[i/inner%indices.Shape[axis]*inner]
		}
		y, err := reference.GatherElements(k.In[0], indices, axis)
		return []*reference.Array{y}, err
	}),
	kernel("scatter-add-last-wins", "ScatterAdd", "an update overwrites those before it: a race without atomics", func(k *Launch) ([]*reference.Array, error) {
		axis, err := k.Call.Axis("axis")
		if err != nil {
			return nil, err
		}
		x, n, inner := k.In[0], k.In[0].Shape[axis], k.In[0].Shape[axis+1:].Elements()
		y := &reference.Array{Shape: x.Shape, Data: append([]float64(nil), x.Data...)}
		m := len(k.In[1].Data)
		for i, u := range k.In[2].Data {
			o, j, r := i/inner/m, i/inner%m, i%inner
			at := (o*n+(int(k.In[1].Data[j])+n)%n)*inner + r
			y.Data[at] = x.Data[at] + u
		}
		return []*reference.Array{y}, nil
	}),
	kernel("scatter-nd-drops-last", "ScatterND", "the last tuple left out", func(k *Launch) ([]*reference.Array, error) {
		n := k.Call.In[1].Shape[len(k.Call.In[1].Shape)-1]
		tuples := len(k.In[1].Data) / n
		size := len(k.In[2].Data) / tuples
		short := func(x *reference.Array, each int, tail ...int) *reference.Array {
			return &reference.Array{Shape: append(tensor.Shape{tuples - 1}, tail...), Data: x.Data[:(tuples-1)*each]}
		}
		indices := short(k.In[1], n, n)
		updates := short(k.In[2], size, k.In[0].Shape[n:]...)
		y, err := reference.ScatterND(k.Acc, k.In[0], indices, updates, k.Call.Str("reduction"))
		return []*reference.Array{y}, err
	}),
	kernel("argmax-last-tie", "ArgMax", "the last of equal maxima", attr(func(a graph.Attrs, _ *graph.Call) { a["select_last_index"] = graph.I(1) })),
	kernel("argmax-skips-nan", "ArgMax", "NaN, which compares false, passed over", on(0, func(x *reference.Array, _ *Launch) *reference.Array {
		return mapped(x, func(v float64) float64 {
			if math.IsNaN(v) {
				return math.Inf(-1)
			}
			return v
		})
	})),
	kernel("topk-unstable", "TopK", "equal elements in reverse order", func(k *Launch) ([]*reference.Array, error) {
		axis, err := k.Call.Axis("axis")
		if err != nil {
			return nil, err
		}
		ranges := make([]graph.Range, len(k.In[0].Shape))
		for i, n := range k.In[0].Shape {
			ranges[i] = graph.Range{Start: 0, Step: 1, Count: n}
		}
		n := k.In[0].Shape[axis]
		ranges[axis] = graph.Range{Start: n - 1, Step: -1, Count: n}
		values, indices := reference.TopK(reference.Slice(k.In[0], ranges), axis, k.Call.Int("k"), k.Call.Int("largest") != 0)
		return []*reference.Array{values, mapped(indices, func(i float64) float64 { return float64(n-1) - i })}, nil
	}),
	kernel("min-from-zero", "ReduceMin", "a minimum that starts at 0", after(func(y float64, _ int, _ *Launch) float64 { return min(y, 0) })),
	kernel("product-skips-negative", "ReduceProd", "exp of a sum of logarithms of magnitudes", on(0, func(x *reference.Array, _ *Launch) *reference.Array {
		return mapped(x, math.Abs)
	})),
	kernel("l2-without-root", "ReduceL2", "the sum of squares", after(func(y float64, _ int, _ *Launch) float64 { return y * y })),
	kernel("log-sum-exp-no-max", "ReduceLogSumExp", "exponentials summed in f32 without the maximum taken out", func(k *Launch) ([]*reference.Array, error) {
		x := k.In[0]
		k.In[0] = mapped(x, func(v float64) float64 { return float64(float32(math.Exp(v)))*(1+0x1p-18) + 0x1p-40 })
		f, _ := reference.Lookup("ReduceLogSum")
		return f.Outputs(k.Acc, k.Call, k.In)
	}).once("only terms beyond exp's range show it: one class has them"),
	kernel("resize-half-pixel-dropped", "Resize", "half_pixel computed as asymmetric", attr(func(a graph.Attrs, c *graph.Call) {
		if c.Str("coordinate_transformation_mode") == "half_pixel" {
			a["coordinate_transformation_mode"] = graph.S("asymmetric")
		}
	})).once("a mode of Resize, whose cases have one class of data"),
	kernel("resize-floor-for-round", "Resize", "nearest rounds down", attr(func(a graph.Attrs, _ *graph.Call) { a["nearest_mode"] = graph.S("floor") })).once("a mode of Resize, whose cases have one class of data"),
	kernel("depth-to-space-crd", "DepthToSpace", "column-row-depth order in place of depth-column-row", attr(func(a graph.Attrs, _ *graph.Call) { a["mode"] = graph.S("CRD") })),
	kernel("cumsum-inclusive", "CumSum", "the element itself counted where it must not be", attr(func(a graph.Attrs, _ *graph.Call) { a["exclusive"] = graph.I(0) })),
	kernel("one-hot-negative-dropped", "OneHot", "negative indices are nowhere", on(0, func(x *reference.Array, k *Launch) *reference.Array {
		return mapped(x, func(v float64) float64 {
			if v < 0 {
				return float64(k.Call.Int("depth"))
			}
			return v
		})
	})).once("OneHot's cases have one class of data, indices from both ends"),
}

func clampedIndices(k *Launch) ([]*reference.Array, error) {
	k.In[1] = mapped(k.In[1], func(v float64) float64 { return max(v, 0) })
	return k.Plain()
}
