package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

var groupAttr = AttrSpec{Name: "group", Kind: Int, Default: I(1)}

// convOps are the convolution and its two gradients. Shapes: X N×C×D1×D2…,
// W M×C/group×k1×k2…, B M, Y N×M×O1×O2….
var convOps = []*Op{
	{
		Name: "Conv", Version: 22, Core: true,
		Inputs: []Param{{Name: "X", Types: Floats, Var: "T"}, {Name: "W", Types: Floats, Var: "T"},
			{Name: "B", Types: Floats, Var: "T", Optional: true}},
		Outputs: []Param{{Name: "Y", Types: Floats, Var: "T"}},
		Attrs:   windowAttrs(groupAttr),
		Infer: func(c *Call) ([]tensor.Type, error) {
			w, err := c.ConvWindow()
			if err != nil {
				return nil, err
			}
			m := c.In[1].Shape[0]
			if c.Has(2) && !c.In[2].Shape.Equal(tensor.Shape{m}) {
				return nil, fmt.Errorf("B is %v, want %d", c.In[2].Shape, m)
			}
			return []tensor.Type{tensor.T(c.In[0].DType, append([]int{c.In[0].Shape[0], m}, w.Out...)...)}, nil
		},
		Work: func(c *Call) int64 {
			work := 2 * elements(c.Out[0]) * int64(c.In[1].Shape[1:].Elements())
			if c.Has(2) {
				work += elements(c.Out[0])
			}
			return work
		},
		Grad: gradConv,
	},
	{
		// dX of a Conv, given dY and W; input_shape is X's, batch included.
		Name: "ConvInputGrad", Domain: Own, Version: 1, Core: true,
		Inputs:  []Param{{Name: "dY", Types: Floats, Var: "T"}, {Name: "W", Types: Floats, Var: "T"}},
		Outputs: []Param{{Name: "dX", Types: Floats, Var: "T"}},
		Attrs:   windowAttrs(groupAttr, AttrSpec{Name: "input_shape", Kind: IntList, Required: true}),
		Infer: func(c *Call) ([]tensor.Type, error) {
			x := tensor.Shape(c.Ints("input_shape"))
			return []tensor.Type{{DType: c.In[0].DType, Shape: x}}, c.checkConvGrad(x, c.In[1].Shape)
		},
		Work: func(c *Call) int64 { return 2 * elements(c.In[0]) * int64(c.In[1].Shape[1:].Elements()) },
	},
	{
		// dW of a Conv, given X and dY; weight_shape is W's.
		Name: "ConvWeightGrad", Domain: Own, Version: 1, Core: true,
		Inputs:  []Param{{Name: "X", Types: Floats, Var: "T"}, {Name: "dY", Types: Floats, Var: "T"}},
		Outputs: []Param{{Name: "dW", Types: Floats, Var: "T"}},
		Attrs:   windowAttrs(groupAttr, AttrSpec{Name: "weight_shape", Kind: IntList, Required: true}),
		Infer: func(c *Call) ([]tensor.Type, error) {
			w := tensor.Shape(c.Ints("weight_shape"))
			return []tensor.Type{{DType: c.In[0].DType, Shape: w}}, c.checkConvGrad(c.In[0].Shape, w)
		},
		Work: func(c *Call) int64 { return 2 * elements(c.In[1]) * int64(c.Out[0].Shape[1:].Elements()) },
	},
}

// ConvWindow is the geometry of a Conv, one of its gradients, or a convolution
// of integers.
func (c *Call) ConvWindow() (*Window, error) {
	x, w := c.convShapes()
	return c.convWindow(x, w)
}

// convShapes are the shapes of X and W, whichever of the convolutions c is.
func (c *Call) convShapes() (x, w tensor.Shape) {
	switch c.Op.Name {
	case "ConvInputGrad":
		return c.Ints("input_shape"), c.In[1].Shape
	case "ConvWeightGrad":
		return c.In[0].Shape, c.Ints("weight_shape")
	case "QLinearConv":
		return c.In[0].Shape, c.In[3].Shape
	}
	return c.In[0].Shape, c.In[1].Shape
}

func (c *Call) convWindow(x, w tensor.Shape) (*Window, error) {
	for _, s := range []tensor.Shape{x, w} {
		if err := s.Validate(); err != nil {
			return nil, err
		}
	}
	if len(x) < 3 || len(x) != len(w) {
		return nil, fmt.Errorf("X is %v, W is %v: want equal ranks of 3 or more", x, w)
	}
	g := c.Int("group")
	if g < 1 || x[1] != w[1]*g || w[0]%g != 0 {
		return nil, fmt.Errorf("attribute group: %d does not split X %v and W %v", g, x, w)
	}
	win, err := newWindow(c, x[2:], w[2:])
	if err != nil {
		return nil, err
	}
	if !tensor.Shape(win.Kernel).Equal(w[2:]) {
		return nil, fmt.Errorf("attribute kernel_shape: %v, W is %v", win.Kernel, w)
	}
	return win, nil
}

// checkConvGrad holds dY against the shape that x and w would give.
func (c *Call) checkConvGrad(x, w tensor.Shape) error {
	win, err := c.convWindow(x, w)
	if err != nil {
		return err
	}
	dy := c.In[0].Shape
	if c.Op.Name == "ConvWeightGrad" {
		dy = c.In[1].Shape
	}
	want := tensor.Shape(append([]int{x[0], w[0]}, win.Out...))
	if !dy.Equal(want) {
		return fmt.Errorf("dY is %v, want %v", dy, want)
	}
	return nil
}

func gradConv(b *Builder, c *Call, dy []Value) []Value {
	with := func(name string, s tensor.Shape) Attrs {
		a := Attrs{name: L(s...)}
		for k, v := range c.Attrs {
			a[k] = v
		}
		return a
	}
	dx := b.Op("ConvInputGrad", with("input_shape", c.In[0].Shape), dy[0], c.Input(1))
	dw := b.Op("ConvWeightGrad", with("weight_shape", c.In[1].Shape), c.Input(0), dy[0])
	var db Value
	if c.Has(2) {
		axes := []int{0}
		for i := 2; i < len(c.Out[0].Shape); i++ {
			axes = append(axes, i)
		}
		db = b.Op("ReduceSum", Attrs{"axes": L(axes...), "keepdims": I(0)}, dy[0])
	}
	return []Value{dx, dw, db}
}
