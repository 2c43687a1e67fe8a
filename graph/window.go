package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// maxWindow bounds window attributes, so that no sum of them overflows.
const maxWindow = 1 << 24

// Window is the geometry of a sliding window over the spatial axes of an
// N×C×D1×D2… tensor: convolution and pooling alike.
type Window struct {
	Kernel, Strides, Dilations []int // one a spatial axis
	PadBegin, PadEnd           []int
	In, Out                    []int // spatial extents
}

// windowAttrs are the attributes that convolutions and pools share, in ONNX's
// names; pads are all beginnings, then all ends.
func windowAttrs(more ...AttrSpec) []AttrSpec {
	return append([]AttrSpec{
		{Name: "kernel_shape", Kind: IntList},
		{Name: "strides", Kind: IntList},
		{Name: "pads", Kind: IntList},
		{Name: "dilations", Kind: IntList},
	}, more...)
}

// newWindow reads the window attributes of c for an input of spatial extents
// in. kernel is used when the attribute kernel_shape is absent.
func newWindow(c *Call, in tensor.Shape, kernel []int) (*Window, error) {
	n := len(in)
	w := &Window{In: in, Kernel: c.Ints("kernel_shape"), Strides: c.Ints("strides"), Dilations: c.Ints("dilations")}
	if len(w.Kernel) == 0 {
		w.Kernel = kernel
	}
	if len(w.Strides) == 0 {
		w.Strides = repeat(1, n)
	}
	if len(w.Dilations) == 0 {
		w.Dilations = repeat(1, n)
	}
	pads := c.Ints("pads")
	if len(pads) == 0 {
		pads = repeat(0, 2*n)
	}
	for _, l := range []struct {
		name string
		list []int
		n    int
		min  int
	}{{"kernel_shape", w.Kernel, n, 1}, {"strides", w.Strides, n, 1}, {"dilations", w.Dilations, n, 1}, {"pads", pads, 2 * n, 0}} {
		if len(l.list) != l.n {
			return nil, fmt.Errorf("attribute %s: %v has %d entries, want %d", l.name, l.list, len(l.list), l.n)
		}
		for _, v := range l.list {
			if v < l.min || v > maxWindow {
				return nil, fmt.Errorf("attribute %s: %v: %d is outside [%d, %d]", l.name, l.list, v, l.min, maxWindow)
			}
		}
	}
	w.PadBegin, w.PadEnd = pads[:n], pads[n:]
	return w, w.fit(c)
}

// fit computes the output extents. With ceil_mode a last window may hang over
// the end, but must start inside the input or its beginning padding (PyTorch's
// rule, ONNX's since opset 22).
func (w *Window) fit(c *Call) error {
	ceil := 0
	if c.Op.attr("ceil_mode") != nil {
		ceil = c.Int("ceil_mode")
	}
	w.Out = make([]int, len(w.In))
	for i, in := range w.In {
		span := w.Dilations[i]*(w.Kernel[i]-1) + 1
		room := in + w.PadBegin[i] + w.PadEnd[i] - span
		if room < 0 {
			return fmt.Errorf("window of %d does not fit %d elements with pads %d and %d (spatial axis %d)", span, in, w.PadBegin[i], w.PadEnd[i], i)
		}
		w.Out[i] = room/w.Strides[i] + 1
		if ceil != 0 && room%w.Strides[i] != 0 && w.Out[i]*w.Strides[i] < in+w.PadBegin[i] {
			w.Out[i]++
		}
	}
	return nil
}

func repeat(v, n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// Start is the input coordinate at which output o's window begins on spatial
// axis i: negative inside the padding.
func (w *Window) Start(i, o int) int { return o*w.Strides[i] - w.PadBegin[i] }

// Taps is the number of window positions.
func (w *Window) Taps() int { return tensor.Shape(w.Kernel).Elements() }
