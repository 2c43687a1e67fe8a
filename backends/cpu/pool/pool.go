// Package pool runs one piece of work on several threads at once, with so
// little ado that pieces of a few microseconds gain by it. Goroutines that are
// started or woken for each piece do not: that takes longer than the piece.
// Here the threads spin between pieces, each on its own CPU, and park when
// none comes. A thread that does not come in time, because it wakes up or
// because somebody else has its CPU, finds its share done by the caller.
package pool

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

//go:generate go -C ../_asm run .

// Task is a piece of work in as many shares as there are threads. Each is done
// once, by whichever thread; shares may run at the same time.
type Task func(worker, workers int)

// Pool is a set of threads. One goroutine at a time may use it.
type Pool struct {
	threads int
	cpus    []int // to pin to; nil: not pinned
	members []*member
	wait    sync.WaitGroup

	_      [64]byte // what changes with every piece lies apart from the rest
	task   Task
	epoch  atomic.Uint32 // counts the pieces
	_      [64]byte
	busy   atomic.Int32 // shares of members that are not done
	closed atomic.Bool
	panics atomic.Pointer[sharePanic]
}

// member is one of the threads beside the caller's.
type member struct {
	taken  atomic.Uint32 // the last piece whose share somebody has taken
	parked atomic.Bool
	wake   chan struct{}
	_      [64]byte
}

// take tells the one who asks first whether the share of a piece is to be done.
func (m *member) take(epoch uint32) bool { return m.taken.CompareAndSwap(epoch-1, epoch) }

type sharePanic struct {
	value any
	stack []byte
}

const (
	// spinFor is how long a member waits on its CPU for the next piece; waking a
	// parked one takes some 10 to 50 µs.
	spinFor = 150 * time.Microsecond
	// pauses between two looks: some 0.1 µs.
	pauses = 4
	// looks between two readings of the clock.
	looks = 64
)

// New makes a pool of threads, the caller's included. They are pinned if there
// are as many as CPUs that this process may use: with fewer, the system can
// place them better.
func New(threads int) *Pool {
	p := &Pool{threads: max(1, threads)}
	if threads > 1 {
		if cpus := allowedCPUs(); len(cpus) == threads {
			p.cpus = cpus
		}
	}
	for k := 1; k < p.threads; k++ {
		m := &member{wake: make(chan struct{}, 1)}
		p.members = append(p.members, m)
		p.wait.Add(1)
		go p.serve(m, k)
	}
	return p
}

// Threads is the number of threads.
func (p *Pool) Threads() int { return p.threads }

// Close ends the threads. The pool must be idle.
func (p *Pool) Close() {
	if p.closed.Swap(true) {
		return
	}
	p.epoch.Add(1)
	p.wakeParked()
	p.wait.Wait()
}

// Enter takes the calling goroutine's thread to the pool's first CPU, until
// Leave. Between the two calls come the Runs.
func (p *Pool) Enter() {
	if p.cpus != nil {
		runtime.LockOSThread()
		pin(p.cpus[:1])
	}
}

// Leave undoes Enter.
func (p *Pool) Leave() {
	if p.cpus != nil {
		pin(p.cpus)
		runtime.UnlockOSThread()
	}
}

// Run does a task and returns when all shares are done: the first on the
// caller's thread, and those that nobody has begun by then. A panic in any of
// them is raised again here.
func (p *Pool) Run(t Task) {
	if len(p.members) == 0 {
		t(0, 1)
		return
	}
	p.task = t
	p.busy.Store(int32(len(p.members)))
	epoch := p.epoch.Add(1)
	p.wakeParked()
	p.share(t, 0)
	for k, m := range p.members {
		if m.take(epoch) {
			p.share(t, k+1)
			p.busy.Add(-1)
		}
	}
	p.await()
	if x := p.panics.Swap(nil); x != nil {
		panic(fmt.Sprintf("%v\n%s", x.value, x.stack))
	}
}

func (p *Pool) wakeParked() {
	for _, m := range p.members {
		if m.parked.Load() && m.parked.CompareAndSwap(true, false) {
			m.wake <- struct{}{}
		}
	}
}

// share does one share and keeps its panic.
func (p *Pool) share(t Task, worker int) {
	defer p.keepPanic()
	t(worker, p.threads)
}

func (p *Pool) keepPanic() {
	if v := recover(); v != nil {
		buf := make([]byte, 16<<10)
		p.panics.CompareAndSwap(nil, &sharePanic{v, buf[:runtime.Stack(buf, false)]})
	}
}

// await spins until the members are done. Where they have no CPU to run on,
// it gives way.
func (p *Pool) await() {
	for n := 0; p.busy.Load() != 0; n++ {
		pause(pauses)
		if n >= 1000 {
			runtime.Gosched()
		}
	}
}

// serve is a member's life.
func (p *Pool) serve(m *member, worker int) {
	defer p.wait.Done()
	if p.cpus != nil {
		// Never unlocked: the thread ends with the goroutine, and its pinning
		// with it.
		runtime.LockOSThread()
		pin(p.cpus[worker : worker+1])
	}
	for seen := uint32(0); ; {
		seen = p.next(m, seen)
		if p.closed.Load() {
			return
		}
		if m.take(seen) {
			p.share(p.task, worker)
			p.busy.Add(-1)
		}
	}
}

// next returns the epoch when it is beyond seen.
func (p *Pool) next(m *member, seen uint32) uint32 {
	start := time.Time{}
	for n := 1; ; n++ {
		if e := p.epoch.Load(); e != seen {
			return e
		}
		pause(pauses)
		if n%looks != 0 {
			continue
		}
		if start.IsZero() {
			start = time.Now()
		} else if time.Since(start) > spinFor {
			p.park(m, seen)
			start = time.Time{}
		}
	}
}

// park sleeps until the next piece.
func (p *Pool) park(m *member, seen uint32) {
	m.parked.Store(true)
	// A piece that came in between has perhaps not seen that.
	if p.epoch.Load() != seen && m.parked.CompareAndSwap(true, false) {
		return
	}
	<-m.wake
}
