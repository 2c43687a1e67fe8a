package opbench

import (
	"slices"

	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/machine/isa"
	"github.com/clsbench/clsbench/internal/machine/peak"
	"github.com/clsbench/clsbench/internal/measure"
)

// probes is how often a limit is measured again before it accuses anybody.
const probes = 3

// peaks measures the limits that figures are held against.
func (r *runner) peaks(info machine.Info) {
	r.doc.Peaks = machine.Peaks{}
	n := r.threads(info)
	for _, p := range []machine.Peak{peak.FMA(isa.Best(), n), peak.Copy(n)} {
		r.doc.Peaks.Put(p)
	}
	if r.Measured != nil {
		r.Measured(r.doc.Peaks)
	}
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
func (r *runner) withinPeak(rate float64) error {
	for range probes {
		p := r.limit(machine.PeakFMA)
		if rate <= p.Value {
			return nil
		}
		if again := peak.FMA(isa.Best(), p.Threads); again.Value > p.Value {
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
