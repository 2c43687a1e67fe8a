package cpu

import (
	"math"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// fixed is a function without attributes.
func fixed(f *kernel.Function) func(*graph.Call) *kernel.Function {
	return func(*graph.Call) *kernel.Function { return f }
}

// floatFunctions are those of floats alone, with the call's attributes bound.
var floatFunctions = map[string]func(c *graph.Call) *kernel.Function{
	"Exp": fixed(kernel.Exp), "Log": fixed(kernel.Log), "Sqrt": fixed(kernel.Sqrt), "Tanh": fixed(kernel.Tanh),
	"Sin": fixed(kernel.Sin), "Cos": fixed(kernel.Cos), "Erf": fixed(kernel.Erf), "Sigmoid": fixed(kernel.Sigmoid),
	"Floor": fixed(kernel.Floor), "Ceil": fixed(kernel.Ceil), "Round": fixed(kernel.Round), "Reciprocal": fixed(kernel.Reciprocal),
	"HardSwish": fixed(kernel.HardSwish), "Softplus": fixed(kernel.Softplus), "Softsign": fixed(kernel.Softsign), "Mish": fixed(kernel.Mish),

	"LeakyRelu": func(c *graph.Call) *kernel.Function { return kernel.LeakyReLU(c.Float("alpha")) },
	"ThresholdedRelu": func(c *graph.Call) *kernel.Function {
		alpha := c.Float("alpha")
		return &kernel.Function{Of: func(x float64) float64 {
			if x <= alpha {
				return 0
			}
			return x
		}}
	},
	"Elu": func(c *graph.Call) *kernel.Function { return kernel.Exponential(1, c.Float("alpha"), 1) },
	"Selu": func(c *graph.Call) *kernel.Function {
		return kernel.Exponential(c.Float("gamma"), c.Float("gamma")*c.Float("alpha"), 1)
	},
	"Celu": func(c *graph.Call) *kernel.Function { return kernel.Exponential(1, c.Float("alpha"), c.Float("alpha")) },
	"Gelu": func(c *graph.Call) *kernel.Function {
		if c.Str("approximate") == "tanh" {
			return kernel.GELUTanh
		}
		return kernel.GELU
	},
	"HardSigmoid": func(c *graph.Call) *kernel.Function { return kernel.HardSigmoid(c.Float("alpha"), c.Float("beta")) },
	"Swish":       func(c *graph.Call) *kernel.Function { return kernel.Swish(c.Float("alpha")) },
}

// signFunctions are those of integers too.
var signFunctions = map[string]*kernel.Function{
	"Neg":  {Of: signFunction[float64]("Neg")},
	"Relu": {Of: signFunction[float64]("Relu")},
	"Abs":  kernel.Abs,
	"Sign": {Of: signFunction[float64]("Sign")},
}

func floatFunction(c *graph.Call) *kernel.Function {
	if f, ok := floatFunctions[c.Op.Name]; ok {
		return f(c)
	}
	return signFunctions[c.Op.Name]
}

// signFunction: NaN stays NaN.
func signFunction[T number](op string) func(T) T {
	switch op {
	case "Relu":
		return func(x T) T { return max(x, 0) }
	case "Abs":
		return func(x T) T { // unsigned integers have no negative: −x of them is another number
			if x < 0 {
				return -x
			}
			return x
		}
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

// buildPow computes in float64, whole numbers too; what its result drops of a
// fraction lies towards zero.
func buildPow(b *builder, c *graph.Call, in []*value, out *value) ranger {
	bc := newBroadcast(c.Out[0].Shape, c.In[0].Shape, c.In[1].Shape)
	return func(lo, hi int) {
		var x, y, z [1]float64
		for i := lo; i < hi; i++ {
			readNumbers(in[0], bc.at(0, i), x[:])
			readNumbers(in[1], bc.at(1, i), y[:])
			z[0] = math.Pow(x[0], y[0])
			writeFloats(out, i, z[:])
		}
	}
}

// buildClip has a single number, or none, for each bound.
func buildClip(b *builder, c *graph.Call, in []*value, out *value) ranger {
	if c.In[0].DType == tensor.F32 {
		return clipF32(b.isa, c, in, out)
	}
	return loopsOf[c.In[0].DType].clip(c, in, out)
}

func clipF32(set kernel.ISA, c *graph.Call, in []*value, out *value) ranger {
	return func(lo, hi int) {
		x, y := in[0].f32()[lo:hi], out.f32()[lo:hi]
		if c.Has(1) {
			kernel.Max.Scalar(set, y, x, in[1].f32()[0])
			x = y
		}
		if c.Has(2) {
			kernel.Min.Scalar(set, y, x, in[2].f32()[0])
		} else if !c.Has(1) {
			copy(y, x)
		}
	}
}

func (of[T]) clip(c *graph.Call, in []*value, out *value) ranger {
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
