package cpu

import (
	"context"
	"sync/atomic"

	"github.com/clsbench/clsbench/backends"
)

// executable is a compiled program.
type executable struct {
	session  *session
	bindings []backends.Binding
	rings    map[string]*backends.Ring
	plan     backends.Plan

	parts    []*part
	slots    []*memory // that lie in rings
	commits  []commit
	updated  []*variable
	arena    []byte
	poisoned []byte // the part of the arena that holds nothing from step to step
	free     func()
	failure  *atomic.Pointer[backends.Error]

	profile []backends.PartitionSample // of the call that runs; nil: not asked for
	step    func(n int64, split *backends.Split) error
	closed  bool
}

// collect takes over what a step needs from the builder.
func (e *executable) collect(b *builder, commits []commit) {
	e.parts, e.commits = b.parts, commits
	seen := map[*memory]bool{}
	slot := func(m *memory) {
		if m.kind == ringMemory && !seen[m] {
			seen[m] = true
			e.slots = append(e.slots, m)
		}
	}
	for _, v := range b.values {
		slot(v.mem)
	}
	for _, c := range commits {
		slot(c.to)
	}
	for _, u := range b.g.Updates {
		e.updated = append(e.updated, b.values[u.State].mem.variable)
	}
	e.step = e.run // bound once: a method value is an allocation
}

func (e *executable) Plan() backends.Plan { return e.plan }

func (e *executable) Run(ctx context.Context, r backends.RunRequest) (samples backends.Samples, err error) {
	if err := e.session.enter(); err != nil {
		return samples, err
	}
	defer e.session.mu.Unlock()
	if e.closed {
		return samples, backends.Errorf(backends.FailedPrecondition, "the executable is closed")
	}
	if r.Profile {
		samples.Partitions = make([]backends.PartitionSample, len(e.parts))
		for i := range samples.Partitions {
			samples.Partitions[i].Partition = i
		}
	}
	e.profile = samples.Partitions
	e.session.pool.Enter()
	defer e.session.pool.Leave()
	steps := make([]backends.StepSample, 0, min(max(r.Steps, 0), 1<<16))
	samples.Steps, err = backends.Loop(ctx, r, steps, e.step)
	return samples, err
}

// run computes step n. A failure poisons the session.
func (e *executable) run(n int64, _ *backends.Split) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = backends.Errorf(backends.Internal, "a kernel failed: %v", v)
		}
		if err != nil {
			e.session.failed = err
		}
	}()
	for _, m := range e.slots {
		m.data = m.ring.At(n)
	}
	if e.session.guards {
		e.poison()
	}
	if e.profile == nil {
		for _, p := range e.parts {
			e.compute(p)
		}
	} else {
		last := backends.Now()
		for i, p := range e.parts {
			e.compute(p)
			now := backends.Now()
			e.profile[i].Nanos += now - last
			last = now
		}
	}
	if f := e.failure.Load(); f != nil {
		return f
	}
	for _, c := range e.commits {
		copy(c.to.data, c.from.data)
	}
	for _, v := range e.updated {
		v.version++
	}
	return nil
}

func (e *executable) compute(p *part) {
	for i := range p.phases {
		ph := &p.phases[i]
		switch {
		case ph.needed != nil && !ph.needed():
		case ph.serial:
			ph.task(0, 1)
		default:
			e.session.pool.Run(ph.task)
		}
	}
}

// poison makes what nobody has written yet NaN, or large integers.
func (e *executable) poison() {
	for i := range e.poisoned {
		e.poisoned[i] = 0xff
	}
}

// Close gives the regions and the memory back. It may be called again, and
// after the session's.
func (e *executable) Close() error {
	e.session.mu.Lock()
	defer e.session.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	e.session.regions.Release(e.bindings)
	if !e.session.closed {
		e.session.arenas -= e.plan.ArenaBytes
	}
	e.parts, e.commits, e.slots = nil, nil, nil
	e.free()
	return nil
}
