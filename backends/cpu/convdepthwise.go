package cpu

import (
	"errors"
	"fmt"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
)

// Depthwise convolutions: each group has one channel, of which any number of
// filters may be taken; so has one group of grey images. The sums are too short
// for a matrix product, which would first have to copy every tap.

// depthwiseOf plans for the planes of a convolution; nil if there is no kernel.
func depthwiseOf(set kernel.ISA, g *conv) *kernel.Depthwise {
	if g.channels != 1 {
		return nil
	}
	return kernel.NewDepthwise(set, g.padded, g.before, g.extents)
}

// takesDepthwise wants a channel a group, and windows that there is a kernel
// for.
func takesDepthwise(c *graph.Call) error {
	if err := ofTypes(f32Only, 0)(c); err != nil {
		return err
	}
	g, err := newConv(c)
	if err != nil {
		return err
	}
	if depthwiseOf(kernel.Generic, g) == nil {
		return errors.New("not a channel a group, or not windows of 3x3 or 5x5, a step of 1 or 2 apart")
	}
	return nil
}

// buildDepthwise: a piece of work is a plane of Y.
func buildDepthwise(b *builder, p *part) error {
	c := p.head()
	g, err := newConv(c)
	if err != nil {
		return err
	}
	d := depthwiseOf(b.isa, g)
	x, w, bias, y := b.in(c, 0), b.in(c, 1), b.in(c, 2), b.out(p.last(), 0)
	e := epilogue{bias: bias, relu: len(p.calls) > 1}
	p.kernel = fmt.Sprintf("depthwise conv%v %v", &e, b.isa)
	padded := b.scratches(4 * d.PaddedLen())
	filters, planes := g.groups*g.filters, g.images*g.groups*g.filters
	p.phases = []phase{{serial: 2*planes*g.pixels*g.taps < serialFLOPs/4, task: func(worker, workers int) {
		image, laid := padded[worker].f32(), -1 // which plane of X is laid out
		clear(image)
		for i := planes * worker / workers; i < planes*(worker+1)/workers; i++ {
			n, m := i/filters, i%filters
			if plane := n*g.groups + m/g.filters; plane != laid {
				d.Pad(image, lineOf(x.f32(), plane, g.plane))
				laid = plane
			}
			shift := float32(0)
			if bias != nil {
				shift = bias.f32()[m]
			}
			d.Filter(lineOf(y.f32(), i, g.pixels), image, lineOf(w.f32(), m, g.taps), shift, e.relu)
		}
	}}}
	return nil
}
