package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// elementwiseOps are functions of one element of each input, with NumPy's
// broadcasting.
var elementwiseOps = []*Op{
	binary("Add", 14, Numeric, func(b *Builder, c *Call, dy Value) (Value, Value) {
		return dy, dy
	}),
	binary("Sub", 14, Numeric, func(b *Builder, c *Call, dy Value) (Value, Value) {
		return dy, b.Op("Neg", nil, dy)
	}),
	binary("Mul", 14, Numeric, func(b *Builder, c *Call, dy Value) (Value, Value) {
		return b.Op("Mul", nil, dy, c.Input(1)), b.Op("Mul", nil, dy, c.Input(0))
	}),
	binary("Div", 14, Numeric, func(b *Builder, c *Call, dy Value) (Value, Value) {
		da := b.Op("Div", nil, dy, c.Input(1)) // dy/b, and -dy·a/b² = -(dy/b)·y
		return da, b.Op("Neg", nil, b.Op("Mul", nil, da, c.Output(0)))
	}),
	unary("Neg", 13, Numeric, true, 1, func(b *Builder, c *Call, dy Value) Value {
		return b.Op("Neg", nil, dy)
	}, nil),
	unary("Exp", 13, Floats, true, 1, func(b *Builder, c *Call, dy Value) Value {
		return b.Op("Mul", nil, dy, c.Output(0))
	}, nil),
	unary("Log", 13, Floats, true, 1, func(b *Builder, c *Call, dy Value) Value {
		return b.Op("Div", nil, dy, c.Input(0))
	}, nil),
	unary("Sqrt", 13, Floats, true, 1, func(b *Builder, c *Call, dy Value) Value {
		half := b.Op("Mul", nil, dy, b.Scalar(dy.Type.DType, 0.5))
		return b.Op("Div", nil, half, c.Output(0))
	}, nil),
	unary("Tanh", 13, Floats, true, 1, func(b *Builder, c *Call, dy Value) Value {
		// dy·(1 - y²)
		y := c.Output(0)
		return b.Op("Sub", nil, dy, b.Op("Mul", nil, dy, b.Op("Mul", nil, y, y)))
	}, nil),
	unary("Sigmoid", 13, Floats, false, 4, func(b *Builder, c *Call, dy Value) Value {
		// dy·y·(1 - y)
		y := c.Output(0)
		d := b.Op("Mul", nil, dy, y)
		return b.Op("Sub", nil, d, b.Op("Mul", nil, d, y))
	}, func(b *Builder, c *Call) Value {
		// 1/(1 + e^-x); e^-x may overflow to infinity, which gives the right 0.
		one := b.Scalar(c.In[0].DType, 1)
		e := b.Op("Exp", nil, b.Op("Neg", nil, c.Input(0)))
		return b.Op("Div", nil, one, b.Op("Add", nil, one, e))
	}),
	unary("Relu", 14, Numeric, false, 1, func(b *Builder, c *Call, dy Value) Value {
		return b.Op("ReluGrad", nil, dy, c.Output(0))
	}, func(b *Builder, c *Call) Value {
		// A comparison and not a maximum: NaN must stay NaN.
		x, zero := c.Input(0), b.Scalar(c.In[0].DType, 0)
		return b.Op("Where", nil, b.Op("LessOrEqual", nil, x, zero), zero, x)
	}),
	{
		Name: "ReluGrad", Domain: Own, Version: 1,
		Inputs:  []Param{{Name: "dY", Types: Floats, Var: "T"}, {Name: "Y", Types: Floats, Var: "T"}},
		Outputs: []Param{{Name: "dX", Types: Floats, Var: "T"}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			if !c.In[0].Equal(c.In[1]) {
				return nil, fmt.Errorf("dY is %v, Y is %v: want equal types", c.In[0], c.In[1])
			}
			return c.In[:1], nil
		},
		Work: func(c *Call) int64 { return elements(c.Out[0]) },
		Decompose: func(b *Builder, c *Call) []Value {
			zero := b.Scalar(c.In[0].DType, 0)
			return []Value{b.Op("Where", nil, b.Op("LessOrEqual", nil, c.Input(1), zero), zero, c.Input(0))}
		},
	},
	{
		Name: "Where", Version: 16, Core: true,
		Inputs:  []Param{{Name: "condition", Types: Bools}, {Name: "X", Types: Any, Var: "T"}, {Name: "Y", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			s, err := tensor.Broadcast(c.In[1].Shape, c.In[2].Shape)
			if err == nil {
				s, err = tensor.Broadcast(s, c.In[0].Shape)
			}
			return []tensor.Type{{DType: c.In[1].DType, Shape: s}}, err
		},
		Work: func(c *Call) int64 { return elements(c.Out[0]) },
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			zero := b.Scalar(dy[0].Type.DType, 0)
			return []Value{{},
				b.SumTo(b.Op("Where", nil, c.Input(0), dy[0], zero), c.In[1].Shape),
				b.SumTo(b.Op("Where", nil, c.Input(0), zero, dy[0]), c.In[2].Shape)}
		},
	},
	{
		Name: "Cast", Version: 24, Core: true,
		Inputs:  []Param{{Name: "input", Types: Any}},
		Outputs: []Param{{Name: "output", Types: Any}},
		Attrs:   []AttrSpec{{Name: "to", Kind: String, Required: true, OneOf: dtypeNames()}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			d, err := tensor.ParseDType(c.Str("to"))
			return []tensor.Type{{DType: d, Shape: c.In[0].Shape}}, err
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			if !c.In[0].DType.IsFloat() {
				return []Value{{}}
			}
			return []Value{b.Op("Cast", Attrs{"to": S(c.In[0].DType.String())}, dy[0])}
		},
	},
}

func dtypeNames() (names []string) {
	for _, d := range tensor.DTypes() {
		names = append(names, d.String())
	}
	return names
}

func elements(t tensor.Type) int64 { return int64(t.Shape.Elements()) }

// binary is the row of a broadcasting arithmetic op; grad gives the two
// gradients in the output's shape.
func binary(name string, version int, types TypeSet, grad func(*Builder, *Call, Value) (Value, Value)) *Op {
	return &Op{
		Name: name, Version: version, Core: true,
		Inputs:  []Param{{Name: "A", Types: types, Var: "T"}, {Name: "B", Types: types, Var: "T"}},
		Outputs: []Param{{Name: "C", Types: types, Var: "T"}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			s, err := tensor.Broadcast(c.In[0].Shape, c.In[1].Shape)
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}}, err
		},
		Work: func(c *Call) int64 { return elements(c.Out[0]) },
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			da, db := grad(b, c, dy[0])
			return []Value{b.SumTo(da, c.In[0].Shape), b.SumTo(db, c.In[1].Shape)}
		},
	}
}

// unary is the row of a function of one element that costs flops operations.
func unary(name string, version int, types TypeSet, core bool, flops int64,
	grad func(*Builder, *Call, Value) Value, decompose func(*Builder, *Call) Value) *Op {
	op := &Op{
		Name: name, Version: version, Core: core,
		Inputs:  []Param{{Name: "X", Types: types, Var: "T"}},
		Outputs: []Param{{Name: "Y", Types: types, Var: "T"}},
		Infer:   func(c *Call) ([]tensor.Type, error) { return c.In[:1], nil },
		Work:    func(c *Call) int64 { return flops * elements(c.Out[0]) },
	}
	if grad != nil {
		op.Grad = func(b *Builder, c *Call, dy []Value) []Value { return []Value{grad(b, c, dy[0])} }
	}
	if decompose != nil {
		op.Decompose = func(b *Builder, c *Call) []Value { return []Value{decompose(b, c)} }
	}
	return op
}

// SumTo sums v over the axes along which a value of shape s was broadcast to
// v's shape: the adjoint of broadcasting.
func (b *Builder) SumTo(v Value, s tensor.Shape) Value {
	if b.err != nil || v.Name == "" || v.Type.Shape.Equal(s) {
		return v
	}
	lead := len(v.Type.Shape) - len(s)
	var axes []int
	for i, d := range v.Type.Shape {
		if i < lead || (s[i-lead] == 1 && d != 1) {
			axes = append(axes, i)
		}
	}
	if len(axes) > 0 {
		v = b.Op("ReduceSum", Attrs{"axes": L(axes...), "keepdims": I(1)}, v)
	}
	if lead > 0 {
		v = b.Op("Reshape", Attrs{"shape": L(s...), "allowzero": I(1)}, v)
	}
	return v
}
