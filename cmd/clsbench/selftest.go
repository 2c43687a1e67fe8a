package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/conformance/faults"
)

// selfTest turns the suite on itself: every planted fault must be caught,
// every legal variant pass. It prints the kill matrix.
func selfTest(cmd *cobra.Command, o conformance.Options) error {
	ui := newProgress(cmd)
	defer ui.Close()
	m, err := faults.SelfTest(cmd.Context(), faults.Config{Seed: o.Seed, Effort: o.Effort,
		Only:     func(name string) bool { return o.Filter == nil || o.Filter.MatchString(name) },
		Progress: func(done, total int) { ui.Stage("faults", done, total, "") }})
	ui.Close()
	if err != nil {
		return err
	}
	rows := make([][]string, 0, len(m.Faults)+len(m.Variants))
	for _, f := range m.Faults {
		rows = append(rows, []string{string(f.Kind), f.Name, word(f.Caught, "caught", "MISSED"), fmt.Sprintf("%d of %d", f.Failed, f.Ran), strings.Join(f.By, " ")})
	}
	for _, v := range m.Variants {
		rows = append(rows, []string{"legal", v.Name, word(v.Passed, "passed", "REJECTED"), fmt.Sprintf("%d of %d", len(v.Wrong), v.Ran), fmt.Sprintf("worst %.3g of the bound", float64(v.Worst))})
	}
	if err := table(cmd, []string{"kind", "name", "outcome", "cases failed", "by"}, rows); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "suite %s · seed %d · %d cases · %.0f s\n", m.Version, m.Seed, m.Cases, m.Seconds)
	if err := m.OK(); err != nil {
		return &exitError{exitVerdict, err}
	}
	return nil
}

func word(ok bool, yes, no string) string {
	if ok {
		return yes
	}
	return no
}
