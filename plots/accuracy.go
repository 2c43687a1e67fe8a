package plots

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// accuracyFigure shows test accuracy over training time, a panel a task; nil where nothing was trained.
func accuracyFigure(t *table) *figure {
	curves, targets := t.accuracies()
	if len(curves) == 0 {
		return nil
	}
	f, used := &facets{each: 190}, map[int]bool{}
	for task, name := range t.tasks {
		var own []accuracyCurve
		for _, c := range curves {
			if c.task == task {
				own, used[c.series] = append(own, c), true
			}
		}
		if len(own) > 0 {
			f.panels = append(f.panels, accuracyPanel(name, own, targets[task], len(f.panels) == 0))
		}
	}
	return &figure{
		name: "accuracy", title: "Accuracy while training", legend: t.legend(used), height: f.height(), paint: f.paint,
		caption: []string{"Test split, evaluation on the clock. A line a seed; markers stand on the first seed's. Dashed: the target."},
	}
}

func accuracyPanel(name string, curves []accuracyCurve, target float64, first bool) *panel {
	p := newPanel()
	p.Title.Text = name
	lowest, highest := math.Inf(1), target
	var times []float64
	for _, c := range curves {
		times = append(times, c.seconds...)
		for _, y := range c.top1 {
			lowest, highest = min(lowest, y), max(highest, y)
		}
	}
	low, high, log := spread(times)
	p.xLabel = "time, s"
	p.X.Min, p.X.Max = 0, high*1.03
	if log && low > 0 && high > 40*low {
		p.xLabel += " (log scale)"
		p.X.Scale = plot.LogScale{}
		p.X.Min, p.X.Max = low/1.1, high*1.1
	} else {
		log = false
	}
	p.X.Tick.Marker = unitTicks{log: log, format: short}
	pad := max(0.05*(highest-lowest), 0.002)
	p.Y.Min, p.Y.Max = max(0, lowest-pad), min(1, highest+pad)
	p.Y.Tick.Marker = unitTicks{format: percentLabel}
	if first {
		p.Y.Label.Text = "top-1 accuracy, %"
	}
	p.Add(grid{x: true, y: true})
	if target > 0 {
		p.Add(plotterFunc(func(c draw.Canvas, p *plot.Plot) { targetLine(c, p, target) }))
	}
	for _, curve := range curves {
		p.Add(plotterFunc(func(c draw.Canvas, p *plot.Plot) { curve.paint(c, p) }))
	}
	return p
}

func targetLine(c draw.Canvas, p *plot.Plot, target float64) {
	_, y := p.Transforms(&c)
	at := y(target)
	c.StrokeLine2(draw.LineStyle{Color: grey, Width: vg.Points(0.8), Dashes: []vg.Length{4, 2.5}}, c.Min.X, at, c.Max.X, at)
	sty := right(textStyle(sizeCaption, grey))
	c.FillText(sty, vg.Point{X: c.Max.X - 2, Y: at - 5}, fmt.Sprintf("target %s %%", percentLabel(target)))
}

// paint draws one run.
func (a accuracyCurve) paint(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	var line []vg.Point
	for i, t := range a.seconds {
		if t >= p.X.Min && t > 0 {
			line = append(line, vg.Point{X: x(t), Y: y(a.top1[i])})
		}
	}
	a.stroke(&c, line)
}

// stroke draws a run's line; further seeds are thinner and have no markers.
func (a accuracyCurve) stroke(c *draw.Canvas, line []vg.Point) {
	s := styleOf(a.series)
	width := vg.Points(0.8)
	if a.first {
		width = vg.Points(1.5)
	}
	c.StrokeLines(s.line(width), line)
	if !a.first {
		return
	}
	every := (len(line) + 19) / 20
	for i, pt := range line {
		if i%every == 0 || i == len(line)-1 {
			c.DrawGlyphNoClip(s.glyph(vg.Points(2.4)), pt)
		}
	}
}
