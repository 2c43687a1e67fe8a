package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/tensor"
)

func TestFromU8(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, n := range lengths {
			src := make([]uint8, n)
			want := make([]float32, n)
			for j := range src {
				src[j] = uint8(j * 37)
				want[j] = float32(src[j])
			}
			dst := newGuarded(n)
			FromU8(i, dst.data, src)
			dst.intact(t)
			require.Equal(t, want, dst.data)
		}
	})
}

// TestFrom16 converts all numbers that there are.
func TestFrom16(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		src, want := make([]uint16, 1<<16), make([]float32, 1<<16)
		for j := range src {
			src[j] = uint16(j)
		}
		for name, c := range map[string]struct {
			convert func(ISA, []float32, []uint16)
			one     func(uint16) float32
		}{"f16": {FromF16, tensor.F16ToF32}, "bf16": {FromBF16, tensor.BF16ToF32}} {
			for j, h := range src {
				want[j] = c.one(h)
			}
			for _, n := range append(lengths, 1<<16) {
				dst := newGuarded(n)
				c.convert(i, dst.data, src[1<<16-n:])
				dst.intact(t)
				require.Equal(t, bits(want[1<<16-n:]), bits(dst.data), name)
			}
		}
	})
}

// TestTo16 converts numbers of all sizes, and on and around the middle of two
// neighbours.
func TestTo16(t *testing.T) {
	isNaN := map[string]func(h uint16) bool{
		"f16":  func(h uint16) bool { return h&0x7fff > 0x7c00 },
		"bf16": func(h uint16) bool { return h&0x7fff > 0x7f80 },
	}
	var x []float32
	for h := range 1 << 16 {
		for _, v := range []float32{tensor.BF16ToF32(uint16(h)), tensor.F16ToF32(uint16(h))} {
			b := math.Float32bits(v)
			for _, d := range []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xfff, 0x1000, 0x1001} {
				x = append(x, math.Float32frombits(b+d))
			}
		}
	}
	x = append(x, math.Float32frombits(0x7fffffff), math.Float32frombits(0xffffffff), math.Float32frombits(0x7f800001))
	onEveryISA(t, func(t *testing.T, i ISA) {
		for name, c := range map[string]struct {
			convert func(ISA, []uint16, []float32)
			one     func(float64) uint16
		}{"f16": {ToF16, tensor.F64ToF16}, "bf16": {ToBF16, tensor.F64ToBF16}} {
			got := make([]uint16, len(x))
			c.convert(i, got, x)
			for j, v := range x {
				if v != v {
					require.True(t, isNaN[name](got[j]), "%s of %x: %x", name, math.Float32bits(v), got[j])
				} else if want := c.one(float64(v)); got[j] != want {
					require.Equal(t, want, got[j], "%s of %v", name, v)
				}
			}
			for _, n := range lengths {
				dst := make([]uint16, n+2)
				dst[n], dst[n+1] = 0xdead, 0xbeef
				c.convert(i, dst[:n], x)
				require.Equal(t, got[:n], dst[:n])
				require.Equal(t, []uint16{0xdead, 0xbeef}, dst[n:])
			}
		}
	})
}

func BenchmarkConvert(b *testing.B) {
	const n = 1 << 13
	x, h, u := make([]float32, n), make([]uint16, n), make([]uint8, n)
	for _, i := range []ISA{AVX512, AVX2, Generic} {
		if !i.Available() {
			continue
		}
		for name, f := range map[string]func(){
			"from u8":  func() { FromU8(i, x, u) },
			"from f16": func() { FromF16(i, x, h) }, "from bf16": func() { FromBF16(i, x, h) },
			"to f16": func() { ToF16(i, h, x) }, "to bf16": func() { ToBF16(i, h, x) },
		} {
			perElement(b, fmt.Sprintf("%s/%v", name, i), n, f)
		}
	}
}
