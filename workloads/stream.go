package workloads

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
)

// DefaultPerCall is how many steps one Run call takes: enough to make the way
// through the plugin boundary cheap, few enough to stop soon.
const DefaultPerCall = 50

// maxFeedRing bounds the feeds that wait for their steps, bytes: large images
// take fewer steps a call.
const maxFeedRing = 256 << 20

// stream runs a program step by step over rings of feeds and fetches. The
// rings hold two calls' worth of slots: a filler of its own goroutine writes
// feeds ahead, as far as slots are free, while the plugin runs a call and the
// host reads the fetches of the one before.
type stream struct {
	*backends.Bound
	perCall int64
	fill    func(ctx context.Context, step int64) error // writes the step's feeds; step by step, in a goroutine of its own
	drain   func(step int64) error                      // reads the step's fetches

	waited time.Duration // in which nothing ran since no step's feeds were there
}

// openStream compiles p, decomposed as far as the session needs it.
func openStream(ctx context.Context, s backends.Session, p *graph.Program, perCall int) (*stream, error) {
	if perCall < 1 || perCall > backends.MaxSlots/2 {
		return nil, fmt.Errorf("%d steps a call: want 1 to %d", perCall, backends.MaxSlots/2)
	}
	size := 0
	for _, v := range p.Feeds {
		size += v.Type.Bytes()
	}
	perCall = max(1, min(perCall, maxFeedRing/2/max(1, size)))
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
// returns when no call owns a slot any more and nothing is being filled.
func (s *stream) run(ctx context.Context, first, end int64) error {
	ahead := s.fillAhead(ctx, first, end)
	defer ahead.stop()
	for at, drained := first, first; drained < end; {
		next, waited, err := ahead.ready(at, min(end, at+s.perCall))
		s.waited += waited
		if err != nil {
			return canceled(ctx, err)
		}
		done := s.start(ctx, at, next)
		err = s.drainCall(drained, at)
		ahead.free(at)
		if runErr := <-done; err == nil {
			err = runErr
		}
		if err != nil {
			return err
		}
		drained, at = at, next
	}
	return nil
}

// canceled is an end on request in the words of a backend's, whoever noticed it.
func canceled(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	code := backends.Canceled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = backends.DeadlineExceeded
	}
	return backends.Errorf(code, "stopped: %v", err)
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

func (s *stream) drainCall(first, end int64) error {
	for step := first; step < end; step++ {
		if err := s.drain(step); err != nil {
			return err
		}
	}
	return nil
}

// filler writes feeds ahead of the steps that are run.
type filler struct {
	cancel context.CancelFunc
	gone   chan struct{} // closed when nothing is filled any more

	mu      sync.Mutex
	changed *sync.Cond
	filled  int64 // steps before it are there
	drained int64 // steps before it have given their slots back
	stopped bool
	err     error
}

// fillAhead begins to fill steps first … end-1.
func (s *stream) fillAhead(ctx context.Context, first, end int64) *filler {
	ctx, cancel := context.WithCancel(ctx)
	f := &filler{cancel: cancel, gone: make(chan struct{}), filled: first, drained: first}
	f.changed = sync.NewCond(&f.mu)
	go func() {
		defer close(f.gone)
		for step := first; step < end && f.room(step-2*s.perCall); step++ {
			if err := s.fill(ctx, step); err != nil {
				f.fail(err)
				return
			}
			f.mu.Lock()
			f.filled++
			f.changed.Broadcast()
			f.mu.Unlock()
		}
	}()
	return f
}

// room waits until a step has given its slot back; false if the filler ends.
func (f *filler) room(step int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.drained <= step && !f.stopped {
		f.changed.Wait()
	}
	return !f.stopped
}

func (f *filler) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	f.changed.Broadcast()
}

// ready waits until step at can be run and says where, up to end, the steps
// that can end, and how long it took. No steps at all are ready at once.
func (f *filler) ready(at, end int64) (next int64, waited time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at < end && f.filled <= at {
		begin := time.Now()
		for f.filled <= at && f.err == nil {
			f.changed.Wait()
		}
		waited = time.Since(begin)
	}
	if at < end && f.filled <= at {
		return at, waited, f.err
	}
	return min(end, f.filled), waited, nil
}

// free gives the slots of the steps before back.
func (f *filler) free(step int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drained = step
	f.changed.Broadcast()
}

// stop ends the filler and waits for it.
func (f *filler) stop() {
	f.cancel()
	f.mu.Lock()
	f.stopped = true
	f.changed.Broadcast()
	f.mu.Unlock()
	<-f.gone
}
