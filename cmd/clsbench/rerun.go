package main

import (
	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/results"
)

func newRerunCmd() *cobra.Command {
	var f runFlags
	var cell string
	cmd := &cobra.Command{
		Use:   "rerun RUN|FILE",
		Short: "Measure again what a result measured, under the same seed",
		Long: `rerun takes the command line that a result records and runs it again with the
result's seed; with --cell, that cell alone. The new result is a file of its
own; clsbench compare holds the two against each other.`,
		Example: `  clsbench rerun 7c1e
  clsbench rerun 7c1e --cell lenet5/infer/f32/32/cpu`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: upTo(1, completeRuns),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.formatFlags.check(); err != nil {
				return err
			}
			doc, _, err := results.Store{Dir: f.out}.Load(args[0])
			if err != nil {
				return usage(err)
			}
			again, flags, err := f.recorded(doc)
			if err == nil && cell != "" {
				err = again.only(flags, doc, cell)
			}
			if err != nil {
				return usage(err)
			}
			return again.measure(cmd, flags, nil)
		},
	}
	cmd.Flags().StringVar(&cell, "cell", "", "this cell alone")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would run and what it would cost, and stop")
	f.registerPresentation(cmd)
	complete(cmd, map[string]cobra.CompletionFunc{"cell": f.completeCellsOf})
	return cmd
}

// completeCellsOf offers the cells of the run that was named.
func (f *runFlags) completeCellsOf(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if len(args) == 1 {
		if doc, _, err := (results.Store{Dir: f.out}).Load(args[0]); err == nil {
			for i := range doc.Results {
				names = append(names, doc.Results[i].Cell)
			}
		}
	}
	return names, noFiles
}
