package harness

import (
	"context"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// limited gives every call to a backend a deadline, so that one that hangs, in
// whatever call, ends its cell and not the run. Closing has its own limit at
// the plugin boundary.
type limited struct {
	backends.Backend
	limit time.Duration
}

func (b *limited) Open(ctx context.Context, cfg backends.SessionConfig) (backends.Session, error) {
	ctx, done := context.WithTimeout(ctx, b.limit)
	defer done()
	s, err := b.Backend.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &limitedSession{s, b.limit}, nil
}

type limitedSession struct {
	backends.Session
	limit time.Duration
}

func (s *limitedSession) Map(ctx context.Context, r *backends.Region) error {
	ctx, done := context.WithTimeout(ctx, s.limit)
	defer done()
	return s.Session.Map(ctx, r)
}

func (s *limitedSession) Unmap(ctx context.Context, id uint32) error {
	ctx, done := context.WithTimeout(ctx, s.limit)
	defer done()
	return s.Session.Unmap(ctx, id)
}

func (s *limitedSession) Check(ctx context.Context, p *graph.Program) ([]backends.NodeVerdict, error) {
	ctx, done := context.WithTimeout(ctx, s.limit)
	defer done()
	return s.Session.Check(ctx, p)
}

func (s *limitedSession) Compile(ctx context.Context, p *graph.Program, b []backends.Binding) (backends.Executable, error) {
	ctx, done := context.WithTimeout(ctx, s.limit)
	defer done()
	e, err := s.Session.Compile(ctx, p, b)
	if err != nil {
		return nil, err
	}
	return &limitedExecutable{e, s.limit}, nil
}

func (s *limitedSession) Read(ctx context.Context, names []string, dst []*tensor.Tensor) error {
	ctx, done := context.WithTimeout(ctx, s.limit)
	defer done()
	return s.Session.Read(ctx, names, dst)
}

func (s *limitedSession) Write(ctx context.Context, names []string, src []*tensor.Tensor) error {
	ctx, done := context.WithTimeout(ctx, s.limit)
	defer done()
	return s.Session.Write(ctx, names, src)
}

func (s *limitedSession) Stats(ctx context.Context) (backends.Stats, error) {
	ctx, done := context.WithTimeout(ctx, s.limit)
	defer done()
	return s.Session.Stats(ctx)
}

type limitedExecutable struct {
	backends.Executable
	limit time.Duration
}

func (e *limitedExecutable) Run(ctx context.Context, r backends.RunRequest) (backends.Samples, error) {
	ctx, done := context.WithTimeout(ctx, e.limit)
	defer done()
	return e.Executable.Run(ctx, r)
}
