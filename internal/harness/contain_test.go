package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/results"
)

// Every vice ends its own cell, with the status and cause that say what it
// was, and the backend beside it is measured.
func TestAFaultEndsItsCellAlone(t *testing.T) {
	cases := []struct {
		fault  string
		status results.Status
		kind   results.CauseKind
		say    string // in the message
		tail   string // in the log
	}{
		{"start=exit", results.StatusError, results.CauseStart, "exited at start", "no licence found"},
		{"start=garbage", results.StatusError, results.CauseStart, "Welcome to my backend!", ""},
		{"start=version", results.StatusError, results.CauseStart, "speaks version 2 of the protocol", ""},
		{"describe=error", results.StatusCrashed, results.CauseUnavailable, "fell off the bus", ""},
		{"open=error", results.StatusError, results.CauseInternal, "fell off the bus", ""},
		{"open=oom", results.StatusOOM, results.CauseResourceExhausted, "device memory", ""},
		{"map=kill", results.StatusCrashed, results.CauseUnavailable, "killed", ""},
		{"check=short batch=1", results.StatusError, results.CauseInternal, "verdicts", ""},
		{"check=refuse-core batch=1", results.StatusUnsupported, results.CauseUnimplemented, "no kernel for it", ""},
		{"compile=goroutine batch=1", results.StatusCrashed, results.CauseUnavailable, "crashed in Compile", "planned panic"},
		{"compile=refuse batch=1", results.StatusUnsupported, results.CauseUnimplemented, "no kernel for it", ""},
		{"run=kill batch=1", results.StatusCrashed, results.CauseUnavailable, "killed", ""},
		{"run=error batch=1", results.StatusError, results.CauseInternal, "fell off the bus", ""},
		{"run=short batch=1", results.StatusError, results.CauseInternal, "ran 1 steps and answered with 0", ""},
		{"run=grow batch=1", results.StatusOOM, results.CauseResourceExhausted, "limit of 400 MiB", ""},
		{"compile=flood batch=1", results.StatusOK, "", "", ""},
		{"run=truncate batch=1", results.StatusOK, "", "", ""},
		{"run=early batch=1", results.StatusInvalid, results.CauseForgedTime, "before the call", ""},
		{"run=late batch=1", results.StatusInvalid, results.CauseForgedTime, "after the call", ""},
		{"run=still batch=1", results.StatusInvalid, results.CauseForgedTime, "no time at all", ""},
		{"run=negative batch=1", results.StatusInvalid, results.CauseForgedTime, "negative part", ""},
		{"stats=error", results.StatusError, results.CauseInternal, "fell off the bus", ""},
	}
	if raced {
		cases = cases[len(cases)-7:]
	}
	specs := []plugin.Spec{embedded("cpu")}
	label := func(f string) string { return strings.NewReplacer("=", "-", " ", ".").Replace(f) }
	for _, c := range cases {
		specs = append(specs, fault(label(c.fault), strings.Fields(c.fault)...))
	}
	o := options(t, specs...)
	o.Memory = 400 << 20
	doc, _ := carryOut(t, newPlan(t, o))
	require.Len(t, doc.Results, len(specs))
	healthy := rowOf(t, doc, cellOf("cpu"))
	require.Equal(t, results.StatusOK, healthy.Status)
	require.Equal(t, results.VerdictPass, healthy.Conformance.Verdict)
	for _, c := range cases {
		r := rowOf(t, doc, cellOf(label(c.fault)))
		require.Equal(t, c.status, r.Status, "%s: %+v", c.fault, r.Cause)
		if c.status == results.StatusOK {
			continue
		}
		require.Equal(t, c.kind, r.Cause.Kind, "%s: %+v", c.fault, r.Cause)
		require.Contains(t, r.Cause.Message, c.say, c.fault)
		require.NotContains(t, r.Cause.Message, "\n", c.fault)
		require.Contains(t, strings.Join(r.Cause.LogTail, "\n"), c.tail, c.fault)
		require.Nil(t, r.Throughput, c.fault)
	}
	if raced {
		return
	}
	oom := rowOf(t, doc, cellOf("open-oom")).Cause
	require.EqualValues(t, 8<<30, oom.Wanted)
	require.EqualValues(t, 1<<20, oom.Free)
	require.Equal(t, "Cast", rowOf(t, doc, cellOf("check-refuse-core.batch-1")).Cause.Op)
	require.Contains(t, rowOf(t, doc, cellOf("run-kill.batch-1")).Flags, results.FlagUnregistered)
}

// cellOf is the name of a backend's cell in the plans of options.
func cellOf(label string) string {
	return "lenet5/infer/f32/1/" + label + ";input=tiny-41b179;threads=1"
}

// A plugin that does not answer, in whatever call, is killed when its time is
// over.
func TestAHangEndsItsCellAlone(t *testing.T) {
	specs := []plugin.Spec{embedded("cpu"), fault("start", "start=hang"), fault("compile", "compile=hang", "batch=1"),
		fault("run", "run=hang", "batch=1")}
	o := options(t, specs...)
	carryOut(t, newPlan(t, options(t, specs[0]))) // its verdict is known from here on
	o.Timeout = 3 * time.Second
	begin := time.Now()
	doc, _ := carryOut(t, newPlan(t, o))
	require.Less(t, time.Since(begin), time.Minute)
	require.Equal(t, results.StatusOK, rowOf(t, doc, cellOf("cpu")).Status)
	for _, s := range specs[1:] {
		r := rowOf(t, doc, cellOf(s.Label))
		require.Equal(t, results.StatusTimeout, r.Status, "%s: %+v", s.Label, r.Cause)
		require.Contains(t, strings.Join(r.Cause.LogTail, "\n"), "hangs in "+r.Backend)
	}
	require.Equal(t, results.CauseStart, rowOf(t, doc, cellOf("start")).Cause.Kind)
	require.Equal(t, results.CauseDeadlineExceeded, rowOf(t, doc, cellOf("run")).Cause.Kind)
}

// A fault in one cell leaves the backend's other cells alone.
func TestAFaultInOneCellOnly(t *testing.T) {
	o := options(t, fault("bad", "run=kill", "mode=train", "batch=2"))
	o.Modes, o.Batches, o.Threads = []string{"infer", "train"}, []int{1, 2}, 0
	doc, _ := carryOut(t, newPlan(t, o))
	require.Len(t, doc.Results, 4)
	for _, r := range doc.Results {
		want := results.StatusOK
		if r.Mode == "train" && r.Batch == 2 {
			want = results.StatusCrashed
		}
		require.Equal(t, want, r.Status, "%s: %+v", r.Cell, r.Cause)
		if r.Cause != nil { // what the row says of threads is what the backend was given
			require.Equal(t, max(1, int(machine.Capture(t.Context()).UsableCPUs())), r.Threads)
			require.Contains(t, r.Cause.LogTail, fmt.Sprintf("opened with %d threads", r.Threads))
		}
	}
}

// A checkpoint that can't be written costs nothing but what a resumption would
// have saved: the backend is not to blame.
func TestTrainingWithoutCheckpoints(t *testing.T) {
	o := options(t, embedded("cpu"))
	o.Modes, o.Batches, o.Epochs = []string{"train"}, []int{8}, 2
	p := newPlan(t, o)
	p.Effort = brief
	var inTheWay string
	r := &record{}
	r.on = func(e string) {
		if !strings.HasPrefix(e, "conform") || inTheWay != "" {
			return
		}
		journals, err := filepath.Glob(filepath.Join(o.Store.Dir, "*.journal.jsonl"))
		require.NoError(t, err)
		require.Len(t, journals, 1)
		id, _, _ := strings.Cut(filepath.Base(journals[0]), ".")
		h := &run{Plan: p, doc: &results.Document{Run: results.Run{ID: id}}}
		inTheWay = h.checkpoint(p.Cells[0])
		require.NoError(t, os.MkdirAll(filepath.Join(inTheWay, "full"), 0o755))
	}
	doc, path, err := p.Run(t.Context(), nil, r)
	require.NoError(t, err)
	require.NotEmpty(t, path)
	require.NotEmpty(t, inTheWay)
	require.True(t, doc.Results[0].Measured(), "%+v", doc.Results[0].Cause)
	require.Len(t, doc.Results[0].Accuracy.Runs[0].Curve, 2)
	said := strings.Join(r.notes, "\n")
	require.Equal(t, 1, strings.Count(said, "trains on"), said)
	require.Contains(t, said, inTheWay)
}
