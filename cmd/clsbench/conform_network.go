package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/workloads"
)

// networkPrograms are the programs that --from-network asks for.
func (f *conformFlags) networkPrograms(cmd *cobra.Command) ([]conformance.NetworkProgram, error) {
	if len(f.networks) == 0 {
		if typed(cmd.Flags().Lookup("batch")) {
			return nil, usagef("flag --batch: it is the batch of --from-network: of which networks?")
		}
		return nil, nil
	}
	for _, flag := range []string{"suite", "effort", "onnx"} {
		if typed(cmd.Flags().Lookup(flag)) {
			return nil, usagef("flag --%s: --from-network judges every partition of its networks in place of the suites: leave it out", flag)
		}
	}
	if f.batch < 1 && typed(cmd.Flags().Lookup("batch")) {
		return nil, usagef("flag --batch: %d: want 1 to %d", f.batch, conformance.MaxLayerBatch)
	}
	if f.batch > conformance.MaxLayerBatch {
		return nil, usagef("flag --batch: %d: want 1 to %d", f.batch, conformance.MaxLayerBatch)
	}
	list, err := conformance.NetworkPrograms(f.networks, f.batch)
	if err != nil {
		return nil, usagef("flag --from-network: %w", err)
	}
	return list, nil
}

// listPartitions prints the names of the cases that the backend's plans give.
func (f *conformFlags) listPartitions(cmd *cobra.Command, p *plugin.Plugin, o conformance.Options, list []conformance.NetworkProgram) error {
	runner, err := conformance.NewRunner(p, o)
	if err != nil {
		return usage(err)
	}
	names, err := runner.PartitionNames(cmd.Context(), list)
	if err != nil {
		return f.noCase(err)
	}
	for _, n := range names {
		fmt.Fprintln(cmd.OutOrStdout(), n)
	}
	return nil
}

// noCase makes a filter that matched nothing the user's fault.
func (f *conformFlags) noCase(err error) error {
	if errors.Is(err, conformance.ErrNoCase) {
		return usagef("flag --filter: %q matches no case; --list prints their names", f.filter)
	}
	return err
}

// networkRow is the summary's line of a program that was judged by its
// partitions.
func networkRow(n conformance.NetworkReport) []string {
	return countRow(fmt.Sprintf("%s b%d", n.Title(), n.Batch), n.Counts, strings.ToUpper(string(n.Verdict)))
}

// completeNetworks completes the last name of a list.
func completeNetworks(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, w := range workloads.All() {
		names = append(names, w.Name)
	}
	return others(typed, append(names, conformance.AllNetworks)), noFiles
}
