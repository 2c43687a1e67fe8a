package plots

import (
	"fmt"
	"image"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/clsbench/clsbench/results"
)

// Pictures gives images of a cell's test split, by their places in it.
type Pictures func(r *results.Result, images []int) ([]image.Image, error)

// The sheet's measures.
const (
	sheetColumns = 8
	sheetRows    = 2 // a cell
	sheetCaption = vg.Length(20)
	sheetHeading = vg.Length(16)
	sheetGap     = vg.Length(5)
	sheetPicture = (figureWidth - 2*margin - (sheetColumns-1)*sheetGap) / sheetColumns
)

// sheet is a cell's worst mistakes with their pictures.
type sheet struct {
	name     string
	test     *results.Classification
	pictures []image.Image
}

// mistakesFigure shows the images that were mistaken worst; nil where no cell says, or nobody has the pictures. What
// kept a cell's pictures from being read is in skipped.
func mistakesFigure(t *table, pictures Pictures) (f *figure, skipped error) {
	if pictures == nil {
		return nil, nil
	}
	var sheets []sheet
	for _, x := range t.tests() {
		worst := x.test.Mistakes[:min(len(x.test.Mistakes), sheetColumns*sheetRows)]
		if len(worst) == 0 {
			continue
		}
		var places []int
		for _, m := range worst {
			places = append(places, m.Image)
		}
		got, err := pictures(t.cells[x.place], places)
		if err != nil {
			skipped = err
			continue
		}
		sheets = append(sheets, sheet{t.nameOf(x.place), x.test, got})
	}
	if len(sheets) == 0 {
		return nil, skipped
	}
	f = &figure{name: "mistakes", title: "The worst mistakes"}
	for _, s := range sheets {
		f.height += s.height()
	}
	f.paint = func(c draw.Canvas) {
		y := c.Max.Y
		for _, s := range sheets {
			s.paint(c, y)
			y -= s.height()
		}
	}
	f.caption = []string{"Test images whose own class got the least probability: what each is → what it was taken for, and how surely. First seed."}
	return f, skipped
}

func (s sheet) rows() int { return (len(s.pictures) + sheetColumns - 1) / sheetColumns }

func (s sheet) height() vg.Length {
	return sheetHeading + vg.Length(s.rows())*(sheetPicture+sheetCaption)
}

func (s sheet) paint(c draw.Canvas, top vg.Length) {
	write(c, bold(textStyle(sizeText, ink)), c.Min.X, top-sheetHeading/2, s.name)
	top -= sheetHeading
	words := textStyle(sizeCaption, ink)
	for i, img := range s.pictures {
		x := c.Min.X + vg.Length(i%sheetColumns)*(sheetPicture+sheetGap)
		y := top - vg.Length(i/sheetColumns)*(sheetPicture+sheetCaption)
		c.DrawImage(vg.Rectangle{Min: vg.Point{X: x, Y: y - sheetPicture}, Max: vg.Point{X: x + sheetPicture, Y: y}}, enlarged(img))
		m := s.test.Mistakes[i]
		what := className(s.test.Classes, m.Label) + " → " + className(s.test.Classes, m.Predicted)
		write(c, words, x, y-sheetPicture-6, shorten(words, what, sheetPicture))
		write(c, textStyle(sizeCaption, grey), x, y-sheetPicture-14, fmt.Sprintf("%.0f %%", 100*m.Confidence))
	}
}

// enlarged repeats the pixels of a small image, so that no viewer blurs them.
func enlarged(img image.Image) image.Image {
	b := img.Bounds()
	k := max(1, 128/max(b.Dx(), b.Dy(), 1))
	out := image.NewRGBA(image.Rect(0, 0, k*b.Dx(), k*b.Dy()))
	for y := range k * b.Dy() {
		for x := range k * b.Dx() {
			out.Set(x, y, img.At(b.Min.X+x/k, b.Min.Y+y/k))
		}
	}
	return out
}
