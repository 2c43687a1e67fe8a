package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Vectors of windows give the bits that the loops in Go give, and see nothing
// of the memory behind the last tap.
func TestWindows(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		rapid.Check(t, func(t *rapid.T) {
			w := Windows{Stride: rapid.IntRange(1, 3).Draw(t, "stride")}
			w.Taps = rapid.SliceOfNDistinct(rapid.Int32Range(0, 90), 1, 12, rapid.ID[int32]).Draw(t, "taps")
			slices.Sort(w.Taps)
			n := rapid.IntRange(1, MaxWindows).Draw(t, "n")
			src := newGuarded(int(w.Taps[len(w.Taps)-1]) + (n-1)*w.Stride + 1)
			r := newRand(rapid.Uint64().Draw(t, "seed"))
			integers(r, src.data) // many are equal
			for range rapid.IntRange(0, 9).Draw(t, "specials") {
				src.data[r.IntN(len(src.data))] = []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}[r.IntN(3)]
			}
			if rapid.Bool().Draw(t, "all -Inf") {
				for j := range src.data {
					src.data[j] = float32(math.Inf(-1))
				}
			}
			average, largest, with := newGuarded(n), newGuarded(n), newGuarded(n)
			at := make([]int32, n+1)
			at[n] = -7
			w.Average(i, average.data, src.data, 7)
			w.Max(i, largest.data, src.data)
			w.MaxAt(i, with.data, at[:n], src.data)
			for _, g := range []*guarded{average, largest, with} {
				g.intact(t)
			}
			require.Equal(t, int32(-7), at[n])
			wantAverage, wantLargest, wantAt := make([]float32, n), make([]float32, n), make([]int32, n)
			w.Average(Generic, wantAverage, src.data, 7)
			w.MaxAt(Generic, wantLargest, wantAt, src.data)
			require.Equal(t, bits(wantAverage), bits(average.data))
			require.Equal(t, bits(wantLargest), bits(largest.data))
			require.Equal(t, bits(wantLargest), bits(with.data))
			require.Equal(t, wantAt, at[:n])
		})
	})
}

func BenchmarkWindows(b *testing.B) {
	const n, pitch = 56, 113
	src, dst, at := make([]float32, 3*pitch), make([]float32, n), make([]int32, n)
	uniform(newRand(1), src)
	w := Windows{Taps: []int32{0, 1, 2, pitch, pitch + 1, pitch + 2, 2 * pitch, 2*pitch + 1, 2*pitch + 2}, Stride: 2}
	for _, i := range []ISA{AVX512, AVX2, Generic} {
		if !i.Available() {
			continue
		}
		for name, f := range map[string]func(){
			"average": func() { w.Average(i, dst, src, 9) },
			"max":     func() { w.Max(i, dst, src) },
			"max at":  func() { w.MaxAt(i, dst, at, src) },
		} {
			b.Run(fmt.Sprintf("%s 3x3/%v", name, i), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/output")
			})
		}
	}
}
