package main

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/results"
)

func newRerunCmd() *cobra.Command {
	var out, cell string
	cmd := &cobra.Command{
		Use:   "rerun RUN|FILE",
		Short: "Measure again what a result measured, under the same seed",
		Long: `rerun takes the command line that a result records and runs it again with the
result's seed; with --cell, that cell alone. The new result is a file of its
own; clsbench compare holds the two against each other.`,
		Example: `  clsbench rerun 7c1e
  clsbench rerun 7c1e --cell lenet5/infer/f32/32/cpu`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			doc, _, err := results.Store{Dir: out}.Load(args[0])
			if err != nil {
				return usage(err)
			}
			line, err := rerunArgs(doc, cell)
			if err != nil {
				return usage(err)
			}
			run := newRunCmd()
			run.Flags().BoolP("quiet", "q", false, "")
			run.Flags().BoolP("verbose", "v", false, "")
			if err := run.ParseFlags(line); err != nil {
				return usagef("the command line that %s records: %w", args[0], err)
			}
			run.SetOut(cmd.OutOrStdout())
			run.SetErr(cmd.ErrOrStderr())
			run.SetContext(cmd.Context())
			return run.RunE(run, nil)
		},
	}
	cmd.Flags().StringVar(&cell, "cell", "", "this cell alone")
	outFlag(cmd, &out)
	return cmd
}

// rerunArgs are the flags of the run that made a document, with its seed, and
// without --resume.
func rerunArgs(doc *results.Document, cell string) ([]string, error) {
	c := doc.Run.Command
	if len(c) < 2 || c[1] != "run" {
		return nil, fmt.Errorf("run %s records no clsbench run command", doc.Run.ID)
	}
	line := append([]string{}, c[2:]...)
	line = append(line, "--resume=", "--seed", strconv.FormatUint(doc.Run.Seed, 10))
	if cell == "" {
		return line, nil
	}
	for i := range doc.Results {
		if doc.Results[i].Cell == cell {
			return append(line, "--filter", "^"+regexp.QuoteMeta(cell)+"$"), nil
		}
	}
	return nil, fmt.Errorf("flag --cell: run %s has no cell %q", doc.Run.ID, cell)
}
