package cpu

import (
	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/tensor"
)

// value is a tensor of the program as kernels see it. Where it lies is settled
// after the kernels are built; they ask anew in every step.
type value struct {
	name string
	typ  tensor.Type
	mem  *memory
}

func (v *value) f32() []float32 { return tensor.View[float32](v.mem.data) }
func (v *value) bytes() []byte  { return v.mem.data }
func (v *value) elements() int  { return v.typ.Shape.Elements() }

// memory is a piece of memory that one or more values lie in.
type memory struct {
	kind memoryKind
	size int
	data []byte // where it lies; of rings, the slot of the step

	variable *variable      // state
	ring     *backends.Ring // ring

	// Planning: the partitions from the first that writes it to the last that
	// reads it, and, once it has joined another memory, that one.
	first, last int
	joined      *memory
	offset      int // in the arena
}

type memoryKind uint8

const (
	arenaMemory      memoryKind = iota // shared over time: values between nodes, scratch
	constMemory                        // of the program
	stateMemory                        // of the session
	ringMemory                         // the host's
	persistentMemory                   // of the executable, kept from step to step
)

// root is the memory that m has become part of.
func (m *memory) root() *memory {
	for m.joined != nil {
		if m.joined.joined != nil {
			m.joined = m.joined.joined
		}
		m = m.joined
	}
	return m
}

// read notes that partition i reads m, written notes that it writes it.
func (m *memory) read(i int)    { r := m.root(); r.last = max(r.last, i) }
func (m *memory) written(i int) { r := m.root(); r.first, r.last = min(r.first, i), max(r.last, i) }

// join makes m a part of to.
func (m *memory) join(to *memory) {
	m.joined = to
	to.first, to.last = min(to.first, m.first), max(to.last, m.last)
}
