package plots

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// rowChart lists rows below each other, as a forest plot does: their names on the left, under the name of their task
// where there are several series, a mark on a common axis, and the figures in words on the right.
type rowChart struct {
	slots []slot
	head  string // of the words on the right
	axis  func(*panel)
	mark  func(row int, c *draw.Canvas, x func(float64) vg.Length, y vg.Length)
}

// slot is a line of the chart: a heading, or a row.
type slot struct {
	row    int // -1 is a heading
	series int // of a row; -1 is no marker beside its name
	name   string
	words  string
}

const (
	rowHeight  = vg.Length(13)
	nameWidth  = vg.Length(165) // at most
	rowGap     = vg.Length(8)
	axisHeight = vg.Length(30)
)

// slotsOf puts rows, given by their places, under headings. Words are what stands on the right of each.
func slotsOf(t *table, places []place, words func(row int) string) []slot {
	var slots []slot
	for i, p := range places {
		s := slot{row: i, series: p.series, name: t.series[p.series], words: words(i)}
		if len(t.series) == 1 {
			s.series, s.name = -1, t.tasks[p.task]
		} else if i == 0 || places[i-1].task != p.task {
			slots = append(slots, slot{row: -1, series: -1, name: t.tasks[p.task]})
		}
		slots = append(slots, s)
	}
	return slots
}

func (r *rowChart) height() vg.Length {
	return rowHeight*vg.Length(len(r.slots)) + axisHeight + rowHeight
}

// paint draws the chart.
func (r *rowChart) paint(c draw.Canvas) {
	label, words := textStyle(sizeText, ink), textStyle(sizeText, ink)
	left, wide := vg.Length(0), words.Width(r.head)
	for _, s := range r.slots {
		sty := label
		if s.row < 0 {
			sty = bold(label)
		}
		indent := vg.Length(0)
		if s.series >= 0 {
			indent = 14
		}
		left = max(left, min(nameWidth, sty.Width(s.name)+indent))
		wide = max(wide, words.Width(s.words))
	}
	p := newPanel()
	r.axis(p)
	p.HideY()
	p.Y.Min, p.Y.Max = 0, float64(len(r.slots))
	p.Add(grid{x: true}, plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		x, y := p.Transforms(&c)
		write(c, textStyle(sizeText, grey), c.Max.X+rowGap, c.Max.Y+rowHeight/2, r.head)
		for i, s := range r.slots {
			at := y(float64(len(r.slots)-i) - 0.5)
			begin := c.Min.X - rowGap - left
			if s.row < 0 {
				write(c, bold(label), begin, at-1, shorten(bold(label), s.name, left))
				continue
			}
			c.StrokeLine2(draw.LineStyle{Color: faint, Width: vg.Points(0.5), Dashes: []vg.Length{1, 2}}, c.Min.X, at, c.Max.X, at)
			if s.series >= 0 {
				c.DrawGlyphNoClip(styleOf(s.series).glyph(vg.Points(2.6)), vg.Point{X: begin + 6, Y: at})
				write(c, label, begin+14, at, shorten(label, s.name, left-14))
			} else {
				write(c, label, begin, at, shorten(label, s.name, left))
			}
			write(c, words, c.Max.X+rowGap, at, s.words)
			r.mark(s.row, &c, x, at)
		}
	}))
	p.drawAbove(draw.Crop(c, left+rowGap, -wide-rowGap, xLabelHeight, -rowHeight))
}

// plotterFunc makes a function a plot.Plotter.
type plotterFunc func(draw.Canvas, *plot.Plot)

// Plot implements plot.Plotter.
func (f plotterFunc) Plot(c draw.Canvas, p *plot.Plot) { f(c, p) }
