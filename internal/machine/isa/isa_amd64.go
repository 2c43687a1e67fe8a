//go:build !purego

package isa

import "github.com/klauspost/cpuid/v2"

// supported asks the processor; cpuid asks the operating system, too, whether
// it saves the wide registers.
func supported(i ISA) bool {
	avx2 := cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.F16C, cpuid.BMI2)
	if i == AVX512 {
		return avx2 && cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL)
	}
	return i == AVX2 && avx2
}
