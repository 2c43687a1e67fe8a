package protocol

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

func describe(t *trial) {
	d, err := t.backend.Describe(t.ctx)
	t.ok(err, "Describe")
	if d.Name == "" || d.Version == "" || len(d.Devices) == 0 {
		t.fail("Describe gives name %q, version %q and %d devices", d.Name, d.Version, len(d.Devices))
	}
	for _, f := range d.Features {
		if !slices.Contains(backends.Features(), f) {
			t.fail("Describe names the feature %q, want some of %v", f, backends.Features())
		}
	}
	again, err := t.backend.Describe(t.ctx)
	t.ok(err, "a second Describe")
	if fmt.Sprint(again) != fmt.Sprint(d) {
		t.fail("Describe says %v first and %v then", d, again)
	}
}

func openRefuses(t *trial) {
	d, err := t.backend.Describe(t.ctx)
	t.ok(err, "Describe")
	for what, cfg := range map[string]backends.SessionConfig{
		"a device that does not exist":    {Device: len(d.Devices)},
		"device -1":                       {Device: -1},
		"an unknown math mode":            {Math: "sloppy"},
		"an option that does not exist":   {Options: map[string]string{"no-such-option": "1"}},
		"an option with an empty keyword": {Options: map[string]string{"": ""}},
	} {
		s, err := t.backend.Open(t.ctx, cfg)
		if err == nil {
			_ = s.Close()
		}
		t.refused(err, what, backends.InvalidArgument)
	}
	s, err := t.backend.Open(t.ctx, backends.SessionConfig{Math: graph.Strict})
	t.ok(err, "opening in strict mode after those refusals")
	t.ok(s.Close(), "closing the session")
}

func runRefuses(t *trial) {
	s := t.session()
	e := t.bind(s, t.count(), 2)
	for what, r := range map[string]backends.RunRequest{
		"a run of -1 steps":          {Steps: -1},
		"a run from step -1":         {First: -1, Steps: 1},
		"1 arrival for 2 steps":      {Steps: 2, Arrival: []int64{0}},
		"3 arrivals for 2 steps":     {Steps: 2, Arrival: []int64{0, 0, 0}},
		"more than a billion steps":  {Steps: 1 << 30},
		"steps beyond 64 bits count": {First: 1<<63 - 1, Steps: 2},
	} {
		_, err := e.Run(t.ctx, r)
		t.refused(err, what, backends.InvalidArgument)
	}
	if got, err := e.Run(t.ctx, backends.RunRequest{}); err != nil || len(got.Steps) != 0 {
		t.fail("a run of no steps gave %d samples and the error %v", len(got.Steps), err)
	}
	t.run(e, 0, 2)
	t.same("the count after two good steps", t.read(s, "n", 1), 2)
}

// slow is a run that takes two seconds if nobody stops it.
func slow() backends.RunRequest {
	r := backends.RunRequest{Steps: 200}
	for i := range int64(200) {
		r.Arrival = append(r.Arrival, i*10e6)
	}
	return r
}

func cancelBetweenSteps(t *trial) {
	s := t.session()
	e := t.bind(s, t.count(), 4)
	ctx, cancel := context.WithCancel(t.ctx)
	timer := time.AfterFunc(60*time.Millisecond, cancel)
	defer timer.Stop()
	got, err := e.Run(ctx, slow())
	t.refused(err, "a cancelled run", backends.Canceled)
	t.stopped(s, len(got.Steps))
	_, err = e.Run(ctx, backends.RunRequest{Steps: 1})
	t.refused(err, "a run under a cancelled context", backends.Canceled)
	t.write(s, "n", vector(5))
	t.run(e, 0, 1)
	t.same("the count after the session went on", t.read(s, "n", 1), 6)
}

func deadline(t *trial) {
	s := t.session()
	e := t.bind(s, t.count(), 4)
	ctx, done := context.WithTimeout(t.ctx, 60*time.Millisecond)
	defer done()
	got, err := e.Run(ctx, slow())
	t.refused(err, "a run beyond its deadline", backends.DeadlineExceeded)
	t.stopped(s, len(got.Steps))
	t.run(e, 0, 1)
}

// stopped holds the steps counted on the device against the samples.
func (t *trial) stopped(s backends.Session, steps int) {
	if steps >= 200 {
		t.fail("the run was not stopped: all of its steps are done")
	}
	t.same("the count after a stopped run, which has that many samples,", t.read(s, "n", 1), float32(steps))
}

func samples(t *trial) {
	s := t.session()
	p := t.program(func(b *graph.Builder) {
		x := b.Feed("x", tensor.T(tensor.F32, 32, 32))
		b.Fetch(b.Op("MatMul", nil, x, x))
	})
	e := t.bind(s, p, 2)
	for _, sync := range []bool{true, false} {
		before := backends.Now()
		got, err := e.Run(t.ctx, backends.RunRequest{Steps: 20, Sync: sync})
		after := backends.Now()
		t.ok(err, "Run")
		t.ok(backends.CheckSamples(got, backends.RunRequest{Steps: 20, Sync: sync}, before, after), "the samples")
	}
}

func arrivals(t *trial) {
	s := t.session()
	e := t.bind(s, t.count(), 2)
	r := backends.RunRequest{Steps: 4, Sync: true, Arrival: []int64{0, 3e6, 3e6, 9e6}}
	before := backends.Now()
	got, err := e.Run(t.ctx, r)
	after := backends.Now()
	t.ok(err, "Run")
	t.ok(backends.CheckSamples(got, r, before, after), "the samples")
}

func planNamesNodes(t *trial) {
	s := t.session()
	build := func(n int) *graph.Program {
		return t.program(func(b *graph.Builder) {
			x := b.Feed("x", f32(n))
			b.Scoped("block", func() { x = b.Op("Relu", nil, b.Op("Add", nil, x, x)) })
			b.Fetch(b.Op("Mul", nil, x, x))
		})
	}
	p := build(4)
	plan := t.bind(s, p, 1).Plan()
	seen := map[string]bool{}
	for _, part := range plan.Partitions {
		if len(part.Nodes) == 0 || part.Kernel == "" || part.Algorithm == "" || part.Math == "" {
			t.fail("a partition of the plan is %+v: want nodes, kernel, algorithm and math mode", part)
		}
		for _, n := range part.Nodes {
			seen[n] = true
		}
	}
	for _, n := range p.Nodes {
		if !seen[n.Name] {
			t.fail("no partition of the plan has node %s", n.Name)
		}
	}
	if again := t.bind(s, p, 3).Plan(); again.Digest != plan.Digest {
		t.fail("the same program has the plans %s and %s", plan.Digest, again.Digest)
	}
	if other := t.bind(s, t.accumulate(4), 1).Plan(); other.Digest == plan.Digest {
		t.fail("two programs have one plan digest, %s", plan.Digest)
	}
}
