package conformance

import (
	"math"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Optimizers: single steps, steps that are skipped, and trajectories whose
// every step is judged from the backend's own state.

func expectSlot(s *site) (*expectation, error) {
	if s.skipped() {
		return exact.expect(s)
	}
	limit := make([]float64, len(s.want.Data))
	if s.call.Op.Name == "RMSprop" && s.index == 2 { // not linear in the gradient
		for i, b := range s.rmsBuffer() {
			limit[i] = 8*s.u()*b + minNormal(s.dtype())
		}
		return &expectation{want: s.want.Data, limit: limit}, nil
	}
	twin, err := s.twin()
	if err != nil {
		return nil, err
	}
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
	roundings := 2.0
	if s.call.Op.Name == "AdamW" {
		roundings = 3
	}
	for i := range limit {
		limit[i] = s.u()*(roundings*math.Abs(p.Data[i])+8*delta[i]) + minNormal(s.dtype())
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
	"Adam":  func(s *site) ([]float64, error) { return s.adamStep(s.call.Float("weight_decay"), 0), nil },
	"AdamW": func(s *site) ([]float64, error) { return s.adamStep(0, s.call.Float("weight_decay")), nil },
	"RMSprop": func(s *site) ([]float64, error) {
		delta, lr := s.rmsBuffer(), math.Abs(s.in(5).Data[0])
		for i := range delta {
			delta[i] *= lr
		}
		return delta, nil
	},
}

// adamStep has decay in the gradient or decoupled from it.
func (s *site) adamStep(coupled, decoupled float64) []float64 {
	c := s.call
	b1, b2, eps := c.Float("beta1"), c.Float("beta2"), c.Float("epsilon")
	t := s.in(4).Data[0] + 1
	p, g, m, v, lr := s.in(0), s.in(1), s.in(2), s.in(3), math.Abs(s.in(5).Data[0])
	delta := make([]float64, len(p.Data))
	for i := range delta {
		grad, gradTwin := g.Data[i]+coupled*p.Data[i], math.Abs(g.Data[i])+coupled*math.Abs(p.Data[i])
		mTwin := (b1*math.Abs(m.Data[i]) + (1-b1)*gradTwin) / -math.Expm1(t*math.Log(b1))
		v2, v2Twin := b2*v.Data[i]+(1-b2)*grad*grad, b2*v.Data[i]+(1-b2)*gradTwin*gradTwin
		cancelled := 1.0
		if v2 > 0 {
			cancelled = v2Twin / v2
		}
		delta[i] = cancelled*lr*mTwin/(math.Sqrt(v2/-math.Expm1(t*math.Log(b2)))+eps) + lr*decoupled*math.Abs(p.Data[i])
	}
	return delta
}

// rmsBuffer is the abs twin of momentum·b + g′/(√variance + ε): the variance
// cancels as g′ does, and centered as its difference does.
func (s *site) rmsBuffer() []float64 {
	c := s.call
	alpha, eps, decay, momentum := c.Float("alpha"), c.Float("epsilon"), c.Float("weight_decay"), c.Float("momentum")
	p, g, square := s.in(0), s.in(1), s.in(2)
	slot := func(input, i int) float64 {
		if x := s.in(input); x != nil {
			return x.Data[i]
		}
		return 0
	}
	twin := make([]float64, len(p.Data))
	for i := range twin {
		grad, gradTwin := g.Data[i]+decay*p.Data[i], math.Abs(g.Data[i])+decay*math.Abs(p.Data[i])
		variance, varianceTwin := alpha*square.Data[i]+(1-alpha)*grad*grad, alpha*square.Data[i]+(1-alpha)*gradTwin*gradTwin
		if c.Int("centered") != 0 {
			mean, meanTwin := alpha*slot(4, i)+(1-alpha)*grad, alpha*math.Abs(slot(4, i))+(1-alpha)*gradTwin
			variance, varianceTwin = variance-mean*mean, varianceTwin+meanTwin*meanTwin
		}
		cancelled := 1.0
		if variance > 0 {
			cancelled = varianceTwin / variance
		}
		twin[i] = momentum*math.Abs(slot(3, i)) + cancelled*gradTwin/(math.Sqrt(variance)+eps)
	}
	return twin
}

// optimizer is a row: hyperparameters of one of the ops.
type optimizer struct {
	op    string
	attrs graph.Attrs
	tag   string
	dtype tensor.DType // f32 if left out
}

var optimizers = []optimizer{
	{op: "SGD", attrs: graph.Attrs{"momentum": graph.F(0.9)}, tag: "momentum=0.9"},
	{op: "SGD", tag: "plain"},
	{op: "SGD", attrs: graph.Attrs{"momentum": graph.F(0.9), "nesterov": graph.I(1), "weight_decay": graph.F(5e-4)}, tag: "momentum=0.9,nesterov=1,decay=5e-4"},
	{op: "SGD", attrs: graph.Attrs{"momentum": graph.F(0.8), "dampening": graph.F(0.3), "weight_decay": graph.F(0.1)}, tag: "momentum=0.8,dampening=0.3,decay=0.1"},
	{op: "Adam", tag: "default"},
	{op: "Adam", attrs: graph.Attrs{"beta1": graph.F(0.8), "beta2": graph.F(0.9), "epsilon": graph.F(1e-3), "weight_decay": graph.F(0.01)}, tag: "beta1=0.8,beta2=0.9,eps=1e-3,decay=0.01"},
	{op: "AdamW", tag: "default"},
	{op: "AdamW", attrs: graph.Attrs{"beta1": graph.F(0.8), "beta2": graph.F(0.9), "epsilon": graph.F(1e-3), "weight_decay": graph.F(0.3)}, tag: "beta1=0.8,beta2=0.9,eps=1e-3,decay=0.3"},
	{op: "RMSprop", tag: "default"},
	{op: "RMSprop", attrs: graph.Attrs{"alpha": graph.F(0.9), "epsilon": graph.F(1e-3), "momentum": graph.F(0.9), "weight_decay": graph.F(0.1)}, tag: "alpha=0.9,eps=1e-3,momentum=0.9,decay=0.1"},
	{op: "RMSprop", attrs: graph.Attrs{"centered": graph.I(1), "alpha": graph.F(0.9)}, tag: "centered=1,alpha=0.9"},
	{op: "RMSprop", attrs: graph.Attrs{"centered": graph.I(1), "momentum": graph.F(0.5)}, tag: "centered=1,momentum=0.5"},
	{op: "ExponentialMovingAverage", attrs: graph.Attrs{"decay": graph.F(0.9)}, tag: "decay=0.9"},
	{op: "ExponentialMovingAverage", attrs: graph.Attrs{"decay": graph.F(0.999)}, tag: "decay=0.999"},
}

var parameterShapes = []tensor.Shape{{16, 6, 5, 5}, {37}, {1}, {129, 3}}

// slots are the fills of an optimizer's slots, which exist where the
// hyperparameters want them. No variance cancels.
func (o optimizer) slots() []input {
	switch o.op {
	case "SGD":
		return []input{{name: "velocity", fill: normal(1)}}
	case "Adam", "AdamW":
		return []input{{name: "m", fill: normal(0.1)}, {name: "v", fill: each(func(r *rng) float64 { x := r.normal(); return 0.01 * x * x })}}
	case "RMSprop":
		list := []input{{name: "square_avg", fill: each(func(r *rng) float64 { x := r.normal(); return 0.05 + 0.1*x*x })}}
		if _, ok := o.attrs["momentum"]; ok {
			list = append(list, input{name: "momentum_buffer", fill: normal(1)})
		}
		if _, ok := o.attrs["centered"]; ok {
			list = append(list, input{name: "grad_avg", fill: uniform(-0.15, 0.15)})
		}
		return list
	}
	return nil
}

func optimizerCases() []*Case {
	var all []*Case
	nth := map[string]int{}
	for _, o := range optimizers {
		for i, s := range parameterShapes {
			e := effortOf(tensor.F32, i+nth[o.op])
			if i > 1 && nth[o.op] > 0 {
				e = Standard
			}
			all = append(all, o.step(s, e), o.skip(s, max(e, Quick)))
			if o.op != "ExponentialMovingAverage" {
				all = append(all, o.tiny(s, max(e, Quick)))
			}
			if i == 0 {
				wide := o
				wide.dtype = tensor.F64
				all = append(all, o.trajectory(s, max(e, Quick)), wide.step(s, Standard))
				for _, d := range narrowFloats {
					narrow := o
					narrow.dtype = d
					all = append(all, narrow.step(s, max(Quick, e)), narrow.skip(s, Standard), narrow.trajectory(s, Standard))
				}
			}
		}
		if nth[o.op] == 0 {
			all = append(all, o.step(tensor.Shape{70001}, Quick)) // large, see flatShapes
		}
		nth[o.op]++
	}
	return all
}

// inputs are param, grad, the slots, the step counter where there is one, lr;
// of a moving average, that and the value.
func (o optimizer) inputs(s tensor.Shape, grad fill, r role) []input {
	typ := tensor.Type{DType: o.d(), Shape: s}
	if o.op == "ExponentialMovingAverage" {
		return []input{{name: "average", typ: typ, fill: normal(1), role: r}, {name: "value", typ: typ, fill: grad}}
	}
	in := []input{{name: "param", typ: typ, fill: normal(1), role: r}, {name: "grad", typ: typ, fill: grad}}
	for _, slot := range o.slots() {
		slot.typ, slot.role = typ, r
		in = append(in, slot)
	}
	if o.op == "Adam" || o.op == "AdamW" {
		in = append(in, input{name: "step", typ: tensor.T(tensor.S64), fill: integers(0, 20)})
	}
	return append(in, input{name: "lr", typ: tensor.T(o.d()), fill: uniform(0.01, 0.1)})
}

func (o optimizer) d() tensor.DType {
	if o.dtype == tensor.Invalid {
		return tensor.F32
	}
	return o.dtype
}

// outputs is how many the op is asked for: all up to the last slot's.
func (o optimizer) outputs(in []input) int {
	n := 1
	for i, p := range graph.Lookup(graph.Own, o.op).Outputs {
		if slices.ContainsFunc(in, func(x input) bool { return "next_"+x.name == p.Name }) {
			n = i + 1
		}
	}
	return n
}

// apply hands the inputs over by their names in the signature.
func (o optimizer) apply(in []input) func(*graph.Builder, []graph.Value) []graph.Value {
	return func(b *graph.Builder, v []graph.Value) []graph.Value {
		params := graph.Lookup(graph.Own, o.op).Inputs
		args := make([]graph.Value, len(params))
		for i, p := range params {
			if k := slices.IndexFunc(in, func(x input) bool { return x.name == p.Name }); k >= 0 {
				args[i] = v[k]
			}
		}
		return b.OpN(o.op, o.attrs, o.outputs(in), args...)
	}
}

func (o optimizer) make(class string, s tensor.Shape, e Effort, subject *opSubject) *Case {
	return &Case{
		Op: o.op, DType: o.d(), Params: params("p="+s.String(), o.tag), Class: class, Suite: TrainingCore, Effort: e, Required: o.d() == tensor.F32,
		bound:   own(o.op),
		subject: subject,
	}
}

func (o optimizer) step(s tensor.Shape, e Effort) *Case {
	in := o.inputs(s, normal(1), fed)
	return o.make("real", s, e, &opSubject{inputs: in, apply: o.apply(in)})
}

// tiny has gradients around Adam's ε, and fresh slots.
func (o optimizer) tiny(s tensor.Shape, e Effort) *Case {
	in := o.inputs(s, each(func(r *rng) float64 { return r.sign() * math.Exp2(-30+8*r.float()) }), fed)
	for i := range in {
		switch in[i].name {
		case "param":
			in[i].fill = normal(1e-3)
		case "grad", "lr":
		default:
			in[i].fill = constant(0)
		}
	}
	return o.make("tiny-gradients", s, e, &opSubject{inputs: in, apply: o.apply(in)})
}

// skip is true: the step must change nothing. The parameter is negated first,
// so that a skipped step is no echo.
func (o optimizer) skip(s tensor.Shape, e Effort) *Case {
	in := append(o.inputs(s, normal(1), fed), input{name: "skip", typ: tensor.T(tensor.Bool), fill: constant(1)})
	return o.make("skipped", s, e, &opSubject{
		inputs: in,
		apply: func(b *graph.Builder, v []graph.Value) []graph.Value {
			args := append([]graph.Value(nil), v...)
			args[0] = b.Op("Neg", nil, v[0])
			return o.apply(in)(b, args)
		}})
}

// trajectory keeps parameter and slots as state.
func (o optimizer) trajectory(s tensor.Shape, e Effort) *Case {
	in := o.inputs(s, normal(1), held)
	update := map[int]int{}
	for i, p := range graph.Lookup(graph.Own, o.op).Outputs {
		if k := slices.IndexFunc(in, func(x input) bool { return "next_"+x.name == p.Name }); k >= 0 {
			update[i] = k
		}
	}
	c := o.make("trajectory", s, e, &opSubject{inputs: in, apply: o.apply(in), update: update})
	c.steps = 5
	return c
}
