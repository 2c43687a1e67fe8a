//go:build !purego

package kernel

var norm512 = normLoops{
	moments: momentsAVX512, products: productsAVX512, scaledProducts: scaledProductsAVX512,
	addProducts: addProductsAVX512, lanes: 8, squaredDistance: squaredDistanceAVX512, response: responseAVX512,
	standardize: standardizeAVX512, standardizeRow: standardizeRowAVX512, standardizeShiftRow: standardizeShiftRowAVX512,
	grad: normGradAVX512, gradRow: normGradRowAVX512,
}

var norm2 = normLoops{
	moments: momentsAVX2, products: productsAVX2, scaledProducts: scaledProductsAVX2,
	addProducts: addProductsAVX2, lanes: 4, squaredDistance: squaredDistanceAVX2, response: responseAVX2,
	standardize: standardizeAVX2, standardizeRow: standardizeRowAVX2, standardizeShiftRow: standardizeShiftRowAVX2,
	grad: normGradAVX2, gradRow: normGradRowAVX2,
}

// normFor gives the loops of norms; nil: there are none.
func normFor(i ISA) *normLoops {
	switch i {
	case AVX512:
		return &norm512
	case AVX2:
		return &norm2
	}
	return nil
}
