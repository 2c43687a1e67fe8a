//go:build !purego

package kernel

func averagePool2Loop(i ISA, dst, src []float32, pitch, rows, cols int, scale float32) {
	switch i {
	case AVX512:
		averagePool2AVX512(&dst[0], &src[0], pitch, rows, cols, scale)
	case AVX2:
		averagePool2AVX2(&dst[0], &src[0], pitch, rows, cols, scale)
	default:
		averagePool2Go(dst, src, pitch, rows, cols, scale)
	}
}

func averagePool2GradLoop(i ISA, dx, dy []float32, rows, cols int, scale float32) {
	switch i {
	case AVX512:
		averagePool2GradAVX512(&dx[0], &dy[0], rows, cols, scale)
	case AVX2:
		averagePool2GradAVX2(&dx[0], &dy[0], rows, cols, scale)
	default:
		averagePool2GradGo(dx, dy, rows, cols, scale)
	}
}
