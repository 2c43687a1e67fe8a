package cpu

import (
	"github.com/clsbench/clsbench/graph"
)

// Convolutions without a matrix: each tap adds a line of one plane, times a
// weight, to a line of another. It is what f64 has.

// directConv is an implementation by lines.
func directConv(kernel string, build func(b *builder, p *part, g *conv, l *lines) phase) implementation {
	return implementation{
		kernel: kernel, algorithm: "direct",
		takes: func(c *graph.Call) error {
			if err := ofTypes(wideFloat, 0)(c); err != nil {
				return err
			}
			w, err := c.ConvWindow()
			if err != nil {
				return err
			}
			return takesLines(w)
		},
		build: func(b *builder, p *part) error {
			c := p.head()
			g, err := newConv(c)
			if err != nil {
				return err
			}
			w, err := c.ConvWindow()
			if err != nil {
				return err
			}
			p.phases = []phase{build(b, p, g, newLines(w))}
			return nil
		},
	}
}

// shared lets the workers do n pieces of work, as many multiplications in all.
func (g *conv) shared(n int, piece func(i int)) phase {
	return phase{serial: g.images*g.groups*g.outSize*g.rows < serialElements, task: func(worker, workers int) {
		for i := n * worker / workers; i < n*(worker+1)/workers; i++ {
			piece(i)
		}
	}}
}

// directForward: a piece is a plane of Y.
func directForward(b *builder, p *part, g *conv, l *lines) phase {
	c := p.head()
	x, w, bias, y := b.in(c, 0), b.in(c, 1), b.in(c, 2), b.out(c, 0)
	filters, channels := g.groups*g.filters, g.groups*g.channels
	return g.shared(g.images*filters, func(i int) {
		n, m := i/filters, i%filters
		dst := lineOf(view[float64](y), i, l.out)
		clear(dst)
		for ch := range g.channels {
			src := lineOf(view[float64](x), n*channels+m/g.filters*g.channels+ch, l.in)
			weights := lineOf(view[float64](w), m*g.channels+ch, g.taps)
			for j, taps := range l.taps {
				line := lineOf(dst, j, l.outLine)
				for _, t := range taps {
					addProduct(line[t.from:t.to], met(l, t, src), l.stride, weights[t.tap])
				}
			}
		}
		if bias != nil {
			for o := range dst {
				dst[o] += view[float64](bias)[m]
			}
		}
	})
}

// directInputGrad: a piece is a plane of dX.
func directInputGrad(b *builder, p *part, g *conv, l *lines) phase {
	c := p.head()
	dy, w, dx := b.in(c, 0), b.in(c, 1), b.out(c, 0)
	filters, channels := g.groups*g.filters, g.groups*g.channels
	return g.shared(g.images*channels, func(i int) {
		n, group, ch := i/channels, i%channels/g.channels, i%g.channels
		dst := lineOf(view[float64](dx), i, l.in)
		clear(dst)
		for m := group * g.filters; m < (group+1)*g.filters; m++ {
			src := lineOf(view[float64](dy), n*filters+m, l.out)
			weights := lineOf(view[float64](w), m*g.channels+ch, g.taps)
			for j, taps := range l.taps {
				line := lineOf(src, j, l.outLine)
				for _, t := range taps {
					to, factor := met(l, t, dst), weights[t.tap]
					for o, v := range line[t.from:t.to] {
						to[o*l.stride] += factor * v
					}
				}
			}
		}
	})
}

// directWeightGrad: a piece is the taps of one channel of a filter.
func directWeightGrad(b *builder, p *part, g *conv, l *lines) phase {
	c := p.head()
	x, dy, dw := b.in(c, 0), b.in(c, 1), b.out(c, 0)
	filters, channels := g.groups*g.filters, g.groups*g.channels
	return g.shared(filters*g.channels, func(i int) {
		m, ch := i/g.channels, i%g.channels
		sums := lineOf(view[float64](dw), i, g.taps)
		clear(sums)
		for n := range g.images {
			src := lineOf(view[float64](x), n*channels+m/g.filters*g.channels+ch, l.in)
			out := lineOf(view[float64](dy), n*filters+m, l.out)
			for j, taps := range l.taps {
				line := lineOf(out, j, l.outLine)
				for _, t := range taps {
					sums[t.tap] += dotProduct(line[t.from:t.to], met(l, t, src), l.stride)
				}
			}
		}
	})
}
