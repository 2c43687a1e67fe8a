package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/clsbench/clsbench/internal/harness"
	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/results"
)

// progress is harness.Events for people, on standard error: bars on a
// terminal, else a line a finished cell, nothing with --quiet.
type progress struct {
	w       io.Writer
	quiet   bool
	verbose bool
	bars    *mpb.Progress // nil when piped
	refresh chan any
	gone    chan any // closed when the bars have ended, be it with their terminal
	bar     *mpb.Bar
	stage   string
	note    atomic.Pointer[string] // the bars draw in a goroutine of their own
	started time.Time
}

func newProgress(cmd *cobra.Command) *progress {
	quiet, _ := cmd.Flags().GetBool("quiet")
	verbose, _ := cmd.Flags().GetBool("verbose")
	p := &progress{w: cmd.ErrOrStderr(), quiet: quiet, verbose: verbose, started: time.Now()}
	if f, ok := p.w.(*os.File); ok && !quiet && term.IsTerminal(int(f.Fd())) {
		// Redrawn only when told to: nothing may run beside a measurement.
		p.refresh, p.gone = make(chan any), make(chan any)
		p.bars = mpb.New(mpb.WithOutput(f), mpb.WithWidth(24), mpb.WithManualRefresh(p.refresh), mpb.WithShutdownNotifier(p.gone))
	}
	return p
}

// Close ends the bars; more calls than one do no harm.
func (p *progress) Close() {
	if p.bars == nil {
		return
	}
	p.endBar()
	p.bars.Wait()
	p.bars = nil
}

func (p *progress) say(format string, args ...any) {
	if p.quiet {
		return
	}
	line := fmt.Sprintf(format, args...) + "\n"
	if p.bars != nil {
		fmt.Fprint(p.bars, line)
		p.redraw()
		return
	}
	fmt.Fprint(p.w, line)
}

func (p *progress) redraw() {
	if p.bars == nil {
		return
	}
	select {
	case p.refresh <- time.Now():
	case <-p.gone:
	}
}

func (p *progress) Begin(info machine.Info, plan *harness.Plan) {
	p.say("%s", info.Title())
	p.say("plan     %d cells · %s · about %s", len(plan.Cells), plan.Effort.Name, plan.Duration().Round(time.Second))
}

func (p *progress) Peaks(peaks machine.Peaks) { p.say("peak     %s", results.PeakLine(peaks, nil)) }

// whole are the stages whose end is worth a line when piped.
var whole = map[string]bool{"conform": true, "train": true}

func (p *progress) Stage(name string, done, total int, note string) {
	p.note.Store(&note)
	if p.bars == nil {
		if p.verbose || done == total && whole[name] {
			p.say("%-8s %d/%d %s", name, done, total, note)
		}
		return
	}
	if p.bar == nil || p.stage != name {
		p.endBar()
		p.stage = name
		bar, err := p.bars.Add(int64(total), mpb.BarStyle().Build(), mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-8s ", name))),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return *p.note.Load() })))
		if err != nil {
			return // the terminal has gone, and the bars with it
		}
		p.bar = bar
	}
	p.bar.SetTotal(int64(total), false)
	p.bar.SetCurrent(int64(done))
	p.redraw()
}

func (p *progress) endBar() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bar.Wait()
		p.bar = nil
	}
}

func (p *progress) Finished(r *results.Result) {
	took := time.Since(p.started).Round(100 * time.Millisecond)
	switch {
	case r.Throughput != nil:
		p.say("%-9s%-44s %8s img/s  %6s", r.Status, r.Cell, results.FormatRate(r.Throughput.Median), took)
	case r.Cause != nil:
		p.say("%-9s%-44s %s", r.Status, r.Cell, r.Cause.Message)
	default:
		p.say("%-9s%-44s %6s", r.Status, r.Cell, took)
	}
}

func (p *progress) Note(text string) { p.say("! %s", text) }
