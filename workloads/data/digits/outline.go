package digits

import (
	"fmt"
	"math"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// Outlines are loaded at 256 pixels an em, so that the 26.6 numbers of
// x/image/font/sfnt, which scales in integers, come to 1/16384 em.
const (
	ppem   = 256 << 6
	chords = 8 // to a curve: off by < 0.02 pixels at 22 pixels' height
)

// vertex is one corner of a closed polygon: its place in 1/16384 em (y down,
// the glyph's centre at the origin) and the way it moves, in 1/4096, when the
// stroke's edge moves outwards by one.
type vertex struct{ x, y, nx, ny int64 }

// glyph is one digit of one face; its lengths are in 1/16384 em.
type glyph struct {
	contours [][]vertex
	height   int64 // of its face's zero
	stroke   int64 // mean width of its strokes, 2·area/perimeter
	hairline int64 // width of its thin strokes
}

// loadFace returns the ten digits of an OpenType face.
func loadFace(ttf []byte) (*[10]glyph, error) {
	font, err := sfnt.Parse(ttf)
	if err != nil {
		return nil, fmt.Errorf("digits: parse face: %w", err)
	}
	var (
		face   [10]glyph
		buf    sfnt.Buffer
		height int64
	)
	for d := range face {
		index, err := font.GlyphIndex(&buf, rune('0'+d))
		if err == nil && index == 0 {
			err = sfnt.ErrNotFound
		}
		if err != nil {
			return nil, fmt.Errorf("digits: face without digit %d: %w", d, err)
		}
		segments, err := font.LoadGlyph(&buf, index, ppem, nil)
		if err != nil {
			return nil, fmt.Errorf("digits: load digit %d: %w", d, err)
		}
		contours := flatten(segments)
		if h := centre(contours); d == 0 {
			height = h // of the zero: in some italics the four descends
		}
		face[d] = glyph{contours: contours, height: height}
		face[d].measure()
	}
	return &face, nil
}

// flatten turns the curves of an outline into closed polygons without
// repeated points.
func flatten(segments sfnt.Segments) [][]vertex {
	var contours [][]vertex
	add := func(p fixed.Point26_6) {
		last := &contours[len(contours)-1]
		v := vertex{x: int64(p.X), y: int64(p.Y)}
		if n := len(*last); n == 0 || (*last)[n-1] != v {
			*last = append(*last, v)
		}
	}
	var pen fixed.Point26_6
	for _, s := range segments {
		end := s.Args[0]
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			contours = append(contours, nil)
			add(end)
		case sfnt.SegmentOpLineTo:
			add(end)
		case sfnt.SegmentOpQuadTo:
			end = s.Args[1]
			// A quadratic is the cubic with controls a third of the way from its own.
			third := func(p fixed.Point26_6) fixed.Point26_6 {
				return fixed.Point26_6{X: (p.X + 2*s.Args[0].X) / 3, Y: (p.Y + 2*s.Args[0].Y) / 3}
			}
			flattenCubic(pen, third(pen), third(end), end, add)
		case sfnt.SegmentOpCubeTo:
			end = s.Args[2]
			flattenCubic(pen, s.Args[0], s.Args[1], end, add)
		}
		pen = end
	}
	for i, c := range contours {
		if n := len(c); n > 1 && c[0] == c[n-1] {
			contours[i] = c[:n-1]
		}
	}
	return contours
}

// flattenCubic evaluates the Bernstein form at k/n in integers.
func flattenCubic(p0, p1, p2, p3 fixed.Point26_6, add func(fixed.Point26_6)) {
	const n = chords
	at := func(k int64, a, b, c, d fixed.Int26_6) fixed.Int26_6 {
		u := n - k
		return fixed.Int26_6((u*u*u*int64(a) + 3*u*u*k*int64(b) + 3*u*k*k*int64(c) + k*k*k*int64(d)) / (n * n * n))
	}
	for k := int64(1); k <= n; k++ {
		add(fixed.Point26_6{X: at(k, p0.X, p1.X, p2.X, p3.X), Y: at(k, p0.Y, p1.Y, p2.Y, p3.Y)})
	}
}

// centre moves the middle of the glyph's box to the origin and returns the
// box's height.
func centre(contours [][]vertex) int64 {
	minX, minY, maxX, maxY := bounds(contours)
	for _, c := range contours {
		for i := range c {
			c[i].x -= (minX + maxX) / 2
			c[i].y -= (minY + maxY) / 2
		}
	}
	return maxY - minY
}

func bounds(contours [][]vertex) (minX, minY, maxX, maxY int64) {
	minX, minY, maxX, maxY = math.MaxInt64, math.MaxInt64, math.MinInt64, math.MinInt64
	for _, c := range contours {
		for _, v := range c {
			minX, maxX = min(minX, v.x), max(maxX, v.x)
			minY, maxY = min(minY, v.y), max(maxY, v.y)
		}
	}
	return minX, minY, maxX, maxY
}
