// Package kernel holds the CPU kernels: matrix product, elementwise functions,
// packing and copying, each for every instruction set that clsbench knows,
// with the portable Go that says what the assembly computes. Kernels take an
// ISA first, as others take a context: the choice is made once, by whoever
// opens a session, and every path can be forced.
//
// Nothing here allocates, starts goroutines or keeps state, but for plans
// (Gemm), which are made once and only read afterwards. No kernel skips work
// for a zero: 0·NaN is NaN. Memory outside the slices that a kernel is given
// is neither read nor written.
package kernel

import "github.com/clsbench/clsbench/internal/machine/isa"

//go:generate go -C ../_asm run .

// ISA is the instruction set that a kernel is to use. A kernel runs portable
// code where a set has none of its own; the caller answers for the processor.
type ISA = isa.ISA

// The instruction sets.
const (
	Generic = isa.Generic
	AVX2    = isa.AVX2
	AVX512  = isa.AVX512
)
