package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/internal/harness"
	"github.com/clsbench/clsbench/results"
)

func newCompareCmd() *cobra.Command {
	var format formatFlags
	var failOn, out string
	var margin float64
	cmd := &cobra.Command{
		Use:   "compare A B",
		Short: "Hold result B against result A, cell by cell",
		Long: `compare takes two result files, or ids of runs in the store. Two files were never
interleaved: whatever changed on the machine in between is in the ratios too, so
the drift of the machine's own peaks is shown beside them. To compare two
backends properly, name both in one clsbench run.`,
		Example: `  clsbench compare 7c1e 9f02
  clsbench compare old.json new.json --fail-on slower:5%`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: upTo(2, completeRuns),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := format.check(); err != nil {
				return err
			}
			limit, err := parseFailOn(failOn)
			if err != nil {
				return err
			}
			store := results.Store{Dir: out}
			var docs [2]*results.Document
			for i, name := range args {
				if docs[i], _, err = store.Load(name); err != nil {
					return usage(err)
				}
			}
			c, err := results.CompareFiles(docs[0], docs[1], margin)
			if err != nil {
				return usage(err)
			}
			if err := c.Render(cmd.OutOrStdout(), format.format, renderOptions(cmd)); err != nil {
				return err
			}
			return gate(c, limit)
		},
	}
	format.register(cmd)
	cmd.Flags().StringVar(&failOn, "fail-on", "", "exit 1 if a cell is slower for sure, as in slower:2%, or has lost its figure or its pass")
	cmd.Flags().Float64Var(&margin, "margin", 0, "difference that counts as none, a fraction")
	outFlag(cmd, &out)
	complete(cmd, map[string]cobra.CompletionFunc{"fail-on": fixed("slower:2%")})
	return cmd
}

// gate is --fail-on's answer; a limit of 0 is none. A backend that broke is no
// faster than it was, and where nothing can be compared nothing has been shown.
func gate(c *results.FileComparison, limit float64) error {
	if limit == 0 {
		return nil
	}
	compared := false
	for i := range c.Cells {
		d := &c.Cells[i]
		if lost := d.Lost(); lost != "" {
			return &exitError{exitVerdict, fmt.Errorf("%s: %s", d.B, lost)}
		}
		if d.SlowerBy(limit) {
			return &exitError{exitVerdict, fmt.Errorf("%s is slower by more than %v %%", d.B, 100*limit)}
		}
		compared = compared || d.Ratio != nil
	}
	if !compared {
		return usagef("flag --fail-on: no cell has figures in both results, so nothing was compared")
	}
	return nil
}

// defaultOut is where result files go and are looked for.
const defaultOut = "results/runs"

func outFlag(cmd *cobra.Command, out *string) {
	cmd.Flags().StringVar(out, "out", defaultOut, "folder of the result files")
	complete(cmd, map[string]cobra.CompletionFunc{"out": folders})
}

// besideOut is what a command line about a run in that folder says beside it.
func besideOut(out string) string {
	if out == defaultOut {
		return ""
	}
	return " --out " + harness.ShellQuote(out)
}

// parseFailOn reads slower:2% as 0.02; 0 for none.
func parseFailOn(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	amount, ok := strings.CutPrefix(text, "slower:")
	amount, percent := strings.CutSuffix(amount, "%")
	v, err := strconv.ParseFloat(amount, 64)
	if !ok || !percent || err != nil || !(v > 0 && v < 100) {
		return 0, usagef("flag --fail-on: %q: want slower:P%%, as in slower:2%%", text)
	}
	return v / 100, nil
}

// slowerThan is the complaint about the first backend that is slower than the
// baseline, which is B of every comparison.
func slowerThan(doc *results.Document, limit float64) error {
	for i := range doc.Comparisons {
		if c := &doc.Comparisons[i]; limit > 0 && c.SlowerBy(limit) {
			return fmt.Errorf("%s is slower than %s by more than %v %%", c.A, c.B, 100*limit)
		}
	}
	return nil
}
