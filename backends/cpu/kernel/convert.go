package kernel

import "github.com/clsbench/clsbench/tensor"

// converter converts n elements, whole vectors of them.
type converter[D, S any] func(dst *D, src *S, n int)

// convertAll lets vectors, if there are any, convert what fills them, and one
// the rest.
func convertAll[D, S any](vectors converter[D, S], lanes int, dst []D, src []S, one func(S) D) {
	src = src[:len(dst)]
	for vectors != nil && len(dst) >= lanes {
		n := min(len(dst), chunk) &^ (lanes - 1)
		vectors(&dst[0], &src[0], n)
		dst, src = dst[n:], src[n:]
	}
	for i, v := range src {
		dst[i] = one(v)
	}
}

// FromU8 is dst[i] = src[i].
func FromU8(i ISA, dst []float32, src []uint8) {
	vectors, lanes := fromU8For(i)
	convertAll(vectors, lanes, dst, src, func(v uint8) float32 { return float32(v) })
}

// FromF16 is dst[i] = src[i], IEEE's binary16.
func FromF16(i ISA, dst []float32, src []uint16) {
	vectors, lanes := fromF16For(i)
	convertAll(vectors, lanes, dst, src, tensor.F16ToF32)
}

// FromBF16 is dst[i] = src[i], the upper halves of f32.
func FromBF16(i ISA, dst []float32, src []uint16) {
	vectors, lanes := fromBF16For(i)
	convertAll(vectors, lanes, dst, src, tensor.BF16ToF32)
}

// ToF16 rounds to nearest, ties to even.
func ToF16(i ISA, dst []uint16, src []float32) {
	vectors, lanes := toF16For(i)
	convertAll(vectors, lanes, dst, src, func(v float32) uint16 { return tensor.F64ToF16(float64(v)) })
}

// ToBF16 rounds to nearest, ties to even.
func ToBF16(i ISA, dst []uint16, src []float32) {
	vectors, lanes := toBF16For(i)
	convertAll(vectors, lanes, dst, src, func(v float32) uint16 { return tensor.F64ToBF16(float64(v)) })
}
