package plots

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// learningFigure shows what accuracyFigure leaves open, a row a task: test accuracy by epochs, and the training loss by
// epochs and by time; nil where nothing was trained for two epochs or more.
func learningFigure(t *table) *figure {
	curves, targets := t.accuracies()
	f, used := &facets{each: 150, columns: 3}, map[int]bool{}
	for task, name := range t.tasks {
		var own []accuracyCurve
		for _, c := range curves {
			if c.task == task && len(c.epochs) > 1 {
				own, used[c.series] = append(own, c), true
			}
		}
		if len(own) == 0 {
			continue
		}
		by := func(title, x, y string, of func(accuracyCurve) (x, y []float64)) *panel {
			return learningPanel(name+title, x, y, own, of)
		}
		accuracy := by(": accuracy", "epochs", "top-1 accuracy, %", func(c accuracyCurve) (x, y []float64) { return c.epochs, c.top1 })
		accuracy.Y.Tick.Marker = unitTicks{format: percentLabel}
		if target := targets[task]; target > 0 {
			accuracy.Y.Max = max(accuracy.Y.Max, min(1, target+0.02*(1-accuracy.Y.Min)))
			accuracy.Add(plotterFunc(func(c draw.Canvas, p *plot.Plot) { targetLine(c, p, target) }))
		}
		f.panels = append(f.panels, accuracy,
			by(": loss", "epochs", "training loss", func(c accuracyCurve) (x, y []float64) { return c.epochs, c.loss }),
			by(": loss", "time, s", "", func(c accuracyCurve) (x, y []float64) { return c.seconds, c.loss }))
	}
	if len(f.panels) == 0 {
		return nil
	}
	return &figure{
		name: "learning", title: "Accuracy and loss by epochs and time", legend: t.legend(used), height: f.height(), paint: f.paint,
		caption: []string{"Accuracy of the test split after each epoch; loss: the mean over the epoch's training steps. A line a seed; markers stand on the first seed's. Dashed: the target."},
	}
}

func learningPanel(title, xName, yName string, curves []accuracyCurve, of func(accuracyCurve) (x, y []float64)) *panel {
	p := newPanel()
	p.Title.Text, p.xLabel, p.Y.Label.Text = title, xName, yName
	low, high, right := math.Inf(1), math.Inf(-1), 0.0
	for _, c := range curves {
		xs, ys := of(c)
		for i := range xs {
			low, high, right = min(low, ys[i]), max(high, ys[i]), max(right, xs[i])
		}
	}
	pad := max(0.05*(high-low), 1e-3)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, right*1.03, max(0, low-pad), high+pad
	p.X.Tick.Marker, p.Y.Tick.Marker = unitTicks{format: short}, unitTicks{format: short}
	p.Add(grid{x: true, y: true}, plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		x, y := p.Transforms(&c)
		for _, curve := range curves {
			xs, ys := of(curve)
			var line []vg.Point
			for i := range xs {
				line = append(line, vg.Point{X: x(xs[i]), Y: y(ys[i])})
			}
			curve.stroke(&c, line)
		}
	}))
	return p
}
