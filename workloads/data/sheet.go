package data

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// SheetOptions shape a contact sheet.
type SheetOptions struct {
	Columns int    // samples a class; 0 is 20
	Scale   int    // screen pixels an image pixel; 0 makes a sample about 56 high
	Title   string // above the samples; empty says what set it is
}

// A sheet's look, in screen pixels.
const (
	sheetMargin   = 8
	sheetGap      = 2
	sheetFontSize = 14
	sheetHeading  = 28
	sheetMaxRows  = 64
)

var (
	sheetPaper = color.RGBA{0xff, 0xff, 0xff, 0xff}
	sheetInk   = color.RGBA{0x22, 0x22, 0x22, 0xff}
	sheetEmpty = color.RGBA{0xee, 0xee, 0xee, 0xff}
)

// ContactSheet writes a PNG that shows samples of a split of the set, a row a
// class (the first 64), the class's name before it and its number of images
// after it. Samples are spaced evenly through the split, so that a sorted one
// shows its variety too.
func ContactSheet(w io.Writer, set *Set, split Split, opts SheetOptions) error {
	if opts.Columns <= 0 {
		opts.Columns = 20
	}
	if opts.Scale <= 0 {
		opts.Scale = max(1, 56/set.H)
	}
	if opts.Title == "" {
		opts.Title = fmt.Sprintf("%s · %d images of %d×%d×%d · %d classes", set.Name, split.Len(), set.H, set.W, set.C, len(set.Classes))
	}
	face, err := sheetFace()
	if err != nil {
		return err
	}

	byClass := make([][]int32, len(set.Classes))
	for i, l := range split.Labels {
		byClass[l] = append(byClass[l], int32(i))
	}
	sample := make([]byte, set.H*set.W*set.C)
	rows := min(len(set.Classes), sheetMaxRows)
	label, count := 0, 0
	for c := range rows {
		label = max(label, font.MeasureString(face, set.Classes[c]).Ceil())
		count = max(count, font.MeasureString(face, fmt.Sprint(len(byClass[c]))).Ceil())
	}
	cellW, cellH := set.W*opts.Scale+sheetGap, max(set.H*opts.Scale, sheetFontSize)+sheetGap
	left := sheetMargin + label + sheetMargin
	width := max(left+opts.Columns*cellW+sheetMargin+count+sheetMargin,
		2*sheetMargin+font.MeasureString(face, opts.Title).Ceil())
	sheet := image.NewRGBA(image.Rect(0, 0, width, sheetHeading+rows*cellH+sheetMargin))
	paintArea(sheet, sheet.Bounds(), sheetPaper)

	write := func(x, y int, s string) {
		d := font.Drawer{Dst: sheet, Src: image.NewUniform(sheetInk), Face: face, Dot: fixed.P(x, y)}
		d.DrawString(s)
	}
	write(sheetMargin, sheetHeading-sheetMargin-2, opts.Title)
	for c := range rows {
		top := sheetHeading + c*cellH
		baseline := top + (cellH+sheetFontSize)/2 - 3
		write(sheetMargin, baseline, set.Classes[c])
		write(left+opts.Columns*cellW+sheetMargin-sheetGap, baseline, fmt.Sprint(len(byClass[c])))
		shown := min(opts.Columns, len(byClass[c]))
		for k := range opts.Columns {
			at := image.Pt(left+k*cellW, top)
			if k >= shown {
				paintArea(sheet, image.Rect(at.X, at.Y, at.X+set.W*opts.Scale, at.Y+set.H*opts.Scale), sheetEmpty)
				continue
			}
			if err := split.Read(sample, []int32{byClass[c][k*len(byClass[c])/shown]}); err != nil {
				return err
			}
			stamp(sheet, at, sample, set, opts.Scale)
		}
	}
	return png.Encode(w, sheet)
}

// Picture is image i of a split of the set, as it is fed.
func (s *Set) Picture(split Split, i int) (image.Image, error) {
	if i < 0 || i >= split.Len() {
		return nil, fmt.Errorf("data set %s: no image %d, the split has %d", s.Name, i, split.Len())
	}
	pixels := make([]byte, s.H*s.W*s.C)
	if err := split.Read(pixels, []int32{int32(i)}); err != nil {
		return nil, err
	}
	m := image.NewRGBA(image.Rect(0, 0, s.W, s.H))
	stamp(m, image.Point{}, pixels, s, 1)
	return m, nil
}

func sheetFace() (font.Face, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("contact sheet: %w", err)
	}
	return opentype.NewFace(parsed, &opentype.FaceOptions{Size: sheetFontSize, DPI: 72, Hinting: font.HintingFull})
}

func paintArea(dst *image.RGBA, area image.Rectangle, c color.RGBA) {
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			dst.SetRGBA(x, y, c)
		}
	}
}

// stamp draws one image, each pixel scale × scale: grey from one channel, RGB
// from three, the first channel's grey otherwise.
func stamp(dst *image.RGBA, at image.Point, pixels []byte, set *Set, scale int) {
	for y := range set.H {
		for x := range set.W {
			p := pixels[(y*set.W+x)*set.C:]
			c := color.RGBA{p[0], p[0], p[0], 0xff}
			if set.C == 3 {
				c = color.RGBA{p[0], p[1], p[2], 0xff}
			}
			corner := at.Add(image.Pt(x*scale, y*scale))
			paintArea(dst, image.Rectangle{corner, corner.Add(image.Pt(scale, scale))}, c)
		}
	}
}
