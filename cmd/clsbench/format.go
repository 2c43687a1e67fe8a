package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/results"
)

// formatFlags are --format and its short form for programs.
type formatFlags struct {
	format string
	json   bool
}

func (f *formatFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.format, "format", "table", strings.Join(results.Formats(), ", "))
	cmd.Flags().BoolVar(&f.json, "json", false, "short for --format json")
	complete(cmd, map[string]cobra.CompletionFunc{"format": fixed(results.Formats()...)})
}

// check settles the format that was meant.
func (f *formatFlags) check() error {
	if f.json {
		f.format = "json"
	}
	if err := results.CheckFormat(f.format); err != nil {
		return usagef("flag --format: %w", err)
	}
	return nil
}
