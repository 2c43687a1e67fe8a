package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/internal/harness"
	"github.com/clsbench/clsbench/results"
)

// printPlan answers --dry-run.
func printPlan(cmd *cobra.Command, p *harness.Plan, format string) error {
	if format == "json" {
		return printJSON(cmd, struct {
			Cells   []string `json:"cells"`
			Effort  string   `json:"effort"`
			Seconds float64  `json:"seconds"`
			Bytes   int64    `json:"memory_bytes"`
		}{p.Names(), p.Effort.Name, p.Duration().Seconds(), p.Memory()})
	}
	out := cmd.OutOrStdout()
	for _, name := range p.Names() {
		fmt.Fprintln(out, name)
	}
	fmt.Fprintf(out, "%d cells · %s · about %s · about %s of memory\n",
		len(p.Cells), p.Effort.Name, p.Duration().Round(time.Second), results.FormatBytes(p.Memory()))
	return nil
}
