package graph

import "github.com/clsbench/clsbench/tensor"

// normal writes the decompositions of the norms: groups are rows of a view of
// X, parameters columns of another.
type normal struct {
	b *Builder
	n Normal
}

// grouped sees a value of X's shape so that the axes of axes() hold a group.
func (w normal) grouped(v Value) Value {
	if w.n.Batch {
		return w.as(v, w.n.Outer, w.n.Params, w.n.Inner)
	}
	return w.as(v, w.n.Outer, w.n.Params/w.n.PerGroup, w.n.PerGroup*w.n.Inner)
}

func (w normal) axes() []int {
	if w.n.Batch {
		return []int{0, 2}
	}
	return []int{2}
}

// statistics sees one element a group so that it broadcasts to the view.
func (w normal) statistics(v Value) Value {
	if w.n.Batch {
		return w.as(v, 1, w.n.Params, 1)
	}
	return w.as(v, w.n.Outer, w.n.Params/w.n.PerGroup, 1)
}

func (w normal) as(v Value, shape ...int) Value {
	return w.b.Op("Reshape", Attrs{"shape": L(shape...), "allowzero": I(1)}, v)
}

func (w normal) mean(v Value) Value {
	return w.b.Op("ReduceMean", Attrs{"axes": L(w.axes()...)}, v)
}

// affine is v·scale + bias in X's shape; bias may be left out.
func (w normal) affine(v, scale, bias Value, x tensor.Shape) Value {
	v = w.b.Op("Mul", nil, w.byParameter(v), w.parameter(scale))
	if bias.Name != "" {
		v = w.b.Op("Add", nil, v, w.parameter(bias))
	}
	return w.as(v, x...)
}

func (w normal) byParameter(v Value) Value { return w.as(v, w.n.Outer, w.n.Params, w.n.Inner) }

func (w normal) parameter(v Value) Value { return w.as(v, 1, w.n.Params, 1) }

// total sums over everything but the parameters, in the shape of scale.
func (w normal) total(v Value, scale tensor.Shape) Value {
	return w.as(w.b.Op("ReduceSum", Attrs{"axes": L(0, 2)}, w.byParameter(v)), scale...)
}

// moments gives X less its mean, the mean, the variance and the inverse
// deviation of the groups, in the view of grouped. The variance takes a second
// pass: the mean of squares less the square of the mean cancels.
func (w normal) moments(x Value, epsilon float64, centre bool) (centred, mean, variance, inv Value) {
	centred = w.grouped(x)
	if centre {
		mean = w.mean(centred)
		centred = w.b.Op("Sub", nil, centred, mean)
	}
	variance = w.mean(w.b.Op("Mul", nil, centred, centred))
	return centred, mean, variance, w.b.inverseDeviation(variance, epsilon)
}

func (c *Call) normal(b *Builder) normal {
	n, err := c.Normal()
	b.Fail(err)
	return normal{b, n}
}

// decomposeNorm is of the norms that are the same in training and inference.
func decomposeNorm(b *Builder, c *Call) []Value {
	w, s := c.normal(b), c.In[0].Shape
	centred, mean, _, inv := w.moments(c.Input(0), c.Float("epsilon"), c.Op.Name != "RMSNormalization")
	scale, bias := c.Input(1), c.Input(2)
	if c.Op.attr("axis") != nil { // scale and bias broadcast to these axes
		axis, err := c.Axis("axis")
		b.Fail(err)
		full := Attrs{"shape": L(s[axis:]...)}
		if scale = b.Op("Expand", full, scale); bias.Name != "" {
			bias = b.Op("Expand", full, bias)
		}
	}
	out := []Value{w.affine(b.Op("Mul", nil, centred, inv), scale, bias, s)}
	if c.Op.Name == "LayerNormalization" {
		t := c.Out[1]
		for _, v := range []Value{mean, inv} {
			v = b.Op("Cast", Attrs{"to": S(t.DType.String())}, v)
			out = append(out, w.as(v, t.Shape...))
		}
	}
	return out
}

func decomposeBatchNorm(b *Builder, c *Call) []Value {
	x := c.Input(0)
	if c.Int("training_mode") != 0 {
		return b.OpN("BatchNormalizationTraining", c.trainingAttrs(), 3, x, c.Input(1), c.Input(2), c.Input(3), c.Input(4))
	}
	w := c.normal(b)
	inv := w.parameter(b.inverseDeviation(c.Input(4), c.Float("epsilon")))
	centred := b.Op("Sub", nil, w.byParameter(x), w.parameter(c.Input(3)))
	return []Value{w.affine(b.Op("Mul", nil, centred, inv), c.Input(1), c.Input(2), x.Type.Shape),
		w.as(c.Input(3), w.n.Params), w.as(c.Input(4), w.n.Params)}
}

func decomposeBatchNormTraining(b *Builder, c *Call) []Value {
	w, m := c.normal(b), c.Float("momentum")
	centred, mean, variance, inv := w.moments(c.Input(0), c.Float("epsilon"), true)
	keep, take := 1-m, m
	batch := variance
	if c.Str("convention") == "onnx" {
		keep, take = m, 1-m
	} else {
		n := float64(w.n.Count())
		batch = b.scaled(variance, n/max(n-1, 1))
	}
	row := func(v Value) Value { return w.as(v, w.n.Params) }
	next := []Value{
		b.Op("Add", nil, b.scaled(c.Input(3), keep), b.scaled(row(mean), take)),
		b.Op("Add", nil, b.scaled(c.Input(4), keep), b.scaled(row(batch), take)),
	}
	next = b.unlessSkipped(c, 5, []Value{c.Input(3), c.Input(4)}, next)
	y := w.affine(b.Op("Mul", nil, centred, inv), c.Input(1), c.Input(2), c.In[0].Shape)
	return []Value{y, next[0], next[1], row(mean), row(inv)}
}

func decomposeNormGrad(b *Builder, c *Call) []Value {
	w, dy, x, scale := c.normal(b), c.Input(0), c.Input(1), c.Input(2)
	centre := c.Op.Name != "RMSNormalizationGrad"
	var centred, inv Value
	if len(c.Op.Inputs) > 3 {
		same := Attrs{"to": S(x.Type.DType.String())}
		centred = b.Op("Sub", nil, w.grouped(x), w.statistics(b.Op("Cast", same, c.Input(3))))
		inv = w.statistics(b.Op("Cast", same, c.Input(4)))
	} else {
		centred, _, _, inv = w.moments(x, c.Float("epsilon"), centre)
	}
	hat := b.Op("Mul", nil, centred, inv)
	g := w.grouped(b.Op("Mul", nil, w.byParameter(dy), w.parameter(scale)))
	d := g
	if centre {
		d = b.Op("Sub", nil, d, w.mean(g))
	}
	d = b.Op("Sub", nil, d, b.Op("Mul", nil, hat, w.mean(b.Op("Mul", nil, g, hat))))
	s := scale.Type.Shape
	out := []Value{w.as(b.Op("Mul", nil, inv, d), x.Type.Shape...), w.total(b.Op("Mul", nil, w.grouped(dy), hat), s)}
	if centre {
		out = append(out, w.total(dy, s))
	}
	return out
}
