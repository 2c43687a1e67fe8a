package results

import (
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/internal/measure"
)

// A row that no document can hold is told before it costs the document, and
// what is left of it can be held.
func TestRowValidateAndBare(t *testing.T) {
	good := &Result{Cell: "lenet5/infer/f32/1/cpu", Status: StatusOK, Backend: "cpu", Workload: "lenet5", Mode: "infer", Scenario: "offline",
		Data: "digits/v1", Precision: "f32", Batch: 1, Threads: 2, Math: "strict", Repro: "clsbench run", PluginHash: "3f9c21",
		Setup: &Setup{Open: 1, Compile: 2, FirstRun: 3}, Conformance: Conformance{Verdict: VerdictPass, Passed: 3, Total: 3}}
	require.NoError(t, good.Validate())
	for what, spoil := range map[string]func(*Result){
		"a number that JSON has not":  func(r *Result) { r.Setup = &Setup{Open: math.NaN()} },
		"below the schema's minimum":  func(r *Result) { r.Setup = &Setup{Open: -1} },
		"against itself":              func(r *Result) { r.Status = StatusCrashed },
		"a pass of nobody knows what": func(r *Result) { r.PluginHash = "" },
		"a median of other rounds": func(r *Result) {
			r.Throughput = &Throughput{Estimate: measure.Estimate{Median: 4, Low: 1, High: 9, Confidence: 0.96}, Unit: "images/s", Rounds: []float64{1, 2, 3, 5, 8, 9, 9}}
		},
		"measured and not judged": func(r *Result) { r.Conformance = Conformance{Verdict: VerdictNone} },
	} {
		bad := *good
		spoil(&bad)
		require.Error(t, bad.Validate(), what)
		bare := bad.Bare(StatusError, &Cause{Kind: CauseProtocol, Message: what})
		require.NoError(t, bare.Validate(), what)
		require.Equal(t, bad.Cell, bare.Cell)
	}
}

func TestUnfinishedListsJournals(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	require.Empty(t, s.Unfinished())
	require.NoError(t, os.WriteFile(s.journalPath("0123456789ab"), []byte("{}\n"), 0o644))
	require.Equal(t, []string{"0123456789ab"}, s.Unfinished())
}
