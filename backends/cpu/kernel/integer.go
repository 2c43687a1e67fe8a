package kernel

import "fmt"

// Products of 8-bit integers less their zero points, exact in 32 bits.
//
// Two columns are computed by one multiplication of 64 bits: with
// b = b₀ + 2³²·b₁ the sum of a·b is S₀ + 2³²·S₁, and both come apart again while
// S₀ fits 32 bits.

// Octet is what networks are quantized to.
type Octet interface{ ~int8 | ~uint8 }

// IntegerTile is the number of rows and of columns that are computed together.
const IntegerTile = 4

// IntegerPanels is how many panels of IntegerTile rows or columns n are.
func IntegerPanels(n int) int { return (n + IntegerTile - 1) / IntegerTile }

// IntegerRowsLen is the elements that PackIntegerRows writes.
func IntegerRowsLen(rows, depth int) int { return IntegerPanels(rows) * IntegerTile * depth }

// IntegerColsLen is the elements of one panel of columns.
func IntegerColsLen(depth int) int { return IntegerTile / 2 * depth }

// PackIntegerRows writes a rows×depth matrix, row-major, in panels of rows: the
// elements of a column of a panel one after the other. Row i's zero point is
// zero[i·step]; a nil zero stands for 0.
func PackIntegerRows[T Octet](dst []int16, a []T, rows, depth int, zero []T, step int) {
	for p := range IntegerPanels(rows) {
		panel := dst[p*IntegerTile*depth:][:IntegerTile*depth]
		for r := range IntegerTile {
			row := p*IntegerTile + r
			if row >= rows {
				for k := range depth {
					panel[k*IntegerTile+r] = 0
				}
				continue
			}
			z := zeroPoint(zero, row*step)
			for k, v := range a[row*depth:][:depth] {
				panel[k*IntegerTile+r] = int16(v) - z
			}
		}
	}
}

func zeroPoint[T Octet](zero []T, i int) int16 {
	if zero == nil {
		return 0
	}
	return int16(zero[i])
}

// PackIntegerCols writes one panel of columns of a depth×cols matrix,
// row-major, in pairs; what is beyond the last column is 0. Column j's zero
// point is zero[j·step].
func PackIntegerCols[T Octet](dst []int64, b []T, depth, cols, panel int, zero []T, step int) {
	first := panel * IntegerTile
	n := min(IntegerTile, cols-first)
	var z [IntegerTile]int16
	for j := range n {
		z[j] = zeroPoint(zero, (first+j)*step)
	}
	dst = dst[:IntegerColsLen(depth)]
	for k := range depth {
		var v [IntegerTile]int64
		for j, x := range b[k*cols+first:][:n] {
			v[j] = int64(int16(x) - z[j])
		}
		dst[2*k], dst[2*k+1] = v[0]+v[1]<<32, v[2]+v[3]<<32
	}
}

// MultiplyIntegers writes the products of all rows of a, as PackIntegerRows
// wrote them, with one panel of columns: dst has IntegerTile elements a row,
// the rows that fill the last panel included.
func MultiplyIntegers(dst []int32, a []int16, b []int64, depth int) {
	b = b[:IntegerColsLen(depth)]
	for len(a) > 0 && len(dst) >= IntegerTile*IntegerTile {
		multiplyIntegerTile((*[IntegerTile * IntegerTile]int32)(dst), a[:IntegerTile*depth], b)
		a, dst = a[IntegerTile*depth:], dst[IntegerTile*IntegerTile:]
	}
}

func multiplyIntegerTile(dst *[IntegerTile * IntegerTile]int32, a []int16, b []int64) {
	var s00, s01, s10, s11, s20, s21, s30, s31 int64
	for len(a) >= 4 && len(b) >= 2 {
		left, right := b[0], b[1]
		v := int64(a[0])
		s00 += v * left
		s01 += v * right
		v = int64(a[1])
		s10 += v * left
		s11 += v * right
		v = int64(a[2])
		s20 += v * left
		s21 += v * right
		v = int64(a[3])
		s30 += v * left
		s31 += v * right
		a, b = a[4:], b[2:]
	}
	for i, s := range [8]int64{s00, s01, s10, s11, s20, s21, s30, s31} {
		low := int32(s)
		dst[2*i], dst[2*i+1] = low, int32((s-int64(low))>>32)
	}
}

// IntegerColumns is Columns for padded images of integers less their zero
// point: the matrix of what the windows see, by panels of columns.
type IntegerColumns struct {
	Rows, Cols int
	rows, cols []int32 // where rows begin in an image, and columns from there
}

// NewIntegerColumns plans for images of channels × w.In.
func NewIntegerColumns(channels int, w Window) (*IntegerColumns, error) {
	taps, plane := product(w.Kernel), product(w.In)
	if elements := channels * plane; elements >= 1<<31 {
		return nil, fmt.Errorf("image of %d×%d elements: want less than 2^31", channels, plane)
	}
	c := &IntegerColumns{Rows: channels * taps, Cols: product(w.Out)}
	for ch := range channels {
		tap := newIndices(w.Kernel)
		for range taps {
			c.rows = append(c.rows, int32(ch*plane+w.place(tap.at, w.Dilations)))
			tap.next()
		}
	}
	out := newIndices(w.Out)
	for range c.Cols {
		c.cols = append(c.cols, int32(w.place(out.at, w.Strides)))
		out.next()
	}
	return c, nil
}

// Pack writes one panel, as PackIntegerCols does.
func (c *IntegerColumns) Pack(dst []int64, image []int16, panel int) {
	first := panel * IntegerTile
	var at [IntegerTile]int32
	n := copy(at[:], c.cols[first:min(first+IntegerTile, c.Cols)])
	for j := n; j < IntegerTile; j++ {
		at[j] = at[0] // computed, and never read
	}
	dst = dst[:IntegerColsLen(c.Rows)]
	for k, row := range c.rows {
		dst[2*k] = int64(image[row+at[0]]) + int64(image[row+at[1]])<<32
		dst[2*k+1] = int64(image[row+at[2]]) + int64(image[row+at[3]])<<32
	}
}

// CentreInteger writes a line of integers less their zero point.
func CentreInteger[T Octet](dst []int16, x []T, zero int16) {
	for i, v := range x {
		dst[i] = int16(v) - zero
	}
}

// Requantize writes sat(zero + RNE(v)) of v = sum·factor.
func Requantize(sum int32, factor float32, zero, lo, hi int32) int32 {
	return saturate(float32(float32(sum)*factor), zero, lo, hi)
}

// Quantize writes sat(zero + RNE(x/scale)).
func Quantize[T Octet](dst []T, x []float32, scale float32, zero, lo, hi int32) {
	for i, v := range x {
		dst[i] = T(saturate(v/scale, zero, lo, hi))
	}
}

// saturate is sat(zero + RNE(v)). What is far out of range is held near it
// first; then adding 3·2²² leaves no room for a fraction.
func saturate(v float32, zero, lo, hi int32) int32 {
	const far, whole = 1 << 20, 3 << 22
	v = min(max(v, -far), far)
	rounded := int32(float32(v+whole) - whole)
	return min(max(rounded+zero, lo), hi)
}
