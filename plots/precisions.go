package plots

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
)

// precisionRow is a cell of inference beside those of the same task in other precisions.
type precisionRow struct {
	group     string // what it shares with those: "lenet5 b32 · cpu"
	name      string // its precision, and how it is quantized
	top1      float64
	evaluated bool
	bytes     float64
	rate      measure.Estimate // images/s; zero where there is no figure
	remark    string
}

// precisions gives, for each task and series with several precisions, a row a precision: those that were measured and
// whose size is known.
func (t *table) precisions() []precisionRow {
	var order []string
	groups, kinds, workloads := map[string][]precisionRow{}, map[string][]string{}, []string{}
	t.each(func(_ place, r *results.Result) {
		if c, err := results.ParseCell(r.Cell); err == nil && !slices.Contains(workloads, c.Workload) {
			workloads = append(workloads, c.Workload)
		}
	})
	t.each(func(p place, r *results.Result) {
		c, err := results.ParseCell(r.Cell)
		if err != nil || r.Mode != "infer" || r.Model == nil || !r.Measured() {
			return
		}
		row := precisionRow{group: precisionGroup(c, len(workloads) > 1), name: c.Precision, bytes: float64(r.Model.Bytes), remark: remark(r)}
		if len(t.series) > 1 {
			row.group += " · " + t.series[p.series]
		}
		if r.Quantization != nil {
			row.name += " " + r.Quantization.Recipe
		}
		if r.Accuracy != nil {
			row.top1, row.evaluated = r.Accuracy.Top1, true
		}
		if r.Throughput != nil {
			row.rate = r.Throughput.Estimate
		}
		if groups[row.group] == nil {
			order = append(order, row.group)
		}
		groups[row.group] = append(groups[row.group], row)
		kinds[row.group] = append(kinds[row.group], c.Precision)
	})
	var rows []precisionRow
	for _, g := range order {
		if slices.ContainsFunc(kinds[g], func(k string) bool { return k != kinds[g][0] }) {
			rows = append(rows, groups[g]...)
		}
	}
	return rows
}

// precisionGroup names a cell's task but for precision, quantization and mode.
func precisionGroup(c results.Cell, withWorkload bool) string {
	var parts []string
	if withWorkload {
		parts = append(parts, c.Workload)
	}
	parts = append(parts, fmt.Sprintf("b%d", c.Batch))
	_, settings, _ := strings.Cut(c.Task(), ";")
	for _, s := range strings.FieldsFunc(settings, func(r rune) bool { return r == ';' }) {
		if !strings.HasPrefix(s, results.KeyQuant+"=") {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " ")
}

// precisionsFigure shows accuracy, size on disk and speed of inference in several precisions side by side; nil where no
// task has more than one.
func precisionsFigure(t *table) *figure {
	rows := t.precisions()
	if len(rows) == 0 {
		return nil
	}
	var names []string
	chart := &rowChart{}
	for i, r := range rows {
		if i == 0 || rows[i-1].group != r.group {
			chart.slots = append(chart.slots, slot{row: -1, style: -1, name: r.group})
		}
		if !slices.Contains(names, r.name) {
			names = append(names, r.name)
		}
		chart.slots = append(chart.slots, slot{row: i, style: slices.Index(names, r.name), name: r.name})
	}
	look := func(i int) style { return styleOf(slices.Index(names, rows[i].name)) }
	chart.columns = []column{accuracyColumn(rows, look), sizeColumn(rows, look), speedColumn(rows, look)}
	return &figure{name: "precisions", title: "Precisions side by side: accuracy, size, speed", height: chart.height(), paint: chart.paint,
		caption: []string{"Inference. Accuracy: top-1 of the test split, of weights trained in the row's precision (int8: in f32). Size: what the network's " +
			"tensors take in a file. Throughput: median and interval over rounds. Hollow: not steady, or not passed by conformance."}}
}

// accuracyColumn has an axis that shows differences, and does not begin at 0.
func accuracyColumn(rows []precisionRow, look func(int) style) column {
	low, high := 1.0, 0.0
	for _, r := range rows {
		if r.evaluated {
			low, high = min(low, r.top1), max(high, r.top1)
		}
	}
	if low > high {
		low, high = 0, 1
	}
	pad := max(0.15*(high-low), 0.002)
	return column{
		words: func(i int) string {
			if !rows[i].evaluated {
				return results.Missing
			}
			return fmt.Sprintf("%.2f", 100*rows[i].top1)
		},
		axis: func(p *panel) {
			p.xLabel = "top-1 accuracy, %"
			p.X.Min, p.X.Max = max(0, low-pad), min(1, high+pad)
			p.X.Tick.Marker = unitTicks{format: percentLabel}
		},
		mark: func(i int, c *draw.Canvas, x func(float64) vg.Length, y vg.Length) {
			if rows[i].evaluated {
				c.DrawGlyphNoClip(look(i).glyph(vg.Points(2.5)), vg.Point{X: x(rows[i].top1), Y: y})
			}
		},
	}
}

func sizeColumn(rows []precisionRow, look func(int) style) column {
	var sizes []float64
	for _, r := range rows {
		sizes = append(sizes, r.bytes)
	}
	low, high, log := spread(sizes)
	unit, name := 1024.0, "KiB"
	if high >= mebi {
		unit, name = mebi, "MiB"
	}
	return column{
		words: func(i int) string { return results.FormatBytes(int64(rows[i].bytes)) },
		axis: func(p *panel) {
			amountAxis(p, low/unit, high/unit, log)
			p.xLabel = "size on disk, " + name + p.xLabel
			p.X.Tick.Marker = unitTicks{log: log, format: short}
		},
		mark: func(i int, c *draw.Canvas, x func(float64) vg.Length, y vg.Length) {
			s := look(i)
			at := vg.Point{X: x(rows[i].bytes / unit), Y: y}
			if !log {
				c.StrokeLine2(draw.LineStyle{Color: s.color, Width: vg.Points(1.6)}, x(0), y, at.X, y)
			}
			c.DrawGlyph(s.glyph(vg.Points(2.5)), at)
		},
	}
}

func speedColumn(rows []precisionRow, look func(int) style) column {
	var rates []float64
	for _, r := range rows {
		rates = append(rates, r.rate.Low, r.rate.High)
	}
	low, high, log := spread(rates)
	if high == 0 {
		low, high, log = 0, 1, false
	}
	return column{
		words: func(i int) string {
			if rows[i].rate.Median == 0 {
				return results.Missing
			}
			return results.FormatRate(rows[i].rate.Median)
		},
		axis: func(p *panel) {
			amountAxis(p, low, high, log)
			p.xLabel = "images/s" + p.xLabel
			p.X.Tick.Marker = unitTicks{log: log, format: rateLabel}
		},
		mark: func(i int, c *draw.Canvas, x func(float64) vg.Length, y vg.Length) {
			if rows[i].rate.Median > 0 {
				markInterval(c, look(i), x, y, rows[i].rate, rows[i].remark != "")
			}
		},
	}
}
