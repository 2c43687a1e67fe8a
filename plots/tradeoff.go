package plots

import (
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// tradeoffFigure shows throughput against accuracy, a panel a mode; nil where no cell has both.
func tradeoffFigure(t *table) *figure {
	points := t.tradeoffs()
	if len(points) == 0 {
		return nil
	}
	f, used := &facets{each: 200}, map[int]bool{}
	var modes []string
	for _, x := range points {
		if !slices.Contains(modes, x.mode) {
			modes = append(modes, x.mode)
		}
	}
	bottom, top := accuracyRange(points)
	for i, m := range modes {
		var own []tradeoff
		for _, x := range points {
			if x.mode == m {
				own, used[x.series] = append(own, x), true
			}
		}
		f.panels = append(f.panels, tradeoffPanel(t, m, own, bottom, top, i == 0))
	}
	return &figure{
		name: "throughput-accuracy", title: "Throughput against accuracy", legend: t.legend(used),
		height: f.height(), paint: f.paint,
		caption: []string{"Marker: median throughput, accuracy at the end; bars: interval over rounds, range over seeds. Hollow: not steady, or not passed by conformance."},
	}
}

// accuracyRange is the range of the y axis, the same in all panels.
func accuracyRange(points []tradeoff) (bottom, top float64) {
	bottom, top = 1, 0
	for _, x := range points {
		bottom, top = min(bottom, x.low), max(top, x.high)
	}
	pad := max(0.25*(top-bottom), 0.004)
	return max(0, bottom-pad), min(1.002, top+pad)
}

func tradeoffPanel(t *table, mode string, points []tradeoff, bottom, top float64, first bool) *panel {
	p := newPanel()
	p.Title.Text = mode
	var rates []float64
	for _, x := range points {
		rates = append(rates, x.rate.Low, x.rate.High)
	}
	low, high, log := spread(rates)
	rateAxis(p, low, high, log)
	if log {
		p.X.Min, p.X.Max = low/2, high*2
	} else {
		p.X.Max = high * 1.15
	}
	p.Y.Min, p.Y.Max = bottom, top
	p.Y.Tick.Marker = unitTicks{format: percentLabel}
	if first {
		p.Y.Label.Text = "top-1 accuracy, %"
	}
	p.Add(grid{x: true, y: true}, plotterFunc(func(c draw.Canvas, p *plot.Plot) { paintTradeoffs(c, p, t, points) }))
	return p
}

func paintTradeoffs(c draw.Canvas, p *plot.Plot, t *table, points []tradeoff) {
	x, y := p.Transforms(&c)
	var taken []vg.Rectangle
	for _, pt := range points {
		s := styleOf(pt.series)
		at := vg.Point{X: x(pt.rate.Median), Y: y(pt.top1)}
		bar := draw.LineStyle{Color: s.color, Width: vg.Points(1)}
		c.StrokeLine2(bar, x(pt.rate.Low), at.Y, x(pt.rate.High), at.Y)
		c.StrokeLine2(bar, at.X, y(pt.low), at.X, y(pt.high))
		g := s.glyph(vg.Points(3))
		if pt.remark != "" {
			g = s.hollow(vg.Points(3))
		}
		c.DrawGlyphNoClip(g, at)
		taken = append(taken, around(at, 8, 8))
	}
	label := textStyle(sizeCaption, grey)
	label.XAlign = draw.XCenter
	for _, pt := range labelled(points) {
		name := strings.Replace(t.tasks[pt.task], pt.mode+" ", "", 1) // the panel's title says the mode
		w := label.Width(name)
		at := vg.Point{X: min(x(pt.rate.Median), c.Max.X-w/2), Y: y(pt.top1)}
		for _, dy := range []vg.Length{9, -9, 17, -17, 25, -25} {
			r := around(vg.Point{X: at.X, Y: at.Y + dy}, w, 7)
			free := r.Max.Y < c.Max.Y && r.Min.Y > c.Min.Y && !slices.ContainsFunc(taken, func(o vg.Rectangle) bool { return overlap(r, o) })
			if free {
				write(c, label, at.X, at.Y+dy, name)
				taken = append(taken, r)
				break
			}
		}
	}
}

// maxLabels is how many points are each labelled with their task; of more, one of each task, the fastest.
const maxLabels = 12

func labelled(points []tradeoff) []tradeoff {
	if len(points) <= maxLabels {
		return points
	}
	fastest := map[int]tradeoff{}
	var tasks []int
	for _, p := range points {
		if best, seen := fastest[p.task]; !seen {
			tasks = append(tasks, p.task)
			fastest[p.task] = p
		} else if p.rate.Median > best.rate.Median {
			fastest[p.task] = p
		}
	}
	var out []tradeoff
	for _, task := range tasks {
		out = append(out, fastest[task])
	}
	return out
}

func around(at vg.Point, w, h vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: at.X - w/2, Y: at.Y - h/2}, Max: vg.Point{X: at.X + w/2, Y: at.Y + h/2}}
}

func overlap(a, b vg.Rectangle) bool {
	return a.Min.X < b.Max.X && b.Min.X < a.Max.X && a.Min.Y < b.Max.Y && b.Min.Y < a.Max.Y
}
