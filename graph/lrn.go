package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

var lrnAttrs = []AttrSpec{{Name: "alpha", Kind: Float, Default: F(1e-4)}, {Name: "beta", Kind: Float, Default: F(0.75)},
	{Name: "bias", Kind: Float, Default: F(1)}, {Name: "size", Kind: Int, Required: true}}

// lrnOps are local response normalisation over size neighbouring channels
// (Krizhevsky, Sutskever and Hinton 2012, §3.3): Y = X·S^-beta,
// S = bias + alpha/size·Σ X², the sum over the channels c - ⌊(size-1)/2⌋ to
// c + ⌈(size-1)/2⌉ that there are.
var lrnOps = []*Op{
	{
		Name: "LRN", Version: 13,
		Inputs:  floatParams("X"),
		Outputs: floatParams("Y"),
		Attrs:   lrnAttrs,
		Infer:   func(c *Call) ([]tensor.Type, error) { return c.In[:1], c.checkLRN() },
		Work:    func(c *Call) int64 { return (3 + 2*int64(c.Int("size"))) * elements(c.In[0]) },
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			return []Value{b.Op("LRNGrad", c.Attrs, dy[0], c.Input(0))}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			x := c.Input(0)
			return []Value{b.Op("Mul", nil, x, b.Op("Pow", nil, b.neighbours(c, x), b.Scalar(x.Type.DType, -c.Float("beta"))))}
		},
	},
	{
		// dX = dY·S^-beta - 2·alpha·beta/size·X·Σ dY·X·S^(-beta-1), the sum
		// over the channels whose windows have this one.
		Name: "LRNGrad", Domain: Own, Version: 1,
		Inputs:  floatParams("dY", "X"),
		Outputs: floatParams("dX"),
		Attrs:   lrnAttrs,
		Infer: func(c *Call) ([]tensor.Type, error) {
			if !c.In[0].Equal(c.In[1]) {
				return nil, fmt.Errorf("dY is %v, X is %v: want equal types", c.In[0], c.In[1])
			}
			return c.In[:1], c.checkLRN()
		},
		Work:      func(c *Call) int64 { return (8 + 3*int64(c.Int("size"))) * elements(c.In[0]) },
		Decompose: decomposeLRNGrad,
	},
}

func (c *Call) checkLRN() error {
	if s := c.In[0].Shape; len(s) < 2 {
		return fmt.Errorf("X is %v: want rank 2 or more", s)
	}
	if n := c.Int("size"); n < 1 || n > 1<<16 {
		return fmt.Errorf("attribute size: %d, want 1 to 65536", n)
	}
	return nil
}

// lrnPool is the geometry of an average over the channels of N×1×C×D, each
// divided by size, at the border too.
func lrnPool(c *Call) Attrs {
	n := c.Int("size")
	return Attrs{"kernel_shape": L(n, 1), "pads": L((n-1)/2, 0, n/2, 0), "count_include_pad": I(1)}
}

// plane sees N×C×… as N×1×C×D.
func (b *Builder) plane(v Value) Value {
	s := v.Type.Shape
	return b.Op("Reshape", Attrs{"shape": L(s[0], 1, s[1], s[2:].Elements()), "allowzero": I(1)}, v)
}

// neighbours is S in X's shape.
func (b *Builder) neighbours(c *Call, x Value) Value {
	d := x.Type.DType
	mean := b.Op("AveragePool", lrnPool(c), b.plane(b.Op("Mul", nil, x, x)))
	s := b.Op("Add", nil, b.scaled(mean, c.Float("alpha")), b.Scalar(d, c.Float("bias")))
	return b.Op("Reshape", Attrs{"shape": L(x.Type.Shape...), "allowzero": I(1)}, s)
}

func decomposeLRNGrad(b *Builder, c *Call) []Value {
	dy, x := c.Input(0), c.Input(1)
	s := b.neighbours(c, x)
	direct := b.Op("Mul", nil, dy, b.Op("Pow", nil, s, b.Scalar(x.Type.DType, -c.Float("beta"))))
	a := lrnPool(c)
	a["input_shape"] = L(b.plane(x).Type.Shape...)
	through := b.Op("AveragePoolGrad", a, b.plane(b.Op("Div", nil, b.Op("Mul", nil, direct, x), s)))
	through = b.Op("Reshape", Attrs{"shape": L(x.Type.Shape...), "allowzero": I(1)}, through)
	return []Value{b.Op("Sub", nil, direct, b.scaled(b.Op("Mul", nil, x, through), 2*c.Float("alpha")*c.Float("beta")))}
}
