package wire

import (
	"context"

	"github.com/clsbench/clsbench/backends"
	v1 "github.com/clsbench/clsbench/backends/wire/backendv1"
	"github.com/clsbench/clsbench/graph"
)

// executable is the host's side of a compiled program.
type executable struct {
	session *session
	id      uint64
	plan    backends.Plan
	rings   []syncedRing
}

// syncedRing is a ring in a region that must be kept in step.
type syncedRing struct {
	link       *link
	binding    backends.Binding
	bytes      int64 // of a slot
	feed, back bool  // goes to the plugin before a run, comes back after it
}

// rings lists the bindings whose regions the plugin does not map itself.
func (s *session) rings(g *graph.Graph, bindings []backends.Binding) (out []syncedRing) {
	feeds, fetches := map[string]bool{}, map[string]bool{}
	for _, f := range g.Feeds {
		feeds[f.Name] = true
	}
	for _, f := range g.Fetches {
		fetches[f] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range bindings {
		if l := s.links[b.Region]; l != nil && l.how != Memfd {
			out = append(out, syncedRing{l, b, int64(g.Types[b.Value].Bytes()), feeds[b.Value], fetches[b.Value]})
		}
	}
	return out
}

func (e *executable) Plan() backends.Plan { return e.plan }

// slots are the spans of the steps' slots that wanted selects.
func (e *executable) slots(first int64, steps int, wanted func(*syncedRing) bool) (spans []span) {
	for i := range e.rings {
		r := &e.rings[i]
		if !wanted(r) {
			continue
		}
		for k := range min(steps, r.binding.Slots) {
			slot := (first + int64(k)) % int64(r.binding.Slots)
			spans = append(spans, span{r.link, r.binding.Offset + slot*r.binding.Stride, r.bytes})
		}
	}
	return spans
}

func (e *executable) Run(ctx context.Context, r backends.RunRequest) (backends.Samples, error) {
	if err := checkRun(r); err != nil {
		return backends.Samples{}, err
	}
	s, c := e.session, e.session.client
	if len(e.rings) > 0 {
		if err := s.push(ctx, e.slots(r.First, r.Steps, func(r *syncedRing) bool { return r.feed })); err != nil {
			return backends.Samples{}, err
		}
	}
	n := c.number()
	resp, err := call(ctx, c, "Run", n, &v1.RunRequest{
		Call: n, Executable: e.id, First: r.First, Steps: int32(r.Steps),
		Sync: r.Sync, Profile: r.Profile, Arrival: r.Arrival,
	}, c.rpc.Run)
	if err != nil {
		return backends.Samples{}, err
	}
	out, err := samples(resp, r.Steps, len(e.plan.Partitions))
	if err != nil {
		return out, err
	}
	if len(e.rings) > 0 {
		// What was done is fetched even if the rest was cancelled.
		err := s.pull(context.WithoutCancel(ctx), e.slots(r.First, len(out.Steps), func(r *syncedRing) bool { return r.back }))
		if err != nil {
			return out, err
		}
	}
	if resp.GetCancelled() {
		cause := ctx.Err()
		if cause == nil {
			cause = context.Canceled
		}
		return out, ended("Run", cause)
	}
	return out, nil
}

func (e *executable) Close() error {
	c := e.session.client
	ctx, done := c.closing()
	defer done()
	n := c.number()
	_, err := call(ctx, c, "CloseExecutable", n, &v1.CloseExecutableRequest{Executable: e.id, Call: n}, c.rpc.CloseExecutable)
	return err
}
