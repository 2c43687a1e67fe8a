package opbench

import (
	"runtime"
	"sync"

	"github.com/clsbench/clsbench/internal/machine"
)

// Bounds of what is written to empty the caches: sysfs of a virtual machine
// may tell of none, or of the whole socket's.
const (
	minEvict  = 64 << 20
	maxEvict  = 512 << 20
	cacheLine = 64
)

// evictor empties the caches of the CPUs that this process may use, and with
// them what a backend on those CPUs left there.
type evictor struct {
	parts [][]byte // one a CPU
	cpus  []int
}

// newEvictor takes twice as much memory as there is cache.
func newEvictor(cpu machine.CPU) *evictor {
	return newEvictorOf(cpu.Allowed, evictBytes(cpu))
}

func newEvictorOf(cpus []int, bytes int) *evictor {
	e := &evictor{cpus: cpus}
	if len(e.cpus) == 0 {
		e.cpus = make([]int, runtime.GOMAXPROCS(0))
	}
	for range e.cpus {
		e.parts = append(e.parts, make([]byte, bytes/len(e.cpus)))
	}
	return e
}

// evictBytes is twice the data caches that the allowed CPUs can fill.
func evictBytes(cpu machine.CPU) int {
	var total int64
	for _, c := range cpu.Caches {
		if c.Kind == "instruction" {
			continue
		}
		instances := int64(1)
		if c.SharedBy > 0 {
			instances = (int64(len(cpu.Allowed)) + int64(c.SharedBy) - 1) / int64(c.SharedBy)
		}
		total += instances * c.Bytes
	}
	return int(min(max(2*total, minEvict), maxEvict))
}

func (e *evictor) bytes() (n int) {
	for _, p := range e.parts {
		n += len(p)
	}
	return n
}

// evict writes a byte of every line of every part, each part on its own CPU:
// the caches nearest to a CPU are emptied by that CPU alone.
func (e *evictor) evict() {
	var wg sync.WaitGroup
	for i, part := range e.parts {
		wg.Go(func() {
			// The thread keeps its place, and ends with the goroutine.
			runtime.LockOSThread()
			pin(e.cpus[i])
			for k := 0; k < len(part); k += cacheLine {
				part[k]++
			}
		})
	}
	wg.Wait()
}
