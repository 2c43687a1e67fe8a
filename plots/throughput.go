package plots

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
)

// throughputFigure shows each cell's throughput with its interval; nil where there is no figure.
func throughputFigure(t *table) *figure {
	rows := t.rates()
	if rows == nil {
		return nil
	}
	var places []place
	var ends []float64
	for _, r := range rows {
		places = append(places, r.place)
		ends = append(ends, r.rate.Low, r.rate.High)
	}
	low, high, log := spread(ends)
	chart := &rowChart{slots: slotsOf(t, places), columns: []column{{
		head:  "images/s (interval)",
		words: func(i int) string { return rateWords(rows[i]) },
		axis:  func(p *panel) { rateAxis(p, low, high, log) },
		mark: func(i int, c *draw.Canvas, x func(float64) vg.Length, y vg.Length) {
			r := rows[i]
			if r.rate.Median == 0 {
				write(*c, textStyle(sizeText, grey), c.Min.X+4, y, r.remark)
				return
			}
			markInterval(c, styleOf(r.series), x, y, r.rate, r.remark != "")
		},
	}}}
	f := &figure{name: "throughput", title: "Throughput", height: chart.height(), paint: chart.paint}
	f.caption = []string{"Marker: median over " + t.roundsOf() + "; bar: its interval (95 % from 6 rounds on). Hollow: not steady, or not passed by conformance."}
	return f
}

// markInterval draws a median with its interval.
func markInterval(c *draw.Canvas, s style, x func(float64) vg.Length, y vg.Length, e measure.Estimate, hollow bool) {
	c.StrokeLine2(draw.LineStyle{Color: s.color, Width: vg.Points(1.6)}, x(e.Low), y, x(e.High), y)
	for _, end := range []float64{e.Low, e.High} {
		c.StrokeLine2(draw.LineStyle{Color: s.color, Width: vg.Points(1.2)}, x(end), y-3.5, x(end), y+3.5)
	}
	g := s.glyph(vg.Points(2.5))
	if hollow {
		g = s.hollow(vg.Points(2.5))
	}
	c.DrawGlyph(g, vg.Point{X: x(e.Median), Y: y})
}

func rateWords(r rateRow) string {
	if r.rate.Median == 0 {
		return results.Missing
	}
	s := results.FormatRate(r.rate.Median) + " (" + results.FormatRate(r.rate.Low) + "–" + results.FormatRate(r.rate.High) + ")"
	if r.remark != "" {
		s += " " + r.remark
	}
	return s
}

// rateAxis makes p's x axis one of images/s.
func rateAxis(p *panel, low, high float64, log bool) {
	amountAxis(p, low, high, log)
	p.xLabel = "throughput, images/s" + p.xLabel
	p.X.Tick.Marker = unitTicks{log: log, format: rateLabel}
}

// amountAxis makes p's x axis one of amounts: from 0, or logarithmic, which its label then says, where they are more
// than ten times apart.
func amountAxis(p *panel, low, high float64, log bool) {
	p.X.Min, p.X.Max = 0, high*1.04
	if log {
		p.xLabel += " (log scale)"
		p.X.Scale = plot.LogScale{}
		p.X.Min, p.X.Max = low/1.3, high*1.3
	}
}
