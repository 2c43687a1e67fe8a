package conformance

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
)

// driftAllowed is how far the reference's own runs may spread, as a share of
// the way that the state has come, before a trajectory means nothing any more
// and single steps are judged.
const driftAllowed = 0.01

// askTrajectory runs a program with updates: a single step with each of the
// trials' states and data, then a trajectory, then the first trial once more.
// The trials' learning rate is large enough to expose gradients, see
// networkSubject; that of the trajectory is a usual one.
func (p *prepared) askTrajectory(ctx context.Context, s backends.Session, o *Oracle, r *Result) (list []attempt, err error) {
	a := p.trials[0]
	d, err := p.compile(ctx, s, a, r)
	if err != nil {
		return nil, err
	}
	defer closing(d, &err)
	step := int64(a.Draw.Seed%1000) * feedSlots * fetchSlots
	single := func(t *Trial) error {
		if err := writeState(ctx, s, t.Graph, t.Values); err != nil {
			return err
		}
		out, err := oneStep(ctx, d, t.Graph, step, t.Values)
		step++
		list = append(list, attempt{t, out})
		return err
	}
	for _, t := range p.trials {
		if err := single(t); err != nil {
			return nil, err
		}
	}
	tr := &trajectory{c: p.c, o: o, seed: a.Draw.Seed, program: a.Program, graph: a.Graph}
	if err := tr.begin(ctx, s); err != nil {
		return nil, err
	}
	for n := range p.c.steps {
		t, err := tr.next(n)
		if err != nil {
			return nil, err
		}
		out, err := oneStep(ctx, d, t.Graph, step, t.Values)
		if err != nil {
			return nil, err
		}
		step++
		tr.arrived(out)
		list = append(list, attempt{t, out})
	}
	return list, single(a)
}

// oneStep runs one step and gives fetches and next state.
func oneStep(ctx context.Context, d *device, g *graph.Graph, step int64, feeds Values) (Outputs, error) {
	out, err := d.run(ctx, step, []Values{feeds})
	if err != nil {
		return nil, err
	}
	state, err := readState(ctx, d.session, g)
	if err != nil {
		return nil, err
	}
	addUpdates(g, state, out[0])
	return out[0], nil
}

// trajectory is the reference beside a backend that trains.
type trajectory struct {
	c       *Case
	o       *Oracle
	seed    uint64
	program *graph.Program
	graph   *graph.Graph

	start Values    // the state at the beginning
	state Values    // the backend's, now
	ref   *ensemble // nil for cases judged by their op's own bound
}

// trajectorySet is the first set of data of a trajectory; those before are
// single steps.
const trajectorySet = sets

func (t *trajectory) draw(n, try int) (Values, Draw, error) {
	d := Draw{Seed: t.seed, Case: t.c.dataName(), Set: trajectorySet + n, Try: try}
	v, err := t.c.values(d, t.graph)
	return v, d, err
}

// begin draws the state of step 0 and writes it.
func (t *trajectory) begin(ctx context.Context, s backends.Session) error {
	v, _, err := t.draw(0, 0)
	if err != nil {
		return err
	}
	t.start = Values{}
	for _, st := range t.graph.State {
		t.start[st.Name] = v[st.Name]
	}
	t.state = t.start
	if t.c.bound(0) == programRule {
		t.ref = newEnsemble(t.graph, arraysOf(t.start), t.o.threads())
	}
	return writeState(ctx, s, t.graph, t.start)
}

// next is step n from the backend's present state, with what to expect.
func (t *trajectory) next(n int) (*Trial, error) {
	if t.ref != nil && n > 0 && t.ref.adrift(arraysOf(t.start)) {
		t.ref.restart(arraysOf(t.state))
	}
	for try := range maxTries {
		v, d, err := t.draw(n, try)
		if err != nil {
			return nil, err
		}
		trial := &Trial{Case: t.c, Draw: d, Program: t.program, Graph: t.graph, Values: Values{}, outputs: outputsOf(t.graph)}
		for _, f := range t.graph.Feeds {
			trial.Values[f.Name] = v[f.Name]
		}
		for name, x := range t.state {
			trial.Values[name] = x
		}
		if t.ref == nil {
			err = trial.evaluate(t.o)
		} else {
			trial.expect, err = t.ref.step(trial.arrays())
		}
		if !errors.Is(err, errKink) {
			return trial, err
		}
	}
	return nil, fmt.Errorf("step %d: %d draws of data, each with an element at a kink", n, maxTries)
}

// arrived enters the state that the backend reached.
func (t *trajectory) arrived(out Outputs) {
	next := Values{}
	for name, x := range t.state {
		next[name] = x
	}
	for _, u := range t.graph.Updates {
		next[u.State] = out[nextPrefix+u.State]
	}
	t.state = next
}

// adrift says whether the runs have spread beyond what a trajectory can be
// judged by.
func (e *ensemble) adrift(start map[string]*reference.Array) bool {
	var moved, spread float64
	for _, v := range e.graph.State {
		if v.Type.DType.IsFloat() {
			moved += squaredDistance(e.states[0][v.Name], start[v.Name])
		}
	}
	for r := 1; r < len(e.states); r++ {
		own := 0.0
		for _, v := range e.graph.State {
			if v.Type.DType.IsFloat() {
				own += squaredDistance(e.states[0][v.Name], e.states[r][v.Name])
			}
		}
		spread = max(spread, own)
	}
	return !(math.Sqrt(spread) <= driftAllowed*math.Sqrt(moved))
}

func squaredDistance(a, b *reference.Array) float64 {
	var sum float64
	for i, x := range a.Data {
		sum += (x - b.Data[i]) * (x - b.Data[i])
	}
	return sum
}
