package faults

import (
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
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
	kernel("maxpool-grad-overwrites", "MaxPoolGrad", "of several windows with one maximum the last wins", func(k *Launch) ([]*reference.Array, error) {
		dy, indices := k.In[0], k.In[1]
		y := reference.New(k.Call.Out[0].Shape...)
		for i, at := range indices.Data {
			y.Data[int(at)] = dy.Data[i]
		}
		return []*reference.Array{y}, nil
	}),
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
