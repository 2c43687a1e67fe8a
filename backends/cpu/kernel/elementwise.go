package kernel

// chunk is how many elements one call of an assembly loop gets: it can't be
// preempted, and so many take some 10 µs from memory.
const chunk = 1 << 14

// Arith is an arithmetic function of two numbers.
type Arith uint8

// The functions; Sub is a-b, Div is a/b. Max and Min are NaN where either
// number is; which zero they give of two is open. PReLU is a, times b up to
// zero.
const (
	Add Arith = iota
	Sub
	Mul
	Div
	Max
	Min
	PReLU
)

func (op Arith) of(a, b float32) float32 {
	switch op {
	case Add:
		return a + b
	case Sub:
		return a - b
	case Mul:
		return a * b
	case Max:
		return max(a, b)
	case Min:
		return min(a, b)
	case PReLU:
		if a <= 0 {
			return a * b
		}
		return a
	}
	return a / b
}

// arithLoops are the loops of one function on one instruction set.
type arithLoops struct {
	vectors func(dst, a, b *float32, n int)
	scalar  func(dst, a *float32, b float32, n int)
	into    func(dst, b *float32, a float32, n int) // a op b[i]
}

// Vectors is dst[i] = a[i] op b[i] for all of dst.
func (op Arith) Vectors(i ISA, dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	if l := arithFor(i, op); l != nil {
		for len(dst) > 0 {
			n := min(len(dst), chunk)
			l.vectors(&dst[0], &a[0], &b[0], n)
			dst, a, b = dst[n:], a[n:], b[n:]
		}
		return
	}
	switch op {
	case Add:
		for j := range dst {
			dst[j] = a[j] + b[j]
		}
	case Mul:
		for j := range dst {
			dst[j] = a[j] * b[j]
		}
	default:
		for j := range dst {
			dst[j] = op.of(a[j], b[j])
		}
	}
}

// Scalar is dst[i] = a[i] op b for all of dst.
func (op Arith) Scalar(i ISA, dst, a []float32, b float32) {
	a = a[:len(dst)]
	if l := arithFor(i, op); l != nil {
		for len(dst) > 0 {
			n := min(len(dst), chunk)
			l.scalar(&dst[0], &a[0], b, n)
			dst, a = dst[n:], a[n:]
		}
		return
	}
	for j := range dst {
		dst[j] = op.of(a[j], b)
	}
}

// Into is dst[i] = a op b[i] for all of dst.
func (op Arith) Into(i ISA, dst []float32, a float32, b []float32) {
	b = b[:len(dst)]
	if l := arithFor(i, op); l != nil {
		for len(dst) > 0 {
			n := min(len(dst), chunk)
			l.into(&dst[0], &b[0], a, n)
			dst, b = dst[n:], b[n:]
		}
		return
	}
	for j := range dst {
		dst[j] = op.of(a, b[j])
	}
}

// ReLU is dst[i] = max(x[i], 0), NaN where x is.
func ReLU(i ISA, dst, x []float32) {
	x = x[:len(dst)]
	for len(dst) > 0 {
		n := min(len(dst), chunk)
		reluLoop(i, dst[:n], x[:n])
		dst, x = dst[n:], x[n:]
	}
}

func reluGo(dst, x []float32) {
	for j, v := range x {
		if v < 0 {
			v = 0
		}
		dst[j] = v
	}
}

// ReLUGrad is dx[i] = dy[i] where y[i] is above zero or NaN, else 0; y is the
// output of the ReLU.
func ReLUGrad(i ISA, dx, dy, y []float32) {
	dy, y = dy[:len(dx)], y[:len(dx)]
	for len(dx) > 0 {
		n := min(len(dx), chunk)
		reluGradLoop(i, dx[:n], dy[:n], y[:n])
		dx, dy, y = dx[n:], dy[n:], y[n:]
	}
}

func reluGradGo(dx, dy, y []float32) {
	for j, v := range y {
		d := dy[j]
		if v <= 0 {
			d = 0
		}
		dx[j] = d
	}
}
