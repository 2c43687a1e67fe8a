// Package peak measures what this machine can do at most, in the session whose
// figures are held against it: fused multiply-adds, reading and copying memory.
// A probe takes a quarter of a second, and ends at once, with the context's
// error and no figure, when its context ends.
package peak

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/machine/isa"
)

//go:generate go -C ../../../backends/cpu/_asm run .

const (
	rounds = 6
	// window is one round's length: long enough for the clock to settle, short
	// enough for six of them.
	window = 30 * time.Millisecond
	// BufferBytes is what the memory probes walk over, all threads together:
	// far beyond the caches of a machine with few cores.
	BufferBytes = 256 << 20
)

// FMA measures f32 multiply-adds out of registers on threads threads with one
// instruction set, which must be available. GFLOP/s, an FMA being two
// operations. isa.Generic measures a scalar multiplication and addition in Go.
func FMA(ctx context.Context, i isa.ISA, threads int) (machine.Peak, error) {
	name := machine.PeakFMA
	if i != isa.Best() {
		name += "." + i.String()
	}
	run, flops := Loop(i)
	p, err := probe(ctx, threads, func(int) func() float64 {
		return func() float64 { run(); return flops }
	})
	p.Name, p.Unit = name, "GFLOP/s"
	p.How = fmt.Sprintf("%s, independent chains in registers, %d rounds of %v, wall clock", i, rounds, window)
	return p, err
}

// Loop is what FMA times, some 15 µs of it, with its operations: for those who
// measure against the peak in turns.
func Loop(i isa.ISA) (run func(), flops float64) { return fmaProbe(i) }

// Read measures reading from memory, GB/s.
func Read(ctx context.Context, threads int) (machine.Peak, error) {
	const chunk = 1 << 18 // some 10 µs: assembly can't be preempted
	return memory(ctx, machine.PeakRead, "read", threads, chunk, 1, func(b []byte, at int) {
		readBytes(b[at : at+chunk])
	})
}

// Copy measures copying from one half of a buffer to the other, GB/s, bytes
// read and bytes written both counted.
func Copy(ctx context.Context, threads int) (machine.Peak, error) {
	const chunk = 1 << 22 // large enough for the runtime's streaming copy
	return memory(ctx, machine.PeakCopy, "copied", threads, chunk, 2, func(b []byte, at int) {
		half := len(b) / 2
		copy(b[half+at:half+at+chunk], b[at:at+chunk])
	})
}

// memory runs step over each thread's own part of a buffer, chunk by chunk;
// step moves times·chunk bytes.
func memory(ctx context.Context, name, verb string, threads, chunk, times int, step func(b []byte, at int)) (machine.Peak, error) {
	per := BufferBytes / threads / (2 * chunk) * (2 * chunk)
	per = max(per, 2*chunk)
	buf, free := allocate(per * threads)
	defer free()
	p, err := probe(ctx, threads, func(thread int) func() float64 {
		b := buf[thread*per : (thread+1)*per]
		for i := 0; i < len(b); i += 4096 { // memory that was never written is one page of zeros
			b[i] = 1
		}
		at := 0
		return func() float64 {
			step(b, at)
			at += chunk
			if at+chunk > per/times {
				at = 0
			}
			return float64(times * chunk)
		}
	})
	p.Name, p.Unit = name, "GB/s"
	p.How = fmt.Sprintf("%d MB %s in chunks of %d KB, %d rounds of %v, wall clock", per*threads>>20, verb, chunk>>10, rounds, window)
	return p, err
}

// probe runs one worker a thread, round by round: make prepares a thread's
// work, which is called until the window is over and returns the operations
// that it did. The value is the median over rounds of 10⁹ operations a second.
// When ctx ends, every worker stops after the call that it is in.
func probe(ctx context.Context, threads int, make func(thread int) func() float64) (machine.Peak, error) {
	var ready, done sync.WaitGroup
	var round atomic.Int32
	sums := [rounds]float64{}
	var mu sync.Mutex
	for t := range threads {
		ready.Add(1)
		done.Add(1)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			defer done.Done()
			work := make(t)
			work() // faults and the step up to wide vectors are not the round's
			ready.Done()
			for r := int32(1); r <= rounds; r++ {
				for round.Load() < r {
					runtime.Gosched()
				}
				rate := timed(ctx, work)
				mu.Lock()
				sums[r-1] += rate
				mu.Unlock()
			}
		}()
	}
	ready.Wait()
	for r := int32(1); r <= rounds; r++ {
		round.Store(r)
		pause(ctx, window+window/8)
	}
	done.Wait()
	if err := ctx.Err(); err != nil {
		return machine.Peak{}, err
	}
	p := machine.Peak{Threads: threads, Rounds: slices.Clone(sums[:])}
	slices.Sort(sums[:])
	p.Value = (sums[rounds/2-1] + sums[rounds/2]) / 2
	return p, nil
}

// pause sleeps, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// timed calls work until the window is over: operations a nanosecond. It is 0
// where ctx ends before.
func timed(ctx context.Context, work func() float64) float64 {
	start := time.Now()
	ops := 0.0
	for ctx.Err() == nil {
		ops += work()
		if d := time.Since(start); d >= window {
			return ops / float64(d)
		}
	}
	return 0
}

// fmaGeneric is the portable probe: n·4 multiplications and additions. More
// sums, or factors in registers alone, make Go's compiler spill.
//
//go:noinline
func fmaGeneric(n int, x *[16]float32, c [4]float32) float32 {
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	var s0, s1, s2, s3 float32
	for i := range n {
		v := x[i&15]
		s0 += v * c0
		s1 += v * c1
		s2 += v * c2
		s3 += v * c3
	}
	return s0 + s1 + s2 + s3
}

// sink keeps the compiler from dropping the portable probes.
var sink atomic.Uint64

func fmaProbeGeneric() (func(), float64) {
	const n = 20_000
	var x [16]float32
	return func() { sink.Store(uint64(fmaGeneric(n, &x, [4]float32{1, 2, 3, 4}))) }, 2 * 4 * n
}
