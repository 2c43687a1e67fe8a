//go:build !purego

package kernel

// transpose8Loop transposes whole blocks and says how many columns that were.
func transpose8Loop(i ISA, dst []float32, drs int, src []float32, srs, rows, cols int) int {
	c := cols &^ 7
	if i == Generic || c == 0 {
		return 0
	}
	_, _ = dst[(c-1)*drs+7], src[(rows-1)*srs+c-1]
	for o := 0; o < c; o += chunk / 8 {
		transpose8AVX2(&dst[o*drs], drs, &src[o], srs, rows, min(c-o, chunk/8))
	}
	return c
}

// copyRuns is copyRunsGo for runs that splitRun made for i. The slices must
// hold all that the offsets name: nobody checks.
func copyRuns(i ISA, dst []float32, step int, src []float32, offsets []int32, runs []run) {
	if len(offsets) == 0 || len(runs) == 0 {
		return
	}
	f := copyRunsAVX2
	switch i {
	case AVX512:
		f = copyRunsAVX512
	case AVX2:
	default:
		copyRunsGo(dst, step, src, offsets, runs)
		return
	}
	// A few µs at a time.
	rows := max(1, chunk/len(runs))
	for o := 0; o < len(offsets); o += rows {
		n := min(rows, len(offsets)-o)
		f(&dst[o*step], step, &src[0], &offsets[o], n, (*[3]int32)(&runs[0]), len(runs))
	}
}

// sumRuns is sumRunsGo for chunks of at most a vector, a few µs at a time.
// Nobody checks the offsets.
func sumRuns(i ISA, dst, src []float32, chunks []sumChunk, terms []term) {
	f := sumRunsAVX2
	switch i {
	case AVX512:
		f = sumRunsAVX512
	case AVX2:
	default:
		sumRunsGo(dst, src, chunks, terms)
		return
	}
	for len(chunks) > 0 && len(terms) > 0 {
		n, used := 0, 0
		for n < len(chunks) && (n == 0 || used < chunk/2) {
			used += int(chunks[n][2])
			n++
		}
		f(&dst[0], &src[0], (*[3]int32)(&chunks[0]), n, (*[2]int32)(&terms[0]))
		chunks, terms = chunks[n:], terms[used:]
	}
	sumRunsGo(dst, src, chunks, terms) // chunks without terms: zeros
}
