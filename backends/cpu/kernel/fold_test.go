package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

var everyFold = []Fold{FoldSum, FoldSumAbs, FoldSumSquares, FoldMax, FoldMin}

// exactFold is the fold of whole numbers, which is exact in any order.
func exactFold(f Fold, x []float32) float32 {
	s := f.Start()
	for _, v := range x {
		s = f.of(s, v)
	}
	return s
}

func TestFoldOfARow(t *testing.T) {
	inf := float32(math.Inf(1))
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, f := range everyFold {
			for _, n := range lengths {
				x := newGuarded(n).data
				integers(newRand(5), x)
				require.Equal(t, exactFold(f, x), f.Row(i, x), "fold %d, n %d", f, n)
				for at := 0; at < n; at += max(1, n/9) { // a NaN anywhere comes through
					keep := x[at]
					x[at] = float32(math.NaN())
					require.True(t, math.IsNaN(float64(f.Row(i, x))), "fold %d, n %d, NaN at %d", f, n, at)
					x[at] = keep
				}
				if n > 0 { // all of one sign: no lane may stand in for what is missing
					for j := range x {
						x[j] = -2
					}
					require.Equal(t, exactFold(f, x), f.Row(i, x), "fold %d of -2, n %d", f, n)
					for j := range x {
						x[j] = 2
					}
					require.Equal(t, exactFold(f, x), f.Row(i, x), "fold %d of 2, n %d", f, n)
					x[n-1] = -inf
					require.Equal(t, exactFold(f, x), f.Row(i, x), "fold %d with -Inf, n %d", f, n)
				}
			}
		}
	})
}

// Sums of numbers of both signs are as good as their order lets them be.
func TestFoldRounds(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, n := range lengths {
			x := newGuarded(n).data
			uniform(newRand(9), x)
			for f, term := range map[Fold]func(v float64) float64{
				FoldSum: func(v float64) float64 { return v }, FoldSumAbs: math.Abs, FoldSumSquares: func(v float64) float64 { return v * v },
			} {
				want, size := 0.0, 0.0
				for _, v := range x {
					want += term(float64(v))
					size += math.Abs(term(float64(v)))
				}
				require.InDelta(t, want, f.Row(i, x), math.Exp2(-24)*(4+math.Sqrt(float64(n)))*size, "fold %d, n %d", f, n)
			}
		}
	})
}

func TestFoldOfRows(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, f := range everyFold {
			for _, n := range lengths {
				dst, x := newGuarded(n), operand(2, n+3)
				copy(dst.data, operand(1, n))
				want := make([]float32, n)
				for j := range want { // zeros have either sign
					if want[j] = f.of(dst.data[j], x[j]); want[j] == 0 {
						want[j] = 0
					}
				}
				f.Rows(i, dst.data, x)
				dst.intact(t)
				for j, w := range want {
					got := dst.data[j]
					if w == got || (w != w && got != got) {
						continue
					}
					require.Equal(t, FoldSumSquares, f, "fold %d, n %d, element %d: %v, want %v", f, n, j, got, w)
					require.InDelta(t, w, got, 1e-6)
				}
			}
		}
	})
}
