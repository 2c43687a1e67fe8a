//go:build !amd64 || purego

package isa

func supported(ISA) bool { return false }
