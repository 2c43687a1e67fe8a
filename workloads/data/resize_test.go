package data

import (
	"context"
	"image"
	"image/draw"
	"testing"

	"github.com/stretchr/testify/require"
	xdraw "golang.org/x/image/draw"
	"pgregory.net/rapid"
)

func resized(t require.TestingT, images []byte, n, c, h, w, toH, toW, workers int) []byte {
	out, err := resizeAll(context.Background(), images, n, c, newScaler(h, toH), newScaler(w, toW), workers)
	require.NoError(t, err)
	return out
}

// What PyTorch 1.13 gives, in float64, rounded half up:
//
//	F.interpolate(x, size=(5, 7), mode="bilinear", align_corners=False)
//	F.interpolate(y, size=(4, 3), mode="bilinear", align_corners=False, antialias=True)
func TestResizeIsPyTorchs(t *testing.T) {
	enlarged := resized(t, []byte{0, 50, 100, 255, 7, 13, 200, 31, 255, 128, 64, 1}, 1, 1, 3, 4, 5, 7, 1)
	require.Equal(t, []byte{
		0, 18, 46, 75, 111, 200, 255,
		3, 14, 33, 88, 142, 156, 165,
		7, 9, 13, 107, 188, 91, 31,
		156, 129, 87, 100, 111, 51, 13,
		255, 210, 137, 96, 60, 24, 1,
	}, enlarged)

	ramp := make([]byte, 36)
	for i := range ramp {
		ramp[i] = byte(7 * i)
	}
	require.Equal(t, []byte{21, 33, 46, 80, 92, 105, 140, 153, 165, 199, 212, 224}, resized(t, ramp, 1, 1, 6, 6, 4, 3, 1))
}

// Up and down, the result is within one grey level of x/image/draw's float
// bilinear kernel, for each channel alone and for any number of workers.
func TestResizeAgreesWithImageDraw(t *testing.T) {
	side := rapid.IntRange(1, 20)
	rapid.Check(t, func(t *rapid.T) {
		h, w, toH, toW := side.Draw(t, "h"), side.Draw(t, "w"), side.Draw(t, "toH"), side.Draw(t, "toW")
		n, channels := rapid.IntRange(1, 3).Draw(t, "n"), rapid.IntRange(1, 3).Draw(t, "channels")
		size := n * h * w * channels
		images := rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "images")
		got := resized(t, images, n, channels, h, w, toH, toW, rapid.IntRange(1, 4).Draw(t, "workers"))
		for i := range n {
			for c := range channels {
				src := image.NewGray(image.Rect(0, 0, w, h))
				for p := range h * w {
					src.Pix[p] = images[(i*h*w+p)*channels+c]
				}
				want := image.NewGray(image.Rect(0, 0, toW, toH))
				xdraw.BiLinear.Scale(want, want.Rect, src, src.Rect, draw.Src, nil)
				for p, v := range want.Pix {
					require.InDelta(t, v, got[(i*toH*toW+p)*channels+c], 1, "image %d channel %d pixel %d", i, c, p)
				}
			}
		}
	})
}

func TestResizeKeepsFlatImages(t *testing.T) {
	for _, v := range []byte{0, 1, 127, 255} {
		flat := make([]byte, 2*9*7*3)
		for i := range flat {
			flat[i] = v
		}
		for _, to := range [][2]int{{1, 1}, {9, 7}, {4, 20}, {32, 32}} {
			for _, got := range resized(t, flat, 2, 3, 9, 7, to[0], to[1], 2) {
				require.Equal(t, v, got)
			}
		}
	}
}

func TestOpenResizes(t *testing.T) {
	set, err := Open(context.Background(), folder(t, nil), Options{Height: 4, Width: 5})
	require.NoError(t, err)
	want := ramp(7, 5)
	require.Equal(t, []int{4, 5, 1}, []int{set.H, set.W, set.C})
	require.Equal(t, resized(t, want.Test.Images, 5, 1, 2, 3, 4, 5, 1), set.Test.Images)
	mean, std := statistics(set.Train.Images, 1, 1)
	require.Equal(t, [][]float64{mean, std}, [][]float64{set.Mean, set.Std}, "of what the network sees")

	set, err = Open(context.Background(), folder(t, nil), Options{Height: 2, Width: 3})
	require.NoError(t, err)
	require.Equal(t, want.Train.Images, set.Train.Images)
}

func TestResizeRefusesWhatNeedsTooMuch(t *testing.T) {
	set := ramp(100, 5)
	err := set.resize(context.Background(), 1<<13, 1<<13, 1)
	requireError(t, err, Oversized, "100 images of 8192×8192", "limit the number")
}

func TestResizeStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, ramp(9, 9).resize(ctx, 30, 30, 2), context.Canceled)
}

// BenchmarkResize brings 1,000 images from 8×8 to 28×28 on one goroutine.
func BenchmarkResize(b *testing.B) {
	images := make([]byte, 1000*64)
	for b.Loop() {
		resized(b, images, 1000, 1, 8, 8, 28, 28, 1)
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "images/s")
}
