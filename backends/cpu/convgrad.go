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

// buildConvWeightGrad: for each group, dWᵀ = Σ columns(X)·dYᵀ over the images,
// each worker adding up its own images; then the workers' sums are added, and
// transposed.
func buildConvWeightGrad(b *builder, p *part) error {
	c := p.head()
	g, err := newConv(c)
	if err != nil {
		return err
	}
	x, dy, dw := b.in(c, 0), b.in(c, 1), b.out(c, 0)
	p.kernel = fmt.Sprintf("conv weight gradient %v", b.isa)
	width := min(g.pixels, max(64, columnsBytes/4/max(1, g.rows)/64*64))
	cols, err := kernel.NewColumns(b.isa, width, g.channels, g.padded)
	if err != nil {
		return err
	}
	whole := kernel.NewGemm(b.isa, g.rows, g.filters, width)
	rest := kernel.NewGemm(b.isa, g.rows, g.filters, g.pixels-(cols.Panels()-1)*width)
	columns := b.scratches(4 * g.rows * width)
	panels := b.scratches(4 * whole.PackedLen())
	pads := b.paddings(g)
	partial := b.scratches(4 * g.groups * g.weightSize)
	products := make([]kernel.Product, b.workers)
	units := g.groups * g.images
	flops := 2 * units * g.outSize * g.rows
	share := func(worker, workers int) {
		pad, buf, packed, sum := &pads[worker], columns[worker].f32(), panels[worker].f32(), partial[worker].f32()
		pad.begin()
		clear(sum)
		q := &products[worker]
		for u := units * worker / workers; u < units*(worker+1)/workers; u++ {
			k, n := u/g.images, u%g.images
			image, out := pad.image(x.f32(), n, k), g.output(dy.f32(), n, k)
			for panel := range cols.Panels() {
				m := whole
				if panel == cols.Panels()-1 {
					m = rest
				}
				cols.Pack(buf, image, panel, 0, g.rows)
				m.PackB(packed, kernel.Matrix{Data: out[panel*width:], RS: 1, CS: g.pixels}, 0, m.Panels())
				*q = kernel.Product{A: kernel.RowMajor(buf, width), B: m.Packed(packed), C: sum[k*g.weightSize:], CRS: g.filters, Accumulate: true}
				m.Multiply(q, 0, 1)
			}
		}
	}
	reduce := func(worker, workers int) {
		lo, hi := shareOf(g.groups*g.weightSize, worker, workers)
		sum := partial[0].f32()[lo:hi]
		for _, other := range partial[1:] {
			kernel.Add.Vectors(b.isa, sum, sum, other.f32()[lo:hi])
		}
	}
	transpose := func(worker, workers int) {
		for k := g.groups * worker / workers; k < g.groups*(worker+1)/workers; k++ {
			at := k * g.weightSize
			kernel.Transpose(b.isa, dw.f32()[at:][:g.weightSize], g.rows, partial[0].f32()[at:], g.filters, g.rows, g.filters)
		}
	}
	p.phases = []phase{{task: share, serial: flops < serialFLOPs}}
	if flops >= serialFLOPs && b.workers > 1 {
		p.phases = append(p.phases, phase{task: reduce, serial: g.groups*g.weightSize*b.workers < serialElements})
	}
	p.phases = append(p.phases, phase{task: transpose, serial: g.groups*g.weightSize < serialElements})
	return nil
}
