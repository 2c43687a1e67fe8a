package graph

import (
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/tensor"
)

// gatherOps read and write at indices. An index below 0 counts from the end;
// one outside of the axis is an error in the data.
var gatherOps = []*Op{
	{
		// Y[…, j…, …] = data[…, indices[j…], …]: indices' axes stand in place
		// of the axis.
		Name: "Gather", Version: 13, Core: true,
		Inputs:  []Param{{Name: "data", Types: Any, Var: "T"}, {Name: "indices", Types: Indices}},
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "axis", Kind: Int, Default: I(0)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			s, err := gatheredShape(c)
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}}, err
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			return []Value{b.Op("ScatterAdd", Attrs{"axis": I(c.Int("axis"))}, b.zeros(c.In[0]), c.Input(1), dy[0]), {}}
		},
	},
	{
		// Y = data, and to Y[…, indices[j…], …] is added updates[…, j…, …],
		// index by index in row-major order: Gather's adjoint.
		Name: "ScatterAdd", Domain: Own, Version: 1, Core: true,
		Inputs: []Param{{Name: "data", Types: Numeric, Var: "T"}, {Name: "indices", Types: Indices},
			{Name: "updates", Types: Numeric, Var: "T"}},
		Outputs: []Param{{Name: "output", Types: Numeric, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "axis", Kind: Int, Default: I(0)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			want, err := gatheredShape(c)
			if err == nil && !c.In[2].Shape.Equal(want) {
				err = fmt.Errorf("input updates is %v, want %v", c.In[2].Shape, want)
			}
			return c.In[:1], err
		},
		Work: func(c *Call) int64 { return elements(c.In[2]) },
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			return []Value{dy[0], {}, b.Op("Gather", Attrs{"axis": I(c.Int("axis"))}, dy[0], c.Input(1))}
		},
	},
	{
		// Y[…, j, …] = data[…, indices[…, j, …], …]
		Name: "GatherElements", Version: 13,
		Inputs:  []Param{{Name: "data", Types: Any, Var: "T"}, {Name: "indices", Types: Indices}},
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "axis", Kind: Int, Default: I(0)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			return []tensor.Type{{DType: c.In[0].DType, Shape: c.In[1].Shape}}, checkElementIndices(c)
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			flat := b.flat(b.zeros(c.In[0]))
			sum := b.Op("ScatterAdd", nil, flat, b.elementIndices(c, c.In[0].Shape, c.Input(1)), b.flat(dy[0]))
			return []Value{b.reshape(sum, c.In[0].Shape...), {}}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			y := b.Op("Gather", nil, b.flat(c.Input(0)), b.elementIndices(c, c.In[0].Shape, c.Input(1)))
			return []Value{b.reshape(y, c.Out[0].Shape...)}
		},
	},
}

// gatheredShape is data's shape with that of the indices in place of the axis.
func gatheredShape(c *Call) (tensor.Shape, error) {
	axis, err := c.Axis("axis")
	if err != nil {
		return nil, err
	}
	s := c.In[0].Shape
	return slices.Concat(s[:axis], c.In[1].Shape, s[axis+1:]), nil
}

// checkElementIndices holds the shape of indices, an element of data for each,
// against data's: no axis but the one that is indexed may be longer.
func checkElementIndices(c *Call) error {
	axis, err := c.Axis("axis")
	if err != nil {
		return err
	}
	s, indices := c.In[0].Shape, c.In[1].Shape
	fits := len(s) == len(indices)
	for i := range indices {
		fits = fits && (i == axis || indices[i] <= s[i])
	}
	if !fits {
		return fmt.Errorf("input indices is %v, data %v: want the same axes, none but axis %d longer", indices, s, axis)
	}
	return nil
}

// flat is x as a list.
func (b *Builder) flat(x Value) Value { return b.reshape(x, x.Type.Shape.Elements()) }

// wrapped counts indices into an axis of n elements from the first of them.
func (b *Builder) wrapped(indices Value, n int) Value {
	d := indices.Type.DType
	fromFirst := b.Op("LessOrEqual", nil, b.Scalar(d, 0), indices)
	return b.Op("Where", nil, fromFirst, indices, b.Op("Add", nil, indices, b.Scalar(d, float64(n))))
}

// elementIndices are the flat positions in a tensor of shape s of the elements
// that indices, one an element, name along the call's axis: a list.
func (b *Builder) elementIndices(c *Call, s tensor.Shape, indices Value) Value {
	axis, err := c.Axis("axis")
	b.Fail(err)
	if b.err != nil {
		return Value{}
	}
	strides, d := s.Strides(), indices.Type.DType
	at := b.Op("Mul", nil, b.wrapped(indices, s[axis]), b.Scalar(d, float64(strides[axis])))
	for i, extent := range indices.Type.Shape {
		if i == axis || extent == 1 {
			continue
		}
		along := tensor.Shape(repeat(1, len(strides)))
		along[i] = extent
		at = b.Op("Add", nil, at, b.steps(d, float64(strides[i]), along))
	}
	return b.flat(at)
}

// steps are the numbers 0, step, 2·step, … in a shape of one long axis.
func (b *Builder) steps(d tensor.DType, step float64, s tensor.Shape) Value {
	t := tensor.New(d, s...)
	v := make([]float64, s.Elements())
	for i := range v {
		v[i] = float64(i) * step
	}
	t.SetFloat64s(v)
	return b.Const("steps", t)
}
