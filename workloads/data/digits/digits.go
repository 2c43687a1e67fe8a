package digits

import (
	"context"
	"fmt"
	"sync"

	"github.com/clsbench/clsbench/workloads/data/paint"
)

// The shape of both sets.
const (
	Classes    = paint.Classes
	TrainCount = 60_000
	TestCount  = 10_000
)

// Kind is one of the two sets.
type Kind struct {
	Side     int // images are Side × Side × Channels, one byte a value
	Channels int

	seed    uint64
	ranges  ranges
	develop func(p *painter, dst []byte, g *glyph, faces []*[10]glyph) // makes pixels of glyph g at p.points
}

// Size returns the number of bytes in an image.
func (k *Kind) Size() int { return k.Side * k.Side * k.Channels }

// ranges say what is drawn for the digit of an image, each uniformly between
// its two ends, as a multiple of one = 1.0. A rotation by θ is drawn as
// t = tan(θ/2), since cos θ = (1−t²)/(1+t²) and sin θ = 2t/(1+t²) need only
// integers.
//
// These ranges, the faces and the seed are the set: whoever changes one makes
// another set, which wants another name.
type ranges struct {
	figure              int64 // pixels, the height of a digit at scale 1
	scaleLow, scaleHigh int64 // size
	tanHalf             int64 // rotation, either way
	shear               int64 // x += shear·y, either way
	shift               int64 // 1/65536 pixel from the middle, either way
	thinMost            int64 // each edge of a stroke moves in by up to this share of the mean width
	thickMost           int64 // … or out
	hairMin             int64 // pixels: thin strokes are kept as wide as this, or they drown in the noise
}

const (
	one    = 1 << 30
	margin = 1 << paint.PixQ / 2 // nothing of the outline comes nearer to the border
)

// Grey is digits/v1.
var Grey = &Kind{
	Side: 28, Channels: 1, seed: 1, develop: (*painter).developGrey,
	ranges: ranges{
		figure: 18, scaleLow: one * 75 / 100, scaleHigh: one * 120 / 100,
		tanHalf: one * 15 / 100, // ±0.3 rad
		shear:   one * 30 / 100, shift: 3 << paint.PixQ,
		thinMost: one * 20 / 100, thickMost: one * 30 / 100, hairMin: one * 75 / 100,
	},
}

// Count returns the number of images in a split. The splits share no face.
func Count(s paint.Split) int {
	if s == paint.Train {
		return TrainCount
	}
	return TestCount
}

// The grey set's ink and noise.
const (
	inkLow   = 120 // grey level of the digit, up to 255
	noiseMax = 64  // standard deviation, grey levels
)

// faces parses the 63 faces once, when the first image is asked for.
var faces = sync.OnceValues(func() ([2][]*[10]glyph, error) {
	var out [2][]*[10]glyph
	for s, ttfs := range [2][][]byte{paint.Train: trainFaces, paint.Test: testFaces} {
		for _, ttf := range ttfs {
			face, err := loadFace(ttf)
			if err != nil {
				return out, err
			}
			out[s] = append(out[s], face)
		}
	}
	return out, nil
})

// painter draws images one after the other.
type painter struct {
	kind *Kind
	paint.Draw
	paint.Raster
	points []vertex // of the outline in hand, in 1/65536 pixel
	spare  []vertex // … of the clutter beneath it
}

func newPainter(k *Kind) *painter {
	return &painter{kind: k, Draw: paint.NewDraw(k.seed), Raster: paint.NewRaster(k.Side)}
}

// paint draws image i of the split into dst, Size bytes, and returns its class.
func (p *painter) paint(dst []byte, s paint.Split, faces []*[10]glyph, i int) int {
	class := p.Label(s, i)
	p.Image(s, i)
	g := &faces[p.Between(0, int64(len(faces)-1))][class]
	shiftX, shiftY := p.place(g, &p.kind.ranges)
	p.frame(shiftX, shiftY)
	p.kind.develop(p, dst, g, faces)
	return class
}

// place draws an affine map and a stroke weight, and fills p.points with the
// outline's corners around the origin. It returns the shift that was drawn.
func (p *painter) place(g *glyph, r *ranges) (shiftX, shiftY int64) {
	scale := p.Between(r.scaleLow, r.scaleHigh)
	t := p.Between(-r.tanHalf, r.tanHalf)
	shear := p.Between(-r.shear, r.shear)
	shiftX, shiftY = p.Between(-r.shift, r.shift), p.Between(-r.shift, r.shift)
	weight := p.Between(-r.thinMost, r.thickMost)

	t2 := t * t / one
	cos, sin := (one-t2)*one/(one+t2), 2*t*one/(one+t2)
	size := r.figure * scale / g.height // pixels per 1/16384 em
	mul := func(a, b int64) int64 { return a * b / one }
	xx, xy := mul(size, cos), mul(size, mul(cos, shear)-sin)
	yx, yy := mul(size, sin), mul(size, mul(sin, shear)+cos)

	grow := max(mul(g.stroke, weight), (r.hairMin/size-g.hairline)/2)
	p.points = p.points[:0]
	for _, c := range g.contours {
		for _, v := range c {
			x, y := v.x+grow*v.nx>>normalQ, v.y+grow*v.ny>>normalQ
			p.points = append(p.points, vertex{x: (xx*x + xy*y) >> (30 - paint.PixQ), y: (yx*x + yy*y) >> (30 - paint.PixQ)})
		}
	}
	return shiftX, shiftY
}

// frame moves the points to the middle of the canvas plus the shift, which it
// cuts where it would push the outline over the border; an outline too big
// for the canvas is shrunk to it.
func (p *painter) frame(shiftX, shiftY int64) {
	canvas := int64(p.Side) << paint.PixQ
	room := canvas - 2*margin
	minX, minY, maxX, maxY := bounds([][]vertex{p.points})
	if extent := max(maxX-minX, maxY-minY); extent > room {
		for i, v := range p.points {
			p.points[i] = vertex{x: v.x * room / extent, y: v.y * room / extent}
		}
		minX, minY, maxX, maxY = bounds([][]vertex{p.points})
	}
	offset := func(lo, hi, shift int64) int64 {
		middle := canvas/2 - (lo+hi)/2
		return max(margin-lo, min(middle+shift, canvas-margin-hi))
	}
	p.move(offset(minX, maxX, shiftX), offset(minY, maxY, shiftY))
}

func (p *painter) move(dx, dy int64) {
	for i := range p.points {
		p.points[i].x += dx
		p.points[i].y += dy
	}
}

// coverGlyph fills the placed contours: p.cover has the result.
func (p *painter) coverGlyph(g *glyph) {
	rest := p.points
	for _, c := range g.contours {
		p.trace(rest[:len(c)])
		rest = rest[len(c):]
	}
	p.Fill()
}

// trace hands a closed contour to the raster.
func (p *painter) trace(contour []vertex) {
	from := contour[len(contour)-1]
	for _, to := range contour {
		p.Edge(from.x, from.y, to.x, to.y)
		from = to
	}
}

// developGrey turns coverage into grey levels: ink, then noise.
func (p *painter) developGrey(dst []byte, g *glyph, _ []*[10]glyph) {
	p.coverGlyph(g)
	ink, sigma := p.Between(inkLow, 255), p.Between(0, noiseMax)
	for i, c := range p.Cover {
		dst[i] = byte(int64(c) * ink / paint.FullInk)
	}
	p.Noise(dst, sigma)
}

// Fill draws the split's first len(labels) images into images, NHWC bytes
// [len(labels), Side, Side, Channels], and their classes into labels, with so many
// workers (0: one a CPU). The bytes do not depend on the number of workers,
// nor on the architecture.
func (k *Kind) Fill(ctx context.Context, s paint.Split, images []byte, labels []int64, workers int) error {
	size := k.Size()
	if n := len(labels); n > Count(s) || len(images) != n*size {
		return fmt.Errorf("digits: buffers of %d bytes and %d labels: want at most %d images of %d bytes",
			len(images), n, Count(s), size)
	}
	all, err := faces()
	if err != nil {
		return err
	}
	return paint.Fill(ctx, len(labels), workers, func() func(int) {
		p := newPainter(k)
		return func(i int) { labels[i] = int64(p.paint(images[i*size:][:size], s, all[s], i)) }
	})
}
