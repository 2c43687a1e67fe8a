package reference

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// total sums terms in one order.
func total(o *order, terms []float64) float64 {
	acc := &Acc{order: o}
	s := acc.New()
	for _, v := range terms {
		s = s.Plus(v)
	}
	return s.Value()
}

func anyOrder(t *rapid.T) *order {
	o := &order{
		lanes:  rapid.IntRange(1, maxLanes).Draw(t, "lanes"),
		run:    rapid.IntRange(1, 9).Draw(t, "run"),
		tree:   rapid.Bool().Draw(t, "tree"),
		single: rapid.Bool().Draw(t, "single"),
		terms:  rapid.Bool().Draw(t, "terms"),

		backwards: rapid.Bool().Draw(t, "backwards"),
	}
	o.first = rapid.IntRange(0, o.lanes-1).Draw(t, "first")
	return o
}

// Whatever the order, each term counts once: integers below 2²⁴ come out
// exact, and powers of two show which terms went in.
func TestEveryOrderCountsEveryTermOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyOrder(t)
		ints := rapid.SliceOfN(rapid.IntRange(-1000, 1000), 0, 300).Draw(t, "terms")
		terms, want := make([]float64, len(ints)), 0
		for i, v := range ints {
			terms[i] = float64(v)
			want += v
		}
		if got := total(o, terms); got != float64(want) {
			t.Fatalf("%+v: %v, want %d", *o, got, want)
		}
		bits := make([]float64, rapid.IntRange(0, 24).Draw(t, "bits"))
		for i := range bits {
			bits[i] = math.Ldexp(1, i)
		}
		if got := total(o, bits); got != math.Ldexp(1, len(bits))-1 {
			t.Fatalf("%+v: %v of %d powers of two", *o, got, len(bits))
		}
	})
}

// Real terms stay within the bound of any order: K·u·Σ|term|, one u more for
// the rounding of the terms (Higham, Accuracy and Stability of Numerical
// Algorithms, 2nd ed., §4.2), and a subnormal each.
func TestEveryOrderIsLegal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyOrder(t)
		terms := rapid.SliceOfN(rapid.Float64Range(-1, 1), 1, 200).Draw(t, "terms")
		exact, magnitude := total(nil, terms), 0.0
		for _, v := range terms {
			magnitude += math.Abs(v)
		}
		u := math.Ldexp(1, -53)
		if o.single {
			u = math.Ldexp(1, -24)
		}
		bound := float64(len(terms)+2) * (1.01*u*magnitude + math.SmallestNonzeroFloat32)
		if e := math.Abs(total(o, terms) - exact); !(e <= bound) {
			t.Fatalf("%+v: off by %v", *o, e)
		}
	})
}

// What comes behind a large term is lost, one term after the other.
func TestBackwardsBeginsAtTheEnd(t *testing.T) {
	terms := make([]float64, 1001)
	for i := range terms {
		terms[i] = 0x1p-25
	}
	terms[0] = 1
	forward, backward := order{lanes: 1, run: 1, single: true}, order{lanes: 1, run: 1, single: true, backwards: true}
	require.Equal(t, 1.0, total(&forward, terms))
	require.Equal(t, float64(float32(1+1000*0x1p-25)), total(&backward, terms))
}

func TestOrdersDiffer(t *testing.T) {
	terms := make([]float64, 500)
	for i := range terms {
		terms[i] = math.Sin(float64(i * i))
	}
	results, trees, runs := map[float64]int{}, 0, 0
	for seed := range uint64(100) {
		o := drawOrder(seed+1, "conv1")
		o.single = true
		require.Equal(t, total(&o, terms), total(&o, terms))
		results[total(&o, terms)]++
		if o.tree {
			trees++
		}
		if o.run > 1 {
			runs++
		}
		require.Less(t, o.first, o.lanes)
	}
	require.Greater(t, len(results), 20)
	require.InDelta(t, 50, trees, 25)
	require.InDelta(t, 45, runs, 25)
	require.NotEqual(t, drawOrder(1, "conv1"), drawOrder(1, "conv2"))
	require.Equal(t, order{lanes: 1, run: 1}, drawOrder(0, "conv1"))
}

// Sums of one Acc may be under way at the same time, and their memory is used
// again.
func TestSumsAreIndependent(t *testing.T) {
	o := drawOrder(3, "n")
	acc := &Acc{order: &o}
	for range 3 {
		a, b := acc.New(), acc.New()
		for range 10 {
			a, b = a.Plus(1), b.Plus(2)
		}
		require.Equal(t, 10.0, a.Value())
		require.Equal(t, 20.0, b.Value())
	}
	require.Len(t, acc.free, 2)
}

// One lane rounded after every term is the plain f32 loop.
func TestRoundedSumIsTheF32Loop(t *testing.T) {
	terms := make([]float64, 300)
	var want float32
	for i := range terms {
		v := float32(math.Sin(float64(i)))
		terms[i] = float64(v)
		want += v
	}
	require.Equal(t, float64(want), total(&order{lanes: 1, run: 1, single: true}, terms))
	require.NotEqual(t, total(nil, terms), float64(want))
}
