package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// softmax64 is the softmax in float64, and log Σ e^x.
func softmax64(x []float32) (y []float64, lse float64) {
	m, sum := math.Inf(-1), 0.0
	for _, v := range x {
		m = max(m, float64(v))
	}
	y = make([]float64, len(x))
	for j, v := range x {
		y[j] = math.Exp(float64(v) - m)
		sum += y[j]
	}
	for j := range y {
		y[j] /= sum
	}
	return y, m + math.Log(sum)
}

// closeTo allows what rounding x - m, the exponential and the sum may cost.
func closeTo(t *testing.T, x, got []float32, log bool) {
	y, lse := softmax64(x)
	for j, v := range x {
		want, limit := y[j], 0x1p-24*y[j]*(12+2*(lse-float64(v)))+0x1p-148
		if log {
			want = float64(v) - lse
			limit = 0x1p-24 * (8 + 2*math.Abs(want) + 2*math.Abs(lse-float64(v)))
		}
		if math.IsNaN(want) {
			require.True(t, math.IsNaN(float64(got[j])))
			continue
		}
		require.False(t, !(math.Abs(float64(got[j])-want) <= limit), "element %d of %d: %v, want %v ± %v", j, len(x), got[j], want, limit)
	}
}

func TestSoftmax(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, n := range lengths[1:] {
			x, y, z := newGuarded(n), newGuarded(n), newGuarded(n)
			uniform(newRand(uint64(n)), x.data)
			Mul.Scalar(i, x.data, x.data, 20)
			m, s := Softmax(i, y.data, x.data)
			closeTo(t, x.data, y.data, false)
			_, lse := softmax64(x.data)
			require.InDelta(t, lse, float64(m)+math.Log(s), 1e-5)
			LogSoftmax(i, z.data, x.data)
			closeTo(t, x.data, z.data, true)
			require.Equal(t, s, ExpSum(i, x.data, m))
			x.data[n/2] = float32(math.NaN())
			Softmax(i, x.data, x.data) // in place
			for _, v := range x.data {
				require.True(t, math.IsNaN(float64(v)))
			}
			for _, g := range []*guarded{x, y, z} {
				g.intact(t)
			}
		}
	})
}

func TestColumnSoftmax(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, shape := range [][3]int{{1, 1, 1}, {7, 5, 5}, {10, 33, 17}, {3, 64, 64}} {
			n, step, width := shape[0], shape[1], shape[2]
			x, y := newGuarded((n-1)*step+width), newGuarded((n-1)*step+width)
			uniform(newRand(3), x.data)
			Mul.Scalar(i, x.data, x.data, 9)
			c := ColumnSoftmax{N: n, Step: step, Width: width, Scratch: newGuarded(3 * width).data}
			column := func(of []float32, j int) []float32 {
				col := make([]float32, n)
				for r := range col {
					col[r] = of[r*step+j]
				}
				return col
			}
			for _, log := range []bool{false, true} {
				f := c.Softmax
				if log {
					f = c.LogSoftmax
				}
				f(i, y.data, x.data)
				for j := range width {
					closeTo(t, column(x.data, j), column(y.data, j), log)
				}
				in := append([]float32{}, x.data...)
				f(i, in, in)
				for j := range width {
					require.Equal(t, column(y.data, j), column(in, j), "in place")
				}
				x.intact(t)
				y.intact(t)
			}
		}
	})
}

func TestSoftmaxGrad(t *testing.T) {
	none, nan := float32(math.Inf(-1)), float32(math.NaN())
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, n := range lengths[1:] {
			s, dp := newGuarded(n), newGuarded(n)
			uniform(newRand(1), s.data)
			uniform(newRand(2), dp.data)
			s.data[n/2], dp.data[n/2] = none, nan
			x, d := append([]float32{}, s.data...), append([]float32{}, dp.data...)
			SoftmaxGrad(i, s.data, dp.data, 0.5, 0.25, 3)
			s.intact(t)
			dp.intact(t)
			for j := range x {
				p := math.Exp(float64(x[j]) - 0.5)
				require.InDelta(t, p, s.data[j], 4e-7)
				want := 3 * p * (float64(d[j]) - 0.25)
				if x[j] == none {
					want = 0
				}
				require.InDelta(t, want, dp.data[j], 4e-6)
			}
		}
	})
}
