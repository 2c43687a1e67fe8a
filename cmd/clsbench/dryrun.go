package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/internal/harness"
	"github.com/clsbench/clsbench/results"
)

// printPlan answers --dry-run: what is left to do, after the cells that an
// interrupted run (nil for none) has finished.
func printPlan(cmd *cobra.Command, whole *harness.Plan, before *harness.Interrupted, format string) error {
	p := whole.Rest(before)
	finished := len(whole.Cells) - len(p.Cells)
	if format == "json" {
		return printJSON(cmd, struct {
			Cells    []string `json:"cells"`
			Finished int      `json:"finished"`
			Effort   string   `json:"effort"`
			Seconds  float64  `json:"seconds"`
			Bytes    int64    `json:"memory_bytes"`
		}{p.Names(), finished, p.Effort.Name, p.Duration().Seconds(), p.Memory()})
	}
	out := cmd.OutOrStdout()
	for _, name := range p.Names() {
		fmt.Fprintln(out, name)
	}
	count := fmt.Sprintf("%d cells", len(p.Cells))
	if before != nil {
		count = fmt.Sprintf("%d of %d cells to go", len(p.Cells), len(whole.Cells))
	}
	fmt.Fprintf(out, "%s · %s · about %s · about %s of memory\n",
		count, p.Effort.Name, p.Duration().Round(time.Second), results.FormatBytes(p.Memory()))
	return nil
}
