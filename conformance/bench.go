package conformance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/clsbench/clsbench/backends"
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

// Timing is a micro-benchmark of a case.
type Timing struct {
	Case    string    `json:"case"`
	Nanos   float64   `json:"ns_per_step"` // median of the calls
	Calls   []float64 `json:"calls"`       // ns a step, by call
	Steps   int       `json:"steps"`       // of each call
	FLOPs   int64     `json:"flops"`       // of one step, direct algorithm
	Bytes   int64     `json:"bytes"`       // read and written once
	Kernels []string  `json:"kernels"`
}

// benchmarkCalls is how many calls are timed.
const benchmarkCalls = 6

// Benchmark times a case: the same program, data and way to run as its check.
// Each call lasts about a sixth of the budget; the clock is the backend's own
// samples', from the first start to the last end.
func (c *Case) Benchmark(ctx context.Context, s backends.Session, seed uint64, budget time.Duration) (t *Timing, err error) {
	d := Draw{Seed: seed, Case: c.dataName()}
	p, err := c.program(d)
	if err != nil {
		return nil, err
	}
	low, err := lower(ctx, s, p, c.form == decomposed)
	if err != nil {
		return nil, err
	}
	dev, err := compile(ctx, s, low)
	if err != nil {
		return nil, err
	}
	defer closing(dev, &err)
	v, err := c.values(d, dev.graph)
	if err != nil {
		return nil, err
	}
	if err := writeState(ctx, s, dev.graph, v); err != nil {
		return nil, err
	}
	for _, f := range dev.graph.Feeds {
		for slot := range feedSlots {
			copy(dev.At(f.Name, int64(slot)), v[f.Name].Data)
		}
	}
	t = &Timing{Case: c.Name(), FLOPs: dev.graph.FLOPs(), Bytes: dev.graph.Bytes()}
	for _, part := range dev.Plan().Partitions {
		t.Kernels = append(t.Kernels, part.Kernel)
	}
	if t.Steps, err = calibrate(ctx, dev, budget/benchmarkCalls); err != nil {
		return nil, err
	}
	for range benchmarkCalls {
		ns, err := timed(ctx, dev, t.Steps)
		if err != nil {
			return nil, err
		}
		t.Calls = append(t.Calls, ns/float64(t.Steps))
	}
	sorted := slices.Sorted(slices.Values(t.Calls))
	t.Nanos = (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
	return t, nil
}

// maxSteps bounds a call whose steps take no time at all.
const maxSteps = 1 << 20

// calibrate doubles the steps of a call until it lasts; that warms up too.
func calibrate(ctx context.Context, d *device, want time.Duration) (int, error) {
	for steps := 1; ; steps *= 2 {
		ns, err := timed(ctx, d, steps)
		if err != nil || ns >= float64(want) || steps >= maxSteps {
			return steps, err
		}
	}
}

// timed is how long a call took, ns.
func timed(ctx context.Context, d *device, steps int) (float64, error) {
	s, err := d.Run(ctx, backends.RunRequest{Steps: steps})
	if err != nil {
		return 0, err
	}
	if len(s.Steps) != steps {
		return 0, fmt.Errorf("%d samples for %d steps", len(s.Steps), steps)
	}
	return float64(s.Steps[steps-1].End - s.Steps[0].Start), nil
}
