package graph

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/tensor"
)

var posInf, negInf = math.Inf(1), math.Inf(-1)

// pointwiseOps are the remaining functions of mathematics, element by element:
// extremes, rounding, powers, waves. Rounding and signs are flat where they
// are continuous: like comparisons they have no gradient.
var pointwiseOps = []*Op{
	binary("Max", 13, Numeric, gradMax),
	binary("Min", 13, Numeric, func(b *Builder, c *Call, dy Value) (Value, Value) {
		db, da := gradMax(b, c, dy) // where B is the larger A is the smaller
		return da, db
	}),
	unary("Abs", 13, Numeric, true, 1, func(b *Builder, c *Call, dy Value) Value {
		return b.Op("Mul", nil, dy, b.Op("Sign", nil, c.Input(0)))
	}, nil),
	unary("Sign", 13, Numeric, false, 1, nil, func(b *Builder, c *Call) Value {
		// NaN and zero of either sign pass.
		x, d := c.Input(0), c.In[0].DType
		zero := b.Scalar(d, 0)
		y := b.Op("Where", nil, b.Op("Less", nil, zero, x), b.Scalar(d, 1), x)
		if d == tensor.U8 || d == tensor.U32 {
			return y
		}
		return b.Op("Where", nil, b.Op("Less", nil, x, zero), b.Scalar(d, -1), y)
	}),
	unary("Floor", 13, Floats, true, 1, nil, nil),
	unary("Round", 22, Floats, true, 1, nil, nil),
	unary("Ceil", 13, Floats, false, 1, nil, func(b *Builder, c *Call) Value {
		return b.Op("Neg", nil, b.Op("Floor", nil, b.Op("Neg", nil, c.Input(0))))
	}),
	unary("Reciprocal", 13, Floats, false, 1, func(b *Builder, c *Call, dy Value) Value {
		y := c.Output(0) // -dy·y²
		return b.Op("Neg", nil, b.Op("Mul", nil, dy, b.Op("Mul", nil, y, y)))
	}, func(b *Builder, c *Call) Value {
		return b.Op("Div", nil, b.Scalar(c.In[0].DType, 1), c.Input(0))
	}),
	unary("Sin", 22, Floats, true, 1, func(b *Builder, c *Call, dy Value) Value {
		return b.Op("Mul", nil, dy, b.Op("Cos", nil, c.Input(0)))
	}, nil),
	unary("Cos", 22, Floats, true, 1, func(b *Builder, c *Call, dy Value) Value {
		return b.Op("Neg", nil, b.Op("Mul", nil, dy, b.Op("Sin", nil, c.Input(0))))
	}, nil),
	unary("Erf", 13, Floats, true, 1, func(b *Builder, c *Call, dy Value) Value {
		return b.Op("Mul", nil, dy, b.erfSlope(c.Input(0)))
	}, nil),
	{
		Name: "Pow", Version: 15,
		Inputs:  []Param{{Name: "X", Types: Floats | Indices, Var: "T"}, {Name: "Y", Types: Numeric}},
		Outputs: []Param{{Name: "Z", Types: Floats | Indices, Var: "T"}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			s, err := tensor.Broadcast(c.In[0].Shape, c.In[1].Shape)
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}}, err
		},
		Work:      func(c *Call) int64 { return elements(c.Out[0]) },
		Grad:      gradPow,
		Decompose: func(b *Builder, c *Call) []Value { return []Value{decomposePow(b, c)} },
	},
	{
		Name: "Clip", Version: 13,
		Inputs: []Param{{Name: "input", Types: Numeric, Var: "T"},
			{Name: "min", Types: Numeric, Var: "T", Optional: true}, {Name: "max", Types: Numeric, Var: "T", Optional: true}},
		Outputs: []Param{{Name: "output", Types: Numeric, Var: "T"}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			for i := 1; i < 3; i++ {
				if c.Has(i) && len(c.In[i].Shape) != 0 {
					return nil, fmt.Errorf("input %s is %v: want a single number, of rank 0", c.Op.Inputs[i].Name, c.In[i])
				}
			}
			return c.In[:1], nil
		},
		Work: func(c *Call) int64 { return 2 * elements(c.Out[0]) },
		Grad: gradClip,
		Decompose: func(b *Builder, c *Call) []Value {
			y := c.Input(0)
			if c.Has(1) {
				y = b.Op("Max", nil, y, c.Input(1))
			}
			if c.Has(2) {
				y = b.Op("Min", nil, y, c.Input(2))
			}
			if !c.Has(1) && !c.Has(2) {
				y = b.Op("Identity", nil, y)
			}
			return []Value{y}
		},
	},
	{
		Name: "Identity", Version: 24,
		Inputs:  []Param{{Name: "input", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Infer:   func(c *Call) ([]tensor.Type, error) { return c.In[:1], nil },
		Grad:    func(_ *Builder, _ *Call, dy []Value) []Value { return dy },
		Decompose: func(b *Builder, c *Call) []Value {
			return []Value{b.Op("Reshape", Attrs{"shape": L(c.In[0].Shape...), "allowzero": I(1)}, c.Input(0))}
		},
	},
}

// gradMax gives the gradient to the larger input, and half of it to each of
// two equal ones, as PyTorch does.
func gradMax(b *Builder, c *Call, dy Value) (Value, Value) {
	d := dy.Type.DType
	zero, half := b.Scalar(d, 0), b.Op("Mul", nil, dy, b.Scalar(d, 0.5))
	x, y := c.Input(0), c.Input(1)
	equal := b.Op("Equal", nil, x, y)
	unless := func(smaller, larger Value) Value {
		return b.Op("Where", nil, equal, half, b.Op("Where", nil, b.Op("Less", nil, smaller, larger), zero, dy))
	}
	return unless(x, y), unless(y, x)
}

// erfSlope is 2/√π·exp(-x²), the derivative of Erf.
func (b *Builder) erfSlope(x Value) Value {
	e := b.Op("Exp", nil, b.Op("Neg", nil, b.Op("Mul", nil, x, x)))
	return b.Op("Mul", nil, e, b.Scalar(x.Type.DType, 2/math.SqrtPi))
}

// gradPow: dX = dZ·y·x^(y-1), which is 0 for y = 0 even at x = 0; dY = dZ·z·log x,
// which is taken as 0 at x = 0.
func gradPow(b *Builder, c *Call, dz []Value) []Value {
	if !c.In[0].DType.IsFloat() {
		return []Value{{}, {}}
	}
	d := c.In[0].DType
	x, zero := c.Input(0), b.Scalar(d, 0)
	y := b.Op("Cast", Attrs{"to": S(d.String())}, c.Input(1))
	slope := b.Op("Mul", nil, y, b.Op("Pow", nil, x, b.Op("Sub", nil, y, b.Scalar(d, 1))))
	dx := b.Op("Where", nil, b.Op("Equal", nil, y, zero), zero, b.Op("Mul", nil, dz[0], slope))
	grads := []Value{b.SumTo(dx, c.In[0].Shape), {}}
	if c.In[1].DType.IsFloat() {
		log := b.Op("Where", nil, b.Op("Equal", nil, x, zero), zero, b.Op("Log", nil, x))
		dy := b.SumTo(b.Op("Mul", nil, dz[0], b.Op("Mul", nil, c.Output(0), log)), c.In[1].Shape)
		grads[1] = b.Op("Cast", Attrs{"to": S(c.In[1].DType.String())}, dy)
	}
	return grads
}

// decomposePow computes integers in f64, whose error is far below ½; a power
// with a whole exponent is rounded there.
func decomposePow(b *Builder, c *Call) Value {
	d := c.In[0].DType
	to := func(v Value, d tensor.DType) Value { return b.Op("Cast", Attrs{"to": S(d.String())}, v) }
	if d.IsFloat() {
		return b.power(c.Input(0), to(c.Input(1), d))
	}
	y := to(c.Input(1), tensor.F64)
	z := b.power(to(c.Input(0), tensor.F64), y)
	whole := b.Op("Equal", nil, y, b.Op("Floor", nil, y))
	return to(b.Op("Where", nil, whole, b.Op("Round", nil, z), z), d)
}

// power is exp(y·log|x|) with the sign of odd powers, NaN for a negative x and
// a y that is not whole unless x is infinite, and 1 where x or y alone says so.
func (b *Builder) power(x, y Value) Value {
	d := x.Type.DType
	zero, one := b.Scalar(d, 0), b.Scalar(d, 1)
	size := b.Op("Abs", nil, x)
	z := b.Op("Exp", nil, b.Op("Mul", nil, y, b.Op("Log", nil, size)))
	z = b.Op("Where", nil, b.Op("Equal", nil, size, one), one, z)
	z = b.Op("Where", nil, b.Op("Equal", nil, y, zero), one, z)
	// y is odd where it is whole and its half is not.
	half := b.Op("Mul", nil, y, b.Scalar(d, 0.5))
	whole := b.Op("Equal", nil, y, b.Op("Floor", nil, y))
	even := b.Op("Equal", nil, half, b.Op("Floor", nil, half))
	negative := b.Op("Where", nil, even, z, b.Op("Neg", nil, z))
	broken := b.Op("Where", nil, b.Op("Equal", nil, size, b.Scalar(d, posInf)), z, b.Scalar(d, math.NaN()))
	negative = b.Op("Where", nil, whole, negative, broken)
	return b.Op("Where", nil, b.Op("Less", nil, x, zero), negative, z)
}

// gradClip gives the gradient to x within the bounds, themselves included as
// in PyTorch, and to the bound that is the answer elsewhere.
func gradClip(b *Builder, c *Call, dy []Value) []Value {
	zero := b.Scalar(dy[0].Type.DType, 0)
	grads := []Value{dy[0], {}, {}}
	x := c.Input(0)
	if c.Has(1) {
		low := b.Op("Less", nil, x, c.Input(1))
		grads[1] = b.Op("Where", nil, low, dy[0], zero)
		grads[0] = b.Op("Where", nil, low, zero, dy[0])
		x = b.Op("Max", nil, x, c.Input(1))
	}
	if c.Has(2) {
		high := b.Op("Less", nil, c.Input(2), x)
		grads[2] = b.SumTo(b.Op("Where", nil, high, dy[0], zero), c.In[2].Shape)
		grads[0] = b.Op("Where", nil, high, zero, grads[0])
		if c.Has(1) {
			grads[1] = b.Op("Where", nil, high, zero, grads[1])
		}
	}
	if c.Has(1) {
		grads[1] = b.SumTo(grads[1], c.In[1].Shape)
	}
	return grads
}
