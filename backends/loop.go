package backends

import (
	"context"
	"errors"
	"math"
	"time"
)

// MaxSteps is the most steps of one call: each brings a sample back.
const MaxSteps = 1_000_000_000

// Now reads the clock of samples. Go's monotonic clock is CLOCK_MONOTONIC on
// Linux but hides its origin; the offset is taken once by nowOrigin.
func Now() int64 { return nowOrigin + int64(time.Since(nowStart)) }

// Loop is the timed loop that backends in Go share: it runs the steps of r,
// honours arrivals, stops between steps when ctx is cancelled and fills one
// sample a step. step gets the step's number and writes its split; time that
// it does not account for counts as Device.
func Loop(ctx context.Context, r RunRequest, out []StepSample, step func(n int64, s *Split) error) ([]StepSample, error) {
	if r.Steps < 0 || r.First < 0 || (r.Arrival != nil && len(r.Arrival) != r.Steps) {
		return nil, Errorf(InvalidArgument, "run: first %d, steps %d, %d arrivals", r.First, r.Steps, len(r.Arrival))
	}
	if r.Steps > MaxSteps || r.First > math.MaxInt64-int64(r.Steps) {
		return nil, Errorf(InvalidArgument, "run: first %d, steps %d: want at most %d steps, numbered in 63 bits", r.First, r.Steps, MaxSteps)
	}
	out = out[:0]
	begin := Now()
	for i := range r.Steps {
		if cause := ctx.Err(); cause != nil {
			code := Canceled
			if errors.Is(cause, context.DeadlineExceeded) {
				code = DeadlineExceeded
			}
			return out, Errorf(code, "run stopped after %d of %d steps", i, r.Steps)
		}
		out = append(out, StepSample{})
		s := &out[i] // where it stays: a variable would be an allocation a step
		due := int64(0)
		if r.Arrival != nil {
			due = begin + r.Arrival[i]
			waitUntil(ctx, due)
		}
		s.Start = Now()
		if due > 0 {
			s.Split.Queue = max(0, s.Start-due)
		}
		if err := step(r.First+int64(i), &s.Split); err != nil {
			return out[:i], err
		}
		s.End = Now()
		if rest := s.End - s.Start - s.Split.HostToDevice - s.Split.DeviceToHost - s.Split.Host; s.Split.Device == 0 {
			s.Split.Device = max(0, rest)
		}
	}
	return out, nil
}

// waitUntil sleeps while there is time to, and spins the last stretch: timers
// are late by tens of microseconds.
func waitUntil(ctx context.Context, due int64) {
	const spin = 200_000
	if d := due - Now() - spin; d > 0 {
		t := time.NewTimer(time.Duration(d))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
	for Now() < due && ctx.Err() == nil {
	}
}
