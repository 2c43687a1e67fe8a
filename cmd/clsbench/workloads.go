package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/workloads"
)

// workloadInfo is a workload as `clsbench workloads` describes it.
type workloadInfo struct {
	Name        string             `json:"name"`
	Description string             `json:"description"`
	Parameters  int64              `json:"parameters"`
	FLOPs       int64              `json:"flops"`
	Input       string             `json:"input"`
	Classes     int                `json:"classes"`
	Options     []workloads.Option `json:"options"`
	Recipe      string             `json:"recipe"`
	Target      float64            `json:"target_accuracy"`
}

func newWorkloadsCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "workloads [NAME]",
		Short: "List the networks, or describe one",
		Example: `  clsbench workloads
  clsbench workloads 'lenet5;pool=max'
  clsbench workloads --json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: upTo(1, completeWorkloads),
		RunE: func(cmd *cobra.Command, args []string) error {
			list := workloads.All()
			if len(args) == 1 {
				w, err := workloads.Lookup(args[0])
				if err != nil {
					return usage(err)
				}
				list = []*workloads.Workload{w}
			}
			infos := make([]workloadInfo, len(list))
			for i, w := range list {
				infos[i] = describeWorkload(w)
			}
			switch {
			case asJSON:
				return printJSON(cmd, infos)
			case len(args) == 1:
				printWorkload(cmd, infos[0])
				return nil
			}
			rows := make([][]string, len(infos))
			for i, w := range infos {
				rows[i] = []string{w.Name, fmt.Sprint(w.Parameters), inMillions(w.FLOPs), w.Input, fmt.Sprint(w.Classes), w.Description}
			}
			return table(cmd, []string{"name", "parameters", "FLOP/image", "input", "classes", "what"}, rows)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// inMillions is a number in millions or, where that has more than three digits
// before the point, in billions.
func inMillions(n int64) string {
	if n >= 1e9 {
		return fmt.Sprintf("%.3g G", float64(n)/1e9)
	}
	return fmt.Sprintf("%.3g M", float64(n)/1e6)
}

func describeWorkload(w *workloads.Workload) workloadInfo {
	r := w.Recipes[workloads.DefaultRecipe]
	return workloadInfo{
		Name: w.String(), Description: w.Description, Parameters: w.Parameters(), FLOPs: w.FLOPs(), Input: w.Input.String(),
		Classes: w.Classes, Options: w.Options, Target: r.Target,
		Recipe: fmt.Sprintf("%d epochs of %s, batch %d, %s %g, %s schedule", r.Epochs, r.Data, r.Batch, r.Optimizer.Kind, r.Optimizer.LR, r.Schedule.Kind),
	}
}

func printWorkload(cmd *cobra.Command, w workloadInfo) {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s: %s\nparameters  %d\nFLOP/image  %d\ninput       %s, %d classes\nrecipe      %s\ntarget      %.4g\n",
		w.Name, w.Description, w.Parameters, w.FLOPs, w.Input, w.Classes, w.Recipe, w.Target)
	for _, o := range w.Options {
		help := o.Help
		if o.Only != "" {
			help += ", with " + o.Only
		}
		fmt.Fprintf(out, "option      %s=%s  %s\n", o.Name, strings.Join(o.Values, "|"), help)
	}
	known, err := workloads.Lookup(w.Name)
	if err != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(known.Recipes)) {
		r := known.Recipes[name]
		fmt.Fprintf(out, "recipe      %s: %s, %d epochs, batch %d\n", name, r.Data, r.Epochs, r.Batch)
	}
}
