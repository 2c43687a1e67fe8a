package harness

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/workloads"
)

// keeper makes the tap that keeps one timed step a round for checking. Which
// step is drawn after the call has ended. A training step needs the state that
// it started from: the state before the call is kept, and the steps up to the
// drawn one are run again, outside of the clock.
func (l *lane) keeper(ctx context.Context, round int) (tap, error) {
	draw := rand.New(rand.NewPCG(l.judge.check.Seed, uint64(round)))
	g, err := l.rig.canonical.Infer()
	if err != nil {
		return tap{}, err
	}
	kept := len(l.picks)
	l.calls = 0
	if len(g.State) == 0 {
		return tap{after: func(first int64, n int) error {
			// Reservoir of one: every call of the round has the same chance.
			if l.calls++; len(l.picks) > kept && draw.IntN(l.calls) != 0 {
				return nil
			}
			l.picks = append(l.picks[:kept], l.copyStep(g, first+draw.Int64N(int64(n))))
			return nil
		}}, nil
	}
	// Only the first calls can be looked at, and one of them is: the state is
	// read before each, so that reading gives nothing away.
	const looked = 2
	chosen := draw.IntN(looked)
	var before workloads.Weights
	return tap{
		before: func() (err error) {
			if l.calls <= chosen {
				before, err = workloads.Snapshot(ctx, l.bench.session, g.State)
			}
			return err
		},
		after: func(first int64, n int) error {
			l.calls++
			if l.calls-1 != chosen {
				return nil
			}
			pick, err := l.replay(ctx, g, before, first, draw.Int64N(int64(n)))
			l.picks = append(l.picks, pick)
			return err
		},
	}, nil
}

// copyStep copies a step's feeds and fetches out of the rings.
func (l *lane) copyStep(g *graph.Graph, step int64) conformance.Fetched {
	f := conformance.Fetched{Name: fmt.Sprintf("timed step %d", step), Before: conformance.Values{}, After: conformance.Outputs{}}
	for _, v := range g.Feeds {
		f.Before[v.Name] = conformance.CopyOf(v.Type, l.rig.At(v.Name, step))
	}
	for _, name := range g.Fetches {
		f.After[name] = conformance.CopyOf(g.Types[name], l.rig.At(name, step))
	}
	return f
}

// replay keeps step first+j of a timed call: what was fetched then, and the
// state that it started from, found by running the j steps before it again
// from the state before the call.
func (l *lane) replay(ctx context.Context, g *graph.Graph, before workloads.Weights, first, j int64) (conformance.Fetched, error) {
	pick := l.copyStep(g, first+j)
	s := l.bench.session
	after, err := workloads.Snapshot(ctx, s, g.State)
	if err != nil {
		return pick, err
	}
	if err := workloads.Restore(ctx, s, g.State, before); err != nil {
		return pick, err
	}
	if j > 0 {
		if _, err := l.rig.Run(ctx, backends.RunRequest{First: first, Steps: int(j)}); err != nil {
			return pick, err
		}
	}
	state, err := workloads.Snapshot(ctx, s, g.State)
	if err != nil {
		return pick, err
	}
	for name, t := range state {
		pick.Before[name] = t
	}
	return pick, workloads.Restore(ctx, s, g.State, after)
}

// again runs a kept step once more, from the state that it started from, and
// gives what it fetches.
func (l *lane) again(ctx context.Context, pick conformance.Fetched) (conformance.Outputs, error) {
	g, err := l.rig.canonical.Infer()
	if err != nil {
		return nil, err
	}
	before := workloads.Weights{}
	for _, v := range g.State {
		before[v.Name] = pick.Before[v.Name]
	}
	if err := workloads.Restore(ctx, l.bench.session, g.State, before); err != nil {
		return nil, err
	}
	step := l.rig.next
	l.rig.next++
	for _, v := range g.Feeds {
		copy(l.rig.At(v.Name, step), pick.Before[v.Name].Data)
	}
	if _, err := l.rig.Run(ctx, backends.RunRequest{First: step, Steps: 1}); err != nil {
		return nil, err
	}
	return l.copyStep(g, step).After, nil
}
