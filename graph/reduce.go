package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// reduceOps fold axes away. Empty axes mean all of them.
var reduceOps = []*Op{
	reduction("ReduceSum", 13, Numeric, true, func(b *Builder, c *Call, dy Value) Value {
		return b.Op("Expand", Attrs{"shape": L(c.In[0].Shape...)}, dy)
	}, nil),
	reduction("ReduceMax", 20, Numeric|Bools, true, gradExtreme, nil),
	reduction("ReduceMean", 18, Numeric, false, func(b *Builder, c *Call, dy Value) Value {
		n := float64(elements(c.In[0])) / float64(elements(c.Out[0]))
		dy = b.Op("Div", nil, dy, b.Scalar(dy.Type.DType, n))
		return b.Op("Expand", Attrs{"shape": L(c.In[0].Shape...)}, dy)
	}, func(b *Builder, c *Call) Value {
		n := float64(elements(c.In[0])) / float64(elements(c.Out[0]))
		x, d := c.Input(0), c.In[0].DType
		if d.IsFloat() {
			return b.Op("Div", nil, b.Op("ReduceSum", c.Attrs, x), b.Scalar(d, n))
		}
		// The mean of integers is one of their type, but the sum may not be.
		sum := b.Op("ReduceSum", c.Attrs, b.cast(x, tensor.S64))
		return b.cast(b.Op("Div", nil, sum, b.Scalar(tensor.S64, n)), d)
	}),
	reduction("ReduceMin", 20, Numeric|Bools, false, gradExtreme, decomposeReduceMin),
	reduction("ReduceProd", 18, Numeric, false, gradReduceProd, decomposeReduceProd),
	// Σ|x|
	reduction("ReduceL1", 18, Numeric, false, func(b *Builder, c *Call, dy Value) Value {
		return b.Op("Mul", nil, dy, b.Op("Sign", nil, c.Input(0)))
	}, func(b *Builder, c *Call) Value {
		return b.Op("ReduceSum", c.Attrs, b.Op("Abs", nil, c.Input(0)))
	}),
	// √Σx²; its gradient is 0 at 0, a subgradient there, as in PyTorch.
	reduction("ReduceL2", 18, Floats, false, func(b *Builder, c *Call, dy Value) Value {
		x, y := c.Input(0), b.kept(c)
		zero := b.Scalar(x.Type.DType, 0)
		return b.Op("Mul", nil, dy, b.Op("Where", nil, b.Op("Equal", nil, y, zero), zero, b.Op("Div", nil, x, y)))
	}, func(b *Builder, c *Call) Value {
		return b.Op("Sqrt", nil, b.Op("ReduceSum", c.Attrs, b.Op("Mul", nil, c.Input(0), c.Input(0))))
	}),
	// log Σx
	reduction("ReduceLogSum", 18, Floats, false, func(b *Builder, c *Call, dy Value) Value {
		sum := b.Op("ReduceSum", Attrs{"axes": L(c.Ints("axes")...)}, c.Input(0))
		return b.Op("Expand", Attrs{"shape": L(c.In[0].Shape...)}, b.Op("Div", nil, dy, sum))
	}, func(b *Builder, c *Call) Value {
		return b.Op("Log", nil, b.Op("ReduceSum", c.Attrs, c.Input(0)))
	}),
	// log Σexp(x)
	reduction("ReduceLogSumExp", 18, Floats, false, func(b *Builder, c *Call, dy Value) Value {
		return b.Op("Mul", nil, dy, b.Op("Exp", nil, b.Op("Sub", nil, c.Input(0), b.kept(c))))
	}, decomposeLogSumExp),
	reduction("ReduceSumSquare", 18, Numeric, false, func(b *Builder, c *Call, dy Value) Value {
		return b.Op("Mul", nil, dy, b.Op("Mul", nil, c.Input(0), b.Scalar(dy.Type.DType, 2)))
	}, func(b *Builder, c *Call) Value {
		return b.Op("ReduceSum", c.Attrs, b.Op("Mul", nil, c.Input(0), c.Input(0)))
	}),
}

// reduction is the row of a reduction; grad gets dy with the folded axes kept
// as 1.
func reduction(name string, version int, types TypeSet, core bool,
	grad func(*Builder, *Call, Value) Value, decompose func(*Builder, *Call) Value) *Op {
	op := &Op{
		Name: name, Version: version, Core: core,
		Inputs:  []Param{{Name: "data", Types: types, Var: "T"}},
		Outputs: []Param{{Name: "reduced", Types: types, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "axes", Kind: IntList}, {Name: "keepdims", Kind: Int, Default: I(1)}},
		Folded:  []string{"axes"},
		Infer: func(c *Call) ([]tensor.Type, error) {
			axes, err := c.Axes("axes")
			if err != nil {
				return nil, err
			}
			if name == "ReduceMean" && elements(c.In[0]) == 0 {
				return nil, limited("input is empty: the mean of nothing has no value")
			}
			return []tensor.Type{{DType: c.In[0].DType, Shape: reducedShape(c.In[0].Shape, axes, c.Int("keepdims") != 0)}}, nil
		},
		Work: func(c *Call) int64 { return elements(c.In[0]) },
	}
	if grad != nil {
		op.Grad = func(b *Builder, c *Call, dy []Value) []Value {
			return []Value{grad(b, c, b.reshape(dy[0], c.keptShape()...))}
		}
	}
	if decompose != nil {
		op.Decompose = func(b *Builder, c *Call) []Value { return []Value{decompose(b, c)} }
	}
	return op
}

// keptShape is the shape of a reduction's output with the folded axes as 1.
func (c *Call) keptShape() tensor.Shape {
	axes, err := c.Axes("axes")
	if err != nil {
		panic("graph: " + err.Error()) // Infer has read them
	}
	return reducedShape(c.In[0].Shape, axes, true)
}

// kept is a reduction's output with the folded axes as 1.
func (b *Builder) kept(c *Call) Value { return b.reshape(c.Output(0), c.keptShape()...) }

// gradExtreme deals the gradient of a maximum or minimum out to all elements
// that have it, in equal parts (as PyTorch's amax does).
func gradExtreme(b *Builder, c *Call, dy Value) Value {
	d := Attrs{"to": S(dy.Type.DType.String())}
	has := b.Op("Cast", d, b.Op("Equal", nil, c.Input(0), b.kept(c)))
	count := b.Op("ReduceSum", Attrs{"axes": L(c.Ints("axes")...)}, has)
	return b.Op("Mul", nil, has, b.Op("Div", nil, dy, count))
}

// decomposeReduceMin is the maximum of what is ordered the other way round.
func decomposeReduceMin(b *Builder, c *Call) Value {
	x := c.Input(0)
	if x.Type.DType != tensor.Bool {
		return b.flipped(b.Op("ReduceMax", c.Attrs, b.flipped(x)))
	}
	x = b.Op("Cast", Attrs{"to": S(tensor.U8.String())}, x)
	y := b.flipped(b.Op("ReduceMax", c.Attrs, b.flipped(x)))
	return b.Op("Cast", Attrs{"to": S(tensor.Bool.String())}, y)
}

// flipped orders x the other way round: -x, and -1-x or greatest-x of integers,
// where no negation overflows. Twice gives x again.
func (b *Builder) flipped(x Value) Value {
	d := x.Type.DType
	if !d.IsInt() {
		return b.Op("Neg", nil, x)
	}
	lo, top := tensor.IntRange(d)
	if lo < 0 {
		top = -1
	}
	return b.Op("Sub", nil, b.Scalar(d, top), x)
}

// decomposeLogSumExp takes the maximum out, unless it is infinite: m - m is
// NaN then.
func decomposeLogSumExp(b *Builder, c *Call) Value {
	x := c.Input(0)
	zero := b.Scalar(x.Type.DType, 0)
	m := b.Op("ReduceMax", Attrs{"axes": L(c.Ints("axes")...)}, x)
	m = b.Op("Where", nil, b.Op("Equal", nil, b.Op("Sub", nil, m, m), zero), m, zero)
	sum := b.Op("ReduceSum", c.Attrs, b.Op("Exp", nil, b.Op("Sub", nil, x, m)))
	return b.Op("Add", nil, b.reshape(m, c.Out[0].Shape...), b.Op("Log", nil, sum))
}

// Axes reads an axes attribute against input 0: each folded into [0, rank),
// none twice; all axes when the attribute is empty.
func (c *Call) Axes(attr string) ([]int, error) {
	rank := len(c.In[0].Shape)
	axes := c.Ints(attr)
	if len(axes) == 0 {
		for i := range rank {
			axes = append(axes, i)
		}
		return axes, nil
	}
	return foldAxes(attr, axes, rank)
}

// foldAxes counts axes from the first where they count from behind the last.
func foldAxes(attr string, axes []int, rank int) ([]int, error) {
	seen := make([]bool, rank)
	for i, a := range axes {
		if a < -rank || a >= rank {
			return nil, fmt.Errorf("attribute %s: axis %d of a tensor of rank %d", attr, a, rank)
		}
		a = (a + rank) % rank
		if seen[a] {
			return nil, fmt.Errorf("attribute %s: axis %d is named twice", attr, a)
		}
		seen[a] = true
		axes[i] = a
	}
	return axes, nil
}

// Axis reads a single axis attribute against input 0, folded into [0, rank).
func (c *Call) Axis(attr string) (int, error) {
	rank, a := len(c.In[0].Shape), c.Int(attr)
	if a < -rank || a >= rank {
		return 0, fmt.Errorf("attribute %s: axis %d of a tensor of rank %d", attr, a, rank)
	}
	return (a + rank) % rank, nil
}

func reducedShape(s tensor.Shape, axes []int, keep bool) tensor.Shape {
	fold := make([]bool, len(s))
	for _, a := range axes {
		fold[a] = true
	}
	out := tensor.Shape{}
	for i, d := range s {
		switch {
		case !fold[i]:
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	return out
}
