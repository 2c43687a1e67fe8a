package digits

import (
	"cmp"
	"math"
	"slices"
)

// What is measured here, once a glyph, is in float64. The conversions in sums
// of products forbid fused multiply-adds, and IEEE 754 rounds division and
// square root correctly, so that every architecture gets the same integers.

const (
	normalQ  = 12 // fraction bits of a vertex's normal
	miterMax = 2  // a corner moves at most this many offsets, or its spike would outgrow the stroke
)

// side is one edge of a contour: its middle, its direction and its length.
type side struct{ x, y, dx, dy, length float64 }

func sideOf(from, to vertex) side {
	x, y := float64(to.x-from.x), float64(to.y-from.y)
	l := math.Sqrt(float64(x*x) + float64(y*y))
	return side{float64(from.x+to.x) / 2, float64(from.y+to.y) / 2, x / l, y / l, l}
}

// measure finds the glyph's stroke widths, and which way each vertex moves
// when the strokes grow. TrueType and PostScript outlines turn opposite ways
// round, so the sign of the area, which the outer contours dominate, says
// which side is out.
func (g *glyph) measure() {
	var (
		area, perimeter float64
		sides           []side
	)
	for _, c := range g.contours {
		for i, v := range c {
			w := c[(i+1)%len(c)]
			s := sideOf(v, w)
			area += float64(v.x*w.y-w.x*v.y) / 2
			perimeter += s.length
			sides = append(sides, s)
		}
	}
	out := math.Copysign(1, area)
	rest := sides
	for _, c := range g.contours {
		setNormals(c, rest[:len(c)], out)
		rest = rest[len(c):]
	}
	g.stroke = int64(2 * math.Abs(area) / perimeter)
	g.hairline = int64(hairline(sides, out, perimeter/10))
}

// setNormals gives vertex i, between sides i−1 and i, the sum of their outward
// unit normals over 1 + the cosine of the turn, cut where the corner is sharp.
// The outward normal of direction (x, y) is (y, −x)·out.
func setNormals(contour []vertex, sides []side, out float64) {
	before := sides[len(sides)-1]
	for i, after := range sides {
		cos := float64(before.dx*after.dx) + float64(before.dy*after.dy)
		k := out * (1 << normalQ) / max(1+cos, 1.0/miterMax)
		contour[i].nx = int64(math.RoundToEven((before.dy + after.dy) * k))
		contour[i].ny = int64(math.RoundToEven(-(before.dx + after.dx) * k))
		before = after
	}
}

// hairline returns the width of the thin strokes: the least width that the
// shortest-crossing sides, share of the outline's length in all, stay within.
func hairline(sides []side, out, share float64) float64 {
	type crossing struct{ width, length float64 }
	widths := make([]crossing, len(sides))
	for i, s := range sides {
		widths[i] = crossing{reach(sides, s, out), s.length}
	}
	slices.SortStableFunc(widths, func(a, b crossing) int { return cmp.Compare(a.width, b.width) })
	i := 0
	for ; share > widths[i].length && i < len(widths)-1; i++ {
		share -= widths[i].length
	}
	return widths[i].width
}

// reach returns the way from the middle of side s inwards to the nearest
// other side, +Inf if there is none.
func reach(sides []side, s side, out float64) float64 {
	inX, inY := -s.dy*out, s.dx*out
	nearest := math.Inf(1)
	for _, o := range sides {
		// The ray s.mid + t·in meets the line o.mid + u·o.d.
		turn := float64(inX*o.dy) - float64(inY*o.dx)
		if math.Abs(turn) < 1e-9 {
			continue
		}
		x, y := o.x-s.x, o.y-s.y
		t := (float64(x*o.dy) - float64(y*o.dx)) / turn
		u := (float64(x*inY) - float64(y*inX)) / turn
		if t > 1 && math.Abs(u) <= o.length/2 {
			nearest = min(nearest, t)
		}
	}
	return nearest
}
