//go:build !purego

package kernel

var folds512 = [...]foldLoops{
	FoldSum:        {row: rowSumAVX512},
	FoldSumAbs:     {rowSumAbsAVX512, rowsSumAbsAVX512},
	FoldSumSquares: {rowSumSquaresAVX512, rowsSumSquaresAVX512},
	FoldMax:        {row: rowMaxAVX512},
	FoldMin:        {row: rowMinAVX512},
}

var folds2 = [...]foldLoops{
	FoldSum:        {row: rowSumAVX2},
	FoldSumAbs:     {rowSumAbsAVX2, rowsSumAbsAVX2},
	FoldSumSquares: {rowSumSquaresAVX2, rowsSumSquaresAVX2},
	FoldMax:        {row: rowMaxAVX2},
	FoldMin:        {row: rowMinAVX2},
}

// foldFor gives the loops of f; nil: there are none.
func foldFor(i ISA, f Fold) *foldLoops {
	switch i {
	case AVX512:
		return &folds512[f]
	case AVX2:
		return &folds2[f]
	}
	return nil
}
