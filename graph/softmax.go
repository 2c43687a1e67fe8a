package graph

import (
	"github.com/clsbench/clsbench/tensor"
)

// softmaxOps are softmax.
var softmaxOps = []*Op{
	{
		Name: "Softmax", Version: 13,
		Inputs:  []Param{{Name: "input", Types: Floats, Var: "T"}},
		Outputs: []Param{{Name: "output", Types: Floats, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "axis", Kind: Int, Default: I(-1)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			_, err := c.Axis("axis")
			return c.In[:1], err
		},
		Work: func(c *Call) int64 { return 5 * elements(c.Out[0]) },
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			// y·(dy - Σ dy·y)
			y := c.Output(0)
			sum := b.Op("ReduceSum", Attrs{"axes": L(c.Int("axis"))}, b.Op("Mul", nil, dy[0], y))
			return []Value{b.Op("Mul", nil, y, b.Op("Sub", nil, dy[0], sum))}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			axes := Attrs{"axes": L(c.Int("axis"))}
			x := c.Input(0)
			e := b.Op("Exp", nil, b.Op("Sub", nil, x, b.Op("ReduceMax", axes, x)))
			return []Value{b.Op("Div", nil, e, b.Op("ReduceSum", axes, e))}
		},
	},
	{
		Name: "LogSoftmax", Version: 13,
		Inputs:  []Param{{Name: "input", Types: Floats, Var: "T"}},
		Outputs: []Param{{Name: "output", Types: Floats, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "axis", Kind: Int, Default: I(-1)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			_, err := c.Axis("axis")
			return c.In[:1], err
		},
		Work: func(c *Call) int64 { return 5 * elements(c.Out[0]) },
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			// dy - exp(y)·Σ dy
			sum := b.Op("ReduceSum", Attrs{"axes": L(c.Int("axis"))}, dy[0])
			return []Value{b.Op("Sub", nil, dy[0], b.Op("Mul", nil, b.Op("Exp", nil, c.Output(0)), sum))}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			axes := Attrs{"axes": L(c.Int("axis"))}
			x := c.Input(0)
			far := b.Op("Sub", nil, x, b.Op("ReduceMax", axes, x))
			return []Value{b.Op("Sub", nil, far, b.Op("Log", nil, b.Op("ReduceSum", axes, b.Op("Exp", nil, far))))}
		},
	},
}
