package kernel

// Comparison is a relation of two numbers; none holds with a NaN.
type Comparison uint8

// The relations; the others are these with a and b exchanged.
const (
	Less Comparison = iota
	LessOrEqual
	Equal
)

func (c Comparison) of(a, b float32) bool {
	switch c {
	case Less:
		return a < b
	case LessOrEqual:
		return a <= b
	}
	return a == b
}

// comparisonLoops are the loops of one relation on one instruction set, for
// whole vectors.
type comparisonLoops struct {
	vectors func(dst *uint8, a, b *float32, n int)
	scalar  func(dst *uint8, a *float32, b float32, n int)
	into    func(dst *uint8, a float32, b *float32, n int)
}

// whereLoops are those of choices.
type whereLoops struct {
	vectors func(dst *float32, cond *uint8, a, b *float32, n int)
	scalar  func(dst *float32, cond *uint8, a *float32, b float32, n int)
	into    func(dst *float32, cond *uint8, a float32, b *float32, n int)
	scalars func(dst *float32, cond *uint8, a, b float32, n int)
}

// at is an element of an operand, which is one number or one for each.
func at(x []float32, i int) float32 {
	if len(x) == 1 {
		return x[0]
	}
	return x[i]
}

// from is the operand without its first elements.
func from(x []float32, i int) []float32 {
	if len(x) == 1 {
		return x
	}
	return x[i:]
}

// wholeVectors is how many of n elements go to one call of a loop.
func wholeVectors(n, lanes int) int { return min(n, chunk) &^ (lanes - 1) }

// Compare is dst[i] = a[i] c b[i] as 0 and 1, for all of dst; an operand of
// one element stands for as many as there are.
func (c Comparison) Compare(set ISA, dst []uint8, a, b []float32) {
	loops, lanes := comparisonFor(set, c)
	for loops != nil && len(dst) >= lanes {
		n := wholeVectors(len(dst), lanes)
		switch {
		case len(a) == 1:
			loops.into(&dst[0], a[0], &b[0], n)
		case len(b) == 1:
			loops.scalar(&dst[0], &a[0], b[0], n)
		default:
			loops.vectors(&dst[0], &a[0], &b[0], n)
		}
		dst, a, b = dst[n:], from(a, n), from(b, n)
	}
	for i := range dst {
		dst[i] = uint8(bit(c.of(at(a, i), at(b, i))))
	}
}

// Where is dst[i] = a[i] where cond[i] is not 0, else b[i], for all of dst; an
// operand of one element stands for as many as there are.
func Where(set ISA, dst []float32, cond []uint8, a, b []float32) {
	cond = cond[:len(dst)]
	loops, lanes := whereFor(set)
	for loops != nil && len(dst) >= lanes {
		n := wholeVectors(len(dst), lanes)
		switch {
		case len(a) == 1 && len(b) == 1:
			loops.scalars(&dst[0], &cond[0], a[0], b[0], n)
		case len(a) == 1:
			loops.into(&dst[0], &cond[0], a[0], &b[0], n)
		case len(b) == 1:
			loops.scalar(&dst[0], &cond[0], &a[0], b[0], n)
		default:
			loops.vectors(&dst[0], &cond[0], &a[0], &b[0], n)
		}
		dst, cond, a, b = dst[n:], cond[n:], from(a, n), from(b, n)
	}
	for i, c := range cond {
		if c != 0 {
			dst[i] = at(a, i)
		} else {
			dst[i] = at(b, i)
		}
	}
}
