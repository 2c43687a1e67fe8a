package tensor

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"
	"pgregory.net/rapid"
)

func TestDTypesRoundTripTheirNames(t *testing.T) {
	for _, d := range DTypes() {
		got, err := ParseDType(d.String())
		require.NoError(t, err)
		require.Equal(t, d, got)
		require.Positive(t, d.Size())
	}
	_, err := ParseDType("f8")
	require.ErrorContains(t, err, "f8")
	require.False(t, Invalid.Valid())
	require.False(t, DType(200).Valid())
}

// Known answers of Philox4x32-10 from the Random123 distribution (kat_vectors).
func TestPhiloxKnownAnswers(t *testing.T) {
	ones := uint32(0xffffffff)
	for _, c := range []struct {
		ctr  [4]uint32
		key  [2]uint32
		want [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{ones, ones, ones, ones}, [2]uint32{ones, ones}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		require.Equal(t, c.want, Philox4x32(c.ctr, c.key))
	}
}

// Every f16 bit pattern widens as the oracle says and narrows back to itself.
func TestF16AgreesWithOracle(t *testing.T) {
	for b := range 1 << 16 {
		want := float16.Frombits(uint16(b)).Float32()
		got := F16ToF32(uint16(b))
		if want != want {
			require.True(t, got != got, "%#04x", b)
			continue
		}
		require.Equal(t, math.Float32bits(want), math.Float32bits(got), "%#04x", b)
		require.Equal(t, uint16(b), F64ToF16(float64(got)), "%#04x", b)
	}
}

func TestF16RoundsOnceToEven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := math.Float32frombits(rapid.Uint32().Draw(t, "bits"))
		if v != v {
			return
		}
		if float16.Fromfloat32(v).Bits() != F64ToF16(float64(v)) {
			t.Fatalf("%v: want %#04x, got %#04x", v, float16.Fromfloat32(v).Bits(), F64ToF16(float64(v)))
		}
	})
	// A double rounding through f32 would lose this bit: just above a tie.
	require.Equal(t, F64ToF16(1)+1, F64ToF16(1+1.0/(1<<11)+1.0/(1<<40)))
}

// bf16 of an f32 is its upper half after adding half a unit, ties to even.
func TestBF16AgreesWithBitTrick(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.Uint32().Draw(t, "bits")
		v := math.Float32frombits(b)
		if v != v {
			return
		}
		want := uint16((b + 0x7fff + (b>>16)&1) >> 16)
		if got := F64ToBF16(float64(v)); got != want {
			t.Fatalf("%v (%#08x): want %#04x, got %#04x", v, b, want, got)
		}
	})
	require.True(t, math.IsNaN(float64(BF16ToF32(F64ToBF16(math.NaN())))))
}

func TestTensorFloat64sRoundTrip(t *testing.T) {
	for _, d := range DTypes() {
		x := Of(d, Shape{2, 2}, 0, 1, 1, 0)
		require.Equal(t, []float64{0, 1, 1, 0}, x.Float64s(), d)
		require.Len(t, x.Data, 4*d.Size())
	}
	require.Equal(t, []float64{-128, 127, 2}, Of(S8, Shape{3}, -1000, 1000, 2.5).Float64s())
	require.Equal(t, []float64{0, 255, 0}, Of(U8, Shape{3}, -3, 256, math.NaN()).Float64s())
}

func TestWrapChecks(t *testing.T) {
	_, err := Wrap(T(F32, 3), make([]byte, 8))
	require.ErrorContains(t, err, "12 bytes")
	_, err = Wrap(T(F32, 1), AlignedBytes(16)[1:5])
	require.ErrorContains(t, err, "aligned")
	_, err = Wrap(T(F32, -1), nil)
	require.ErrorContains(t, err, "negative")
	require.Error(t, Shape{1 << 30, 1 << 30}.Validate())
	x, err := Wrap(T(S32, 2), Bytes([]int32{7, -7}))
	require.NoError(t, err)
	require.Equal(t, []float64{7, -7}, x.Float64s())
}

func TestBroadcast(t *testing.T) {
	for _, c := range []struct{ a, b, want Shape }{
		{Shape{2, 3}, Shape{3}, Shape{2, 3}},
		{Shape{2, 1}, Shape{1, 3}, Shape{2, 3}},
		{Shape{}, Shape{4}, Shape{4}},
		{Shape{0}, Shape{1}, Shape{0}},
	} {
		got, err := Broadcast(c.a, c.b)
		require.NoError(t, err)
		require.True(t, c.want.Equal(got), "%v", got)
	}
	_, err := Broadcast(Shape{2}, Shape{3})
	require.Error(t, err)
	require.Equal(t, []int{0, 0, 1}, BroadcastStrides(Shape{1, 3}, Shape{2, 2, 3}))
}

func TestFillsAreSeededAndInRange(t *testing.T) {
	a := FillSeeded(New(F32, 1000), Fill{Uniform, -1, 1}, 7, 0)
	require.Equal(t, a.Data, FillSeeded(New(F32, 1000), Fill{Uniform, -1, 1}, 7, 0).Data)
	require.NotEqual(t, a.Data, FillSeeded(New(F32, 1000), Fill{Uniform, -1, 1}, 7, 1).Data)
	require.NotEqual(t, a.Data, FillSeeded(New(F32, 1000), Fill{Uniform, -1, 1}, 8, 0).Data)
	sum := 0.0
	for _, v := range a.Float64s() {
		require.True(t, v >= -1 && v < 1)
		sum += v
	}
	require.InDelta(t, 0, sum/1000, 0.08)
	seen := map[float64]int{}
	for _, v := range FillSeeded(New(S8, 1000), Fill{Integers, -2, 2}, 1, 0).Float64s() {
		seen[v]++
	}
	require.Len(t, seen, 5)
	mean, sq := 0.0, 0.0
	for _, v := range FillSeeded(New(F64, 10000), Fill{Normal, 3, 2}, 1, 0).Float64s() {
		mean += v / 10000
		sq += v * v / 10000
	}
	require.InDelta(t, 3, mean, 0.1)
	require.InDelta(t, 2, math.Sqrt(sq-mean*mean), 0.1)
}
