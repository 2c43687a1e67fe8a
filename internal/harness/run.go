package harness

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/machine/isa"
	"github.com/clsbench/clsbench/internal/machine/peak"
	"github.com/clsbench/clsbench/results"
)

// FreshSeed draws a seed for a run that was given none.
func FreshSeed() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:]) % results.MaxSeed
}

// run is a plan being carried out.
type run struct {
	*Plan
	events  Events
	info    machine.Info
	peaks   machine.Peaks
	benches map[string]*bench // by label
	journal *results.Journal
	doc     *results.Document
	done    map[string]bool // cells that an interrupted run had finished
	session int             // 0, or the count of resumptions
}

// Run carries the plan out: it returns the finished document and the path of
// its file. With resume, an interrupted run's id or a prefix of it, finished
// cells are kept as they are. When ctx is cancelled the document holds what is
// finished, the journal stays for another resumption, and path is empty. Cells
// that fail are rows of the document and no error.
func (p *Plan) Run(ctx context.Context, resume string, events Events) (*results.Document, string, error) {
	h := &run{Plan: p, events: events, benches: map[string]*bench{}, done: map[string]bool{}, peaks: machine.Peaks{}}
	h.info = machine.Capture(ctx)
	events.Begin(h.info, p)
	if err := p.opts.Store.Probe(); err != nil {
		return nil, "", &UsageError{"out", err}
	}
	h.measurePeaks(ctx)
	events.Peaks(h.peaks)
	if err := h.begin(resume); err != nil {
		return nil, "", err
	}
	defer h.journal.Close()
	watch := machine.Watch()
	err := h.all(ctx)
	for _, b := range h.benches {
		b.close()
	}
	conditions := watch.Stop()
	h.doc.Conditions = &conditions
	return h.end(ctx, err)
}

// begin makes or takes up the journal and the document.
func (h *run) begin(resume string) error {
	now := time.Now().UTC()
	var err error
	if resume != "" {
		h.journal, h.doc, err = h.opts.Store.Resume(resume)
		if err != nil {
			return &UsageError{"resume", err}
		}
		for _, r := range h.doc.Results {
			h.done[r.Cell] = true
		}
		h.session = len(h.doc.Run.Resumed) + 1
		s := results.Session{Started: now, Peaks: h.peaks}
		h.doc.Run.Resumed = append(h.doc.Run.Resumed, s)
		return h.journal.Session(s)
	}
	h.doc = &results.Document{Schema: results.Schema, Machine: h.info, Peaks: h.peaks, Results: []results.Result{},
		Run: results.Run{ID: results.NewRunID(), Started: now, Command: h.opts.Command, Seed: h.opts.Seed, Effort: h.effortTaken()}}
	h.journal, err = h.opts.Store.Begin(results.Header{Run: h.doc.Run, Machine: h.info, Peaks: h.peaks})
	if err != nil {
		return &UsageError{"out", err}
	}
	return nil
}

func (h *run) effortTaken() results.Effort {
	e := results.Effort{Name: h.effort.Name, Rounds: h.effort.Rounds, RoundSeconds: h.effort.Round.Seconds(), Processes: 1}
	if h.effort.FreshProcess {
		e.Processes = h.effort.Rounds
	}
	return e
}

// measurePeaks finds this session's limits: every figure has its share of
// them.
func (h *run) measurePeaks(ctx context.Context) {
	threads := []int{h.threads()}
	if h.threads() != 1 {
		threads = append(threads, 1)
	}
	for _, n := range threads {
		if ctx.Err() != nil {
			return
		}
		h.peaks.Put(peak.FMA(isa.Best(), n))
		h.peaks.Put(peak.Read(n))
	}
	h.peaks.Put(peak.Copy(h.threads()))
	h.overhead(ctx)
}

// threads is how many threads backends are given.
func (h *run) threads() int {
	if h.opts.Threads > 0 {
		return h.opts.Threads
	}
	return max(1, int(h.info.UsableCPUs()))
}

// keep enters a finished cell into the journal and the document.
func (h *run) keep(r *results.Result) {
	r.Session = h.session
	if err := h.journal.Append(r); err != nil {
		h.events.Note(fmt.Sprintf("the journal does not take %s: %v", r.Cell, err))
	}
	h.doc.Results = append(h.doc.Results, *r)
	h.done[r.Cell] = true
	h.events.Finished(r)
}

// end compares, warns, and writes the document. After an interruption the
// journal stays instead.
func (h *run) end(ctx context.Context, err error) (*results.Document, string, error) {
	h.doc.Run.Ended = time.Now().UTC()
	h.compare()
	h.warn()
	if ctx.Err() != nil {
		h.doc.Run.Interrupted = true
		return h.doc, "", ctx.Err()
	}
	if err != nil {
		return h.doc, "", err
	}
	path, err := h.opts.Store.Save(h.doc)
	if err != nil {
		return h.doc, "", fmt.Errorf("saving the result: %w (the journal of run %s keeps every cell)", err, h.doc.Run.ID)
	}
	return h.doc, path, h.journal.Remove()
}

// compare holds the cells of each task against those of the first backend.
func (h *run) compare() {
	if len(h.benches) < 2 && len(h.opts.Math) == 0 {
		return
	}
	if err := h.doc.CompareWithin("", 0); err != nil {
		h.events.Note("no comparison: " + err.Error())
	}
}

// warn says what limits the figures.
func (h *run) warn() {
	for _, f := range machine.Diagnose(h.info, *h.doc.Conditions) {
		if f.Severity != machine.Note {
			h.doc.Warnings = append(h.doc.Warnings, f.What)
		}
	}
	widest := 0.0
	for _, r := range h.doc.Results {
		if t := r.Throughput; t != nil && t.Median > 0 {
			widest = max(widest, (t.High-t.Low)/2/t.Median)
		}
	}
	if widest > 0.02 {
		h.doc.Warnings = append(h.doc.Warnings, fmt.Sprintf("differences under %.0f %% are invisible here", 100*widest))
	}
}
