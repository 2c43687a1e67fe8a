package workloads

import (
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Optimizer is an optimizer op with its settings. Those that are not of its
// kind stay zero.
type Optimizer struct {
	Kind        string  `yaml:"kind"` // sgd, adam, adamw or rmsprop
	LR          float64 `yaml:"lr"`
	Momentum    float64 `yaml:"momentum"`  // sgd, rmsprop
	Dampening   float64 `yaml:"dampening"` // sgd: what a gradient lacks of its whole in the velocity
	Nesterov    bool    `yaml:"nesterov"`  // sgd
	Beta1       float64 `yaml:"beta1"`     // adam, adamw
	Beta2       float64 `yaml:"beta2"`     // adam, adamw
	Alpha       float64 `yaml:"alpha"`     // rmsprop: decay of the squares' average
	Centered    bool    `yaml:"centered"`  // rmsprop: by the variance in place of the squares
	Epsilon     float64 `yaml:"epsilon"`   // all but sgd
	WeightDecay float64 `yaml:"weight_decay"`
	NoDecay     []Kind  `yaml:"no_decay"`  // parameters that weight_decay leaves alone
	ClipNorm    float64 `yaml:"clip_norm"` // the largest norm of all gradients together; 0 for no limit
}

// optimizerOps are the optimizers' rows in the op table.
var optimizerOps = map[string]string{"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop"}

func (o Optimizer) op() string { return optimizerOps[o.Kind] }

// adaptive says whether the optimizer is of Adam's family.
func (o Optimizer) adaptive() bool { return o.Kind == "adam" || o.Kind == "adamw" }

// slots are the optimizer's state beside each parameter, in the order of the
// op's inputs; "" for one that the settings leave out.
func (o Optimizer) slots() []string {
	switch {
	case o.adaptive():
		return []string{"m", "v"}
	case o.Kind == "sgd":
		return []string{"velocity"}
	}
	list := []string{"square_avg", "", ""}
	if o.Momentum > 0 {
		list[1] = "momentum_buffer"
	}
	if o.Centered {
		list[2] = "grad_avg"
	}
	return list
}

// attrs are the op's attributes for one parameter.
func (o Optimizer) attrs(p Param) graph.Attrs {
	a := graph.Attrs{"weight_decay": graph.F(o.decayOf(p))}
	flag := func(name string, on bool) {
		if on {
			a[name] = graph.I(1)
		}
	}
	switch {
	case o.adaptive():
		a["beta1"], a["beta2"], a["epsilon"] = graph.F(o.Beta1), graph.F(o.Beta2), graph.F(o.Epsilon)
	case o.Kind == "sgd":
		a["momentum"] = graph.F(o.Momentum)
		if o.Dampening > 0 {
			a["dampening"] = graph.F(o.Dampening)
		}
		flag("nesterov", o.Nesterov)
	default:
		a["alpha"], a["epsilon"], a["momentum"] = graph.F(o.Alpha), graph.F(o.Epsilon), graph.F(o.Momentum)
		flag("centered", o.Centered)
	}
	return a
}

func (o Optimizer) decayOf(p Param) float64 {
	if slices.Contains(o.NoDecay, p.Kind) {
		return 0
	}
	return o.WeightDecay
}

// update writes the end of a training step, the optimizer's nodes: every
// parameter takes its next value, and so do the optimizer's slots, which are
// state named by the parameter, and the averages if the recipe keeps them.
func (r *Recipe) update(n *Net, params []Param, values, grads []graph.Value, lr graph.Value) {
	grads = r.Optimizer.clip(n, grads)
	for i, p := range params {
		n.Scoped("update."+p.Name, func() { r.Optimizer.update(n, p, values[i], grads[i], lr) })
	}
	if r.EMA > 0 {
		n.average(r.EMA)
	}
	n.count()
}

// clip scales all gradients by one factor where their common norm is above the
// limit (Pascanu, Mikolov and Bengio 2013, algorithm 1).
func (o Optimizer) clip(n *Net, grads []graph.Value) []graph.Value {
	if o.ClipNorm == 0 || n.Err() != nil {
		return grads
	}
	out := make([]graph.Value, len(grads))
	n.Scoped("clip", func() {
		norm := n.Op("GlobalNorm", nil, grads...)
		for i, g := range grads {
			out[i] = n.Op("ClipByNorm", graph.Attrs{"max_norm": graph.F(o.ClipNorm)}, g, norm)
		}
	})
	return out
}

func (o Optimizer) update(n *Net, p Param, value, grad, lr graph.Value) {
	state, in, last := []graph.Value{value}, []graph.Value{value, grad}, 0
	for i, slot := range o.slots() {
		var v graph.Value // of an input that is left out
		if slot != "" {
			v, last = n.State(p.Name+"."+slot, p.Type), i+1
		}
		state, in = append(state, v), append(in, v)
	}
	if o.Dampening > 0 {
		in[2] = o.undamped(n, p, value, grad, in[2])
	}
	if o.adaptive() {
		in = append(in, n.Step())
	}
	for i, next := range n.OpN(o.op(), o.attrs(p), last+1, append(in, lr, n.skip)...) {
		if state[i].Name != "" {
			n.Update(state[i], next)
		}
	}
}

// undamped is the velocity that makes the first one the whole gradient, as
// PyTorch's is: there dampening begins with the second step. The op makes
// momentum·v + (1-dampening)·g of it, so that v = g·dampening/momentum.
func (o Optimizer) undamped(n *Net, p Param, value, grad, velocity graph.Value) graph.Value {
	if n.Err() != nil {
		return velocity
	}
	f32 := tensor.F32
	if wd := o.decayOf(p); wd != 0 {
		grad = n.Op("Add", nil, grad, n.Op("Mul", nil, value, n.Scalar(f32, wd)))
	}
	first := n.Op("Equal", nil, n.Step(), n.Scalar(tensor.S64, 0))
	share := n.Op("Where", nil, first, n.Scalar(f32, o.Dampening/o.Momentum), n.Scalar(f32, 0))
	return n.unlessSkipped(velocity, n.Op("Add", nil, velocity, n.Op("Mul", nil, grad, share)))
}

// averageSuffix ends the names of the averages' state.
const averageSuffix = ".ema"

// average keeps an exponential moving average beside every tensor of the
// network, running statistics too: what is evaluated. It begins at the first
// parameters (Polyak and Juditsky 1992 average; with a decay, Tarvainen and
// Valpola 2017).
func (n *Net) average(decay float64) {
	for _, p := range n.params {
		n.Scoped("average."+p.Name, func() {
			old := n.State(p.Name+averageSuffix, p.Type)
			n.Update(old, n.Op("ExponentialMovingAverage", graph.Attrs{"decay": graph.F(decay)}, old, n.next[p.Name], n.skip))
		})
	}
}
