package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/autodiff"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// differentiated are the classes of cases whose gradients are checked too.
var differentiated = map[string]bool{"real": true, "moved": true}

// Gradient is the gradient check of a case, a case of its own: the op, a
// random weighting of its outputs, and the derivatives by all float inputs as
// autodiff writes them, judged by the program rule. It is nil for cases whose
// op has no gradient, and for all but one class and type of an op.
func (c *Case) Gradient() *Case {
	s, ok := c.subject.(*opSubject)
	if !ok || c.DType != tensor.F32 || !differentiated[c.Class] {
		return nil
	}
	op := graph.Lookup(graph.Std, c.Op)
	if op == nil {
		op = graph.Lookup(graph.Own, c.Op)
	}
	if op == nil || op.Grad == nil {
		return nil
	}
	g := *c
	g.Class, g.Suite, g.bound = "gradient", TrainingCore, every(programRule)
	g.Effort = max(g.Effort, Quick)
	g.subject = &gradientSubject{s}
	return &g
}

// gradientSubject differentiates the program of a single op.
type gradientSubject struct{ op *opSubject }

func (s *gradientSubject) drawn() bool { return false }

// cotangent is the feed that weights output i.
func cotangent(i int) string { return fmt.Sprintf("cotangent%d", i) }

// write builds the program; the first result is the weighted sum, the others
// are the derivatives.
func (s *gradientSubject) write() (*graph.Builder, graph.Value, []graph.Value, error) {
	b := graph.NewBuilder("gradient")
	in := make([]graph.Value, len(s.op.inputs))
	for i, x := range s.op.inputs {
		in[i] = b.Feed(x.name, x.typ)
	}
	results := s.op.apply(b, in)
	var wrt []graph.Value
	for _, v := range in {
		if differentiates(b, v) {
			wrt = append(wrt, v)
		}
	}
	var outputs []graph.Value
	for i, y := range results {
		if y.Type.DType.IsFloat() && (i == 0 || differentiable(b, y)) {
			outputs = append(outputs, y)
		}
	}
	loss := weighted(b, outputs)
	grads, err := autodiff.Gradients(b, loss, wrt)
	return b, loss, grads, err
}

// differentiates tells whether there is a derivative by an input.
func differentiates(b *graph.Builder, v graph.Value) bool {
	for _, c := range b.Calls() {
		for i, in := range c.Inputs {
			if in == v.Name && c.Op.In(i).Fixed {
				return false
			}
		}
	}
	return v.Type.DType.IsFloat()
}

// weighted is a random weighting of outputs as a scalar. It is scaled once
// more, or the gradient of a sum would be the weighting itself, which an echo
// knows.
func weighted(b *graph.Builder, outputs []graph.Value) graph.Value {
	var loss graph.Value
	for i, y := range outputs {
		part := b.Op("ReduceSum", graph.Attrs{"keepdims": graph.I(0)}, b.Op("Mul", nil, y, b.Feed(cotangent(i), y.Type)))
		if i == 0 {
			loss = part
		} else {
			loss = b.Op("Add", nil, loss, part)
		}
	}
	return b.Op("Mul", nil, loss, b.Feed("loss scale", loss.Type))
}

// differentiable leaves out saved outputs (a loss's log-sum-exp), whose
// gradient rows do not define.
func differentiable(b *graph.Builder, y graph.Value) bool {
	for _, c := range b.Calls() {
		for i, out := range c.Outputs {
			if out == y.Name {
				return !c.Op.Out(i).Optional
			}
		}
	}
	return true
}

func (s *gradientSubject) program(Draw) (*graph.Program, error) {
	b, _, grads, err := s.write()
	if err != nil {
		return nil, err
	}
	b.Fetch(grads...)
	p, err := b.Program()
	if err != nil {
		return nil, err
	}
	return pass.Prune(p), nil
}

func (s *gradientSubject) values(d Draw, g *graph.Graph) (Values, error) {
	v := s.op.data(d)
	for _, f := range g.Feeds {
		if v[f.Name] == nil {
			t := tensor.New(f.Type.DType, f.Type.Shape...)
			t.SetFloat64s(normal(1)(d.rng(f.Name), f.Type))
			v[f.Name] = t
		}
	}
	return v, nil
}

// directions is how many random directions a gradient is held against
// differences along.
const directions = 4

// GradientError holds the derivatives of a gradient case against central
// differences of the reference, in float64: the largest difference as a share
// of Σ|gradient·direction|, over random directions.
func (c *Case) GradientError(seed uint64) (float64, error) {
	s, ok := c.subject.(*gradientSubject)
	if !ok {
		return 0, fmt.Errorf("%s: not a gradient case", c.Name())
	}
	b, loss, grads, err := s.write()
	if err != nil {
		return 0, err
	}
	b.Fetch(loss)
	b.Fetch(grads...)
	p, err := b.Program()
	if err != nil {
		return 0, err
	}
	g, err := p.Infer()
	if err != nil {
		return 0, err
	}
	d := Draw{Seed: seed, Case: c.Name()}
	values, err := s.values(d, g)
	if err != nil {
		return 0, err
	}
	base := arraysOf(values)
	at := func(h float64, along map[string][]float64) (map[string]*reference.Array, error) {
		env := map[string]*reference.Array{}
		for name, x := range base {
			env[name] = x
			if v := along[name]; v != nil {
				moved := reference.New(x.Shape...)
				for i := range moved.Data {
					moved.Data[i] = x.Data[i] + h*v[i]
				}
				env[name] = moved
			}
		}
		_, err := reference.Eval(g, env, reference.Mode{})
		return env, err
	}
	here, err := at(0, nil)
	if err != nil {
		return 0, err
	}
	worst := 0.0
	for k := range directions {
		along := map[string][]float64{}
		slope, twin, j := 0.0, 0.0, 0
		for _, in := range s.op.inputs {
			if !differentiates(b, graph.Value{Name: in.name, Type: in.typ}) {
				continue
			}
			v := normal(1)(d.rng(fmt.Sprintf("direction %d of %s", k, in.name)), in.typ)
			along[in.name] = v
			for i, x := range here[grads[j].Name].Data {
				slope += x * v[i]
				twin += math.Abs(x * v[i])
			}
			j++
		}
		const h = 1e-6
		ahead, err := at(h, along)
		if err != nil {
			return 0, err
		}
		behind, err := at(-h, along)
		if err != nil {
			return 0, err
		}
		difference := (ahead[loss.Name].Data[0] - behind[loss.Name].Data[0]) / (2 * h)
		if e := math.Abs(difference - slope); e > 0 {
			worst = max(worst, e/twin)
		}
	}
	return worst, nil
}
