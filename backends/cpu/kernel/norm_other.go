//go:build !amd64 || purego

package kernel

func normFor(ISA) *normLoops { return nil }
