//go:build !purego

package kernel

var comparisons512 = [...]comparisonLoops{
	Less:        {lessAVX512, lessScalarAVX512, lessIntoAVX512},
	LessOrEqual: {lessOrEqualAVX512, lessOrEqualScalarAVX512, lessOrEqualIntoAVX512},
	Equal:       {equalAVX512, equalScalarAVX512, equalIntoAVX512},
}

var comparisons2 = [...]comparisonLoops{
	Less:        {lessAVX2, lessScalarAVX2, lessIntoAVX2},
	LessOrEqual: {lessOrEqualAVX2, lessOrEqualScalarAVX2, lessOrEqualIntoAVX2},
	Equal:       {equalAVX2, equalScalarAVX2, equalIntoAVX2},
}

// comparisonFor gives the loops and the elements of their vectors; nil: there
// are none.
func comparisonFor(i ISA, c Comparison) (loops *comparisonLoops, lanes int) {
	switch i {
	case AVX512:
		return &comparisons512[c], 16
	case AVX2:
		return &comparisons2[c], 8
	}
	return nil, 0
}

var (
	where512 = whereLoops{whereAVX512, whereScalarAVX512, whereIntoAVX512, whereScalarsAVX512}
	where2   = whereLoops{whereAVX2, whereScalarAVX2, whereIntoAVX2, whereScalarsAVX2}
)

func whereFor(i ISA) (loops *whereLoops, lanes int) {
	switch i {
	case AVX512:
		return &where512, 16
	case AVX2:
		return &where2, 8
	}
	return nil, 0
}
