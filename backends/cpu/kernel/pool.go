package kernel

// AveragePool2 is the mean over windows of 2×2, side by side, of rows·2 rows
// of pitch elements each:
//
//	dst[y·cols+x] = scale · Σ src[(2y+i)·pitch + 2x+j], i, j < 2
//
// Columns of src from 2·cols on are left out.
func AveragePool2(i ISA, dst, src []float32, pitch, rows, cols int, scale float32) {
	if rows == 0 || cols == 0 {
		return
	}
	dst, src = dst[:rows*cols], src[:(2*rows-1)*pitch+2*cols]
	step := max(1, chunk/(4*cols))
	for y := 0; y < rows; y += step {
		averagePool2Loop(i, dst[y*cols:], src[2*y*pitch:], pitch, min(step, rows-y), cols, scale)
	}
}

func averagePool2Go(dst, src []float32, pitch, rows, cols int, scale float32) {
	for y := range rows {
		top, below := src[2*y*pitch:][:2*cols], src[(2*y+1)*pitch:][:2*cols]
		out := dst[y*cols:][:cols]
		for x := range out {
			out[x] = scale * ((top[2*x] + below[2*x]) + (top[2*x+1] + below[2*x+1]))
		}
	}
}

// AveragePool2Grad is the gradient of AveragePool2 where the windows cover
// all: dx[y·2·cols+x] = scale · dy[y/2·cols+x/2] for 2·rows rows. Many rows are
// its caller's to bring in blocks: it can't be preempted.
func AveragePool2Grad(i ISA, dx, dy []float32, rows, cols int, scale float32) {
	if rows == 0 || cols == 0 {
		return
	}
	averagePool2GradLoop(i, dx[:4*rows*cols], dy[:rows*cols], rows, cols, scale)
}

func averagePool2GradGo(dx, dy []float32, rows, cols int, scale float32) {
	for y := range rows {
		top, below := dx[4*y*cols:][:2*cols], dx[(4*y+2)*cols:][:2*cols]
		for x, d := range dy[y*cols:][:cols] {
			d *= scale
			top[2*x], top[2*x+1], below[2*x], below[2*x+1] = d, d, d, d
		}
	}
}
