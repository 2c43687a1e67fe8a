package opbench

import (
	"context"
	"slices"

	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/machine/isa"
	"github.com/clsbench/clsbench/internal/machine/peak"
	"github.com/clsbench/clsbench/internal/measure"
)

// probes is how often a limit is measured again before it accuses anybody.
const probes = 3

// peaks measures the limits that figures are held against. Its error is the
// context's: the peaks that were not measured until then are missing.
func (r *runner) peaks(ctx context.Context, info machine.Info) error {
	r.doc.Peaks = machine.Peaks{}
	n := r.threads(info)
	for _, probe := range []func() (machine.Peak, error){
		func() (machine.Peak, error) { return peak.FMA(ctx, isa.Best(), n) },
		func() (machine.Peak, error) { return peak.Copy(ctx, n) },
	} {
		p, err := probe()
		if err != nil {
			return err
		}
		r.doc.Peaks.Put(p)
	}
	if r.Measured != nil {
		r.Measured(r.doc.Peaks)
	}
	return nil
}

// threads is how many CPUs a backend can have.
func (r *runner) threads(info machine.Info) int {
	if r.Threads > 0 {
		return r.Threads
	}
	return max(1, int(info.UsableCPUs()))
}

// limit is a measured peak by name; zero if unknown.
func (r *runner) limit(name string) machine.Peak {
	for _, p := range r.doc.Peaks {
		if p.Name == name {
			return p
		}
	}
	return machine.Peak{}
}

// withinPeak holds a rate, GFLOP/s, against the machine's multiply-adds. A
// limit that was measured while others had the CPUs accuses nobody: it is
// measured again, the largest stands, and its best round is the limit.
func (r *runner) withinPeak(ctx context.Context, rate float64) error {
	for range probes {
		p := r.limit(machine.PeakFMA)
		if rate <= p.Value {
			return nil
		}
		again, err := peak.FMA(ctx, isa.Best(), p.Threads)
		if err != nil {
			return nil // interrupted: the row is not kept
		}
		if again.Value > p.Value {
			r.doc.Peaks.Put(again)
		}
	}
	p := r.limit(machine.PeakFMA)
	return measure.CheckPeak(rate, slices.Max(append(p.Rounds, p.Value)))
}

// shares puts all figures beside the limits, which may have been measured
// again since.
func (r *runner) shares() {
	fma, copied := r.limit(machine.PeakFMA).Value, r.limit(machine.PeakCopy).Value
	for _, c := range r.timed {
		x := c.row
		if !c.lane.onCPU() {
			continue
		}
		if fma > 0 && x.Hot != nil && x.FLOPs > 0 && c.single {
			s := x.Hot.GFLOPS / fma
			x.ShareFMA = &s
		}
		if copied > 0 && x.Cold != nil && x.Bytes > 0 {
			s := x.Cold.GBps / copied
			x.ShareCopy = &s
		}
	}
}
