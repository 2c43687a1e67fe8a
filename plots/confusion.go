package plots

import (
	"fmt"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/clsbench/clsbench/results"
)

// Of up to heatClasses classes the whole matrix is shown, of more the
// worstPairs pairs that are mistaken most.
const (
	heatClasses = 24
	worstPairs  = 20
)

// confusionFigure shows which classes are taken for which; nil where no cell says.
func confusionFigure(t *table) *figure {
	tests := t.tests()
	if len(tests) == 0 {
		return nil
	}
	f := &figure{name: "confusion", title: "Which classes are taken for which"}
	for _, x := range tests {
		if len(x.test.Classes) > heatClasses {
			return pairsFigure(f, t, tests)
		}
	}
	chart := &facets{each: 250, columns: 2}
	for _, x := range tests {
		chart.panels = append(chart.panels, heatPanel(t.nameOf(x.place), x.test, len(x.test.Classes) <= 12))
	}
	f.height, f.paint = chart.height(), chart.paint
	f.caption = []string{"Rows are what images are of, columns what they were taken for, as shares of the row in %; colour is that share on a log scale from 0.01 % to all. Test split, first seed."}
	return f
}

// heatPanel is the confusion matrix, each row normalised. The first class is at the top.
func heatPanel(name string, x *results.Classification, numbers bool) *panel {
	p, n := newPanel(), len(x.Classes)
	p.Title.Text, p.xLabel, p.Y.Label.Text = name, "taken for", "is"
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(n)-0.5, -0.5, float64(n)-0.5
	p.X.Tick.Marker, p.Y.Tick.Marker = classTicks{x.Classes, false}, classTicks{x.Classes, true}
	p.X.Tick.Length, p.Y.Tick.Length = 0, 0
	if n > 0 && longest(x.Classes) > 3 {
		p.X.Tick.Label.Rotation, p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = math.Pi/2, draw.XRight, draw.YCenter
	}
	shares := sharesOf(x)
	p.Add(plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		tx, ty := p.Transforms(&c)
		for i := range n {
			for j := range n {
				top := float64(n - 1 - i)
				r := vg.Rectangle{Min: vg.Point{X: tx(float64(j) - 0.5), Y: ty(top - 0.5)}, Max: vg.Point{X: tx(float64(j) + 0.5), Y: ty(top + 0.5)}}
				c.FillPolygon(shade(shares[i][j]), []vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}})
				if s := shareLabel(shares[i][j]); numbers && s != "" {
					sty := textStyle(sizeCaption, ink)
					if darkness(shares[i][j]) > 0.55 {
						sty.Color = white
					}
					sty.XAlign = draw.XCenter
					write(c, sty, (r.Min.X+r.Max.X)/2, (r.Min.Y+r.Max.Y)/2, s)
				}
			}
		}
	}))
	return p
}

// sharesOf is the confusion matrix with each row divided by the images of its class.
func sharesOf(x *results.Classification) [][]float64 {
	shares := make([][]float64, len(x.Classes))
	for i, c := range x.Classes {
		shares[i] = make([]float64, len(x.Classes))
		shares[i][i] = c.Recall
	}
	for _, p := range x.Confusions {
		shares[p.Label][p.Predicted] = float64(p.Images) / float64(x.Classes[p.Label].Images)
	}
	return shares
}

// darkness goes from 0 for a share of 0.01 % to 1 for all, by its logarithm.
func darkness(share float64) float64 {
	return min(max(1+math.Log10(share)/4, 0), 1)
}

// shade is white for nothing, and runs through the palette's blue to a dark one.
func shade(share float64) color.RGBA {
	d := darkness(share)
	mix := func(light, middle, dark uint8) uint8 {
		if d < 0.6 {
			return uint8(float64(light) + (float64(middle)-float64(light))*d/0.6)
		}
		return uint8(float64(middle) + (float64(dark)-float64(middle))*(d-0.6)/0.4)
	}
	b := palette[0]
	return color.RGBA{mix(0xff, b.R+0x48, 0x08), mix(0xff, b.G+0x2c, 0x30), mix(0xff, b.B+0x24, 0x6b), 0xff}
}

// shareLabel is a share in percent in at most four characters; "" for none.
func shareLabel(share float64) string {
	switch percent := 100 * share; {
	case share <= 0:
		return ""
	case percent >= 99.95:
		return "100"
	case percent >= 9.95:
		return fmt.Sprintf("%.0f", percent)
	default:
		return strings.TrimPrefix(fmt.Sprintf("%.1f", percent), "0")
	}
}

// classTicks names classes, the first at the low end or, reversed, at the high one.
type classTicks struct {
	classes  []results.ClassScore
	reversed bool
}

// Ticks implements plot.Ticker.
func (k classTicks) Ticks(float64, float64) []plot.Tick {
	var ticks []plot.Tick
	for i := range k.classes {
		at := i
		if k.reversed {
			at = len(k.classes) - 1 - i
		}
		ticks = append(ticks, plot.Tick{Value: float64(at), Label: className(k.classes, i)})
	}
	return ticks
}

// className is a class's name, cut to what has room, or its number.
func className(classes []results.ClassScore, i int) string {
	name := []rune(classes[i].Name)
	if len(name) == 0 {
		return fmt.Sprint(i)
	}
	if len(name) > 14 {
		return string(name[:13]) + "…"
	}
	return string(name)
}

func longest(classes []results.ClassScore) (most int) {
	for i := range classes {
		most = max(most, len([]rune(className(classes, i))))
	}
	return most
}

// pairsFigure lists the pairs of classes that are mistaken most, cell by cell.
func pairsFigure(f *figure, t *table, tests []tested) *figure {
	type pair struct {
		series int
		share  float64
		words  string
	}
	var pairs []pair
	chart := &rowChart{}
	for _, x := range tests {
		chart.slots = append(chart.slots, slot{row: -1, style: -1, name: t.nameOf(x.place)})
		for _, c := range x.test.Confusions[:min(worstPairs, len(x.test.Confusions))] {
			of := x.test.Classes[c.Label].Images
			share := float64(c.Images) / float64(of)
			chart.slots = append(chart.slots, slot{row: len(pairs), style: -1,
				name: className(x.test.Classes, c.Label) + " → " + className(x.test.Classes, c.Predicted)})
			pairs = append(pairs, pair{x.series, share, fmt.Sprintf("%d of %d", c.Images, of)})
		}
	}
	highest := 0.0
	for _, p := range pairs {
		highest = max(highest, p.share)
	}
	chart.columns = []column{{
		head:  "of its images",
		words: func(i int) string { return pairs[i].words },
		axis: func(p *panel) {
			p.xLabel = "share of the class's images, %"
			p.X.Min, p.X.Max = 0, max(highest*1.05, 0.01)
			p.X.Tick.Marker = unitTicks{format: percentLabel}
		},
		mark: func(i int, c *draw.Canvas, x func(float64) vg.Length, y vg.Length) {
			c.FillPolygon(styleOf(pairs[i].series).color, []vg.Point{{X: x(0), Y: y - 3}, {X: x(pairs[i].share), Y: y - 3}, {X: x(pairs[i].share), Y: y + 3}, {X: x(0), Y: y + 3}})
		},
	}}
	f.height, f.paint = chart.height(), chart.paint
	f.caption = []string{fmt.Sprintf("What images are of → what they were taken for: the %d pairs that are mistaken most often. Test split, first seed.", worstPairs)}
	return f
}
