//go:build !amd64 || purego

package kernel

func (Windows) averageLoop(ISA, []float32, []float32, float32) bool { return false }

func (Windows) maxLoop(ISA, []float32, []float32) bool { return false }

func (Windows) maxAtLoop(ISA, []float32, []int32, []float32) bool { return false }
