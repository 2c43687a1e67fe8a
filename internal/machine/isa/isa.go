// Package isa names the instruction sets that clsbench has assembly for, and
// says which of them this processor runs.
package isa

import (
	"fmt"
	"strings"
)

// ISA is an instruction set to compute with.
type ISA uint8

// The instruction sets, each a superset of the one before.
const (
	Generic ISA = iota // portable Go
	AVX2               // x86 with 256-bit vectors, FMA, F16C and BMI2
	AVX512             // x86 with 512-bit vectors: F, BW, DQ, VL
)

var names = [...]string{Generic: "generic", AVX2: "avx2", AVX512: "avx512"}

func (i ISA) String() string {
	if int(i) >= len(names) {
		return fmt.Sprintf("isa(%d)", uint8(i))
	}
	return names[i]
}

// All lists the instruction sets, the fastest first.
func All() []ISA { return []ISA{AVX512, AVX2, Generic} }

// Available lists those that run here, the fastest first.
func Available() []ISA {
	var a []ISA
	for _, i := range All() {
		if i.Available() {
			a = append(a, i)
		}
	}
	return a
}

// Available says whether this processor, under this operating system and in
// this build, runs i.
func (i ISA) Available() bool { return i == Generic || supported(i) }

// Best is the fastest that runs here.
func Best() ISA { return Available()[0] }

// Parse is the inverse of String; the error lists what there is. Whether the
// set runs here is another question: see Available.
func Parse(s string) (ISA, error) {
	for i, n := range names {
		if n == s {
			return ISA(i), nil
		}
	}
	return Generic, fmt.Errorf("unknown instruction set %q: want one of %s", s, strings.Join(Names(), ", "))
}

// Names lists the names that Parse takes, the fastest first.
func Names() []string {
	var n []string
	for _, i := range All() {
		n = append(n, i.String())
	}
	return n
}
