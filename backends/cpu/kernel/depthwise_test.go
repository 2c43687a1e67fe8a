package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawDepthwise draws a window, its padding and extents.
func drawDepthwise(t *rapid.T) (w Window, before, extents []int) {
	size, step := rapid.SampledFrom([]int{3, 5}).Draw(t, "size"), rapid.IntRange(1, 2).Draw(t, "step")
	w = Window{Kernel: []int{size, size}, Strides: []int{step, step}, Dilations: []int{1, 1}}
	for range 2 {
		pad, end := rapid.IntRange(0, size).Draw(t, "before"), rapid.IntRange(0, size).Draw(t, "after")
		in := rapid.IntRange(max(1, size-pad-end), 70).Draw(t, "extent")
		before, extents = append(before, pad), append(extents, in)
		w.In = append(w.In, pad+in+end)
		w.Out = append(w.Out, (pad+in+end-size)/step+1)
	}
	return w, before, extents
}

// The loops give what the formula does, with whole numbers to the last bit, and
// touch nothing else. The padding is found anew by a second plane.
func TestDepthwise(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		rapid.Check(t, func(t *rapid.T) {
			w, before, extents := drawDepthwise(t)
			d := NewDepthwise(i, w, before, extents)
			require.NotNil(t, d)
			padded, plane, dst := newGuarded(d.PaddedLen()), newGuarded(extents[0]*extents[1]), newGuarded(w.Out[0]*w.Out[1])
			weights := newGuarded(w.Kernel[0] * w.Kernel[1])
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			relu, bias := rapid.Bool().Draw(t, "relu"), float32(r.IntN(9)-4)
			integers(r, weights.data)
			clear(padded.data)
			for range 2 {
				integers(r, plane.data)
				d.Pad(padded.data, plane.data)
				d.Filter(dst.data, padded.data, weights.data, bias, relu)
			}
			for _, g := range []*guarded{padded, plane, dst, weights} {
				g.intact(t)
			}
			require.Equal(t, depthwiseByHand(w, before, extents, plane.data, weights.data, bias, relu), dst.data)
		})
	})
}

func depthwiseByHand(w Window, before, extents []int, plane, weights []float32, bias float32, relu bool) []float32 {
	out := make([]float32, product(w.Out))
	for o := range out {
		out[o] = bias
	}
	eachPair(w, before, extents, func(k, in, o int) { out[o] += weights[k] * plane[in] })
	for o := range out {
		if relu {
			out[o] = max(out[o], 0)
		}
	}
	return out
}

// The gradients are the adjoints of the convolution: with whole numbers they
// are sums over its pairs of elements, to the last bit.
func TestDepthwiseGrad(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		rapid.Check(t, func(t *rapid.T) {
			w, before, extents := drawDepthwise(t)
			d := NewDepthwise(i, w, before, extents)
			padded, sums := newGuarded(d.PaddedLen()), newGuarded(d.FilterGradLen())
			plane, dy, weights := newGuarded(product(extents)), newGuarded(product(w.Out)), newGuarded(product(w.Kernel))
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			integers(r, weights.data)
			clear(padded.data)
			clear(sums.data)
			got, want := make([]float64, len(weights.data)), make([]float64, len(weights.data))
			var dx []float32
			for range 2 {
				integers(r, plane.data)
				integers(r, dy.data)
				d.Pad(padded.data, plane.data)
				d.FilterGrad(sums.data, padded.data, dy.data)
				dx = make([]float32, len(plane.data))
				eachPair(w, before, extents, func(k, in, out int) {
					want[k] += float64(plane.data[in] * dy.data[out])
					dx[in] += weights.data[k] * dy.data[out]
				})
			}
			for _, g := range []*guarded{padded, plane, dy, sums} {
				g.intact(t)
			}
			d.TakeFilterGrad(got, sums.data)
			require.Equal(t, want, got)
			require.Equal(t, make([]float32, len(sums.data)), sums.data)

			back := NewDepthwiseInputGrad(i, w, before, extents)
			if back == nil {
				require.True(t, slices.Max(before) >= w.Kernel[0] || w.In[0]-before[0]-extents[0] >= w.Kernel[0] || w.In[1]-before[1]-extents[1] >= w.Kernel[1])
				return
			}
			spread, dst := newGuarded(back.PaddedLen()), newGuarded(len(dx))
			clear(spread.data)
			back.Pad(spread.data, dy.data)
			slices.Reverse(weights.data)
			back.Filter(dst.data, spread.data, weights.data, 0, false)
			spread.intact(t)
			dst.intact(t)
			require.Equal(t, dx, dst.data)
		})
	})
}

// eachPair calls f for each tap k that lies on element in for output out.
func eachPair(w Window, before, extents []int, f func(k, in, out int)) {
	for out := range product(w.Out) {
		for k := range product(w.Kernel) {
			r := out/w.Out[1]*w.Strides[0] + k/w.Kernel[1] - before[0]
			c := out%w.Out[1]*w.Strides[1] + k%w.Kernel[1] - before[1]
			if r >= 0 && r < extents[0] && c >= 0 && c < extents[1] {
				f(k, r*extents[1]+c, out)
			}
		}
	}
}

// A NaN that no window sees does not reach the filter's gradient.
func TestDepthwiseGradNaN(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		w := Window{In: []int{4, 6}, Out: []int{1, 2}, Kernel: []int{3, 3}, Strides: []int{2, 2}, Dilations: []int{1, 1}}
		d := NewDepthwise(i, w, []int{0, 0}, []int{4, 6})
		plane, padded := make([]float32, 4*6), make([]float32, d.PaddedLen())
		plane[5], plane[3*6] = float32(math.NaN()), float32(math.Inf(1))
		d.Pad(padded, plane)
		sums, got := make([]float32, d.FilterGradLen()), make([]float64, 9)
		d.FilterGrad(sums, padded, []float32{1, 1})
		d.TakeFilterGrad(got, sums)
		require.Equal(t, make([]float64, 9), got)
	})
}

// A NaN reaches the outputs whose windows see it, ReLU or not, and no others.
func TestDepthwiseNaN(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		w := Window{In: []int{9, 21}, Out: []int{7, 19}, Kernel: []int{3, 3}, Strides: []int{1, 1}, Dilations: []int{1, 1}}
		d := NewDepthwise(i, w, []int{1, 1}, []int{7, 19})
		plane, padded, dst := make([]float32, 7*19), make([]float32, d.PaddedLen()), make([]float32, 7*19)
		plane[3*19+18] = float32(math.NaN())
		d.Pad(padded, plane)
		for _, relu := range []bool{false, true} {
			d.Filter(dst, padded, make([]float32, 9), -1, relu)
			for o, v := range dst {
				y, x := o/19, o%19
				require.Equal(t, y >= 2 && y <= 4 && x >= 17, v != v, "%d, %d", y, x)
			}
		}
	})
}

// No kernel: what the loops were not written for.
func TestDepthwiseRefuses(t *testing.T) {
	good := func() Window {
		return Window{In: []int{9, 9}, Out: []int{7, 7}, Kernel: []int{3, 3}, Strides: []int{1, 1}, Dilations: []int{1, 1}}
	}
	require.NotNil(t, NewDepthwise(Generic, good(), []int{1, 1}, []int{7, 7}))
	for name, spoil := range map[string]func(w *Window){
		"kernel":        func(w *Window) { w.Kernel = []int{3, 5} },
		"even kernel":   func(w *Window) { w.Kernel = []int{4, 4} },
		"strides":       func(w *Window) { w.Strides = []int{1, 2} },
		"large strides": func(w *Window) { w.Strides = []int{3, 3} },
		"dilations":     func(w *Window) { w.Dilations = []int{1, 2} },
		"no outputs":    func(w *Window) { w.Out = []int{0, 7} },
		"long rows":     func(w *Window) { w.In = []int{9, chunk + 1} },
	} {
		w := good()
		spoil(&w)
		require.Nil(t, NewDepthwise(Generic, w, []int{1, 1}, []int{7, 7}), name)
	}
}

func BenchmarkDepthwise(b *testing.B) {
	for _, c := range []struct{ size, step, extent int }{{3, 1, 112}, {3, 2, 112}, {5, 1, 28}, {3, 1, 14}, {5, 1, 7}} {
		pad := c.size / 2
		in, out := c.extent+2*pad, (c.extent+2*pad-c.size)/c.step+1
		w := Window{In: []int{in, in}, Out: []int{out, out}, Kernel: []int{c.size, c.size}, Strides: []int{c.step, c.step}, Dilations: []int{1, 1}}
		for _, i := range []ISA{AVX512, AVX2, Generic} {
			if !i.Available() {
				continue
			}
			d := NewDepthwise(i, w, []int{pad, pad}, []int{c.extent, c.extent})
			padded, plane, dst := make([]float32, d.PaddedLen()), make([]float32, c.extent*c.extent), make([]float32, out*out)
			weights, sums := make([]float32, c.size*c.size), make([]float32, d.FilterGradLen())
			for name, f := range map[string]func(){
				"pad":    func() { d.Pad(padded, plane) },
				"filter": func() { d.Filter(dst, padded, weights, 0, true) },
				"grad":   func() { d.FilterGrad(sums, padded, dst) },
			} {
				b.Run(fmt.Sprintf("%s %dx%d s%d %d/%v", name, c.size, c.size, c.step, c.extent, i), func(b *testing.B) {
					for b.Loop() {
						f()
					}
					b.ReportMetric(float64(2*c.size*c.size*out*out*b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
				})
			}
		}
	}
}
