package digits

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/workloads/data/paint"
)

func fill(t testing.TB, k *Kind, s paint.Split, n, workers int) ([]byte, []int64) {
	t.Helper()
	images, labels := make([]byte, n*k.Size()), make([]int64, n)
	require.NoError(t, k.Fill(context.Background(), s, images, labels, workers))
	return images, labels
}

// The bytes of the set are its definition; the whole set's digest is pinned
// where it is loaded, these prefixes say early, and for any number of workers,
// that something moved.
func TestPrefixIsPinned(t *testing.T) {
	for _, c := range []struct {
		kind  *Kind
		split paint.Split
		want  string
	}{
		{Grey, paint.Train, "79177da8ea9503a547cd4ff47e7ce8de70c8d9de648e2027aaa89697671bce34"},
		{Grey, paint.Test, "1d6816974b7db59a30d89fdd0f18de5d57691a55367d4bf043c52f12e8ffce8c"},
		{Color, paint.Train, "619e46791e6e84e946591e4e15b805ee279f9547b586641745b2b19fd8cd52e8"},
		{Color, paint.Test, "dc27aa7dc3c1c995e4faa58c0e575e6fd56b81d6b7592e342a84e3d423efb0cd"},
	} {
		for _, workers := range []int{1, 2, 7} {
			images, labels := fill(t, c.kind, c.split, 1000, workers)
			h := sha256.New()
			h.Write(images)
			for _, l := range labels {
				h.Write([]byte{byte(l)})
			}
			require.Equal(t, c.want, hex.EncodeToString(h.Sum(nil)), "%d channels, split %d, %d workers", c.kind.Channels, c.split, workers)
		}
	}
}

func TestShorterSetIsPrefix(t *testing.T) {
	for _, k := range []*Kind{Grey, Color} {
		long, longLabels := fill(t, k, paint.Train, 301, 2)
		short, shortLabels := fill(t, k, paint.Train, 97, 2)
		require.Equal(t, long[:len(short)], short)
		require.Equal(t, longLabels[:len(shortLabels)], shortLabels)
	}
}

// The outline stays within the canvas whatever is drawn, uses its freedom, and
// leaves ink.
func TestDigitsAreWholeAndVaried(t *testing.T) {
	all, err := faces()
	require.NoError(t, err)
	for _, k := range []*Kind{Grey, Color} {
		p, dst, canvas := newPainter(k), make([]byte, k.Size()), int64(k.Side<<paint.PixQ)
		for _, s := range []paint.Split{paint.Train, paint.Test} {
			left, right := canvas, int64(0)
			for i := range 3000 {
				p.paint(dst, s, all[s], i)
				minX, minY, maxX, maxY := bounds([][]vertex{p.points})
				require.GreaterOrEqual(t, min(minX, minY), int64(margin), "image %d of split %d", i, s)
				require.LessOrEqual(t, max(maxX, maxY), canvas-margin, "image %d of split %d", i, s)
				require.Greater(t, maxY-minY, int64(8<<paint.PixQ), "image %d of split %d is flat", i, s)
				var ink int32
				for _, c := range p.Cover {
					ink += c
				}
				require.Greater(t, ink, int32(8*paint.FullInk), "image %d of split %d has hardly any ink", i, s)
				left, right = min(left, (minX+maxX)/2), max(right, (minX+maxX)/2)
			}
			require.Greater(t, right-left, int64(5<<paint.PixQ), "digits hardly move")
		}
	}
}

func TestFillRefusesWrongBuffers(t *testing.T) {
	ctx := context.Background()
	require.ErrorContains(t, Grey.Fill(ctx, paint.Test, make([]byte, 10), make([]int64, 1), 1), "want at most 10000 images of 784 bytes")
	require.Error(t, Grey.Fill(ctx, paint.Test, make([]byte, (TestCount+1)*Grey.Size()), make([]int64, TestCount+1), 1))
	require.NoError(t, Grey.Fill(ctx, paint.Test, nil, nil, 1))
}

func TestFillStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, Grey.Fill(ctx, paint.Train, make([]byte, 1000*Grey.Size()), make([]int64, 1000), 2), context.Canceled)
}

// BenchmarkFill draws 10,000 images a round, on every CPU.
func BenchmarkFill(b *testing.B) {
	for name, k := range map[string]*Kind{"grey": Grey, "color": Color} {
		b.Run(name, func(b *testing.B) {
			images, labels := make([]byte, TestCount*k.Size()), make([]int64, TestCount)
			b.SetBytes(int64(len(images)))
			for b.Loop() {
				require.NoError(b, k.Fill(context.Background(), paint.Train, images, labels, 0))
			}
			b.ReportMetric(float64(b.N)*TestCount/b.Elapsed().Seconds(), "images/s")
		})
	}
}
