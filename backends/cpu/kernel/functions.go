package kernel

import "math"

// Function is a function of one number. Of is what it is, in float64; Map
// computes it for f32, by vectors where there is a loop for it.
type Function struct {
	Of   func(x float64) float64
	loop functionLoop
	p    [3]float32 // the loop's parameters
}

// functionLoop numbers the loops over vectors.
type functionLoop uint8

const (
	noLoop functionLoop = iota
	expLoop
	logLoop
	tanhLoop
	sigmoidLoop
	erfLoop
	geluLoop
	geluTanhLoop
	swishLoop
	softplusLoop
	mishLoop
	exponentialLoop
	leakyReLULoop
	hardSigmoidLoop
	hardSwishLoop
	softsignLoop
	absLoop
	reciprocalLoop
	sqrtLoop
	roundLoop
	floorLoop
	ceilLoop
	functionLoops
)

// vectorLoop maps n elements of x to dst, which may be x; p is its parameters.
type vectorLoop func(dst, x *float32, n int, p *float32)

// Map is dst[i] = f(x[i]) for all of dst. Without a loop over vectors it is
// rounded once from float64.
func (f *Function) Map(i ISA, dst, x []float32) {
	x = x[:len(dst)]
	loop := functionFor(i, f.loop)
	if loop == nil {
		for j, v := range x {
			dst[j] = float32(f.Of(float64(v)))
		}
		return
	}
	for len(dst) > 0 {
		n := min(len(dst), chunk)
		loop(&dst[0], &x[0], n, &f.p[0])
		dst, x = dst[n:], x[n:]
	}
}

// Functions without parameters.
var (
	Exp        = &Function{Of: math.Exp, loop: expLoop}
	Log        = &Function{Of: math.Log, loop: logLoop}
	Tanh       = &Function{Of: math.Tanh, loop: tanhLoop}
	Erf        = &Function{Of: math.Erf, loop: erfLoop}
	Sigmoid    = &Function{Of: sigmoid, loop: sigmoidLoop}
	GELU       = &Function{Of: func(x float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) }, loop: geluLoop}
	GELUTanh   = &Function{Of: geluTanh, loop: geluTanhLoop}
	Softplus   = &Function{Of: softplus, loop: softplusLoop}
	Mish       = &Function{Of: func(x float64) float64 { return x * math.Tanh(softplus(x)) }, loop: mishLoop}
	HardSwish  = &Function{Of: func(x float64) float64 { return x * max(0, min(1, x/6+0.5)) }, loop: hardSwishLoop}
	Softsign   = &Function{Of: func(x float64) float64 { return x / (1 + math.Abs(x)) }, loop: softsignLoop}
	Abs        = &Function{Of: math.Abs, loop: absLoop}
	Reciprocal = &Function{Of: func(x float64) float64 { return 1 / x }, loop: reciprocalLoop}
	Sqrt       = &Function{Of: math.Sqrt, loop: sqrtLoop}
	Round      = &Function{Of: math.RoundToEven, loop: roundLoop}
	Floor      = &Function{Of: math.Floor, loop: floorLoop}
	Ceil       = &Function{Of: math.Ceil, loop: ceilLoop}
	Sin        = &Function{Of: math.Sin}
	Cos        = &Function{Of: math.Cos}
)

// Swish is x·sigmoid(alpha·x).
func Swish(alpha float64) *Function {
	return &Function{
		Of:   func(x float64) float64 { return x * sigmoid(alpha*x) },
		loop: swishLoop, p: [3]float32{float32(alpha)},
	}
}

// Exponential is right·x above zero and left·(e^(x/width) - 1) below: Elu,
// Selu and Celu.
func Exponential(right, left, width float64) *Function {
	f := &Function{Of: func(x float64) float64 {
		if x <= 0 {
			return left * math.Expm1(x/width)
		}
		return right * x
	}}
	if width > 0 { // the exponential is at most 1
		f.loop, f.p = exponentialLoop, [3]float32{float32(right), float32(left), float32(1 / width)}
	}
	return f
}

// LeakyReLU is slope·x up to zero and x above.
func LeakyReLU(slope float64) *Function {
	return &Function{Of: func(x float64) float64 {
		if x <= 0 {
			return slope * x
		}
		return x
	}, loop: leakyReLULoop, p: [3]float32{float32(slope)}}
}

// HardSigmoid is slope·x + offset, held between 0 and 1.
func HardSigmoid(slope, offset float64) *Function {
	return &Function{
		Of:   func(x float64) float64 { return max(0, min(1, slope*x+offset)) },
		loop: hardSigmoidLoop, p: [3]float32{float32(slope), float32(offset)},
	}
}

func geluTanh(x float64) float64 {
	const scale, cubic = math.Sqrt2 / math.SqrtPi, 0.044715
	return 0.5 * x * (1 + math.Tanh(scale*(x+cubic*x*x*x)))
}

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
