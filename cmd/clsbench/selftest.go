package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/conformance/faults"
)

// selfTest turns the suite on itself: every planted fault must be caught,
// every legal variant pass. It prints the kill matrix.
func (f *conformFlags) selfTest(cmd *cobra.Command, o conformance.Options) error {
	for _, flag := range []string{"backend", "suite", "onnx", "from-network", "batch", "out", "bundles"} {
		if typed(cmd.Flags().Lookup(flag)) {
			return usagef("flag --%s: --self-test brings its own backends and prints what it finds: leave it out", flag)
		}
	}
	only := func(name string) bool { return o.Filter == nil || o.Filter.MatchString(name) }
	names := selfTestNames(only)
	if len(names) == 0 {
		return usagef("flag --filter: %q matches no fault and no variant; --self-test --list prints their names", f.filter)
	}
	if f.list {
		for _, n := range names {
			fmt.Fprintln(cmd.OutOrStdout(), n)
		}
		return nil
	}
	ui := newProgress(cmd)
	defer ui.Close()
	m, err := faults.SelfTest(cmd.Context(), faults.Config{Seed: o.Seed, Effort: o.Effort,
		Only:     only,
		Progress: func(done, total int) { ui.Stage("faults", done, total, "") }})
	ui.Close()
	if err != nil {
		return err
	}
	rows := make([][]string, 0, len(m.Faults)+len(m.Variants))
	for _, f := range m.Faults {
		by := strings.Join(f.By, " ")
		if f.Once != "" {
			by += " (one kind must do: " + f.Once + ")"
		}
		rows = append(rows, []string{string(f.Kind), f.Name, word(f.Caught, "caught", "MISSED"), f.StandsFor, fmt.Sprintf("%d of %d", f.Failed, f.Ran), by})
	}
	for _, v := range m.Variants {
		rows = append(rows, []string{"legal", v.Name, word(v.Passed, "passed", "REJECTED"), "", fmt.Sprintf("%d of %d", len(v.Wrong), v.Ran), fmt.Sprintf("worst %.3g of the bound", float64(v.Worst))})
	}
	if err := table(cmd, []string{"kind", "name", "outcome", "stands for", "cases failed", "by"}, rows); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "suite %s · seed %d · %d cases · %.0f s\n", m.Version, m.Seed, m.Cases, m.Seconds)
	if err := m.OK(); err != nil {
		return &exitError{exitVerdict, err}
	}
	return nil
}

// selfTestNames are those of the faults, then of the legal variants, as --filter
// takes them.
func selfTestNames(only func(string) bool) (names []string) {
	for _, f := range faults.Faults() {
		names = append(names, f.Name)
	}
	for _, v := range faults.Variants() {
		names = append(names, v.Name)
	}
	return slices.DeleteFunc(names, func(n string) bool { return !only(n) })
}

func word(ok bool, yes, no string) string {
	if ok {
		return yes
	}
	return no
}
