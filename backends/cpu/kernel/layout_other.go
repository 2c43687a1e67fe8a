//go:build !amd64 || purego

package kernel

func transpose8Loop(ISA, []float32, int, []float32, int, int, int) int { return 0 }

func copyRuns(_ ISA, dst []float32, step int, src []float32, offsets []int32, runs []run) {
	copyRunsGo(dst, step, src, offsets, runs)
}

func sumRuns(_ ISA, dst, src []float32, chunks []sumChunk, terms []term) {
	sumRunsGo(dst, src, chunks, terms)
}
