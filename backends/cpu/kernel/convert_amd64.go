//go:build !purego

package kernel

// chooseConverter gives what there is for i and the elements of its vectors; nil: there
// is nothing.
func chooseConverter[D, S any](i ISA, avx512, avx2 converter[D, S]) (vectors converter[D, S], lanes int) {
	switch i {
	case AVX512:
		return avx512, 16
	case AVX2:
		return avx2, 8
	}
	return nil, 0
}

func fromU8For(i ISA) (converter[float32, uint8], int) {
	return chooseConverter(i, fromU8AVX512, fromU8AVX2)
}

func fromF16For(i ISA) (converter[float32, uint16], int) {
	return chooseConverter(i, fromF16AVX512, fromF16AVX2)
}

func fromBF16For(i ISA) (converter[float32, uint16], int) {
	return chooseConverter(i, fromBF16AVX512, fromBF16AVX2)
}

func toF16For(i ISA) (converter[uint16, float32], int) {
	return chooseConverter(i, toF16AVX512, toF16AVX2)
}

func toBF16For(i ISA) (converter[uint16, float32], int) {
	return chooseConverter(i, toBF16AVX512, toBF16AVX2)
}
