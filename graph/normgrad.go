package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// normGrad is the row of a norm's gradient: with x̂ = (X - mean)·inv and
// g = dY·scale, ⟨⟩ the mean over a group,
//
//	dX = inv·(g - ⟨g⟩ - x̂·⟨g·x̂⟩), dscale = Σ dY·x̂, dB = Σ dY
//
// Saved says that mean and inverse deviation come from the forward pass, as
// inputs; else they are computed anew. The root mean square norm has no mean:
// neither ⟨g⟩ nor dB.
func normGrad(name string, saved bool, attrs ...AttrSpec) *Op {
	op := &Op{
		Name: name, Domain: Own, Version: 1,
		Inputs:  floatParams("dY", "X", "scale"),
		Outputs: floatParams("dX", "dscale", "dB"),
		Attrs:   attrs,
		Work:    func(c *Call) int64 { return 12 * elements(c.In[1]) },
	}
	if saved {
		op.Inputs = append(op.Inputs, Param{Name: "mean", Types: Floats, Var: "U"}, Param{Name: "inv_deviation", Types: Floats, Var: "U"})
	}
	if name == "RMSNormalizationGrad" {
		op.Outputs = op.Outputs[:2]
	}
	op.Infer = func(c *Call) ([]tensor.Type, error) {
		return []tensor.Type{c.In[1], c.In[2], c.In[2]}[:len(op.Outputs)], c.checkNormGrad()
	}
	op.Decompose = decomposeNormGrad
	return op
}

// checkNormGrad wants equal types of dY and X, a scale of all parameters, and
// statistics of all groups.
func (c *Call) checkNormGrad() error {
	if !c.In[0].Equal(c.In[1]) {
		return fmt.Errorf("dY is %v, X is %v: want equal types", c.In[0], c.In[1])
	}
	n, err := c.Normal()
	if err != nil {
		return err
	}
	if n.Groups() > 0 && n.Count() == 0 {
		return fmt.Errorf("X is %v: nothing has no mean", c.In[1].Shape)
	}
	want := tensor.Shape{n.Params}
	if c.Op.attr("axis") != nil {
		axis, _ := c.Axis("axis")
		want = c.In[1].Shape[axis:]
	}
	if !c.In[2].Shape.Equal(want) {
		return fmt.Errorf("scale is %v, want %v", c.In[2].Shape, want)
	}
	for i := 3; i < len(c.In); i++ {
		if got := c.In[i].Shape.Elements(); got != n.Groups() {
			return fmt.Errorf("%s is %v: %d elements, want one for each of %d groups", c.Op.Inputs[i].Name, c.In[i].Shape, got, n.Groups())
		}
	}
	return nil
}

// gradNorm applies the gradient op to X, scale and the saved outputs. A scale
// that broadcasts is stretched first, and its gradient summed.
func gradNorm(op string, saved ...int) func(b *Builder, c *Call, dy []Value) []Value {
	return func(b *Builder, c *Call, dy []Value) []Value {
		row := b.lookup(Own, op)
		a := Attrs{}
		for name, v := range c.Attrs {
			if row.attr(name) != nil {
				a[name] = v
			}
		}
		scale := c.Input(1)
		if row.attr("axis") != nil {
			axis, err := c.Axis("axis")
			b.Fail(err)
			scale = b.Op("Expand", Attrs{"shape": L(c.In[0].Shape[axis:]...)}, scale)
		}
		in := []Value{dy[0], c.Input(0), scale}
		for _, i := range saved {
			in = append(in, c.Output(i))
		}
		d := b.OpN(op, a, len(row.Outputs), in...)
		out := []Value{d[0], b.SumTo(d[1], c.In[1].Shape)}
		if c.Has(2) && len(d) > 2 {
			out = append(out, b.SumTo(d[2], c.In[2].Shape))
		}
		return out
	}
}

// gradBatchNorm is by all five inputs in inference; in training mode it
// computes the batch's statistics anew, which ONNX's op does not give.
func gradBatchNorm(b *Builder, c *Call, dy []Value) []Value {
	x, scale := c.Input(0), c.Input(1)
	if c.Int("training_mode") != 0 {
		y := b.OpN("BatchNormalizationTraining", c.trainingAttrs(), 5, x, scale, c.Input(2), c.Input(3), c.Input(4))
		return b.OpN("BatchNormalizationGrad", nil, 3, dy[0], x, scale, y[3], y[4])
	}
	n, err := c.Normal()
	b.Fail(err)
	column := Attrs{"shape": L(n.columns(x.Type.Shape)...), "allowzero": I(1)}
	centred := b.Op("Sub", nil, x, b.Op("Reshape", column, c.Input(3)))
	inv := b.inverseDeviation(c.Input(4), c.Float("epsilon"))
	slope := b.Op("Mul", nil, scale, inv)
	dx := b.Op("Mul", nil, dy[0], b.Op("Reshape", column, slope))
	sum := func(v Value) Value {
		return b.Op("Reshape", Attrs{"shape": L(n.Params), "allowzero": I(1)}, b.SumTo(v, n.columns(x.Type.Shape)))
	}
	db, moment := sum(dy[0]), sum(b.Op("Mul", nil, dy[0], centred))
	// d inv/d var = -inv³/2
	half := b.scaled(b.Op("Mul", nil, slope, b.Op("Mul", nil, inv, inv)), -0.5)
	return []Value{dx, b.Op("Mul", nil, moment, inv), db, b.Op("Neg", nil, b.Op("Mul", nil, db, slope)), b.Op("Mul", nil, moment, half)}
}

// trainingAttrs are those of BatchNormalizationTraining that make it ONNX's
// training mode.
func (c *Call) trainingAttrs() Attrs {
	return Attrs{"epsilon": F(c.Float("epsilon")), "momentum": F(c.Float("momentum")), "convention": S("onnx")}
}

// columns is the shape in which parameters by channel broadcast to X.
func (n Normal) columns(x tensor.Shape) tensor.Shape {
	s := tensor.Shape{n.Params}
	for range x[2:] {
		s = append(s, 1)
	}
	return s
}

func (b *Builder) inverseDeviation(variance Value, epsilon float64) Value {
	d := variance.Type.DType
	root := b.Op("Sqrt", nil, b.Op("Add", nil, variance, b.Scalar(d, epsilon)))
	return b.Op("Div", nil, b.Scalar(d, 1), root)
}
