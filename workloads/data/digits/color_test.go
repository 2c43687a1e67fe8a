package digits

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/workloads/data/paint"
)

// The digit is lighter than what it lies on, whatever the colours: that is
// what tells it from the clutter.
func TestColorsKeepTheirSide(t *testing.T) {
	p := newPainter(Color)
	p.Image(paint.Train, 7)
	for range 5000 {
		dark, light := p.Dark(clutterLuma), p.Light(digitLuma)
		require.LessOrEqual(t, dark.Luma(), int64(clutterLuma))
		require.GreaterOrEqual(t, light.Luma(), int64(digitLuma-1), "%v: rounded down channel by channel", light)
		for c := range 3 {
			require.Equal(t, min(255, max(0, dark[c])), dark[c])
			require.Equal(t, min(255, max(0, light[c])), light[c])
		}
	}
}

// Where the digit covers a pixel whole, the pixel has the digit's colour, and
// the ground is not one colour; noise is left out of this.
func TestDigitLiesOnClutter(t *testing.T) {
	all, err := faces()
	require.NoError(t, err)
	p, dst := newPainter(Color), make([]byte, Color.Size())
	for i := range 200 {
		class := p.Label(paint.Test, i)
		p.Image(paint.Test, i)
		g := &all[paint.Test][3][class]
		shiftX, shiftY := p.place(g, &Color.ranges)
		p.frame(shiftX, shiftY)
		p.blend(dst)
		ground := map[[3]byte]bool{}
		for k := range p.Cover {
			ground[[3]byte(dst[k*3:])] = true
		}
		require.Greater(t, len(ground), 100, "image %d: the ground is flat", i)
		p.coverGlyph(g)
		before := append([]byte(nil), dst...)
		p.Ink(dst, paint.RGB{250, 200, 150})
		for k, c := range p.Cover {
			switch c {
			case 0:
				require.Equal(t, before[k*3:k*3+3], dst[k*3:k*3+3])
			case paint.FullInk:
				require.Equal(t, []byte{250, 200, 150}, dst[k*3:k*3+3])
			}
		}
	}
}
