package main

import (
	"fmt"
	"time"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/internal/machine"
)

func newDoctorCmd() *cobra.Command {
	var asJSON bool
	var watch time.Duration
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what would spoil a measurement on this machine, and its mend",
		Example: `  clsbench doctor
  clsbench doctor --watch 10s      look longer at steal and pressure
  clsbench doctor --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch < 0 || watch > time.Hour {
				return usagef("flag --watch: %v: want 0 to 1h", watch)
			}
			w := machine.Watch()
			info := machine.Capture(cmd.Context())
			select {
			case <-time.After(watch):
			case <-cmd.Context().Done():
				return cmd.Context().Err()
			}
			findings := machine.Diagnose(info, w.Stop())
			if asJSON {
				return printJSON(cmd, struct {
					Machine  machine.Info      `json:"machine"`
					Findings []machine.Finding `json:"findings"`
				}{info, findings})
			}
			out := cmd.OutOrStdout()
			fmt.Fprintln(out, info.Title())
			for _, f := range findings {
				fmt.Fprintf(out, "\n%s  %s\n    why   %s\n    mend  %s\n", color.YellowString(string(f.Severity)), f.What, f.Why, f.Mend)
			}
			if len(findings) == 0 {
				fmt.Fprintln(out, "nothing found that would spoil a measurement")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().DurationVar(&watch, "watch", time.Second, "how long to watch the machine's load")
	return cmd
}
