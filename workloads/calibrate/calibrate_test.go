package calibrate_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/workloads/calibrate"
)

// of is the histogram of some values.
func of(t *testing.T, values []float32) *calibrate.Histogram {
	r, err := calibrate.Widen(pass.Range{}, values)
	require.NoError(t, err)
	h := calibrate.NewHistogram(r)
	h.Add(values)
	return h
}

// even are n values spread evenly from lo to hi.
func even(n int, lo, hi float64) (list []float32) {
	for i := range n {
		list = append(list, float32(lo+(hi-lo)*(float64(i)+0.5)/float64(n)))
	}
	return list
}

func normal(n int, seed uint64) (list []float32) {
	r := rand.New(rand.NewPCG(seed, 1))
	for range n {
		list = append(list, float32(r.NormFloat64()))
	}
	return list
}

// cost is what quantizing values over a range makes of them: the mean square.
func cost(values []float32, r pass.Range) float64 {
	step := (r.Hi - r.Lo) / 255
	first, sum := math.RoundToEven(r.Lo/step), 0.0
	for _, v := range values {
		q := min(max(math.RoundToEven(float64(v)/step), first), first+255) * step
		sum += (float64(v) - q) * (float64(v) - q)
	}
	return sum / float64(len(values))
}

func TestRanges(t *testing.T) {
	bell := normal(200_000, 3)
	outlier := append(normal(200_000, 3), 60, -60)
	folded := append([]float32{}, outlier...)
	for i, v := range folded { // as a ReLU leaves them
		folded[i] = max(v, 0)
	}
	for name, c := range map[string]struct {
		values []float32
		method calibrate.Method
		lo, hi float64 // that the range's ends lie
		within float64
	}{
		"all":                          {even(4096, -1, 3), calibrate.MinMax, -1, 3, 1e-3},
		"all, beside 0":                {even(4096, 1, 3), calibrate.MinMax, 0, 3, 1e-3},
		"constant":                     {[]float32{0, 0, 0}, calibrate.Entropy, 0, 0, 0},
		"even, percentile":             {even(100_000, -1, 3), calibrate.Percentile, -1, 3, 5e-3},
		"even, squares":                {even(100_000, -1, 3), calibrate.MSE, -1, 3, 0.05},
		"even, entropy":                {even(409_600, -1, 3), calibrate.Entropy, -1, 3, 0.05},
		"bell, percentile":             {bell, calibrate.Percentile, -3.89, 3.89, 0.15}, // Φ⁻¹(1 − 5·10⁻⁵)
		"bell and outliers, minmax":    {outlier, calibrate.MinMax, -60, 60, 1e-3},
		"bell and outliers, quantiles": {outlier, calibrate.Percentile, -3.89, 3.89, 0.3},
		"bell and outliers, squares":   {outlier, calibrate.MSE, -40, 40, 5},
		"bell and outliers, entropy":   {outlier, calibrate.Entropy, -9, 9, 3},
		"half a bell, quantiles":       {folded, calibrate.Percentile, 0, 3.89, 0.2},
		"half a bell, squares":         {folded, calibrate.MSE, 0, 53, 5},
		"half a bell, entropy":         {folded, calibrate.Entropy, 0, 9, 3},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.method.Range(of(t, c.values))
			require.InDelta(t, c.lo, r.Lo, c.within)
			require.InDelta(t, c.hi, r.Hi, c.within)
			require.LessOrEqual(t, r.Lo, 0.0)
			require.GreaterOrEqual(t, r.Hi, 0.0)
		})
	}
}

// The range of least squared error has an error, counted from the values
// themselves, that no other part of the whole range undercuts.
func TestLeastSquares(t *testing.T) {
	for seed := range uint64(3) {
		values := normal(50_000, seed)
		for i := range values { // heavy tails
			values[i] *= values[i] * values[i]
		}
		h := of(t, values)
		got := cost(values, calibrate.MSE.Range(h))
		for i := 17; i <= 128; i++ {
			part := float64(i) / 128
			require.LessOrEqual(t, got, 1.01*cost(values, pass.Range{Lo: h.Lo * part, Hi: h.Hi * part}))
		}
		require.Less(t, got, cost(values, h.Range))
	}
}

// 2,048 bins of one value each lose nothing by being put together eight and
// eight; bins that fall off steeply do, and what is far out is not worth that.
func TestEntropyPrefersWhatItKeeps(t *testing.T) {
	h := calibrate.NewHistogram(pass.Range{Lo: 0, Hi: 2048})
	for i := range h.Counts {
		h.Counts[i] = 1
	}
	require.Equal(t, pass.Range{Lo: 0, Hi: 2048}, calibrate.Entropy.Range(h))
	for i := range h.Counts {
		h.Counts[i] = math.Floor(1e6 * math.Exp(-float64(i)/50))
	}
	h.Counts[2047] = 1
	r := calibrate.Entropy.Range(h)
	require.Less(t, r.Hi, 700.0)
	require.GreaterOrEqual(t, r.Hi, 256.0)
}

func TestWidenRefuses(t *testing.T) {
	for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		_, err := calibrate.Widen(pass.Range{}, []float32{1, v})
		require.ErrorContains(t, err, "a value is")
	}
}

func TestParse(t *testing.T) {
	for _, m := range calibrate.Methods() {
		got, err := calibrate.Parse(string(m))
		require.NoError(t, err)
		require.Equal(t, m, got)
	}
	_, err := calibrate.Parse("max")
	require.EqualError(t, err, `calibration method "max": want minmax, percentile, mse, entropy`)
}
