package digits

// Color is digits-color/v1.
var Color = &Kind{
	Side: 32, Channels: 3, seed: 2, develop: (*painter).developColor,
	ranges: ranges{
		figure: 20, scaleLow: one * 80 / 100, scaleHigh: one * 120 / 100,
		tanHalf: one * 10 / 100, // ±0.2 rad
		shear:   one * 20 / 100, shift: 4 << pixQ,
		thinMost: one * 15 / 100, thickMost: one * 30 / 100, hairMin: one,
	},
}

// The clutter beneath a digit: triangles, and digits about half its size.
var clutter = ranges{
	figure: 20, scaleLow: one * 30 / 100, scaleHigh: one * 60 / 100,
	tanHalf: one * 50 / 100, shear: one * 30 / 100, shift: 16 << pixQ,
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

// rgb is a colour, each channel 0 … 255.
type rgb [3]int64

// luma is ITU-R BT.601's, in 1/256.
func (c rgb) luma() int64 { return (77*c[0] + 150*c[1] + 29*c[2]) >> 8 }

// dark draws a colour whose luma is at most limit: any hue, dimmed if need be.
func (p *painter) dark(limit int64) rgb {
	c := p.anyColor()
	if l := c.luma(); l > limit {
		for i := range c {
			c[i] = c[i] * limit / l
		}
	}
	return c
}

// light draws a colour whose luma is at least limit: any hue, blended with
// white if need be.
func (p *painter) light(limit int64) rgb {
	c := p.anyColor()
	if l := c.luma(); l < limit {
		for i := range c {
			c[i] += (255 - c[i]) * (limit - l) / (255 - l)
		}
	}
	return c
}

func (p *painter) anyColor() rgb {
	return rgb{p.between(0, 255), p.between(0, 255), p.between(0, 255)}
}

// developColor lays ground, clutter and the digit at p.points over each other,
// then noise.
func (p *painter) developColor(dst []byte, g *glyph, faces []*[10]glyph) {
	digit := p.points
	p.points = p.spare[:0]
	p.blend(dst)
	for range p.between(piecesLow, piecesHigh) {
		if p.between(0, 1) == 0 {
			p.triangle()
		} else {
			p.stray(faces)
		}
		p.ink(dst, p.dark(clutterLuma))
	}
	p.points, p.spare = digit, p.points
	p.coverGlyph(g)
	p.ink(dst, p.light(digitLuma))
	p.noise(dst, p.between(0, colorNoiseMax))
}

// blend fills dst with a lattice of colours, bilinearly between them.
func (p *painter) blend(dst []byte) {
	var corners [lattice][lattice]rgb
	for y := range corners {
		for x := range corners[y] {
			corners[y][x] = p.dark(groundLuma)
		}
	}
	side := int64(p.side)
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
	canvas := int64(p.side) << pixQ
	x, y := p.between(0, canvas), p.between(0, canvas)
	p.points = p.points[:0]
	for range 3 {
		p.points = append(p.points, vertex{
			x: x + p.between(-triangleReach, triangleReach),
			y: y + p.between(-triangleReach, triangleReach),
		})
	}
	p.trace(p.points)
	p.fill()
}

// stray covers a small digit anywhere on the canvas, cut at its border.
func (p *painter) stray(faces []*[10]glyph) {
	g := &faces[p.between(0, int64(len(faces)-1))][p.between(0, Classes-1)]
	shiftX, shiftY := p.place(g, &clutter)
	p.move(int64(p.side)<<pixQ/2+shiftX, int64(p.side)<<pixQ/2+shiftY)
	p.coverGlyph(g)
}

// ink lays a colour over dst where the raster is covered.
func (p *painter) ink(dst []byte, ink rgb) {
	for i, cover := range p.cover {
		if cover == 0 {
			continue
		}
		for c, v := range dst[i*3 : i*3+3] {
			dst[i*3+c] = byte(int64(v) + (ink[c]-int64(v))*int64(cover)/fullInk)
		}
	}
}
