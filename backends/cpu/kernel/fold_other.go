//go:build !amd64 || purego

package kernel

func foldFor(ISA, Fold) *foldLoops { return nil }
