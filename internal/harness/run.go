package harness

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/machine/isa"
	"github.com/clsbench/clsbench/internal/machine/peak"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads"
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

	disturbed []string // what others did to the peaks, for the warnings

	cache    *conformance.Cache // of the reference's results
	verdicts verdicts

	calibrated map[string]*workloads.Calibration // by what is calibrated
}

// Interrupted is a run that was cut short: its journal, taken up, and what it
// had finished.
type Interrupted struct {
	Journal  *results.Journal
	Document *results.Document
}

// Run carries the plan out: it returns the finished document and the path of
// its file. What an interrupted run (nil for none) had finished is kept as it
// is. When ctx is cancelled the document holds what is finished, the journal
// stays to be taken up, and path is empty. Cells that fail are rows of the
// document and no error. Without a document nothing was measured.
func (p *Plan) Run(ctx context.Context, before *Interrupted, events Events) (*results.Document, string, error) {
	h := &run{Plan: p, events: events, benches: map[string]*bench{}, done: map[string]bool{}, peaks: machine.Peaks{},
		cache: conformance.UserCache(), verdicts: openVerdicts(), calibrated: map[string]*workloads.Calibration{}}
	h.info = machine.Capture(ctx)
	defer func() { h.close(ctx) }()
	if before != nil {
		h.takeUp(before)
	}
	if err := p.dataFound(); err != nil {
		return nil, "", err
	}
	if err := h.introduce(ctx); err != nil {
		return nil, "", err
	}
	if err := p.opts.Store.Probe(p.Rest(before).room()); err != nil {
		return nil, "", &UsageError{"out", err}
	}
	events.Begin(h.info, p.Rest(before))
	h.measurePeaks(ctx)
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	events.Peaks(h.peaks)
	if err := h.begin(); err != nil {
		return nil, "", err
	}
	watch := machine.Watch()
	err := h.all(ctx)
	conditions := watch.Stop()
	h.doc.Conditions = &conditions
	return h.end(ctx, err)
}

// takeUp goes on where an interrupted run ended.
func (h *run) takeUp(before *Interrupted) {
	h.journal, h.doc = before.Journal, before.Document
	for _, r := range h.doc.Results {
		h.done[r.Cell] = true
	}
	h.session = len(h.doc.Run.Resumed) + 1
}

// close ends every process, at once where nobody waits for the rest, and lets
// go of the journal.
func (h *run) close(ctx context.Context) {
	var all sync.WaitGroup
	for _, b := range h.benches {
		end := b.close
		if ctx.Err() != nil {
			end = b.stop
		}
		all.Go(end)
	}
	all.Wait()
	if h.journal != nil {
		h.journal.Close()
	}
}

// begin makes journal and document, or notes in them that they are taken up.
func (h *run) begin() error {
	now := time.Now().UTC()
	if h.session > 0 {
		s := results.Session{Started: now, Peaks: h.peaks}
		h.doc.Run.Resumed = append(h.doc.Run.Resumed, s)
		if err := h.journal.Session(s); err != nil {
			return &UsageError{"out", err}
		}
		return nil
	}
	var err error
	h.doc = &results.Document{Schema: results.Schema, Machine: h.info, Peaks: h.peaks, Results: []results.Result{},
		Run: results.Run{ID: results.NewRunID(), Started: now, Command: h.opts.Command, Directory: h.Directory, Seed: h.opts.Seed, Effort: h.effortTaken()}}
	h.journal, err = h.opts.Store.Begin(results.Header{Run: h.doc.Run, Machine: h.info, Peaks: h.peaks})
	if err != nil {
		return &UsageError{"out", err}
	}
	return nil
}

func (h *run) effortTaken() results.Effort {
	e := results.Effort{Name: h.Effort.Name, Rounds: h.Effort.Rounds, RoundSeconds: h.Effort.Round.Seconds(), Processes: 1}
	if h.Effort.FreshProcess {
		e.Processes = h.Effort.Rounds
	}
	return e
}

// measurePeaks finds this session's limits: every figure has its share of
// them.
func (h *run) measurePeaks(ctx context.Context) {
	if h.known != nil {
		h.peaks = h.known
		return
	}
	threads := []int{h.threads()}
	if h.threads() != 1 {
		threads = append(threads, 1)
	}
	var probes []func() (machine.Peak, error)
	for _, n := range threads {
		probes = append(probes, func() (machine.Peak, error) { return peak.FMA(ctx, isa.Best(), n) },
			func() (machine.Peak, error) { return peak.Read(ctx, n) })
	}
	probes = append(probes, func() (machine.Peak, error) { return peak.Copy(ctx, h.threads()) })
	if h.probe(probes) != nil {
		return
	}
	h.disturbed = append(h.disturbed, undisturbed(h.peaks, h.threads())...)
	h.overhead(ctx)
}

// probe measures peaks, one after the other, until one is interrupted.
func (h *run) probe(probes []func() (machine.Peak, error)) error {
	for _, probe := range probes {
		p, err := probe()
		if err != nil {
			return err
		}
		h.peaks.Put(p)
	}
	return nil
}

// undisturbed puts a peak of one thread in the place of a lower one of several,
// which others have disturbed: several do what one can. It says what it did.
func undisturbed(peaks machine.Peaks, threads int) (disturbed []string) {
	for _, name := range []string{machine.PeakFMA, machine.PeakRead} {
		one, ok := peaks.Of(name, 1)
		all, both := peaks.Of(name, threads)
		if !ok || !both || one.Value <= all.Value {
			continue
		}
		disturbed = append(disturbed, fmt.Sprintf("peaks disturbed: %s of %d threads was measured as %.3g %s, below the %.3g of one, which stands for both: shares of it are too high",
			name, threads, all.Value, all.Unit, one.Value))
		all.Value, all.How = one.Value, all.How+"; disturbed, the value is that of one thread"
		peaks.Put(all)
	}
	return disturbed
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
	if err := r.Validate(); err != nil {
		// Whatever a backend says, it must not cost the others their document.
		r = r.Bare(results.StatusError, &results.Cause{Kind: results.CauseProtocol, Message: "no result can hold what came of it: " + err.Error()})
	}
	if err := h.journal.Append(r); err != nil {
		h.events.Note(fmt.Sprintf("the journal does not take %s: %v", r.Cell, err))
	}
	h.doc.Results = append(h.doc.Results, *r)
	h.done[r.Cell] = true
	h.events.Finished(r)
}

// end compares, puts the rows in their readers' order, warns, and writes the
// document. After an interruption the journal stays instead.
func (h *run) end(ctx context.Context, err error) (*results.Document, string, error) {
	h.doc.Run.Ended = time.Now().UTC()
	h.compare()
	h.doc.Arrange()
	h.warn()
	if ctx.Err() != nil {
		h.doc.Run.Interrupted = true
		if h.journal.Missing() > 0 {
			return h.doc, "", h.unsaved(errors.New("the journal lacks cells"))
		}
		return h.doc, "", ctx.Err()
	}
	if err != nil {
		return h.doc, "", err
	}
	path, err := h.opts.Store.Save(h.doc)
	if err != nil {
		return h.doc, "", h.unsaved(err)
	}
	if err := errors.Join(h.journal.Remove(), h.removeCheckpoints()); err != nil {
		h.events.Note("the result is saved, but files of the run that nobody needs any more stay: " + err.Error())
	}
	h.journal = nil
	return h.doc, path, nil
}

// Unsaved says what of a run's cells is kept when its folder does not take all.
type Unsaved struct {
	Err    error
	RunID  string
	Cells  int
	Kept   int    // cells in the journal, which can be taken up
	Spare  string // file of the whole document elsewhere; "" if that failed too
	Failed error  // why, then
}

func (e *Unsaved) Error() string {
	s := fmt.Sprintf("saving the result: %v; the journal of run %s keeps %d of %d cells", e.Err, e.RunID, e.Kept, e.Cells)
	if e.Spare == "" {
		return s + fmt.Sprintf(", the others are lost (%v)", e.Failed)
	}
	return s + "; the whole result is in " + e.Spare + " instead"
}

func (e *Unsaved) Unwrap() error { return e.Err }

// unsaved puts the document where there is room.
func (h *run) unsaved(err error) error {
	u := &Unsaved{Err: err, RunID: h.doc.Run.ID, Cells: len(h.doc.Results), Kept: len(h.doc.Results) - h.journal.Missing()}
	u.Spare, u.Failed = h.doc.SaveElsewhere()
	return &UsageError{"out", u}
}

// removeCheckpoints removes what only a resumption would have needed.
func (h *run) removeCheckpoints() error {
	var all []error
	for _, c := range h.Cells {
		if err := os.Remove(h.checkpoint(c)); !errors.Is(err, fs.ErrNotExist) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// compare holds the cells of each task against those of the first backend.
func (h *run) compare() {
	if h.Comparisons() == 0 {
		return
	}
	if err := h.doc.CompareWithin("", 0); err != nil {
		h.events.Note("no comparison: " + err.Error())
	}
}

// presets is doctor's check of variables that hold other people's libraries
// back: none of ours reads them.
const presets = "library-preset"

// peers says whether a backend that is not ours was measured.
func (h *run) peers() bool {
	for _, c := range h.Cells {
		if h.registry[c.Spec.Name] == nil {
			return true
		}
	}
	return false
}

// warn says what limits the figures.
func (h *run) warn() {
	for _, f := range machine.Diagnose(h.info, *h.doc.Conditions) {
		if f.Severity != machine.Note && (f.Check != presets || h.peers()) {
			h.doc.Warnings = append(h.doc.Warnings, f.What)
		}
	}
	for _, w := range h.disturbed {
		if !slices.Contains(h.doc.Warnings, w) {
			h.doc.Warnings = append(h.doc.Warnings, w)
		}
	}
	h.doc.Warnings = append(h.doc.Warnings, h.sets.skipped()...)
	h.doc.Warnings = append(h.doc.Warnings, h.doc.Unpaired()...)
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
