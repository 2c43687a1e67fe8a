//go:build !purego

package kernel

// The families of microkernels, by width. AVX-512: two vectors wide for most
// products, four for up to six rows, one for up to sixteen columns.
var (
	avx512x32 = &micro{nr: 32, lanes: 16, byRows: []microkernel{
		nil, gemmAVX512_1x32, gemmAVX512_2x32, gemmAVX512_3x32, gemmAVX512_4x32, gemmAVX512_5x32, gemmAVX512_6x32, gemmAVX512_7x32,
		gemmAVX512_8x32, gemmAVX512_9x32, gemmAVX512_10x32, gemmAVX512_11x32, gemmAVX512_12x32, gemmAVX512_13x32, gemmAVX512_14x32},
		gathers: []gatherkernel{
			nil, gatherAVX512_1x32, gatherAVX512_2x32, gatherAVX512_3x32, gatherAVX512_4x32, gatherAVX512_5x32, gatherAVX512_6x32, gatherAVX512_7x32,
			gatherAVX512_8x32, gatherAVX512_9x32, gatherAVX512_10x32, gatherAVX512_11x32, gatherAVX512_12x32, gatherAVX512_13x32, gatherAVX512_14x32}}
	avx512x64 = &micro{nr: 64, lanes: 16, byRows: []microkernel{
		nil, gemmAVX512_1x64, gemmAVX512_2x64, gemmAVX512_3x64, gemmAVX512_4x64, gemmAVX512_5x64, gemmAVX512_6x64},
		gathers: []gatherkernel{
			nil, gatherAVX512_1x64, gatherAVX512_2x64, gatherAVX512_3x64, gatherAVX512_4x64, gatherAVX512_5x64, gatherAVX512_6x64}}
	avx512x16 = &micro{nr: 16, lanes: 16, byRows: []microkernel{
		nil, gemmAVX512_1x16, gemmAVX512_2x16, gemmAVX512_3x16, gemmAVX512_4x16, gemmAVX512_5x16, gemmAVX512_6x16, gemmAVX512_7x16,
		gemmAVX512_8x16, gemmAVX512_9x16, gemmAVX512_10x16, gemmAVX512_11x16, gemmAVX512_12x16, gemmAVX512_13x16, gemmAVX512_14x16},
		gathers: []gatherkernel{
			nil, gatherAVX512_1x16, gatherAVX512_2x16, gatherAVX512_3x16, gatherAVX512_4x16, gatherAVX512_5x16, gatherAVX512_6x16, gatherAVX512_7x16,
			gatherAVX512_8x16, gatherAVX512_9x16, gatherAVX512_10x16, gatherAVX512_11x16, gatherAVX512_12x16, gatherAVX512_13x16, gatherAVX512_14x16}}
	avx2x16 = &micro{nr: 16, lanes: 8, byRows: []microkernel{
		nil, gemmAVX2_1x16, gemmAVX2_2x16, gemmAVX2_3x16, gemmAVX2_4x16, gemmAVX2_5x16, gemmAVX2_6x16},
		gathers: []gatherkernel{
			nil, gatherAVX2_1x16, gatherAVX2_2x16, gatherAVX2_3x16, gatherAVX2_4x16, gatherAVX2_5x16, gatherAVX2_6x16}}
	avx2x8 = &micro{nr: 8, lanes: 8, byRows: []microkernel{
		nil, gemmAVX2_1x8, gemmAVX2_2x8, gemmAVX2_3x8, gemmAVX2_4x8, gemmAVX2_5x8, gemmAVX2_6x8, gemmAVX2_7x8,
		gemmAVX2_8x8, gemmAVX2_9x8, gemmAVX2_10x8, gemmAVX2_11x8, gemmAVX2_12x8},
		gathers: []gatherkernel{
			nil, gatherAVX2_1x8, gatherAVX2_2x8, gatherAVX2_3x8, gatherAVX2_4x8, gatherAVX2_5x8, gatherAVX2_6x8, gatherAVX2_7x8,
			gatherAVX2_8x8, gatherAVX2_9x8, gatherAVX2_10x8, gatherAVX2_11x8, gatherAVX2_12x8}}
)

// microFor picks the family for products of m rows and n columns.
func microFor(i ISA, m, n int) *micro {
	switch {
	case i == AVX512 && n <= 16:
		return avx512x16
	case i == AVX512 && m <= 6 && n > 32:
		return avx512x64
	case i == AVX512:
		return avx512x32
	case i == AVX2 && n <= 8:
		return avx2x8
	case i == AVX2:
		return avx2x16
	}
	return genericMicro
}
