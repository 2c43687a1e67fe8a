package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// lossOps are what training minimises. Scores are N×C×d1×…, the classes along
// axis 1; a row is an index of all other axes, and labels have the shape of the
// rows. A label that is neither a class nor ignored is an error in the data.
var lossOps = []*Op{
	{
		// The cross-entropy of a target distribution t and the softmax of the
		// logits: loss[r] = Σ_c t[r,c]·(lse[r] - logits[r,c]), lse the
		// log-sum-exp of a row.
		//
		// Labels name a class a row: t is their one-hot, smoothed towards
		// 1/C by label_smoothing and times weights[c]; rows labelled
		// ignore_index have t = 0; the mean is over the sum of the labels'
		// weights. Or labels are distributions of the logits' shape and type
		// (mixup), and the mean is over rows. All as PyTorch has it.
		Name: "SoftmaxCrossEntropy", Domain: Own, Version: 2,
		Inputs: []Param{{Name: "logits", Types: Floats, Var: "T"}, {Name: "labels", Types: Indices | Floats, Fixed: true},
			{Name: "weights", Types: Floats, Var: "T", Optional: true, Fixed: true}},
		Outputs: []Param{{Name: "loss", Types: Floats, Var: "T"}, {Name: "lse", Types: Floats, Var: "T", Optional: true}},
		Attrs:   []AttrSpec{reductionAttr, ignoreAttr, smoothingAttr},
		Infer: func(c *Call) ([]tensor.Type, error) {
			l := c.loss(0, 1, 2)
			return []tensor.Type{l.result(), {DType: c.In[0].DType, Shape: l.rows}}, l.check()
		},
		Work:      func(c *Call) int64 { return 4 * elements(c.In[0]) },
		Saves:     []int{1},
		Grad:      gradCrossEntropy,
		Decompose: decomposeCrossEntropy,
	},
	{
		// dlogits[r,c] = (exp(logits[r,c] - lse[r])·Σ_k t[r,k] - t[r,c])·dloss,
		// over what the mean divides by; 0 in ignored rows.
		Name: "SoftmaxCrossEntropyGrad", Domain: Own, Version: 2,
		Inputs: []Param{{Name: "dloss", Types: Floats, Var: "T"}, {Name: "logits", Types: Floats, Var: "T"},
			{Name: "labels", Types: Indices | Floats}, {Name: "lse", Types: Floats, Var: "T"},
			{Name: "weights", Types: Floats, Var: "T", Optional: true}},
		Outputs: []Param{{Name: "dlogits", Types: Floats, Var: "T"}},
		Attrs:   []AttrSpec{reductionAttr, ignoreAttr, smoothingAttr},
		Infer: func(c *Call) ([]tensor.Type, error) {
			l := c.loss(1, 2, 4)
			if err := l.check(); err != nil {
				return nil, err
			}
			if !c.In[0].Equal(l.result()) || !c.In[3].Shape.Equal(l.rows) {
				return nil, fmt.Errorf("dloss is %v, lse %v: want %v and %v", c.In[0].Shape, c.In[3].Shape, l.result().Shape, l.rows)
			}
			return c.In[1:2], nil
		},
		Work:      func(c *Call) int64 { return 4 * elements(c.Out[0]) },
		Decompose: decomposeCrossEntropyGrad,
	},
	{
		Name: "SoftmaxCrossEntropyLoss", Version: 13,
		Inputs: []Param{{Name: "scores", Types: Floats, Var: "T"}, {Name: "labels", Types: Indices, Fixed: true},
			{Name: "weights", Types: Floats, Var: "T", Optional: true, Fixed: true}},
		Outputs: []Param{{Name: "output", Types: Floats, Var: "T"}, {Name: "log_prob", Types: Floats, Var: "T", Optional: true}},
		Attrs:   []AttrSpec{reductionAttr, ignoreAttr},
		Infer: func(c *Call) ([]tensor.Type, error) {
			l := c.loss(0, 1, 2)
			return []tensor.Type{l.result(), c.In[0]}, l.check()
		},
		Work:  func(c *Call) int64 { return 4 * elements(c.In[0]) },
		Saves: []int{1},
		Grad:  gradCrossEntropyLoss,
		Decompose: func(b *Builder, c *Call) []Value {
			out := b.OpN("SoftmaxCrossEntropy", c.Attrs, 2, c.Input(0), c.Input(1), c.Input(2))
			return []Value{out[0], b.Op("Sub", nil, c.Input(0), b.column(out[1], c.In[0].Shape))}
		},
	},
	{
		// loss[r] = -weights[labels[r]]·input[r, labels[r]] of log-probabilities.
		Name: "NegativeLogLikelihoodLoss", Version: 22,
		Inputs: []Param{{Name: "input", Types: Floats, Var: "T"}, {Name: "target", Types: Indices, Fixed: true},
			{Name: "weight", Types: Floats, Var: "T", Optional: true, Fixed: true}},
		Outputs: []Param{{Name: "loss", Types: Floats, Var: "T"}},
		Attrs:   []AttrSpec{reductionAttr, ignoreAttr},
		Infer: func(c *Call) ([]tensor.Type, error) {
			l := c.loss(0, 1, 2)
			return []tensor.Type{l.result()}, l.check()
		},
		Work: func(c *Call) int64 { return elements(c.In[0]) },
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			l := c.loss(0, 1, 2)
			t := b.targets(l)
			zero := b.Scalar(l.x.Type.DType, 0)
			dx := b.Op("Neg", nil, b.Op("Mul", nil, t, b.rowScale(l, dy[0])))
			return []Value{b.Op("Where", nil, b.Op("Equal", nil, t, zero), zero, dx)}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			l := c.loss(0, 1, 2)
			return []Value{b.reduceLoss(l, b.rowLosses(b.targets(l), b.Op("Neg", nil, l.x)))}
		},
	},
	{
		// (input - target)², reduced over all elements.
		Name: "MSELoss", Domain: Own, Version: 1,
		Inputs:  []Param{{Name: "input", Types: Floats, Var: "T"}, {Name: "target", Types: Floats, Var: "T"}},
		Outputs: []Param{{Name: "loss", Types: Floats, Var: "T"}},
		Attrs:   []AttrSpec{reductionAttr},
		Infer: func(c *Call) ([]tensor.Type, error) {
			switch {
			case !c.In[0].Shape.Equal(c.In[1].Shape):
				return nil, fmt.Errorf("input is %v, target %v: want equal shapes", c.In[0].Shape, c.In[1].Shape)
			case c.Str("reduction") == "none":
				return c.In[:1], nil
			case elements(c.In[0]) == 0:
				return nil, fmt.Errorf("input is empty: a loss of nothing has no value")
			}
			return []tensor.Type{tensor.T(c.In[0].DType)}, nil
		},
		Work: func(c *Call) int64 { return 3 * elements(c.In[0]) },
		Grad: gradMSE,
		Decompose: func(b *Builder, c *Call) []Value {
			d := b.Op("Sub", nil, c.Input(0), c.Input(1))
			return []Value{b.reduced(c.Str("reduction"), b.Op("Mul", nil, d, d))}
		},
	},
}

var (
	reductionAttr = AttrSpec{Name: "reduction", Kind: String, Default: S("mean"), OneOf: []string{"mean", "sum", "none"}}
	ignoreAttr    = AttrSpec{Name: "ignore_index", Kind: Int} // absent: no row is ignored
	smoothingAttr = AttrSpec{Name: "label_smoothing", Kind: Float, Default: F(0)}
)

// IgnoreIndex is the label of rows that do not count; ok tells whether there
// is one.
func (c *Call) IgnoreIndex() (label int, ok bool) {
	_, ok = c.Attrs["ignore_index"]
	return c.Int("ignore_index"), ok
}

// loss is a loss over classes: its values and what they should be.
type loss struct {
	*Call
	x, labels, weights Value        // by types alone while shapes are inferred
	rows               tensor.Shape // axis 1 left out
	soft               bool         // labels are distributions
	smoothing          float64
}

// loss reads the inputs so numbered; it may be malformed until check is asked.
func (c *Call) loss(x, labels, weights int) *loss {
	l := &loss{Call: c, x: c.Input(x), labels: c.Input(labels), weights: c.Input(weights)}
	if s := l.x.Type.Shape; len(s) >= 2 {
		l.rows = append(s[:1].Clone(), s[2:]...)
	}
	l.soft = l.labels.Type.DType.IsFloat()
	if c.Op.attr("label_smoothing") != nil {
		l.smoothing = c.Float("label_smoothing")
	}
	return l
}

func (l *loss) check() error {
	s := l.x.Type.Shape
	if len(s) < 2 || s[1] == 0 {
		return fmt.Errorf("scores are %v: want N×C×d1×… of at least one class", s)
	}
	_, ignores := l.IgnoreIndex()
	switch {
	case l.soft && !l.labels.Type.Equal(l.x.Type):
		return fmt.Errorf("labels are %v, scores %v: distributions have the scores' type", l.labels.Type, l.x.Type)
	case !l.soft && !l.labels.Type.Shape.Equal(l.rows):
		return fmt.Errorf("labels are %v, scores %v: want %v", l.labels.Type.Shape, s, l.rows)
	case l.weights.Type.DType.Valid() && !l.weights.Type.Shape.Equal(tensor.Shape{s[1]}):
		return fmt.Errorf("weights are %v: want one for each of %d classes", l.weights.Type.Shape, s[1])
	case l.soft && ignores:
		return fmt.Errorf("attribute ignore_index: labels that are distributions name no class to ignore")
	case !(l.smoothing >= 0 && l.smoothing <= 1):
		return fmt.Errorf("attribute label_smoothing: %v, want 0 to 1", l.smoothing)
	}
	return nil
}

func (l *loss) classes() int { return l.x.Type.Shape[1] }

func (l *loss) result() tensor.Type {
	if l.Str("reduction") == "none" {
		return tensor.Type{DType: l.x.Type.DType, Shape: l.rows}
	}
	return tensor.T(l.x.Type.DType)
}

// The builder's parts of these losses. A column has axis 1 as 1.

// column gives a value of a row each axis 1 back, before scores of shape s.
func (b *Builder) column(v Value, s tensor.Shape) Value {
	shape := s.Clone()
	shape[1] = 1
	return b.Op("Reshape", Attrs{"shape": L(shape...), "allowzero": I(1)}, v)
}

// alongClasses shapes a vector of the classes to 1×C×1×….
func (l *loss) alongClasses(b *Builder, v Value) Value {
	shape := make(tensor.Shape, len(l.x.Type.Shape))
	for i := range shape {
		shape[i] = 1
	}
	shape[1] = l.classes()
	return b.Op("Reshape", Attrs{"shape": L(shape...)}, v)
}

// hot is the mask N×C×d1×… that is true at each row's label.
func (b *Builder) hot(l *loss) Value {
	iota := tensor.New(l.labels.Type.DType, l.classes())
	v := make([]float64, l.classes())
	for i := range v {
		v[i] = float64(i)
	}
	iota.SetFloat64s(v)
	return b.Op("Equal", nil, b.column(l.labels, l.x.Type.Shape), l.alongClasses(b, b.Const("classes", iota)))
}

// unlessIgnored is v, or 0 in rows that are ignored.
func (b *Builder) unlessIgnored(l *loss, v Value) Value {
	label, ok := l.IgnoreIndex()
	if !ok {
		return v
	}
	ignored := b.Op("Equal", nil, b.column(l.labels, l.x.Type.Shape), b.Scalar(l.labels.Type.DType, float64(label)))
	return b.Op("Where", nil, ignored, b.Scalar(v.Type.DType, 0), v)
}

// targets is t, N×C×d1×….
func (b *Builder) targets(l *loss) Value {
	d := l.x.Type.DType
	weigh := func(v Value) Value {
		if l.weights.Name == "" {
			return v
		}
		return b.Op("Mul", nil, v, l.alongClasses(b, l.weights))
	}
	share := l.smoothing / float64(l.classes())
	if l.soft {
		t := l.labels
		if l.smoothing != 0 {
			t = b.Op("Add", nil, b.scaled(t, 1-l.smoothing), b.Scalar(d, share))
		}
		return weigh(t)
	}
	t := b.Op("Where", nil, b.hot(l), weigh(b.Scalar(d, 1-l.smoothing+share)), weigh(b.Scalar(d, share)))
	return b.unlessIgnored(l, t)
}

// rowLosses is Σ_c t·cost. A term without a share is 0 whatever the cost:
// -Inf logits are legal.
func (b *Builder) rowLosses(t, cost Value) Value {
	zero := b.Scalar(cost.Type.DType, 0)
	terms := b.Op("Where", nil, b.Op("Equal", nil, t, zero), zero, b.Op("Mul", nil, t, cost))
	return b.Op("ReduceSum", Attrs{"axes": L(1), "keepdims": I(0)}, terms)
}

// divisor is what a mean divides by.
func (b *Builder) divisor(l *loss) Value {
	d := l.x.Type.DType
	_, ignores := l.IgnoreIndex()
	if l.soft || (l.weights.Name == "" && !ignores) {
		return b.Scalar(d, float64(l.rows.Elements()))
	}
	// Labels as they are, not smoothed.
	w, zero := b.Scalar(d, 1), b.Scalar(d, 0)
	if l.weights.Name != "" {
		w = l.alongClasses(b, l.weights)
	}
	return b.Op("ReduceSum", Attrs{"keepdims": I(0)}, b.unlessIgnored(l, b.Op("Where", nil, b.hot(l), w, zero)))
}

func (b *Builder) reduceLoss(l *loss, losses Value) Value {
	if l.Str("reduction") == "mean" {
		return b.Op("Div", nil, b.reduced("sum", losses), b.divisor(l))
	}
	return b.reduced(l.Str("reduction"), losses)
}

// reduced folds all axes; without a reduction it is v.
func (b *Builder) reduced(reduction string, v Value) Value {
	switch reduction {
	case "mean":
		return b.Op("ReduceMean", Attrs{"keepdims": I(0)}, v)
	case "sum":
		return b.Op("ReduceSum", Attrs{"keepdims": I(0)}, v)
	}
	return v
}

// rowScale is by what each row's gradient is multiplied: a column or a scalar.
func (b *Builder) rowScale(l *loss, dloss Value) Value {
	switch l.Str("reduction") {
	case "none":
		return b.column(dloss, l.x.Type.Shape)
	case "mean":
		return b.Op("Div", nil, dloss, b.divisor(l))
	}
	return dloss
}

func decomposeCrossEntropy(b *Builder, c *Call) []Value {
	l := c.loss(0, 1, 2)
	keep := Attrs{"axes": L(1), "keepdims": I(1)}
	m := b.Op("ReduceMax", keep, l.x)
	sum := b.Op("ReduceSum", keep, b.Op("Exp", nil, b.Op("Sub", nil, l.x, m)))
	lse := b.Op("Add", nil, m, b.Op("Log", nil, sum))
	saved := b.Op("Reshape", Attrs{"shape": L(l.rows...), "allowzero": I(1)}, lse)
	losses := b.rowLosses(b.targets(l), b.Op("Sub", nil, lse, l.x))
	return []Value{b.reduceLoss(l, losses), saved} // the loss last: it ends the forward pass
}

func decomposeCrossEntropyGrad(b *Builder, c *Call) []Value {
	l := c.loss(1, 2, 4)
	p := b.Op("Exp", nil, b.Op("Sub", nil, l.x, b.column(c.Input(3), l.x.Type.Shape)))
	t := b.targets(l)
	total := b.Op("ReduceSum", Attrs{"axes": L(1), "keepdims": I(1)}, t)
	diff := b.Op("Sub", nil, b.Op("Mul", nil, p, total), t)
	return []Value{b.unlessIgnored(l, b.Op("Mul", nil, diff, b.rowScale(l, c.Input(0))))}
}

// gradCrossEntropy adds the part that flows through the loss and, where the
// log-sum-exp is used for itself, dlse·exp(logits - lse).
func gradCrossEntropy(b *Builder, c *Call, dy []Value) []Value {
	x, lse := c.Input(0), c.Output(1)
	var dx Value
	if dy[0].Name != "" {
		dx = b.Op("SoftmaxCrossEntropyGrad", c.Attrs, dy[0], x, c.Input(1), lse, c.Input(2))
	}
	if dy[1].Name != "" {
		p := b.Op("Exp", nil, b.Op("Sub", nil, x, b.column(lse, x.Type.Shape)))
		dx = b.plus(dx, b.Op("Mul", nil, p, b.column(dy[1], x.Type.Shape)))
	}
	return []Value{dx}
}

// gradCrossEntropyLoss has the log-probabilities saved: they are logits too,
// whose log-sum-exp is 0. What flows through them for themselves is
// d - exp(log_prob)·Σ_c d.
func gradCrossEntropyLoss(b *Builder, c *Call, dy []Value) []Value {
	logp := c.Output(1)
	var dx Value
	if dy[0].Name != "" {
		rows := c.loss(0, 1, 2).rows
		lse := b.Op("Expand", Attrs{"shape": L(rows...)}, b.Scalar(logp.Type.DType, 0))
		dx = b.Op("SoftmaxCrossEntropyGrad", c.Attrs, dy[0], logp, c.Input(1), lse, c.Input(2))
	}
	if dy[1].Name != "" {
		sum := b.Op("ReduceSum", Attrs{"axes": L(1), "keepdims": I(1)}, dy[1])
		dx = b.plus(dx, b.Op("Sub", nil, dy[1], b.Op("Mul", nil, b.Op("Exp", nil, logp), sum)))
	}
	return []Value{dx}
}

// plus is a + b where a exists.
func (b *Builder) plus(a, v Value) Value {
	if a.Name == "" {
		return v
	}
	return b.Op("Add", nil, a, v)
}

// gradMSE is 2(input - target)·dloss, over the elements of a mean.
func gradMSE(b *Builder, c *Call, dy []Value) []Value {
	x := c.Input(0)
	factor := 2.0
	if c.Str("reduction") == "mean" {
		factor /= float64(elements(c.In[0]))
	}
	d := b.scaled(b.Op("Sub", nil, x, c.Input(1)), factor)
	dx := b.Op("Mul", nil, d, dy[0])
	return []Value{dx, b.Op("Neg", nil, dx)}
}
