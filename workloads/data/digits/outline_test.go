package digits

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestFacesHaveTheirMeasures(t *testing.T) {
	all, err := faces()
	require.NoError(t, err)
	require.Len(t, all[Train], 51)
	require.Len(t, all[Test], 12)
	for s := range all {
		for f, face := range all[s] {
			for d, g := range face {
				// A figure is 0.5 to 1 em high (Latin Modern Dunhill's are the tallest), a
				// stroke thinner than a third of it.
				require.InDelta(t, 0.75*ppem, g.height, 0.25*ppem, "split %d face %d digit %d", s, f, d)
				require.Positive(t, g.hairline, "split %d face %d digit %d", s, f, d)
				require.LessOrEqual(t, g.hairline, g.stroke*6/5, "split %d face %d digit %d", s, f, d)
				require.Less(t, g.stroke, g.height/3, "split %d face %d digit %d", s, f, d)
			}
		}
	}
}

// ink draws a glyph upright, 18 pixels high, with its strokes' edges moved
// outwards by grow, and returns its area in pixels.
func ink(g *glyph, grow int64) float64 {
	r := newRaster(Grey.Side)
	size := Grey.ranges.figure * one / g.height
	for _, c := range g.contours {
		at := func(i int) (int64, int64) {
			v := c[i%len(c)]
			place := func(x, n int64) int64 { return int64(Grey.Side)<<pixQ/2 + (x+grow*n>>normalQ)*size>>(30-pixQ) }
			return place(v.x, v.nx), place(v.y, v.ny)
		}
		for i := range c {
			x0, y0 := at(i)
			x1, y1 := at(i + 1)
			r.edge(x0, y0, x1, y1)
		}
	}
	r.fill()
	sum := int32(0)
	for _, c := range r.cover {
		sum += c
	}
	return float64(sum) / fullInk
}

// Growing must add ink and thinning take it, in every glyph of every face:
// that is, each contour's normals point out of the ink, whichever way round
// its format turns.
func TestStrokesGrowAndShrink(t *testing.T) {
	all, err := faces()
	require.NoError(t, err)
	for s := range all {
		for f, face := range all[s] {
			for d := range face {
				g := &face[d]
				step := g.stroke / 8
				thin, plain, thick := ink(g, -step), ink(g, 0), ink(g, step)
				require.Greater(t, plain, 1.08*thin, "split %d face %d digit %d", s, f, d)
				require.Greater(t, thick, 1.08*plain, "split %d face %d digit %d", s, f, d)
			}
		}
	}
}

func TestLoadFaceRefusesWhatIsNoFace(t *testing.T) {
	_, err := loadFace([]byte("not a font"))
	require.ErrorContains(t, err, "parse face")
}

// square is a ring of side pixels around (x, y), clockwise on the screen or
// against it.
func square(r *raster, x, y, half int64, clockwise bool) {
	corners := [][2]int64{{x - half, y - half}, {x + half, y - half}, {x + half, y + half}, {x - half, y + half}}
	for i := range corners {
		a, b := corners[i], corners[(i+1)%4]
		if !clockwise {
			a, b = b, a
		}
		r.edge(a[0], a[1], b[0], b[1])
	}
}

func TestFillCoversExactly(t *testing.T) {
	const px = 1 << pixQ
	r := newRaster(Grey.Side)
	square(&r, 10*px, 10*px, 4*px+px/4, true)
	square(&r, 10*px, 10*px, 2*px, false)  // a hole: the other way round
	square(&r, 11*px, 10*px, px/2, true)   // an island in it
	square(&r, 20*px, 20*px, 2*px, true)   // two overlapping squares …
	square(&r, 21*px, 20*px, 2*px, true)   // … stay one shape
	square(&r, 100*px, 10*px, 3*px, true)  // beyond the canvas: nothing, no panic
	square(&r, 10*px, -100*px, 3*px, true) // above it
	r.fill()
	at := func(x, y int) int32 { return r.cover[y*Grey.Side+x] }
	require.Equal(t, int32(fullInk), at(7, 7))
	require.Equal(t, int32(fullInk/4), at(5, 10), "left edge at 5.75")
	require.Equal(t, int32(fullInk/4), at(10, 14), "lower edge at 14.25")
	require.Equal(t, int32(fullInk/16), at(5, 5), "corner")
	require.Zero(t, at(8, 8), "hole")
	require.Equal(t, int32(fullInk/4), at(10, 9), "island of one pixel over four")
	require.Equal(t, int32(fullInk), at(20, 20), "overlap counts once")
	require.Equal(t, int32(fullInk), at(22, 20))
	require.Zero(t, at(23, 20))
	require.Zero(t, at(27, 10))

	r.fill()
	require.Equal(t, make([]int32, len(r.cover)), r.cover, "crossings are forgotten")
}

// The ink of a random triangle is its area, but for what eight scan lines a
// pixel miss along its edges.
func TestTriangleArea(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.Int64Range(0, int64(Grey.Side)<<pixQ)
		var x, y [3]int64
		for i := range x {
			x[i], y[i] = c.Draw(t, "x"), c.Draw(t, "y")
		}
		r := newRaster(Grey.Side)
		for i := range x {
			j := (i + 1) % 3
			r.edge(x[i], y[i], x[j], y[j])
		}
		r.fill()
		sum := 0.0
		for _, v := range r.cover {
			require.True(t, v >= 0 && v <= fullInk)
			sum += float64(v) / fullInk
		}
		area := float64((x[1]-x[0])*(y[2]-y[0])-(x[2]-x[0])*(y[1]-y[0])) / 2 / (1 << (2 * pixQ))
		require.InDelta(t, max(area, -area), sum, 2.0)
	})
}
