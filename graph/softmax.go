package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// softmaxOps are softmax and the loss made of it.
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
		// loss = reduction over rows of lse - logits[label], with
		// lse = log Σ exp(logits) by row. Logits N×C, labels N, lse N.
		Name: "SoftmaxCrossEntropy", Domain: Own, Version: 1,
		Inputs:  []Param{{Name: "logits", Types: Floats, Var: "T"}, {Name: "labels", Types: Indices}},
		Outputs: []Param{{Name: "loss", Types: Floats, Var: "T"}, {Name: "lse", Types: Floats, Var: "T", Optional: true}},
		Attrs:   []AttrSpec{reductionAttr},
		Infer: func(c *Call) ([]tensor.Type, error) {
			d, rows := c.In[0].DType, c.In[1].Shape
			if s := c.In[0].Shape; len(s) != 2 || !rows.Equal(s[:1]) || s[1] == 0 {
				return nil, fmt.Errorf("logits are %v, labels %v: want N×C and N", c.In[0].Shape, rows)
			}
			loss := tensor.T(d)
			if c.Str("reduction") == "none" {
				loss.Shape = rows
			}
			return []tensor.Type{loss, {DType: d, Shape: rows}}, nil
		},
		Work:      func(c *Call) int64 { return 4 * elements(c.In[0]) },
		Saves:     []int{1},
		Grad:      gradCrossEntropy,
		Decompose: decomposeCrossEntropy,
	},
	{
		// dlogits = (exp(logits - lse) - onehot(labels))·dloss, over N if the
		// reduction is the mean.
		Name: "SoftmaxCrossEntropyGrad", Domain: Own, Version: 1,
		Inputs: []Param{{Name: "dloss", Types: Floats, Var: "T"}, {Name: "logits", Types: Floats, Var: "T"},
			{Name: "labels", Types: Indices}, {Name: "lse", Types: Floats, Var: "T"}},
		Outputs: []Param{{Name: "dlogits", Types: Floats, Var: "T"}},
		Attrs:   []AttrSpec{reductionAttr},
		Infer: func(c *Call) ([]tensor.Type, error) {
			s, rows := c.In[1].Shape, c.In[2].Shape
			loss := tensor.Shape{}
			if c.Str("reduction") == "none" {
				loss = rows
			}
			if len(s) != 2 || !rows.Equal(s[:1]) || !c.In[3].Shape.Equal(rows) || !c.In[0].Shape.Equal(loss) {
				return nil, fmt.Errorf("dloss %v, logits %v, labels %v, lse %v: want %v, N×C, N, N", c.In[0].Shape, s, rows, c.In[3].Shape, loss)
			}
			return c.In[1:2], nil
		},
		Work:      func(c *Call) int64 { return 4 * elements(c.Out[0]) },
		Decompose: decomposeCrossEntropyGrad,
	},
}

var reductionAttr = AttrSpec{Name: "reduction", Kind: String, Default: S("mean"), OneOf: []string{"mean", "sum", "none"}}

// hot is the mask N×C that is true at each row's label.
func (b *Builder) hot(labels Value, classes int) Value {
	d := labels.Type.DType
	iota := tensor.New(d, 1, classes)
	v := make([]float64, classes)
	for i := range v {
		v[i] = float64(i)
	}
	iota.SetFloat64s(v)
	column := b.Op("Reshape", Attrs{"shape": L(labels.Type.Shape[0], 1), "allowzero": I(1)}, labels)
	return b.Op("Equal", nil, column, b.Const("classes", iota))
}

// gradCrossEntropy adds the part that flows through the loss and, where the
// log-sum-exp is used for itself, dlse·exp(logits - lse).
func gradCrossEntropy(b *Builder, c *Call, dy []Value) []Value {
	x, lse := c.Input(0), c.Output(1)
	var dx Value
	if dy[0].Name != "" {
		dx = b.Op("SoftmaxCrossEntropyGrad", c.Attrs, dy[0], x, c.Input(1), lse)
	}
	if dy[1].Name != "" {
		column := Attrs{"shape": L(x.Type.Shape[0], 1), "allowzero": I(1)}
		p := b.Op("Exp", nil, b.Op("Sub", nil, x, b.Op("Reshape", column, lse)))
		d := b.Op("Mul", nil, p, b.Op("Reshape", column, dy[1]))
		if dx.Name != "" {
			d = b.Op("Add", nil, dx, d)
		}
		dx = d
	}
	return []Value{dx, {}}
}

func decomposeCrossEntropy(b *Builder, c *Call) []Value {
	x, n := c.Input(0), c.In[0].Shape[0]
	keep := Attrs{"axes": L(1), "keepdims": I(1)}
	row := Attrs{"shape": L(n), "allowzero": I(1)}
	m := b.Op("ReduceMax", keep, x)
	sum := b.Op("ReduceSum", keep, b.Op("Exp", nil, b.Op("Sub", nil, x, m)))
	lse := b.Op("Reshape", row, b.Op("Add", nil, m, b.Op("Log", nil, sum)))
	zero := b.Scalar(x.Type.DType, 0)
	// A selection and not a product with 0 and 1: -Inf logits are legal.
	picked := b.Op("ReduceSum", Attrs{"axes": L(1), "keepdims": I(0)},
		b.Op("Where", nil, b.hot(c.Input(1), x.Type.Shape[1]), x, zero))
	loss := b.Op("Sub", nil, lse, picked)
	switch c.Str("reduction") {
	case "mean":
		loss = b.Op("ReduceMean", Attrs{"keepdims": I(0)}, loss)
	case "sum":
		loss = b.Op("ReduceSum", Attrs{"keepdims": I(0)}, loss)
	}
	return []Value{loss, lse}
}

func decomposeCrossEntropyGrad(b *Builder, c *Call) []Value {
	dloss, x := c.Input(0), c.Input(1)
	d, n := x.Type.DType, x.Type.Shape[0]
	column := Attrs{"shape": L(n, 1), "allowzero": I(1)}
	p := b.Op("Exp", nil, b.Op("Sub", nil, x, b.Op("Reshape", column, c.Input(3))))
	diff := b.Op("Sub", nil, p, b.Op("Cast", Attrs{"to": S(d.String())}, b.hot(c.Input(2), x.Type.Shape[1])))
	switch c.Str("reduction") {
	case "none":
		dloss = b.Op("Reshape", column, dloss)
	case "mean":
		dloss = b.Op("Div", nil, dloss, b.Scalar(d, float64(n)))
	}
	return []Value{b.Op("Mul", nil, diff, dloss)}
}
