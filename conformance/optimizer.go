package conformance

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Optimizers: single steps, steps that are skipped, and trajectories whose
// every step is judged from the backend's own state.

func expectSlot(s *site) (*expectation, error) {
	if s.skipped() {
		return exact.expect(s)
	}
	twin, err := s.twin()
	if err != nil {
		return nil, err
	}
	limit := make([]float64, len(twin.Data))
	for i, b := range twin.Data {
		limit[i] = 8*s.u()*b + minNormal(s.dtype())
	}
	return &expectation{want: s.want.Data, limit: limit}, nil
}

// skipped: a skipped step leaves everything bit-unchanged.
func (s *site) skipped() bool {
	last := len(s.call.Op.Inputs) - 1
	skip := s.in(last)
	return skip != nil && skip.Data[0] != 0
}

func expectStep(s *site) (*expectation, error) {
	if s.skipped() {
		return exact.expect(s)
	}
	delta, err := stepTwins[s.call.Op.Name](s)
	if err != nil {
		return nil, err
	}
	p, limit := s.in(0), make([]float64, len(s.want.Data))
	for i := range limit {
		limit[i] = s.u()*(2*math.Abs(p.Data[i])+8*delta[i]) + minNormal(s.dtype())
	}
	return &expectation{want: s.want.Data, limit: limit}, nil
}

// stepTwins give the abs twin of |p′ − p| by optimizer.
var stepTwins = map[string]func(s *site) ([]float64, error){
	// Linear: on magnitudes p′ = |p| − |lr|·direction.
	"SGD": func(s *site) ([]float64, error) {
		twin, err := s.twin()
		if err != nil {
			return nil, err
		}
		p, delta := s.in(0), make([]float64, len(twin.Data))
		for i := range delta {
			delta[i] = math.Abs(p.Data[i]) - twin.Data[i]
		}
		return delta, nil
	},
	// The numerator cancels as m does, and under the root v may have come from
	// a g′ that cancelled.
	"Adam": func(s *site) ([]float64, error) {
		c := s.call
		b1, b2, eps, decay := c.Float("beta1"), c.Float("beta2"), c.Float("epsilon"), c.Float("weight_decay")
		t := s.in(4).Data[0] + 1
		p, g, m, v, lr := s.in(0), s.in(1), s.in(2), s.in(3), math.Abs(s.in(5).Data[0])
		delta := make([]float64, len(p.Data))
		for i := range delta {
			grad, gradTwin := g.Data[i]+decay*p.Data[i], math.Abs(g.Data[i])+decay*math.Abs(p.Data[i])
			mTwin := (b1*math.Abs(m.Data[i]) + (1-b1)*gradTwin) / -math.Expm1(t*math.Log(b1))
			v2, v2Twin := b2*v.Data[i]+(1-b2)*grad*grad, b2*v.Data[i]+(1-b2)*gradTwin*gradTwin
			cancelled := 1.0
			if v2 > 0 {
				cancelled = v2Twin / v2
			}
			delta[i] = cancelled * lr * mTwin / (math.Sqrt(v2/-math.Expm1(t*math.Log(b2))) + eps)
		}
		return delta, nil
	},
}

// optimizer is a row: hyperparameters of one of the ops.
type optimizer struct {
	op    string
	attrs graph.Attrs
	tag   string
}

var optimizers = []optimizer{
	{"SGD", graph.Attrs{"momentum": graph.F(0.9)}, "momentum=0.9"},
	{"SGD", nil, "plain"},
	{"SGD", graph.Attrs{"momentum": graph.F(0.9), "nesterov": graph.I(1), "weight_decay": graph.F(5e-4)}, "momentum=0.9,nesterov=1,decay=5e-4"},
	{"SGD", graph.Attrs{"momentum": graph.F(0.8), "dampening": graph.F(0.3), "weight_decay": graph.F(0.1)}, "momentum=0.8,dampening=0.3,decay=0.1"},
	{"Adam", nil, "default"},
	{"Adam", graph.Attrs{"beta1": graph.F(0.8), "beta2": graph.F(0.9), "epsilon": graph.F(1e-3), "weight_decay": graph.F(0.01)}, "beta1=0.8,beta2=0.9,eps=1e-3,decay=0.01"},
}

var parameterShapes = []tensor.Shape{{16, 6, 5, 5}, {37}, {1}, {129, 3}}

// slots are the fills of an optimizer's slots by op, in the order of the op's
// inputs after param and grad.
var slots = map[string][]input{
	"SGD":  {{name: "velocity", fill: normal(1)}},
	"Adam": {{name: "m", fill: normal(0.1)}, {name: "v", fill: each(func(r *rng) float64 { x := r.normal(); return 0.01 * x * x })}},
}

func optimizerCases() []*Case {
	var all []*Case
	nth := map[string]int{}
	for _, o := range optimizers {
		for i, s := range parameterShapes {
			e := effortOf(tensor.F32, i+nth[o.op])
			all = append(all, o.step(s, e), o.skip(s, max(e, Quick)), o.tiny(s, max(e, Quick)))
			if i == 0 {
				all = append(all, o.trajectory(s, max(e, Quick)))
			}
		}
		if nth[o.op] == 0 {
			all = append(all, o.step(tensor.Shape{70001}, Quick)) // large, see flatShapes
		}
		nth[o.op]++
	}
	return all
}

// inputs are param, grad, the slots, the step counter where there is one, lr.
func (o optimizer) inputs(s tensor.Shape, grad fill, r role) []input {
	typ := tensor.Type{DType: tensor.F32, Shape: s}
	in := []input{{name: "param", typ: typ, fill: normal(1), role: r}, {name: "grad", typ: typ, fill: grad}}
	for _, slot := range slots[o.op] {
		slot.typ, slot.role = typ, r
		in = append(in, slot)
	}
	if o.op == "Adam" {
		in = append(in, input{name: "step", typ: tensor.T(tensor.S64), fill: integers(0, 20)})
	}
	return append(in, input{name: "lr", typ: tensor.T(tensor.F32), fill: uniform(0.01, 0.1)})
}

func (o optimizer) outputs() int { return 1 + len(slots[o.op]) }

func (o optimizer) make(class string, s tensor.Shape, e Effort, subject *opSubject) *Case {
	return &Case{
		Op: o.op, DType: tensor.F32, Params: params("p="+s.String(), o.tag), Class: class, Suite: TrainingCore, Effort: e, Required: true,
		bound:   own(o.op),
		subject: subject,
	}
}

func (o optimizer) step(s tensor.Shape, e Effort) *Case {
	return o.make("real", s, e, &opSubject{inputs: o.inputs(s, normal(1), fed), apply: single(o.op, o.attrs, o.outputs())})
}

// tiny has gradients around Adam's ε, and fresh slots.
func (o optimizer) tiny(s tensor.Shape, e Effort) *Case {
	in := o.inputs(s, each(func(r *rng) float64 { return r.sign() * math.Exp2(-30+8*r.float()) }), fed)
	for i := range in {
		if in[i].name == "m" || in[i].name == "v" || in[i].name == "velocity" || in[i].name == "step" {
			in[i].fill = constant(0)
		}
		if in[i].name == "param" {
			in[i].fill = normal(1e-3)
		}
	}
	return o.make("tiny-gradients", s, e, &opSubject{inputs: in, apply: single(o.op, o.attrs, o.outputs())})
}

// skip is drawn: where it is true the step must change nothing. A slot is
// negated first, so that a skipped step is no echo.
func (o optimizer) skip(s tensor.Shape, e Effort) *Case {
	in := append(o.inputs(s, normal(1), fed), input{name: "skip", typ: tensor.T(tensor.Bool), fill: constant(1)})
	return o.make("skipped", s, e, &opSubject{
		inputs: in,
		apply: func(b *graph.Builder, v []graph.Value) []graph.Value {
			args := append([]graph.Value(nil), v...)
			args[0] = b.Op("Neg", nil, v[0])
			return b.OpN(o.op, o.attrs, o.outputs(), args...)
		}})
}

// trajectory keeps parameter and slots as state.
func (o optimizer) trajectory(s tensor.Shape, e Effort) *Case {
	in := o.inputs(s, normal(1), held)
	update := map[int]int{0: 0}
	for i := range slots[o.op] {
		update[1+i] = 2 + i
	}
	c := o.make("trajectory", s, e, &opSubject{inputs: in, apply: single(o.op, o.attrs, o.outputs()), update: update})
	c.steps = 5
	return c
}
