package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/results"
)

func newVersionCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version and those of the contracts it speaks",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			version, revision := "unknown", "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				version = info.Main.Version
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						revision = s.Value
					}
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "clsbench %s (revision %s, %s %s/%s)\nplugin protocol %s\nresult schema %s\nONNX opset %d\n",
				version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH, "clsbench.backend.v1", results.Schema, graph.Opset)
			return nil
		},
	}
}
