//go:build !amd64 || purego

package kernel

func microFor(ISA, int, int) *micro { return genericMicro }
