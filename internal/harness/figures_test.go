package harness

import (
	"maps"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
)

// Two backends, both modes, with figures: everything that a row must have.
func TestFiguresOfTwoBackends(t *testing.T) {
	o := options(t, embedded("cpu"), fault("twin"))
	o.Modes, o.Batches, o.Epochs = []string{"infer", "train"}, []int{2}, 2
	if raced {
		t.Skip("two trainings, judged")
	}
	p := newPlan(t, o)
	p.Effort = brief
	doc, rec := carryOut(t, p)
	require.Len(t, doc.Results, 4)
	require.Len(t, rec.finished, 4)
	require.Contains(t, rec.finished[0], "/train/", "measured first: inference runs with its weights")
	require.Equal(t, "infer infer train train", strings.Join([]string{doc.Results[0].Mode, doc.Results[1].Mode, doc.Results[2].Mode, doc.Results[3].Mode}, " "))
	require.Equal(t, "cpu", doc.Results[0].Backend)
	for _, r := range doc.Results {
		require.True(t, r.Measured(), "%s: %+v", r.Cell, r.Cause)
		require.Len(t, r.Throughput.Rounds, brief.Rounds)
		require.Positive(t, r.Latency.P50)
		require.GreaterOrEqual(t, r.Latency.Count, brief.Rounds)
		require.Positive(t, r.Memory.Peak)
		require.Positive(t, r.Setup.Open)
		require.Positive(t, r.Setup.FirstRun)
		require.Positive(t, *r.PeakShare)
		require.Less(t, *r.PeakShare, 1.0)
		require.Equal(t, results.VerdictPass, r.Conformance.Verdict, "%+v", r.Conformance.Failures)
		require.Regexp(t, "^[0-9a-f]{64}$", r.PluginHash)
		require.NotEmpty(t, r.PlanDigest)
		require.NotEmpty(t, r.Device)
		require.NotNil(t, r.Accuracy, "training's, or that of what it trained")
		require.Equal(t, r.Backend == "twin", contains(r.Flags, results.FlagUnregistered))
		filter, ok := strings.CutPrefix(r.Repro[strings.Index(r.Repro, " --filter "):], " --filter ")
		require.True(t, ok)
		name, _, _ := strings.Cut(strings.TrimPrefix(filter, "'"), "'")
		require.Regexp(t, regexp.MustCompile(name), r.Cell, "the line that repeats it selects it")
	}
	require.Len(t, doc.Comparisons, 2, "each task of the second against the first")
	for _, c := range doc.Comparisons {
		require.Contains(t, c.A, "/twin")
		require.Contains(t, c.B, "/cpu")
		require.Equal(t, measure.Undecided, c.Word, "six rounds decide nothing")
		require.NotZero(t, c.Need)
	}
	train := rowOf(t, doc, "lenet5/train/f32/2/cpu;input=tiny-41b179;threads=1")
	require.Len(t, train.Accuracy.Runs[0].Curve, 2)
	infer := rowOf(t, doc, "lenet5/infer/f32/2/cpu;input=tiny-41b179;threads=1")
	require.Equal(t, train.Accuracy.Top1, infer.Accuracy.Top1, "the very weights, at another batch")
}

// A recipe of many parts is trained, judged whole and recorded.
func TestARecipeIsRecordedAsItTookEffect(t *testing.T) {
	o := options(t, embedded("cpu"))
	o.Modes, o.Batches = nil, []int{2}
	o.Set = []string{
		"epochs=2", "optimizer.kind=adamw", "optimizer.momentum=0", "optimizer.lr=0.001", "optimizer.beta1=0.9", "optimizer.beta2=0.99", "optimizer.epsilon=1e-8",
		"optimizer.weight_decay=0.1", "optimizer.no_decay=[bias]", "optimizer.clip_norm=1",
		"schedule.kind=one-cycle", "schedule.warmup=0.5", "schedule.start=0.1", "label_smoothing=0.1", "mixup=0.2", "ema=0.5",
		"augment=[{kind: crop, pad: 2}]",
	}
	p := newPlan(t, o)
	p.Effort = brief
	p.known = maps.Clone(p.known) // its rates are not what this is about
	p.known.Put(machine.Peak{Name: machine.PeakFMA, Threads: 1, Value: 1e5, Unit: "GFLOP/s", How: "assumed"})
	doc, _ := carryOut(t, p)
	infer, train := &doc.Results[0], &doc.Results[1]
	require.True(t, train.Measured() && infer.Measured(), "%+v %+v", train.Cause, infer.Cause)
	require.Equal(t, results.VerdictPass, train.Conformance.Verdict, "%+v", train.Conformance.Failures)
	require.Regexp(t, "^lenet5/train/f32/2/cpu;input=tiny-[0-9a-f]{6};recipe=[0-9a-f]{6};threads=1$", train.Cell)
	require.Equal(t, map[string]any{
		"data": o.Data, "epochs": 2.0, "batch": 2.0, "drop_last": true, "target_accuracy": 1.0, "label_smoothing": 0.1, "mixup": 0.2, "ema": 0.5,
		"optimizer": map[string]any{"kind": "adamw", "lr": 0.001, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8,
			"weight_decay": 0.1, "no_decay": []any{"bias"}, "clip_norm": 1.0},
		"schedule": map[string]any{"kind": "one-cycle", "warmup": 0.5, "start": 0.1},
		"augment":  []any{map[string]any{"kind": "crop", "pad": 2.0}},
	}, train.Recipe)
	once := train.Accuracy.Runs[0]
	require.Len(t, once.Curve, 2)
	require.Positive(t, once.InputWait)
	require.Positive(t, once.InputWaitShare)
	require.Nil(t, infer.Recipe)
	require.Equal(t, train.Accuracy.Top1, infer.Accuracy.Top1, "with the averages, as in training")
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// Answers kept from the last time are found out by their haste, and samples
// that leave out most of the time by the harness's clock.
func TestDishonestWorkIsInvalid(t *testing.T) {
	// What gives a replay away is a test over six pairs of times: on a machine
	// that others load too it may take more runs than one to be sure.
	var r *results.Result
	for range 6 {
		p := newPlan(t, options(t, fault("lazy", "run=replay", "batch=1")))
		p.Effort = brief
		doc, _ := carryOut(t, p)
		if r = rowOf(t, doc, cellOf("lazy")); r.Status == results.StatusInvalid {
			break
		}
	}
	require.Equal(t, results.StatusInvalid, r.Status, "%+v", r.Cause)
	require.Equal(t, results.CauseReplayed, r.Cause.Kind, r.Cause.Message)
}

// A training run below the recipe's floor voids its row, and one whose loss is
// not finite says so; neither costs the inference rows.
func TestTrainingBelowTheFloor(t *testing.T) {
	o := options(t, embedded("null"))
	o.Modes, o.Batches, o.Epochs = []string{"train"}, []int{8}, 1
	p := newPlan(t, o)
	p.Effort = brief
	for _, c := range p.Cells {
		c.Recipe.Floor = 0.5
	}
	doc, _ := carryOut(t, p)
	r := doc.Results[0]
	require.Equal(t, results.StatusInvalid, r.Status)
	require.Equal(t, results.CauseAccuracy, r.Cause.Kind)
	require.Contains(t, r.Cause.Message, "0.5")
}

func TestDivergedTrainingIsInvalid(t *testing.T) {
	o := options(t, embedded("cpu"))
	o.Modes, o.Batches, o.Epochs = []string{"train"}, []int{8}, 2
	p := newPlan(t, o)
	p.Effort = brief
	for _, c := range p.Cells {
		c.Recipe.Optimizer.LR = 1e30
	}
	doc, _ := carryOut(t, p)
	r := doc.Results[0]
	require.Equal(t, results.StatusInvalid, r.Status, "%+v", r.Cause)
	require.Equal(t, results.CauseAccuracy, r.Cause.Kind)
	require.Contains(t, r.Cause.Message, "diverged")
}

// Every round of these efforts has a process of its own.
// A crash in training leaves inference its initial weights, and the row says so.
func TestUntrainedWeightsAreFlagged(t *testing.T) {
	o := options(t, fault("mine", "run=kill", "mode=train"))
	o.Modes = []string{"infer", "train"}
	p := newPlan(t, o)
	p.Effort = brief
	doc, _ := carryOut(t, p)
	require.Equal(t, results.StatusCrashed, rowOf(t, doc, doc.Results[1].Cell).Status)
	infer := rowOf(t, doc, doc.Results[0].Cell)
	require.Equal(t, "infer", infer.Mode)
	require.True(t, infer.Measured(), "%+v", infer.Cause)
	require.Contains(t, infer.Flags, results.FlagUntrained)
	require.Nil(t, infer.Accuracy)
}

func TestFreshProcesses(t *testing.T) {
	o := options(t, embedded("cpu"))
	p := newPlan(t, o)
	p.Effort = brief
	p.Effort.FreshProcess, p.Effort.Rounds = true, 3
	doc, _ := carryOut(t, p)
	require.True(t, doc.Results[0].Measured(), "%+v", doc.Results[0].Cause)
	require.Len(t, doc.Results[0].Throughput.Rounds, 3)
	require.Equal(t, 3, doc.Run.Effort.Processes)
}

// The tail that an effort is to report gets the samples that it takes.
func TestTailGetsItsSamples(t *testing.T) {
	o := options(t, embedded("cpu"))
	o.Scenario = "singlestream"
	p := newPlan(t, o)
	p.Effort = brief
	p.Effort.Tail, p.Effort.Round = 0.9, time.Nanosecond
	doc, _ := carryOut(t, p)
	r := doc.Results[0]
	require.Equal(t, "singlestream", r.Scenario)
	require.GreaterOrEqual(t, r.Latency.Count, measure.MinSamples(0.9))
	require.NotNil(t, r.Latency.P90)
}

// A row that no document can hold costs itself, not the document.
func TestImpossibleRowCostsItself(t *testing.T) {
	o := options(t, embedded("cpu"))
	p := newPlan(t, o)
	header := results.Header{Run: results.Run{ID: results.NewRunID(), Command: []string{"clsbench", "run"}, Effort: results.Effort{Name: "smoke"}}}
	journal, err := o.Store.Begin(header)
	require.NoError(t, err)
	defer journal.Close()
	h := &run{Plan: p, events: &record{}, journal: journal, doc: &results.Document{}, done: map[string]bool{}}
	nan := math.NaN()
	h.keep(&results.Result{Cell: cellOf("cpu"), Status: results.StatusOK, Backend: "cpu", Workload: "lenet5", Mode: "infer",
		Scenario: "offline", Data: "tiny", Precision: "f32", Batch: 1, Math: "strict", Repro: "clsbench run", HarnessMicros: &nan,
		Conformance: results.Conformance{Verdict: results.VerdictNone}})
	require.Len(t, h.doc.Results, 1)
	require.Equal(t, results.StatusError, h.doc.Results[0].Status)
	require.NoError(t, h.doc.Results[0].Validate())
}

// What the folder does not take any more is kept where there is room, and what
// is said of the journal is true.
func TestResultIsKeptElsewhere(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	o := options(t, embedded("cpu"))
	p := newPlan(t, o)
	r := &record{}
	r.on = func(e string) {
		if strings.HasPrefix(e, "finished: ") {
			require.NoError(t, os.RemoveAll(o.Store.Dir))
			require.NoError(t, os.WriteFile(o.Store.Dir, nil, 0o644))
		}
	}
	doc, path, err := p.Run(t.Context(), nil, r)
	require.Len(t, doc.Results, 1)
	require.Empty(t, path)
	var u *UsageError
	require.ErrorAs(t, err, &u)
	require.Equal(t, "out", u.Flag)
	var kept *Unsaved
	require.ErrorAs(t, err, &kept)
	back, err := results.ReadFile(kept.Spare)
	require.NoError(t, err)
	require.Equal(t, doc.Run.ID, back.Run.ID)
	require.Len(t, back.Results, 1)
}

// A journal that took one of two cells is not said to have both.
func TestUnsavedCountsTheJournal(t *testing.T) {
	e := &Unsaved{Err: os.ErrPermission, RunID: "0123456789ab", Cells: 3, Kept: 1, Spare: "/elsewhere/x.json"}
	require.EqualError(t, e, "saving the result: permission denied; the journal of run 0123456789ab keeps 1 of 3 cells; the whole result is in /elsewhere/x.json instead")
	e.Spare, e.Failed = "", os.ErrExist
	require.ErrorContains(t, e, "keeps 1 of 3 cells, the others are lost (file already exists)")
}

func TestSumOfSplit(t *testing.T) {
	require.EqualValues(t, 10, sumOf(backends.Split{Queue: 99, HostToDevice: 1, Device: 2, DeviceToHost: 3, Host: 4}))
	require.Negative(t, sumOf(backends.Split{Device: 5, Host: -1}))
	require.Negative(t, sumOf(backends.Split{Device: math.MaxInt64, Host: 1}))
}
