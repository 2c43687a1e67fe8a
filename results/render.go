package results

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fatih/color"

	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/measure"
)

// Formats are what Render writes.
func Formats() []string { return []string{"table", "json", "csv", "md"} }

// CheckFormat says whether Render knows the format.
func CheckFormat(format string) error {
	if !slices.Contains(Formats(), format) {
		return fmt.Errorf("format %q: one of %s", format, strings.Join(Formats(), ", "))
	}
	return nil
}

// RenderOptions are how a table looks. The zero value is plain text of any width.
type RenderOptions struct {
	Color bool
	Width int // of the terminal, in columns; 0: any
	// Heading begins with the machine and its peaks, for a document that nobody has just watched being made.
	Heading bool
	Saved   string // path of the document's file, for the last line; "" leaves it out
	Again   string // the run's id as rerun takes it; "" leaves it out
}

// Render writes the document as a table for people (table, md), a line a cell for spreadsheets (csv), or whole (json).
func Render(w io.Writer, d *Document, format string, o RenderOptions) error {
	switch format {
	case "json":
		return d.Encode(w)
	case "csv":
		return d.writeCSV(w)
	case "md":
		o.Color, o.Width = false, markdownWidth
		return writeReport(w, d.heading(), d.sections(o), d.closing(o), true)
	case "table":
		var head []string
		if o.Heading {
			head = d.heading()
		}
		return writeReport(w, head, d.sections(o), d.closing(o), false)
	}
	return CheckFormat(format)
}

// markdownWidth is about how many characters of a table a page shows.
const markdownWidth = 120

func writeReport(w io.Writer, head []string, sections []section, closing []string, md bool) error {
	e := &errWriter{w: w}
	lines := func(ls []string) {
		for _, l := range ls {
			fmt.Fprintln(e, l)
			if md {
				fmt.Fprintln(e)
			}
		}
	}
	lines(head)
	for i, s := range sections {
		if !md && (i > 0 || len(head) > 0) {
			fmt.Fprintln(e)
		}
		if md {
			fmt.Fprintf(e, "### %s\n\n", s.title)
			if err := s.grid.markdown(e); err != nil {
				return err
			}
			fmt.Fprintln(e)
		} else {
			fmt.Fprintln(e, s.title)
			if err := s.grid.plain(e); err != nil {
				return err
			}
		}
		lines(s.after)
	}
	lines(closing)
	return e.err
}

// errWriter keeps the first error, so that a report can be written line by line.
type errWriter struct {
	w   io.Writer
	err error
}

func (e *errWriter) Write(p []byte) (int, error) {
	if e.err == nil {
		_, e.err = e.w.Write(p)
	}
	return len(p), nil
}

// heading is the machine, and its peaks.
func (d *Document) heading() []string {
	head := []string{fmt.Sprintf("%s · %s · %s", d.Machine.Title(), d.Run.Effort.Name, d.Run.Started.UTC().Format("2006-01-02 15:04 UTC"))}
	if l := PeakLine(d.Peaks, d.Conditions); l != "" {
		head = append(head, "peak "+l)
	}
	return head
}

// PeakLine says the machine's limits in a line, each at the most threads it was measured with: "fp32 503 GFLOP/s ·
// read 73 GB/s · steal 0.4 %". Conditions may be nil.
func PeakLine(peaks machine.Peaks, c *machine.Conditions) string {
	var parts []string
	for _, p := range []struct{ name, shown string }{
		{machine.PeakFMA, "fp32"}, {machine.PeakRead, "read"}, {machine.PeakCopy, "copy"},
	} {
		var best machine.Peak
		for _, k := range peaks {
			if k.Name == p.name && k.Threads >= best.Threads {
				best = k
			}
		}
		if best.Value > 0 {
			parts = append(parts, fmt.Sprintf("%s %.3g %s", p.shown, best.Value, best.Unit))
		}
	}
	if k, ok := peaks.Of(machine.PeakHarness, 0); ok {
		parts = append(parts, fmt.Sprintf("harness alone %.1f µs/step", k.Value))
	}
	if c != nil && c.StealPercent != nil {
		parts = append(parts, fmt.Sprintf("steal %.1f %%", *c.StealPercent))
	}
	return strings.Join(parts, " · ")
}

// closing is the warnings and where the document is.
func (d *Document) closing(o RenderOptions) []string {
	p := painter(o.Color)
	var out []string
	if d.Run.Interrupted {
		out = append(out, p.warn("! interrupted: not every cell was measured"))
	}
	for _, s := range d.Warnings {
		out = append(out, p.warn("! "+s))
	}
	if d.Run.Effort.Name == EffortSmoke && !slices.ContainsFunc(d.Results, func(r Result) bool { return r.Throughput != nil }) {
		out = append(out, "effort smoke shows that the cells run and times none: --effort quick gives figures")
	}
	var last []string
	if o.Saved != "" {
		last = append(last, "saved "+o.Saved)
	}
	if o.Again != "" {
		last = append(last, "again: clsbench rerun "+o.Again)
	}
	if len(last) > 0 {
		out = append(out, strings.Join(last, " · "))
	}
	return out
}

// painter colours text, or leaves it.
type painter bool

func (p painter) paint(s string, a ...color.Attribute) string {
	if !p || s == "" {
		return s
	}
	c := color.New(a...)
	c.EnableColor() // its own guess looks at stdout alone
	return c.Sprint(s)
}

func (p painter) bold(s string) string { return p.paint(s, color.Bold) }
func (p painter) good(s string) string { return p.paint(s, color.FgGreen) }
func (p painter) bad(s string) string  { return p.paint(s, color.FgRed) }
func (p painter) warn(s string) string { return p.paint(s, color.FgYellow) }

func (p painter) verdict(v Verdict) string {
	s := strings.ToUpper(string(v))
	switch v {
	case VerdictPass:
		return p.good(s)
	case VerdictFail:
		return p.bad(s)
	}
	return p.warn(s)
}

func (p painter) word(w measure.Word) string {
	switch w {
	case measure.Faster:
		return p.good(string(w))
	case measure.Slower:
		return p.bad(string(w))
	}
	return string(w)
}

func (p painter) status(s Status) string {
	switch s {
	case StatusOK:
		return string(s)
	case StatusUnstable, StatusUnsupported:
		return p.warn(string(s))
	}
	return p.bad(string(s))
}

// writeCSV writes a line a cell, numbers as they are.
func (d *Document) writeCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	var names []string
	for _, col := range csvColumns {
		names = append(names, col.name)
	}
	if err := c.Write(names); err != nil {
		return err
	}
	for i := range d.Results {
		var row []string
		for _, col := range csvColumns {
			v := col.value(d, &d.Results[i])
			if v == nil {
				v = ""
			}
			row = append(row, fmt.Sprint(v))
		}
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}
