package results

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clsbench/clsbench/internal/measure"
)

// group is the rows that share a table: one backend, as one file, on one workload.
type group struct {
	workload, subject, implementation, hash, precision, math string
	threads                                                  int
}

func groupOf(r *Result) group {
	g := group{r.Workload, r.Backend, r.Implementation, r.PluginHash[:min(6, len(r.PluginHash))], r.Precision, r.Math, r.Threads}
	if c, err := ParseCell(r.Cell); err == nil {
		g.subject = c.Subject()
	}
	return g
}

// sections are a table for each group, then the comparisons.
func (d *Document) sections(o RenderOptions) []section {
	var order []group
	rows := map[group][]*Result{}
	for i := range d.Results {
		r := &d.Results[i]
		g := groupOf(r)
		if rows[g] == nil {
			order = append(order, g)
		}
		rows[g] = append(rows[g], r)
	}
	var out []section
	for _, g := range order {
		out = append(out, d.groupSection(g, rows[g], painter(o.Color)))
	}
	out = append(out, d.precisions(o)...)
	out = append(out, d.sensitivities(o)...)
	return append(out, d.sideBySide(o)...)
}

func (d *Document) groupSection(g group, rows []*Result, p painter) section {
	s := section{title: g.title(p, worstVerdict(rows))}
	if slices.ContainsFunc(rows, func(r *Result) bool { return r.Throughput != nil && r.Conformance.Cached }) {
		s.title += " (cached)"
	}
	cols := d.columns(rows, p)
	for i, c := range cols {
		s.grid.head = append(s.grid.head, c.head)
		if c.left {
			if s.grid.left == nil {
				s.grid.left = map[int]bool{}
			}
			s.grid.left[i] = true
		}
	}
	for _, r := range rows {
		var row []string
		for _, c := range cols {
			row = append(row, c.cell(r))
		}
		s.grid.rows = append(s.grid.rows, row)
	}
	s.after = append(accuracyLine(rows), troubles(rows, p)...)
	return s
}

func (g group) title(p painter, v Verdict) string {
	who := []string{g.subject}
	for _, s := range []string{g.implementation, g.hash} {
		if s != "" {
			who = append(who, s)
		}
	}
	parts := []string{g.workload, strings.Join(who, " "), g.precision}
	if g.math != "strict" {
		parts = append(parts, p.warn(g.math))
	}
	if g.threads > 0 {
		parts = append(parts, plural(g.threads, "thread"))
	}
	return p.bold(strings.Join(parts, " · ")) + " · conform " + p.verdict(v)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// worstVerdict is that of the rows with figures, or of all where none has.
func worstVerdict(rows []*Result) Verdict {
	order := []Verdict{VerdictFail, VerdictPartial, VerdictNone, VerdictPass}
	worst := func(of func(*Result) bool) int {
		at := len(order)
		for _, r := range rows {
			if of(r) {
				at = min(at, slices.Index(order, r.Conformance.Verdict))
			}
		}
		return at
	}
	at := worst(func(r *Result) bool { return r.Throughput != nil })
	if at == len(order) {
		at = worst(func(*Result) bool { return true })
	}
	return order[max(at, 0)]
}

type column struct {
	head string
	left bool
	cell func(*Result) string
}

// columns are those of the table; a column that no row fills is left out.
func (d *Document) columns(rows []*Result, p painter) []column {
	cols := []column{
		{"", true, func(r *Result) string { return rowName(r) }},
		{"img/s", false, func(r *Result) string {
			if t := shown(r); t != nil {
				return FormatRate(t.Median)
			}
			return Missing
		}},
		{intervalHead(rows), true, func(r *Result) string {
			if t := shown(r); t != nil {
				return FormatRate(t.Low) + "–" + FormatRate(t.High)
			}
			return Missing
		}},
		latencyColumn("p50", func(l *Latency) *float64 { return &l.P50 }),
		latencyColumn("p90", func(l *Latency) *float64 { return l.P90 }),
	}
	if d.Run.Effort.Name == measure.Publish.Name {
		cols = append(cols, latencyColumn("p99", func(l *Latency) *float64 { return l.P99 }))
	}
	cols = append(cols,
		column{"peak", false, func(r *Result) string {
			if r.PeakShare == nil || shown(r) == nil {
				return Missing
			}
			return FormatShare(*r.PeakShare)
		}},
		column{"RSS", false, func(r *Result) string {
			if r.Memory == nil {
				return Missing
			}
			return FormatBytes(r.Memory.Peak)
		}})
	if slices.ContainsFunc(rows, func(r *Result) bool { return r.Memory != nil && r.Memory.Device != nil }) {
		cols = append(cols, column{"device", false, func(r *Result) string {
			if r.Memory == nil || r.Memory.Device == nil {
				return Missing
			}
			return FormatBytes(r.Memory.Device.Used)
		}})
	}
	if slices.ContainsFunc(rows, func(r *Result) bool { return remarks(r, p) != "" }) {
		cols = append(cols, column{"", true, func(r *Result) string { return remarks(r, p) }})
	}
	return cols
}

func latencyColumn(head string, of func(*Latency) *float64) column {
	return column{head, false, func(r *Result) string {
		if r.Latency == nil || shown(r) == nil || of(r.Latency) == nil {
			return Missing
		}
		return FormatMillis(*of(r.Latency))
	}}
}

// shown is the throughput unless it is not to be believed.
func shown(r *Result) *Throughput {
	if !r.Measured() {
		return nil
	}
	return r.Throughput
}

// rowName is what was asked: "infer b32 scenario=server".
func rowName(r *Result) string {
	name := fmt.Sprintf("%s b%d", r.Mode, r.Batch)
	if c, err := ParseCell(r.Cell); err == nil {
		_, settings, _ := strings.Cut(c.Task(), ";")
		name = strings.TrimSpace(name + " " + strings.ReplaceAll(settings, ";", " "))
	}
	return name
}

func remarks(r *Result, p painter) string {
	var out []string
	if r.Status != StatusOK {
		out = append(out, p.status(r.Status))
	}
	return strings.Join(append(out, r.Flags...), " ")
}

// intervalHead names the interval's column: "95 % CI (6 rounds)", or "range (3 rounds)" of too few.
func intervalHead(rows []*Result) string {
	fewest, most, bounded, ranges := 0, 0, 0, 0
	for _, r := range rows {
		t := shown(r)
		if t == nil {
			continue
		}
		n := len(t.Rounds)
		if fewest == 0 || n < fewest {
			fewest = n
		}
		most = max(most, n)
		if t.Bounded() {
			bounded++
		} else {
			ranges++
		}
	}
	what := "95 % CI"
	switch {
	case ranges > 0 && bounded > 0:
		what = "95 % CI or range"
	case ranges > 0:
		what = "range"
	}
	switch {
	case most == 0:
		return what
	case fewest == most:
		return fmt.Sprintf("%s (%s)", what, plural(most, "round"))
	}
	return fmt.Sprintf("%s (%d–%d rounds)", what, fewest, most)
}

// accuracyLine is the accuracy reached, and what the harness costs.
func accuracyLine(rows []*Result) []string {
	var parts []string
	for _, r := range rows {
		if r.Accuracy != nil && r.Mode == "train" && r.Measured() {
			parts = append(parts, r.Accuracy.line())
		}
	}
	if len(parts) == 0 {
		if i := slices.IndexFunc(rows, func(r *Result) bool { return r.Accuracy != nil && r.Measured() }); i >= 0 {
			parts = append(parts, "accuracy "+percent(rows[i].Accuracy.Top1))
		}
	}
	var overheads []float64
	for _, r := range rows {
		if r.HarnessMicros != nil {
			overheads = append(overheads, *r.HarnessMicros)
		}
	}
	if len(overheads) > 0 {
		slices.Sort(overheads)
		parts = append(parts, fmt.Sprintf("harness %.1f µs/step", measure.Quantile(overheads, 0.5)))
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{strings.Join(parts, " · ")}
}

func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

// line says "accuracy 98.7 % in 12 s (1 seed)", with a target "accuracy 98.7 %, 98.0 % reached in 8.2 s (3 seeds)".
func (a *Accuracy) line() string {
	s := "accuracy " + percent(a.Top1)
	if len(a.Runs) == 0 {
		return s
	}
	reached := 0
	for _, r := range a.Runs {
		if r.Reached {
			reached++
		}
	}
	switch {
	case a.Target == 0:
	case reached == 0:
		return fmt.Sprintf("%s, %s not reached (%s)", s, percent(a.Target), plural(len(a.Runs), "seed"))
	default:
		s += ", " + percent(a.Target) + " reached"
	}
	s += " in " + seconds(a.Seconds)
	if reached < len(a.Runs) && a.Target > 0 {
		return fmt.Sprintf("%s (%d of %s)", s, reached, plural(len(a.Runs), "seed"))
	}
	return fmt.Sprintf("%s (%s)", s, plural(len(a.Runs), "seed"))
}

// seconds writes a span of time as people say it.
func seconds(s float64) string {
	switch {
	case s < 9.95:
		return fmt.Sprintf("%.1f s", s)
	case s < 600:
		return fmt.Sprintf("%.0f s", s)
	}
	return fmt.Sprintf("%.0f min", s/60)
}

// maxTroubles bounds the failed cases shown of one row; the document has all.
const maxTroubles = 3

// troubles says of each row that is not ok why, and which cases failed.
func troubles(rows []*Result, p painter) []string {
	var out []string
	worst := worstVerdict(rows)
	for _, r := range rows {
		name := rowName(r)
		if c := r.Cause; c != nil {
			out = append(out, fmt.Sprintf("%s %s %s: %s", p.bad("!"), name, r.Status, c))
		}
		v := r.Conformance
		if r.Throughput != nil && v.Verdict != VerdictPass && (v.Verdict != worst || v.Total > 0) {
			out = append(out, fmt.Sprintf("%s %s: conform %s, %d/%d", p.warn("!"), name, p.verdict(v.Verdict), v.Passed, v.Total))
		}
		fs := v.Failures
		for _, f := range fs[:min(len(fs), maxTroubles)] {
			out = append(out, "  "+f.String())
		}
		if n := len(fs) - maxTroubles; n > 0 {
			out = append(out, fmt.Sprintf("  and %d more", n))
		}
	}
	return out
}

// String is "conv/…: 3.2 × the bound: message".
func (f Failure) String() string {
	s := f.Case + ": "
	if f.Error != nil {
		s += significant(*f.Error) + " × the bound: "
	}
	return s + f.Message
}

// String is the message, the place and the end of the plugin's log.
func (c *Cause) String() string {
	s := c.Message
	if c.Node != "" {
		s += fmt.Sprintf(", node %s (%s)", c.Node, c.Op)
	}
	if n := len(c.LogTail); n > 0 {
		s += fmt.Sprintf("; its log ends %q", c.LogTail[n-1])
	}
	return s
}

// width is how many columns a cell takes, without colours. All characters in use are one column wide.
func width(s string) int {
	for {
		i := strings.IndexByte(s, '\x1b')
		if i < 0 {
			return utf8.RuneCountInString(s)
		}
		j := strings.IndexByte(s[i:], 'm')
		if j < 0 {
			return utf8.RuneCountInString(s[:i])
		}
		s = s[:i] + s[i+j+1:]
	}
}
