package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/internal/harness"
	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
)

// What a run comes to: 1 beats 3, an interruption and bad input beat both.
func TestExitCodeOfARun(t *testing.T) {
	ok := results.Result{Cell: "a", Status: results.StatusOK, Conformance: results.Conformance{Verdict: results.VerdictPass}}
	failed := results.Result{Cell: "b", Status: results.StatusOK, Conformance: results.Conformance{Verdict: results.VerdictFail}}
	invalid := results.Result{Cell: "c", Status: results.StatusInvalid}
	crashed := results.Result{Cell: "d", Status: results.StatusCrashed}
	unsupported := results.Result{Cell: "e", Status: results.StatusUnsupported}
	unstable := results.Result{Cell: "f", Status: results.StatusUnstable}
	slower := results.Comparison{A: "a", B: "b", Word: measure.Slower, Ratio: measure.Estimate{Median: 0.9}}
	for _, c := range []struct {
		what string
		doc  results.Document
		err  error
		code int
	}{
		{"all is well", results.Document{Results: []results.Result{ok, unstable}}, nil, exitDone},
		{"a verdict", results.Document{Results: []results.Result{ok, failed}}, nil, exitVerdict},
		{"dishonest work", results.Document{Results: []results.Result{ok, invalid}}, nil, exitVerdict},
		{"a crash", results.Document{Results: []results.Result{ok, crashed}}, nil, exitPartial},
		{"what it can't do", results.Document{Results: []results.Result{ok, unsupported}}, nil, exitPartial},
		{"1 beats 3", results.Document{Results: []results.Result{crashed, failed}}, nil, exitVerdict},
		{"slower", results.Document{Results: []results.Result{ok}, Comparisons: []results.Comparison{slower}}, nil, exitVerdict},
		{"slower beats a crash", results.Document{Results: []results.Result{crashed}, Comparisons: []results.Comparison{slower}}, nil, exitVerdict},
		{"interrupted", results.Document{Run: results.Run{Interrupted: true}, Results: []results.Result{failed, crashed}}, context.Canceled, exitInterrupted},
		{"bad input found late", results.Document{}, &harness.UsageError{Flag: "data", Err: errors.New("torn")}, exitUsage},
		{"not saved", results.Document{}, &harness.UsageError{Flag: "out", Err: &harness.Unsaved{Err: errors.New("disk full")}}, exitUsage},
		{"stopped by something else", results.Document{}, errors.New("no such luck"), exitPartial},
	} {
		err := firstError(c.err, &c.doc, 0.05, defaultOut)
		if c.code == exitDone {
			require.NoError(t, err, c.what)
			continue
		}
		require.Equal(t, c.code, exitCode(t.Context(), err, true), c.what)
		require.NotEmpty(t, err.Error())
	}
	require.NoError(t, firstError(nil, &results.Document{Results: []results.Result{ok}, Comparisons: []results.Comparison{slower}}, 0.2, defaultOut),
		"not by that much")
	require.NoError(t, firstError(nil, &results.Document{Results: []results.Result{ok}, Comparisons: []results.Comparison{slower}}, 0, defaultOut),
		"nobody asked")

	// Nor is a gate green on what an interruption left uncompared.
	split := results.Document{Run: results.Run{ID: "7c1e"}, Results: []results.Result{ok, ok}}
	for i := range split.Results {
		r := &split.Results[i]
		r.Cell, r.Session, r.Throughput = fmt.Sprintf("lenet5/infer/f32/1/b%d", i), i, &results.Throughput{Estimate: measure.Estimate{Median: 1}}
	}
	err := firstError(nil, &split, 0.05, "elsewhere")
	require.Equal(t, exitUsage, exitCode(t.Context(), err, true))
	require.ErrorContains(t, err, "the cells of lenet5/infer/f32/1 to different sessions, so they are not compared: clsbench rerun 7c1e --out elsewhere")
	require.NoError(t, firstError(nil, &split, 0, defaultOut), "nobody asked")
}

// A gate is not green on a backend that broke, nor where nothing was compared.
func TestGate(t *testing.T) {
	ok := results.CellDiff{A: "x", B: "x", Status: [2]results.Status{results.StatusOK, results.StatusOK},
		Verdicts: [2]results.Verdict{results.VerdictPass, results.VerdictPass}, Ratio: &measure.Estimate{Median: 1, Low: 0.9, High: 1.1}}
	oom, wrong, slower, bare := ok, ok, ok, ok
	oom.Status[1], oom.Ratio = results.StatusOOM, nil
	wrong.Verdicts[1] = results.VerdictFail
	slower.Word, slower.Ratio = measure.Slower, &measure.Estimate{Median: 0.5, Low: 0.4, High: 0.6}
	bare.Ratio = nil
	for _, c := range []struct {
		cell results.CellDiff
		code int
		say  string
	}{{oom, exitVerdict, "x: status ok → oom"}, {wrong, exitVerdict, "x: conform PASS → FAIL"},
		{slower, exitVerdict, "x is slower by more than 2 %"}, {bare, exitUsage, "nothing was compared"}} {
		err := gate(&results.FileComparison{Cells: []results.CellDiff{c.cell}}, 0.02)
		require.ErrorContains(t, err, c.say)
		require.Equal(t, c.code, exitCode(t.Context(), err, true))
		require.NoError(t, gate(&results.FileComparison{Cells: []results.CellDiff{c.cell}}, 0), "nobody asked")
	}
	require.NoError(t, gate(&results.FileComparison{Cells: []results.CellDiff{bare, ok}}, 0.02))
}

// A report that its file can't take any more is kept where there is room.
func TestReportIsKeptElsewhere(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var said bytes.Buffer
	cmd := &cobra.Command{}
	cmd.SetErr(&said)
	err := (&conformFlags{out: filepath.Join(t.TempDir(), "gone", "r.json")}).keep(&conformance.Report{Seed: 41}, newProgress(cmd))
	require.Equal(t, exitUsage, exitCode(t.Context(), err, true))
	require.Contains(t, said.String(), err.Error())
	spare := regexp.MustCompile("the report is in (.*) instead").FindStringSubmatch(err.Error())
	require.NotNil(t, spare, err.Error())
	text, err := os.ReadFile(spare[1])
	require.NoError(t, err)
	require.Contains(t, string(text), `"seed": 41`)
}

// Plots that can't be drawn are no errored cells, and the file is named.
func TestPlotsThatCannotBeDrawn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	text, err := os.ReadFile(filepath.Join("..", "..", "results", "testdata", "one.json"))
	require.NoError(t, err)
	doc, err := results.Read(bytes.NewReader(text), "one.json")
	require.NoError(t, err)
	say := func(s string) { t.Log(s) }
	require.NoError(t, drawBeside(t.Context(), doc, path, say))
	folder := strings.TrimSuffix(path, ".json") + "-plots"
	require.DirExists(t, folder)
	require.NoError(t, os.RemoveAll(folder))
	require.NoError(t, os.WriteFile(folder, nil, 0o644))
	err = drawBeside(t.Context(), doc, path, say)
	require.Equal(t, exitUsage, exitCode(t.Context(), err, true))
	require.ErrorContains(t, err, "the result is saved, its plots are not: ")
	require.ErrorContains(t, err, folder)
}

// What is said to be typed next finds the run where it is.
func TestHintsNameTheFolder(t *testing.T) {
	doc := &results.Document{Run: results.Run{ID: "0123456789ab", Interrupted: true}}
	require.ErrorContains(t, firstError(nil, doc, 0, "my runs"), "--resume 0123456789ab --out 'my runs' goes on")
	require.ErrorContains(t, firstError(nil, doc, 0, defaultOut), "--resume 0123456789ab goes on")

	// Nor is a cell said to be kept that the journal lacks.
	err := firstError(&harness.UsageError{Flag: "out", Err: &harness.Unsaved{Err: errors.New("no space"), RunID: "0123456789ab", Cells: 3, Kept: 1, Spare: "/x.json"}}, doc, 0, "o")
	require.ErrorContains(t, err, "the journal of run 0123456789ab keeps 1 of 3 cells; the whole result is in /x.json instead")
	require.NotContains(t, err.Error(), "which are kept")
	require.Equal(t, exitInterrupted, exitCode(t.Context(), err, true))
}

func TestExitCodeOfErrors(t *testing.T) {
	require.Equal(t, exitUsage, exitCode(t.Context(), errors.New("from the parser"), false))
	require.Equal(t, exitPartial, exitCode(t.Context(), errors.New("from a command"), true))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, exitInterrupted, exitCode(cancelled, context.Canceled, true))
	require.Equal(t, exitVerdict, exitCode(cancelled, &exitError{exitVerdict, errors.New("no")}, true))
}

func TestParseFailOn(t *testing.T) {
	for text, want := range map[string]float64{"": 0, "slower:2%": 0.02, "slower:0.5%": 0.005} {
		got, err := parseFailOn(text)
		require.NoError(t, err)
		require.InDelta(t, want, got, 1e-15)
	}
	for _, text := range []string{"slower", "slower:2", "2%", "slower:0%", "slower:-1%", "slower:100%", "slower:NaN%", "faster:2%", "slower:2%%"} {
		_, err := parseFailOn(text)
		require.Error(t, err, text)
	}
}

func TestOneLine(t *testing.T) {
	require.Equal(t, "as  it is", oneLine("as  it is"))
	require.Equal(t, "a b c", oneLine("a\n\tb\r\n  c\n"))
}

// parsed is a run command that has read its flags.
func parsed(t *testing.T, args ...string) (*runFlags, *cobra.Command) {
	f := &runFlags{}
	cmd := &cobra.Command{Use: "run"}
	f.register(cmd)
	cmd.SetOut(io.Discard)
	require.NoError(t, cmd.ParseFlags(args))
	return f, cmd
}

// What is recorded of a command line gives the same run again, whatever the
// way it is shown.
func TestRecordedCommandRepeatsTheRun(t *testing.T) {
	f, cmd := parsed(t, "--backend", "old=exec:./old --a=1,2", "--backend=cpu:isa=avx2", "--workload", "lenet5;pool=max",
		"--batch", "8,1", "--mode=train,infer", "--math", "tf32", "--math", "winograd", "--threads", "2", "--filter", `^a "quoted" b$`,
		"--timeout", "90s", "--memory", "512", "--fail-on", "slower:2%", "--target-accuracy", "0.9", "--epochs", "3",
		"--json", "--out", "elsewhere", "--no-plots", "--dry-run")
	line := f.command(cmd)
	require.Equal(t, []string{"clsbench", "run"}, line[:2])
	for _, word := range line {
		require.NotContains(t, word, "elsewhere")
		require.NotContains(t, word, "--json")
	}
	doc := &results.Document{Run: results.Run{Command: line, Seed: 77}}
	shown := &runFlags{out: "store", formatFlags: formatFlags{format: "md"}}
	again, flags, err := shown.recorded(doc)
	require.NoError(t, err)
	require.Equal(t, uint64(77), again.seed)
	require.Equal(t, "store", again.out)
	require.Equal(t, "md", again.format)
	require.False(t, again.dryRun)
	want := *f
	want.seed, want.out, want.formatFlags, want.noPlots, want.dryRun = 77, "store", shown.formatFlags, false, false
	require.Equal(t, want, *again)

	// A record of a record is the same but for the seed, which is now asked for.
	require.Equal(t, append(append([]string{}, line...), "--seed=77"), sortedSeedLast(again.command(flags)))

	_, _, err = shown.recorded(&results.Document{Run: results.Run{ID: "0123456789ab", Command: []string{"make"}}})
	require.ErrorContains(t, err, "records no clsbench run command")
	_, _, err = shown.recorded(&results.Document{Run: results.Run{ID: "0123456789ab", Command: []string{"clsbench", "run", "--nonsense"}}})
	require.ErrorContains(t, err, "unknown flag")
}

// sortedSeedLast moves --seed to the end.
func sortedSeedLast(line []string) []string {
	var out []string
	var seed string
	for _, w := range line {
		if len(w) > 7 && w[:7] == "--seed=" {
			seed = w
			continue
		}
		out = append(out, w)
	}
	return append(out, seed)
}

// The flags that are completed exist, and their functions answer.
func TestCompletionsKnowTheirFlags(t *testing.T) {
	root, _ := newRoot()
	for _, c := range root.Commands() {
		if fn, ok := c.GetFlagCompletionFunc("format"); ok {
			values, _ := fn(c, nil, "")
			want := results.Formats()
			if c.Name() == "export" { // whose files are no results
				want = exportFormats
			}
			require.Equal(t, want, values, c.Name())
		}
	}
}
