package digits

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

func fill(t testing.TB, s Split, n, workers int) ([]byte, []int64) {
	t.Helper()
	images, labels := make([]byte, n*Side*Side), make([]int64, n)
	require.NoError(t, Fill(context.Background(), s, images, labels, workers))
	return images, labels
}

// The bytes of the set are its definition; the whole set's digest is pinned
// where it is loaded, these prefixes say early, and for any number of workers,
// that something moved.
func TestPrefixIsPinned(t *testing.T) {
	for _, c := range []struct {
		split Split
		want  string
	}{
		{Train, "79177da8ea9503a547cd4ff47e7ce8de70c8d9de648e2027aaa89697671bce34"},
		{Test, "1d6816974b7db59a30d89fdd0f18de5d57691a55367d4bf043c52f12e8ffce8c"},
	} {
		for _, workers := range []int{1, 2, 7} {
			images, labels := fill(t, c.split, 1000, workers)
			h := sha256.New()
			h.Write(images)
			for _, l := range labels {
				h.Write([]byte{byte(l)})
			}
			require.Equal(t, c.want, hex.EncodeToString(h.Sum(nil)), "split %d, %d workers", c.split, workers)
		}
	}
}

func TestShorterSetIsPrefix(t *testing.T) {
	long, longLabels := fill(t, Train, 301, 2)
	short, shortLabels := fill(t, Train, 97, 2)
	require.Equal(t, long[:len(short)], short)
	require.Equal(t, longLabels[:len(shortLabels)], shortLabels)
}

func TestLabelsAreBalancedInEveryTen(t *testing.T) {
	var d draw
	orders := map[[Classes]int]bool{}
	for block := range 200 {
		var order [Classes]int
		seen := 0
		for k := range order {
			order[k] = d.label(Train, block*Classes+k)
			seen |= 1 << order[k]
		}
		require.Equal(t, 1<<Classes-1, seen, "block %d", block)
		orders[order] = true
	}
	require.Greater(t, len(orders), 195, "200 of 10! orders must hardly repeat")
}

// The outline stays within the canvas whatever is drawn, uses its freedom, and
// leaves ink.
func TestDigitsAreWholeAndVaried(t *testing.T) {
	all, err := faces()
	require.NoError(t, err)
	var p painter
	dst := make([]byte, Side*Side)
	for _, s := range []Split{Train, Test} {
		left, right := int64(Side<<pixQ), int64(0)
		for i := range 3000 {
			p.paint(dst, s, all[s], i)
			minX, minY, maxX, maxY := bounds([][]vertex{p.points})
			require.GreaterOrEqual(t, min(minX, minY), int64(margin), "image %d of split %d", i, s)
			require.LessOrEqual(t, max(maxX, maxY), int64(Side<<pixQ-margin), "image %d of split %d", i, s)
			require.Greater(t, maxY-minY, int64(8<<pixQ), "image %d of split %d is flat", i, s)
			var ink int32
			for _, c := range p.cover {
				ink += c
			}
			require.Greater(t, ink, int32(8*fullInk), "image %d of split %d has hardly any ink", i, s)
			left, right = min(left, (minX+maxX)/2), max(right, (minX+maxX)/2)
		}
		require.Greater(t, right-left, int64(5<<pixQ), "digits hardly move")
	}
}

// Streams of neighbouring images must not resemble each other: PCG's state is
// seeded with the bare index.
func TestStreamsAreIndependent(t *testing.T) {
	const n, bins = 60_000, 51
	for position := range 4 {
		var counts [bins]float64
		var pairs [8][8]float64
		previous := int64(0)
		for i := range uint64(n) {
			var d draw
			d.seek(Train, streamPixels, i)
			for range position {
				d.pcg.Uint64()
			}
			word := d
			counts[d.between(0, bins-1)]++
			octant := word.between(0, 7)
			pairs[previous][octant]++
			previous = octant
		}
		require.Less(t, chiSquare(counts[:], float64(n)/bins), 98.0, "draw %d: p < 1e-4 at 50 degrees of freedom", position)
		var flat []float64
		for _, row := range pairs {
			flat = append(flat, row[:]...)
		}
		require.Less(t, chiSquare(flat, n/64), 114.0, "draw %d against the image before: p < 1e-4 at 63 degrees of freedom", position)
	}
}

func chiSquare(counts []float64, want float64) (x float64) {
	for _, c := range counts {
		x += (c - want) * (c - want) / want
	}
	return x
}

func TestFillRefusesWrongBuffers(t *testing.T) {
	ctx := context.Background()
	require.ErrorContains(t, Fill(ctx, Test, make([]byte, 10), make([]int64, 1), 1), "want at most 10000 images of 784 bytes")
	require.Error(t, Fill(ctx, Test, make([]byte, (TestCount+1)*Side*Side), make([]int64, TestCount+1), 1))
	require.NoError(t, Fill(ctx, Test, nil, nil, 1))
}

func TestFillStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, Fill(ctx, Train, make([]byte, 1000*Side*Side), make([]int64, 1000), 2), context.Canceled)
}

// BenchmarkFill draws 10,000 images a round, on every CPU.
func BenchmarkFill(b *testing.B) {
	images, labels := make([]byte, TestCount*Side*Side), make([]int64, TestCount)
	b.SetBytes(int64(len(images)))
	for b.Loop() {
		require.NoError(b, Fill(context.Background(), Train, images, labels, 0))
	}
	b.ReportMetric(float64(b.N)*TestCount/b.Elapsed().Seconds(), "images/s")
}
