//go:build !amd64 || purego

package peak

import "github.com/clsbench/clsbench/internal/machine/isa"

func fmaProbe(isa.ISA) (func(), float64) { return fmaProbeGeneric() }

func readBytes(b []byte) { readGeneric(b) }
