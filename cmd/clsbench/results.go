package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/fatih/color"
	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/results"
)

func newResultsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "results",
		Short: "List, show and validate result files",
		Long: `results alone lists the runs in the store, the latest first, and those that were
interrupted. RUN is a run's id, as the list has it, or a prefix of it.`,
		Example: `  clsbench results
  clsbench results show 7c1e                    as its run printed it
  clsbench results validate results/runs/*.json`,
	}
	cmd.AddCommand(newResultsListCmd(), newResultsShowCmd(), newResultsValidateCmd())
	return listAlone(cmd)
}

// listAlone makes a command without a subcommand do what its list does.
func listAlone(cmd *cobra.Command) *cobra.Command {
	for _, sub := range cmd.Commands() {
		if sub.Name() == "list" {
			cmd.Args, cmd.RunE = sub.Args, sub.RunE
			cmd.Flags().AddFlagSet(sub.Flags())
		}
	}
	return cmd
}

func newResultsListCmd() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the runs in the store, the latest first",
		Example: "  clsbench results list\n  clsbench results list --out ./published",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			entries, err := results.Store{Dir: out}.List()
			if err != nil {
				return usage(err)
			}
			rows := make([][]string, 0, len(entries))
			for _, e := range entries {
				if e.Err != nil {
					fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", e.Path, e.Err)
					continue
				}
				rows = append(rows, []string{e.RunID, e.Started.Format(time.DateTime), e.Effort, strings.Join(e.Backends, " "),
					strings.Join(e.Workloads, " "), fmt.Sprint(e.Cells), fmt.Sprint(e.Failed), e.Path})
			}
			if err := table(cmd, []string{"run", "started", "effort", "backends", "workloads", "cells", "failed", "file"}, rows); err != nil {
				return err
			}
			for _, u := range (results.Store{Dir: out}).Unfinished() {
				if u.Err != nil {
					fmt.Fprintf(cmd.ErrOrStderr(), "%s can't be taken up: %v\n", u.RunID, u.Err)
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is unfinished: clsbench run --resume %s%s goes on, unless it is under way\n", u.RunID, u.RunID, besideOut(out))
			}
			return nil
		},
	}
	outFlag(cmd, &out)
	return cmd
}

func newResultsShowCmd() *cobra.Command {
	var format formatFlags
	var out string
	cmd := &cobra.Command{
		Use:               "show RUN|FILE",
		Short:             "Print a result as its run did",
		Example:           "  clsbench results show 7c1e\n  clsbench results show result.json --format md",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: upTo(1, completeRuns),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := format.check(); err != nil {
				return err
			}
			d, path, err := results.Store{Dir: out}.Load(args[0])
			if err != nil {
				return usage(err)
			}
			o := renderOptions(cmd)
			o.Heading, o.Saved, o.Again = true, path, d.Run.ID+besideOut(out)
			return results.Render(cmd.OutOrStdout(), d, format.format, o)
		},
	}
	format.register(cmd)
	outFlag(cmd, &out)
	return cmd
}

func newResultsValidateCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check result files against the schema and against themselves",
		Long: `validate checks each file against the JSON Schema of its version, and what a
schema can't say: intervals around their medians, unique cells, figures beside
statuses that allow them. It takes conformance reports (clsbench conform --out)
too, and counts them, suite by suite and family by family, against the cases of
this build. A report by another suite version or other bounds can't be counted:
it is outdated. Exit code 2 if any file is invalid, 1 if any is outdated.`,
		Example:           "  clsbench results validate results/runs/*.json\n  clsbench results validate conformance/reports/cpu.json",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: filesOf("json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			bad, old := 0, 0
			for _, path := range args {
				what, outdated, err := validate(path)
				switch {
				case err != nil:
					bad++
					fmt.Fprintln(cmd.ErrOrStderr(), err)
				case outdated != "":
					old++
					fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", path, outdated)
				default:
					fmt.Fprintf(cmd.OutOrStdout(), "%s: valid, %s\n", path, what)
				}
			}
			switch {
			case bad > 0:
				return usagef("%d of %d files are invalid", bad, len(args))
			case old > 0:
				return &exitError{exitVerdict, fmt.Errorf("%d of %d files are outdated", old, len(args))}
			}
			return nil
		},
	}
}

// validate reads a result document or, where it says that it is one, a report
// of conformance, and says what it has, or in what it is outdated.
func validate(path string) (what, outdated string, err error) {
	info, err := os.Stat(path)
	if err == nil && info.Mode().IsRegular() && info.Size() <= conformance.MaxReport {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", "", err
		}
		var head struct {
			Schema string `json:"schema"`
		}
		if json.Unmarshal(data, &head) == nil && strings.HasPrefix(head.Schema, "clsbench.conformance/") {
			r, err := conformance.ReadReport(data)
			if err != nil {
				return "", "", fmt.Errorf("%s: %w", path, err)
			}
			ran := 0
			for _, s := range r.Suites {
				ran += s.Ran()
			}
			for _, n := range r.Networks {
				ran += n.Ran()
			}
			return fmt.Sprintf("%d cases of %s, %s, %s", ran, r.Backend.Name, r.Verdict, r.Schema), r.Outdated(), nil
		}
	}
	d, err := results.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	return fmt.Sprintf("%d cells, %s", len(d.Results), d.Schema), "", nil
}

// renderOptions fit standard output: colour and width on a terminal only.
func renderOptions(cmd *cobra.Command) results.RenderOptions {
	o := results.RenderOptions{}
	if f, ok := cmd.OutOrStdout().(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		o.Color = !color.NoColor
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			o.Width = w
		}
	}
	return o
}

// table prints rows under headers, without lines.
func table(cmd *cobra.Command, headers []string, rows [][]string) error {
	t := tablewriter.NewTable(cmd.OutOrStdout(),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithRendition(tw.Rendition{Borders: tw.BorderNone, Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone}}),
		tablewriter.WithAlignment(tw.MakeAlign(len(headers), tw.AlignLeft)))
	t.Header(headers)
	if err := t.Bulk(rows); err != nil {
		return err
	}
	return t.Render()
}
