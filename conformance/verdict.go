package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Verdict is what conformance says of the code behind a figure.
type Verdict struct {
	Result   Outcome          `json:"verdict"`
	Passed   int              `json:"cases_passed"`
	Total    int              `json:"cases_total"`
	Worst    Number           `json:"worst"` // largest error as a multiple of its bound
	Failures []VerdictFailure `json:"failures,omitempty"`
	// Untested are the partitions of the plan that no case judged: with one, a
	// pass is partial.
	Untested []string `json:"untested,omitempty"`
	// EitherSide is how many elements lay at a jump, and were allowed on both of
	// its sides, for want of data that keep off.
	EitherSide EitherSide `json:"either_side,omitzero"`
	Suite      string     `json:"suite"`
	Seed       uint64     `json:"seed"`
	Seconds    float64    `json:"seconds"`
	Cached     bool       `json:"cached,omitempty"` // said of an earlier run of the same code
}

// VerdictFailure is one thing that was wrong.
type VerdictFailure struct {
	Case    string     `json:"case"`
	Worst   Number     `json:"worst"`
	Message string     `json:"message"`
	Finding []*Finding `json:"findings,omitempty"`
}

// EitherSide counts elements that lay so near to a jump that either side was
// allowed, among all that were watched.
type EitherSide struct {
	Elements int `json:"elements"`
	Of       int `json:"of"`
}

func (e *EitherSide) add(o EitherSide) {
	e.Elements += o.Elements
	e.Of += o.Of
}

// Key is all that a verdict depends on: what it is cached under.
type Key struct {
	Plugin  string // hash of the plugin's files
	Device  string
	Driver  string
	Math    string
	Threads int
	Program string // digest
	Plan    string // digest
	Suite   string // version
}

// String is the key's hash, hexadecimal.
func (k Key) String() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q", []any{k.Plugin, k.Device, k.Driver, k.Math, k.Threads, k.Program, k.Plan, k.Suite, BoundsDigest()})
	return hex.EncodeToString(h.Sum(nil))
}

func newVerdict(seed uint64) *Verdict { return &Verdict{Result: Pass, Suite: Version, Seed: seed} }

// add enters one judged answer.
func (v *Verdict) add(name string, fs []*Finding) {
	v.Total++
	worst := WorstMultiple(fs)
	v.Worst = Number(math.Max(float64(v.Worst), worst))
	if Passed(fs) {
		v.Passed++
		return
	}
	v.Result = Fail
	v.Failures = append(v.Failures, VerdictFailure{name, Number(worst), firstWrong(fs).Summary(), fs})
}

// fault enters something that is wrong without a number.
func (v *Verdict) fault(name, message string) {
	v.Total++
	v.Result = Fail
	v.Worst = Number(math.Inf(1))
	v.Failures = append(v.Failures, VerdictFailure{Case: name, Worst: v.Worst, Message: message})
}

// Merge adds another verdict on the same code.
func (v *Verdict) Merge(o *Verdict) {
	v.Result = worse(v.Result, o.Result)
	v.Passed += o.Passed
	v.Total += o.Total
	v.Worst = Number(math.Max(float64(v.Worst), float64(o.Worst)))
	v.Failures = append(v.Failures, o.Failures...)
	v.Untested = append(v.Untested, o.Untested...)
	v.EitherSide.add(o.EitherSide)
	v.Seconds += o.Seconds
}

// Subject is an executable to be judged, with what the harness knows of it.
type Subject struct {
	Session backends.Session
	// Bound is the executable itself, with the rings that it is measured with.
	Bound *backends.Bound
	// Program is what it was made from before anything was decomposed: a
	// backend that refuses ops does not loosen its own bounds.
	Program *graph.Program
	// Compiled is what the backend was given; nil: Program.
	Compiled *graph.Program
	// Request is the call as the measurement makes it; First and Steps are
	// set here.
	Request  backends.RunRequest
	Features []string // declared by the backend
}

// Check says how the whole program is checked.
type Check struct {
	Seed   uint64
	Oracle *Oracle // nil: one without a cache
	// Parts is what is known of other plans' partitions; nil: nothing.
	Parts *Parts
	// Golden is what is checked in of the program, in place of what the oracle
	// would make of it; nil: none.
	Golden *Golden
	// Steps is how many steps of a training program are judged one after the
	// other at a usual learning rate, after the one that exposes gradients.
	Steps int
}

func (c Check) oracle() *Oracle {
	if c.Oracle != nil {
		return c.Oracle
	}
	return &Oracle{}
}

// JudgeProgram checks that very executable, through the same Run path and
// rings as a measurement: two sets of fresh data in one call for a program
// without updates; for one that trains, a step from a fresh state with a
// learning rate that exposes the gradients, then Steps steps. The session's
// state is put back afterwards. An error is one of the backend or the harness;
// wrong numbers are in the verdict.
func JudgeProgram(ctx context.Context, s Subject, c Check) (v *Verdict, err error) {
	start := time.Now()
	v = newVerdict(c.Seed)
	defer func() { v.Seconds = time.Since(start).Seconds() }()
	g, err := s.Program.Infer()
	if err != nil {
		return v, err
	}
	kase := goldenCase(s.Program)
	restore, err := snapshot(ctx, s.Session, g)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, restore()) }()
	j := &judging{Subject: s, graph: g, kase: kase, check: c, verdict: v}
	judge := j.inference
	switch {
	case c.Golden != nil:
		judge = func(ctx context.Context) error { return j.golden(ctx, c.Golden) }
	case len(g.Updates) > 0:
		judge = j.training
	}
	if err := judge(ctx); !errors.Is(err, errKink) {
		return v, err
	}
	v.Result = worse(v.Result, Partial)
	if c.oracle().relaxes() {
		v.Untested = append(v.Untested, jumpsUnder(c.Oracle.Math))
	} else {
		v.Untested = append(v.Untested, "the whole program: something in it jumps, and all data drawn lie at a jump in too large a share of their elements")
	}
	return v, nil
}

// jumpsUnder says why a relaxed mode can't be judged by a program whose
// gradients jump.
func jumpsUnder(math string) string {
	return fmt.Sprintf("something in it jumps, and under %s all data drawn lie at a jump", math)
}

// snapshot reads the state of a program and gives a function that puts it
// back.
func snapshot(ctx context.Context, s backends.Session, g *graph.Graph) (func() error, error) {
	before, err := readState(ctx, s, g)
	if err != nil {
		return nil, fmt.Errorf("reading the state: %w", err)
	}
	return func() error {
		// The judge may have been cancelled; the state is put back all the same.
		return writeState(context.WithoutCancel(ctx), s, g, before)
	}, nil
}

type judging struct {
	Subject
	graph   *graph.Graph
	kase    *Case
	check   Check
	verdict *Verdict
}

func (j *judging) inference(ctx context.Context) error {
	var trials []*Trial
	for set := range sets {
		t, err := newTrial(j.kase, j.check.Seed, set, 0, j.check.oracle())
		if err != nil {
			return err
		}
		trials = append(trials, t)
	}
	first := int64(j.check.Seed % (1 << 20))
	if len(j.graph.State) == 0 && j.shortestRing() >= sets {
		got, err := j.run(ctx, first, []Values{trials[0].Values, trials[1].Values})
		if err != nil {
			return err
		}
		for i, t := range trials {
			j.judge(fmt.Sprintf("set %d", i), t, got[i])
		}
		return nil
	}
	for i, t := range trials {
		if err := writeState(ctx, j.Session, j.graph, t.Values); err != nil {
			return err
		}
		got, err := j.run(ctx, first+int64(i), []Values{t.Values})
		if err != nil {
			return err
		}
		j.judge(fmt.Sprintf("set %d", i), t, got[0])
	}
	return nil
}

func (j *judging) training(ctx context.Context) error {
	t, err := newTrial(j.kase, j.check.Seed, 0, 0, j.check.oracle())
	if err != nil {
		return err
	}
	if err := writeState(ctx, j.Session, j.graph, t.Values); err != nil {
		return err
	}
	step := int64(j.check.Seed % (1 << 20))
	if err := j.step(ctx, "gradients", t, step); err != nil {
		return err
	}
	if j.check.Steps == 0 {
		return nil
	}
	h, err := newPath(j.kase, j.check.oracle(), j.check.Seed, j.Program, j.graph)
	if err != nil {
		return err
	}
	tr := &trajectory{path: h, state: h.start}
	if err := tr.begin(ctx, j.Session); err != nil {
		return err
	}
	for n := range j.check.Steps {
		step++
		t, err := tr.next(n)
		if err != nil {
			return err
		}
		if err := j.step(ctx, fmt.Sprintf("step %d", n+1), t, step); err != nil {
			return err
		}
		state, err := readState(ctx, j.Session, j.graph)
		if err != nil {
			return err
		}
		out := Outputs{}
		addUpdates(j.graph, state, out)
		tr.arrived(out)
	}
	return nil
}

// step runs one step of training and judges fetches and state.
func (j *judging) step(ctx context.Context, name string, t *Trial, step int64) error {
	got, err := j.run(ctx, step, []Values{t.Values})
	if err != nil {
		return err
	}
	state, err := readState(ctx, j.Session, j.graph)
	if err != nil {
		return err
	}
	addUpdates(j.graph, state, got[0])
	j.judge(name, t, got[0])
	return nil
}

func (j *judging) judge(name string, t *Trial, got Outputs) {
	j.verdict.add(j.Program.Name+"/"+name, t.Judge(got, j.Features))
	j.verdict.EitherSide.add(t.either)
}

func (j *judging) shortestRing() int {
	n := math.MaxInt
	for _, f := range j.graph.Feeds {
		n = min(n, j.Bound.Slots(f.Name))
	}
	for _, f := range j.graph.Fetches {
		n = min(n, j.Bound.Slots(f))
	}
	return n
}

// run makes one call of as many steps as there are values.
func (j *judging) run(ctx context.Context, first int64, steps []Values) ([]Outputs, error) {
	for i, v := range steps {
		for _, f := range j.graph.Feeds {
			copy(j.Bound.At(f.Name, first+int64(i)), v[f.Name].Data)
		}
		for _, f := range j.graph.Fetches {
			if _, isFeed := v[f]; !isFeed {
				fillBytes(j.Bound.At(f, first+int64(i)), poisonByte)
			}
		}
	}
	r := j.Request
	r.First, r.Steps, r.Arrival = first, len(steps), nil
	if _, err := j.Bound.Run(ctx, r); err != nil {
		return nil, err
	}
	out := make([]Outputs, len(steps))
	for i, v := range steps {
		out[i] = Outputs{}
		for _, f := range j.graph.Fetches {
			out[i][f] = CopyOf(j.graph.Types[f], j.Bound.At(f, first+int64(i)))
		}
		for _, f := range j.graph.Feeds {
			if !slices.Equal(j.Bound.At(f.Name, first+int64(i)), v[f.Name].Data) {
				j.verdict.fault(j.Program.Name+"/inputs", "the step changed its input "+f.Name)
			}
		}
	}
	return out, nil
}

// CopyOf is a tensor with a copy of data.
func CopyOf(t tensor.Type, data []byte) *tensor.Tensor {
	x := tensor.New(t.DType, t.Shape...)
	copy(x.Data, data)
	return x
}

// Fetched is a step of a measurement that was picked afterwards: what went in
// and what came out, copied from the rings.
type Fetched struct {
	Name   string // for messages: "step 1041"
	Before Values // feeds, and the state where the program has one
	After  Outputs
}

// JudgeFetches checks steps of a measurement picked afterwards. A step whose
// data lie at a kink in too many elements says nothing; if all do, the verdict is
// partial.
func JudgeFetches(p *graph.Program, picked []Fetched, c Check, features []string) (*Verdict, error) {
	start := time.Now()
	v := newVerdict(c.Seed)
	defer func() { v.Seconds = time.Since(start).Seconds() }()
	g, err := p.Infer()
	if err != nil {
		return v, err
	}
	kase := &Case{Op: p.Name, DType: tensor.F32, Params: "timed", Class: "program", bound: every(programRule)}
	for _, f := range picked {
		t := &Trial{Case: kase, Program: p, Graph: g, Values: f.Before, outputs: outputsOf(g)}
		if len(f.After) < len(t.outputs) { // only some were kept
			t.outputs = slices.DeleteFunc(t.outputs, func(o output) bool { return f.After[o.key] == nil })
		}
		all, err := c.oracle().rule(g, t.arrays(), true)
		if errors.Is(err, errKink) {
			continue
		}
		if err != nil {
			return v, err
		}
		v.EitherSide.add(all.EitherSide)
		for _, e := range all.list {
			if f.After[e.output.key] != nil {
				t.expect = append(t.expect, e)
			}
		}
		v.add(p.Name+"/"+f.Name, t.Judge(f.After, features))
	}
	if v.Total == 0 {
		v.Result = worse(v.Result, Partial)
		v.Untested = append(v.Untested, "timed fetches")
	}
	return v, nil
}

// JudgePlan judges every partition of an executable's plan as a case, on
// another executable of the same session. A partition that the cut computes by
// another kernel stays untested, and so does a node in no partition. The
// session's state is put back afterwards.
func JudgePlan(ctx context.Context, s Subject, c Check) (v *Verdict, err error) {
	start := time.Now()
	v = newVerdict(c.Seed)
	defer func() { v.Seconds = time.Since(start).Seconds() }()
	p := s.Compiled
	if p == nil {
		p = s.Program
	}
	cases, uncovered, err := CasesFromPlan(p, s.Bound.Plan())
	if err != nil {
		return v, err
	}
	v.Untested = append(v.Untested, uncovered...)
	g, err := p.Infer()
	if err != nil {
		return v, err
	}
	restore, err := snapshot(ctx, s.Session, g)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, restore()) }()
	o := *c.oracle()
	if g.FLOPs() > largePlan {
		o.many = manyInPart
	}
	for _, pc := range cases {
		if ctx.Err() != nil {
			return v, ctx.Err()
		}
		v.partition(pc, c.Parts.result(pc, func() *Result { return pc.Check(ctx, s.Session, c.Seed, &o, s.Features) }))
	}
	if len(v.Untested) > 0 {
		v.Result = worse(v.Result, Partial)
	}
	return v, nil
}

// JudgePlanOf is JudgePlan for the plan of an executable that is too much work
// for the reference: small is the same program of a smaller batch, in the same
// session. What small does not compute by the same kernel stays untested.
func JudgePlanOf(ctx context.Context, small Subject, plan backends.Plan, c Check) (*Verdict, error) {
	v, err := JudgePlan(ctx, small, c)
	if err != nil {
		return v, err
	}
	done := small.Bound.Plan().Partitions
	for _, p := range plan.Partitions {
		same := func(q backends.Partition) bool { return reflect.DeepEqual(p, q) }
		if !slices.ContainsFunc(done, same) {
			v.Untested = append(v.Untested, fmt.Sprintf("%v: at the batch that was judged it is computed otherwise than by %s %s", p.Nodes, p.Kernel, p.Algorithm))
			v.Result = worse(v.Result, Partial)
		}
	}
	return v, nil
}

// partition enters the result of one partition's case.
func (v *Verdict) partition(pc PlanCase, r *Result) {
	switch {
	case r.Status == StatusPass:
		v.Total++
		v.Passed++
		v.Worst = Number(math.Max(float64(v.Worst), float64(r.Worst)))
	case untested(r) != "", r.Status == StatusTimeout: // slow is not wrong
		v.Untested = append(v.Untested, pc.Params+": "+r.Why)
	default:
		v.Total++
		v.Result = Fail
		v.Worst = Number(math.Max(float64(v.Worst), float64(r.Worst)))
		v.Failures = append(v.Failures, VerdictFailure{r.Case, r.Worst, string(r.Status) + ": " + r.Why, r.Findings})
	}
}
