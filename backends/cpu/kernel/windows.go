package kernel

import "math"

// Windows are those of neighbouring outputs of a pool that see the same taps,
// in ascending order, each output Stride elements further than the one before:
// output j sees src[Taps[k]+j·Stride] for all k.
type Windows struct {
	Taps   []int32
	Stride int
}

// MaxWindows is how many outputs a call of the methods of Windows takes.
const MaxWindows = 64

// vectors tells whether there are loops for the windows of n outputs; the
// slices must hold all that the taps name.
func (w Windows) vectors(i ISA, src []float32, n int) bool {
	if i == Generic || w.Stride > 2 || n == 0 || len(w.Taps) > chunk/4 {
		return false
	}
	_ = src[int(w.Taps[len(w.Taps)-1])+(n-1)*w.Stride]
	return w.Taps[0] >= 0 && n <= MaxWindows
}

// Average is the sum of each window over the divisor.
func (w Windows) Average(i ISA, dst, src []float32, divisor float32) {
	if w.vectors(i, src, len(dst)) && w.averageLoop(i, dst, src, divisor) {
		return
	}
	for j := range dst {
		s := float32(0)
		for _, t := range w.Taps {
			s += src[int(t)+j*w.Stride]
		}
		dst[j] = s / divisor
	}
}

// Max is the largest element of each window, NaN where there is one.
func (w Windows) Max(i ISA, dst, src []float32) {
	if w.vectors(i, src, len(dst)) && w.maxLoop(i, dst, src) {
		return
	}
	for j := range dst {
		m := float32(math.Inf(-1))
		for _, t := range w.Taps {
			m = max(m, src[int(t)+j*w.Stride])
		}
		dst[j] = m
	}
}

// MaxAt is Max and where in src the largest element lies, the first of equal
// ones; NaN is larger than any number.
func (w Windows) MaxAt(i ISA, dst []float32, at []int32, src []float32) {
	at = at[:len(dst)]
	if w.vectors(i, src, len(dst)) && w.maxAtLoop(i, dst, at, src) {
		return
	}
	for j := range dst {
		m, first := float32(math.Inf(-1)), w.Taps[0]
		for _, t := range w.Taps {
			if v := src[int(t)+j*w.Stride]; v > m || (v != v && m == m) {
				m, first = v, t
			}
		}
		dst[j], at[j] = m, first+int32(j*w.Stride)
	}
}
