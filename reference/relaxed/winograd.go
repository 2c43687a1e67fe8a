package relaxed

import (
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
)

// minimal is a minimal filtering algorithm F(m,3): m outputs of a filter of 3
// by m+2 products (Winograd 1980; Lavin and Gray, "Fast Algorithms for
// Convolutional Neural Networks", 2016, §4),
//
//	y = Aᵀ[(G·g) ⊙ (Bᵀ·d)]
//
// g has 3 elements, d has m+2, y has m.
type minimal struct {
	outputs int
	a       [][]float64 // Aᵀ, m×(m+2)
	g       [][]float64 // G, (m+2)×3
	b       [][]float64 // Bᵀ, (m+2)×(m+2)
}

// tiles are F(4,3) and F(2,3), of Lavin and Gray's §4.3 and §4.1.
var tiles = [2]minimal{
	{
		outputs: 4,
		a: [][]float64{
			{1, 1, 1, 1, 1, 0},
			{0, 1, -1, 2, -2, 0},
			{0, 1, 1, 4, 4, 0},
			{0, 1, -1, 8, -8, 1}},
		g: [][]float64{
			{1. / 4, 0, 0},
			{-1. / 6, -1. / 6, -1. / 6},
			{-1. / 6, 1. / 6, -1. / 6},
			{1. / 24, 1. / 12, 1. / 6},
			{1. / 24, -1. / 12, 1. / 6},
			{0, 0, 1}},
		b: [][]float64{
			{4, 0, -5, 0, 1, 0},
			{0, -4, -4, 1, 1, 0},
			{0, 4, -4, -1, 1, 0},
			{0, -2, -1, 2, 1, 0},
			{0, 2, -1, -2, 1, 0},
			{0, 4, 0, -5, 0, 1}},
	},
	{
		outputs: 2,
		a: [][]float64{
			{1, 1, 1, 0},
			{0, 1, -1, -1}},
		g: [][]float64{
			{1, 0, 0},
			{1. / 2, 1. / 2, 1. / 2},
			{1. / 2, -1. / 2, 1. / 2},
			{0, 0, 1}},
		b: [][]float64{
			{1, 0, -1, 0},
			{0, 1, 1, 0},
			{0, -1, 1, 0},
			{0, 1, 0, -1}},
	},
}

// winograd computes a call of Conv or ConvInputGrad by F(m×m, 3×3). The gradient
// of X is the convolution of dY with every filter turned by half a turn and
// input and output channels exchanged, padded by 2 less what X was.
func winograd(acc *reference.Acc, c *graph.Call, in []*reference.Array, f minimal) (*reference.Array, error) {
	win, err := c.ConvWindow()
	if err != nil {
		return nil, err
	}
	groups := c.Int("group")
	if c.Op.Name == "Conv" {
		return f.conv(acc, in[0], in[1], in[2], win.PadBegin, win.Out, groups), nil
	}
	pads := []int{2 - win.PadBegin[0], 2 - win.PadBegin[1]}
	return f.conv(acc, in[0], turned(in[1], groups), nil, pads, win.In, groups), nil
}

// turned makes filters C×M/G×3×3 of M×C/G×3×3.
func turned(w *reference.Array, groups int) *reference.Array {
	perGroup, channels := w.Shape[0]/groups, w.Shape[1]
	y := reference.New(channels*groups, perGroup, 3, 3)
	for i, v := range w.Data {
		m, c, k := i/(9*channels), i/9%channels, i%9
		g := m / perGroup
		y.Data[((g*channels+c)*perGroup+m%perGroup)*9+8-k] = v
	}
	return y
}

// conv is a convolution of stride 1, tile by tile: X N×C×H×W, W M×C/G×3×3, B M
// or nil, Y N×M×out.
func (f minimal) conv(acc *reference.Acc, x, w, b *reference.Array, pads, out []int, groups int) *reference.Array {
	images, inputs, filters, channels := x.Shape[0], x.Shape[1], w.Shape[0], w.Shape[1]
	y := reference.New(images, filters, out[0], out[1])
	kernels := make([]matrix, filters*channels) // G·g·Gᵀ
	for i := range kernels {
		kernels[i] = sandwich(acc, f.g, matrix{w.Data[9*i : 9*i+9], 3})
	}
	size := f.outputs + 2
	patches := make([]matrix, inputs) // Bᵀ·d·B
	for n := range images {
		for top := 0; top < out[0]; top += f.outputs {
			for left := 0; left < out[1]; left += f.outputs {
				for c := range patches {
					patches[c] = sandwich(acc, f.b, patch(x, n, c, top-pads[0], left-pads[1], size))
				}
				for m := range filters {
					first := m / (filters / groups) * channels
					sum := matrix{make([]float64, size*size), size}
					for i := range sum.data {
						s := acc.New()
						for c := range channels {
							s = s.Plus(kernels[m*channels+c].data[i] * patches[first+c].data[i])
						}
						sum.data[i] = s.Value()
					}
					bias := 0.0
					if b != nil {
						bias = b.Data[m]
					}
					place(y, n, m, top, left, sandwich(acc, f.a, sum), bias)
				}
			}
		}
	}
	return y
}

// matrix is one of rows of a width.
type matrix struct {
	data  []float64
	width int
}

// sandwich is T·x·Tᵀ, every sum through acc. A factor of 0 adds no term, as in
// transforms written by hand.
func sandwich(acc *reference.Acc, t [][]float64, x matrix) matrix {
	return transposed(times(acc, t, transposed(times(acc, t, x))))
}

func times(acc *reference.Acc, t [][]float64, x matrix) matrix {
	y := matrix{make([]float64, len(t)*x.width), x.width}
	for i, row := range t {
		for j := range x.width {
			s := acc.New()
			for k, v := range row {
				if v != 0 {
					s = s.Plus(v * x.data[k*x.width+j])
				}
			}
			y.data[i*x.width+j] = s.Value()
		}
	}
	return y
}

func transposed(x matrix) matrix {
	height := len(x.data) / x.width
	y := matrix{make([]float64, len(x.data)), height}
	for i, v := range x.data {
		y.data[i%x.width*height+i/x.width] = v
	}
	return y
}

// patch is a square of a plane of x, zero outside of it.
func patch(x *reference.Array, n, c, top, left, size int) matrix {
	height, width := x.Shape[2], x.Shape[3]
	plane := x.Data[(n*x.Shape[1]+c)*height*width:]
	d := matrix{make([]float64, size*size), size}
	for i := range d.data {
		row, column := top+i/size, left+i%size
		if row >= 0 && row < height && column >= 0 && column < width {
			d.data[i] = plane[row*width+column]
		}
	}
	return d
}

// place writes a tile into plane m of image n, as much of it as lies in there.
func place(y *reference.Array, n, m, top, left int, tile matrix, bias float64) {
	height, width := y.Shape[2], y.Shape[3]
	plane := y.Data[(n*y.Shape[1]+m)*height*width:]
	for i, v := range tile.data {
		row, column := top+i/tile.width, left+i%tile.width
		if row < height && column < width {
			plane[row*width+column] = v + bias
		}
	}
}
