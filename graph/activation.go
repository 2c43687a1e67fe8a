package graph

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// activationOps are functions of one element that networks are made of, beside
// Relu, Sigmoid and Tanh. At a kink their derivative is that from the left, as
// in PyTorch.
var activationOps = []*Op{
	activation("LeakyRelu", 16, 2, []AttrSpec{floatAttr("alpha", 0.01)}, func(b *Builder, c *Call) Value {
		return b.Op("Where", nil, b.belowOrAt(c.Input(0), 0), b.alpha(c), b.Scalar(c.In[0].DType, 1))
	}, func(b *Builder, c *Call) Value {
		x := c.Input(0)
		return b.Op("Where", nil, b.belowOrAt(x, 0), b.Op("Mul", nil, x, b.alpha(c)), x)
	}),
	{
		Name: "PRelu", Version: 16,
		Inputs:  []Param{{Name: "X", Types: Floats, Var: "T"}, {Name: "slope", Types: Floats, Var: "T"}},
		Outputs: []Param{{Name: "Y", Types: Floats, Var: "T"}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			s, err := tensor.Broadcast(c.In[0].Shape, c.In[1].Shape)
			if err != nil || !s.Equal(c.In[0].Shape) {
				return nil, fmt.Errorf("slope is %v: it does not stretch to X, which is %v", c.In[1], c.In[0])
			}
			return c.In[:1], nil
		},
		Work: func(c *Call) int64 { return elements(c.Out[0]) },
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			x := c.Input(0)
			below, zero := b.belowOrAt(x, 0), b.Scalar(x.Type.DType, 0)
			dx := b.Op("Where", nil, below, b.Op("Mul", nil, dy[0], c.Input(1)), dy[0])
			dslope := b.Op("Where", nil, below, b.Op("Mul", nil, dy[0], x), zero)
			return []Value{dx, b.SumTo(dslope, c.In[1].Shape)}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			x := c.Input(0)
			return []Value{b.Op("Where", nil, b.belowOrAt(x, 0), b.Op("Mul", nil, x, c.Input(1)), x)}
		},
	},
	activation("ThresholdedRelu", 22, 1, []AttrSpec{floatAttr("alpha", 1)}, func(b *Builder, c *Call) Value {
		d := c.In[0].DType
		return b.Op("Where", nil, b.Op("LessOrEqual", nil, c.Input(0), b.alpha(c)), b.Scalar(d, 0), b.Scalar(d, 1))
	}, func(b *Builder, c *Call) Value {
		return b.Op("Where", nil, b.Op("LessOrEqual", nil, c.Input(0), b.alpha(c)), b.Scalar(c.In[0].DType, 0), c.Input(0))
	}),
	exponential("Elu", 22, []AttrSpec{floatAttr("alpha", 1)}, func(c *Call) (float64, float64, float64) {
		return 1, c.Float("alpha"), 1
	}),
	exponential("Selu", 22, []AttrSpec{floatAttr("alpha", 1.67326319217681884765625), floatAttr("gamma", 1.05070102214813232421875)}, func(c *Call) (float64, float64, float64) {
		return c.Float("gamma"), c.Float("gamma") * c.Float("alpha"), 1
	}),
	exponential("Celu", 12, []AttrSpec{floatAttr("alpha", 1)}, func(c *Call) (float64, float64, float64) {
		return 1, c.Float("alpha"), c.Float("alpha")
	}),
	activation("Gelu", 20, 8, []AttrSpec{{Name: "approximate", Kind: String, Default: S("none"), OneOf: []string{"none", "tanh"}}}, slopeGelu, formulaGelu),
	activation("HardSigmoid", 22, 4, []AttrSpec{floatAttr("alpha", 0.2), floatAttr("beta", 0.5)}, func(b *Builder, c *Call) Value {
		d := c.In[0].DType
		return b.Op("Where", nil, b.inside(b.line(c.Input(0), c.Float("alpha"), c.Float("beta"))), b.alpha(c), b.Scalar(d, 0))
	}, func(b *Builder, c *Call) Value {
		return b.clamp(b.line(c.Input(0), c.Float("alpha"), c.Float("beta")))
	}),
	activation("HardSwish", 22, 5, nil, func(b *Builder, c *Call) Value {
		// 0 up to -3, x/3 + ½ between, 1 from 3 on.
		d, x := c.In[0].DType, c.Input(0)
		y := b.Op("Where", nil, b.belowOrAt(x, 3), b.line(x, 1.0/3, 0.5), b.Scalar(d, 1))
		return b.Op("Where", nil, b.belowOrAt(x, -3), b.Scalar(d, 0), y)
	}, func(b *Builder, c *Call) Value {
		return b.Op("Mul", nil, c.Input(0), b.clamp(b.line(c.Input(0), 1.0/6, 0.5)))
	}),
	activation("Swish", 24, 6, []AttrSpec{floatAttr("alpha", 1)}, func(b *Builder, c *Call) Value {
		// s + αx·s·(1 - s), with s = sigmoid(αx)
		ax := b.Op("Mul", nil, c.Input(0), b.alpha(c))
		s := b.Op("Sigmoid", nil, ax)
		return b.Op("Add", nil, s, b.Op("Mul", nil, ax, b.Op("Mul", nil, s, b.complement(s))))
	}, func(b *Builder, c *Call) Value {
		return b.Op("Mul", nil, c.Input(0), b.Op("Sigmoid", nil, b.Op("Mul", nil, c.Input(0), b.alpha(c))))
	}),
	activation("Softplus", 22, 4, nil, func(b *Builder, c *Call) Value {
		return b.Op("Sigmoid", nil, c.Input(0))
	}, func(b *Builder, c *Call) Value {
		// max(x, 0) + log(1 + e^-|x|): no exponential overflows.
		d, x := c.In[0].DType, c.Input(0)
		e := b.Op("Exp", nil, b.Op("Neg", nil, b.Op("Abs", nil, x)))
		return b.Op("Add", nil, b.Op("Max", nil, x, b.Scalar(d, 0)), b.Op("Log", nil, b.Op("Add", nil, e, b.Scalar(d, 1))))
	}),
	activation("Softsign", 22, 3, nil, func(b *Builder, c *Call) Value {
		r := b.Op("Reciprocal", nil, b.line(b.Op("Abs", nil, c.Input(0)), 1, 1))
		return b.Op("Mul", nil, r, r)
	}, func(b *Builder, c *Call) Value {
		return b.Op("Div", nil, c.Input(0), b.line(b.Op("Abs", nil, c.Input(0)), 1, 1))
	}),
	activation("Mish", 22, 8, nil, func(b *Builder, c *Call) Value {
		// t + x·(1 - t²)·sigmoid(x), with t = tanh(softplus(x))
		x := c.Input(0)
		t := b.Op("Tanh", nil, b.Op("Softplus", nil, x))
		s := b.Op("Mul", nil, b.complement(b.Op("Mul", nil, t, t)), b.Op("Sigmoid", nil, x))
		return b.Op("Add", nil, t, b.Op("Mul", nil, x, s))
	}, func(b *Builder, c *Call) Value {
		return b.Op("Mul", nil, c.Input(0), b.Op("Tanh", nil, b.Op("Softplus", nil, c.Input(0))))
	}),
}

// activation is the row of a function of one element with its derivative:
// dX = dY·slope.
func activation(name string, version int, flops int64, attrs []AttrSpec, slope, formula func(*Builder, *Call) Value) *Op {
	op := unary(name, version, Floats, false, flops, func(b *Builder, c *Call, dy Value) Value {
		return b.Op("Mul", nil, dy, slope(b, c))
	}, formula)
	op.Attrs = attrs
	return op
}

// exponential is the row of a function that is right·x above zero and
// left·(e^(x/width) - 1) below.
func exponential(name string, version int, attrs []AttrSpec, constants func(c *Call) (right, left, width float64)) *Op {
	// Above zero the exponential, which may overflow, is that of 0.
	power := func(b *Builder, c *Call, width float64) Value {
		x, d := c.Input(0), c.In[0].DType
		return b.Op("Exp", nil, b.Op("Div", nil, b.Op("Min", nil, x, b.Scalar(d, 0)), b.Scalar(d, width)))
	}
	return activation(name, version, 4, attrs, func(b *Builder, c *Call) Value {
		d := c.In[0].DType
		right, left, width := constants(c)
		below := b.Op("Mul", nil, power(b, c, width), b.Scalar(d, left/width))
		return b.Op("Where", nil, b.belowOrAt(c.Input(0), 0), below, b.Scalar(d, right))
	}, func(b *Builder, c *Call) Value {
		d, x := c.In[0].DType, c.Input(0)
		right, left, width := constants(c)
		below := b.Op("Mul", nil, b.Op("Sub", nil, power(b, c, width), b.Scalar(d, 1)), b.Scalar(d, left))
		return b.Op("Where", nil, b.belowOrAt(x, 0), below, b.Op("Mul", nil, x, b.Scalar(d, right)))
	})
}

// The constants of the approximation by tanh.
const (
	geluScale = math.Sqrt2 / math.SqrtPi // √(2/π)
	geluCubic = 0.044715
)

func formulaGelu(b *Builder, c *Call) Value {
	half := b.Op("Mul", nil, c.Input(0), b.Scalar(c.In[0].DType, 0.5))
	return b.Op("Mul", nil, half, b.line(geluGate(b, c), 1, 1))
}

// geluGate runs from -1 to 1: erf(x/√2), or tanh(√(2/π)·(x + 0.044715·x³)).
func geluGate(b *Builder, c *Call) Value {
	x, d := c.Input(0), c.In[0].DType
	if c.Str("approximate") == "none" {
		return b.Op("Erf", nil, b.Op("Mul", nil, x, b.Scalar(d, math.Sqrt2/2)))
	}
	cubic := b.line(b.Op("Mul", nil, x, x), geluScale*geluCubic, geluScale)
	return b.Op("Tanh", nil, b.Op("Mul", nil, x, cubic))
}

// slopeGelu is ½·(1 + g) + ½·x·g′ of the gate g.
func slopeGelu(b *Builder, c *Call) Value {
	x, d := c.Input(0), c.In[0].DType
	g, square := geluGate(b, c), b.Op("Mul", nil, x, x)
	var rise Value // ½·g′
	if c.Str("approximate") == "none" {
		e := b.Op("Exp", nil, b.Op("Mul", nil, square, b.Scalar(d, -0.5)))
		rise = b.Op("Mul", nil, e, b.Scalar(d, math.Sqrt2/2/math.SqrtPi))
	} else {
		inner := b.line(square, 1.5*geluScale*geluCubic, 0.5*geluScale)
		rise = b.Op("Mul", nil, b.complement(b.Op("Mul", nil, g, g)), inner)
	}
	return b.Op("Add", nil, b.line(g, 0.5, 0.5), b.Op("Mul", nil, x, rise))
}

func floatAttr(name string, v float64) AttrSpec {
	return AttrSpec{Name: name, Kind: Float, Default: F(v)}
}

// alpha is the attribute of that name as a constant of the first input's type.
func (b *Builder) alpha(c *Call) Value { return b.Scalar(c.In[0].DType, c.Float("alpha")) }

// line is scale·x + offset.
func (b *Builder) line(x Value, scale, offset float64) Value {
	d := x.Type.DType
	if scale != 1 {
		x = b.Op("Mul", nil, x, b.Scalar(d, scale))
	}
	return b.Op("Add", nil, x, b.Scalar(d, offset))
}

// complement is 1 - x.
func (b *Builder) complement(x Value) Value {
	return b.Op("Sub", nil, b.Scalar(x.Type.DType, 1), x)
}

// clamp holds x between 0 and 1.
func (b *Builder) clamp(x Value) Value {
	d := x.Type.DType
	return b.Op("Min", nil, b.Op("Max", nil, x, b.Scalar(d, 0)), b.Scalar(d, 1))
}

// belowOrAt tells where x ≤ v; not where x is NaN.
func (b *Builder) belowOrAt(x Value, v float64) Value {
	return b.Op("LessOrEqual", nil, x, b.Scalar(x.Type.DType, v))
}

// inside tells where 0 < x < 1.
func (b *Builder) inside(x Value) Value {
	d := x.Type.DType
	return b.Op("And", nil, b.Op("Less", nil, b.Scalar(d, 0), x), b.Op("Less", nil, x, b.Scalar(d, 1)))
}
