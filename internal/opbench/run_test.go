package opbench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/conformance/faults"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/faulty"
	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/internal/opbench"
	"github.com/clsbench/clsbench/tensor"
)

// short is an effort with figures that takes no time.
var short = measure.Effort{Name: "quick", Rounds: 6, Round: 2 * time.Millisecond, Figures: true}

func cases(t *testing.T, names ...string) []*conformance.Case {
	t.Helper()
	list, err := conformance.CasesNamed(names)
	require.NoError(t, err)
	return list
}

const (
	relu = "Relu/f32/x=1037/real"
	exp  = "Exp/f32/x=31/real"
)

func lane(label string, b backends.Backend) opbench.Lane {
	return opbench.Lane{Label: label, Start: func(context.Context) (backends.Backend, func() error, error) {
		return b, func() error { return nil }, nil
	}}
}

func with(fault ...string) backends.Backend {
	f, err := faulty.Parse(fault)
	if err != nil {
		panic(err)
	}
	return faulty.New(reference.New(), f)
}

func run(t *testing.T, o opbench.Options) *opbench.Document {
	t.Helper()
	o.Seed = 3
	d, err := opbench.Run(context.Background(), o)
	require.NoError(t, err)
	return d
}

func TestHotAndColdOfTwoBackends(t *testing.T) {
	var told []string
	d := run(t, opbench.Options{Cases: cases(t, relu, exp), Lanes: []opbench.Lane{lane("a", cpu.New()), lane("b", reference.New())}, Effort: short,
		Progress: func(done, total int, rows []*opbench.Result) {
			require.Equal(t, 2, total)
			require.Len(t, rows, 2)
			told = append(told, rows[0].Case)
		}})
	require.Equal(t, []string{relu, exp}, told)
	require.Len(t, d.Results, 4)
	for i, r := range d.Results {
		require.Equal(t, opbench.StatusOK, r.Status, r.Why)
		require.Equal(t, []string{"a", "b"}[i%2], r.Backend)
		for _, x := range []*opbench.Time{r.Hot, r.Cold} {
			require.NotNil(t, x)
			require.Len(t, x.Rounds, 6)
			require.True(t, x.Bounded())
			require.Positive(t, x.Low)
			require.LessOrEqual(t, x.Low, x.Median)
			require.LessOrEqual(t, x.Median, x.High)
			require.InEpsilon(t, float64(r.Bytes)/x.Median, x.GBps, 1e-9)
		}
		require.Equal(t, 1, r.Cold.Steps)
		require.Positive(t, *r.ShareCopy)
		require.NotEmpty(t, r.Kernels)
	}
	require.Equal(t, int64(2*4*1037), d.Results[0].Bytes)
	require.Len(t, d.Comparisons, 2)
	for _, c := range d.Comparisons {
		require.Equal(t, "b", c.A)
		require.Equal(t, "a", c.B)
		require.Equal(t, measure.Undecided, c.Word, "six rounds decide nothing")
		require.Equal(t, 10, c.Need)
	}
	var b bytes.Buffer
	require.NoError(t, d.Encode(&b))
	var again opbench.Document
	require.NoError(t, json.Unmarshal(b.Bytes(), &again))
	require.Equal(t, d.Results, again.Results)
}

func TestSmokeClaimsNoFigures(t *testing.T) {
	d := run(t, opbench.Options{Cases: cases(t, relu), Lanes: []opbench.Lane{lane("a", cpu.New()), lane("b", cpu.New())}, Effort: measure.Smoke})
	require.Equal(t, opbench.StatusOK, d.Results[0].Status)
	require.Nil(t, d.Results[0].Hot)
	require.Nil(t, d.Results[0].Cold)
	require.Empty(t, d.Comparisons)
}

// No figure without a verdict: what is wrong, refused or gone is not timed, and
// does not cost the others their figures.
func TestWhatFailsItsCheckIsNotTimed(t *testing.T) {
	starts := 0
	dead := opbench.Lane{Label: "dead", Start: func(context.Context) (backends.Backend, func() error, error) {
		starts++
		return nil, nil, errors.New("no licence")
	}}
	wrong := &faults.Rig{Store: func(_ tensor.DType, v float64) float64 { return 1.01 * v }}
	refusing := &faults.Rig{Refuse: func(*graph.Call) bool { return true }}
	d := run(t, opbench.Options{Cases: cases(t, relu, exp, "Neg/f32/x=31/real"), Effort: short, Lanes: []opbench.Lane{
		lane("good", reference.New()), lane("wrong", wrong), lane("refusing", refusing), lane("clock", with("run=ahead")), dead}})
	want := map[string]opbench.Status{"good": "ok", "wrong": "fail", "refusing": "unsupported", "clock": "invalid", "dead": "crashed"}
	for _, r := range d.Results {
		require.Equal(t, want[r.Backend], r.Status, "%s: %s", r.Backend, r.Why)
		require.Equal(t, r.Backend == "good", r.Hot != nil)
		require.Equal(t, r.Backend == "good", r.Why == "")
	}
	require.Equal(t, 2, starts, "what does not start is not tried for ever")
	require.Empty(t, d.Comparisons)
	require.Equal(t, 6, d.Count(opbench.Status.Negative))
}

// What was right when it was checked must be right when it is timed.
func TestWrongOnlyWhenTimed(t *testing.T) {
	stores := 0
	late := &faults.Rig{Store: func(_ tensor.DType, v float64) float64 {
		if stores++; stores > 10*1037 {
			return 1.01 * v
		}
		return v
	}}
	d := run(t, opbench.Options{Cases: cases(t, relu), Lanes: []opbench.Lane{lane("late", late)}, Effort: short})
	require.Equal(t, opbench.Status("fail"), d.Results[0].Status)
	require.Contains(t, d.Results[0].Why, "timed, it answered wrong")
	require.Nil(t, d.Results[0].Hot)
}

func TestCancelledKeepsWhatWasDone(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	d, err := opbench.Run(ctx, opbench.Options{Cases: cases(t, relu, exp), Lanes: []opbench.Lane{lane("a", cpu.New())}, Effort: short,
		Progress: func(int, int, []*opbench.Result) { cancel() }})
	require.NoError(t, err)
	require.True(t, d.Interrupted)
	require.Len(t, d.Results, 1)
	require.NotNil(t, d.Results[0].Hot)
}

// An interruption while the peaks are measured ends the run there: no peak is
// claimed, no case begun.
func TestCancelledWithinThePeaks(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	stopping := lane("a", cpu.New())
	start := stopping.Start
	stopping.Start = func(ctx context.Context) (backends.Backend, func() error, error) {
		defer cancel() // the peaks come once the backends are there
		return start(ctx)
	}
	d, err := opbench.Run(ctx, opbench.Options{Cases: cases(t, relu), Lanes: []opbench.Lane{stopping}, Effort: short,
		Measured: func(machine.Peaks) { t.Error("told of peaks that were not measured") },
		Progress: func(int, int, []*opbench.Result) { t.Error("a case was begun") }})
	require.NoError(t, err)
	require.True(t, d.Interrupted)
	require.Empty(t, d.Peaks)
	require.Empty(t, d.Results)
}

// A fresh process a round, and more rounds where a word needs them.
func TestFreshProcesses(t *testing.T) {
	starts := 0
	fresh := opbench.Lane{Label: "a", Start: func(context.Context) (backends.Backend, func() error, error) {
		starts++
		return cpu.New(), func() error { return nil }, nil
	}}
	e := short
	e.FreshProcess = true
	d := run(t, opbench.Options{Cases: cases(t, relu), Lanes: []opbench.Lane{lane("b", cpu.New()), fresh}, Effort: e})
	require.Equal(t, 10, d.Rounds)
	require.Equal(t, 1+2*9, starts)
	require.Len(t, d.Comparisons, 1)
	require.Zero(t, d.Comparisons[0].Need)
	require.Len(t, d.Results[1].Cold.Rounds, 10)
}
