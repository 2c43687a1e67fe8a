package results

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"

	"github.com/clsbench/clsbench/internal/measure"
)

// Render writes the comparison in one of Formats.
func (c *FileComparison) Render(w io.Writer, format string, o RenderOptions) error {
	switch format {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(c)
	case "csv":
		return c.writeCSV(w)
	case "md":
		return writeReport(w, c.heading(painter(false)), []section{c.section(painter(false))}, nil, true)
	case "table":
		p := painter(o.Color)
		return writeReport(w, c.heading(p), []section{c.section(p)}, nil, false)
	}
	return CheckFormat(format)
}

// heading says what is compared, and how far apart the sessions were.
func (c *FileComparison) heading(p painter) []string {
	side := func(name string, s Side) string {
		return fmt.Sprintf("%s  %s · %s · %s · %s", name, s.Run, s.Started.UTC().Format("2006-01-02 15:04 UTC"), s.Effort, s.Machine)
	}
	out := []string{side("A", c.A), side("B", c.B)}
	if !c.SameMachine {
		out = append(out, p.warn("! different machines: compare the shares of the peak, not the rates"))
	}
	out = append(out, p.warn("! never interleaved: what changed on the machine in between is in the ratios too; its own peaks moved:"))
	for _, d := range c.Drift {
		out = append(out, fmt.Sprintf("  %s %.3g → %.3g %s, %+.1f %%", d.Key, d.A, d.B, d.Unit, 100*(d.Ratio-1)))
	}
	if len(c.Drift) == 0 {
		out = append(out, "  unknown, no peak was measured in both")
	}
	return out
}

func (c *FileComparison) section(p painter) section {
	s := section{title: p.bold("B against A"), grid: grid{
		head: []string{"", "A img/s", "B img/s", "ratio", "95 % CI", "of peak", ""},
		left: map[int]bool{0: true, 4: true, 6: true}}}
	for i := range c.Cells {
		d := &c.Cells[i]
		name := d.A
		if d.A != d.B {
			name += " → " + d.B
		}
		row := []string{name, rate(d.RateA), rate(d.RateB), Missing, Missing, Missing, p.word(d.Word)}
		if r := d.Ratio; r != nil {
			row[3], row[4] = FormatRatio(r.Median), significant(r.Low)+"–"+significant(r.High)
		}
		if d.Shares != nil {
			row[5] = FormatShare(d.Shares[0]) + " → " + FormatShare(d.Shares[1])
		}
		s.grid.rows = append(s.grid.rows, row)
		s.after = append(s.after, d.changes(p)...)
	}
	for _, n := range c.OnlyA {
		s.after = append(s.after, "only in A: "+n)
	}
	for _, n := range c.OnlyB {
		s.after = append(s.after, "only in B: "+n)
	}
	return s
}

func rate(e *measure.Estimate) string {
	if e == nil {
		return Missing
	}
	return FormatRate(e.Median)
}

// changes says what else differs: status, verdict, accuracy by 0.1 %, memory by 5 %.
func (d *CellDiff) changes(p painter) []string {
	var out []string
	say := func(what, a, b string) {
		out = append(out, fmt.Sprintf("%s %s: %s %s → %s", p.warn("!"), d.B, what, a, b))
	}
	if d.Status[0] != d.Status[1] {
		say("status", p.status(d.Status[0]), p.status(d.Status[1]))
	}
	if d.Verdicts[0] != d.Verdicts[1] {
		say("conform", p.verdict(d.Verdicts[0]), p.verdict(d.Verdicts[1]))
	}
	if t := d.Top1; t != nil && max(t[0]-t[1], t[1]-t[0]) >= 0.001 {
		say("accuracy", percent(t[0]), percent(t[1]))
	}
	if m := d.Memory; m != nil && float64(max(m[0]-m[1], m[1]-m[0])) > 0.05*float64(m[0]) {
		say("peak memory", FormatBytes(m[0]), FormatBytes(m[1]))
	}
	return out
}

func (c *FileComparison) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"a", "b", "status_a", "status_b", "images_per_s_a", "images_per_s_b", "ratio", "ratio_low",
		"ratio_high", "drift", "p", "p_holm", "word", "peak_share_a", "peak_share_b", "conformance_a", "conformance_b"}); err != nil {
		return err
	}
	for i := range c.Cells {
		d := &c.Cells[i]
		row := []any{d.A, d.B, d.Status[0], d.Status[1], "", "", "", "", "", "", "", "", d.Word, "", "", d.Verdicts[0], d.Verdicts[1]}
		if d.RateA != nil {
			row[4] = d.RateA.Median
		}
		if d.RateB != nil {
			row[5] = d.RateB.Median
		}
		if r := d.Ratio; r != nil {
			row[6], row[7], row[8], row[10], row[11] = r.Median, r.Low, r.High, d.P, d.PHolm
		}
		if d.Drift != nil {
			row[9] = *d.Drift
		}
		if d.Shares != nil {
			row[13], row[14] = d.Shares[0], d.Shares[1]
		}
		text := make([]string, len(row))
		for j, v := range row {
			text[j] = fmt.Sprint(v)
		}
		if err := out.Write(text); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
