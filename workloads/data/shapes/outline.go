package shapes

import "math"

// Names are the classes, in the order of their labels.
var Names = []string{"disc", "triangle", "square", "star", "cross", "ring", "crescent", "heart", "arrow", "hourglass"}

// An outline is one or two closed polygons within the unit circle, y down, in
// 1/65536: the second, if there is one, is a hole, and turns the other way.
type (
	point   struct{ x, y int64 }
	outline [][]point
)

// Polygons are computed in float64 and rounded once, here: what an
// architecture's fused or unfused arithmetic leaves different is far below the
// rounding (a test holds every coordinate away from where it would not be).
const unit = 1 << 16

type place struct{ x, y float64 }

// arc is n+1 points on a circle around (cx, 0), from one angle to another, in
// degrees.
func arc(cx, radius, from, to float64, n int) []place {
	out := make([]place, 0, n+1)
	for k := range n + 1 {
		sin, cos := math.Sincos((from + (to-from)*float64(k)/float64(n)) * math.Pi / 180)
		out = append(out, place{cx + float64(radius*cos), radius * sin})
	}
	return out
}

// circle is a whole one; a negative radius turns it the other way.
func circle(radius float64) []place {
	const chords = 64
	if radius < 0 {
		return arc(0, -radius, 360, 0, chords)[:chords]
	}
	return arc(0, radius, 0, 360, chords)[:chords]
}

// star has its corners on two circles in turn.
func star(corners int, outer, inner float64) []place {
	out := make([]place, 0, 2*corners)
	for k := range 2 * corners {
		radius := outer
		if k%2 == 1 {
			radius = inner
		}
		out = append(out, arc(0, radius, 180*float64(k)/float64(corners), 0, 1)[0])
	}
	return out
}

// crescent is a disc less another, whose circles meet at ±(x, y).
func crescent(radius, bite, apart float64) []place {
	x := (float64(apart*apart) + float64(radius*radius) - float64(bite*bite)) / (2 * apart)
	y := math.Sqrt(float64(radius*radius) - float64(x*x))
	degrees := func(y, x float64) float64 { return math.Atan2(y, x) * 180 / math.Pi }
	outer, inner := degrees(y, x), degrees(y, x-apart)
	back := arc(apart, bite, 360-inner, inner, 32)
	return append(arc(0, radius, outer, 360-outer, 48), back[1:len(back)-1]...)
}

// heart is the curve x = 16 sin³t, y = 13 cos t − 5 cos 2t − 2 cos 3t − cos 4t
// (E. W. Weisstein, "Heart Curve", MathWorld), upside down and at 1/17.
func heart() []place {
	const n = 64
	out := make([]place, n)
	for k := range out {
		t := 2 * math.Pi * float64(k) / n
		s := math.Sin(t)
		y := float64(13*math.Cos(t)) - float64(5*math.Cos(2*t)) - float64(2*math.Cos(3*t)) - math.Cos(4*t)
		out[k] = place{16 * s * s * s / 17, -y / 17}
	}
	return out
}

// mirrored is a polygon of these corners and their mirror images across the
// horizontal axis, in the other order.
func mirrored(half ...place) []place {
	out := append([]place(nil), half...)
	for k := len(half) - 1; k >= 0; k-- {
		if half[k].y != 0 {
			out = append(out, place{half[k].x, -half[k].y})
		}
	}
	return out
}

const arm = 0.3 // half the width of the cross's

var figures = [...][][]place{
	{circle(0.88)},
	{star(3, 1, 0.5)}, // its inner corners lie on its sides
	{star(4, 1, math.Sqrt2/2)},
	{star(5, 1, 0.4)},
	{mirrored(place{0.95, arm}, place{arm, arm}, place{arm, 0.95}, place{-arm, 0.95}, place{-arm, arm}, place{-0.95, arm})},
	{circle(0.92), circle(-0.5)},
	{crescent(0.95, 0.8, 0.5)},
	{heart()},
	{mirrored(place{1, 0}, place{0.1, 0.75}, place{0.1, 0.28}, place{-0.9, 0.28})},
	{mirrored(place{0.75, 0.75}, place{0, 0.15}, place{-0.75, 0.75})},
}

// outlines are the figures, rounded, a class each.
var outlines = func() (out [len(figures)]outline) {
	for class, contours := range figures {
		for _, c := range contours {
			var polygon []point
			for _, p := range c {
				polygon = append(polygon, point{int64(math.RoundToEven(p.x * unit)), int64(math.RoundToEven(p.y * unit))})
			}
			out[class] = append(out[class], polygon)
		}
	}
	return out
}()

// turns are the sines of a full turn, in 1/65536.
const turn = 1 << 10

var sines = func() (out [turn]int64) {
	for k := range out {
		out[k] = int64(math.RoundToEven(unit * math.Sin(2*math.Pi*float64(k)/turn)))
	}
	return out
}()

// sincos is of an angle in turns of 1024.
func sincos(angle int64) (sin, cos int64) {
	return sines[angle&(turn-1)], sines[(angle+turn/4)&(turn-1)]
}
