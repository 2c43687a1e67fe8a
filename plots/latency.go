package plots

import (
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// latencyFigure shows the distribution of each cell's latencies, a panel a task; nil where there are none.
func latencyFigure(t *table) *figure {
	curves := t.latencies()
	if len(curves) == 0 {
		return nil
	}
	f, used := &facets{each: 165}, map[int]bool{}
	for task, name := range t.tasks {
		var own []latencyCurve
		for _, c := range curves {
			if c.task == task {
				own, used[c.series] = append(own, c), true
			}
		}
		if len(own) > 0 {
			f.panels = append(f.panels, latencyPanel(name, own, len(f.panels) == 0))
		}
	}
	return &figure{
		name: "latency", title: "Latency of a step", legend: t.legend(used), height: f.height(), paint: f.paint,
		caption: []string{"Every step waited for. Filled marker: median; hollow: 90th percentile, where there are samples enough (64)."},
	}
}

func latencyPanel(name string, curves []latencyCurve, first bool) *panel {
	p := newPanel()
	p.Title.Text = name
	var ends []float64
	for _, c := range curves {
		ends = append(ends, c.ms[0], c.ms[len(c.ms)-1])
	}
	low, high := slices.Min(ends), slices.Max(ends)
	p.X.Scale = plot.LogScale{}
	p.X.Min, p.X.Max = low/1.02, high*1.02
	p.xLabel = "time (log scale)"
	p.X.Tick.Marker = unitTicks{log: true, format: timeLabel}
	p.Y.Min, p.Y.Max = 0, 1
	if first {
		p.Y.Label.Text = "share of steps, %"
	}
	p.Y.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: 0.25}, {Value: 0.5, Label: "50"}, {Value: 0.75}, {Value: 0.9, Label: "90"}, {Value: 1, Label: "100"}}
	p.Add(grid{x: true, y: true})
	for _, curve := range curves {
		p.Add(plotterFunc(func(c draw.Canvas, p *plot.Plot) { curve.paint(c, p) }))
	}
	return p
}

// paint draws the steps of the distribution and its percentiles.
func (l latencyCurve) paint(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	line := []vg.Point{{X: x(l.ms[0]), Y: y(0)}}
	for i, ms := range l.ms {
		line = append(line, vg.Point{X: x(ms), Y: line[len(line)-1].Y}, vg.Point{X: x(ms), Y: y(l.shares[i])})
	}
	s := styleOf(l.series)
	c.StrokeLines(s.line(vg.Points(1.4)), line)
	for _, m := range l.marks {
		g := s.glyph(vg.Points(2.8))
		if m.share != 0.5 {
			g = s.hollow(vg.Points(2.8))
		}
		c.DrawGlyphNoClip(g, vg.Point{X: x(m.ms), Y: y(m.share)})
	}
}
