package cpu

import (
	"fmt"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
)

// columnsBytes bounds the part of the matrix of columns that the gradients
// make at a time: what the second cache holds beside the rest.
const columnsBytes = 256 << 10

// buildConvInputGrad: for each group of each image, columns(dX) = Wᵀ·dY, some
// channels at a time, whose elements are then added up where they belong.
func buildConvInputGrad(b *builder, p *part) error {
	c := p.head()
	g, err := newConv(c)
	if err != nil {
		return err
	}
	dy, w, dx := b.in(c, 0), b.in(c, 1), b.out(c, 0)
	p.kernel = fmt.Sprintf("conv input gradient %v", b.isa)
	sums, err := kernel.NewColumnSums(b.isa, g.pixels, g.padded, g.before, g.extents)
	if err != nil {
		return err
	}
	together := min(g.channels, max(1, columnsBytes/4/(g.taps*g.pixels)))
	blocks := (g.channels + together - 1) / together
	whole := kernel.NewGemm(b.isa, together*g.taps, g.pixels, g.filters)
	rest := kernel.NewGemm(b.isa, (g.channels-(blocks-1)*together)*g.taps, g.pixels, g.filters)
	columns := b.scratches(4 * together * g.taps * g.pixels)
	tails := b.scratches(4 * max(whole.TailLen(), rest.TailLen()))
	products := make([]kernel.Product, b.workers)
	units := g.images * g.groups * blocks
	p.phases = []phase{{serial: 2*g.images*g.groups*g.outSize*g.rows < serialFLOPs, task: func(worker, workers int) {
		q, buf, tail := &products[worker], columns[worker].f32(), tails[worker].f32()
		for u := units * worker / workers; u < units*(worker+1)/workers; u++ {
			group, first := u/blocks, u%blocks*together
			n, k := group/g.groups, group%g.groups
			m, count := whole, together
			if first+together > g.channels {
				m, count = rest, g.channels-first
			}
			right := kernel.RowMajor(g.output(dy.f32(), n, k), g.pixels)
			m.PackTail(tail, right)
			// Row (channel, tap) of Wᵀ is a column of the group's weights.
			*q = kernel.Product{
				A: kernel.Matrix{Data: w.f32()[k*g.weightSize+first*g.taps:], RS: 1, CS: g.rows},
				B: m.InPlace(right, tail), C: buf, CRS: g.pixels,
			}
			m.Multiply(q, 0, 1)
			sums.Sum(g.image(dx.f32(), n, k)[first*g.plane:], buf, count)
		}
	}}}
	return nil
}
