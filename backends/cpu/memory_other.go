//go:build !linux

package cpu

import "github.com/clsbench/clsbench/tensor"

// availableMemory is unknown here.
func availableMemory() int64 { return 0 }

// mapMemory gives n zeroed bytes, and what frees them.
func mapMemory(n int) ([]byte, func()) { return tensor.AlignedBytes(n), func() {} }
