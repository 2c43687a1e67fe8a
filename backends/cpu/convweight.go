package cpu

import (
	"fmt"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
)

// The gradient of a convolution's weights: for each group and tap Σ X·dYᵀ over
// the outputs of all images, X read where it lies by a table of what the tap
// meets. A row of the product is a channel, a column a filter. Each worker adds
// up images of its own; then the workers' sums are added, and transposed.

// weightDepth is how many outputs a product goes over: many, so that sums move
// rarely, and not more, because long sums lose digits.
const weightDepth = 512

// chunks is how the outputs of a group are cut into products: of some images,
// or of a part of one. The last images, or part, are fewer.
type chunks struct {
	images, pixels int // of a product
	parts, count   int // products of an image; in all
}

func newChunks(images, pixels int) chunks {
	if pixels > weightDepth {
		parts := (pixels + weightDepth - 1) / weightDepth
		return chunks{1, (pixels + parts - 1) / parts, parts, images * parts}
	}
	together := max(1, min(images, weightDepth/max(1, pixels)))
	return chunks{together, pixels, 1, (images + together - 1) / together}
}

// weightGrad is the work on one gradient.
type weightGrad struct {
	g      *conv
	x      *frame
	chunks chunks
	apart  int                  // elements from image to image, as products meet them
	places []int32              // of the outputs of as many images, in what a product meets
	taps   []int                // of each tap, from there on
	plans  map[int]*kernel.Gemm // by depth
}

func newWeightGrad(set kernel.ISA, g *conv) *weightGrad {
	k := &weightGrad{g: g, x: g.frame(), chunks: newChunks(g.images, g.pixels), plans: map[int]*kernel.Gemm{}}
	if k.apart = g.imageStep; k.x.pads() {
		k.apart = k.x.paddedSize()
	}
	places, taps := kernel.Places(g.padded)
	for i := range k.chunks.images {
		for _, p := range places {
			k.places = append(k.places, int32(i*k.apart)+p)
		}
	}
	k.taps = taps
	for c := range max(1, k.chunks.count) {
		if d := k.depth(c); k.plans[d] == nil {
			k.plans[d] = kernel.NewGemm(set, g.channels, g.filters, d)
		}
	}
	return k
}

// part is the images of chunk c and the outputs of each.
func (k *weightGrad) part(c int) (image, images, pixel, pixels int) {
	image, pixel = c/k.chunks.parts*k.chunks.images, c%k.chunks.parts*k.chunks.pixels
	return image, min(k.chunks.images, k.g.images-image), pixel, min(k.chunks.pixels, k.g.pixels-pixel)
}

func (k *weightGrad) depth(c int) int {
	_, images, _, pixels := k.part(c)
	return images * pixels
}

// weightWorker is a worker's memory.
type weightWorker struct {
	padded, panels, sums *memory // padded: nil if nothing is
	held                 int     // which group's chunk of images is padded; -1: none, and no zeros either
	product              kernel.Product
}

// images are those of a chunk, as a product meets them.
func (k *weightGrad) images(w *weightWorker, x []float32, group, first, count int) []float32 {
	if w.padded == nil {
		return x[first*k.g.imageStep+group*k.g.imageSize:]
	}
	dst := w.padded.f32()
	if w.held < 0 {
		clear(dst)
	}
	if id := group*k.g.images + first; w.held != id {
		w.held = id
		for i := range count {
			k.x.fill(dst[i*k.apart:], k.x.image(x, first+i, group))
		}
	}
	return dst
}

// add adds what chunk c brings to the group's sums, filters side by side.
func (k *weightGrad) add(w *weightWorker, x, dy []float32, group, c int) {
	image, images, pixel, pixels := k.part(c)
	m, panels := k.plans[images*pixels], w.panels.f32()
	for i := range images {
		out := k.g.output(dy, image+i, group)
		m.PackDepth(panels, kernel.Matrix{Data: out[pixel:], RS: 1, CS: k.g.pixels}, i*pixels, pixels)
	}
	source := k.images(w, x, group, image, images)
	sums := lineOf(w.sums.f32(), group, k.g.weightSize)
	plane := k.g.plane
	if w.padded != nil {
		plane = elements(k.x.padded)
	}
	for t, at := range k.taps {
		w.product = kernel.Product{
			A: kernel.Matrix{Data: source[at:], RS: plane, Columns: k.places[pixel:][:images*pixels]},
			B: m.Packed(panels), C: sums[t*k.g.filters:], CRS: k.g.taps * k.g.filters, Accumulate: true,
		}
		m.Multiply(&w.product, 0, 1)
	}
}

func buildConvWeightGrad(b *builder, p *part) error {
	c := p.head()
	g, err := newConv(c)
	if err != nil {
		return err
	}
	x, dy, dw := b.in(c, 0), b.in(c, 1), b.out(c, 0)
	p.kernel = fmt.Sprintf("conv weight gradient %v", b.isa)
	k := newWeightGrad(b.isa, g)
	list := make([]weightWorker, b.workers)
	for i := range list {
		w := &list[i]
		w.sums, w.panels = b.scratch(4*g.groups*g.weightSize), b.scratch(4*k.plans[k.depth(0)].PackedLen())
		if k.x.pads() {
			w.padded = b.scratch(4 * k.chunks.images * k.apart)
		}
	}
	units := g.groups * k.chunks.count
	serial := 2*units*g.outSize*g.rows*k.chunks.images < serialFLOPs
	p.phases = []phase{{serial: serial, task: func(worker, workers int) {
		w := &list[worker]
		w.held = -1
		clear(w.sums.f32())
		for u := units * worker / workers; u < units*(worker+1)/workers; u++ {
			k.add(w, x.f32(), dy.f32(), u/k.chunks.count, u%k.chunks.count)
		}
	}}}
	size := g.groups * g.weightSize
	if !serial && b.workers > 1 {
		p.phases = append(p.phases, phase{serial: size*b.workers < serialElements, task: func(worker, workers int) {
			lo, hi := shareOf(size, worker, workers)
			sum := list[0].sums.f32()[lo:hi]
			for _, other := range list[1:] {
				kernel.Add.Vectors(b.isa, sum, sum, other.sums.f32()[lo:hi])
			}
		}})
	}
	p.phases = append(p.phases, phase{serial: size < serialElements, task: func(worker, workers int) {
		for group := range g.groups {
			lo, hi := g.rows*worker/workers, g.rows*(worker+1)/workers
			from, to := lineOf(list[0].sums.f32(), group, g.weightSize), lineOf(dw.f32(), group, g.weightSize)
			if lo < hi {
				kernel.Transpose(b.isa, to[lo:], g.rows, from[lo*g.filters:], g.filters, hi-lo, g.filters)
			}
		}
	}})
	return nil
}
