package reference

import "github.com/prometheus/procfs"

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
