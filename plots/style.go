package plots

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	xfont "golang.org/x/image/font"
)

// style is how a series looks: by colour, by marker and by dashes, any of which is enough to know it.
type style struct {
	color  color.RGBA
	marker marker
	dashes []vg.Length
}

// The palette of Okabe and Ito, Color Universal Design, 2008, https://jfly.uni-koeln.de/color/, ordered so that
// neighbours differ in lightness too: L* is 46, 72, 58, 0, 70, 54, 61, 91.
var palette = []color.RGBA{
	{0x00, 0x72, 0xb2, 0xff}, // blue
	{0xe6, 0x9f, 0x00, 0xff}, // orange
	{0x00, 0x9e, 0x73, 0xff}, // bluish green
	{0x00, 0x00, 0x00, 0xff}, // black
	{0x56, 0xb4, 0xe9, 0xff}, // sky blue
	{0xd5, 0x5e, 0x00, 0xff}, // vermillion
	{0xcc, 0x79, 0xa7, 0xff}, // reddish purple
	{0xf0, 0xe4, 0x42, 0xff}, // yellow
}

var dashings = [][]vg.Length{
	nil,
	{6, 2},
	{1.5, 1.5},
	{7, 2, 1.5, 2},
	{3, 3},
	{10, 3},
	{1.5, 4},
	{7, 2, 1.5, 2, 1.5, 2},
}

// styleOf gives the i-th series its look. After 8 series colours come again, with other markers and dashes.
func styleOf(i int) style {
	round := i / len(palette)
	return style{
		color:  palette[i%len(palette)],
		marker: markers[(i+3*round)%len(markers)],
		dashes: dashings[(i+round)%len(dashings)],
	}
}

var (
	ink   = color.RGBA{0x22, 0x22, 0x22, 0xff}
	grey  = color.RGBA{0x66, 0x66, 0x66, 0xff}
	faint = color.RGBA{0xdd, 0xdd, 0xdd, 0xff}
	white = color.RGBA{0xff, 0xff, 0xff, 0xff}
)

func (s style) line(width vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: s.color, Width: width, Dashes: s.dashes}
}

func (s style) glyph(radius vg.Length) draw.GlyphStyle {
	return draw.GlyphStyle{Color: s.color, Radius: radius, Shape: s.marker}
}

// hollow is the same glyph, unfilled.
func (s style) hollow(radius vg.Length) draw.GlyphStyle {
	m := s.marker
	m.hollow = true
	return draw.GlyphStyle{Color: s.color, Radius: radius, Shape: m}
}

// marker is a closed polygon, filled, with a dark edge so that light colours stand out.
type marker struct {
	corners int     // 0 is a circle
	turn    float64 // of the first corner, in turns from the top
	star    float64 // radius of the inner corners of a star, as a fraction; 0 is none
	hollow  bool
}

var markers = []marker{
	{},                           // circle
	{corners: 4, turn: 0.125},    // square
	{corners: 3},                 // triangle
	{corners: 4},                 // diamond
	{corners: 3, turn: 0.5},      // triangle, point down
	{corners: 5, star: 0.42},     // star
	{corners: 4, star: 0.35},     // four-pointed star
	{corners: 6, turn: 1.0 / 12}, // hexagon
}

// DrawGlyph draws the marker; it implements draw.GlyphDrawer.
func (m marker) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	path := m.path(at, s.Radius)
	fill, edge := s.Color, color.Color(ink)
	if m.hollow {
		fill, edge = white, s.Color
	}
	c.SetColor(fill)
	c.Fill(path)
	c.SetLineStyle(draw.LineStyle{Color: edge, Width: vg.Points(0.6)})
	if m.hollow {
		c.SetLineWidth(vg.Points(1.2))
	}
	c.Stroke(path)
}

func (m marker) path(at vg.Point, r vg.Length) vg.Path {
	var p vg.Path
	if m.corners == 0 {
		p.Move(vg.Point{X: at.X + r, Y: at.Y})
		p.Arc(at, r, 0, 2*math.Pi)
		p.Close()
		return p
	}
	n := m.corners
	if m.star > 0 {
		n *= 2
	}
	r *= 1.2 // polygons look smaller than circles
	for i := range n {
		angle := 2 * math.Pi * (0.25 + m.turn - float64(i)/float64(n))
		d := float64(r)
		if m.star > 0 && i%2 == 1 {
			d *= m.star
		}
		pt := vg.Point{X: at.X + vg.Length(d*math.Cos(angle)), Y: at.Y + vg.Length(d*math.Sin(angle))}
		if i == 0 {
			p.Move(pt)
		} else {
			p.Line(pt)
		}
	}
	p.Close()
	return p
}

// Sizes of text, in points.
const (
	sizeTitle   = 11
	sizeText    = 8.5
	sizeTick    = 7.5
	sizeCaption = 7
)

func textStyle(size float64, c color.Color) draw.TextStyle {
	return draw.TextStyle{
		Color:   c,
		Font:    font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, vg.Points(size)),
		XAlign:  draw.XLeft,
		YAlign:  draw.YCenter,
		Handler: text.Plain{Fonts: font.DefaultCache},
	}
}

func bold(s draw.TextStyle) draw.TextStyle {
	s.Font.Weight = xfont.WeightBold
	return s
}

func right(s draw.TextStyle) draw.TextStyle {
	s.XAlign = draw.XRight
	return s
}

// write puts a text's middle at y: that of its letters without ascenders, which lies above the line's.
func write(c draw.Canvas, s draw.TextStyle, x, y vg.Length, txt string) {
	c.FillText(s, vg.Point{X: x, Y: y + 0.12*s.Font.Size}, txt)
}

// shorten cuts a text to a width, with an ellipsis.
func shorten(s draw.TextStyle, txt string, width vg.Length) string {
	if s.Width(txt) <= width {
		return txt
	}
	// The ends tell names apart: "variant=pool=average" and "variant=pool=max".
	runes := []rune(txt)
	for n := len(runes) - 1; n > 1; n-- {
		if cut := string(runes[:(n+1)/2]) + "…" + string(runes[len(runes)-n/2:]); s.Width(cut) <= width {
			return cut
		}
	}
	return string(runes[:1]) + "…"
}
