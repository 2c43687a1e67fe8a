package digits

import "github.com/clsbench/clsbench/workloads/data/paint"

// Color is digits-color/v1.
var Color = &Kind{
	Side: 32, Channels: 3, seed: 2, develop: (*painter).developColor,
	ranges: ranges{
		figure: 20, scaleLow: one * 80 / 100, scaleHigh: one * 120 / 100,
		tanHalf: one * 10 / 100, // ±0.2 rad
		shear:   one * 20 / 100, shift: 4 << paint.PixQ,
		thinMost: one * 15 / 100, thickMost: one * 30 / 100, hairMin: one,
	},
}

// The clutter beneath a digit: triangles, and digits about half its size.
var clutter = ranges{
	figure: 20, scaleLow: one * 30 / 100, scaleHigh: one * 60 / 100,
	tanHalf: one * 50 / 100, shear: one * 30 / 100, shift: 16 << paint.PixQ,
	thinMost: one * 15 / 100, thickMost: one * 30 / 100, hairMin: one,
}

const (
	lattice       = 4       // the ground is blended from so many colours a side
	piecesLow     = 2       // of clutter
	piecesHigh    = 5       //
	triangleReach = 9 << 16 // 1/65536 pixel: how far a corner lies from the triangle's middle
	groundLuma    = 100     // the ground is at most so light
	clutterLuma   = 140     // … a piece of clutter
	digitLuma     = 170     // … and the digit at least
	colorNoiseMax = 20      // standard deviation, levels
)

// developColor lays ground, clutter and the digit at p.points over each other,
// then noise.
func (p *painter) developColor(dst []byte, g *glyph, faces []*[10]glyph) {
	digit := p.points
	p.points = p.spare[:0]
	p.blend(dst)
	for range p.Between(piecesLow, piecesHigh) {
		if p.Between(0, 1) == 0 {
			p.triangle()
		} else {
			p.stray(faces)
		}
		p.Ink(dst, p.Dark(clutterLuma))
	}
	p.points, p.spare = digit, p.points
	p.coverGlyph(g)
	p.Ink(dst, p.Light(digitLuma))
	p.Noise(dst, p.Between(0, colorNoiseMax))
}

// blend fills dst with a lattice of colours, bilinearly between them.
func (p *painter) blend(dst []byte) {
	var corners [lattice][lattice]paint.RGB
	for y := range corners {
		for x := range corners[y] {
			corners[y][x] = p.Dark(groundLuma)
		}
	}
	side := int64(p.Side)
	for y := range side {
		row, v := y*(lattice-1)/side, y*(lattice-1)%side
		for x := range side {
			column, u := x*(lattice-1)/side, x*(lattice-1)%side
			a, b := &corners[row], &corners[row+1]
			for c := range 3 {
				above := a[column][c]*(side-u) + a[column+1][c]*u
				below := b[column][c]*(side-u) + b[column+1][c]*u
				dst[(y*side+x)*3+int64(c)] = byte((above*(side-v) + below*v) / (side * side))
			}
		}
	}
}

// triangle covers three corners around a middle anywhere on the canvas.
func (p *painter) triangle() {
	canvas := int64(p.Side) << paint.PixQ
	x, y := p.Between(0, canvas), p.Between(0, canvas)
	p.points = p.points[:0]
	for range 3 {
		p.points = append(p.points, vertex{
			x: x + p.Between(-triangleReach, triangleReach),
			y: y + p.Between(-triangleReach, triangleReach),
		})
	}
	p.trace(p.points)
	p.Fill()
}

// stray covers a small digit anywhere on the canvas, cut at its border.
func (p *painter) stray(faces []*[10]glyph) {
	g := &faces[p.Between(0, int64(len(faces)-1))][p.Between(0, Classes-1)]
	shiftX, shiftY := p.place(g, &clutter)
	p.move(int64(p.Side)<<paint.PixQ/2+shiftX, int64(p.Side)<<paint.PixQ/2+shiftY)
	p.coverGlyph(g)
}
