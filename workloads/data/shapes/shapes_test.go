package shapes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/workloads/data/paint"
)

func fill(t testing.TB, side int, s paint.Split, n, workers int) ([]byte, []int64) {
	t.Helper()
	images, labels := make([]byte, n*side*side*3), make([]int64, n)
	require.NoError(t, Fill(context.Background(), side, s, images, labels, workers))
	return images, labels
}

// The bytes of the set are its definition.
func TestPrefixIsPinned(t *testing.T) {
	for _, c := range []struct {
		side  int
		split paint.Split
		n     int
		want  string
	}{
		{32, paint.Train, 300, "56cdac66fc915852c2726395639de63f1c0e62f9004b8223aa44eb9362b43591"},
		{64, paint.Train, 300, "a63f6bce8270c07f7f2a620e411dba195f994d219da7c74065a0ec0b38a695b5"},
		{64, paint.Test, 300, "187b5f6413a99dc5800b678d797e76f1d527ae984d439e0ea6565d2f0b10ef2f"},
		{224, paint.Test, 20, "010095c4d1f00796f4fd99b1dd62fd63686a805a7b3afab9fe54762f75013b52"},
	} {
		for _, workers := range []int{1, 3} {
			images, labels := fill(t, c.side, c.split, c.n, workers)
			h := sha256.New()
			h.Write(images)
			for _, l := range labels {
				h.Write([]byte{byte(l)})
			}
			require.Equal(t, c.want, hex.EncodeToString(h.Sum(nil)), "side %d, split %d, %d workers", c.side, c.split, workers)
			require.Equal(t, labels, Labels(c.split, c.n))
		}
	}
}

// What is rounded once in float64 must round alike wherever it is computed.
func TestRoundingIsFarFromTies(t *testing.T) {
	check := func(v float64, what string) {
		v *= unit
		require.Greater(t, math.Abs(v-math.Floor(v)-0.5), 1e-6, "%s: %v", what, v)
	}
	for class, contours := range figures {
		for _, c := range contours {
			for _, p := range c {
				check(p.x, Names[class])
				check(p.y, Names[class])
			}
		}
	}
	for k := range turn {
		check(math.Sin(2*math.Pi*float64(k)/turn), "sine")
	}
}

// The figure stays whole within the margin, uses its freedom, and covers a share
// of the image that is neither a speck nor all of it; so does every class.
func TestFiguresAreWholeAndVaried(t *testing.T) {
	p := NewPainter(64)
	dst := make([]byte, 64*64*3)
	var left, right [paint.Classes]int64
	for i := range left {
		left[i] = unit
	}
	for _, s := range []paint.Split{paint.Train, paint.Test} {
		for i := range 2000 {
			class := p.Paint(dst, s, i)
			lo, hi := bounds(p.points)
			require.GreaterOrEqual(t, min(lo.x, lo.y), int64(margin), "image %d of split %d", i, s)
			require.LessOrEqual(t, max(hi.x, hi.y), int64(unit-margin), "image %d of split %d", i, s)
			middle := (lo.x + hi.x) / 2
			left[class], right[class] = min(left[class], middle), max(right[class], middle)
			area := 0.0
			for _, c := range p.Cover {
				area += float64(c) / paint.FullInk / float64(len(p.Cover))
			}
			require.Greater(t, area, 0.03, "image %d of split %d: %s", i, s, Names[class])
			require.Less(t, area, 0.75, "image %d of split %d: %s", i, s, Names[class])
		}
	}
	for class := range left {
		require.Greater(t, right[class]-left[class], int64(unit/3), "%s hardly moves", Names[class])
	}
}

// One scene, whatever its size: halved, the picture at 128 is that at 64 but for
// noise and the edges' softness.
func TestSceneIsTheSameAtEverySize(t *testing.T) {
	small, _ := fill(t, 64, paint.Test, 20, 1)
	large, _ := fill(t, 128, paint.Test, 20, 1)
	for i := range 20 {
		a, b := small[i*64*64*3:], large[i*128*128*3:]
		sum := 0.0
		for y := range 64 {
			for x := range 64 {
				for c := range 3 {
					at := func(y, x int) int { return int(b[(y*128+x)*3+c]) }
					mean := (at(2*y, 2*x) + at(2*y, 2*x+1) + at(2*y+1, 2*x) + at(2*y+1, 2*x+1)) / 4
					sum += math.Abs(float64(mean - int(a[(y*64+x)*3+c])))
				}
			}
		}
		require.Less(t, sum/(64*64*3), 16.0, "image %d: levels in the mean", i)
	}
}

// No angle, period or share of a texture is seen in both splits.
func TestTexturesAreDisjoint(t *testing.T) {
	p := NewPainter(16)
	var seen [2][3]map[int64]bool
	kinds := [textures]int{}
	for s := range seen {
		for k := range seen[s] {
			seen[s][k] = map[int64]bool{}
		}
		var w texture
		for i := range 5000 {
			p.Image(paint.Split(s), i)
			p.weave(&w, paint.Split(s), [2]paint.RGB{})
			kinds[w.kind]++
			for k, v := range []int64{w.angle, w.period, w.share} {
				seen[s][k][v] = true
			}
		}
	}
	for k, name := range []string{"angle", "period", "share"} {
		for v := range seen[0][k] {
			require.False(t, seen[1][k][v], "%s %d is in both splits", name, v)
		}
		require.Greater(t, len(seen[0][k]), 200, name)
	}
	for kind, n := range kinds {
		require.InDelta(t, 2500, n, 200, "kind %d", kind)
	}
}

// The figure is apart from all that it lies on, whichever is the lighter, or it
// could not be told.
func TestFigureStandsOut(t *testing.T) {
	p := NewPainter(64)
	dst := make([]byte, 64*64*3)
	lighter := 0
	for i := range 500 {
		p.Paint(dst, paint.Train, i)
		ground, figure := p.ground.colors, p.figure.colors
		light, dark := figure, ground
		if figure[0].Luma() < ground[0].Luma() {
			light, dark = ground, figure
		} else {
			lighter++
		}
		require.GreaterOrEqual(t, min(light[0].Luma(), light[1].Luma()), lightLuma[0]-1)
		require.LessOrEqual(t, max(dark[0].Luma(), dark[1].Luma()), darkLuma[0])
	}
	require.InDelta(t, 250, lighter, 60)
}

// A texture repeats after its period, and has about its share of the second
// colour.
func TestTextures(t *testing.T) {
	for kind, want := range map[int]float64{stripes: 0.5, checks: 0.5, dots: math.Pi * 0.375 * 0.375} {
		w := texture{kind: kind, period: unit / 8, share: unit / 2}
		sum := 0.0
		for y := range 128 {
			for x := range 128 {
				at := func(x, y int) int64 { return w.at(int64(2*x+1)*unit/256, int64(2*y+1)*unit/256, 256*128) }
				require.Equal(t, at(x, y), at(x+16, y), "kind %d", kind)
				sum += float64(at(x, y)) / 256 / (128 * 128)
			}
		}
		require.InDelta(t, want, sum, 0.03, "kind %d", kind)
	}
}

func TestFillRefusesWrongBuffers(t *testing.T) {
	ctx := context.Background()
	require.ErrorContains(t, Fill(ctx, 64, paint.Test, make([]byte, 10), make([]int64, 1), 1), "want at most 4000 images of 12288 bytes")
	require.Error(t, Fill(ctx, 16, paint.Test, make([]byte, (TestCount+1)*768), make([]int64, TestCount+1), 1))
	require.Error(t, Fill(ctx, MaxSide+1, paint.Test, nil, nil, 1))
	require.NoError(t, Fill(ctx, 16, paint.Test, nil, nil, 1))
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, Fill(ctx, 16, paint.Train, make([]byte, 1000*768), make([]int64, 1000), 2), context.Canceled)
}

// BenchmarkFill draws on every CPU.
func BenchmarkFill(b *testing.B) {
	for name, side := range map[string]int{"64": 64, "224": 224} {
		b.Run(name, func(b *testing.B) {
			const n = 256
			images, labels := make([]byte, n*side*side*3), make([]int64, n)
			for b.Loop() {
				require.NoError(b, Fill(context.Background(), side, paint.Train, images, labels, 0))
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "images/s")
		})
	}
}
