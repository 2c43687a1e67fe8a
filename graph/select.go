package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// selectOps say where elements stand: the largest, the k largest, and the
// other way round, indices as masks.
var selectOps = []*Op{
	argument("ArgMax", nil),
	argument("ArgMin", func(b *Builder, c *Call) Value {
		return b.Op("ArgMax", c.Attrs, b.flipped(c.Input(0)))
	}),
	{
		// The k largest (or smallest) along an axis in their order, equal ones
		// in that of their indices; NaN is larger than all numbers. sorted = 0
		// leaves a backend free in the order, and this is one.
		Name: "TopK", Version: 24, Core: true,
		Inputs:  []Param{{Name: "X", Types: Numeric, Var: "T"}},
		Outputs: []Param{{Name: "Values", Types: Numeric, Var: "T"}, {Name: "Indices", Types: Int64s, Optional: true}},
		Attrs: []AttrSpec{{Name: "k", Kind: Int, Required: true}, {Name: "axis", Kind: Int, Default: I(-1)},
			{Name: "largest", Kind: Int, Default: I(1)}, {Name: "sorted", Kind: Int, Default: I(1)}},
		Folded: []string{"k"},
		Infer: func(c *Call) ([]tensor.Type, error) {
			axis, err := c.Axis("axis")
			if err != nil {
				return nil, err
			}
			s := c.In[0].Shape.Clone()
			if k := c.Int("k"); k < 0 || k > s[axis] {
				return nil, fmt.Errorf("attribute k: %d of %d elements", k, s[axis])
			}
			s[axis] = c.Int("k")
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}, {DType: tensor.S64, Shape: s}}, nil
		},
		Work:  func(c *Call) int64 { return elements(c.In[0]) },
		Saves: []int{1},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			if dy[0].Name == "" {
				return []Value{{}}
			}
			at := b.elementIndices(c, c.In[0].Shape, c.Output(1))
			sum := b.Op("ScatterAdd", nil, b.flat(b.zeros(c.In[0])), at, b.flat(dy[0]))
			return []Value{b.reshape(sum, c.In[0].Shape...)}
		},
	},
	{
		// values[1] where the index along the new axis is that of indices,
		// values[0] elsewhere and for indices outside of depth.
		Name: "OneHot", Version: 11,
		Inputs:  []Param{{Name: "indices", Types: Numeric}, {Name: "values", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "axis", Kind: Int, Default: I(-1)}, {Name: "depth", Kind: Int, Required: true}},
		Folded:  []string{"depth"}, FoldedAt: 1,
		Infer: func(c *Call) ([]tensor.Type, error) {
			axis, err := c.OneHotAxis()
			if err != nil {
				return nil, err
			}
			if !c.In[1].Shape.Equal(tensor.Shape{2}) {
				return nil, fmt.Errorf("input values is %v, want 2 elements", c.In[1].Shape)
			}
			s := c.In[0].Shape
			return []tensor.Type{{DType: c.In[1].DType, Shape: append(append(s[:axis:axis].Clone(), c.Int("depth")), s[axis:]...)}}, nil
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			hot := b.hotMask(c)
			zero, all := b.Scalar(dy[0].Type.DType, 0), Attrs{"keepdims": I(0)}
			on := b.Op("ReduceSum", all, b.Op("Where", nil, hot, dy[0], zero))
			off := b.Op("ReduceSum", all, b.Op("Where", nil, hot, zero, dy[0]))
			return []Value{{}, b.Op("Concat", Attrs{"axis": I(0)}, b.reshape(off, 1), b.reshape(on, 1))}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			off, on := b.part(c.Input(1), 0, 0, 1), b.part(c.Input(1), 0, 1, 2)
			return []Value{b.Op("Where", nil, b.hotMask(c), b.reshape(on), b.reshape(off))}
		},
	},
}

// argument is the row of an index of an extreme. Among equal elements it is
// the first, or the last if asked for; a NaN is more extreme than all numbers.
func argument(name string, decompose func(*Builder, *Call) Value) *Op {
	op := &Op{
		Name: name, Version: 13, Core: decompose == nil,
		Inputs:  []Param{{Name: "data", Types: Numeric}},
		Outputs: []Param{{Name: "reduced", Types: Int64s}},
		Attrs: []AttrSpec{{Name: "axis", Kind: Int, Default: I(0)}, {Name: "keepdims", Kind: Int, Default: I(1)},
			{Name: "select_last_index", Kind: Int, Default: I(0)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			axis, err := c.Axis("axis")
			if err != nil {
				return nil, err
			}
			if c.In[0].Shape[axis] == 0 {
				return nil, limited("input is empty along the axis: there is no extreme")
			}
			return []tensor.Type{{DType: tensor.S64, Shape: reducedShape(c.In[0].Shape, []int{axis}, c.Int("keepdims") != 0)}}, nil
		},
		Work: func(c *Call) int64 { return elements(c.In[0]) },
	}
	if decompose != nil {
		op.Decompose = func(b *Builder, c *Call) []Value { return []Value{decompose(b, c)} }
	}
	return op
}

// OneHotAxis is where in its output a OneHot puts the new axis.
func (c *Call) OneHotAxis() (int, error) {
	rank, a := len(c.In[0].Shape)+1, c.Int("axis")
	if a < -rank || a >= rank {
		return 0, fmt.Errorf("attribute axis: %d of a tensor of rank %d", a, rank)
	}
	if d := c.Int("depth"); d < 1 || d > maxWindow {
		return 0, fmt.Errorf("attribute depth: %d is outside of [1, %d]", d, maxWindow)
	}
	return (a + rank) % rank, nil
}

// hotMask is true where a OneHot is on.
func (b *Builder) hotMask(c *Call) Value {
	axis, err := c.OneHotAxis()
	b.Fail(err)
	if b.err != nil {
		return Value{}
	}
	s := c.In[0].Shape
	indices := b.reshape(c.Input(0), append(append(s[:axis:axis].Clone(), 1), s[axis:]...)...)
	if indices.Type.DType != tensor.S64 {
		indices = b.Op("Cast", Attrs{"to": S(tensor.S64.String())}, indices)
	}
	along := tensor.Shape(repeat(1, len(s)+1))
	along[axis] = c.Int("depth")
	return b.Op("Equal", nil, b.wrapped(indices, c.Int("depth")), b.steps(tensor.S64, 1, along))
}
