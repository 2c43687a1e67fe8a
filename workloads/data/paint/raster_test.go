package paint

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const side = 28

// square is a ring of side pixels around (x, y), clockwise on the screen or
// against it.
func square(r *Raster, x, y, half int64, clockwise bool) {
	corners := [][2]int64{{x - half, y - half}, {x + half, y - half}, {x + half, y + half}, {x - half, y + half}}
	for i := range corners {
		a, b := corners[i], corners[(i+1)%4]
		if !clockwise {
			a, b = b, a
		}
		r.Edge(a[0], a[1], b[0], b[1])
	}
}

func TestFillCoversExactly(t *testing.T) {
	const px = 1 << PixQ
	r := NewRaster(side)
	square(&r, 10*px, 10*px, 4*px+px/4, true)
	square(&r, 10*px, 10*px, 2*px, false)  // a hole: the other way round
	square(&r, 11*px, 10*px, px/2, true)   // an island in it
	square(&r, 20*px, 20*px, 2*px, true)   // two overlapping squares …
	square(&r, 21*px, 20*px, 2*px, true)   // … stay one shape
	square(&r, 100*px, 10*px, 3*px, true)  // beyond the canvas: nothing, no panic
	square(&r, 10*px, -100*px, 3*px, true) // above it
	r.Fill()
	at := func(x, y int) int32 { return r.Cover[y*side+x] }
	require.Equal(t, int32(FullInk), at(7, 7))
	require.Equal(t, int32(FullInk/4), at(5, 10), "left edge at 5.75")
	require.Equal(t, int32(FullInk/4), at(10, 14), "lower edge at 14.25")
	require.Equal(t, int32(FullInk/16), at(5, 5), "corner")
	require.Zero(t, at(8, 8), "hole")
	require.Equal(t, int32(FullInk/4), at(10, 9), "island of one pixel over four")
	require.Equal(t, int32(FullInk), at(20, 20), "overlap counts once")
	require.Equal(t, int32(FullInk), at(22, 20))
	require.Zero(t, at(23, 20))
	require.Zero(t, at(27, 10))

	r.Fill()
	require.Equal(t, make([]int32, len(r.Cover)), r.Cover, "crossings are forgotten")
}

// The ink of a random triangle is its area, but for what eight scan lines a
// pixel miss along its edges.
func TestTriangleArea(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.Int64Range(0, int64(side)<<PixQ)
		var x, y [3]int64
		for i := range x {
			x[i], y[i] = c.Draw(t, "x"), c.Draw(t, "y")
		}
		r := NewRaster(side)
		for i := range x {
			j := (i + 1) % 3
			r.Edge(x[i], y[i], x[j], y[j])
		}
		r.Fill()
		sum := 0.0
		for _, v := range r.Cover {
			require.True(t, v >= 0 && v <= FullInk)
			sum += float64(v) / FullInk
		}
		area := float64((x[1]-x[0])*(y[2]-y[0])-(x[2]-x[0])*(y[1]-y[0])) / 2 / (1 << (2 * PixQ))
		require.InDelta(t, max(area, -area), sum, 2.0)
	})
}
