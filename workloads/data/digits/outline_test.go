package digits

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/workloads/data/paint"
)

func TestFacesHaveTheirMeasures(t *testing.T) {
	all, err := faces()
	require.NoError(t, err)
	require.Len(t, all[paint.Train], 51)
	require.Len(t, all[paint.Test], 12)
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
	r := paint.NewRaster(Grey.Side)
	size := Grey.ranges.figure * one / g.height
	for _, c := range g.contours {
		at := func(i int) (int64, int64) {
			v := c[i%len(c)]
			place := func(x, n int64) int64 {
				return int64(Grey.Side)<<paint.PixQ/2 + (x+grow*n>>normalQ)*size>>(30-paint.PixQ)
			}
			return place(v.x, v.nx), place(v.y, v.ny)
		}
		for i := range c {
			x0, y0 := at(i)
			x1, y1 := at(i + 1)
			r.Edge(x0, y0, x1, y1)
		}
	}
	r.Fill()
	sum := int32(0)
	for _, c := range r.Cover {
		sum += c
	}
	return float64(sum) / paint.FullInk
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
