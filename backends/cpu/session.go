package cpu

import (
	"context"
	"sync"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/backends/cpu/pool"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// session is the threads, the regions and the state. Calls take turns.
type session struct {
	isa     kernel.ISA
	guards  bool
	regions backends.Regions

	mu     sync.Mutex
	pool   *pool.Pool
	state  map[string]*variable
	arenas int64 // of the open executables, bytes
	closed bool
	failed error // what poisoned the session
}

// variable is a state variable. Its memory stays where it is.
type variable struct {
	tensor.Tensor
	// version counts the writes; what a kernel derived from the value (packed
	// weights) is good while the version is the same.
	version uint64
}

func newSession(set kernel.ISA, p *pool.Pool, guards bool) *session {
	return &session{isa: set, pool: p, guards: guards, state: map[string]*variable{}}
}

// enter begins a call: it locks the session unless that is closed or poisoned.
func (s *session) enter() error {
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return backends.Errorf(backends.FailedPrecondition, "the session is closed")
	case s.failed != nil:
		err := s.failed
		s.mu.Unlock()
		return backends.Errorf(backends.FailedPrecondition, "the session's state is undefined since a run failed: %v", err)
	}
	return nil
}

func (s *session) Map(_ context.Context, r *backends.Region) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return s.regions.Map(r)
}

func (s *session) Unmap(_ context.Context, id uint32) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return s.regions.Unmap(id)
}

func (s *session) Check(_ context.Context, p *graph.Program) ([]backends.NodeVerdict, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	g, err := p.Infer()
	if err != nil {
		return nil, backends.Malformed(err)
	}
	t, verdicts := newTable(), make([]backends.NodeVerdict, len(g.Calls))
	for i := range g.Calls {
		verdicts[i] = t.verdict(&g.Calls[i])
	}
	return verdicts, nil
}

func (s *session) Compile(_ context.Context, p *graph.Program, bindings []backends.Binding) (backends.Executable, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	e, err := compile(s, p, bindings, false)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// agrees refuses a state variable that is there with another type.
func (s *session) agrees(name string, t tensor.Type) error {
	if old := s.state[name]; old != nil && !old.Type.Equal(t) {
		return backends.Errorf(backends.InvalidArgument, "state %q is %v, not %v", name, old.Type, t)
	}
	return nil
}

// variable finds a state variable or makes it, zeroed.
func (s *session) variable(name string, t tensor.Type) *variable {
	v := s.state[name]
	if v == nil {
		v = &variable{Tensor: *tensor.New(t.DType, t.Shape...)}
		s.state[name] = v
	}
	return v
}

func (s *session) Read(_ context.Context, names []string, dst []*tensor.Tensor) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if len(names) != len(dst) {
		return backends.Errorf(backends.InvalidArgument, "read: %d names, %d tensors", len(names), len(dst))
	}
	for i, name := range names {
		if s.state[name] == nil {
			return backends.Errorf(backends.InvalidArgument, "state %q: no such variable", name)
		}
		if err := s.agrees(name, dst[i].Type); err != nil {
			return err
		}
	}
	for i, name := range names {
		copy(dst[i].Data, s.state[name].Data)
	}
	return nil
}

func (s *session) Write(_ context.Context, names []string, src []*tensor.Tensor) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if len(names) != len(src) {
		return backends.Errorf(backends.InvalidArgument, "write: %d names, %d tensors", len(names), len(src))
	}
	for i, name := range names {
		if err := s.agrees(name, src[i].Type); err != nil {
			return err
		}
	}
	for i, name := range names {
		v := s.variable(name, src[i].Type)
		copy(v.Data, src[i].Data)
		v.version++
	}
	return nil
}

func (s *session) Stats(context.Context) (backends.Stats, error) {
	if err := s.enter(); err != nil {
		return backends.Stats{}, err
	}
	defer s.mu.Unlock()
	stats := backends.Stats{ArenaBytes: s.arenas}
	for _, v := range s.state {
		stats.StateBytes += int64(len(v.Data))
	}
	return stats, nil
}

// Close ends the threads. Executables may be closed after it.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		s.pool.Close()
		s.state = nil
	}
	return nil
}
