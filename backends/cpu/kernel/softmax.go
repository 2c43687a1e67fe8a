package kernel

import "math"

// ExpDiff is dst[i] = e^(x[i]-m), and the sum of all.
func ExpDiff(i ISA, dst, x []float32, m float32) float64 {
	x = x[:len(dst)]
	sum := 0.0
	for len(dst) > 0 {
		n := min(len(dst), chunk)
		sum += expDiffLoop(i, dst[:n], x[:n], m)
		dst, x = dst[n:], x[n:]
	}
	return sum
}

func expDiffGo(dst, x []float32, m float32) float64 {
	sum := 0.0
	for j, v := range x {
		e := math.Exp(float64(v) - float64(m))
		dst[j] = float32(e)
		sum += e
	}
	return sum
}

// ExpSum is Σ e^(x[i]-m).
func ExpSum(i ISA, x []float32, m float32) float64 {
	sum := 0.0
	for len(x) > 0 {
		n := min(len(x), chunk)
		sum += expSumLoop(i, x[:n], m)
		x = x[n:]
	}
	return sum
}

func expSumGo(x []float32, m float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - float64(m))
	}
	return sum
}

// Softmax is y[i] = e^(x[i]-m)/s with m the greatest x and s the sum of the
// exponentials; y may be x.
func Softmax(i ISA, y, x []float32) (m float32, s float64) {
	x = x[:len(y)]
	m = FoldMax.Row(i, x)
	s = ExpDiff(i, y, x, m)
	Mul.Scalar(i, y, y, float32(1/s))
	return m, s
}

// LogSoftmax is y[i] = x[i] - m - log Σ e^(x[j]-m) with m the greatest x; y
// may be x.
func LogSoftmax(i ISA, y, x []float32) {
	x = x[:len(y)]
	m := FoldMax.Row(i, x)
	log := math.Log(ExpSum(i, x, m))
	Sub.Scalar(i, y, x, m)
	Sub.Scalar(i, y, y, float32(log))
}

// SoftmaxGrad makes probabilities p of scores s, whose log Σ e^s is lse, and of
// dp, the gradients of the probabilities, those of the scores times scale:
// scale·p·(dp - inner) with inner = Σ p·dp. A score of -∞ takes no part,
// whatever its dp is.
func SoftmaxGrad(i ISA, s, dp []float32, lse, inner, scale float32) {
	dp = dp[:len(s)]
	for len(s) > 0 {
		n := min(len(s), chunk)
		softmaxGradLoop(i, s[:n], dp[:n], lse, inner, scale)
		s, dp = s[n:], dp[n:]
	}
}

func softmaxGradGo(s, dp []float32, lse, inner, scale float32) {
	for j, v := range s {
		s[j] = float32(math.Exp(float64(v) - float64(lse)))
		dp[j] = scale * s[j] * (dp[j] - inner)
		if math.IsInf(float64(v), -1) {
			dp[j] = 0
		}
	}
}

// ColumnSoftmax is n rows of numbers, a step apart, down whose columns a softmax
// goes: of the first Width. Scratch is 3·Width long.
type ColumnSoftmax struct {
	N, Step, Width int
	Scratch        []float32
}

func (c *ColumnSoftmax) row(x []float32, r int) []float32 { return x[r*c.Step:][:c.Width] }

// begin leaves the columns' greatest numbers and the sums of exponentials of
// the differences to them, which go into y if it is given.
func (c *ColumnSoftmax) begin(i ISA, y, x []float32) (m, sum []float32) {
	m, sum, e := c.Scratch[:c.Width], c.Scratch[c.Width:2*c.Width], c.Scratch[2*c.Width:3*c.Width]
	copy(m, x)
	for r := 1; r < c.N; r++ {
		Max.Vectors(i, m, m, c.row(x, r))
	}
	clear(sum)
	for r := range c.N {
		if y != nil {
			e = c.row(y, r)
		}
		Sub.Vectors(i, e, c.row(x, r), m)
		Exp.Map(i, e, e)
		Add.Vectors(i, sum, sum, e)
	}
	return m, sum
}

// Softmax is that of each column; y may be x.
func (c *ColumnSoftmax) Softmax(i ISA, y, x []float32) {
	_, sum := c.begin(i, y, x)
	Reciprocal.Map(i, sum, sum)
	for r := range c.N {
		Mul.Vectors(i, c.row(y, r), c.row(y, r), sum)
	}
}

// LogSoftmax is that of each column; y may be x.
func (c *ColumnSoftmax) LogSoftmax(i ISA, y, x []float32) {
	m, sum := c.begin(i, nil, x)
	Log.Map(i, sum, sum)
	for r := range c.N {
		Sub.Vectors(i, c.row(y, r), c.row(x, r), m)
		Sub.Vectors(i, c.row(y, r), c.row(y, r), sum)
	}
}
