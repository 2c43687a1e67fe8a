package plots

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// rowChart lists rows below each other, as a forest plot does: their names on the left, under the name of what they
// share, and in each column a mark on a common axis, and the figure in words to the right of it.
type rowChart struct {
	slots   []slot
	columns []column
}

// column is one quantity of every row.
type column struct {
	head  string // of the words
	words func(row int) string
	axis  func(*panel)
	mark  func(row int, c *draw.Canvas, x func(float64) vg.Length, y vg.Length)
}

// slot is a line of the chart: a heading, or a row.
type slot struct {
	row   int // -1 is a heading
	style int // of the marker beside a row's name; -1 is none
	name  string
}

const (
	rowHeight  = vg.Length(13)
	nameWidth  = vg.Length(165) // at most
	nameIndent = vg.Length(14)  // of a name with a marker
	rowGap     = vg.Length(8)
	axisHeight = vg.Length(30)
)

// slotsOf puts rows, given by their places, under headings.
func slotsOf(t *table, places []place) []slot {
	var slots []slot
	for i, p := range places {
		s := slot{row: i, style: p.series, name: t.series[p.series]}
		if len(t.series) == 1 {
			s.style, s.name = -1, t.tasks[p.task]
		} else if i == 0 || places[i-1].task != p.task {
			slots = append(slots, slot{row: -1, style: -1, name: t.tasks[p.task]})
		}
		slots = append(slots, s)
	}
	return slots
}

func (r *rowChart) height() vg.Length {
	return rowHeight*vg.Length(len(r.slots)) + axisHeight + rowHeight
}

// paint draws the chart: the columns share what the names leave.
func (r *rowChart) paint(c draw.Canvas) {
	left := r.nameWidth()
	wide := (c.Max.X - c.Min.X - left) / vg.Length(len(r.columns))
	for i, col := range r.columns {
		at := draw.Canvas{Canvas: c.Canvas, Rectangle: c.Rectangle}
		at.Min.X = c.Min.X + left + wide*vg.Length(i)
		at.Max.X = at.Min.X + wide
		names := func(draw.Canvas, func(float64) vg.Length) {}
		if i == 0 {
			names = func(at draw.Canvas, y func(float64) vg.Length) { r.paintNames(at, c.Min.X, left, y) }
		}
		r.paintColumn(at, col, names)
	}
}

// nameWidth is the room for the names of rows and headings.
func (r *rowChart) nameWidth() vg.Length {
	label, left := textStyle(sizeText, ink), vg.Length(0)
	for _, s := range r.slots {
		sty, indent := label, vg.Length(0)
		if s.row < 0 {
			sty = bold(label)
		}
		if s.style >= 0 {
			indent = nameIndent
		}
		left = max(left, min(nameWidth, sty.Width(s.name)+indent))
	}
	return left
}

// at is where slot i stands on the y axis.
func (r *rowChart) at(i int) float64 { return float64(len(r.slots)-i) - 0.5 }

// paintNames writes the names of rows and headings from begin on, beside the first column's axis.
func (r *rowChart) paintNames(c draw.Canvas, begin, left vg.Length, y func(float64) vg.Length) {
	label := textStyle(sizeText, ink)
	for i, s := range r.slots {
		at := y(r.at(i))
		switch {
		case s.row < 0:
			write(c, bold(label), begin, at-1, shorten(bold(label), s.name, left))
		case s.style >= 0:
			c.DrawGlyphNoClip(styleOf(s.style).glyph(vg.Points(2.6)), vg.Point{X: begin + 6, Y: at})
			write(c, label, begin+nameIndent, at, shorten(label, s.name, left-nameIndent))
		default:
			write(c, label, begin, at, shorten(label, s.name, left))
		}
	}
}

// paintColumn draws one column; names draws what stands to its left.
func (r *rowChart) paintColumn(c draw.Canvas, col column, names func(draw.Canvas, func(float64) vg.Length)) {
	words := textStyle(sizeText, ink)
	wide := words.Width(col.head)
	for _, s := range r.slots {
		if s.row >= 0 {
			wide = max(wide, words.Width(col.words(s.row)))
		}
	}
	p := newPanel()
	col.axis(p)
	p.HideY()
	p.Y.Min, p.Y.Max = 0, float64(len(r.slots))
	p.Add(grid{x: true}, plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		x, y := p.Transforms(&c)
		write(c, textStyle(sizeText, grey), c.Max.X+rowGap, c.Max.Y+rowHeight/2, col.head)
		names(c, y)
		for i, s := range r.slots {
			if s.row < 0 {
				continue
			}
			at := y(r.at(i))
			c.StrokeLine2(draw.LineStyle{Color: faint, Width: vg.Points(0.5), Dashes: []vg.Length{1, 2}}, c.Min.X, at, c.Max.X, at)
			write(c, words, c.Max.X+rowGap, at, col.words(s.row))
			col.mark(s.row, &c, x, at)
		}
	}))
	p.drawAbove(draw.Crop(c, rowGap, -wide-rowGap, xLabelHeight, -rowHeight))
}

// plotterFunc makes a function a plot.Plotter.
type plotterFunc func(draw.Canvas, *plot.Plot)

// Plot implements plot.Plotter.
func (f plotterFunc) Plot(c draw.Canvas, p *plot.Plot) { f(c, p) }
