package cpu

import (
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/clsbench/clsbench/tensor"
)

// availableMemory is how many bytes the machine could give, 0 if unknown.
func availableMemory() int64 {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0
	}
	m, err := fs.Meminfo()
	if err != nil || m.MemAvailableBytes == nil {
		return 0
	}
	return int64(*m.MemAvailableBytes)
}

// mapMemory gives n zeroed bytes outside of Go's heap, in huge pages where the
// kernel has them, and what frees them.
func mapMemory(n int) ([]byte, func()) {
	if n == 0 {
		return nil, func() {}
	}
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return tensor.AlignedBytes(n), func() {}
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // a wish
	return b, func() { _ = unix.Munmap(b) }
}
