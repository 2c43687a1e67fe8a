package digits

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// The shape of both sets.
const (
	Classes    = 10
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
	margin = 1 << pixQ / 2 // nothing of the outline comes nearer to the border
)

// Grey is digits/v1.
var Grey = &Kind{
	Side: 28, Channels: 1, seed: 1, develop: (*painter).developGrey,
	ranges: ranges{
		figure: 18, scaleLow: one * 75 / 100, scaleHigh: one * 120 / 100,
		tanHalf: one * 15 / 100, // ±0.3 rad
		shear:   one * 30 / 100, shift: 3 << pixQ,
		thinMost: one * 20 / 100, thickMost: one * 30 / 100, hairMin: one * 75 / 100,
	},
}

// Split is one of the set's two parts.
type Split uint64

// The splits share no face, and no random stream.
const (
	Train Split = iota
	Test
)

// Count returns the number of images in the split.
func (s Split) Count() int {
	if s == Train {
		return TrainCount
	}
	return TestCount
}

// The grey set's ink and noise.
const (
	inkLow   = 120 // grey level of the digit, up to 255
	noiseMax = 64  // standard deviation, grey levels
)

// draw is a stream of random numbers that depends on nothing but its key.
type draw struct {
	pcg  rand.PCG
	seed uint64 // the set's
}

// Streams of one split: image i has stream (split, pixels, i), and each block
// of ten labels has (split, labels, block).
const (
	streamPixels = iota
	streamLabels
)

func (d *draw) seek(s Split, purpose, index uint64) {
	d.pcg.Seed(d.seed<<8|uint64(s)<<4|purpose, index)
}

// between returns a number in [lo, hi], by Lemire's multiplication without its
// rejection step: the bias is below (hi−lo)/2⁶⁴.
func (d *draw) between(lo, hi int64) int64 {
	n, _ := bits.Mul64(d.pcg.Uint64(), uint64(hi-lo+1))
	return lo + int64(n)
}

// label returns the class of image i. Every ten images in a row are the ten
// classes in an order of their own, so that any prefix is nearly balanced.
func (d *draw) label(s Split, i int) int {
	d.seek(s, streamLabels, uint64(i/Classes))
	order := [Classes]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	for k := Classes - 1; k > 0; k-- {
		j := d.between(0, int64(k))
		order[k], order[j] = order[j], order[k]
	}
	return order[i%Classes]
}

// faces parses the 63 faces once, when the first image is asked for.
var faces = sync.OnceValues(func() ([2][]*[10]glyph, error) {
	var out [2][]*[10]glyph
	for s, ttfs := range [2][][]byte{Train: trainFaces, Test: testFaces} {
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
	draw
	raster
	points []vertex // of the outline in hand, in 1/65536 pixel
	spare  []vertex // … of the clutter beneath it
}

func newPainter(k *Kind) *painter {
	return &painter{kind: k, draw: draw{seed: k.seed}, raster: newRaster(k.Side)}
}

// paint draws image i of the split into dst, Size bytes, and returns its class.
func (p *painter) paint(dst []byte, s Split, faces []*[10]glyph, i int) int {
	class := p.label(s, i)
	p.seek(s, streamPixels, uint64(i))
	g := &faces[p.between(0, int64(len(faces)-1))][class]
	shiftX, shiftY := p.place(g, &p.kind.ranges)
	p.frame(shiftX, shiftY)
	p.kind.develop(p, dst, g, faces)
	return class
}

// place draws an affine map and a stroke weight, and fills p.points with the
// outline's corners around the origin. It returns the shift that was drawn.
func (p *painter) place(g *glyph, r *ranges) (shiftX, shiftY int64) {
	scale := p.between(r.scaleLow, r.scaleHigh)
	t := p.between(-r.tanHalf, r.tanHalf)
	shear := p.between(-r.shear, r.shear)
	shiftX, shiftY = p.between(-r.shift, r.shift), p.between(-r.shift, r.shift)
	weight := p.between(-r.thinMost, r.thickMost)

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
			p.points = append(p.points, vertex{x: (xx*x + xy*y) >> (30 - pixQ), y: (yx*x + yy*y) >> (30 - pixQ)})
		}
	}
	return shiftX, shiftY
}

// frame moves the points to the middle of the canvas plus the shift, which it
// cuts where it would push the outline over the border; an outline too big
// for the canvas is shrunk to it.
func (p *painter) frame(shiftX, shiftY int64) {
	canvas := int64(p.side) << pixQ
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
	p.fill()
}

// trace hands a closed contour to the raster.
func (p *painter) trace(contour []vertex) {
	from := contour[len(contour)-1]
	for _, to := range contour {
		p.edge(from.x, from.y, to.x, to.y)
		from = to
	}
}

// developGrey turns coverage into grey levels: ink, then noise.
func (p *painter) developGrey(dst []byte, g *glyph, _ []*[10]glyph) {
	p.coverGlyph(g)
	ink, sigma := p.between(inkLow, 255), p.between(0, noiseMax)
	for i, c := range p.cover {
		dst[i] = byte(int64(c) * ink / fullInk)
	}
	p.noise(dst, sigma)
}

// noise adds to each value the sum of four uniform bytes (Irwin–Hall: mean 510,
// deviation 147.8), near enough to a Gaussian and the same integers everywhere.
func (p *painter) noise(dst []byte, sigma int64) {
	var word uint64
	for i, v := range dst {
		if i%2 == 0 {
			word = p.pcg.Uint64()
		}
		sum := int64(word&0xff + word>>8&0xff + word>>16&0xff + word>>24&0xff)
		word >>= 32
		dst[i] = byte(max(0, min(int64(v)+(sum-510)*sigma/148, 255)))
	}
}

// Fill draws the split's first len(labels) images into images, NHWC bytes
// [len(labels), Side, Side, Channels], and their classes into labels, with so many
// workers (0: one a CPU). The bytes do not depend on the number of workers,
// nor on the architecture.
func (k *Kind) Fill(ctx context.Context, s Split, images []byte, labels []int64, workers int) error {
	size := k.Size()
	if n := len(labels); n > s.Count() || len(images) != n*size {
		return fmt.Errorf("digits: buffers of %d bytes and %d labels: want at most %d images of %d bytes",
			len(images), n, s.Count(), size)
	}
	all, err := faces()
	if err != nil {
		return err
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	const chunk = 64
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(workers, len(labels)/chunk+1) {
		group.Go(func() error {
			p := newPainter(k)
			for ctx.Err() == nil {
				start := int(next.Add(chunk)) - chunk
				if start >= len(labels) {
					return nil
				}
				for i := start; i < min(start+chunk, len(labels)); i++ {
					labels[i] = int64(p.paint(images[i*size:][:size], s, all[s], i))
				}
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}
