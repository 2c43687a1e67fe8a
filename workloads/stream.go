package workloads

import (
	"context"
	"fmt"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
)

// DefaultPerCall is how many steps one Run call takes: enough to make the way
// through the plugin boundary cheap, few enough to stop soon.
const DefaultPerCall = 50

// stream runs a program step by step over rings of feeds and fetches. The
// rings hold two calls' worth of slots: while the plugin runs one call, the
// host fills the next and reads the last.
type stream struct {
	*backends.Bound
	perCall int64
	fill    func(step int64) error // writes the step's feeds
	drain   func(step int64) error // reads the step's fetches
}

// openStream compiles p, decomposed as far as the session needs it.
func openStream(ctx context.Context, s backends.Session, p *graph.Program, perCall int) (*stream, error) {
	if perCall < 1 || perCall > backends.MaxSlots/2 {
		return nil, fmt.Errorf("%d steps a call: want 1 to %d", perCall, backends.MaxSlots/2)
	}
	p, err := backends.Fit(ctx, s, p)
	if err != nil {
		return nil, err
	}
	bound, err := backends.CompileBound(ctx, s, p, func(string) int { return 2 * perCall }, nil)
	if err != nil {
		return nil, err
	}
	return &stream{Bound: bound, perCall: int64(perCall)}, nil
}

// run runs steps first … end-1. On an error, the context's included, it
// returns when no call owns a slot any more.
func (s *stream) run(ctx context.Context, first, end int64) error {
	next, err := s.fillCall(first, end)
	if err != nil {
		return err
	}
	for at, drained := first, first; drained < end; {
		done := s.start(ctx, at, next)
		err := s.drainCall(drained, at)
		ahead := next
		if err == nil {
			ahead, err = s.fillCall(next, end)
		}
		if runErr := <-done; err == nil {
			err = runErr
		}
		if err != nil {
			return err
		}
		drained, at, next = at, next, ahead
	}
	return nil
}

// start runs steps first … end-1 beside the caller; no steps are done at once.
func (s *stream) start(ctx context.Context, first, end int64) <-chan error {
	done := make(chan error, 1)
	if first == end {
		done <- nil
		return done
	}
	go func() {
		_, err := s.Run(ctx, backends.RunRequest{First: first, Steps: int(end - first)})
		done <- err
	}()
	return done
}

// fillCall writes the feeds of the call that begins at step first and returns
// where it ends.
func (s *stream) fillCall(first, end int64) (int64, error) {
	end = min(end, first+s.perCall)
	for step := first; step < end; step++ {
		if err := s.fill(step); err != nil {
			return first, err
		}
	}
	return end, nil
}

func (s *stream) drainCall(first, end int64) error {
	for step := first; step < end; step++ {
		if err := s.drain(step); err != nil {
			return err
		}
	}
	return nil
}
