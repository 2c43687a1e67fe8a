package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"sync"

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
func (p *Prepared) askTrajectory(ctx context.Context, s backends.Session, o *Oracle, r *Result) (list []attempt, err error) {
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
	if p.c.steps > 0 {
		tr, err := p.trajectory(o)
		if err != nil {
			return nil, err
		}
		if err := tr.begin(ctx, s); err != nil {
			return nil, err
		}
		for n := range p.c.steps {
			t, err := tr.next(n)
			if errors.Is(err, errKink) && o.relaxes() {
				break // see Prepared.jumps
			}
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
	}
	return list, single(a)
}

// trajectory starts one beside the reference's, which all backends that are
// judged on the same data share.
func (p *Prepared) trajectory(o *Oracle) (*trajectory, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.path == nil {
		a := p.trials[0]
		var err error
		if p.path, err = newPath(p.c, o, a.Draw.Seed, a.Program, a.Graph); err != nil {
			return nil, err
		}
	}
	return &trajectory{path: p.path, state: p.path.start}, nil
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

// path is the reference's own trajectory, as far as one can be followed.
type path struct {
	c       *Case
	o       *Oracle
	seed    uint64
	program *graph.Program
	graph   *graph.Graph
	start   Values // the state at the beginning

	mu     sync.Mutex
	ref    *ensemble // nil for cases judged by their op's own bound
	trials []*Trial  // one a step
	lost   bool      // the runs have spread too far for another step
}

// trajectorySet is the first set of data of a trajectory; those before are
// single steps.
const trajectorySet = sets

// newPath draws the state of step 0.
func newPath(c *Case, o *Oracle, seed uint64, p *graph.Program, g *graph.Graph) (*path, error) {
	h := &path{c: c, o: o, seed: seed, program: p, graph: g, start: Values{}}
	v, err := c.values(h.draw(0, 0), g)
	if err != nil {
		return nil, err
	}
	for _, st := range g.State {
		h.start[st.Name] = v[st.Name]
	}
	if c.bound(0) == programRule {
		h.ref = newEnsemble(g, arraysOf(h.start), o)
	}
	return h, nil
}

func (h *path) draw(n, try int) Draw {
	return Draw{Seed: h.seed, Case: h.c.dataName(), Set: trajectorySet + n, Try: try, Math: h.o.Math}
}

// trial is step n from a state, with what evaluate makes of it. Data at a kink
// are drawn anew.
func (h *path) trial(n int, state Values, evaluate func(t *Trial, last bool) error) (*Trial, error) {
	for try := range maxTries {
		d := h.draw(n, try)
		v, err := h.c.values(d, h.graph)
		if err != nil {
			return nil, err
		}
		t := &Trial{Case: h.c, Draw: d, Program: h.program, Graph: h.graph, Values: maps.Clone(state), outputs: outputsOf(h.graph)}
		for _, f := range h.graph.Feeds {
			t.Values[f.Name] = v[f.Name]
		}
		if err = evaluate(t, try == maxTries-1); !errors.Is(err, errKink) {
			return t, err
		}
	}
	return nil, fmt.Errorf("step %d: %d draws of data, each with an element at a kink: %w", n, maxTries, errKink)
}

// at is step n of the reference's own trajectory; nil where it can't be
// followed so far: the runs have spread, by their roundings or, more in one step,
// by having taken either side of a jump.
func (h *path) at(n int) (*Trial, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.trials) <= n && !h.lost {
		if h.lost = len(h.trials) > 0 && (h.ref.jumps != nil || h.ref.adrift(arraysOf(h.start))); h.lost {
			break
		}
		t, err := h.trial(len(h.trials), Values{}, func(t *Trial, last bool) error { return t.expects(h.ref, last) })
		if err != nil {
			return nil, err
		}
		h.trials = append(h.trials, t)
	}
	if n < len(h.trials) {
		return h.trials[n], nil
	}
	return nil, nil
}

// trajectory is a backend that trains, beside the reference.
type trajectory struct {
	*path
	state Values // the backend's, now
}

// begin writes the state of step 0.
func (t *trajectory) begin(ctx context.Context, s backends.Session) error {
	return writeState(ctx, s, t.graph, t.start)
}

// next is step n with what to expect: by the reference's own trajectory as far
// as it goes, from then on, and for optimizers always, from the backend's
// present state.
func (t *trajectory) next(n int) (*Trial, error) {
	if t.ref == nil {
		return t.trial(n, t.state, func(x *Trial, last bool) error { return x.evaluate(t.o, last) })
	}
	if shared, err := t.at(n); shared != nil || err != nil {
		if err != nil {
			return nil, err
		}
		own := *shared
		own.Values = maps.Clone(t.state)
		maps.Copy(own.Values, shared.Values)
		return &own, nil
	}
	return t.trial(n, t.state, func(x *Trial, last bool) error {
		return x.expects(newEnsemble(t.graph, arraysOf(t.state), t.o), last)
	})
}

// expects enters what the ensemble's next step makes of the trial.
func (t *Trial) expects(e *ensemble, last bool) error {
	ruled, err := e.step(t.arrays(), last)
	if err != nil {
		return err
	}
	t.expect, t.either = ruled.list, ruled.EitherSide
	return nil
}

// arrived enters the state that the backend reached.
func (t *trajectory) arrived(out Outputs) {
	t.state = maps.Clone(t.state)
	for _, u := range t.graph.Updates {
		t.state[u.State] = out[nextPrefix+u.State]
	}
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
