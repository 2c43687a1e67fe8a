// Package protocol is the suite of the contract itself: what package backends
// says of regions, state, rings, cancellation, samples and errors, asked of any
// backend by programs that need no more than Add, Mul, Relu and MatMul of f32.
// What becomes of data that an op forbids is asked of the ops that a backend
// has. All numbers are small integers, so that every answer is exact.
package protocol

import (
	"bytes"
	"context"
	"fmt"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Case is one thing that a backend must do.
type Case struct {
	Name string
	Op   string // whose data it is about; "" for the contract itself, which no backend may lack
	run  func(t *trial)
}

// Run asks it of b. The error says what was wanted and what came; it is
// ErrLacksOp if b need not be asked.
func (c Case) Run(ctx context.Context, b backends.Backend) (err error) {
	t := &trial{ctx: ctx, backend: b}
	defer t.cleanUp()
	defer func() {
		if p := recover(); p != nil {
			f, ok := p.(failure)
			if !ok {
				panic(p)
			}
			err = fmt.Errorf("protocol/%s: %w", c.Name, f.err)
		}
	}()
	c.run(t)
	return nil
}

// Cases lists the suite.
func Cases() []Case {
	return append([]Case{
		{Name: "describe", run: describe},
		{Name: "open-refuses", run: openRefuses},
		{Name: "regions-shared-and-private", run: regionKinds},
		{Name: "region-mapped-twice", run: regionTwice},
		{Name: "region-in-use", run: regionInUse},
		{Name: "large-feed", run: largeFeed},
		{Name: "large-const", run: largeConst},
		{Name: "bindings-refused", run: bindingsRefused},
		{Name: "ring-slots", run: ringSlots},
		{Name: "fetch-anything", run: fetchAnything},
		{Name: "state-starts-at-zero", run: stateStartsAtZero},
		{Name: "state-shared", run: stateShared},
		{Name: "state-apart", run: stateApart},
		{Name: "state-types", run: stateTypes},
		{Name: "read-write", run: readWrite},
		{Name: "updates-after-reads", run: updatesAfterReads},
		{Name: "steps-in-one-call", run: stepsInOneCall},
		{Name: "two-batches", run: twoBatches},
		{Name: "two-calls-queued", run: twoCallsQueued},
		{Name: "run-refuses", run: runRefuses},
		{Name: "cancel-between-steps", run: cancelBetweenSteps},
		{Name: "deadline", run: deadline},
		{Name: "samples", run: samples},
		{Name: "arrivals", run: arrivals},
		{Name: "plan", run: planNamesNodes},
		{Name: "unknown-op", run: unknownOp},
		{Name: "malformed-program", run: malformedProgram},
		{Name: "check-agrees-with-compile", run: checkAgrees},
		{Name: "closed-executable", run: closedExecutable},
		{Name: "closed-session", run: closedSession},
	}, dataCases()...)
}

// trial is one run of a case. Its methods end the case by a panic of failure,
// so that a case reads as what it does.
type trial struct {
	ctx     context.Context
	backend backends.Backend
	clean   []func()
}

type failure struct{ err error }

func (t *trial) fail(format string, args ...any) {
	panic(failure{fmt.Errorf(format, args...)})
}

func (t *trial) cleanUp() {
	for i := len(t.clean) - 1; i >= 0; i-- {
		t.clean[i]()
	}
}

// ok ends the case if err is not nil.
func (t *trial) ok(err error, what string) {
	if err != nil {
		t.fail("%s: %w", what, err)
	}
}

// refused ends the case unless err is of one of the codes.
func (t *trial) refused(err error, what string, codes ...backends.Code) {
	for _, c := range codes {
		if err != nil && backends.CodeOf(err) == c {
			return
		}
	}
	if err == nil {
		t.fail("%s was accepted, want %v", what, codes)
	}
	t.fail("%s: %w (%s), want %v", what, err, backends.CodeOf(err), codes)
}

// session opens a session that is closed after the case.
func (t *trial) session() backends.Session {
	s, err := t.backend.Open(t.ctx, backends.SessionConfig{})
	t.ok(err, "Open")
	t.clean = append(t.clean, func() { _ = s.Close() }) // many cases have closed it
	return s
}

// program builds a program.
func (t *trial) program(build func(b *graph.Builder)) *graph.Program {
	b := graph.NewBuilder("protocol")
	build(b)
	p, err := b.Program()
	t.ok(err, "building the case's program")
	return p
}

// bind compiles p with rings of slots slots in shared memory.
func (t *trial) bind(s backends.Session, p *graph.Program, slots int) *backends.Bound {
	b, err := backends.CompileBound(t.ctx, s, p, func(string) int { return slots }, nil)
	t.ok(err, "Compile")
	t.clean = append(t.clean, func() { _ = b.Close() })
	return b
}

// run runs steps, which must give as many samples.
func (t *trial) run(e backends.Executable, first int64, steps int) {
	s, err := e.Run(t.ctx, backends.RunRequest{First: first, Steps: steps})
	t.ok(err, fmt.Sprintf("Run of steps %d to %d", first, first+int64(steps)-1))
	if len(s.Steps) != steps {
		t.fail("Run of %d steps gave %d samples", steps, len(s.Steps))
	}
}

// set writes f32 values into memory.
func set(memory []byte, values ...float32) { copy(tensor.View[float32](memory), values) }

// same ends the case unless memory holds these f32 values.
func (t *trial) same(what string, memory []byte, want ...float32) {
	if !bytes.Equal(memory, tensor.Bytes(want)) {
		t.fail("%s is %v, want %v", what, clipped(tensor.View[float32](memory)), clipped(want))
	}
}

func clipped(v []float32) []float32 { return v[:min(len(v), 16)] }

// vector makes an f32 tensor of rank 1.
func vector(values ...float32) *tensor.Tensor {
	x := tensor.New(tensor.F32, len(values))
	copy(x.Data, tensor.Bytes(values))
	return x
}

func (t *trial) write(s backends.Session, name string, x *tensor.Tensor) {
	t.ok(s.Write(t.ctx, []string{name}, []*tensor.Tensor{x}), "Write of "+name)
}

func (t *trial) read(s backends.Session, name string, n int) []byte {
	x := tensor.New(tensor.F32, n)
	t.ok(s.Read(t.ctx, []string{name}, []*tensor.Tensor{x}), "Read of "+name)
	return x.Data
}

// f32 is the type of a vector.
func f32(n int) tensor.Type { return tensor.T(tensor.F32, n) }
