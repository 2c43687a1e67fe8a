package conformance

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clsbench/clsbench/tensor"
)

func TestMultiple(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		why              string
		got, want, limit float64
		ok               bool
	}{
		{"equal", 2, 2, 0, true},
		{"within", 2.5, 2, 1, true},
		{"at the limit", 3, 2, 1, true},
		{"beyond", 3.01, 2, 1, false},
		{"a NaN that is due", nan, nan, 1, true},
		{"a NaN that is not", nan, 2, 1, false},
		{"a number for a NaN", 2, nan, 1, false},
		{"a number for a NaN without a bound", 2, nan, nan, false},
		{"no demand", 5, 2, nan, true},
		{"no demand on a finite number", 5, 2, inf, true},
		{"infinity", inf, inf, 0, true},
		{"the other infinity", -inf, inf, 1, false},
		{"finite for infinity", 5, inf, 1, false},
		{"finite for infinity, unbounded", 5, inf, inf, false},
		{"NaN for infinity, unbounded: products in parts", nan, inf, inf, true},
		{"overflow", inf, 3.5e38, 1, true},
		{"overflow of the wrong sign", -inf, 3.5e38, 1, false},
		{"overflow within the limit", inf, 3.4e38, 1e36, true},
		{"infinity for a number", inf, 1e38, 1, false},
		{"flushed", 0, 1e-39, 0, true},
		{"flushed by the limit", 0, 1.2e-38, 1e-39, true},
		{"zero for a normal number", 0, 2e-38, 0, false},
		{"zeros of both signs", 0, math.Copysign(0, -1), 0, true},
	} {
		m := multiple(c.got, c.want, c.limit, tensor.F32)
		require.Equal(t, c.ok, m <= 1, "%s: %v", c.why, m)
	}
	require.False(t, multiple(0, 1, 0, tensor.S32) <= 1, "integers have no subnormals")
}

func TestULP(t *testing.T) {
	require.Equal(t, 0x1p-23, ulp(1, tensor.F32))
	require.Equal(t, 0x1p-23, ulp(1.99, tensor.F32))
	require.Equal(t, 0x1p-22, ulp(-2, tensor.F32))
	require.Equal(t, 0x1p-149, ulp(0, tensor.F32), "the spacing of subnormals")
	require.Equal(t, 0x1p-7, ulp(1, tensor.BF16))
	rapid.Check(t, func(t *rapid.T) {
		v := float32(math.Exp(rapid.Float64Range(-80, 80).Draw(t, "x")))
		next := math.Nextafter32(v, math.MaxFloat32)
		if got := ulp(float64(v), tensor.F32); got != float64(next)-float64(v) {
			t.Fatalf("ulp(%v) = %v", v, got)
		}
	})
}

func TestDotStatistics(t *testing.T) {
	even := make([]float64, 2000)
	for i := range even {
		even[i] = math.Sin(float64(i))
	}
	require.Empty(t, dotStatistics(even, 1, 1))
	biased := make([]float64, 2000)
	for i := range biased {
		biased[i] = 0.2
	}
	require.Contains(t, dotStatistics(biased, 1, 1), "biased")
	require.Empty(t, dotStatistics(biased, 1, 20), "twenty errors twenty times are no bias")
	large := make([]float64, 2000)
	for i := range large {
		large[i] = 1.4 * math.Copysign(1, math.Sin(float64(i)))
	}
	require.Contains(t, dotStatistics(large, 1, 1), "1.6K′T")
	large[0] = math.NaN()
	require.NotEmpty(t, dotStatistics(large, 1, 1), "NaN never passes")
}

// TOSA's K′: of equal types all terms, of 16-bit outputs kept in f32 fewer.
func TestDotLength(t *testing.T) {
	require.Equal(t, 75.0, dotLength(75, tensor.F32))
	require.Equal(t, 75.0, dotLength(75, tensor.F64))
	require.Equal(t, 1.0, dotLength(75, tensor.F16))  // 75·2^-6.5
	require.Equal(t, 1.0, dotLength(75, tensor.BF16)) // 75·2^-8
	require.Equal(t, 18.0, dotLength(4608, tensor.BF16))
}

func finding(t *testing.T, want []float64, limit []float64, got ...float64) *Finding {
	e := &expectation{output: output{key: "y", typ: tensor.T(tensor.F32, len(want))}, bound: exact, want: want, limit: limit}
	return e.judge(tensor.Of(tensor.F32, tensor.Shape{len(got)}, got...), nil)
}

func TestFindingNamesTheWorstAndTheFirst(t *testing.T) {
	f := finding(t, []float64{1, 2, 3, 4}, []float64{1, 1, 1, 1}, 1, 4, 30, 4)
	require.False(t, f.OK)
	require.Equal(t, 2, f.Wrong)
	require.Equal(t, []int{2}, f.Worst.Index)
	require.Equal(t, Number(27), f.Worst.Multiple)
	require.Equal(t, []int{1}, f.First.Index)
	require.Equal(t, [2]string{"41f00000", "40400000"}, f.Worst.Hex)
	require.Equal(t, 29.0/4, f.Bias)
	require.Contains(t, f.Summary(), "2 of 4 wrong, worst 27 times the bound at [2]: got 30, want 3 ± 1")

	f = finding(t, []float64{1, 2}, []float64{4, 4}, 2, 2)
	require.True(t, f.OK)
	require.Equal(t, Number(0.25), f.Worst.Multiple)
	require.Equal(t, 1, f.Histogram[0])

	// A NaN is the worst of all, whatever comes after.
	f = finding(t, []float64{1, 2, 3}, nil, math.NaN(), 5, 4)
	require.True(t, math.IsNaN(float64(f.Worst.Multiple)))
	require.Equal(t, []int{0}, f.Worst.Index)
	b, err := json.Marshal(f)
	require.NoError(t, err)
	var again Finding
	require.NoError(t, json.Unmarshal(b, &again))
	require.True(t, math.IsNaN(float64(again.Worst.Multiple)))
	require.Equal(t, f.Wrong, again.Wrong)
	require.True(t, math.IsNaN(WorstMultiple([]*Finding{f, finding(t, []float64{1}, nil, 2)})))
}

// What stops at the first wrong element finds the same as what counts them all.
func TestPassesIsWhatJudgeFinds(t *testing.T) {
	f32, inf := tensor.T(tensor.F32, 3), math.Inf(1)
	all := func(e []float64) string {
		if len(e) == 3 && e[0]+e[1]+e[2] > 1.5 {
			return "too much in all"
		}
		return ""
	}
	take := func(i int, got float64) bool { return i == 1 && got == 7 }
	plain := expectation{output: output{key: "y", typ: f32}, bound: exact, want: []float64{1, 2, 3}}
	limited, statistical, lenient, dependent := plain, plain, plain, plain
	limited.limit = []float64{0, 1, inf}
	statistical.limit, statistical.unit, statistical.whole = []float64{1, 1, 1}, []float64{1, 1, 1}, all
	lenient.accept = take
	dependent.given = func(got Outputs) ([]float64, func(int, float64) bool) { return got["other"].Float64s(), nil }
	other := tensor.Of(tensor.F32, tensor.Shape{3}, 4, 5, 6)
	for _, c := range []struct {
		e    expectation
		got  [3]float64
		want bool
	}{
		{plain, [3]float64{1, 2, 3}, true}, {plain, [3]float64{0, 2, 3}, false}, {plain, [3]float64{1, 2, 4}, false},
		{plain, [3]float64{1, math.NaN(), 3}, false},
		{limited, [3]float64{1, 3, 9}, true}, {limited, [3]float64{1, 3.5, 3}, false},
		{statistical, [3]float64{1.5, 2.5, 3.25}, true}, {statistical, [3]float64{1.5, 2.5, 3.75}, false}, {statistical, [3]float64{1, 2, 5}, false},
		{lenient, [3]float64{1, 7, 3}, true}, {lenient, [3]float64{7, 2, 3}, false},
		{dependent, [3]float64{4, 5, 6}, true}, {dependent, [3]float64{1, 2, 3}, false},
	} {
		trial := &Trial{expect: []*expectation{&plain, &c.e}}
		right := tensor.Of(tensor.F32, tensor.Shape{3}, plain.want...)
		c.e.output.key = "z"
		got := Outputs{"y": right, "z": tensor.Of(tensor.F32, tensor.Shape{3}, c.got[:]...), "other": other}
		require.Equal(t, c.want, trial.passes(got), "%v", c.got)
		require.Equal(t, c.want, Passed(trial.Judge(got, nil)), "%v", c.got)
	}
}

func TestBoolsAreZeroOrOne(t *testing.T) {
	e := &expectation{output: output{key: "y", typ: tensor.T(tensor.Bool, 2)}, bound: exact, want: []float64{1, 0}}
	got := tensor.New(tensor.Bool, 2)
	got.Data[0] = 1
	require.True(t, e.judge(got, nil).OK)
	require.True(t, e.passes(got))
	got.Data[0] = 255
	require.False(t, e.judge(got, nil).OK)
	require.False(t, e.passes(got))
	require.Contains(t, e.judge(got, nil).Summary(), "0 or 1")
}

func TestPatterns(t *testing.T) {
	all := func(s tensor.Shape, wrong func(ix []int) bool) []int {
		var at []int
		for i := range s.Elements() {
			if wrong(unravel(i, s)) {
				at = append(at, i)
			}
		}
		return at
	}
	image := tensor.Shape{2, 5, 6, 7}
	for _, c := range []struct {
		shape tensor.Shape
		wrong func(ix []int) bool
		want  string
	}{
		{image, func([]int) bool { return true }, "every element"},
		{image, func(ix []int) bool { return ix[1] == 3 }, "only channel 3 of 5"},
		{image, func(ix []int) bool { return ix[0] == 1 }, "only batch 1 of 2"},
		{image, func(ix []int) bool { return ix[2] == 0 || ix[2] == 5 || ix[3] == 0 || ix[3] == 6 }, "only the spatial border"},
		{tensor.Shape{33, 47}, func(ix []int) bool { return ix[0] == 32 && ix[1] > 5 }, "only axis 0 32 of 33"},
		{tensor.Shape{35, 47}, func(ix []int) bool { return ix[0] >= 32 }, "only the tail of axis 0 beyond 32, a multiple of 32"},
		{tensor.Shape{4, 64}, func(ix []int) bool { return ix[1]%8 == 3 }, "only axis 1 ≡ 3 mod 8"},
		{tensor.Shape{37}, func(ix []int) bool { return ix[0] >= 32 }, "only the last 5 elements, the tail after vectors of 32"},
	} {
		require.Contains(t, pattern(c.shape, all(c.shape, c.wrong)), c.want)
	}
}
