package cpu

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
)

// lines says what a sliding window meets in a plane, line by line: a line is
// the elements along the last axis. A kernel's inner loop runs along a line,
// with a tap that lies on neighbours for neighbouring outputs; what lies on
// padding is left out of the loop's range.
type lines struct {
	in, out         int         // elements of a plane
	inLine, outLine int         // elements of a line
	stride          int         // along the last axis
	taps            [][]lineTap // by output line
}

// lineTap is one tap of the window of one output line: output o of the line,
// from ≤ o < to, meets element at + o·stride of an input line.
type lineTap struct{ line, tap, from, to, at int32 }

// maxLineTaps bounds what newLines lists, to some 300 MB.
const maxLineTaps = 1 << 24

// takesLines says why a window has no list of lines.
func takesLines(w *graph.Window) error {
	last := len(w.Out) - 1
	if n := float64(elements(w.Out[:last])) * float64(w.Taps()); n > maxLineTaps {
		return fmt.Errorf("%v windows of %v taps: the kernel takes %d of lines and taps", w.Out, w.Kernel, maxLineTaps)
	}
	if elements(w.In) > 1<<31-1 {
		return fmt.Errorf("planes of %v: the kernel takes less than 2^31 elements", w.In)
	}
	return nil
}

func newLines(w *graph.Window) *lines {
	end := len(w.In) - 1
	l := &lines{in: elements(w.In), out: elements(w.Out), inLine: w.In[end], outLine: w.Out[end], stride: w.Strides[end]}
	at, tap := make([]int, end), make([]int, end)
	for range elements(w.Out[:end]) {
		var list []lineTap
		clear(tap)
		for k := range elements(w.Kernel[:end]) {
			line, met := 0, true
			for i, extent := range w.In[:end] {
				p := w.Start(i, at[i]) + tap[i]*w.Dilations[i]
				met = met && p >= 0 && p < extent
				line = line*extent + p
			}
			for t := 0; met && t < w.Kernel[end]; t++ {
				s := l.tap(w.Start(end, 0) + t*w.Dilations[end])
				if s.line, s.tap = int32(line), int32(k*w.Kernel[end]+t); s.from < s.to {
					list = append(list, s)
				}
			}
			increment(tap, w.Kernel)
		}
		l.taps = append(l.taps, list)
		increment(at, w.Out)
	}
	return l
}

// tap is one that lies on element at for output 0, if that is in the line.
func (l *lines) tap(at int) lineTap {
	ceil := func(n int) int { return max(0, (n+l.stride-1)/l.stride) }
	return lineTap{from: int32(ceil(-at)), to: int32(min(l.outLine, ceil(l.inLine-at))), at: int32(at)}
}

// increment counts through an index space of len(at) axes, the last fastest.
func increment(at, extents []int) {
	for i := len(at) - 1; i >= 0; i-- {
		if at[i]++; at[i] < extents[i] {
			return
		}
		at[i] = 0
	}
}

// lineOf is line i of lines of n elements.
func lineOf[T any](x []T, i, n int) []T { return x[i*n : (i+1)*n : (i+1)*n] }

// met is what a tap meets of a plane, from the first of its outputs on: elements
// stride apart.
func met[T any](l *lines, s lineTap, plane []T) []T {
	return lineOf(plane, int(s.line), l.inLine)[int(s.at)+int(s.from)*l.stride:]
}

// addProduct adds x, every stride-th of it, times factor to dst.
func addProduct(dst, x []float64, stride int, factor float64) {
	if stride == 1 {
		for i, v := range x[:len(dst)] {
			dst[i] += factor * v
		}
		return
	}
	for i := range dst {
		dst[i] += factor * x[i*stride]
	}
}

// dotProduct is that of y and every stride-th of x.
func dotProduct(y, x []float64, stride int) float64 {
	s := 0.0
	for i, v := range y {
		s += v * x[i*stride]
	}
	return s
}
