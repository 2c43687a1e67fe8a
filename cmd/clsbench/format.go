package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clsbench/clsbench/results"
)

// formatFlags are --format and its short form for programs.
type formatFlags struct {
	format string
	json   bool
	asked  *pflag.Flag // --format
}

func (f *formatFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.format, "format", "table", strings.Join(results.Formats(), ", "))
	cmd.Flags().BoolVar(&f.json, "json", false, "short for --format json")
	f.asked = cmd.Flags().Lookup("format")
	complete(cmd, map[string]cobra.CompletionFunc{"format": fixed(results.Formats()...)})
}

// check settles the format that was meant.
func (f *formatFlags) check() error {
	if f.json {
		if typed(f.asked) && f.format != "json" {
			return usagef("flag --json: it is short for --format json, and --format %s was given too", f.format)
		}
		f.format = "json"
	}
	if err := results.CheckFormat(f.format); err != nil {
		return usagef("flag --format: %w", err)
	}
	return nil
}
