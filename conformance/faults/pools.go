package faults

import (
	"math"
	"slices"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Wrong pools.

var poolFaults = []Fault{
	kernel("maxpool-padding-is-zero", "MaxPool", "padding takes part in the maximum as zero", after(func(y float64, i int, k *Launch) float64 {
		win, err := k.Call.PoolWindow()
		if err != nil || !onPadding(win, i) {
			return y
		}
		return max(y, 0)
	})),
	kernel("maxpool-index-in-window", "MaxPool", "indices relative to the plane", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err == nil {
			plane := float64(k.Call.In[0].Shape[2:].Elements())
			out[1] = mapped(out[1], func(v float64) float64 { return v - plane*float64(int(v/plane)) })
		}
		return out, err
	}),
	kernel("average-counts-phantom-cells", "AveragePool", "taps beyond the padding of ceil mode counted", attrAverage),
	kernel("average-includes-padding", "AveragePool", "the divisor is always the window's size", after(func(y float64, i int, k *Launch) float64 {
		win, err := k.Call.PoolWindow()
		if err != nil {
			return y
		}
		return y * float64(tapsOn(win, i)) / float64(win.Taps())
	})),
	kernel("average-grad-not-divided", "AveragePoolGrad", "the gradient spread whole, not in parts", after(func(y float64, _ int, k *Launch) float64 {
		win, err := k.Call.PoolWindow()
		if err != nil {
			return y
		}
		return y * float64(win.Taps())
	})),
	kernel("global-average-of-last-axis", "GlobalAveragePool", "divided by the width alone", after(func(y float64, _ int, k *Launch) float64 {
		x := k.Call.In[0].Shape
		return y * float64(x[2:].Elements()) / float64(x[len(x)-1])
	})),
	kernel("global-max-from-zero", "GlobalMaxPool", "a maximum that starts at zero", after(func(y float64, _ int, _ *Launch) float64 { return max(y, 0) })),
	kernel("adaptive-windows-by-floor", "AdaptiveAveragePool", "windows that end at ⌊(o+1)·n/m⌋, without the overlap", func(k *Launch) ([]*reference.Array, error) {
		windows, err := k.Call.AdaptiveWindows()
		if err != nil {
			return nil, err
		}
		for axis, spans := range windows {
			for o := range spans {
				spans[o].To = max(spans[o].From+1, (o+1)*k.Call.In[0].Shape[axis+2]/len(spans))
			}
		}
		return []*reference.Array{reference.AdaptiveAveragePool(k.In[0], windows).Array(k.Acc)}, nil
	}),
	kernel("maxpool-large-batch-zero", "MaxPool", "images beyond 65,535 left zero (tensorflow#9870)", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if n := out[0].Shape[1:].Elements() * 65_535; err == nil && len(out[0].Data) > n {
			out[0] = mapped(out[0], func(v float64) float64 { return v })
			clear(out[0].Data[n:])
		}
		return out, err
	}).standard(),
	kernel("maxpool-unsigned-as-signed", "MaxPool", "bytes from 128 on taken for negative ones", func(k *Launch) ([]*reference.Array, error) {
		if k.Call.In[0].DType != tensor.U8 {
			return k.Plain()
		}
		signed := func(by float64) func(v float64) float64 {
			return func(v float64) float64 { return math.Mod(v+by, 256) }
		}
		k.In[0] = mapped(k.In[0], signed(128))
		out, err := k.Plain()
		if err == nil {
			out[0] = mapped(out[0], signed(128))
		}
		return out, err
	}).standard(),
	kernel("maxpool-index-order-ignored", "MaxPool", "storage_order 1 taken for 0", attr(func(a graph.Attrs, _ *graph.Call) { delete(a, "storage_order") })).standard(),
	kernel("average-one-axis-dilation", "AveragePool", "the first axis's dilation taken for both", attr(func(a graph.Attrs, c *graph.Call) {
		d := a["dilations"].Ints
		if len(d) == 0 {
			return
		}
		same := slices.Clone(d)
		for i := range same {
			same[i] = d[0]
		}
		a["dilations"] = graph.L(same...)
	})),
	kernel("average-grad-counts-padding", "AveragePoolGrad", "the gradient divided by the window's size at the border too", attr(func(a graph.Attrs, _ *graph.Call) { a["count_include_pad"] = graph.I(1) })),
	kernel("maxpool-grad-f16-sums", "MaxPoolGrad", "gradients of overlapping windows added up in 16 bits", func(k *Launch) ([]*reference.Array, error) {
		d := k.Call.Out[0].DType
		if d.Size() != 2 {
			return k.Plain()
		}
		y := reference.New(k.Call.Out[0].Shape...)
		for i, at := range k.In[1].Data {
			y.Data[int(at)] = tensor.Round(y.Data[int(at)]+k.In[0].Data[i], d)
		}
		return []*reference.Array{y}, nil
	}),
	splitTies(),
	kernel("maxpool-grad-overwrites", "MaxPoolGrad", "of several windows with one maximum the last wins", func(k *Launch) ([]*reference.Array, error) {
		dy, indices := k.In[0], k.In[1]
		y := reference.New(k.Call.Out[0].Shape...)
		for i, at := range indices.Data {
			y.Data[int(at)] = dy.Data[i]
		}
		return []*reference.Array{y}, nil
	}),
}

// splitTies deals a window's gradient out to all of its equal maxima. It knows
// them from the pool before it.
func splitTies() Fault {
	f := kernel("maxpool-grad-splits-ties", "MaxPoolGrad", "of equal maxima each gets a part, as a reduction's do", nil)
	f.Backend = func() backends.Backend {
		var x *reference.Array
		var win *graph.Window
		return &Rig{Mode: reference.Mode{Round: true}, Kernels: map[string]Kernel{
			"MaxPool": func(k *Launch) (out []*reference.Array, err error) {
				x = k.In[0]
				if win, err = k.Call.PoolWindow(); err != nil {
					return nil, err
				}
				return k.Plain()
			},
			"MaxPoolGrad": func(k *Launch) ([]*reference.Array, error) {
				if x == nil || !x.Shape.Equal(k.Call.Out[0].Shape) {
					return k.Plain()
				}
				y := reference.New(x.Shape...)
				inner, outer := x.Shape[2:].Elements(), k.In[0].Shape[2:].Elements()
				for i, d := range k.In[0].Data {
					var equal []int
					for _, at := range windowInputs(win, i%outer) {
						if at += i / outer * inner; x.Data[at] == x.Data[int(k.In[1].Data[i])] {
							equal = append(equal, at)
						}
					}
					for _, at := range equal {
						y.Data[at] += d / float64(len(equal))
					}
				}
				return []*reference.Array{y}, nil
			},
		}}
	}
	return f
}

// attrAverage pads the window of ceil mode with cells that count.
var attrAverage Kernel = func(k *Launch) ([]*reference.Array, error) {
	out, err := k.Plain()
	win, winErr := k.Call.PoolWindow()
	if err != nil || winErr != nil || k.Call.Int("ceil_mode") == 0 {
		return out, err
	}
	y := reference.New(out[0].Shape...)
	for i, v := range out[0].Data {
		y.Data[i] = v
		if on := tapsOn(win, i); on < win.Taps() && k.Call.Int("count_include_pad") == 0 && !onPadding(win, i) {
			y.Data[i] = v * float64(on) / float64(win.Taps())
		}
	}
	return []*reference.Array{y}, nil
}

// position is where on each spatial axis output i of a pool stands.
func position(win *graph.Window, i int) []int {
	at := make([]int, len(win.Out))
	for a := len(win.Out) - 1; a >= 0; a-- {
		at[a] = i % win.Out[a]
		i /= win.Out[a]
	}
	return at
}

// onPadding says whether a window reaches over the declared padding.
func onPadding(win *graph.Window, i int) bool {
	for a, o := range position(win, i) {
		end := win.Start(a, o) + (win.Kernel[a]-1)*win.Dilations[a]
		if win.Start(a, o) < 0 || (end >= win.In[a] && win.PadEnd[a] > 0) {
			return true
		}
	}
	return false
}

// tapsOn counts the taps of a window that lie on the input.
func tapsOn(win *graph.Window, i int) int {
	n := 1
	for a, o := range position(win, i) {
		met := 0
		for t := range win.Kernel[a] {
			if at := win.Start(a, o) + t*win.Dilations[a]; at >= 0 && at < win.In[a] {
				met++
			}
		}
		n *= met
	}
	return n
}
