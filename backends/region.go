package backends

import (
	"os"
	"sync"
	"sync/atomic"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Region is memory that host and backend both see. The host makes it with
// NewRegion; a backend reads and writes Data and never resizes it.
type Region struct {
	ID   uint32   // unique in the host process
	Data []byte   // starts on a page
	File *os.File // what a plugin process can map; nil: private memory, kept in step by chunks

	unmap func() error
}

var lastRegion atomic.Uint32

// Close frees the region. No session may have it mapped still.
func (r *Region) Close() error {
	if r.unmap == nil {
		return nil
	}
	err := r.unmap()
	r.Data, r.unmap = nil, nil
	return err
}

// NewPrivateRegion makes a region that no other process can map.
func NewPrivateRegion(bytes int64) *Region {
	return &Region{ID: lastRegion.Add(1), Data: tensor.AlignedBytes(int(bytes))}
}

// MaxSlots bounds a ring.
const MaxSlots = 1 << 20

// Regions is a session's table of mapped regions, for backends in Go. Its
// zero value is empty; it is safe for concurrent use.
type Regions struct {
	mu   sync.Mutex
	byID map[uint32]*Region
	uses map[uint32]int
}

// Map adds a region.
func (t *Regions) Map(r *Region) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID == nil {
		t.byID, t.uses = map[uint32]*Region{}, map[uint32]int{}
	}
	if _, dup := t.byID[r.ID]; dup {
		return Errorf(InvalidArgument, "region %d is mapped already", r.ID)
	}
	t.byID[r.ID] = r
	return nil
}

// Unmap removes a region that no executable is bound to.
func (t *Regions) Unmap(id uint32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.byID[id]; !ok {
		return Errorf(InvalidArgument, "region %d is not mapped", id)
	}
	if n := t.uses[id]; n > 0 {
		return Errorf(FailedPrecondition, "region %d is bound to %d values of open executables", id, n)
	}
	delete(t.byID, id)
	return nil
}

// Ring is a binding resolved to memory.
type Ring struct {
	Type  tensor.Type
	Slots [][]byte
}

// At is the memory of a step.
func (r *Ring) At(step int64) []byte { return r.Slots[step%int64(len(r.Slots))] }

// Bind resolves the bindings of a program: every feed and fetch exactly once,
// inside its region, aligned to 64 bytes, slots apart, rings disjoint where
// one of them is written. Release gives the regions back.
func (t *Regions) Bind(g *graph.Graph, bindings []Binding) (map[string]*Ring, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	writes := make(map[string]bool)
	for _, f := range g.Fetches {
		writes[f] = true
	}
	wanted := make(map[string]bool)
	for _, f := range g.Feeds {
		wanted[f.Name] = true
	}
	for f := range writes {
		wanted[f] = true
	}
	rings := make(map[string]*Ring, len(bindings))
	for i, b := range bindings {
		if !wanted[b.Value] {
			return nil, Errorf(InvalidArgument, "binding %q: neither a feed nor a fetch", b.Value)
		}
		if rings[b.Value] != nil {
			return nil, Errorf(InvalidArgument, "binding %q: bound twice", b.Value)
		}
		ring, err := t.resolve(b, g.Types[b.Value])
		if err != nil {
			return nil, err
		}
		for _, o := range bindings[:i] {
			if (writes[b.Value] || writes[o.Value]) && overlap(b, o, g.Types) {
				return nil, Errorf(InvalidArgument, "binding %q overlaps %q, and one of them is written", b.Value, o.Value)
			}
		}
		rings[b.Value] = ring
	}
	for v := range wanted {
		if rings[v] == nil {
			return nil, Errorf(InvalidArgument, "binding %q: missing", v)
		}
	}
	for _, b := range bindings {
		t.uses[b.Region]++
	}
	return rings, nil
}

// Release ends the use of regions by an executable.
func (t *Regions) Release(bindings []Binding) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range bindings {
		t.uses[b.Region]--
	}
}

func (t *Regions) resolve(b Binding, ty tensor.Type) (*Ring, error) {
	r, ok := t.byID[b.Region]
	if !ok {
		return nil, Errorf(InvalidArgument, "binding %q: region %d is not mapped", b.Value, b.Region)
	}
	size, n := int64(ty.Bytes()), int64(len(r.Data))
	switch {
	case b.Slots < 1 || b.Slots > MaxSlots:
		return nil, Errorf(InvalidArgument, "binding %q: %d slots, want 1 to %d", b.Value, b.Slots, MaxSlots)
	case b.Offset < 0 || b.Offset%64 != 0 || b.Stride%64 != 0:
		return nil, Errorf(InvalidArgument, "binding %q: offset %d and stride %d must be multiples of 64", b.Value, b.Offset, b.Stride)
	case b.Slots > 1 && b.Stride < size:
		return nil, Errorf(InvalidArgument, "binding %q: stride %d is less than the value's %d bytes", b.Value, b.Stride, size)
	case b.Stride < 0 || b.Stride > n || b.Offset > n || b.Offset+int64(b.Slots-1)*b.Stride+size > n:
		return nil, Errorf(InvalidArgument, "binding %q: %d slots of %d bytes do not fit region %d of %d bytes", b.Value, b.Slots, size, b.Region, n)
	}
	ring := &Ring{Type: ty, Slots: make([][]byte, b.Slots)}
	for i := range ring.Slots {
		at := b.Offset + int64(i)*b.Stride
		ring.Slots[i] = r.Data[at : at+size : at+size]
	}
	return ring, nil
}

// overlap compares the slots of two rings; interleaved rings are legal.
func overlap(a, b Binding, types map[string]tensor.Type) bool {
	if a.Region != b.Region {
		return false
	}
	sa, sb := int64(types[a.Value].Bytes()), int64(types[b.Value].Bytes())
	endA, endB := a.Offset+int64(a.Slots-1)*a.Stride+sa, b.Offset+int64(b.Slots-1)*b.Stride+sb
	if endA <= b.Offset || endB <= a.Offset {
		return false
	}
	for i := range int64(a.Slots) {
		at := a.Offset + i*a.Stride
		// The only slots of b that can meet [at, at+sa) are neighbours.
		first := int64(0)
		if b.Stride > 0 {
			first = max(0, (at-b.Offset-sb)/b.Stride)
		}
		for j := first; j < int64(b.Slots); j++ {
			bt := b.Offset + j*b.Stride
			if bt >= at+sa {
				break
			}
			if bt+sb > at {
				return true
			}
		}
	}
	return false
}
