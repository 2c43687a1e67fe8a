package conformance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
)

// Status is how a case ended.
type Status string

// The statuses.
const (
	StatusPass        Status = "pass"
	StatusFail        Status = "fail"
	StatusUnsupported Status = "unsupported" // the backend refuses an op, and says so
	StatusMistrusted  Status = "mistrusted"  // the case would believe a liar: it counts as no case
	StatusCrashed     Status = "crashed"     // the backend has gone, or gave an error where an answer was due
	StatusTimeout     Status = "timeout"
)

// Result is what became of one case.
type Result struct {
	Case       string     `json:"case"`
	Op         string     `json:"op"`
	DType      string     `json:"dtype"`
	Suite      Suite      `json:"suite,omitempty"`   // none for a partition
	Program    string     `json:"program,omitempty"` // of a network, that it is cut out of
	Status     Status     `json:"status"`
	Required   bool       `json:"required,omitempty"`
	Why        string     `json:"why,omitempty"`
	Feature    string     `json:"feature,omitempty"`  // when unsupported: op and type refused
	Worst      Number     `json:"worst"`              // largest error as a multiple of its bound
	Findings   []*Finding `json:"findings,omitempty"` // of a case that failed
	Decomposed bool       `json:"decomposed,omitempty"`
	Plan       string     `json:"plan,omitempty"` // digest
	Kernels    []string   `json:"kernels,omitempty"`
	Partition  *Part      `json:"partition,omitempty"` // that was cut out of a network's plan
	Seconds    float64    `json:"seconds"`

	failed   *attempt // the evidence, for a bundle
	plan     backends.Plan
	elements int     // of all inputs: how large the case is
	outline  outline // and what it looks like
}

// attempt is one answer of a backend with what it answered to.
type attempt struct {
	trial *Trial
	got   Outputs
}

// Prepared is a case with its data and the reference's answers: all that can
// be done before a backend is asked, and for any number of backends.
type Prepared struct {
	c        *Case
	trials   []*Trial
	believes []string // liars that the case takes for right
	jumps    string   // why a relaxed mode can't be judged by the case
	err      error

	mu   sync.Mutex
	path *path // of a trajectory, once one is run
}

const (
	// sets is how many sets of data a case runs with.
	sets = 2
	// maxDraws bounds how often data are drawn anew because a liar has them
	// right by chance, as of two single numbers it may.
	maxDraws = 64
)

// Prepare draws data until no liar is believed: a maximum of one negative
// number is zero, and only other data can tell that from no answer.
func (c *Case) Prepare(seed uint64, o *Oracle) *Prepared {
	p := &Prepared{c: c}
	for draw := range maxDraws {
		p.trials = p.trials[:0]
		for set := range sets {
			t, err := newTrial(c, seed, set, draw*maxTries, o)
			if errors.Is(err, errKink) && o.relaxes() {
				p.jumps = jumpsUnder(o.Math)
				return p
			}
			if err != nil {
				p.err = fmt.Errorf("%s: %w", c.Name(), err)
				return p
			}
			p.trials = append(p.trials, t)
		}
		if c.natural {
			break
		}
		if p.believes = believed(p.trials); len(p.believes) == 0 {
			break
		}
	}
	return p
}

// Check runs a case on a session: twice with different data and a third time
// with the first, in distinct ring slots. It never returns a nil Result; what
// went wrong is in its status.
func (c *Case) Check(ctx context.Context, s backends.Session, seed uint64, o *Oracle, features []string) *Result {
	return c.Prepare(seed, o).Check(ctx, s, o, features)
}

// Check runs the prepared case on a session.
func (p *Prepared) Check(ctx context.Context, s backends.Session, o *Oracle, features []string) *Result {
	c := p.c
	r := &Result{Case: c.Name(), Op: c.Op, DType: c.DType.String(), Suite: c.Suite, Required: c.Required}
	if why := p.Mistrusted(); why != "" {
		r.Status, r.Why = StatusMistrusted, why
		return r
	}
	if p.jumps != "" {
		r.Status, r.Required, r.Feature, r.Why = StatusUnsupported, false, "jumps under "+o.Math, p.jumps
		return r
	}
	for _, x := range p.trials[0].inputs() {
		r.elements += x.Shape.Elements()
	}
	r.outline = outlineOf(p.trials[0])
	attempts, err := p.ask(ctx, s, o, r)
	if err != nil {
		r.fail(err)
		if r.Status != StatusUnsupported {
			r.failed = &attempt{trial: p.trials[0]}
		}
		return r
	}
	r.Status = StatusPass
	for _, a := range attempts {
		fs := a.trial.Judge(a.got, features)
		r.Worst = Number(math.Max(float64(r.Worst), WorstMultiple(fs)))
		if !Passed(fs) && r.failed == nil {
			r.Status, r.Findings, r.failed = StatusFail, fs, &a
			r.Why = firstWrong(fs).Summary()
		}
	}
	return r
}

func firstWrong(fs []*Finding) *Finding {
	for _, f := range fs {
		if !f.OK {
			return f
		}
	}
	return nil
}

// ask hands the program over in the case's form and collects the answers.
func (p *Prepared) ask(ctx context.Context, s backends.Session, o *Oracle, r *Result) ([]attempt, error) {
	switch {
	case p.c.form == opByOp:
		return p.askOpByOp(ctx, s)
	case len(p.trials[0].Program.Updates) > 0:
		return p.askTrajectory(ctx, s, o, r)
	}
	return p.askRings(ctx, s, r)
}

// askRings runs A, B, A. A program with drawn consts is compiled for each.
func (p *Prepared) askRings(ctx context.Context, s backends.Session, r *Result) (list []attempt, err error) {
	a, b := p.trials[0], p.trials[1]
	first := int64(a.Draw.Seed%1000) * feedSlots * fetchSlots
	dA, err := p.compile(ctx, s, a, r)
	if err != nil {
		return nil, err
	}
	defer closing(dA, &err)
	if !p.c.drawn() && len(a.Graph.State) == 0 {
		outs, err := dA.run(ctx, first, []Values{a.Values, b.Values})
		if err != nil {
			return nil, err
		}
		last, err := dA.run(ctx, first+2, []Values{a.Values})
		if err != nil {
			return nil, err
		}
		return []attempt{{a, outs[0]}, {b, outs[1]}, {a, last[0]}}, nil
	}
	dB := dA
	if p.c.drawn() {
		if dB, err = p.compile(ctx, s, b, r); err != nil {
			return nil, err
		}
		defer closing(dB, &err)
	}
	for i, turn := range []struct {
		d *device
		t *Trial
	}{{dA, a}, {dB, b}, {dA, a}} {
		if err := writeState(ctx, s, turn.t.Graph, turn.t.Values); err != nil {
			return nil, err
		}
		out, err := turn.d.run(ctx, first+int64(i), []Values{turn.t.Values})
		if err != nil {
			return nil, err
		}
		list = append(list, attempt{turn.t, out[0]})
	}
	return list, nil
}

// compile lowers a trial's program to what the backend has and compiles it.
func (p *Prepared) compile(ctx context.Context, s backends.Session, t *Trial, r *Result) (*device, error) {
	low, err := lower(ctx, s, t.Program, p.c.form == decomposed)
	if err != nil {
		return nil, err
	}
	if inexact(t.Draw.Math, t.Graph, low) {
		r.Required = false
		return nil, refusal{&backends.Error{Code: backends.Unimplemented, Op: p.c.Op, Message: fmt.Sprintf("decomposed it is a sum that must be exact, and under %s none is", t.Draw.Math)}}
	}
	d, err := compile(ctx, s, low)
	if err != nil {
		return nil, err
	}
	r.plan = d.Plan()
	r.Decomposed = len(low.Nodes) != len(t.Program.Nodes)
	r.Plan, r.Kernels = r.plan.Digest, nil
	for _, part := range r.plan.Partitions {
		r.Kernels = append(r.Kernels, part.Kernel)
	}
	return d, nil
}

// fail enters an error of the backend.
func (r *Result) fail(err error) {
	var no refusal
	var m *MemoryError
	var plan *PlanError
	switch {
	case errors.As(err, &no):
		r.Status, r.Feature, r.Why = StatusUnsupported, no.cause.Op+"/"+r.DType, no.cause.Message
	case errors.As(err, &m):
		r.Status, r.Why, r.Worst = StatusFail, m.What, Number(math.Inf(1))
	case errors.As(err, &plan):
		r.Status, r.Why, r.Worst = StatusFail, plan.What, Number(math.Inf(1))
	case errors.Is(err, context.DeadlineExceeded), backends.CodeOf(err) == backends.DeadlineExceeded:
		r.Status, r.Why = StatusTimeout, err.Error()
	default:
		r.Status, r.Why = StatusCrashed, err.Error()
	}
}

// askOpByOp runs each node as a program of its own and carries the values
// between them.
func (p *Prepared) askOpByOp(ctx context.Context, s backends.Session) ([]attempt, error) {
	var list []attempt
	for _, t := range p.trials {
		low, err := lower(ctx, s, t.Program, false)
		if err != nil {
			return nil, err
		}
		g, err := low.Infer()
		if err != nil {
			return nil, err
		}
		env := t.inputs()
		for _, c := range low.Consts {
			env[c.Name] = c.Tensor
		}
		for i := range g.Calls {
			if err := runNode(ctx, s, &g.Calls[i], env); err != nil {
				return nil, err
			}
		}
		out := Outputs{}
		for _, o := range t.outputs {
			out[o.key] = env[o.value]
		}
		list = append(list, attempt{t, out})
	}
	return list, nil
}

// runNode compiles one call as a program and enters its outputs into env.
func runNode(ctx context.Context, s backends.Session, c *graph.Call, env Values) (err error) {
	b := graph.NewBuilder(c.Name)
	in := make([]graph.Value, len(c.In))
	fed := map[string]graph.Value{}
	for i := range c.In {
		v := c.Input(i)
		if v.Name == "" {
			continue
		}
		if _, ok := fed[v.Name]; !ok {
			fed[v.Name] = b.Feed(v.Name, v.Type)
		}
		in[i] = fed[v.Name]
	}
	out := b.OpN(c.Op.Name, c.Attrs, len(c.Outputs), in...)
	for i := range out {
		if c.Wants(i) {
			b.Fetch(out[i])
		}
	}
	prog, err := b.Program()
	if err != nil {
		return err
	}
	d, err := compile(ctx, s, prog)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	got, err := d.run(ctx, 0, []Values{env})
	if err != nil {
		return err
	}
	for i := range out {
		if c.Wants(i) {
			env[c.Outputs[i]] = got[0][out[i].Name]
		}
	}
	return nil
}

// Mistrusted says why the case counts as none: the liars that it takes for
// right, or what kept the reference from judging it; "" for a case that can be
// trusted.
func (p *Prepared) Mistrusted() string {
	switch {
	case p.err != nil:
		return p.err.Error()
	case len(p.believes) > 0:
		return fmt.Sprintf("the case takes these for right: %v", p.believes)
	}
	return ""
}
