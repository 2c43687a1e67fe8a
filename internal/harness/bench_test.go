package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads/data"
)

func TestImplementationIsWhatWasChosen(t *testing.T) {
	isa := []backends.Option{{Name: "isa", Values: []string{"avx512", "avx2"}}, {Name: "cache"}}
	for _, c := range []struct {
		device  string
		options map[string]string
		want    string
	}{
		{"avx512, 2 threads", nil, "avx512"},
		{"avx512, 2 threads", map[string]string{"cache": "off"}, "avx512"},
		{"avx512, 2 threads", map[string]string{"isa": "avx2"}, "avx2"},
		{"Radeon", map[string]string{"isa": "avx2"}, "Radeon"},
	} {
		b := &bench{spec: plugin.Spec{Options: c.options}, desc: backends.Description{Options: isa}}
		require.Equal(t, c.want, b.implementation(c.device))
	}
}

// Every code of the boundary is a status, and a kind that the schema knows.
func TestStatusOfEveryCode(t *testing.T) {
	for code, want := range map[backends.Code]results.Status{
		backends.Unimplemented: results.StatusUnsupported, backends.InvalidArgument: results.StatusError,
		backends.FailedPrecondition: results.StatusError, backends.ResourceExhausted: results.StatusOOM,
		backends.Internal: results.StatusError, backends.Unavailable: results.StatusCrashed,
		backends.DeadlineExceeded: results.StatusTimeout, backends.Canceled: results.StatusError,
	} {
		status, cause := statusOf(fmt.Errorf("on the way: %w", &backends.Error{Code: code, Message: "m", Node: "n", Op: "o"}))
		require.Equal(t, want, status, code)
		row := &results.Result{Cell: cellOf("cpu"), Status: status, Cause: cause, Backend: "cpu", Workload: "lenet5", Mode: "infer",
			Scenario: "offline", Data: "tiny", Precision: "f32", Batch: 1, Math: "strict", Repro: "clsbench run",
			Conformance: results.Conformance{Verdict: results.VerdictNone}}
		require.NoError(t, row.Validate(), code)
		require.Equal(t, "n", cause.Node)
	}
	status, cause := statusOf(errors.New("ours"))
	require.Equal(t, results.StatusError, status)
	require.Equal(t, results.CauseInternal, cause.Kind)
	status, _ = statusOf(context.DeadlineExceeded)
	require.Equal(t, results.StatusTimeout, status)
}

// Networks whose layers have the same names and other shapes follow each other
// on one backend.
func TestBenchServesOneNetworkAfterTheOther(t *testing.T) {
	o := options(t, embedded("cpu"))
	o.Modes, o.Data, o.Workloads = []string{"train"}, "", []string{"lenet5", "resnet20"}
	p := newPlan(t, o)
	h := &run{Plan: p, benches: map[string]*bench{}, peaks: machine.Peaks{}}
	for _, c := range p.Cells {
		b, in := h.bench(c), c.Workload.Input
		defer b.close()
		b.serve(c.Workload)
		split := data.Split{Images: make([]byte, in.Height*in.Width*in.Channels), Labels: []int64{0}}
		ones := slices.Repeat([]float64{1}, in.Channels)
		set := &data.Set{Name: "one", H: in.Height, W: in.Width, C: in.Channels, Train: split, Test: split, Mean: ones, Std: ones}
		r, err := h.rigFor(t.Context(), c, b, set, c.Workload.Init(1))
		require.NoError(t, err, c.String())
		require.NoError(t, r.Close())
		session := b.session
		b.serve(c.Workload)
		require.Same(t, session, b.session, "more cells of the network find it as it was")
	}
}

func TestLastLines(t *testing.T) {
	require.Nil(t, lastLines(" \n"))
	require.Equal(t, []string{"a", "b"}, lastLines("a\nb\n"))
	long := ""
	for i := range 50 {
		long += fmt.Sprintln(i)
	}
	require.Len(t, lastLines(long), 20)
	require.Equal(t, "49", lastLines(long)[19])
}
