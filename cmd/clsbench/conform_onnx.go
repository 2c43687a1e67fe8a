package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/conformance"
)

// onnxTests are the tests below --onnx that --filter lets through.
func (f *conformFlags) onnxTests(cmd *cobra.Command, o conformance.Options) ([]conformance.ONNXTest, error) {
	for _, flag := range []string{"suite", "effort", "seed", "bundles"} {
		if typed(cmd.Flags().Lookup(flag)) {
			return nil, usagef("flag --%s: ONNX's tests bring their own data and are all run: leave it out", flag)
		}
	}
	if info, err := os.Stat(f.onnx); err != nil || !info.IsDir() {
		return nil, usagef("flag --onnx: there is no folder %s", f.onnx)
	}
	tests, err := conformance.FindONNXTests(f.onnx)
	if err != nil {
		return nil, usagef("flag --onnx: %w", err)
	}
	if len(tests) == 0 {
		return nil, usagef("flag --onnx: no model.onnx below %s: want a folder in the layout of ONNX's backend tests", f.onnx)
	}
	if o.Filter != nil {
		tests = slices.DeleteFunc(tests, func(t conformance.ONNXTest) bool { return !o.Filter.MatchString(t.Name) })
		if len(tests) == 0 {
			return nil, usagef("flag --filter: %q matches no test below %s", f.filter, f.onnx)
		}
	}
	return tests, nil
}

// judgeONNX runs ONNX's own tests, prints what became of them and writes the
// report.
func (f *conformFlags) judgeONNX(cmd *cobra.Command, p *plugin.Plugin, o conformance.Options, tests []conformance.ONNXTest, ui *progress) error {
	runner, err := conformance.NewRunner(p, o)
	if err != nil {
		return usage(err)
	}
	report, err := runner.RunONNX(cmd.Context(), f.onnx, tests, func(done int, x *conformance.ONNXResult) {
		ui.Stage("onnx", done, len(tests), x.Test)
		if slices.Contains([]conformance.Status{conformance.StatusFail, conformance.StatusCrashed, conformance.StatusTimeout}, x.Status) {
			ui.say("%-12s%s: %s", x.Status, plain(x.Test), plain(x.Why))
		}
	})
	ui.Close()
	if err != nil {
		return err
	}
	printONNX(cmd, report)
	if f.out != "" {
		var b bytes.Buffer
		if err := report.WriteJSON(&b); err != nil {
			return err
		}
		if err := renameio.WriteFile(f.out, b.Bytes(), 0o644); err != nil {
			return usagef("flag --out: %w", err)
		}
	}
	switch err := report.Error(); {
	case cmd.Context().Err() != nil:
		return &exitError{exitInterrupted, fmt.Errorf("interrupted after %d tests", len(report.Results))}
	case err != nil:
		return &exitError{exitVerdict, err}
	}
	return nil
}

// printONNX is the counts by kind of test, then the ops that keep tests from
// being run.
func printONNX(cmd *cobra.Command, r *conformance.ONNXReport) {
	statuses := []conformance.Status{conformance.StatusPass, conformance.StatusFail, conformance.StatusCrashed, conformance.StatusTimeout,
		conformance.StatusFolded, conformance.StatusSuperseded, conformance.StatusUnsupported}
	head := []string{"tests"}
	for _, s := range statuses {
		head = append(head, string(s))
	}
	counts := map[string]map[conformance.Status]int{}
	var kinds []string
	for _, x := range r.Results {
		kind, _, nested := strings.Cut(x.Test, "/")
		if !nested {
			kind = "."
		}
		for _, k := range []string{kind, "all"} {
			if counts[k] == nil {
				counts[k] = map[conformance.Status]int{}
				kinds = append(kinds, k)
			}
			counts[k][x.Status]++
		}
	}
	slices.Sort(kinds)
	var rows [][]string
	for _, k := range kinds {
		row := []string{k}
		for _, s := range statuses {
			row = append(row, fmt.Sprint(counts[k][s]))
		}
		rows = append(rows, row)
	}
	_ = table(cmd, head, rows) // as unwritable as the lines that follow
	out := cmd.OutOrStdout()
	for _, x := range r.Results {
		if x.Status == conformance.StatusSuperseded {
			fmt.Fprintf(out, "superseded %s: %s\n", plain(x.Test), plain(x.Why))
		}
	}
	ops, tests := r.UnsupportedOps()
	for _, op := range ops {
		var why string // of the first
		var types []string
		for _, x := range r.Results {
			if x.Status != conformance.StatusUnsupported || x.Op != op {
				continue
			}
			if why == "" {
				why = x.Why
			}
			if x.Type != "" && !slices.Contains(types, x.Type) {
				types = append(types, x.Type)
			}
		}
		name, of := op, ""
		if name == "" {
			name = "(no op)" // a model without nodes
		}
		if len(types) > 0 {
			of = ", types " + strings.Join(types, " ")
		}
		fmt.Fprintf(out, "unsupported %s: %d tests%s (%s)\n", plain(name), tests[op], of, plain(why))
	}
}

// plain is text from a file without what a terminal would obey.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
