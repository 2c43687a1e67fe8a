//go:build !purego

package kernel

var functions512 = [functionLoops]vectorLoop{
	expLoop:         expAVX512,
	logLoop:         logAVX512,
	tanhLoop:        tanhAVX512,
	sigmoidLoop:     sigmoidAVX512,
	erfLoop:         erfAVX512,
	geluLoop:        geluAVX512,
	geluTanhLoop:    geluTanhAVX512,
	swishLoop:       swishAVX512,
	softplusLoop:    softplusAVX512,
	mishLoop:        mishAVX512,
	exponentialLoop: exponentialAVX512,
	leakyReLULoop:   leakyReLUAVX512,
	hardSigmoidLoop: hardSigmoidAVX512,
	hardSwishLoop:   hardSwishAVX512,
	softsignLoop:    softsignAVX512,
	absLoop:         absAVX512,
	reciprocalLoop:  reciprocalAVX512,
	sqrtLoop:        sqrtAVX512,
	roundLoop:       roundAVX512,
	floorLoop:       floorAVX512,
	ceilLoop:        ceilAVX512,
}

var functions2 = [functionLoops]vectorLoop{
	expLoop:         expAVX2,
	logLoop:         logAVX2,
	tanhLoop:        tanhAVX2,
	sigmoidLoop:     sigmoidAVX2,
	erfLoop:         erfAVX2,
	geluLoop:        geluAVX2,
	geluTanhLoop:    geluTanhAVX2,
	swishLoop:       swishAVX2,
	softplusLoop:    softplusAVX2,
	mishLoop:        mishAVX2,
	exponentialLoop: exponentialAVX2,
	leakyReLULoop:   leakyReLUAVX2,
	hardSigmoidLoop: hardSigmoidAVX2,
	hardSwishLoop:   hardSwishAVX2,
	softsignLoop:    softsignAVX2,
	absLoop:         absAVX2,
	reciprocalLoop:  reciprocalAVX2,
	sqrtLoop:        sqrtAVX2,
	roundLoop:       roundAVX2,
	floorLoop:       floorAVX2,
	ceilLoop:        ceilAVX2,
}

// functionFor gives the loop; nil: there is none.
func functionFor(i ISA, f functionLoop) vectorLoop {
	switch i {
	case AVX512:
		return functions512[f]
	case AVX2:
		return functions2[f]
	}
	return nil
}

func expDiffLoop(i ISA, dst, x []float32, m float32) float64 {
	switch i {
	case AVX512:
		return float64(expDiffAVX512(&dst[0], &x[0], len(x), m))
	case AVX2:
		return float64(expDiffAVX2(&dst[0], &x[0], len(x), m))
	}
	return expDiffGo(dst, x, m)
}

func expSumLoop(i ISA, x []float32, m float32) float64 {
	switch i {
	case AVX512:
		return float64(expSumAVX512(&x[0], len(x), m))
	case AVX2:
		return float64(expSumAVX2(&x[0], len(x), m))
	}
	return expSumGo(x, m)
}

func softmaxGradLoop(i ISA, s, dp []float32, lse, inner, scale float32) {
	switch i {
	case AVX512:
		softmaxGradAVX512(&s[0], &dp[0], len(s), lse, inner, scale)
	case AVX2:
		softmaxGradAVX2(&s[0], &dp[0], len(s), lse, inner, scale)
	default:
		softmaxGradGo(s, dp, lse, inner, scale)
	}
}
