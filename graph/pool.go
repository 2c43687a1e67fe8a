package graph

import (
	"fmt"
	"maps"

	"github.com/clsbench/clsbench/tensor"
)

var ceilAttr = AttrSpec{Name: "ceil_mode", Kind: Int, Default: I(0)}

// poolOps slide a window over each channel: X N×C×D1×D2…, Y N×C×O1×O2….
var poolOps = []*Op{
	{
		Name: "AveragePool", Version: 22, Core: true,
		Inputs:  []Param{{Name: "X", Types: Floats, Var: "T"}},
		Outputs: []Param{{Name: "Y", Types: Floats, Var: "T"}},
		Attrs:   windowAttrs(ceilAttr, AttrSpec{Name: "count_include_pad", Kind: Int, Default: I(0)}),
		Infer: func(c *Call) ([]tensor.Type, error) {
			s, err := c.poolShape(c.In[0].Shape)
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}}, err
		},
		Work: poolWork,
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			a := Attrs{"input_shape": L(c.In[0].Shape...)}
			for k, v := range c.Attrs {
				a[k] = v
			}
			return []Value{b.Op("AveragePoolGrad", a, dy[0])}
		},
	},
	{
		Name: "AveragePoolGrad", Domain: Own, Version: 1, Core: true,
		Inputs:  []Param{{Name: "dY", Types: Floats, Var: "T"}},
		Outputs: []Param{{Name: "dX", Types: Floats, Var: "T"}},
		Attrs: windowAttrs(ceilAttr, AttrSpec{Name: "count_include_pad", Kind: Int, Default: I(0)},
			AttrSpec{Name: "input_shape", Kind: IntList, Required: true}),
		Infer: func(c *Call) ([]tensor.Type, error) {
			x := tensor.Shape(c.Ints("input_shape"))
			if err := x.Validate(); err != nil {
				return nil, fmt.Errorf("attribute input_shape: %w", err)
			}
			s, err := c.poolShape(x)
			if err == nil && !s.Equal(c.In[0].Shape) {
				err = fmt.Errorf("dY is %v, want %v", c.In[0].Shape, s)
			}
			return []tensor.Type{{DType: c.In[0].DType, Shape: x}}, err
		},
		Work: func(c *Call) int64 {
			w, _ := c.PoolWindow()
			return elements(c.In[0]) * int64(w.Taps())
		},
	},
	{
		// Indices are flat positions in X, the first maximum of a window; NaN is
		// larger than any number and propagates. storage_order 1 counts them
		// column by column, see PoolPlaces.
		Name: "MaxPool", Version: 22, Core: true,
		Inputs:  []Param{{Name: "X", Types: Floats | EightBits, Var: "T"}},
		Outputs: []Param{{Name: "Y", Types: Floats | EightBits, Var: "T"}, {Name: "Indices", Types: Int64s, Optional: true}},
		Attrs:   windowAttrs(ceilAttr, AttrSpec{Name: "storage_order", Kind: Int, Default: I(0)}),
		Infer: func(c *Call) ([]tensor.Type, error) {
			if o := c.Int("storage_order"); o != 0 && o != 1 {
				return nil, fmt.Errorf("attribute storage_order: %d, want 0 (row-major) or 1 (column-major)", o)
			}
			s, err := c.poolShape(c.In[0].Shape)
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}, {DType: tensor.S64, Shape: s}}, err
		},
		Work:  poolWork,
		Saves: []int{1},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			where := c.Output(1)
			if c.Int("storage_order") != 0 {
				a := maps.Clone(c.Attrs)
				delete(a, "storage_order")
				where = b.OpN("MaxPool", a, 2, c.Input(0))[1]
			}
			return []Value{b.Op("MaxPoolGrad", Attrs{"input_shape": L(c.In[0].Shape...)}, dy[0], where)}
		},
	},
	{
		// dX is zero but at the indices, where the dY that name it add up. They
		// are flat positions in X, none counted from the end; one outside of X is
		// an error in the data.
		Name: "MaxPoolGrad", Domain: Own, Version: 1, Core: true,
		Inputs:  []Param{{Name: "dY", Types: Floats, Var: "T"}, {Name: "Indices", Types: Int64s}},
		Outputs: []Param{{Name: "dX", Types: Floats, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "input_shape", Kind: IntList, Required: true}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			x := tensor.Shape(c.Ints("input_shape"))
			if err := x.Validate(); err != nil {
				return nil, fmt.Errorf("attribute input_shape: %w", err)
			}
			if !c.In[0].Shape.Equal(c.In[1].Shape) {
				return nil, fmt.Errorf("dY is %v, Indices are %v: want equal shapes", c.In[0].Shape, c.In[1].Shape)
			}
			return []tensor.Type{{DType: c.In[0].DType, Shape: x}}, nil
		},
		Work: func(c *Call) int64 { return elements(c.In[0]) },
	},
}

// PoolWindow is the geometry of AveragePool, AveragePoolGrad or MaxPool.
func (c *Call) PoolWindow() (*Window, error) {
	x := c.In[0].Shape
	if c.Op.attr("input_shape") != nil {
		x = c.Ints("input_shape")
	}
	return c.poolWindow(x)
}

func (c *Call) poolWindow(x tensor.Shape) (*Window, error) {
	if len(x) < 3 {
		return nil, fmt.Errorf("X is %v: want rank 3 or more", x)
	}
	w, err := newWindow(c, x[2:], nil)
	if err != nil {
		return nil, err
	}
	for i := range w.Kernel {
		// A window wholly inside the padding would have no element.
		if span := w.Dilations[i]*(w.Kernel[i]-1) + 1; w.PadBegin[i] >= span || w.PadEnd[i] >= span {
			return nil, limited("attribute pads: %v reach the window of %d (spatial axis %d)", c.Ints("pads"), span, i)
		}
		// Nor would a dilated one that begins before the input and steps over it.
		for o := 0; o < w.Out[i] && w.Start(i, o) < 0; o++ {
			before, d := -w.Start(i, o), w.Dilations[i]
			if first := d - 1 - (before-1)%d; first >= w.In[i] {
				return nil, limited("attribute dilations: %v: window %d meets no element (spatial axis %d)", w.Dilations, o, i)
			}
		}
	}
	return w, nil
}

func (c *Call) poolShape(x tensor.Shape) (tensor.Shape, error) {
	w, err := c.poolWindow(x)
	if err != nil {
		return nil, err
	}
	return append(x[:2].Clone(), w.Out...), nil
}

func poolWork(c *Call) int64 {
	w, _ := c.PoolWindow()
	return elements(c.Out[0]) * int64(w.Taps())
}

// PoolPlaces are the positions in a plane as a MaxPool's Indices count them, by
// row-major position: the same, or, of storage_order 1, those with the first
// spatial axis the fastest.
func (c *Call) PoolPlaces() []int {
	in := c.In[0].Shape[2:]
	places := make([]int, in.Elements())
	for i := range places {
		places[i] = i
		if c.Int("storage_order") != 0 {
			at, step, rest := 0, len(places), i
			for axis := len(in) - 1; axis >= 0; axis-- {
				step /= in[axis]
				at += rest % in[axis] * step
				rest /= in[axis]
			}
			places[i] = at
		}
	}
	return places
}
