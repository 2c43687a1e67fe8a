package cpu

import (
	"errors"
	"fmt"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// The gradient of a mean over windows is that of a depthwise convolution with a
// filter of ones, each output over its window's divisor.

// poolBackOf plans it; nil if there is no kernel.
func poolBackOf(set kernel.ISA, w *graph.Window) *kernel.Depthwise {
	p := kernel.Window{Out: w.Out, Kernel: w.Kernel, Strides: w.Strides, Dilations: w.Dilations}
	for i, n := range w.In {
		// With ceil_mode a window may hang over the padding.
		p.In = append(p.In, max(n+w.PadBegin[i]+w.PadEnd[i], (w.Out[i]-1)*w.Strides[i]+w.Kernel[i]))
	}
	return kernel.NewDepthwiseInputGrad(set, p, w.PadBegin, w.In)
}

func takesPoolFilter(c *graph.Call) error {
	if err := takesPool(tensor.F32)(c); err != nil {
		return err
	}
	w, err := c.PoolWindow()
	if err != nil {
		return err
	}
	if poolBackOf(kernel.Generic, w) == nil {
		return errors.New("not windows of 3x3 or 5x5, a step of 1 or 2 apart")
	}
	return nil
}

// buildAveragePoolGradFilter: a piece of work is a plane.
func buildAveragePoolGradFilter(b *builder, p *part) error {
	c := p.head()
	w, err := c.PoolWindow()
	if err != nil {
		return err
	}
	t, err := newWindowTaps(c)
	if err != nil {
		return err
	}
	d := poolBackOf(b.isa, w)
	p.kernel = fmt.Sprintf("average pool gradient %v", b.isa)
	divisors, ones := make([]float32, t.out), make([]float32, w.Taps())
	for o, v := range t.divisor {
		divisors[o] = float32(v)
	}
	for k := range ones {
		ones[k] = 1
	}
	dy, dx := b.in(c, 0), b.out(c, 0)
	padded, shares := b.scratches(4*d.PaddedLen()), b.scratches(4*t.out)
	n := planes(dx.typ)
	p.phases = []phase{{serial: n*len(t.taps) < serialElements, task: func(worker, workers int) {
		image, share := padded[worker].f32(), shares[worker].f32()
		clear(image)
		for i := n * worker / workers; i < n*(worker+1)/workers; i++ {
			kernel.Div.Vectors(b.isa, share, lineOf(dy.f32(), i, t.out), divisors)
			d.Pad(image, share)
			d.Filter(lineOf(dx.f32(), i, t.in), image, ones, 0, false)
		}
	}}}
	return nil
}
