package shapes

import (
	"context"
	"fmt"

	"github.com/clsbench/clsbench/workloads/data/paint"
)

// The set's measures. Images are side × side × 3, one byte a value.
const (
	Side       = 64 // where no other is asked for
	MinSide    = 16
	MaxSide    = 224
	TrainCount = 20_000
	TestCount  = 4_000

	seed = 3
)

// Count returns the number of images in a split.
func Count(s paint.Split) int {
	if s == paint.Train {
		return TrainCount
	}
	return TestCount
}

// The ranges that a scene is drawn from, uniformly; lengths in 1/65536 of the
// side. Whoever changes one makes another set, which wants another name.
const (
	radiusLow  = unit * 26 / 100
	radiusHigh = unit * 44 / 100
	margin     = unit * 2 / 100 // of the figure from the border
	skew       = unit * 12 / 100
	piecesLow  = 2 // of clutter
	piecesHigh = 6
	pieceLow   = unit * 4 / 100 // their radius
	pieceHigh  = unit * 9 / 100
	noiseMax   = 18 // standard deviation, levels
)

// A scene's dark side is at most so light, its light side at least; the second
// colour of a texture keeps further away, or the texture would hardly show.
var (
	darkLuma  = [2]int64{92, 35}
	lightLuma = [2]int64{158, 220}
)

// Painter draws images of one size, one after the other.
type Painter struct {
	paint.Draw
	paint.Raster
	ground, figure texture
	points         []point // of the outline in hand, in 1/65536 of the side
}

// NewPainter returns one for images of a side from MinSide to MaxSide.
func NewPainter(side int) *Painter {
	return &Painter{Draw: paint.NewDraw(seed), Raster: paint.NewRaster(side)}
}

// Paint draws image i of the split into dst, side·side·3 bytes, and returns its
// class.
func (p *Painter) Paint(dst []byte, s paint.Split, i int) int {
	class := p.Label(s, i)
	p.Image(s, i)
	dark := func(k int) paint.RGB { return p.Dark(darkLuma[k]) }
	light := func(k int) paint.RGB { return p.Light(lightLuma[k]) }
	below, above := dark, light
	if p.Between(0, 1) == 0 {
		below, above = light, dark
	}
	p.weave(&p.ground, s, [2]paint.RGB{below(0), below(1)})
	p.weave(&p.figure, s, [2]paint.RGB{above(0), above(1)})
	for k := range p.Cover {
		p.Cover[k] = paint.FullInk
	}
	p.lay(dst, &p.ground)
	for range p.Between(piecesLow, piecesHigh) {
		p.outline(int(p.Between(0, paint.Classes-1)), p.Between(pieceLow, pieceHigh), 0)
		p.Raster.Fill()
		p.Ink(dst, below(0))
	}
	p.outline(class, p.Between(radiusLow, radiusHigh), margin)
	p.Raster.Fill()
	p.lay(dst, &p.figure)
	p.Noise(dst, p.Between(0, noiseMax))
	return class
}

// outline traces a figure of a radius, turned and skewed, placed anywhere that
// leaves it whole within the margin; one too big for that is shrunk.
func (p *Painter) outline(class int, radius, margin int64) {
	sin, cos := sincos(p.Between(0, turn-1))
	stretch, shear := p.Between(-skew, skew), p.Between(-skew, skew)
	p.points = p.points[:0]
	for _, contour := range outlines[class] {
		for _, v := range contour {
			x, y := v.x+v.x*stretch>>16+v.y*shear>>16, v.y-v.y*stretch>>16
			p.points = append(p.points, point{(x*cos - y*sin) >> 16 * radius >> 16, (x*sin + y*cos) >> 16 * radius >> 16})
		}
	}
	lo, hi := bounds(p.points)
	room := unit - 2*margin
	if extent := max(hi.x-lo.x, hi.y-lo.y); extent > room {
		for i, v := range p.points {
			p.points[i] = point{v.x * room / extent, v.y * room / extent}
		}
		lo, hi = bounds(p.points)
	}
	by := point{p.Between(margin-lo.x, unit-margin-hi.x), p.Between(margin-lo.y, unit-margin-hi.y)}
	for i := range p.points {
		p.points[i].x += by.x
		p.points[i].y += by.y
	}
	rest := p.points
	for _, contour := range outlines[class] {
		p.trace(rest[:len(contour)])
		rest = rest[len(contour):]
	}
}

func bounds(points []point) (lo, hi point) {
	lo, hi = points[0], points[0]
	for _, v := range points {
		lo = point{min(lo.x, v.x), min(lo.y, v.y)}
		hi = point{max(hi.x, v.x), max(hi.y, v.y)}
	}
	return lo, hi
}

// trace hands a closed contour to the raster.
func (p *Painter) trace(contour []point) {
	side := int64(p.Side)
	from := contour[len(contour)-1]
	for _, to := range contour {
		p.Edge(from.x*side, from.y*side, to.x*side, to.y*side)
		from = to
	}
}

// lay puts a texture on dst where the raster is covered.
func (p *Painter) lay(dst []byte, t *texture) {
	side := int64(p.Side)
	for k, cover := range p.Cover {
		if cover == 0 {
			continue
		}
		x, y := int64(k)%side, int64(k)/side
		second := t.at((2*x+1)*unit/(2*side), (2*y+1)*unit/(2*side), 256*side)
		for c, v := range dst[k*3 : k*3+3] {
			ink := (t.colors[0][c]*(256-second) + t.colors[1][c]*second) >> 8
			dst[k*3+c] = byte(int64(v) + (ink-int64(v))*int64(cover)/paint.FullInk)
		}
	}
}

// Fill draws the split's first len(labels) images into images, NHWC bytes
// [len(labels), side, side, 3], and their classes into labels, with so many
// workers (0: one a CPU).
func Fill(ctx context.Context, side int, s paint.Split, images []byte, labels []int64, workers int) error {
	size := side * side * 3
	if n := len(labels); n > Count(s) || len(images) != n*size || side < MinSide || side > MaxSide {
		return fmt.Errorf("shapes: buffers of %d bytes and %d labels: want at most %d images of %d bytes, %d to %d pixels a side",
			len(images), n, Count(s), size, MinSide, MaxSide)
	}
	return paint.Fill(ctx, len(labels), workers, func() func(int) {
		p := NewPainter(side)
		return func(i int) { labels[i] = int64(p.Paint(images[i*size:][:size], s, i)) }
	})
}

// Labels returns the classes of the split's first n images, without drawing.
func Labels(s paint.Split, n int) []int64 {
	d := paint.NewDraw(seed)
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(d.Label(s, i))
	}
	return out
}
