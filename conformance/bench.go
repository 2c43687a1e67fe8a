package conformance

import (
	"context"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
)

// Support is what a backend says of a case before running it.
type Support struct {
	Supported  bool
	Decomposed bool   // by ops that it has in place of the case's own
	Feature    string // op/type refused
	Why        string
}

// Probe asks whether a session takes a case. It computes nothing.
func (c *Case) Probe(ctx context.Context, s backends.Session, seed uint64) (Support, error) {
	p, err := c.program(Draw{Seed: seed, Case: c.dataName()})
	if err != nil {
		return Support{}, err
	}
	low, err := lower(ctx, s, p, c.form == decomposed)
	r := &Result{DType: c.DType.String()}
	if err != nil {
		if r.fail(err); r.Status != StatusUnsupported {
			return Support{}, err
		}
		return Support{Feature: r.Feature, Why: r.Why}, nil
	}
	return Support{Supported: true, Decomposed: len(low.Nodes) != len(p.Nodes)}, nil
}

// Timeable says whether the case is one program that can be run again and
// again: not one that is handed over op by op, or to be refused.
func (c *Case) Timeable() bool { return c.form != opByOp }

// benchSlots is how many slots the rings of a benchmark have: as many as sets
// of data, so that no step has the input of the one before.
const benchSlots = sets

// Bench is a case compiled to be timed: the program, the data and the way to
// run of its check.
type Bench struct {
	FLOPs   int64 // of one step of the case's own program, direct algorithm
	Bytes   int64 // read and written once
	Kernels []string
	// Reduced says that a partition used a relaxed mode, such as Winograd's: it
	// may do fewer operations than the direct algorithm.
	Reduced bool

	session backends.Session
	bound   *backends.Bound
	trials  []*Trial // in the slots: step i has the data of trial i mod len
	next    int64    // the first step that was not yet run
	fed     map[string]bool
}

// Bench compiles a prepared case on a session and fills its inputs. Errors are
// the backend's; those of Prepare are Mistrusted's to tell.
func (p *Prepared) Bench(ctx context.Context, s backends.Session) (*Bench, error) {
	if p.err != nil {
		return nil, p.err
	}
	b := &Bench{session: s, trials: p.trials, fed: map[string]bool{}}
	t := p.trials[0]
	if p.c.drawn() || len(t.Graph.State) > 0 {
		b.trials = p.trials[:1] // the other set is another program, or another state
	}
	b.FLOPs, b.Bytes = t.Graph.FLOPs(), t.Graph.Bytes()
	low, err := lower(ctx, s, t.Program, p.c.form == decomposed)
	if err != nil {
		return nil, err
	}
	if b.bound, err = backends.CompileBound(ctx, s, low, func(string) int { return benchSlots }, nil); err != nil {
		return nil, err
	}
	for _, part := range b.bound.Plan().Partitions {
		b.Kernels = append(b.Kernels, part.Kernel)
		b.Reduced = b.Reduced || part.Math != "" && part.Math != graph.Strict
	}
	for _, f := range t.Graph.Feeds {
		b.fed[f.Name] = true
		for i := range int64(benchSlots) {
			copy(b.bound.At(f.Name, i), b.at(i).Values[f.Name].Data)
		}
	}
	return b, nil
}

// at is the trial whose data a step has.
func (b *Bench) at(step int64) *Trial { return b.trials[step%int64(len(b.trials))] }

// Run makes one call of so many steps, from the case's own state if it has
// one, and gives the backend's samples. The steps' answers are poisoned before.
func (b *Bench) Run(ctx context.Context, steps int) (backends.Samples, error) {
	t := b.trials[0]
	if err := writeState(ctx, b.session, t.Graph, t.Values); err != nil {
		return backends.Samples{}, err
	}
	for _, f := range t.Graph.Fetches {
		for i := range int64(benchSlots) {
			if !b.fed[f] {
				fillBytes(b.bound.At(f, i), poisonByte)
			}
		}
	}
	first := b.next
	b.next += int64(steps)
	return b.bound.Run(ctx, backends.RunRequest{First: first, Steps: steps})
}

// Judge holds the answers that the last call left in the rings against the
// case's bounds: what was wrong, "" if nothing. A program with updates has gone
// on from state to state, and says nothing here.
func (b *Bench) Judge(features []string) string {
	g := b.trials[0].Graph
	if len(g.Updates) > 0 || b.next == 0 {
		return ""
	}
	last := b.next - 1
	got := Outputs{}
	for _, f := range g.Fetches {
		got[f] = CopyOf(g.Types[f], b.bound.At(f, last))
	}
	if fs := b.at(last).Judge(got, features); !Passed(fs) {
		return firstWrong(fs).Summary()
	}
	return ""
}

// Close frees the executable and its rings.
func (b *Bench) Close() error { return b.bound.Close() }
