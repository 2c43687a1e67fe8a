package kernel

import (
	"fmt"
	"math"
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
	var out []float32
	for y := range w.Out[0] {
		for x := range w.Out[1] {
			s := bias
			for k, f := range weights {
				r, c := y*w.Strides[0]+k/w.Kernel[1]-before[0], x*w.Strides[1]+k%w.Kernel[1]-before[1]
				if r >= 0 && r < extents[0] && c >= 0 && c < extents[1] {
					s += f * plane[r*extents[1]+c]
				}
			}
			if relu {
				s = max(s, 0)
			}
			out = append(out, s)
		}
	}
	return out
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
			weights := make([]float32, c.size*c.size)
			for name, f := range map[string]func(){
				"pad":    func() { d.Pad(padded, plane) },
				"filter": func() { d.Filter(dst, padded, weights, 0, true) },
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
