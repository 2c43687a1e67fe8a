package plots

import (
	"bytes"
	"fmt"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// figure is a plot with its title, legend and caption. Widths are fixed, heights follow from what is in it.
type figure struct {
	name    string // of the file
	title   string
	legend  []entry
	height  vg.Length // of the part that paint draws
	paint   func(draw.Canvas)
	caption []string
}

// entry is one of a legend.
type entry struct {
	label string
	thumb func(c *draw.Canvas, box vg.Rectangle)
}

// Measures of a page's column, in points.
const (
	figureWidth = 7 * vg.Inch
	margin      = vg.Length(8)
	thumbWidth  = vg.Length(26)
	lineHeight  = vg.Length(12)
	captionLine = vg.Length(9.5)
)

// legend shows the series that have data in a figure, as lines with their markers.
func (t *table) legend(used map[int]bool) []entry {
	var out []entry
	for i, name := range t.series {
		if !used[i] {
			continue
		}
		s := styleOf(i)
		out = append(out, entry{name, func(c *draw.Canvas, b vg.Rectangle) {
			y := (b.Min.Y + b.Max.Y) / 2
			c.StrokeLine2(s.line(vg.Points(1.6)), b.Min.X, y, b.Max.X, y)
			c.DrawGlyphNoClip(s.glyph(vg.Points(2.8)), vg.Point{X: (b.Min.X + b.Max.X) / 2, Y: y})
		}})
	}
	return out
}

// legendRows breaks the legend into rows that fit.
func (f *figure) legendRows() [][]entry {
	sty := textStyle(sizeText, ink)
	var rows [][]entry
	x := vg.Length(0)
	for _, e := range f.legend {
		w := thumbWidth + 4 + sty.Width(e.label) + 14
		if len(rows) == 0 || x+w > figureWidth-2*margin+14 {
			rows, x = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
		x += w
	}
	return rows
}

// captionLines are the captions broken into lines that fit.
func (f *figure) captionLines() []string {
	sty := textStyle(sizeCaption, grey)
	var lines []string
	for _, c := range f.caption {
		line := ""
		for _, word := range strings.Fields(c) {
			if line != "" && sty.Width(line+" "+word) > figureWidth-2*margin {
				lines, line = append(lines, line), ""
			}
			line = strings.TrimSpace(line + " " + word)
		}
		lines = append(lines, line)
	}
	return lines
}

func (f *figure) size() (w, h vg.Length) {
	h = 2*margin + 18 + lineHeight*vg.Length(len(f.legendRows())) + 4 + f.height + 6 + captionLine*vg.Length(len(f.captionLines()))
	return figureWidth, h
}

// draw paints the whole figure on a canvas of its size.
func (f *figure) draw(c draw.Canvas) {
	c.SetColor(white) // SVG has no paper of its own
	c.Fill(c.Rectangle.Path())
	title, label, small := bold(textStyle(sizeTitle, ink)), textStyle(sizeText, ink), textStyle(sizeCaption, grey)
	x, y := c.Min.X+margin, c.Max.Y-margin-7
	c.FillText(title, vg.Point{X: x, Y: y}, shorten(title, f.title, figureWidth-2*margin))
	y -= 16
	for _, row := range f.legendRows() {
		x := x
		for _, e := range row {
			e.thumb(&c, vg.Rectangle{Min: vg.Point{X: x, Y: y - 4}, Max: vg.Point{X: x + thumbWidth, Y: y + 4}})
			x += thumbWidth + 4
			write(c, label, x, y, e.label)
			x += label.Width(e.label) + 14
		}
		y -= lineHeight
	}
	caption := f.captionLines()
	bottom := c.Min.Y + margin + captionLine*vg.Length(len(caption))
	for i, s := range caption {
		c.FillText(small, vg.Point{X: x, Y: bottom - captionLine*(vg.Length(i)+0.5)}, s)
	}
	f.paint(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
		Min: vg.Point{X: c.Min.X + margin, Y: bottom + 6},
		Max: vg.Point{X: c.Max.X - margin, Y: bottom + 6 + f.height},
	}})
}

// encode draws the figure as PNG or SVG.
func (f *figure) encode(format string, dpi int) ([]byte, error) {
	w, h := f.size()
	var b bytes.Buffer
	switch format {
	case "png":
		c := vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(dpi))
		f.draw(draw.New(c))
		_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(&b)
		return b.Bytes(), err
	case "svg":
		c := vgsvg.New(w, h)
		f.draw(draw.New(c))
		_, err := c.WriteTo(&b)
		// Where Liberation Sans is not installed, the faces that it has the measures of.
		return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")), err
	}
	return nil, fmt.Errorf("plot format %q: png or svg", format)
}

// panel is a plot whose x axis is named by us: gonum's own label, on a log axis, takes room at the right for itself.
type panel struct {
	*plot.Plot
	xLabel string
}

// xLabelHeight is the room for the name of the x axis, below the plot's canvas.
const xLabelHeight = vg.Length(12)

// drawAbove draws the panel on a canvas that leaves xLabelHeight below it.
func (p *panel) drawAbove(c draw.Canvas) {
	p.fit(c)
	p.Draw(c)
	data := p.DataCanvas(c)
	sty := textStyle(sizeText, ink)
	sty.XAlign = draw.XCenter
	write(c, sty, data.Center().X, c.Min.Y-xLabelHeight/2, p.xLabel)
}

// fit leaves as many labels on the x axis as a canvas has room for.
func (p *panel) fit(c draw.Canvas) {
	if ticks, ok := p.X.Tick.Marker.(unitTicks); ok {
		ticks.room = p.DataCanvas(c).Size().X
		p.X.Tick.Marker = ticks
	}
}

// newPanel is an empty panel in the house style.
func newPanel() *panel {
	p := &panel{Plot: plot.New()}
	p.Title.TextStyle = bold(textStyle(sizeText, ink))
	p.Title.TextStyle.XAlign, p.Title.TextStyle.YAlign = draw.XCenter, draw.YTop
	p.Title.Padding = 3
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle = textStyle(sizeText, ink)
		a.Label.TextStyle.XAlign, a.Label.TextStyle.YAlign = draw.XCenter, draw.YBottom
		a.Label.Padding = 2
		a.LineStyle = draw.LineStyle{Color: ink, Width: vg.Points(0.6)}
		a.Tick.Label.Font = textStyle(sizeTick, ink).Font
		a.Tick.Label.Color = ink
		a.Tick.LineStyle = draw.LineStyle{Color: ink, Width: vg.Points(0.5)}
		a.Tick.Length = vg.Points(4)
		a.Padding = 0
	}
	return p
}

// grid draws faint lines at an axis's labelled ticks, below the data.
type grid struct{ x, y bool }

// Plot implements plot.Plotter.
func (g grid) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	sty := draw.LineStyle{Color: faint, Width: vg.Points(0.5)}
	if g.x {
		for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
			if !t.IsMinor() && t.Value >= p.X.Min && t.Value <= p.X.Max {
				c.StrokeLine2(sty, tx(t.Value), c.Min.Y, tx(t.Value), c.Max.Y)
			}
		}
	}
	if g.y {
		for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
			if !t.IsMinor() && t.Value >= p.Y.Min && t.Value <= p.Y.Max {
				c.StrokeLine2(sty, c.Min.X, ty(t.Value), c.Max.X, ty(t.Value))
			}
		}
	}
}
