package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/measure"
)

// rig is a compiled program ready to be timed: its buffers, and a source that
// refills its feeds.
type rig struct {
	*backends.Bound
	program   *graph.Program // as compiled
	canonical *graph.Program // before anything was decomposed: what it is judged against
	batch     int
	ownCost   time.Duration                                        // what the harness costs a step
	feed      func(step int64, at func(value string) []byte) error // fills the feeds of one step
	feedErr   error                                                // its first, which ends the next run
	stamp     uint64                                               // counts refills, so that no two are alike

	next int64 // first step not yet run
	k    int   // steps a call
	out  map[string][]byte

	splits []backends.StepSample // of the last call
}

// Rings are as long as these bounds allow: a call's fetches must all fit their
// ring (what is checked is drawn afterwards), its feeds may come round again.
const (
	maxSteps     = 4096
	maxFeedSlots = 256
	maxFetchRing = 64 << 20 // bytes
	maxFeedRing  = 32 << 20
)

// newRig compiles p on s.
func newRig(ctx context.Context, s backends.Session, p *graph.Program, batch int) (*rig, error) {
	g, err := p.Infer()
	if err != nil {
		return nil, err
	}
	b, err := backends.CompileBound(ctx, s, p, ringSlots(g), nil)
	if err != nil {
		return nil, err
	}
	r := &rig{Bound: b, program: p, batch: batch, k: 1, out: map[string][]byte{}}
	for _, f := range p.Fetches {
		r.out[f] = make([]byte, g.Types[f].Bytes())
	}
	return r, nil
}

// steps is the most that one call can take: every fetch keeps a slot.
func (r *rig) maxCall() int {
	n := maxSteps
	for _, f := range r.program.Fetches {
		n = min(n, r.Slots(f))
	}
	return n
}

// feedSlots is the number of distinct inputs that the rings hold.
func (r *rig) feedSlots() int {
	n := maxFeedSlots
	for _, f := range r.program.Feeds {
		n = min(n, r.Slots(f.Name))
	}
	return n
}

// aim chooses how many steps a call takes, so that it lasts about span.
func (r *rig) aim(stepNanos float64, span time.Duration) {
	k := float64(span) / max(1, stepNanos)
	r.k = max(1, min(r.maxCall(), int(k)))
}

// refill writes new inputs for the next n steps, or as many as the rings hold.
func (r *rig) refill(n int) {
	r.stamp++
	for i := range min(n, r.feedSlots()) {
		step := r.next + int64(i)
		if err := r.feed(step, func(v string) []byte { return r.At(v, step) }); err != nil && r.feedErr == nil {
			r.feedErr = err
		}
	}
}

// run makes one call of n steps and reads the fetches of every step inside the
// clock, as a user would have to. The plugin's samples are held against that
// clock: a *measure.Violation if they do not fit.
func (r *rig) run(ctx context.Context, n int, sync bool) (measure.Call, error) {
	if r.feedErr != nil {
		return measure.Call{}, r.feedErr
	}
	r.poison(n)
	c := measure.Call{Asked: n, Sync: sync, Begin: backends.Now()}
	samples, err := r.Run(ctx, backends.RunRequest{First: r.next, Steps: n, Sync: sync})
	if err != nil {
		return c, err
	}
	for i := range n {
		for _, f := range r.program.Fetches {
			copy(r.out[f], r.At(f, r.next+int64(i)))
		}
	}
	c.End = backends.Now()
	c.Steps = make([]measure.Step, len(samples.Steps))
	for i, s := range samples.Steps {
		c.Steps[i] = measure.Step{Start: s.Start, End: s.End, Queue: s.Split.Queue, Split: sumOf(s.Split)}
	}
	r.splits = samples.Steps
	first := r.next
	r.next += int64(n)
	if err := r.checkWritten(first, n); err != nil {
		return c, err
	}
	return c, c.Check()
}

// poisonByte fills fetches before a call; repeated it is NaN in every float.
const poisonByte = 0xFF

// poison overwrites the fetches of the next n steps, so that a step that was
// not done shows.
func (r *rig) poison(n int) {
	for i := range n {
		for _, f := range r.program.Fetches {
			slot := r.At(f, r.next+int64(i))
			for k := range slot {
				slot[k] = poisonByte
			}
		}
	}
}

// checkWritten looks for fetches that nobody wrote: a *measure.Violation.
func (r *rig) checkWritten(first int64, n int) error {
	for i := range n {
		for _, f := range r.program.Fetches {
			if untouched(r.At(f, first+int64(i))) {
				return &measure.Violation{Rule: "answer", Detail: fmt.Sprintf("step %d left %s unwritten, and was counted as done", first+int64(i), f)}
			}
		}
	}
	return nil
}

func untouched(slot []byte) bool {
	for _, b := range slot {
		if b != poisonByte {
			return false
		}
	}
	return len(slot) > 0
}

// sumOf adds up the parts of a split but the queue; it is negative if one of
// them is, or if they overflow.
func sumOf(s backends.Split) int64 {
	if min(s.HostToDevice, s.Device, s.DeviceToHost, s.Host) < 0 {
		return -1
	}
	return s.HostToDevice + s.Device + s.DeviceToHost + s.Host
}

// part is a stretch of one round of one cell: calls of one kind.
type part struct {
	steps    int
	wall     int64     // ns by the harness's clock, refills left out
	lengths  []float64 // ns a step by the plugin's clock
	latency  []int64   // ns from the scheduled time to the step's end; synchronised only
	back     []float64 // ns from a call's last step's end to its return
	overhead []float64 // ns a step, one a call
	hidden   []float64 // share of a synchronised call that its samples leave out
	splits   []backends.Split
}

// rate is images a second by the harness's clock.
func (p *part) rate(batch int) float64 {
	return float64(p.steps) * float64(batch) / (float64(p.wall) / 1e9)
}

// tap looks at calls of a stretch from outside of the clock; its functions may
// be nil.
type tap struct {
	before func() error
	after  func(first int64, n int) error // the call's rings are still as it left them
}

// stretch makes calls on fresh inputs until they have taken span and have had
// that many steps.
func (r *rig) stretch(ctx context.Context, span time.Duration, steps int, sync bool, t tap) (*part, error) {
	p := &part{}
	for p.steps < steps || p.wall < int64(span) {
		r.refill(r.k)
		c, err := r.tapped(ctx, sync, t)
		if err != nil {
			return nil, err
		}
		p.add(c, r.splits, r.ownCost)
	}
	return p, nil
}

func (r *rig) tapped(ctx context.Context, sync bool, t tap) (measure.Call, error) {
	if t.before != nil {
		if err := t.before(); err != nil {
			return measure.Call{}, err
		}
	}
	first := r.next
	c, err := r.run(ctx, r.k, sync)
	if err == nil && t.after != nil {
		err = t.after(first, r.k)
	}
	return c, err
}

func (p *part) add(c measure.Call, samples []backends.StepSample, ownCost time.Duration) {
	p.steps += len(c.Steps)
	p.wall += c.End - c.Begin
	p.overhead = append(p.overhead, float64(c.Overhead()))
	p.hidden = append(p.hidden, c.Hidden(ownCost))
	// A coarse clock may put a step's end after the call's.
	p.back = append(p.back, float64(max(0, c.End-c.Steps[len(c.Steps)-1].End)))
	for i, s := range c.Steps {
		p.lengths = append(p.lengths, float64(max(1, s.End-s.Start)))
		if c.Sync {
			p.latency = append(p.latency, s.End-s.Start+s.Queue)
			p.splits = append(p.splits, samples[i].Split)
		}
	}
}

// warm runs until the backend is warm, then chooses the number of steps a
// call.
func (r *rig) warm(ctx context.Context, e measure.Effort, span time.Duration) (*measure.Warmup, error) {
	w := measure.NewWarmup(e.WarmupCap)
	begin := time.Now()
	length := 0.0
	for !w.Done() {
		// Short steps are taken in bundles: the first ten single steps of 10 µs
		// say nothing about the next second.
		r.refill(r.k)
		c, err := r.run(ctx, r.k, true)
		if err != nil {
			return w, err
		}
		length = float64(c.End-c.Begin) / float64(r.k)
		w.Add(time.Duration(length), time.Since(begin))
		r.aim(length, warmCall)
	}
	if length > 0 {
		r.aim(length, min(span, callSpan))
	}
	return w, nil
}

// How long calls last: in the warm-up, and in a round, where a call must be
// long beside the 0.1 ms that one costs, and short enough to stop soon.
const (
	warmCall = 10 * time.Millisecond
	callSpan = 100 * time.Millisecond
)

// randomSource makes a generator for one purpose of one cell: its stream is
// drawn from the run's seed and the purpose's name.
func randomSource(seed uint64, purpose string) *rand.Rand {
	h := uint64(14695981039346656037) // FNV-1a
	for _, c := range []byte(purpose) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return rand.New(rand.NewPCG(seed, h))
}

// feedBytes is what one step reads of its feeds.
func (r *rig) feedBytes() int {
	n := 0
	for _, f := range r.program.Feeds {
		n += f.Type.Bytes()
	}
	return n
}
