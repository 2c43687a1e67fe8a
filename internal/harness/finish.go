package harness

import (
	"context"
	"errors"

	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/machine/isa"
	"github.com/clsbench/clsbench/internal/machine/peak"
	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
)

// finish turns a lane's rounds into its result: estimates, honest-work checks,
// the check of timed fetches, memory.
func (h *run) finish(ctx context.Context, l *lane) {
	if len(l.rounds) > 0 && !l.failed() {
		h.figures(l)
		if err := h.guard(ctx, l, func() error { return unlessDone(ctx, func() error { return l.judge.timed(ctx, h, l) }) }); err == nil {
			h.honest(ctx, l)
		}
		if !l.failed() || l.result.Status == results.StatusUnstable {
			_ = h.guard(ctx, l, func() error { return errors.Join(h.memory(ctx, l), h.evaluate(ctx, l)) })
		}
	}
	if ctx.Err() != nil {
		return // not every check was made
	}
	l.drop()
	l.judge.ops(l.bench)
	l.result.Conformance = l.judge.verdict()
	h.keep(l.result)
}

func (h *run) figures(l *lane) {
	res, smoke := l.result, !h.Effort.Figures
	var rates, overhead, back []float64
	var latency measure.Latencies
	var lengths [][]float64
	var split splits
	for _, f := range l.rounds {
		rates = append(rates, f.rate)
		for _, ns := range f.latency.latency {
			latency.Add(ns)
		}
		back = append(back, f.latency.back...)
		split.add(f.latency.splits)
		main := f.latency
		if f.throughput != nil {
			main = f.throughput
		}
		overhead = append(overhead, main.overhead...)
		lengths = append(lengths, main.lengths)
	}
	if smoke {
		return // a smoke run claims no figure
	}
	e := measure.MedianOf(rates)
	res.Throughput = &results.Throughput{Estimate: e, Unit: "images/s", Rounds: rates}
	res.Latency = results.NewLatency(&latency)
	ret := medianOf(back) / 1e6
	res.Latency.Return = &ret
	res.Time = split.median()
	res.Time.RPC = ret
	us := medianOf(overhead) / 1e3
	res.HarnessMicros = &us
	res.Warmup = &results.Warmup{Steps: l.warm.Steps(), Seconds: l.warm.Elapsed().Seconds(), Stable: l.warm.State() != measure.Unstable}
	if l.warm.State() == measure.Unstable {
		res.Status = results.StatusUnstable
		res.Cause = &results.Cause{Kind: results.CauseNotSteady, Message: "warm-up ended without a steady rate; the figures stand beside that"}
	}
	h.flags(res, rates, lengths)
	h.share(res)
}

func (h *run) flags(res *results.Result, rates []float64, lengths [][]float64) {
	if len(measure.Outliers(rates)) > 0 {
		res.Flags = append(res.Flags, results.FlagOutliers)
	}
	if measure.Throttling(lengths).Flagged {
		res.Flags = append(res.Flags, results.FlagThrottled)
	}
	if len(rates) < h.Effort.Rounds {
		res.Flags = append(res.Flags, results.FlagFewRounds)
	}
	if res.Math != "strict" {
		res.Flags = append(res.Flags, results.FlagRelaxed)
	}
}

// share puts the figure beside the machine's limit of the same session.
func (h *run) share(res *results.Result) {
	p, ok := h.peaks.Of(machine.PeakFMA, res.Threads)
	if !ok || res.FLOPsPerImage == 0 || res.Precision != precisionF32 { // others have other limits, which are not measured
		return
	}
	s := res.Throughput.Median * res.FLOPsPerImage / (p.Value * 1e9)
	res.PeakShare, res.Peak = &s, p.Key()
}

// honest holds the figure against the machine's limit and against replays.
func (h *run) honest(ctx context.Context, l *lane) {
	res := l.result
	if res.Throughput == nil {
		return
	}
	if err := h.withinPeak(ctx, res); err != nil {
		h.fail(l, err)
		return
	}
	var hidden []float64
	for _, f := range l.rounds {
		hidden = append(hidden, f.latency.hidden...)
	}
	if err := measure.CheckHidden(hidden); err != nil {
		h.fail(l, err)
		return
	}
	readFeed := fetchFeed(l.rig.feedBytes())
	if p, ok := h.peaks.Of(machine.PeakRead, 1); ok {
		readFeed += float64(l.rig.feedBytes()) / (p.Value * 1e9)
	}
	if err := measure.CheckRepeat(l.repeat.fresh, l.repeat.again, readFeed); err != nil {
		h.fail(l, err)
	}
}

// fetchFeed is what a fresh feed costs beyond its bytes, seconds: it lies in the
// cache of the core that wrote it, and until the prefetcher has seen a pattern
// each line is waited for.
func fetchFeed(bytes int) float64 {
	const (
		line   = 64     // bytes
		waited = 32     // lines, before what follows is fetched ahead
		away   = 150e-9 // s a line from another core, on a busy machine
	)
	return away * float64(min((bytes+line-1)/line, waited))
}

// withinPeak holds a figure against the machine's limit. A limit that was
// measured while others had the CPUs accuses nobody: it is measured again, and
// the larger one stands.
func (h *run) withinPeak(ctx context.Context, res *results.Result) error {
	p, ok := h.peaks[res.Peak]
	if !ok {
		return nil
	}
	rate := res.Throughput.Median * res.FLOPsPerImage / 1e9
	for range 3 {
		if measure.CheckPeak(rate, p.Value) == nil {
			return nil
		}
		again, err := peak.FMA(ctx, isa.Best(), p.Threads)
		if err != nil {
			return nil // interrupted: the cell is not kept
		}
		if again.Value > p.Value {
			p = again
			h.peaks.Put(p)
			h.share(res)
		}
	}
	return measure.CheckPeak(rate, p.Value)
}

// memory runs one more stretch with the peak counter reset, so that neither
// set-up nor other cells count.
func (h *run) memory(ctx context.Context, l *lane) error {
	pid := l.bench.pid()
	reset := machine.ResetPeak(pid) == nil
	l.rig.refill(l.rig.k)
	if _, err := l.rig.run(ctx, l.rig.k, true); err != nil {
		return err
	}
	m, err := machine.ReadProcessMemory(pid)
	if err != nil {
		h.events.Note("memory of " + l.cell.String() + " is unknown: " + err.Error())
		return nil
	}
	l.result.Memory = &results.Memory{Peak: m.Peak, Anonymous: m.Anonymous, Shared: m.Shared}
	if !reset {
		l.result.Flags = append(l.result.Flags, "memory-since-start")
	}
	stats, err := l.bench.session.Stats(ctx)
	if err != nil {
		return err
	}
	if stats.DeviceBytes > 0 {
		l.result.Memory.Device = &results.DeviceMemory{Used: stats.StateBytes + stats.ArenaBytes,
			Allocated: stats.DeviceBytes, Reserved: stats.DevicePeakBytes}
	}
	return nil
}

func medianOf(xs []float64) float64 { return measure.MedianOf(xs).Median }
