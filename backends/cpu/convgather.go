package cpu

import (
	"errors"
	"fmt"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
)

// Convolutions as products whose left-hand matrix nobody writes: a row is an
// output, a column a tap of a channel, and the kernel finds what they meet in
// the padded image by a table (as Dukhan, "The indirect convolution algorithm",
// 2019, does by pointers). The right-hand matrix is the weights, a column an
// output channel, which lie in panels. The product has the channels of an
// output side by side, so that it is transposed into planes.

// gather is one such product of every group of every image.
type gather struct {
	g      *conv
	sweeps *sweeps
	source frame
	plane  int // outputs
	n      int // output channels of a group
	kinds  []gatherKind
	blocks []sweepBlock
	most   int // outputs of a block
	packed int // elements of a group's panels, all kinds
}

// gatherKind is the product of one kind of outputs.
type gatherKind struct {
	columns []int32 // of each channel and tap, in the source
	rows    []int32 // and in the group's weights, for the first output channel
	at      int     // of its panels
	plan    *kernel.Gemm
	byRows  []*kernel.Gemm // for sweeps of so many outputs
}

// gatherOutputs is how many outputs make a piece of work: with their channels
// they fit the second cache.
const gatherOutputs = 256

// newForward plans a convolution, newBackward its input gradient.
func newForward(set kernel.ISA, c *graph.Call) (*gather, error) {
	g, err := newConv(c)
	if err != nil {
		return nil, err
	}
	w, err := c.ConvWindow()
	if err != nil {
		return nil, err
	}
	x := &gather{g: g, sweeps: newSweeps(w, reachForward), plane: g.pixels, n: g.filters}
	x.source = frame{channels: g.channels, extents: w.In, imageStep: g.imageStep}
	x.plan(set, func(ch, tap int32) int32 { return ch*int32(g.taps) + tap })
	return x, nil
}

func newBackward(set kernel.ISA, c *graph.Call) (*gather, error) {
	g, err := newConv(c)
	if err != nil {
		return nil, err
	}
	w, err := c.ConvWindow()
	if err != nil {
		return nil, err
	}
	x := &gather{g: g, sweeps: newSweeps(w, reachBack), plane: g.plane, n: g.channels}
	x.source = frame{channels: g.filters, extents: w.Out, imageStep: g.outStep}
	x.plan(set, func(ch, tap int32) int32 { return ch*int32(g.rows) + tap })
	return x, nil
}

// plan makes the products; weight is where an element of a filter lies.
func (x *gather) plan(set kernel.ISA, weight func(ch, tap int32) int32) {
	s := x.sweeps
	x.source.before, x.source.padded = s.before, s.padded
	x.blocks = s.blocks(x.plane, gatherOutputs)
	for _, b := range x.blocks {
		x.most = max(x.most, b.count)
	}
	size := int32(elements(s.padded))
	for _, k := range s.kinds {
		var t gatherKind
		for ch := range int32(x.source.channels) {
			for i, place := range k.places {
				t.columns = append(t.columns, ch*size+place)
				t.rows = append(t.rows, weight(ch, k.taps[i]))
			}
		}
		t.plan = kernel.NewGemm(set, s.most(), x.n, len(t.columns))
		t.at, t.byRows = x.packed, make([]*kernel.Gemm, s.most()+1)
		x.packed += t.plan.PackedLen()
		x.kinds = append(x.kinds, t)
	}
	for _, p := range s.list {
		if t := &x.kinds[p.kind]; t.byRows[p.n] == nil {
			t.byRows[p.n] = t.plan.OfRows(p.n)
		}
	}
}

// finish gives the products an epilogue.
func (x *gather) finish(relu bool) {
	for _, k := range x.kinds {
		for _, m := range k.byRows {
			if m != nil {
				m.ReLU = relu
			}
		}
	}
}

var errFewChannels = errors.New("more than a quarter of the vectors' lanes would have no channel")

// fillsVectors refuses output channels that leave too many lanes empty.
func fillsVectors(n int) error {
	const lanes = 16
	if full := (n + lanes - 1) / lanes * lanes; 4*n < 3*full && n < 48 {
		return errFewChannels
	}
	return nil
}

// phases are the packing of the weights, elements of an output channel apart,
// when they have changed, and the products.
func (x *gather) phases(b *builder, from, weights, bias, to *value, apart int) []phase {
	g := x.g
	panels := b.prepacked(weights, 4*g.groups*x.packed)
	pack := phase{serial: g.groups*x.packed < serialElements, task: func(worker, workers int) {
		for i := range x.kinds {
			k := &x.kinds[i]
			n := k.plan.Panels()
			for q := n * g.groups * worker / workers; q < n*g.groups*(worker+1)/workers; q++ {
				group := q / n
				dst := panels.f32()[group*x.packed+k.at:][:k.plan.PackedLen()]
				k.plan.PackRows(dst, weights.f32()[group*g.weightSize:][:g.weightSize], k.rows, apart, q%n)
			}
		}
	}}
	pads := b.paddings(&x.source)
	scratch := b.scratches(4 * x.most * x.n)
	products := make([]kernel.Product, b.workers)
	units := g.images * g.groups * len(x.blocks)
	work := phase{serial: 2*g.images*g.groups*g.outSize*g.rows < serialFLOPs, task: func(worker, workers int) {
		pad, buf, q := &pads[worker], scratch[worker].f32(), &products[worker]
		pad.begin()
		for u := units * worker / workers; u < units*(worker+1)/workers; u++ {
			image, block := u/len(x.blocks), &x.blocks[u%len(x.blocks)]
			n, group := image/g.groups, image%g.groups
			*q = kernel.Product{}
			if bias != nil {
				q.ColBias = lineOf(bias.f32(), group, x.n)
			}
			x.block(q, block, pad.image(from.f32(), n, group), lineOf(panels.f32(), group, x.packed), buf)
			out := lineOf(to.f32(), image, x.n*x.plane)
			kernel.Transpose(b.isa, out[block.first:], x.plane, buf, x.n, block.count, x.n)
		}
	}}
	return append(b.packing(weights, pack), work)
}

// block writes some outputs with all their channels, output by output.
func (x *gather) block(q *kernel.Product, block *sweepBlock, image, panels, out []float32) {
	for _, s := range block.list {
		k := &x.kinds[s.kind]
		m := k.byRows[s.n]
		q.A = kernel.Matrix{Data: image[s.at:], RS: s.move, Columns: k.columns}
		q.B = m.Packed(panels[k.at:])
		q.C, q.CRS = out[(s.first-block.first)*x.n:], s.step*x.n
		m.Multiply(q, 0, 1)
	}
}

// takesGather wants so many output channels a group as fill vectors.
func takesGather(channels func(g *conv) int) func(c *graph.Call) error {
	return func(c *graph.Call) error {
		if err := takesConv(c); err != nil {
			return err
		}
		g, err := newConv(c)
		if err != nil {
			return err
		}
		return fillsVectors(channels(g))
	}
}

func buildConvGather(b *builder, p *part) error {
	c := p.head()
	x, err := newForward(b.isa, c)
	if err != nil {
		return err
	}
	e := epilogue{bias: b.in(c, 2), relu: len(p.calls) > 1}
	p.kernel = fmt.Sprintf("conv%v %v", &e, b.isa)
	x.finish(e.relu)
	p.phases = x.phases(b, b.in(c, 0), b.in(c, 1), e.bias, b.out(p.last(), 0), x.g.rows)
	return nil
}

func buildConvGatherInputGrad(b *builder, p *part) error {
	c := p.head()
	x, err := newBackward(b.isa, c)
	if err != nil {
		return err
	}
	p.kernel = fmt.Sprintf("conv input gradient %v", b.isa)
	p.phases = x.phases(b, b.in(c, 0), b.in(c, 1), nil, b.out(c, 0), x.g.taps)
	return nil
}
