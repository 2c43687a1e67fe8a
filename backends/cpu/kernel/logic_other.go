//go:build !amd64 || purego

package kernel

func comparisonFor(ISA, Comparison) (*comparisonLoops, int) { return nil, 0 }

func whereFor(ISA) (*whereLoops, int) { return nil, 0 }
