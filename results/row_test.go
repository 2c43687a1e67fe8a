package results

import (
	"math"
	"os"
	"testing"
	"time"

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

// What is offered to be taken up is what Resume takes.
func TestUnfinishedListsJournals(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	require.Empty(t, s.Unfinished())
	h, rows := fixtureHeader(t)
	j, err := s.Begin(h)
	require.NoError(t, err)
	require.NoError(t, j.Append(&rows[0]))
	require.NoError(t, j.Close())
	whole, err := os.ReadFile(s.journalPath(h.Run.ID))
	require.NoError(t, err)
	for id, text := range map[string]string{
		"aaaaaaaaaaa1": string(whole[:60]), "aaaaaaaaaaa2": `{"foreign":1}` + "\n", "aaaaaaaaaaa3": "plain text\nand more\n", "aaaaaaaaaaa4": "",
	} {
		require.NoError(t, os.WriteFile(s.journalPath(id), []byte(text), 0o644))
	}
	require.NoError(t, os.Mkdir(s.journalPath("aaaaaaaaaaa5"), 0o755))
	list := s.Unfinished()
	require.Len(t, list, 6)
	for _, u := range list {
		if u.RunID == h.Run.ID {
			require.NoError(t, u.Err)
			require.Equal(t, 1, u.Cells)
			continue
		}
		require.ErrorContains(t, u.Err, u.Path)
		_, _, err := s.Resume(u.RunID)
		require.Error(t, err)
	}
}

// A journal of a run that was killed before its first line goes with the next run, unless it is just beginning.
func TestEmptyJournalsAreSwept(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	stale, fresh := s.journalPath("aaaaaaaaaaa1"), s.journalPath("aaaaaaaaaaa2")
	for _, path := range []string{stale, fresh} {
		require.NoError(t, os.WriteFile(path, nil, 0o644))
	}
	old := time.Now().Add(-2 * emptyFor)
	require.NoError(t, os.Chtimes(stale, old, old))
	h, _ := fixtureHeader(t)
	j, err := s.Begin(h)
	require.NoError(t, err)
	require.NoError(t, j.Close())
	require.NoFileExists(t, stale)
	require.FileExists(t, fresh)
}
