package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/plots"
	"github.com/clsbench/clsbench/results"
)

func newPlotCmd() *cobra.Command {
	var out, dir string
	cmd := &cobra.Command{
		Use:   "plot RUN|FILE...",
		Short: "Draw the plots of one or several results",
		Long: `plot draws throughput, latency, accuracy and loss while training, which classes
are taken for which, calibration, the worst mistakes with their pictures,
memory, and throughput against accuracy, as PNG and SVG, for every backend of
every result given; what has no data is not drawn. Several results are drawn
into the same plots.`,
		Example: `  clsbench plot 7c1e
  clsbench plot old.json new.json --dir ./plots`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			store := results.Store{Dir: out}
			docs := make([]*results.Document, len(args))
			for i, name := range args {
				var err error
				if docs[i], _, err = store.Load(name); err != nil {
					return usage(err)
				}
			}
			paths, err := plots.Draw(docs, dir, plotOptions(cmd.Context(), func(s string) { fmt.Fprintln(cmd.ErrOrStderr(), s) }))
			if err != nil {
				return usage(err)
			}
			for _, p := range paths {
				fmt.Fprintln(cmd.OutOrStdout(), p)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "plots-out", "folder for the plots")
	outFlag(cmd, &out)
	complete(cmd, map[string]cobra.CompletionFunc{"dir": folders})
	return cmd
}
