package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/internal/harness"
	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads"
	"github.com/clsbench/clsbench/workloads/data"
)

// Shell completion: `clsbench completion bash|zsh|fish|powershell` prints the
// script, these functions say what there is to complete.

const noFiles = cobra.ShellCompDirectiveNoFileComp

func fixed(values ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return values, noFiles }
}

func completeBackends(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	entries, _ := plugin.List(plugin.Options{Registry: embedded()}) // a bad manifest completes nothing
	names := make([]string, 0, len(entries)+1)
	for _, e := range entries {
		names = append(names, e.Name)
	}
	return append(names, plugin.Exec+":"), noFiles | cobra.ShellCompDirectiveNoSpace
}

func completeWorkloads(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, w := range workloads.All() {
		names = append(names, w.Name+"\t"+w.Description)
	}
	return names, noFiles
}

func completeData(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, i := range data.List() {
		names = append(names, i.Name+"\t"+i.Description)
	}
	return names, cobra.ShellCompDirectiveDefault // folders too
}

// completeCells offers the names of the cells that the flags typed so far
// select.
func (f *runFlags) completeCells(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	plain := *f
	plain.filter = ""
	// cobra reads the flags more than once, and lists grow with each time.
	plain.backends, plain.workloads, plain.modes = once(f.backends), once(f.workloads), once(f.modes)
	plain.batches, plain.precision, plain.math = once(f.batches), once(f.precision), once(f.math)
	o, err := plain.options(cmd)
	if err != nil {
		return nil, noFiles
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	plan, err := harness.NewPlan(ctx, o, embedded())
	if err != nil {
		return nil, noFiles
	}
	return plan.Names(), noFiles
}

// once is a list with each of its elements once.
func once[T comparable](list []T) (out []T) {
	for _, x := range list {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

func completeRuns(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	out, err := cmd.Flags().GetString("out")
	if err != nil {
		out = defaultOut
	}
	entries, _ := results.Store{Dir: out}.List() // an unreadable store completes nothing
	var ids []string
	for _, e := range entries {
		if e.Err == nil {
			ids = append(ids, e.RunID+"\t"+e.Started.Format(time.DateTime)+" "+strings.Join(e.Backends, " "))
		}
	}
	return ids, cobra.ShellCompDirectiveDefault
}

// completeJournals offers the runs that can be taken up.
func completeJournals(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	out, err := cmd.Flags().GetString("out")
	if err != nil {
		return nil, noFiles
	}
	return results.Store{Dir: out}.Unfinished(), noFiles
}

func (f *runFlags) registerCompletions(cmd *cobra.Command) {
	var efforts []string
	for _, e := range measure.Efforts() {
		efforts = append(efforts, e.Name)
	}
	complete(cmd, map[string]cobra.CompletionFunc{
		"backend": completeBackends, "workload": completeWorkloads, "data": completeData, "filter": f.completeCells,
		"mode": fixed(harness.Modes...), "scenario": fixed(harness.Scenarios...), "precision": fixed(harness.Precisions...),
		"effort": fixed(efforts...), "resume": completeJournals,
	})
}

// complete ties flags to what completes them.
func complete(cmd *cobra.Command, flags map[string]cobra.CompletionFunc) {
	for flag, fn := range flags {
		if err := cmd.RegisterFlagCompletionFunc(flag, fn); err != nil {
			panic(err) // a flag of that name does not exist: our own fault
		}
	}
}
