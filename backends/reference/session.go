package reference

import (
	"context"
	"sync"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	ref "github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// session is the regions and the state. Calls take turns.
type session struct {
	mode    ref.Mode
	math    string // mode of the session
	regions backends.Regions

	mu     sync.Mutex
	state  map[string]*tensor.Tensor
	arenas int64 // of the open executables, bytes
	closed bool
	failed error // what poisoned the session
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
	verdicts := make([]backends.NodeVerdict, len(g.Calls))
	for i := range g.Calls {
		verdicts[i] = verdict(&g.Calls[i])
	}
	return verdicts, nil
}

func (s *session) Compile(_ context.Context, p *graph.Program, bindings []backends.Binding) (backends.Executable, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return compile(s, p, bindings)
}

// create makes a state variable, zeroed, unless it is there.
func (s *session) create(name string, t tensor.Type) {
	if s.state[name] == nil {
		s.state[name] = tensor.New(t.DType, t.Shape...)
	}
}

// agrees refuses a state variable that is there with another type.
func (s *session) agrees(name string, t tensor.Type) error {
	if old := s.state[name]; old != nil && !old.Type.Equal(t) {
		return backends.Errorf(backends.InvalidArgument, "state %q is %v, not %v", name, old.Type, t)
	}
	return nil
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
			return backends.Errorf(backends.InvalidArgument, "state %q: there is none of that name", name)
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
		s.create(name, src[i].Type)
		copy(s.state[name].Data, src[i].Data)
	}
	return nil
}

func (s *session) Stats(context.Context) (backends.Stats, error) {
	if err := s.enter(); err != nil {
		return backends.Stats{}, err
	}
	defer s.mu.Unlock()
	st := backends.Stats{ArenaBytes: s.arenas}
	for _, t := range s.state {
		st.StateBytes += int64(len(t.Data))
	}
	return st, nil
}

// Close waits for a run to end. It may be called again.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.state, s.arenas = nil, 0
	return nil
}
