package cpu

import (
	"errors"
	"fmt"
	"slices"

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

// depthwiseBackOf plans the gradient of the planes, if one filter took each.
func depthwiseBackOf(set kernel.ISA, g *conv) *kernel.Depthwise {
	if g.channels != 1 || g.filters != 1 {
		return nil
	}
	return kernel.NewDepthwiseInputGrad(set, g.padded, g.before, g.extents)
}

var errNotDepthwise = errors.New("not a channel a group, or not windows of 3x3 or 5x5, a step of 1 or 2 apart")

// takesDepthwise wants a convolution that there is a plan for.
func takesDepthwise(plan func(kernel.ISA, *conv) *kernel.Depthwise) func(c *graph.Call) error {
	return func(c *graph.Call) error {
		if err := ofTypes(f32Only, 0)(c); err != nil {
			return err
		}
		g, err := newConv(c)
		if err != nil {
			return err
		}
		if plan(kernel.Generic, g) == nil {
			return errNotDepthwise
		}
		return nil
	}
}

// laidOut is a worker's memory for a padded plane.
type laidOut struct {
	d    *kernel.Depthwise
	buf  *memory
	held int // which plane it is; -1: none, all zeros
}

func (l *laidOut) plane(x []float32, i, size int) []float32 {
	if l.held != i {
		l.d.Pad(l.buf.f32(), lineOf(x, i, size))
		l.held = i
	}
	return l.buf.f32()
}

// depthwise lets the workers do n pieces of work, each with memory for a padded
// plane. A quarter of a matrix product's work is worth sharing: it takes as long.
func (b *builder) depthwise(g *conv, d *kernel.Depthwise, n int, piece func(worker, i int, l *laidOut)) phase {
	planes := make([]laidOut, b.workers)
	for i := range planes {
		planes[i] = laidOut{d: d, buf: b.scratch(4 * d.PaddedLen())}
	}
	return phase{serial: 2*g.images*g.groups*g.outSize*g.rows < serialFLOPs/4, task: func(worker, workers int) {
		l := &planes[worker]
		clear(l.buf.f32())
		l.held = -1
		for i := n * worker / workers; i < n*(worker+1)/workers; i++ {
			piece(worker, i, l)
		}
	}}
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
	filters := g.groups * g.filters
	p.phases = []phase{b.depthwise(g, d, g.images*filters, func(_, i int, l *laidOut) {
		n, m := i/filters, i%filters
		shift := float32(0)
		if bias != nil {
			shift = bias.f32()[m]
		}
		image := l.plane(x.f32(), n*g.groups+m/g.filters, g.plane)
		d.Filter(lineOf(y.f32(), i, g.pixels), image, lineOf(w.f32(), m, g.taps), shift, e.relu)
	})}
	return nil
}

// buildDepthwiseInputGrad: a piece of work is a plane of dX, a convolution of
// dY with the filter the last element first.
func buildDepthwiseInputGrad(b *builder, p *part) error {
	c := p.head()
	g, err := newConv(c)
	if err != nil {
		return err
	}
	d := depthwiseBackOf(b.isa, g)
	dy, w, dx := b.in(c, 0), b.in(c, 1), b.out(c, 0)
	p.kernel = fmt.Sprintf("depthwise conv input gradient %v", b.isa)
	turned := b.scratches(4 * g.taps)
	p.phases = []phase{b.depthwise(g, d, g.images*g.groups, func(worker, i int, l *laidOut) {
		filter := turned[worker].f32()
		copy(filter, lineOf(w.f32(), i%g.groups, g.taps))
		slices.Reverse(filter)
		d.Filter(lineOf(dx.f32(), i, g.plane), l.plane(dy.f32(), i, g.pixels), filter, 0, false)
	})}
	return nil
}

// sumsOfImages is how many images' gradients of a filter are added up in
// float32, by lanes, before they join a sum in float64.
const sumsOfImages = 16

// buildDepthwiseWeightGrad: a piece of work is the gradient of a filter.
func buildDepthwiseWeightGrad(b *builder, p *part) error {
	c := p.head()
	g, err := newConv(c)
	if err != nil {
		return err
	}
	d := depthwiseOf(b.isa, g)
	x, dy, dw := b.in(c, 0), b.in(c, 1), b.out(c, 0)
	p.kernel = fmt.Sprintf("depthwise conv weight gradient %v", b.isa)
	partial := b.scratches(4 * d.FilterGradLen())
	filters := g.groups * g.filters
	p.phases = []phase{b.depthwise(g, d, filters, func(worker, m int, l *laidOut) {
		var grad [kernel.MaxDepthwiseTaps]float64
		sums := partial[worker].f32()
		clear(sums)
		for n := range g.images {
			image := l.plane(x.f32(), n*g.groups+m/g.filters, g.plane)
			d.FilterGrad(sums, image, lineOf(dy.f32(), n*filters+m, g.pixels))
			if n%sumsOfImages == sumsOfImages-1 || n == g.images-1 {
				d.TakeFilterGrad(grad[:], sums)
			}
		}
		for k, v := range grad[:g.taps] {
			dw.f32()[m*g.taps+k] = float32(v)
		}
	})}
	return nil
}
