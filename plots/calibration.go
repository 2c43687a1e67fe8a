package plots

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// calibrationFigure is a reliability diagram (Guo et al. 2017, figure 1): how often an answer of some confidence is
// right, a panel a task; nil where no cell says.
func calibrationFigure(t *table) *figure {
	f, used := &facets{each: 210}, map[int]bool{}
	for task, name := range t.tasks {
		var own []tested
		for _, x := range t.tests() {
			if x.task == task && len(x.test.Calibration) > 0 {
				own, used[x.series] = append(own, x), true
			}
		}
		if len(own) > 0 {
			f.panels = append(f.panels, calibrationPanel(name, own, len(f.panels) == 0))
		}
	}
	if len(f.panels) == 0 {
		return nil
	}
	return &figure{
		name: "calibration", title: "How sure answers are, and how often right", legend: t.legend(used), height: f.height(), paint: f.paint,
		caption: []string{"Images by the softmax probability of the answer, in bins of equal width; the larger a marker, the more images. On the dashed line a model is as often right as it is sure. ECE: expected calibration error. Test split, first seed."},
	}
}

func calibrationPanel(name string, tests []tested, first bool) *panel {
	p := newPanel()
	p.Title.Text, p.xLabel = name, "confidence, %"
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	p.X.Tick.Marker, p.Y.Tick.Marker = unitTicks{format: percentLabel}, unitTicks{format: percentLabel}
	if first {
		p.Y.Label.Text = "right, %"
	}
	p.Add(grid{x: true, y: true}, plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		x, y := p.Transforms(&c)
		c.StrokeLine2(draw.LineStyle{Color: grey, Width: vg.Points(0.8), Dashes: []vg.Length{4, 2.5}}, x(0), y(0), x(1), y(1))
		for i, s := range tests {
			paintBins(&c, s, x, y)
			words := right(textStyle(sizeCaption, styleOf(s.series).color))
			write(c, words, c.Max.X-3, c.Min.Y+6+8*vg.Length(len(tests)-1-i), fmt.Sprintf("ECE %.2f %%", 100*s.test.CalibrationError))
		}
	}))
	return p
}

// paintBins draws a line through the bins that have images.
func paintBins(c *draw.Canvas, s tested, x, y func(float64) vg.Length) {
	look := styleOf(s.series)
	var line []vg.Point
	var radii []vg.Length
	for _, b := range s.test.Calibration {
		if b.Images > 0 {
			share := float64(b.Images) / float64(s.test.Images)
			line = append(line, vg.Point{X: x(b.Confidence), Y: y(float64(b.Correct) / float64(b.Images))})
			radii = append(radii, vg.Points(1.4+3*share))
		}
	}
	c.StrokeLines(look.line(vg.Points(1.2)), line)
	for i, at := range line {
		c.DrawGlyphNoClip(look.glyph(radii[i]), at)
	}
}
