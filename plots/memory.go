package plots

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/clsbench/clsbench/results"
)

// fills tell the parts of memory apart by colour, by lightness (L* 46, 72, 89, 58) and by hatching.
var fills = [4]struct {
	color color.RGBA
	hatch hatch
}{
	{palette[0], hatch{}},
	{palette[1], hatch{rising: true}},
	{faint, hatch{}},
	{palette[2], hatch{rising: true, falling: true}},
}

// hatch is dark lines across a fill.
type hatch struct{ rising, falling bool }

// box fills a rectangle with the part's colour and hatching.
func box(c *draw.Canvas, r vg.Rectangle, part int) {
	corners := []vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}, r.Min}
	c.FillPolygon(fills[part].color, corners)
	inside := draw.Canvas{Canvas: c.Canvas, Rectangle: r}
	sty := draw.LineStyle{Color: ink, Width: vg.Points(0.45)}
	h := r.Max.Y - r.Min.Y
	for x := r.Min.X - h; x < r.Max.X; x += 4 {
		if fills[part].hatch.rising {
			inside.StrokeLines(sty, inside.ClipLinesX([]vg.Point{{X: x, Y: r.Min.Y}, {X: x + h, Y: r.Max.Y}})...)
		}
		if fills[part].hatch.falling {
			inside.StrokeLines(sty, inside.ClipLinesX([]vg.Point{{X: x, Y: r.Max.Y}, {X: x + h, Y: r.Min.Y}})...)
		}
	}
	c.StrokeLines(draw.LineStyle{Color: ink, Width: vg.Points(0.5)}, corners)
}

const mebi = 1 << 20

// memoryFigure shows each cell's peak memory in its parts; nil where none was measured.
func memoryFigure(t *table) *figure {
	rows := t.memories()
	if len(rows) == 0 {
		return nil
	}
	var places []place
	most := 0.0
	used := [4]bool{}
	for _, r := range rows {
		places = append(places, r.place)
		sum := 0.0
		for i, b := range r.parts {
			sum += b
			used[i] = used[i] || b > 0
		}
		most = max(most, sum)
	}
	chart := &rowChart{slots: slotsOf(t, places), columns: []column{{
		head:  "peak",
		words: func(i int) string { return memoryWords(rows[i]) },
		axis: func(p *panel) {
			p.xLabel = "memory at its highest, MiB"
			p.X.Min, p.X.Max = 0, max(most/mebi*1.04, 1)
			p.X.Tick.Marker = unitTicks{format: short}
		},
		mark: func(i int, c *draw.Canvas, x func(float64) vg.Length, y vg.Length) {
			from := 0.0
			for part, b := range rows[i].parts {
				if b > 0 {
					box(c, vg.Rectangle{Min: vg.Point{X: x(from), Y: y - 4}, Max: vg.Point{X: x(from + b/mebi), Y: y + 4}}, part)
					from += b / mebi
				}
			}
		},
	}}}
	f := &figure{name: "memory", title: "Memory of the backend's process", height: chart.height(), paint: chart.paint}
	for i, name := range memoryParts {
		if used[i] {
			f.legend = append(f.legend, entry{name, func(c *draw.Canvas, r vg.Rectangle) { box(c, r, i) }})
		}
	}
	f.caption = []string{"Highest resident memory of the process, in a pass of its own; shared regions are those that the harness maps too."}
	return f
}

func memoryWords(r memoryRow) string {
	s := results.FormatBytes(int64(r.parts[0] + r.parts[1] + r.parts[2]))
	if r.parts[3] > 0 {
		s += " + " + results.FormatBytes(int64(r.parts[3])) + " device"
	}
	if r.remark != "" {
		s += " " + r.remark
	}
	return s
}
