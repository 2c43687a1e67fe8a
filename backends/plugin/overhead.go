package plugin

import (
	"context"
	"slices"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// OverheadSteps is k, the steps of a call, in Overhead.
const OverheadSteps = 50

// Overhead is what the harness adds to a step: the median over calls of (time
// around Run - time of the steps by the plugin's clock) / OverheadSteps, with
// the backend "null" of the registry in a process of its own.
func Overhead(ctx context.Context, o Options, calls int) (time.Duration, error) {
	p, err := Open(ctx, Spec{Label: "null", Name: "null"}, o)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	exe, done, err := openCopy(ctx, p, 28*28)
	if err != nil {
		return 0, err
	}
	defer done()
	each := make([]time.Duration, 0, calls)
	for i := range int64(max(1, calls)) + overheadWarmUp {
		begin := time.Now()
		s, err := exe.Run(ctx, backends.RunRequest{First: i * OverheadSteps, Steps: OverheadSteps})
		took := time.Since(begin)
		if err != nil {
			return 0, err
		}
		for _, x := range s.Steps {
			took -= time.Duration(x.End - x.Start)
		}
		if i >= overheadWarmUp {
			each = append(each, took/OverheadSteps)
		}
	}
	slices.Sort(each)
	return each[len(each)/2], nil
}

// overheadWarmUp is how many calls go before those that count: goroutines'
// stacks, connection and caches take some 50 ms to settle.
const overheadWarmUp = 500

// openCopy opens a session with a program that has one feed of n bytes and
// fetches one.
func openCopy(ctx context.Context, b backends.Backend, n int) (*backends.Bound, func(), error) {
	g := graph.NewBuilder("overhead")
	x := g.Feed("x", tensor.T(tensor.U8, n))
	g.Fetch(g.Op("Relu", nil, x))
	prog, err := g.Program()
	if err != nil {
		return nil, nil, err
	}
	ses, err := b.Open(ctx, backends.SessionConfig{})
	if err != nil {
		return nil, nil, err
	}
	exe, err := backends.CompileBound(ctx, ses, prog, func(string) int { return 1 }, nil)
	if err != nil {
		_ = ses.Close() // the first error counts
		return nil, nil, err
	}
	return exe, func() {
		_, _ = exe.Close(), ses.Close() // the plugin ends with them
	}, nil
}
