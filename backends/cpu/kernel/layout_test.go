package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTranspose(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, rows := range []int{1, 3, 7, 8, 9, 16, 21} {
			for _, cols := range []int{1, 2, 7, 8, 15, 24, 100} {
				srs, drs := cols+3, rows+2
				src := make([]float32, (rows-1)*srs+cols)
				uniform(newRand(1), src)
				dst := newGuarded((cols-1)*drs + rows)
				Transpose(i, dst.data, drs, src, srs, rows, cols)
				dst.intact(t)
				for at, v := range dst.data {
					if c, r := at/drs, at%drs; r < rows {
						require.Equal(t, src[r*srs+c], v)
					} else {
						require.NotEqual(t, v, v, "written between the rows") // still poison
					}
				}
			}
		}
	})
}

// windowCase is a convolution's geometry, with the padding apart.
type windowCase struct {
	channels              int
	w                     Window
	before, after, extent []int
}

func drawWindow(t *rapid.T) windowCase {
	axes := rapid.IntRange(1, 3).Draw(t, "axes")
	c := windowCase{channels: rapid.IntRange(1, 3).Draw(t, "channels")}
	for range axes {
		k := rapid.IntRange(1, 4).Draw(t, "kernel")
		d := rapid.IntRange(1, 2).Draw(t, "dilation")
		s := rapid.IntRange(1, 3).Draw(t, "stride")
		b, a := rapid.IntRange(0, 2).Draw(t, "before"), rapid.IntRange(0, 2).Draw(t, "after")
		span := d*(k-1) + 1
		n := rapid.IntRange(max(1, span-a-b), span+20/axes).Draw(t, "extent")
		c.w.Kernel, c.w.Strides, c.w.Dilations = append(c.w.Kernel, k), append(c.w.Strides, s), append(c.w.Dilations, d)
		c.before, c.after, c.extent = append(c.before, b), append(c.after, a), append(c.extent, n)
		c.w.In, c.w.Out = append(c.w.In, a+b+n), append(c.w.Out, (a+b+n-span)/s+1)
	}
	return c
}

// each calls f for every element of the matrix of columns with the place of
// its element in the padded image and, if it is no padding, in the plain one.
func (c windowCase) each(f func(row, col, padded, plain int)) {
	tap := newIndices(append([]int{c.channels}, c.w.Kernel...))
	for row := range c.channels * product(c.w.Kernel) {
		out := newIndices(c.w.Out)
		for col := range product(c.w.Out) {
			padded, plain, inside := tap.at[0], tap.at[0], true
			for i := range c.w.In {
				p := out.at[i]*c.w.Strides[i] + tap.at[i+1]*c.w.Dilations[i]
				padded = padded*c.w.In[i] + p
				p -= c.before[i]
				inside = inside && p >= 0 && p < c.extent[i]
				plain = plain*c.extent[i] + p
			}
			if !inside {
				plain = -1
			}
			f(row, col, padded, plain)
			out.next()
		}
		tap.next()
	}
}

func TestColumns(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		rapid.Check(t, func(t *rapid.T) {
			c := drawWindow(t)
			width := rapid.SampledFrom([]int{1, 4, 16, 32, 64}).Draw(t, "width")
			m, err := NewColumns(i, width, c.channels, c.w)
			require.NoError(t, err)
			image := newGuarded(c.channels * product(c.w.In))
			uniform(newRand(1), image.data)
			want := make([]float32, m.Rows*m.Cols)
			c.each(func(row, col, padded, _ int) { want[row*m.Cols+col] = image.data[padded] })
			for p := range m.Panels() {
				k0 := rapid.IntRange(0, m.Rows-1).Draw(t, "k0")
				depth := rapid.IntRange(1, m.Rows-k0).Draw(t, "depth")
				panel := newGuarded(depth * width)
				m.Pack(panel.data, image.data, p, k0, depth)
				panel.intact(t)
				for at, v := range panel.data {
					row, col := k0+at/width, p*width+at%width
					if col >= m.Cols {
						require.NotEqual(t, v, v, "written beyond the last column")
						continue
					}
					require.Equal(t, want[row*m.Cols+col], v, "row %d, column %d", row, col)
				}
			}
		})
	})
}

func TestColumnSums(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		rapid.Check(t, func(t *rapid.T) {
			c := drawWindow(t)
			cols := product(c.w.Out)
			s, err := NewColumnSums(i, cols, c.w, c.before, c.extent)
			require.NoError(t, err)
			matrix := newGuarded(c.channels * product(c.w.Kernel) * cols)
			integers(newRand(1), matrix.data)
			image := newGuarded(c.channels * product(c.extent))
			want := make([]float32, len(image.data))
			c.each(func(row, col, _, plain int) {
				if plain >= 0 {
					want[plain] += matrix.data[row*cols+col]
				}
			})
			s.Sum(image.data, matrix.data, c.channels)
			image.intact(t)
			require.Equal(t, want, image.data)
		})
	})
}

func TestColumnsRefuseWhatOffsetsCannotHold(t *testing.T) {
	w := Window{In: []int{1 << 16, 1 << 16}, Out: []int{1, 1}, Kernel: []int{1, 1}, Strides: []int{1, 1}, Dilations: []int{1, 1}}
	_, err := NewColumns(Generic, 4, 1, w)
	require.ErrorContains(t, err, "2^31")
	_, err = NewColumnSums(Generic, 1<<31, w, []int{0, 0}, []int{1, 1})
	require.ErrorContains(t, err, "2^31")
}

func TestAveragePool2(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, rows := range []int{0, 1, 2, 5, 300} {
			for _, cols := range []int{1, 3, 4, 7, 8, 9, 12, 16, 17, 33} {
				for _, extra := range []int{0, 1} {
					pitch := 2*cols + extra
					src := newGuarded(2 * rows * pitch)
					integers(newRand(1), src.data)
					dst := newGuarded(rows * cols)
					AveragePool2(i, dst.data, src.data, pitch, rows, cols, 0.25)
					dst.intact(t)
					for at, v := range dst.data {
						w := src.data[2*(at/cols)*pitch+2*(at%cols):]
						require.Equal(t, (w[0]+w[1]+w[pitch]+w[pitch+1])/4, v)
					}
				}
				dy := newGuarded(rows * cols)
				integers(newRand(2), dy.data)
				dx := newGuarded(4 * rows * cols)
				AveragePool2Grad(i, dx.data, dy.data, rows, cols, 0.25)
				dx.intact(t)
				for at, v := range dx.data {
					y, x := at/(2*cols)/2, at%(2*cols)/2
					require.Equal(t, dy.data[y*cols+x]/4, v)
				}
			}
		}
	})
}
