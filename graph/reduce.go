package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// reduceOps fold axes away. Empty axes mean all of them.
var reduceOps = []*Op{
	reduction("ReduceSum", 13, true, func(b *Builder, c *Call, dy Value) Value {
		return b.Op("Expand", Attrs{"shape": L(c.In[0].Shape...)}, dy)
	}, nil),
	reduction("ReduceMax", 20, true, nil, nil),
	reduction("ReduceMean", 18, false, func(b *Builder, c *Call, dy Value) Value {
		n := float64(elements(c.In[0])) / float64(elements(c.Out[0]))
		dy = b.Op("Div", nil, dy, b.Scalar(dy.Type.DType, n))
		return b.Op("Expand", Attrs{"shape": L(c.In[0].Shape...)}, dy)
	}, func(b *Builder, c *Call) Value {
		n := float64(elements(c.In[0])) / float64(elements(c.Out[0]))
		sum := b.Op("ReduceSum", c.Attrs, c.Input(0))
		return b.Op("Div", nil, sum, b.Scalar(c.In[0].DType, n))
	}),
}

// reduction is the row of a reduction; grad gets dy with the folded axes kept
// as 1.
func reduction(name string, version int, core bool,
	grad func(*Builder, *Call, Value) Value, decompose func(*Builder, *Call) Value) *Op {
	op := &Op{
		Name: name, Version: version, Core: core,
		Inputs:  []Param{{Name: "data", Types: Numeric, Var: "T"}},
		Outputs: []Param{{Name: "reduced", Types: Numeric, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "axes", Kind: IntList}, {Name: "keepdims", Kind: Int, Default: I(1)}},
		Folded:  []string{"axes"},
		Infer: func(c *Call) ([]tensor.Type, error) {
			axes, err := c.Axes("axes")
			if err != nil {
				return nil, err
			}
			if name != "ReduceSum" && elements(c.In[0]) == 0 {
				return nil, fmt.Errorf("input is empty: %s of nothing has no value", name)
			}
			return []tensor.Type{{DType: c.In[0].DType, Shape: reducedShape(c.In[0].Shape, axes, c.Int("keepdims") != 0)}}, nil
		},
		Work: func(c *Call) int64 { return elements(c.In[0]) },
	}
	if grad != nil {
		op.Grad = func(b *Builder, c *Call, dy []Value) []Value {
			axes, err := c.Axes("axes")
			b.Fail(err)
			kept := reducedShape(c.In[0].Shape, axes, true)
			return []Value{grad(b, c, b.Op("Reshape", Attrs{"shape": L(kept...), "allowzero": I(1)}, dy[0]))}
		}
	}
	if decompose != nil {
		op.Decompose = func(b *Builder, c *Call) []Value { return []Value{decompose(b, c)} }
	}
	return op
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
