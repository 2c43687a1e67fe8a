package plots

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// facets are panels of one size in rows, axes aligned.
type facets struct {
	panels  []*panel
	each    vg.Length // height of a panel
	columns int       // at most; 0 is three
}

const facetGap = vg.Length(10)

// perRow is how many panels stand side by side.
func (f *facets) perRow() int {
	switch n := len(f.panels); {
	case f.columns > 0:
		return max(min(n, f.columns), 1)
	case n <= 3:
		return max(n, 1)
	case n == 4:
		return 2
	}
	return 3
}

func (f *facets) rows() int {
	return int(math.Ceil(float64(len(f.panels)) / float64(f.perRow())))
}

func (f *facets) height() vg.Length {
	return (f.each+xLabelHeight)*vg.Length(f.rows()) + facetGap*vg.Length(f.rows()-1)
}

func (f *facets) paint(c draw.Canvas) {
	cols := f.perRow()
	var plots [][]*plot.Plot
	for i, p := range f.panels {
		if i%cols == 0 {
			plots = append(plots, make([]*plot.Plot, cols))
		}
		plots[i/cols][i%cols] = p.Plot
	}
	tiles := draw.Tiles{Rows: f.rows(), Cols: cols, PadX: facetGap, PadY: facetGap + xLabelHeight, PadBottom: xLabelHeight}
	canvases := plot.Align(plots, tiles, c)
	for i, p := range f.panels {
		p.fit(canvases[i/cols][i%cols])
	}
	canvases = plot.Align(plots, tiles, c) // labels that are gone jut out no more
	for i, p := range f.panels {
		p.drawAbove(canvases[i/cols][i%cols])
	}
}
