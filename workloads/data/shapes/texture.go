package shapes

import "github.com/clsbench/clsbench/workloads/data/paint"

// texture is a pattern over the whole canvas: how much of its second colour a
// place has.
type texture struct {
	kind   int
	angle  int64 // of the pattern, in 1/1024 of a turn
	period int64 // in 1/65536 of the side
	share  int64 // of the period that has the second colour, in 1/65536
	shiftX int64 // in 1/65536 of the side
	shiftY int64
	grain  [256]byte // of noise
	colors [2]paint.RGB
}

// The kinds of texture.
const (
	stripes = iota
	checks
	dots
	noise
	textures
)

// The ranges of a texture. A period's low end is 3 pixels at 32 × 32.
const (
	angleHigh  = turn/2 - 1
	periodLow  = unit * 10 / 100
	periodHigh = unit * 26 / 100
	shareLow   = unit * 35 / 100
	shareHigh  = unit * 65 / 100

	bands = 8 // that a range is cut into, every other one for each split
)

// banded draws from the split's bands of a range.
func (p *Painter) banded(s paint.Split, lo, hi int64) int64 {
	width := (hi - lo + 1) / bands
	return lo + (2*p.Between(0, bands/2-1)+int64(s))*width + p.Between(0, width-1)
}

// weave draws a texture of two colours.
func (p *Painter) weave(t *texture, s paint.Split, colors [2]paint.RGB) {
	t.kind = int(p.Between(0, textures-1))
	t.angle = p.banded(s, 0, angleHigh)
	t.period = p.banded(s, periodLow, periodHigh)
	t.share = p.banded(s, shareLow, shareHigh)
	t.shiftX, t.shiftY = p.Between(0, unit-1), p.Between(0, unit-1)
	for i := range t.grain {
		t.grain[i] = byte(p.Between(0, 255))
	}
	t.colors = colors
}

// at is the share of the second colour, 0 … 256, at a place in 1/65536 of the
// side. sharp is how many 1/256 an edge gains over 1/65536 of the side, in
// 1/65536: edges are one pixel wide.
func (t *texture) at(x, y, sharp int64) int64 {
	x, y = x+t.shiftX, y+t.shiftY
	sin, cos := sincos(t.angle)
	u, v := (x*cos+y*sin)>>16, (y*cos-x*sin)>>16
	edge := func(inside int64) int64 { return max(0, min(128+inside*sharp>>16, 256)) }
	// wave is how far inside the second colour's part of its period a place is.
	wave := func(u, share int64) int64 {
		off := u%t.period + t.period
		return (t.period*share>>16)/2 - abs(off%t.period-t.period/2)
	}
	switch t.kind {
	case stripes:
		return edge(wave(u, t.share))
	case checks:
		a, b := edge(wave(u, t.share)), edge(wave(v, t.share))
		return (a*(256-b) + b*(256-a)) >> 8
	case dots:
		half := t.period / 2
		du, dv := cell(u, t.period)-half, cell(v, t.period)-half
		radius := t.period * t.share >> 16 * 3 / 4
		// (r²−d²)/2r is r−d where that matters, near the edge.
		return edge((radius*radius - du*du - dv*dv) / (2 * radius))
	}
	value := (2*t.lattice(u, v, t.period) + t.lattice(2*u, 2*v, t.period)) / 3
	return max(0, min((value-128)*4+t.share>>8, 256))
}

// cell is where in its period a coordinate is.
func cell(u, period int64) int64 { return (u%period + period) % period }

// lattice blends the four grains around a place, 0 … 255.
func (t *texture) lattice(u, v, period int64) int64 {
	i, j := (u-cell(u, period))/period, (v-cell(v, period))/period
	a, b := cell(u, period), cell(v, period)
	grain := func(i, j int64) int64 { return int64(t.grain[(i*37+j*101)&255]) }
	upper := (grain(i, j)*(period-a) + grain(i+1, j)*a) / period
	lower := (grain(i, j+1)*(period-a) + grain(i+1, j+1)*a) / period
	return (upper*(period-b) + lower*b) / period
}

func abs(x int64) int64 { return max(x, -x) }
