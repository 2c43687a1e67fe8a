package wire

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/clsbench/clsbench/backends"
	v1 "github.com/clsbench/clsbench/backends/wire/backendv1"
	"github.com/clsbench/clsbench/tensor"
)

// memory is a region as the plugin sees it.
type memory struct {
	data     []byte
	free     func() error
	transfer bool // the transport's own: the backend does not know it
}

// memories are the regions of one session in the plugin. Its lock is held
// while memory is touched on the transport's behalf, so that nothing is
// unmapped meanwhile.
type memories struct {
	mu   sync.Mutex
	byID map[uint32]*memory
}

// newMemory opens or allocates what the host asks for.
func newMemory(q *v1.MapRequest) (*memory, error) {
	n := q.GetBytes()
	if n < 1 || n > maxRegion {
		return nil, backends.Errorf(backends.InvalidArgument, "region %d: %d bytes, want 1 to 2^40", q.GetRegion(), n)
	}
	if q.GetPath() != "" {
		data, free, err := openShared(q.GetPath(), n, q.GetDevice(), q.GetInode())
		if err != nil {
			return nil, backends.Errorf(backends.FailedPrecondition, "region %d: %v", q.GetRegion(), err)
		}
		return &memory{data, free, q.GetTransfer()}, nil
	}
	if free, ok := availableMemory(); ok && n > free {
		return nil, &backends.Error{Code: backends.ResourceExhausted, Message: "private memory for a region", Wanted: n, Free: free}
	}
	return &memory{tensor.AlignedBytes(int(n)), func() error { return nil }, q.GetTransfer()}, nil
}

func (t *memories) add(id uint32, m *memory) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID == nil {
		t.byID = map[uint32]*memory{}
	}
	if _, dup := t.byID[id]; dup || id == 0 {
		return backends.Errorf(backends.InvalidArgument, "region %d: the number is 0 or taken", id)
	}
	t.byID[id] = m
	return nil
}

func (t *memories) get(id uint32) (*memory, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, ok := t.byID[id]
	return m, ok
}

// drop forgets a region and frees its memory.
func (t *memories) drop(id uint32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, ok := t.byID[id]
	if !ok {
		return backends.Errorf(backends.InvalidArgument, "region %d is not mapped", id)
	}
	delete(t.byID, id)
	return m.free()
}

func (t *memories) dropAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, m := range t.byID {
		_ = m.free() // nobody is left to tell
		delete(t.byID, id)
	}
}

// with lends a part of a region to f.
func (t *memories) with(id uint32, offset, length int64, f func([]byte) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, ok := t.byID[id]
	if !ok {
		return backends.Errorf(backends.InvalidArgument, "region %d is not mapped", id)
	}
	n := int64(len(m.data))
	if offset < 0 || length < 0 || offset > n || length > n-offset {
		return backends.Errorf(backends.InvalidArgument, "region %d of %d bytes: no %d bytes at %d", id, n, length, offset)
	}
	return f(m.data[offset : offset+length])
}

// A const in a transfer region is found by this location.
const regionLocation = "region/"

func locationOf(id uint32) string { return fmt.Sprintf("%s%d", regionLocation, id) }

// resolve copies external data of a program, because its region goes when the
// call returns and the program may be kept.
func (t *memories) resolve(location string, offset, length int64) ([]byte, error) {
	text, ok := strings.CutPrefix(location, regionLocation)
	id, err := strconv.ParseUint(text, 10, 32)
	if !ok || err != nil {
		return nil, fmt.Errorf("external data at %q: want %sID", location, regionLocation)
	}
	var out []byte
	err = t.with(uint32(id), offset, length, func(b []byte) error {
		out = tensor.AlignedBytes(len(b))
		copy(out, b)
		return nil
	})
	return out, err
}
