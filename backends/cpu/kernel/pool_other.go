//go:build !amd64 || purego

package kernel

func averagePool2Loop(_ ISA, dst, src []float32, pitch, rows, cols int, scale float32) {
	averagePool2Go(dst, src, pitch, rows, cols, scale)
}

func averagePool2GradLoop(_ ISA, dx, dy []float32, rows, cols int, scale float32) {
	averagePool2GradGo(dx, dy, rows, cols, scale)
}
