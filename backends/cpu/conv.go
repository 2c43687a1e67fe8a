package cpu

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// convRows are the convolution and its two gradients, any number of spatial
// axes, in f32 each as matrix products over the matrix of columns ("im2col"),
// of which only a panel exists at a time, if no kernel takes them directly.
func convRows() []row {
	return []row{
		{"Conv", []implementation{{
			kernel: "depthwise conv", algorithm: "direct",
			takes: takesDepthwise(depthwiseOf), absorbs: continuesConv, build: buildDepthwise,
		}, {
			kernel: "conv", algorithm: "gemm",
			takes: takesPoints, absorbs: continuesConv, build: buildPoints,
		}, {
			kernel: "conv", algorithm: "implicit gemm",
			takes: takesGather(func(g *conv) int { return g.filters }), absorbs: continuesConv, build: buildConvGather,
		}, {
			kernel: "conv", algorithm: "im2col+gemm",
			takes: takesConv, absorbs: continuesConv, build: buildConv,
		}, directConv("conv", directForward)}},
		{"ConvInputGrad", []implementation{{
			kernel: "depthwise conv input gradient", algorithm: "direct",
			takes: takesDepthwise(depthwiseBackOf), build: buildDepthwiseInputGrad,
		}, {
			kernel: "conv input gradient", algorithm: "gemm",
			takes: takesPoints, build: buildPointsInputGrad,
		}, {
			kernel: "conv input gradient", algorithm: "implicit gemm",
			takes: takesGather(func(g *conv) int { return g.channels }), build: buildConvGatherInputGrad,
		}, {
			kernel: "conv input gradient", algorithm: "gemm+col2im",
			takes: takesConv, build: buildConvInputGrad,
		}, directConv("conv input gradient", directInputGrad)}},
		{"ConvWeightGrad", []implementation{{
			kernel: "depthwise conv weight gradient", algorithm: "direct",
			takes: takesDepthwise(depthwiseOf), build: buildDepthwiseWeightGrad,
		}, {
			kernel: "conv weight gradient", algorithm: "gemm",
			takes: takesPoints, build: buildPointsWeightGrad,
		}, {
			kernel: "conv weight gradient", algorithm: "implicit gemm",
			takes: takesConv, build: buildConvWeightGrad,
		}, directConv("conv weight gradient", directWeightGrad)}},
	}
}

// takesConv wants f32 and images that 31 bits can address.
func takesConv(c *graph.Call) error {
	if err := ofTypes(f32Only, 0)(c); err != nil {
		return err
	}
	g, err := newConv(c)
	if err != nil {
		return err
	}
	if n := max(g.padsSize, g.taps*g.pixels, g.plane); n > math.MaxInt32 {
		return fmt.Errorf("X is %v: the kernel addresses %d elements with 31 bits", g.x, n)
	}
	return nil
}

// continuesConv takes a ReLU.
func continuesConv(_ table, p *part, c *graph.Call) bool {
	return c.Op.Name == "Relu" && len(p.calls) == 1
}

func elements(extents []int) int { return tensor.Shape(extents).Elements() }

// conv is the geometry of a convolution. A group's image is channels planes,
// its weights a matrix of filters × rows.
type conv struct {
	x                    tensor.Shape
	images, groups       int
	channels, filters    int // of one group
	plane, pixels, taps  int // elements of a plane of X, of Y, of a window
	rows                 int // channels·taps: of the matrix of columns
	padded               kernel.Window
	before, extents      []int
	pads                 bool
	imageSize, outSize   int // elements of one group of one image of X, of Y
	imageStep, outStep   int // elements from image to image
	weightSize, padsSize int // of one group; of its padded image
}

func newConv(c *graph.Call) (*conv, error) {
	w, err := c.ConvWindow()
	if err != nil {
		return nil, err
	}
	var x, f tensor.Shape
	switch c.Op.Name {
	case "ConvInputGrad":
		x, f = c.Out[0].Shape, c.In[1].Shape
	case "ConvWeightGrad":
		x, f = c.In[0].Shape, c.Out[0].Shape
	case "QLinearConv":
		x, f = c.In[0].Shape, c.In[3].Shape
	default:
		x, f = c.In[0].Shape, c.In[1].Shape
	}
	g := &conv{x: x, images: x[0], groups: c.Int("group"), plane: x[2:].Elements(), pixels: elements(w.Out), taps: w.Taps()}
	g.channels, g.filters = x[1]/g.groups, f[0]/g.groups
	g.rows = g.channels * g.taps
	g.padded = kernel.Window{Out: w.Out, Kernel: w.Kernel, Strides: w.Strides, Dilations: w.Dilations}
	for i, n := range w.In {
		g.padded.In = append(g.padded.In, n+w.PadBegin[i]+w.PadEnd[i])
		g.pads = g.pads || w.PadBegin[i]+w.PadEnd[i] > 0
	}
	g.before, g.extents = w.PadBegin, w.In
	g.imageSize, g.outSize = g.channels*g.plane, g.filters*g.pixels
	g.imageStep, g.outStep = g.groups*g.imageSize, g.groups*g.outSize
	g.weightSize, g.padsSize = g.filters*g.rows, g.channels*elements(g.padded.In)
	return g, nil
}

// frame is how X lies in its padding.
func (g *conv) frame() *frame {
	return &frame{channels: g.channels, extents: g.extents, before: g.before, padded: g.padded.In, imageStep: g.imageStep}
}

// image is group k of image n of a value of X's shape; output of one of Y's.
func (g *conv) image(x []float32, n, k int) []float32 {
	return x[n*g.imageStep+k*g.imageSize:][:g.imageSize]
}

func (g *conv) output(y []float32, n, k int) []float32 {
	return y[n*g.outStep+k*g.outSize:][:g.outSize]
}

// panelBytes is how much of the matrix of columns is made at a time, if a
// panel is not larger: the product finds it in the first cache.
const panelBytes = 64 << 10

// buildConv: for each group of each image, Y = W·columns(X), by some panels of
// columns at a time.
func buildConv(b *builder, p *part) error {
	c := p.head()
	g, err := newConv(c)
	if err != nil {
		return err
	}
	x, w, bias, y := b.in(c, 0), b.in(c, 1), b.in(c, 2), b.out(p.last(), 0)
	e := epilogue{bias: bias, relu: len(p.calls) > 1}
	p.kernel = fmt.Sprintf("conv%v %v", &e, b.isa)
	m := kernel.NewGemm(b.isa, g.filters, g.pixels, g.rows)
	m.ReLU = e.relu
	cols, err := kernel.NewColumns(b.isa, m.PanelWidth(), g.channels, g.padded)
	if err != nil {
		return err
	}
	depth := max(1, m.Depth(0))
	each := depth * m.PanelWidth()
	together := max(1, min(panelBytes/4/each, (cols.Panels()+b.workers-1)/b.workers))
	batches := (cols.Panels() + together - 1) / together
	panels := b.scratches(4 * each * together)
	pads := b.paddings(g.frame())
	products := make([]kernel.Product, b.workers)
	units := g.images * g.groups * batches
	p.phases = []phase{{serial: 2*g.images*g.groups*g.outSize*g.rows < serialFLOPs, task: func(worker, workers int) {
		pad, buf, q := &pads[worker], panels[worker].f32(), &products[worker]
		pad.begin()
		for u := units * worker / workers; u < units*(worker+1)/workers; u++ {
			group, first := u/batches, u%batches*together
			n, k := group/g.groups, group%g.groups
			count := min(together, cols.Panels()-first)
			image := pad.image(x.f32(), n, k)
			*q = kernel.Product{A: kernel.RowMajor(w.f32()[k*g.weightSize:], g.rows), C: g.output(y.f32(), n, k), CRS: g.pixels}
			if bias != nil {
				q.RowBias = bias.f32()[k*g.filters:][:g.filters]
			}
			for k0 := 0; k0 < g.rows || k0 == 0; k0 += depth {
				d := m.Depth(k0)
				for i := range count {
					cols.Pack(buf[i*d*m.PanelWidth():], image, first+i, k0, d)
				}
				m.MultiplyBlock(q, k0, first, count, buf)
			}
		}
	}}}
	return nil
}
