package graph

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// optimizerOps give a parameter's next value. lr is a scalar fed each step;
// skip, if given and true, leaves parameter and slots bit-unchanged.
var optimizerOps = []*Op{
	{
		// g′ = g + weight_decay·p; v′ = momentum·v + (1-dampening)·g′;
		// p′ = p - lr·(nesterov ? g′ + momentum·v′ : v′), as PyTorch has it
		// (Sutskever et al. 2013, with the learning rate outside of v).
		//
		// v starts at 0, and the rule is the same in every step: the first
		// gives v′ = (1-dampening)·g′. PyTorch makes g′ itself, undampened, its
		// first buffer; a program that is to do so takes its first step with
		// dampening 0, by an executable of its own on the same state. Without
		// momentum PyTorch has no buffer and heeds no dampening: leave it 0.
		Name: "SGD", Domain: Own, Version: 1,
		Inputs: []Param{{Name: "param", Types: Floats, Var: "T"}, {Name: "grad", Types: Floats, Var: "T"},
			{Name: "velocity", Types: Floats, Var: "T"}, {Name: "lr", Types: Floats, Var: "T"},
			{Name: "skip", Types: Bools, Optional: true}},
		Outputs: []Param{{Name: "next_param", Types: Floats, Var: "T"}, {Name: "next_velocity", Types: Floats, Var: "T"}},
		Attrs: []AttrSpec{{Name: "momentum", Kind: Float, Default: F(0)}, {Name: "dampening", Kind: Float, Default: F(0)},
			{Name: "weight_decay", Kind: Float, Default: F(0)}, {Name: "nesterov", Kind: Int, Default: I(0)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			return []tensor.Type{c.In[0], c.In[0]}, c.checkOptimizer(3, 3, 4)
		},
		Work:      func(c *Call) int64 { return 6 * elements(c.Out[0]) },
		Decompose: decomposeSGD,
	},
	// Adam (Kingma and Ba 2015, algorithm 1), step counted from 0 before this
	// update, so t = step + 1; weight_decay is added to the gradient.
	adam("Adam", 0, decomposeAdam),
	// Adam with decoupled weight decay (Loshchilov and Hutter 2019,
	// algorithm 2): p′ = p - lr·weight_decay·p - lr·m̂/(√v̂ + epsilon).
	adam("AdamW", 0.01, decomposeAdamW),
	{
		// RMSprop as PyTorch has it: g′ = g + weight_decay·p,
		// s′ = alpha·s + (1-alpha)·g′², a′ = alpha·a + (1-alpha)·g′,
		// b′ = momentum·b + g′/(√(centered ? s′ - a′² : s′) + epsilon),
		// p′ = p - lr·b′ (Tieleman and Hinton 2012; centered: Graves 2013).
		// A slot left out is zero: b without momentum, a unless centered.
		Name: "RMSprop", Domain: Own, Version: 1,
		Inputs: []Param{{Name: "param", Types: Floats, Var: "T"}, {Name: "grad", Types: Floats, Var: "T"},
			{Name: "square_avg", Types: Floats, Var: "T"}, {Name: "momentum_buffer", Types: Floats, Var: "T", Optional: true},
			{Name: "grad_avg", Types: Floats, Var: "T", Optional: true}, {Name: "lr", Types: Floats, Var: "T"},
			{Name: "skip", Types: Bools, Optional: true}},
		Outputs: []Param{{Name: "next_param", Types: Floats, Var: "T"}, {Name: "next_square_avg", Types: Floats, Var: "T"},
			{Name: "next_momentum_buffer", Types: Floats, Var: "T", Optional: true}, {Name: "next_grad_avg", Types: Floats, Var: "T", Optional: true}},
		Attrs: []AttrSpec{{Name: "alpha", Kind: Float, Default: F(0.99)}, {Name: "epsilon", Kind: Float, Default: F(1e-8)},
			{Name: "momentum", Kind: Float, Default: F(0)}, {Name: "weight_decay", Kind: Float, Default: F(0)}, {Name: "centered", Kind: Int, Default: I(0)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			switch {
			case c.Float("momentum") != 0 && !c.Has(3):
				return nil, fmt.Errorf("input momentum_buffer is missing: momentum is %v", c.Float("momentum"))
			case c.Int("centered") != 0 && !c.Has(4):
				return nil, fmt.Errorf("input grad_avg is missing: centered is 1")
			}
			return []tensor.Type{c.In[0], c.In[0], c.In[0], c.In[0]}, c.checkOptimizer(5, 5, 6)
		},
		Work:      func(c *Call) int64 { return 12 * elements(c.Out[0]) },
		Decompose: decomposeRMSprop,
	},
	{
		// decay·average + (1-decay)·value: weights to evaluate with.
		Name: "ExponentialMovingAverage", Domain: Own, Version: 1,
		Inputs: []Param{{Name: "average", Types: Floats, Var: "T"}, {Name: "value", Types: Floats, Var: "T"},
			{Name: "skip", Types: Bools, Optional: true}},
		Outputs: []Param{{Name: "next_average", Types: Floats, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "decay", Kind: Float, Required: true}},
		Infer:   func(c *Call) ([]tensor.Type, error) { return c.In[:1], c.checkOptimizer(2, 2, 2) },
		Work:    func(c *Call) int64 { return 3 * elements(c.Out[0]) },
		Decompose: func(b *Builder, c *Call) []Value {
			d := c.Float("decay")
			next := b.Op("Add", nil, b.scaled(c.Input(0), d), b.scaled(c.Input(1), 1-d))
			return b.unlessSkipped(c, 2, []Value{c.Input(0)}, []Value{next})
		},
	},
}

// adam is the row of Adam or a kind of it.
func adam(name string, decay float64, decompose func(*Builder, *Call) []Value) *Op {
	return &Op{
		Name: name, Domain: Own, Version: 1,
		Inputs: []Param{{Name: "param", Types: Floats, Var: "T"}, {Name: "grad", Types: Floats, Var: "T"},
			{Name: "m", Types: Floats, Var: "T"}, {Name: "v", Types: Floats, Var: "T"},
			{Name: "step", Types: Int64s}, {Name: "lr", Types: Floats, Var: "T"},
			{Name: "skip", Types: Bools, Optional: true}},
		Outputs: []Param{{Name: "next_param", Types: Floats, Var: "T"}, {Name: "next_m", Types: Floats, Var: "T"},
			{Name: "next_v", Types: Floats, Var: "T"}},
		Attrs: []AttrSpec{{Name: "beta1", Kind: Float, Default: F(0.9)}, {Name: "beta2", Kind: Float, Default: F(0.999)},
			{Name: "epsilon", Kind: Float, Default: F(1e-8)}, {Name: "weight_decay", Kind: Float, Default: F(decay)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			return []tensor.Type{c.In[0], c.In[0], c.In[0]}, c.checkOptimizer(4, 4, 6)
		},
		Work:      func(c *Call) int64 { return 14 * elements(c.Out[0]) },
		Decompose: decompose,
	}
}

// checkOptimizer wants inputs below same to have param's shape, those from
// scalar up to last to be scalars.
func (c *Call) checkOptimizer(same, scalar, last int) error {
	for i := range c.In {
		if !c.Has(i) {
			continue
		}
		name := c.Op.Inputs[i].Name
		if i < same && !c.In[i].Shape.Equal(c.In[0].Shape) {
			return fmt.Errorf("%s is %v, param is %v", name, c.In[i].Shape, c.In[0].Shape)
		}
		if i >= scalar && i <= last && len(c.In[i].Shape) != 0 {
			return fmt.Errorf("%s is %v, want a scalar", name, c.In[i].Shape)
		}
	}
	return nil
}

// decay is grad + weight_decay·param.
func (b *Builder) decay(c *Call) Value {
	g := c.Input(1)
	if wd := c.Float("weight_decay"); wd != 0 {
		g = b.Op("Add", nil, g, b.scaled(c.Input(0), wd))
	}
	return g
}

// unlessSkipped keeps the old values where skip (input i) is given and true.
func (b *Builder) unlessSkipped(c *Call, i int, old, next []Value) []Value {
	if !c.Has(i) {
		return next
	}
	out := make([]Value, len(next))
	for j := range next {
		out[j] = b.Op("Where", nil, c.Input(i), old[j], next[j])
	}
	return out
}

func decomposeSGD(b *Builder, c *Call) []Value {
	p, v, lr := c.Input(0), c.Input(2), c.Input(3)
	mu := c.Float("momentum")
	g := b.decay(c)
	v2 := b.Op("Add", nil, b.scaled(v, mu), b.scaled(g, 1-c.Float("dampening")))
	dir := v2
	if c.Int("nesterov") != 0 {
		dir = b.Op("Add", nil, g, b.scaled(v2, mu))
	}
	p2 := b.Op("Sub", nil, p, b.Op("Mul", nil, dir, lr))
	return b.unlessSkipped(c, 4, []Value{p, v}, []Value{p2, v2})
}

func decomposeAdam(b *Builder, c *Call) []Value {
	p := c.Input(0)
	step, m, v := b.adamStep(c, b.decay(c))
	return b.unlessSkipped(c, 6, []Value{p, c.Input(2), c.Input(3)}, []Value{b.Op("Sub", nil, p, step), m, v})
}

func decomposeAdamW(b *Builder, c *Call) []Value {
	p := c.Input(0)
	step, m, v := b.adamStep(c, c.Input(1))
	if wd := c.Float("weight_decay"); wd != 0 {
		step = b.Op("Add", nil, step, b.Op("Mul", nil, p, b.scaled(c.Input(5), wd)))
	}
	return b.unlessSkipped(c, 6, []Value{p, c.Input(2), c.Input(3)}, []Value{b.Op("Sub", nil, p, step), m, v})
}

// adamStep is lr·m̂/(√v̂ + epsilon) and both moments.
func (b *Builder) adamStep(c *Call, g Value) (step, m, v Value) {
	d := g.Type.DType
	b1, b2 := c.Float("beta1"), c.Float("beta2")
	m = b.Op("Add", nil, b.scaled(c.Input(2), b1), b.scaled(g, 1-b1))
	v = b.Op("Add", nil, b.scaled(c.Input(3), b2), b.scaled(b.Op("Mul", nil, g, g), 1-b2))
	t := b.Op("Add", nil, b.Op("Cast", Attrs{"to": S(d.String())}, c.Input(4)), b.Scalar(d, 1))
	mHat := b.Op("Div", nil, m, b.biasCorrection(t, b1))
	vHat := b.Op("Div", nil, v, b.biasCorrection(t, b2))
	den := b.Op("Add", nil, b.Op("Sqrt", nil, vHat), b.Scalar(d, c.Float("epsilon")))
	return b.Op("Div", nil, b.Op("Mul", nil, c.Input(5), mHat), den), m, v
}

func decomposeRMSprop(b *Builder, c *Call) []Value {
	p, lr := c.Input(0), c.Input(5)
	zero := b.Scalar(p.Type.DType, 0)
	slot := func(i int) Value { // a slot left out is zero
		if !c.Has(i) {
			return zero
		}
		return c.Input(i)
	}
	alpha := c.Float("alpha")
	g := b.decay(c)
	average := func(old, v Value) Value { return b.Op("Add", nil, b.scaled(old, alpha), b.scaled(v, 1-alpha)) }
	s, a := average(c.Input(2), b.Op("Mul", nil, g, g)), average(slot(4), g)
	variance := s
	if c.Int("centered") != 0 {
		variance = b.Op("Sub", nil, s, b.Op("Mul", nil, a, a))
	}
	den := b.Op("Add", nil, b.Op("Sqrt", nil, variance), b.Scalar(p.Type.DType, c.Float("epsilon")))
	buffer := b.Op("Add", nil, b.scaled(slot(3), c.Float("momentum")), b.Op("Div", nil, g, den))
	next := b.Op("Sub", nil, p, b.Op("Mul", nil, lr, buffer))
	return b.unlessSkipped(c, 6, []Value{p, c.Input(2), slot(3), slot(4)}, []Value{next, s, buffer, a})
}

// biasCorrection is 1 - beta^t = -expm1(x), x = t·log beta. Written as
// -2h/(1 - h) with h = tanh(x/2): 1 - exp(x) would cancel, leaving a relative
// error of u/(1 - beta) in the first steps.
func (b *Builder) biasCorrection(t Value, beta float64) Value {
	d := t.Type.DType
	h := b.Op("Tanh", nil, b.scaled(t, math.Log(beta)/2))
	return b.Op("Div", nil, b.scaled(h, -2), b.Op("Sub", nil, b.Scalar(d, 1), h))
}
