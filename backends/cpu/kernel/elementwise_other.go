//go:build !amd64 || purego

package kernel

func arithFor(ISA, Arith) *arithLoops { return nil }

func reluLoop(_ ISA, dst, x []float32) { reluGo(dst, x) }

func reluGradLoop(_ ISA, dx, dy, y []float32) { reluGradGo(dx, dy, y) }
