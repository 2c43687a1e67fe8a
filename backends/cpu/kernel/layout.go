package kernel

// Transpose is dst[j·drs+i] = src[i·srs+j] for i < rows, j < cols.
func Transpose(i ISA, dst []float32, drs int, src []float32, srs, rows, cols int) {
	if rows == 0 || cols == 0 {
		return
	}
	whole := 0
	if i != Generic {
		for ; whole+8 <= rows; whole += 8 {
			transpose8(i, dst[whole:], drs, src[whole*srs:], srs, 8, cols)
		}
	}
	transposeGo(dst[min(whole, len(dst)):], drs, src[min(whole*srs, len(src)):], srs, rows-whole, cols)
}

func transposeGo(dst []float32, drs int, src []float32, srs, rows, cols int) {
	for r := range rows {
		for c, v := range src[r*srs:][:cols] {
			dst[c*drs+r] = v
		}
	}
}

// transpose8 transposes up to eight rows. It writes whole groups of eight
// elements: beyond rows, what they hold is anybody's guess.
func transpose8(i ISA, dst []float32, drs int, src []float32, srs, rows, cols int) {
	c := transpose8Loop(i, dst, drs, src, srs, rows, cols)
	if c < cols {
		transposeGo(dst[c*drs:], drs, src[c:], srs, rows, cols-c)
	}
}

// run is a piece of a matrix row that is contiguous in the source, too:
// elements src and dst of their rows, length.
type run [3]int32

// copyRunsGo is the gathering of a matrix from runs: row k is read from
// src[offsets[k]:] and written to dst[k·step:].
func copyRunsGo(dst []float32, step int, src []float32, offsets []int32, runs []run) {
	for k, o := range offsets {
		for _, r := range runs {
			d, s, n := k*step+int(r[1]), int(o+r[0]), int(r[2])
			copy(dst[d:d+n], src[s:s+n])
		}
	}
}

// maxRun is the longest run that copyRuns takes.
func maxRun(i ISA) int {
	switch i {
	case AVX512:
		return 16
	case AVX2:
		return 8
	}
	return 1 << 30
}

// splitRun cuts a run into such as copyRuns takes and appends them.
func splitRun(i ISA, to []run, r run) []run {
	for r[2] > 0 {
		n := min(r[2], int32(maxRun(i)))
		if i == AVX2 || (i == AVX512 && n > 8) { // a power of two: masked stores are dear
			for n&(n-1) != 0 {
				n &= n - 1
			}
		}
		to = append(to, run{r[0], r[1], n})
		r = run{r[0] + n, r[1] + n, r[2] - n}
	}
	return to
}

// term is a vector to add: its offset, and a bit for each lane that counts.
type term [2]int32

// sumChunk is neighbours in the destination, dst and how many, and how many
// terms they are sums of.
type sumChunk [3]int32

// sumRunsGo writes dst[c.dst+j] = Σ src[t.offset+j] over the chunk's terms
// whose mask has bit j. The chunks' terms follow each other.
func sumRunsGo(dst, src []float32, chunks []sumChunk, terms []term) {
	for _, c := range chunks {
		for j := range int(c[1]) {
			s := float32(0)
			for _, t := range terms[:c[2]] {
				if t[1]>>j&1 != 0 {
					s += src[int(t[0])+j]
				}
			}
			dst[int(c[0])+j] = s
		}
		terms = terms[c[2]:]
	}
}
