//go:build !purego

package peak

import (
	"unsafe"

	"github.com/clsbench/clsbench/internal/machine/isa"
)

// fmaProbe gives a call of some 15 µs and its operations.
func fmaProbe(i isa.ISA) (func(), float64) {
	const n, chains = 10_000, 12
	switch i {
	case isa.AVX512:
		return func() { fmaAVX512(n) }, 2 * 16 * chains * n
	case isa.AVX2:
		return func() { fmaAVX2(n) }, 2 * 8 * chains * n
	}
	return fmaProbeGeneric()
}

func readBytes(b []byte) {
	if isa.AVX2.Available() {
		readAVX2(unsafe.SliceData(b), len(b))
		return
	}
	readGeneric(b)
}
