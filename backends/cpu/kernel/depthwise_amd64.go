//go:build !purego

package kernel

// The loops by window: 3×3, then 5×5, each with steps of 1 and 2.
var depthwise512 = [...]depthwiseLoops{
	{padRowsAVX512, splitRowsAVX512, depthwise3s1r4AVX512, depthwise3s1r1AVX512, depthwiseGrad3s1AVX512, 16},
	{padRowsAVX512, splitRowsAVX512, depthwise3s2r4AVX512, depthwise3s2r1AVX512, depthwiseGrad3s2AVX512, 16},
	{padRowsAVX512, splitRowsAVX512, depthwise5s1r4AVX512, depthwise5s1r1AVX512, depthwiseGrad5s1AVX512, 16},
	{padRowsAVX512, splitRowsAVX512, depthwise5s2r4AVX512, depthwise5s2r1AVX512, depthwiseGrad5s2AVX512, 16},
}

var depthwise2 = [...]depthwiseLoops{
	{padRowsAVX2, splitRowsAVX2, depthwise3s1r4AVX2, depthwise3s1r1AVX2, depthwiseGrad3s1AVX2, 8},
	{padRowsAVX2, splitRowsAVX2, depthwise3s2r4AVX2, depthwise3s2r1AVX2, depthwiseGrad3s2AVX2, 8},
	{padRowsAVX2, splitRowsAVX2, depthwise5s1r4AVX2, depthwise5s1r1AVX2, depthwiseGrad5s1AVX2, 8},
	{padRowsAVX2, splitRowsAVX2, depthwise5s2r4AVX2, depthwise5s2r1AVX2, depthwiseGrad5s2AVX2, 8},
}

// depthwiseFor gives the loops of a window of size×size; nil: there are none.
func depthwiseFor(i ISA, size, step int) *depthwiseLoops {
	at := size - 3 + step - 1
	switch i {
	case AVX512:
		return &depthwise512[at]
	case AVX2:
		return &depthwise2[at]
	}
	return nil
}
