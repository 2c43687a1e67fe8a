//go:build !purego

package kernel

// The loops say whether there is one.

func (w Windows) averageLoop(i ISA, dst, src []float32, divisor float32) bool {
	d, s, n, taps, count := &dst[0], &src[0], len(dst), &w.Taps[0], len(w.Taps)
	switch {
	case i == AVX512 && w.Stride == 1:
		averageWindows1AVX512(d, s, n, taps, count, divisor)
	case i == AVX512:
		averageWindows2AVX512(d, s, n, taps, count, divisor)
	case w.Stride == 1:
		averageWindows1AVX2(d, s, n, taps, count, divisor)
	default:
		averageWindows2AVX2(d, s, n, taps, count, divisor)
	}
	return true
}

func (w Windows) maxLoop(i ISA, dst, src []float32) bool {
	d, s, n, taps, count := &dst[0], &src[0], len(dst), &w.Taps[0], len(w.Taps)
	switch {
	case i == AVX512 && w.Stride == 1:
		maxWindows1AVX512(d, s, n, taps, count)
	case i == AVX512:
		maxWindows2AVX512(d, s, n, taps, count)
	case w.Stride == 1:
		maxWindows1AVX2(d, s, n, taps, count)
	default:
		maxWindows2AVX2(d, s, n, taps, count)
	}
	return true
}

func (w Windows) maxAtLoop(i ISA, dst []float32, at []int32, src []float32) bool {
	a, d, s, n, taps, count := &at[0], &dst[0], &src[0], len(dst), &w.Taps[0], len(w.Taps)
	switch {
	case i == AVX512 && w.Stride == 1:
		maxWindowsAt1AVX512(a, d, s, n, taps, count)
	case i == AVX512:
		maxWindowsAt2AVX512(a, d, s, n, taps, count)
	case w.Stride == 1:
		maxWindowsAt1AVX2(a, d, s, n, taps, count)
	default:
		maxWindowsAt2AVX2(a, d, s, n, taps, count)
	}
	return true
}
