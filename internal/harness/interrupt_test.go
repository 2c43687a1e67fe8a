package harness

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/results"
)

// interrupt runs a plan until an event that matches, and then cancels it. It
// gives how long the end took from there.
func interrupt(t *testing.T, p *Plan, before *Interrupted, event string, after time.Duration) (*results.Document, time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var at time.Time
	wanted := regexp.MustCompile(event)
	r := &record{}
	r.on = func(e string) {
		if at.IsZero() && wanted.MatchString(e) {
			at = time.Now().Add(after)
			time.AfterFunc(after, cancel)
		}
	}
	doc, path, err := p.Run(ctx, before, r)
	took := time.Since(at)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, at.IsZero(), "no event %q: %q", event, r.stages)
	require.Empty(t, path)
	return doc, took
}

// soon is what Ctrl-C may take, with room for a machine that does other work.
const soon = 4 * time.Second

// finishInterrupted takes the run of doc up and carries it to its end.
func finishInterrupted(t *testing.T, o *Options, doc *results.Document) *results.Document {
	journal, known, err := o.Store.Resume(doc.Run.ID)
	require.NoError(t, err)
	require.Len(t, known.Results, len(doc.Results))
	o.Seed = known.Run.Seed
	p := newPlan(t, o)
	p.Effort = brief
	_, path, err := p.Run(context.Background(), &Interrupted{journal, known}, &record{})
	require.NoError(t, err)
	requireTidy(t, p)
	whole, err := results.ReadFile(path)
	require.NoError(t, err)
	require.False(t, whole.Run.Interrupted)
	require.Equal(t, doc.Run.ID, whole.Run.ID)
	require.Len(t, whole.Run.Resumed, 1)
	return whole
}

func TestInterruptedBetweenCellsAndTakenUp(t *testing.T) {
	o := options(t, embedded("cpu"))
	o.Batches = []int{1, 2}
	p := newPlan(t, o)
	p.Effort = brief
	doc, took := interrupt(t, p, nil, "^finished: lenet5/infer/f32/1/", 0)
	require.Less(t, took, soon)
	require.True(t, doc.Run.Interrupted)
	require.Len(t, doc.Results, 1)

	whole := finishInterrupted(t, o, doc)
	require.Len(t, whole.Results, 2)
	for i, r := range whole.Results {
		require.True(t, r.Measured(), "%+v", r.Cause)
		require.Equal(t, i, r.Session, "the first is the first session's")
	}
	require.Equal(t, doc.Results[0].Throughput.Rounds, whole.Results[0].Throughput.Rounds)
}

// Rounds of one session can't be paired with another's, which the document says.
func TestInterruptedWithinAGroupSaysWhatIsNotCompared(t *testing.T) {
	other := embedded("cpu")
	other.Label = "other"
	o := options(t, embedded("cpu"), other)
	o.Batches = []int{1}
	p := newPlan(t, o)
	p.Effort = brief
	doc, _ := interrupt(t, p, nil, "^finished: lenet5/infer/f32/1/cpu", 0)
	require.Len(t, doc.Results, 1)
	whole := finishInterrupted(t, o, doc)
	require.Len(t, whole.Results, 2)
	require.Empty(t, whole.Comparisons)
	require.Regexp(t, `lenet5/infer/f32/1/other;\S+ is not compared with lenet5/infer/f32/1/cpu;\S+: an interruption came between them`,
		strings.Join(whole.Warnings, "\n"))
}

func TestInterruptedInTrainingAndTakenUp(t *testing.T) {
	o := options(t, embedded("cpu"))
	o.Modes, o.Batches, o.Epochs = []string{"train"}, []int{4}, 300
	p := newPlan(t, o)
	p.Effort = brief
	doc, took := interrupt(t, p, nil, "^train: cpu · epoch ([2-9]|[1-9][0-9]+)", 0)
	require.Less(t, took, soon)
	require.Empty(t, doc.Results)
	left, err := filepath.Glob(filepath.Join(o.Store.Dir, doc.Run.ID+"-*.checkpoint.safetensors"))
	require.NoError(t, err)
	require.Len(t, left, 1)

	whole := finishInterrupted(t, o, doc)
	require.Len(t, whole.Results, 1)
	accuracy := whole.Results[0].Accuracy
	require.NotNil(t, accuracy)
	require.Len(t, accuracy.Runs, 1)
	require.Equal(t, doc.Run.Seed, accuracy.Runs[0].Seed)
	require.Len(t, accuracy.Runs[0].Curve, 300)
}

// Whatever is under way, Ctrl-C ends it soon.
func TestInterruptEndsSoon(t *testing.T) {
	stubborn := options(t, fault("stubborn", "run=sleep", "batch=16"))
	stubborn.Batches = []int{16}
	trainer := options(t, fault("trainer", "run=sleep", "mode=train"))
	trainer.Modes, trainer.Batches = []string{"train"}, []int{16}
	trainer.Epochs = 2
	judged := options(t, embedded("cpu"))
	judged.Modes, judged.Batches = []string{"train"}, []int{64}
	for _, c := range []struct {
		what  string
		o     *Options
		event string
		after time.Duration
		early bool // before there is a document
	}{
		{"in the peaks", options(t, embedded("cpu")), "begin", 100 * time.Millisecond, true},
		{"in the suite", options(t, embedded("cpu")), "conform", 0, false},
		{"in the judging", judged, "train b64: warming up", 50 * time.Millisecond, false},
		{"in a step that does not end", stubborn, "infer b16: warming up", 500 * time.Millisecond, false},
		{"in a training step that does not end", trainer, "peaks", 3 * time.Second, false},
	} {
		p := newPlan(t, c.o)
		if c.early {
			p.known = nil
		}
		doc, took := interrupt(t, p, nil, c.event, c.after)
		require.Less(t, took, soon, c.what)
		t.Logf("%s: %v", c.what, took)
		require.Equal(t, c.early, doc == nil, c.what)
		if doc != nil {
			require.Empty(t, doc.Results, c.what)
		}
		require.Empty(t, pluginsOfOurs(t), c.what)
	}
}

// A probe that was interrupted is no peak, and no later one is begun.
func TestInterruptWithinAProbe(t *testing.T) {
	h := &run{peaks: machine.Peaks{}}
	err := h.probe([]func() (machine.Peak, error){
		func() (machine.Peak, error) { return machine.Peak{Name: "first", Threads: 1, Value: 1}, nil },
		func() (machine.Peak, error) {
			return machine.Peak{Name: "second", Threads: 1}, context.Canceled
		},
		func() (machine.Peak, error) { panic("begun after the interruption") },
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, h.peaks, 1)
}

// pluginsOfOurs are the processes that this one has started and not reaped.
func pluginsOfOurs(t *testing.T) (pids []int) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(os.Getpid()) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			require.NoError(t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// A plugin that somebody kills costs the cell that it was in.
func TestKilledPluginCostsItsCell(t *testing.T) {
	o := options(t, fault("victim", "run=sleep", "batch=2"))
	o.Batches = []int{1, 2, 3}
	p := newPlan(t, o)
	r := &record{}
	kill := func() {
		for _, pid := range pluginsOfOurs(t) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	r.on = func(e string) {
		if strings.HasPrefix(e, "infer b2: warming up") {
			time.AfterFunc(time.Second, kill)
		}
	}
	doc, _, err := p.Run(context.Background(), nil, r)
	require.NoError(t, err)
	require.Len(t, doc.Results, 3)
	for i, want := range []results.Status{results.StatusOK, results.StatusCrashed, results.StatusOK} {
		require.Equal(t, want, doc.Results[i].Status, "%s: %+v", doc.Results[i].Cell, doc.Results[i].Cause)
	}
	require.Contains(t, doc.Results[1].Cause.Message, "signal: killed")
}

// One that is killed between cells is started anew and costs nothing.
func TestKilledWhileIdleIsStartedAnew(t *testing.T) {
	o := options(t, embedded("cpu"))
	o.Batches = []int{1, 2}
	r := &record{}
	r.on = func(e string) {
		if strings.HasPrefix(e, "finished: lenet5/infer/f32/1/") {
			for _, pid := range pluginsOfOurs(t) {
				require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	doc, _, err := newPlan(t, o).Run(context.Background(), nil, r)
	require.NoError(t, err)
	require.Equal(t, results.StatusOK, doc.Results[1].Status, "%+v", doc.Results[1].Cause)
}
