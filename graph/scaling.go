package graph

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// f32s is the type of a loss scale, whatever that of the gradients.
var f32s = typeSet(tensor.F32)

// scalingOps keep gradients in range: what becomes of all of them together
// before an optimizer sees them.
var scalingOps = []*Op{
	{
		// √Σ g² over all elements of all gradients.
		Name: "GlobalNorm", Domain: Own, Version: 1,
		Inputs:  []Param{{Name: "grads", Types: Floats, Var: "T", Variadic: true}},
		Outputs: []Param{{Name: "norm", Types: Floats, Var: "T"}},
		Infer:   func(c *Call) ([]tensor.Type, error) { return []tensor.Type{tensor.T(c.In[0].DType)}, nil },
		Work:    func(c *Call) int64 { return 2 * c.inputElements() },
		Decompose: func(b *Builder, c *Call) []Value {
			sum := b.sumOver(c, func(g Value) Value {
				return b.Op("ReduceSum", Attrs{"keepdims": I(0)}, b.Op("Mul", nil, g, g))
			})
			return []Value{b.Op("Sqrt", nil, sum)}
		},
	},
	{
		// grad·min(1, max_norm/(norm + epsilon)), as PyTorch's
		// clip_grad_norm_: norm is GlobalNorm's. NaN passes through.
		Name: "ClipByNorm", Domain: Own, Version: 1,
		Inputs:  []Param{{Name: "grad", Types: Floats, Var: "T"}, {Name: "norm", Types: Floats, Var: "T"}},
		Outputs: []Param{{Name: "clipped", Types: Floats, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "max_norm", Kind: Float, Required: true}, {Name: "epsilon", Kind: Float, Default: F(1e-6)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			if len(c.In[1].Shape) != 0 {
				return nil, fmt.Errorf("norm is %v, want a scalar", c.In[1].Shape)
			}
			return c.In[:1], nil
		},
		Work: func(c *Call) int64 { return elements(c.Out[0]) },
		Decompose: func(b *Builder, c *Call) []Value {
			d := c.In[0].DType
			one := b.Scalar(d, 1)
			by := b.Op("Div", nil, b.Scalar(d, c.Float("max_norm")), b.Op("Add", nil, c.Input(1), b.Scalar(d, c.Float("epsilon"))))
			by = b.Op("Where", nil, b.Op("LessOrEqual", nil, one, by), one, by) // keeps NaN
			return []Value{b.Op("Mul", nil, c.Input(0), by)}
		},
	},
	{
		// Whether no element of any tensor is infinite or NaN.
		Name: "AllFinite", Domain: Own, Version: 1,
		Inputs:  []Param{{Name: "inputs", Types: Floats, Var: "T", Variadic: true}},
		Outputs: []Param{{Name: "finite", Types: Bools}},
		Infer:   func(*Call) ([]tensor.Type, error) { return []tensor.Type{tensor.T(tensor.Bool)}, nil },
		Work:    (*Call).inputElements,
		Decompose: func(b *Builder, c *Call) []Value {
			// x - x is zero, but NaN where x is not finite; a maximum keeps it.
			sum := b.sumOver(c, func(x Value) Value {
				return b.Op("ReduceMax", Attrs{"keepdims": I(0)}, b.Op("Sub", nil, x, x))
			})
			return []Value{b.Op("Equal", nil, sum, b.Scalar(c.In[0].DType, 0))}
		},
	},
	{
		// The rules of PyTorch's GradScaler: a skipped step multiplies the scale
		// by backoff_factor and starts to count anew; after growth_interval
		// steps in a row that were not skipped it grows by growth_factor,
		// unless that were infinite.
		Name: "DynamicLossScale", Domain: Own, Version: 1,
		Inputs:  []Param{{Name: "scale", Types: f32s}, {Name: "growth_counter", Types: Int64s}, {Name: "skip", Types: Bools}},
		Outputs: []Param{{Name: "next_scale", Types: f32s}, {Name: "next_growth_counter", Types: Int64s}},
		Attrs: []AttrSpec{{Name: "growth_factor", Kind: Float, Default: F(2)}, {Name: "backoff_factor", Kind: Float, Default: F(0.5)},
			{Name: "growth_interval", Kind: Int, Default: I(2000)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			for i, t := range c.In {
				if len(t.Shape) != 0 {
					return nil, fmt.Errorf("%s is %v, want a scalar", c.Op.Inputs[i].Name, t.Shape)
				}
			}
			if n := c.Attr("growth_interval").Int; n < 1 || n > math.MaxInt32 {
				return nil, fmt.Errorf("attribute growth_interval: %d, want 1 to %d", n, math.MaxInt32)
			}
			return c.In[:2], nil
		},
		Work:      func(*Call) int64 { return 2 },
		Decompose: decomposeDynamicLossScale,
	},
}

// inputElements counts the elements of all inputs.
func (c *Call) inputElements() (n int64) {
	for i := range c.In {
		n += elements(c.In[i])
	}
	return n
}

// sumOver adds up a scalar of each input that has elements.
func (b *Builder) sumOver(c *Call, f func(Value) Value) (sum Value) {
	for i := range c.In {
		if elements(c.In[i]) > 0 {
			sum = b.plus(sum, f(c.Input(i)))
		}
	}
	if sum.Name == "" {
		sum = b.Scalar(c.In[0].DType, 0)
	}
	return sum
}

func decomposeDynamicLossScale(b *Builder, c *Call) []Value {
	scale, skip := c.Input(0), c.Input(2)
	d := tensor.F32
	n := b.Op("Add", nil, c.Input(1), b.Scalar(tensor.S64, 1))
	full := b.Op("Equal", nil, n, b.Scalar(tensor.S64, float64(c.Int("growth_interval"))))
	grown := b.Op("Mul", nil, scale, b.Scalar(d, c.Float("growth_factor")))
	finite := b.Op("Equal", nil, b.Op("Sub", nil, grown, grown), b.Scalar(d, 0))
	grown = b.Op("Where", nil, finite, grown, scale)
	next := b.Op("Where", nil, skip, b.Op("Mul", nil, scale, b.Scalar(d, c.Float("backoff_factor"))), b.Op("Where", nil, full, grown, scale))
	zero := b.Scalar(tensor.S64, 0)
	return []Value{next, b.Op("Where", nil, skip, zero, b.Op("Where", nil, full, zero, n))}
}
