package kernel

import "math"

// Fold is a way to reduce numbers to one.
type Fold uint8

// The folds. Max and min are NaN where an element is.
const (
	FoldSum Fold = iota
	FoldSumAbs
	FoldSumSquares
	FoldMax
	FoldMin
)

// Start is the fold of nothing.
func (f Fold) Start() float32 {
	switch f {
	case FoldMax:
		return float32(math.Inf(-1))
	case FoldMin:
		return float32(math.Inf(1))
	}
	return 0
}

// of is what the fold s becomes by x.
func (f Fold) of(s, x float32) float32 {
	switch f {
	case FoldSumAbs:
		return s + float32(math.Abs(float64(x)))
	case FoldSumSquares:
		return s + x*x
	case FoldMax:
		return max(s, x)
	case FoldMin:
		return min(s, x)
	}
	return s + x
}

// Join is the fold of two parts, from the folds of each.
func (f Fold) Join(s, t float32) float32 {
	if f == FoldMax || f == FoldMin {
		return f.of(s, t)
	}
	return s + t
}

// foldLoops are the loops of one fold on one instruction set. There is none
// for rows where an arithmetic function does it.
type foldLoops struct {
	row  func(x *float32, n int) float32
	rows func(dst, x *float32, n int)
}

// Row is the fold of x, in an order that depends on len(x) alone.
func (f Fold) Row(i ISA, x []float32) float32 {
	l, s := foldFor(i, f), f.Start()
	for len(x) > 0 {
		n := min(len(x), chunk)
		if l != nil {
			s = f.Join(s, l.row(&x[0], n))
		} else {
			s = f.Join(s, f.rowGo(x[:n]))
		}
		x = x[n:]
	}
	return s
}

// rowGo keeps eight folds: one would lose digits, and wait for itself.
func (f Fold) rowGo(x []float32) float32 {
	var s [8]float32
	for j := range s {
		s[j] = f.Start()
	}
	for ; len(x) >= 8; x = x[8:] {
		if f == FoldSum {
			for j := range s {
				s[j] += x[j]
			}
			continue
		}
		for j := range s {
			s[j] = f.of(s[j], x[j])
		}
	}
	for j, v := range x {
		s[j] = f.of(s[j], v)
	}
	return f.Join(f.Join(f.Join(s[0], s[4]), f.Join(s[1], s[5])), f.Join(f.Join(s[2], s[6]), f.Join(s[3], s[7])))
}

// Rows folds each element of x into the one of dst: so does a fold of rows.
func (f Fold) Rows(i ISA, dst, x []float32) {
	x = x[:len(dst)]
	switch f {
	case FoldSum:
		Add.Vectors(i, dst, dst, x)
		return
	case FoldMax:
		Max.Vectors(i, dst, dst, x)
		return
	case FoldMin:
		Min.Vectors(i, dst, dst, x)
		return
	}
	l := foldFor(i, f)
	if l == nil {
		for j, v := range x {
			dst[j] = f.of(dst[j], v)
		}
		return
	}
	for len(dst) > 0 {
		n := min(len(dst), chunk)
		l.rows(&dst[0], &x[0], n)
		dst, x = dst[n:], x[n:]
	}
}
