package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

const unit = 1.0 / (1 << 24) // of float32

// standings are where a group of numbers can lie.
var standings = []struct{ mean, deviation float64 }{{0, 1}, {3, 0.5}, {-1000, 1}, {1e4, 1e-1}, {1e15, 1e14}, {2e-18, 1e-18}}

func normal(seed uint64, n int, mean, deviation float64) []float32 {
	x, r := newGuarded(n).data, newRand(seed)
	for j := range x {
		x[j] = float32(mean + deviation*r.NormFloat64())
	}
	return x
}

func exactMoments(x []float32, about float64) (sum, squares float64) {
	for _, v := range x {
		sum += float64(v) - about
		squares += (float64(v) - about) * (float64(v) - about)
	}
	return sum, squares
}

// The sums of a group far from zero are those of a group near it: two passes
// lose nothing to the mean.
func TestMoments(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, s := range standings {
			for _, n := range lengths {
				x := normal(1, n, s.mean, s.deviation)
				total, _ := exactMoments(x, 0)
				mean := total / max(1, float64(n))
				for _, about := range []float64{0, mean, s.mean} {
					wantSum, wantSquares := exactMoments(x, about)
					sum, squares := Moments(i, x, about)
					size := math.Sqrt(float64(n) * wantSquares)
					require.InDelta(t, wantSum, sum, 2*unit*size, "n %d about %g", n, about)
					require.InDelta(t, wantSquares, squares, 4*unit*wantSquares, "n %d about %g", n, about)
				}
			}
		}
		for _, bad := range []float64{math.NaN(), math.Inf(1)} {
			x := []float32{1, float32(bad), 2}
			_, squares := Moments(i, x, float64(x[1]))
			require.True(t, math.IsNaN(squares))
		}
	})
}

func TestProducts(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, s := range standings[:4] {
			for _, n := range lengths {
				x, dy, scale := normal(1, n, s.mean, s.deviation), normal(2, n, 0.1, 1), normal(3, n, 1, 0.3)
				for _, factors := range [][]float32{nil, scale} {
					var sum, product, sums, products float64
					for j, v := range x {
						g := float64(dy[j])
						if factors != nil {
							g *= float64(factors[j])
						}
						sum += g
						sums += math.Abs(g)
						product += g * (float64(v) - s.mean)
						products += math.Abs(g * (float64(v) - s.mean))
					}
					gotSum, gotProduct := Products(i, dy, x, factors, s.mean)
					require.InDelta(t, sum, gotSum, 2*unit*sums, "n %d", n)
					require.InDelta(t, product, gotProduct, 4*unit*products, "n %d", n)
				}
			}
		}
	})
}

func TestAddProducts(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, n := range lengths {
			x, dy := normal(1, n, 5, 1), normal(2, n, 0, 1)
			products, sums := make([]float64, n+1), make([]float64, n+1)
			for j := range products {
				products[j], sums[j] = float64(j), 1
			}
			AddProducts(i, products[:n], sums[:n], dy, x, 4.9, 0.7)
			for j, v := range x {
				g := float64(dy[j])
				require.InDelta(t, float64(j)+g*0.7*(float64(v)-4.9), products[j], 1e-11)
				require.InDelta(t, 1+g, sums[j], 1e-14)
			}
			require.Equal(t, []float64{float64(n), 1}, []float64{products[n], sums[n]})
		}
	})
}

func TestStandardize(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, s := range standings {
			for _, n := range lengths {
				mean, inv := s.mean*1.0000001, 1/s.deviation
				x, scale, shift := normal(1, n, s.mean, s.deviation), normal(2, n, 1, 0.3), normal(3, n, 0, 1)
				plain, rows, unshifted := newGuarded(n), newGuarded(n), newGuarded(n)
				Standardize(i, plain.data, x, mean, inv, 0.3)
				StandardizeRow(i, rows.data, x, scale, shift, mean, inv)
				StandardizeRow(i, unshifted.data, x, scale, nil, mean, inv)
				for j, v := range x {
					hat := (float64(v) - mean) * inv
					off := math.Abs(s.mean)*2e-7*inv + math.Abs(hat) // also mean - float32(mean) is rounded
					require.InDelta(t, hat+0.3, plain.data[j], 4*unit*(off+0.3))
					w, b := float64(scale[j]), float64(shift[j])
					require.InDelta(t, hat*w+b, rows.data[j], 5*unit*(off*math.Abs(w)+math.Abs(b)))
					require.InDelta(t, hat*w, unshifted.data[j], 5*unit*off*math.Abs(w))
				}
				Standardize(i, x, x, mean, inv, 0.3) // in place
				require.Equal(t, bits(plain.data), bits(x))
				for _, g := range []*guarded{plain, rows, unshifted} {
					g.intact(t)
				}
			}
		}
		y := []float32{7} // a group of one is the shift, exactly
		StandardizeRow(i, y, []float32{0.1}, []float32{3}, []float32{0.7}, float64(float32(0.1)), 316)
		require.Equal(t, float32(0.7), y[0])
	})
}

func TestNormGrad(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, n := range lengths {
			x, dy, scale := normal(1, n, 50, 2), normal(2, n, 0, 1), normal(3, n, 1, 0.3)
			plain, rows := newGuarded(n), newGuarded(n)
			const mean, gain, slope, shift = 50.00001, 0.5, -0.02, 0.01
			NormGrad(i, plain.data, dy, x, nil, mean, gain, slope, shift)
			NormGrad(i, rows.data, dy, x, scale, mean, gain, slope, shift)
			for j, v := range x {
				g, tail := gain*float64(dy[j]), slope*(float64(v)-mean)
				size := math.Abs(g) + math.Abs(tail) + shift
				require.InDelta(t, g+tail+shift, plain.data[j], 4*unit*size)
				g *= float64(scale[j])
				require.InDelta(t, g+tail+shift, rows.data[j], 5*unit*(size+math.Abs(g)))
			}
			plain.intact(t)
			rows.intact(t)
			NormGrad(i, x, dy, x, scale, mean, gain, slope, shift) // in place
			require.Equal(t, bits(rows.data), bits(x))
		}
	})
}

func TestSquaredDistance(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, n := range lengths {
			x, y := normal(1, n, 3, 1), normal(2, n, 2, 1)
			want := 0.0
			for j := range x {
				d := float64(x[j]) - float64(y[j])
				want += d * d
			}
			require.InDelta(t, want, SquaredDistance(i, x, y), 4*unit*want, "n %d", n)
		}
	})
}

func TestResponse(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, n := range lengths {
			x, squares, y := normal(1, n, 0, 3), normal(2, n, 5, 1), newGuarded(n)
			for j, q := range squares {
				squares[j] = q * q
			}
			Response(i, y.data, x, squares, 0.02, 2)
			y.intact(t)
			for j, v := range x {
				want := float64(v) * math.Pow(2+0.02*float64(squares[j]), -0.75)
				require.InDelta(t, want, y.data[j], 6*unit*math.Abs(want), "n %d", n)
			}
		}
	})
}
