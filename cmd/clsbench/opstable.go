package main

import (
	"encoding/csv"
	"fmt"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/internal/opbench"
	"github.com/clsbench/clsbench/results"
)

// renderOps writes micro-benchmarks in one of the formats of results.
func renderOps(cmd *cobra.Command, d *opbench.Document, format string) error {
	w := cmd.OutOrStdout()
	switch format {
	case "json":
		return d.Encode(w)
	case "csv":
		t := csv.NewWriter(w)
		if err := t.WriteAll(append([][]string{opsCSVHead}, opsCSV(d)...)); err != nil {
			return err
		}
		return t.Error()
	case "md":
		fmt.Fprintf(w, "%s\n\n", opsHeading(d))
		if err := markdown(cmd, opsHead, opsRows(d)); err != nil || len(d.Comparisons) == 0 {
			return err
		}
		fmt.Fprintln(w)
		return markdown(cmd, pairsHead, pairRows(d))
	}
	fmt.Fprintln(w, opsHeading(d))
	if err := table(cmd, opsHead, opsRows(d)); err != nil || len(d.Comparisons) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return table(cmd, pairsHead, pairRows(d))
}

func markdown(cmd *cobra.Command, head []string, rows [][]string) error {
	t := tablewriter.NewTable(cmd.OutOrStdout(), tablewriter.WithRenderer(renderer.NewMarkdown()), tablewriter.WithHeaderAutoFormat(tw.Off))
	t.Header(head)
	if err := t.Bulk(rows); err != nil {
		return err
	}
	return t.Render()
}

func opsHeading(d *opbench.Document) string {
	return fmt.Sprintf("%s · %s, %d rounds · seed %d · peak %s", d.Machine.Title(), d.Effort, d.Rounds, d.Seed, results.PeakLine(d.Peaks, nil))
}

var opsHead = []string{"case", "backend", "hot", "95 % CI", "GFLOP/s", "of peak", "cold", "95 % CI", "GB/s", "of copy", "status"}

func opsRows(d *opbench.Document) [][]string {
	rows := make([][]string, 0, len(d.Results))
	for _, r := range d.Results {
		row := []string{r.Case, r.Backend}
		row = append(row, spans(r.Hot)...)
		rate, traffic := "–", "–"
		if r.Hot != nil && r.FLOPs > 0 {
			rate = results.FormatRate(r.Hot.GFLOPS)
		}
		row = append(row, rate, shareOf(r.ShareFMA))
		row = append(row, spans(r.Cold)...)
		if r.Cold != nil {
			traffic = results.FormatRate(r.Cold.GBps)
		}
		rows = append(rows, append(row, traffic, shareOf(r.ShareCopy), string(r.Status)))
	}
	return rows
}

// spans are a median and its interval, or the range of too few rounds.
func spans(t *opbench.Time) []string {
	if t == nil {
		return []string{"–", "–"}
	}
	ms := func(ns float64) string { return results.FormatMillis(ns / 1e6) }
	return []string{ms(t.Median), ms(t.Low) + "–" + ms(t.High)}
}

func shareOf(x *float64) string {
	if x == nil {
		return "–"
	}
	return results.FormatShare(*x)
}

var pairsHead = []string{"case", "backend", "against", "speed", "95 % CI", "p (Holm)", ""}

func pairRows(d *opbench.Document) [][]string {
	rows := make([][]string, 0, len(d.Comparisons))
	for _, c := range d.Comparisons {
		word := string(c.Word)
		if c.Need > 0 {
			word += fmt.Sprintf(" (wants %d rounds)", c.Need)
		}
		rows = append(rows, []string{c.Case, c.A, c.B, results.FormatRatio(c.Ratio.Median),
			results.FormatRatio(c.Ratio.Low) + "–" + results.FormatRatio(c.Ratio.High), fmt.Sprintf("%.2g", c.PHolm), word})
	}
	return rows
}

var opsCSVHead = []string{"case", "backend", "status", "hot_ns", "hot_low", "hot_high", "cold_ns", "cold_low", "cold_high", "confidence",
	"flops", "bytes", "hot_gflop_per_s", "hot_gb_per_s", "cold_gb_per_s", "share_fma", "share_copy", "kernels", "why"}

func opsCSV(d *opbench.Document) [][]string {
	number := func(x float64) string { return fmt.Sprintf("%.6g", x) }
	times := func(t *opbench.Time) []string {
		if t == nil {
			return []string{"", "", ""}
		}
		return []string{number(t.Median), number(t.Low), number(t.High)}
	}
	optional := func(x *float64) string {
		if x == nil {
			return ""
		}
		return number(*x)
	}
	var rows [][]string
	for _, r := range d.Results {
		confidence, gflops, hot, cold := "", "", "", ""
		if r.Hot != nil {
			confidence, gflops, hot = number(r.Hot.Confidence), number(r.Hot.GFLOPS), number(r.Hot.GBps)
		}
		if r.Cold != nil {
			cold = number(r.Cold.GBps)
		}
		row := append([]string{r.Case, r.Backend, string(r.Status)}, append(times(r.Hot), times(r.Cold)...)...)
		rows = append(rows, append(row, confidence, fmt.Sprint(r.FLOPs), fmt.Sprint(r.Bytes), gflops, hot, cold,
			optional(r.ShareFMA), optional(r.ShareCopy), strings.Join(r.Kernels, " "), r.Why))
	}
	return rows
}
