package kernel

import (
	"slices"
	"unsafe"
)

// microkernel computes tiles blocks of C, side by side, each of the
// microkernel's mr rows and cols ≤ nr columns:
//
//	C[i, t·nr+j] = f(alpha · Σ_p a[i·ars + p·aks] · b[t·bts + p·bks + j])
//
// with p < k and strides in elements. f does what flags say, in this order:
// add what C held, add bias[i], add bias[t·nr+j], clamp at zero. Without
// flagScale alpha is not looked at. Whole rows of nr elements of b are read.
type microkernel func(k int, a *float32, ars, aks int, b *float32, bks int,
	c *float32, crs, cols, tiles, bts int, alpha float32, bias *float32, flags int)

// gatherkernel is a microkernel that finds the columns of A by a table: element
// (i, p) is a[i·ars + columns[p]], none of which is below zero.
type gatherkernel func(k int, a *float32, ars int, columns *int32, b *float32, bks int,
	c *float32, crs, cols, tiles, bts int, alpha float32, bias *float32, flags int)

// The bits of flags, as the generator has them.
const (
	flagAccumulate = 1 << iota
	flagScale
	flagRowBias
	flagColBias
	flagReLU
)

// micro is a family of microkernels of one width.
type micro struct {
	nr      int            // columns
	lanes   int            // elements of a vector
	byRows  []microkernel  // [mr], from 1 up
	gathers []gatherkernel // [mr], too
}

func (m *micro) mr() int { return len(m.byRows) - 1 }

// genericMicro is 4×4: more accumulators do not fit the registers that the
// compiler has.
var genericMicro = &micro{nr: genericNR, lanes: 1,
	byRows:  []microkernel{1: gemmGeneric1, 2: gemmGeneric2, 3: gemmGeneric3, 4: gemmGeneric4},
	gathers: []gatherkernel{1: gatherGeneric1, 2: gatherGeneric2, 3: gatherGeneric3, 4: gatherGeneric4}}

const genericNR = 4

func gemmGeneric1(k int, a *float32, ars, aks int, b *float32, bks int, c *float32, crs, cols, tiles, bts int, alpha float32, bias *float32, flags int) {
	gemmTile(1, k, a, ars, aks, nil, b, bks, c, crs, cols, tiles, bts, alpha, bias, flags)
}

func gemmGeneric2(k int, a *float32, ars, aks int, b *float32, bks int, c *float32, crs, cols, tiles, bts int, alpha float32, bias *float32, flags int) {
	gemmTile(2, k, a, ars, aks, nil, b, bks, c, crs, cols, tiles, bts, alpha, bias, flags)
}

func gemmGeneric3(k int, a *float32, ars, aks int, b *float32, bks int, c *float32, crs, cols, tiles, bts int, alpha float32, bias *float32, flags int) {
	gemmTile(3, k, a, ars, aks, nil, b, bks, c, crs, cols, tiles, bts, alpha, bias, flags)
}

func gemmGeneric4(k int, a *float32, ars, aks int, b *float32, bks int, c *float32, crs, cols, tiles, bts int, alpha float32, bias *float32, flags int) {
	gemmTile(4, k, a, ars, aks, nil, b, bks, c, crs, cols, tiles, bts, alpha, bias, flags)
}

func gatherGeneric1(k int, a *float32, ars int, columns *int32, b *float32, bks int, c *float32, crs, cols, tiles, bts int, alpha float32, bias *float32, flags int) {
	gemmTile(1, k, a, ars, 0, columns, b, bks, c, crs, cols, tiles, bts, alpha, bias, flags)
}

func gatherGeneric2(k int, a *float32, ars int, columns *int32, b *float32, bks int, c *float32, crs, cols, tiles, bts int, alpha float32, bias *float32, flags int) {
	gemmTile(2, k, a, ars, 0, columns, b, bks, c, crs, cols, tiles, bts, alpha, bias, flags)
}

func gatherGeneric3(k int, a *float32, ars int, columns *int32, b *float32, bks int, c *float32, crs, cols, tiles, bts int, alpha float32, bias *float32, flags int) {
	gemmTile(3, k, a, ars, 0, columns, b, bks, c, crs, cols, tiles, bts, alpha, bias, flags)
}

func gatherGeneric4(k int, a *float32, ars int, columns *int32, b *float32, bks int, c *float32, crs, cols, tiles, bts int, alpha float32, bias *float32, flags int) {
	gemmTile(4, k, a, ars, 0, columns, b, bks, c, crs, cols, tiles, bts, alpha, bias, flags)
}

// gemmTile is the microkernel of mr ≤ 4 rows in Go. Without a table columns of A
// are aks apart.
func gemmTile(mr, k int, a *float32, ars, aks int, columns *int32, b *float32, bks int, c *float32, crs, cols, tiles, bts int, alpha float32, bias *float32, flags int) {
	const nr = genericNR
	var as, bs []float32
	var table []int32
	if k > 0 && columns != nil {
		table = unsafe.Slice(columns, k)
		as = unsafe.Slice(a, (mr-1)*ars+int(slices.Max(table))+1)
	} else if k > 0 {
		as = unsafe.Slice(a, (mr-1)*ars+(k-1)*aks+1)
	}
	if k > 0 {
		bs = unsafe.Slice(b, (tiles-1)*bts+(k-1)*bks+nr)
	}
	cs := unsafe.Slice(c, (mr-1)*crs+(tiles-1)*nr+cols)
	var rowBias, colBias []float32
	if flags&flagRowBias != 0 {
		rowBias = unsafe.Slice(bias, mr)
	}
	if flags&flagColBias != 0 {
		colBias = unsafe.Slice(bias, (tiles-1)*nr+cols)
	}
	for t := range tiles {
		for i := range mr {
			var sum [nr]float32
			if table != nil {
				sum = dotGathered(as[i*ars:], table, bs[t*bts:], bks)
			} else if k > 0 {
				sum = dotRow(k, as[i*ars:], aks, bs[t*bts:], bks)
			}
			for j := range cols {
				v := sum[j]
				if flags&flagScale != 0 {
					v *= alpha
				}
				if flags&flagAccumulate != 0 {
					v += cs[i*crs+t*nr+j]
				}
				if flags&flagRowBias != 0 {
					v += rowBias[i]
				}
				if flags&flagColBias != 0 {
					v += colBias[t*nr+j]
				}
				if flags&flagReLU != 0 && v < 0 {
					v = 0
				}
				cs[i*crs+t*nr+j] = v
			}
		}
	}
}

// dotRow is one row of a tile: the products of a row of A with nr columns.
func dotRow(k int, a []float32, aks int, b []float32, bks int) (s [genericNR]float32) {
	var s0, s1, s2, s3 float32
	ia, ib := 0, 0
	for range k {
		v := a[ia]
		w := b[ib : ib+genericNR : ib+genericNR]
		s0 += v * w[0]
		s1 += v * w[1]
		s2 += v * w[2]
		s3 += v * w[3]
		ia += aks
		ib += bks
	}
	return [genericNR]float32{s0, s1, s2, s3}
}

// dotGathered is dotRow with a table of A's columns.
func dotGathered(a []float32, columns []int32, b []float32, bks int) (s [genericNR]float32) {
	for k, o := range columns {
		v := a[o]
		for j, w := range b[k*bks:][:genericNR] {
			s[j] += v * w
		}
	}
	return s
}
