//go:build !purego

package kernel

var arith512 = [...]arithLoops{
	Add:   {addAVX512, addScalarAVX512, addScalarAVX512},
	Sub:   {subAVX512, subScalarAVX512, subIntoAVX512},
	Mul:   {mulAVX512, mulScalarAVX512, mulScalarAVX512},
	Div:   {divAVX512, divScalarAVX512, divIntoAVX512},
	Max:   {maxAVX512, maxScalarAVX512, maxScalarAVX512},
	Min:   {minAVX512, minScalarAVX512, minScalarAVX512},
	PReLU: {preluAVX512, preluScalarAVX512, preluIntoAVX512},
}

var arith2 = [...]arithLoops{
	Add:   {addAVX2, addScalarAVX2, addScalarAVX2},
	Sub:   {subAVX2, subScalarAVX2, subIntoAVX2},
	Mul:   {mulAVX2, mulScalarAVX2, mulScalarAVX2},
	Div:   {divAVX2, divScalarAVX2, divIntoAVX2},
	Max:   {maxAVX2, maxScalarAVX2, maxScalarAVX2},
	Min:   {minAVX2, minScalarAVX2, minScalarAVX2},
	PReLU: {preluAVX2, preluScalarAVX2, preluIntoAVX2},
}

// arithFor gives the loops of op; nil: there are none.
func arithFor(i ISA, op Arith) *arithLoops {
	switch i {
	case AVX512:
		return &arith512[op]
	case AVX2:
		return &arith2[op]
	}
	return nil
}

func reluLoop(i ISA, dst, x []float32) {
	switch i {
	case AVX512:
		reluAVX512(&dst[0], &x[0], len(dst))
	case AVX2:
		reluAVX2(&dst[0], &x[0], len(dst))
	default:
		reluGo(dst, x)
	}
}

func reluGradLoop(i ISA, dx, dy, y []float32) {
	switch i {
	case AVX512:
		reluGradAVX512(&dx[0], &dy[0], &y[0], len(dx))
	case AVX2:
		reluGradAVX2(&dx[0], &dy[0], &y[0], len(dx))
	default:
		reluGradGo(dx, dy, y)
	}
}
