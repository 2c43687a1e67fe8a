//go:build !amd64 || purego

package kernel

func depthwiseFor(ISA, int, int) *depthwiseLoops { return nil }
