package cpu

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// function makes a call's function of one element, its attributes bound.
type function func(c *graph.Call) func(x float64) float64

func plain(f func(float64) float64) function {
	return func(*graph.Call) func(float64) float64 { return f }
}

// floatFunctions are those of floats alone, computed in float64 from either
// type, so that f32 is rounded once.
var floatFunctions = map[string]function{
	"Exp": plain(math.Exp), "Log": plain(math.Log), "Sqrt": plain(math.Sqrt), "Tanh": plain(math.Tanh),
	"Sin": plain(math.Sin), "Cos": plain(math.Cos), "Erf": plain(math.Erf),
	"Floor": plain(math.Floor), "Ceil": plain(math.Ceil), "Round": plain(math.RoundToEven),
	"Reciprocal": plain(func(x float64) float64 { return 1 / x }),
	"Sigmoid":    plain(sigmoid),

	"LeakyRelu": func(c *graph.Call) func(float64) float64 {
		alpha := c.Float("alpha")
		return func(x float64) float64 { return leaky(x, alpha) }
	},
	"ThresholdedRelu": func(c *graph.Call) func(float64) float64 {
		alpha := c.Float("alpha")
		return func(x float64) float64 {
			if x <= alpha {
				return 0
			}
			return x
		}
	},
	"Elu": func(c *graph.Call) func(float64) float64 { return exponential(1, c.Float("alpha"), 1) },
	"Selu": func(c *graph.Call) func(float64) float64 {
		return exponential(c.Float("gamma"), c.Float("gamma")*c.Float("alpha"), 1)
	},
	"Celu": func(c *graph.Call) func(float64) float64 { return exponential(1, c.Float("alpha"), c.Float("alpha")) },
	"Gelu": func(c *graph.Call) func(float64) float64 {
		if c.Str("approximate") == "tanh" {
			return geluTanh
		}
		return func(x float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) }
	},
	"HardSigmoid": func(c *graph.Call) func(float64) float64 {
		alpha, beta := c.Float("alpha"), c.Float("beta")
		return func(x float64) float64 { return max(0, min(1, alpha*x+beta)) }
	},
	"HardSwish": plain(func(x float64) float64 { return x * max(0, min(1, x/6+0.5)) }),
	"Swish": func(c *graph.Call) func(float64) float64 {
		alpha := c.Float("alpha")
		return func(x float64) float64 { return x * sigmoid(alpha*x) }
	},
	"Softplus": plain(softplus),
	"Softsign": plain(func(x float64) float64 { return x / (1 + math.Abs(x)) }),
	"Mish":     plain(func(x float64) float64 { return x * math.Tanh(softplus(x)) }),
}

// signFunctions are those of integers too.
var signFunctions = map[string]function{
	"Neg":  plain(signFunction[float64]("Neg")),
	"Relu": plain(signFunction[float64]("Relu")),
	"Abs":  plain(math.Abs),
	"Sign": plain(signFunction[float64]("Sign")),
}

func floatFunction(c *graph.Call) func(float64) float64 {
	if f, ok := floatFunctions[c.Op.Name]; ok {
		return f(c)
	}
	return signFunctions[c.Op.Name](c)
}

// signFunction: NaN stays NaN.
func signFunction[T number](op string) func(T) T {
	switch op {
	case "Relu":
		return func(x T) T { return max(x, 0) }
	case "Abs":
		return func(x T) T { return max(x, -x) }
	case "Sign":
		return func(x T) T {
			switch {
			case x > 0:
				return 1
			case x < 0:
				minus := T(1)
				return -minus
			}
			return x
		}
	}
	return func(x T) T { return -x }
}

func leaky(x, slope float64) float64 {
	if x <= 0 {
		return slope * x
	}
	return x
}

// exponential is right·x above zero and left·(e^(x/width) - 1) below.
func exponential(right, left, width float64) func(float64) float64 {
	return func(x float64) float64 {
		if x <= 0 {
			return left * math.Expm1(x/width)
		}
		return right * x
	}
}

func geluTanh(x float64) float64 {
	const scale, cubic = math.Sqrt2 / math.SqrtPi, 0.044715
	return 0.5 * x * (1 + math.Tanh(scale*(x+cubic*x*x*x)))
}

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// buildPow computes in float64, whole numbers too; what its result drops of a
// fraction lies towards zero.
func buildPow(b *builder, c *graph.Call, in []*value, out *value) ranger {
	bc := newBroadcast(c.Out[0].Shape, c.In[0].Shape, c.In[1].Shape)
	read := func(v *value) func(at int, one []float64) {
		if v.typ.DType.IsFloat() {
			return func(at int, one []float64) { readFloats(v, at, one) }
		}
		return func(at int, one []float64) {
			var whole [1]int64
			readIntegers(v, at, whole[:])
			one[0] = float64(whole[0])
		}
	}
	base, exponent := read(in[0]), read(in[1])
	return func(lo, hi int) {
		var x, y, z [1]float64
		for i := lo; i < hi; i++ {
			base(bc.at(0, i), x[:])
			exponent(bc.at(1, i), y[:])
			z[0] = math.Pow(x[0], y[0])
			writeFloats(out, i, z[:])
		}
	}
}

// buildClip has a single number, or none, for each bound.
func buildClip(_ *builder, c *graph.Call, in []*value, out *value) ranger {
	switch c.In[0].DType {
	case tensor.F32:
		return clipLoop[float32](c, in, out)
	case tensor.F64:
		return clipLoop[float64](c, in, out)
	case tensor.S8:
		return clipLoop[int8](c, in, out)
	case tensor.U8:
		return clipLoop[uint8](c, in, out)
	case tensor.S32:
		return clipLoop[int32](c, in, out)
	case tensor.U32:
		return clipLoop[uint32](c, in, out)
	case tensor.S64:
		return clipLoop[int64](c, in, out)
	}
	return nil
}

func clipLoop[T number](c *graph.Call, in []*value, out *value) ranger {
	return func(lo, hi int) {
		x, y := view[T](in[0])[lo:hi], view[T](out)[lo:hi]
		switch {
		case c.Has(1) && c.Has(2):
			low, high := view[T](in[1])[0], view[T](in[2])[0]
			for i, v := range x {
				y[i] = min(max(v, low), high)
			}
		case c.Has(1):
			low := view[T](in[1])[0]
			for i, v := range x {
				y[i] = max(v, low)
			}
		case c.Has(2):
			high := view[T](in[2])[0]
			for i, v := range x {
				y[i] = min(v, high)
			}
		default:
			copy(y, x)
		}
	}
}
