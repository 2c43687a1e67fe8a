package conformance

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/reference/beside"
	"github.com/clsbench/clsbench/tensor"
)

// Trial is one set of data of a case with what the reference makes of it.
// It knows nothing of any backend, and any number of answers can be judged
// against it.
type Trial struct {
	Case    *Case
	Draw    Draw
	Program *graph.Program
	Graph   *graph.Graph
	Values  Values // feeds and state

	outputs []output
	expect  []*expectation // one an output
	relaxed relaxation     // of the math mode that answers are judged in
	either  EitherSide     // of what is expected
}

// output is something to judge: a fetch, or what a state variable becomes.
type output struct {
	key   string // in Outputs
	value string // the value of the program
	state bool
	typ   tensor.Type
}

// Outputs are what a backend answered: fetches under their names, the next
// values of state variables under theirs, prefixed by nextPrefix.
type Outputs map[string]*tensor.Tensor

const nextPrefix = "next "

func outputsOf(g *graph.Graph) []output {
	var list []output
	for _, f := range g.Fetches {
		list = append(list, output{key: f, value: f, typ: g.Types[f]})
	}
	for _, u := range g.Updates {
		list = append(list, output{key: nextPrefix + u.State, value: u.Value, state: true, typ: g.Types[u.Value]})
	}
	return list
}

// maxTries bounds how often data are drawn anew because they lie at a kink.
const maxTries = 16

// newTrial draws set number set of a case and evaluates the reference on it.
// The tries that kinks cost are counted from first on.
func newTrial(c *Case, seed uint64, set, first int, o *Oracle) (*Trial, error) {
	t := &Trial{Case: c}
	for try := range maxTries {
		t.Draw = Draw{Seed: seed, Case: c.dataName(), Set: set, Try: first + try, Math: o.Math}
		if err := t.draw(); err != nil {
			return nil, err
		}
		err := t.evaluate(o, try == maxTries-1)
		if !errors.Is(err, errKink) {
			return t, err
		}
	}
	return nil, fmt.Errorf("%s: %d draws of data, each with an element at a kink: %w", c.Name(), maxTries, errKink)
}

func (t *Trial) draw() (err error) {
	if t.Program == nil || t.Case.drawn() {
		if t.Program, err = t.Case.program(t.Draw); err != nil {
			return err
		}
		if t.Graph, err = t.Program.Infer(); err != nil {
			return err
		}
		t.outputs = outputsOf(t.Graph)
	}
	t.Values, err = t.Case.values(t.Draw, t.Graph)
	return err
}

// evaluate fills expect. Outputs of a program as a whole are bounded by the
// program rule, which wants a number of evaluations; the others by their op's
// own bound, which wants one. last says that no other data will be drawn.
func (t *Trial) evaluate(o *Oracle, last bool) error {
	t.expect = make([]*expectation, len(t.outputs))
	if err := t.relax(o); err != nil {
		return err
	}
	var ruled, owned []int
	for i, out := range t.outputs {
		if t.boundOf(out) == programRule {
			ruled = append(ruled, i)
		} else {
			owned = append(owned, i)
		}
	}
	if len(ruled) > 0 {
		all, err := o.rule(t.Graph, t.arrays(), last)
		if err != nil {
			return err
		}
		t.either = all.EitherSide
		for _, i := range ruled {
			t.expect[i] = all.list[i]
		}
	}
	if len(owned) == 0 {
		return nil
	}
	if t.Case.sampled > 0 {
		return t.evaluateSamples()
	}
	env := t.arrays()
	if _, err := reference.Eval(t.Graph, env, beside.Mode(reference.Mode{Threads: o.threads()})); err != nil {
		return err
	}
	for _, i := range owned {
		e, err := t.expectation(t.outputs[i], env)
		if err != nil {
			return fmt.Errorf("%s: output %s: %w", t.Case.Name(), t.outputs[i].key, err)
		}
		t.expect[i] = e
	}
	return nil
}

func (t *Trial) arrays() map[string]*reference.Array { return arraysOf(t.Values) }

func arraysOf(v Values) map[string]*reference.Array {
	env := make(map[string]*reference.Array, len(v))
	for name, x := range v {
		env[name] = reference.FromTensor(x)
	}
	return env
}

// boundOf is the bound of an output: the case's where the op under test gives
// it, moved or not, or, in a program of several ops, where no single op is under test; else
// that of the op beside it which gives the output, bit equality for a feed.
func (t *Trial) boundOf(out output) *Bound {
	if b := t.relaxed.bound(out.value); b != nil {
		return b
	}
	under := t.underTest()
	if under == nil {
		return t.Case.bound(0)
	}
	switch c, i, _ := t.origin(out); c {
	case nil:
		return exact
	case under:
		return t.Case.bound(i)
	default:
		return own(c.Op.Name)(i)
	}
}

// underTest is the call of the case's op; nil for a program of several.
func (t *Trial) underTest() *graph.Call {
	if t.Case.bound(0) == programRule {
		return nil
	}
	for k := range t.Graph.Calls {
		if c := &t.Graph.Calls[k]; c.Op.Name == t.Case.Op {
			return c
		}
	}
	return nil
}

// producer is the call that gives a value, and which of its outputs; nil for a
// value that is fed.
func (t *Trial) producer(value string) (*graph.Call, int) {
	for k := range t.Graph.Calls {
		c := &t.Graph.Calls[k]
		if i := slices.Index(c.Outputs, value); i >= 0 {
			return c, i
		}
	}
	return nil, 0
}

func (t *Trial) expectation(out output, env map[string]*reference.Array) (*expectation, error) {
	b := t.boundOf(out)
	call, i, way := t.origin(out)
	made := out
	if call != nil && len(way) > 0 {
		made.value = call.Outputs[i]
		made.typ = t.Graph.Types[made.value]
	}
	s := &site{graph: t.Graph, call: call, index: i, env: env, out: made, want: env[made.value]}
	e, err := b.expect(s)
	if err != nil {
		return nil, err
	}
	e.output, e.bound = made, b
	if made.value != out.value {
		if e, err = e.moved(way); err != nil {
			return nil, err
		}
	}
	e.output = out
	return e, nil
}

// honest are the answers of the reference itself, rounded: what a replaying
// backend has to replay.
func (t *Trial) honest() Outputs {
	o := Outputs{}
	for _, e := range t.expect {
		x := &reference.Array{Shape: e.output.typ.Shape, Data: e.want}
		o[e.output.key] = x.Tensor(e.output.typ.DType)
	}
	return o
}

// Judge holds an answer against the bounds: a finding for every output. An
// output that is missing is a fault of our own and panics. features are those
// that the backend declares.
func (t *Trial) Judge(got Outputs, features []string) []*Finding {
	fs := make([]*Finding, len(t.expect))
	for i, e := range t.expect {
		fs[i] = e.of(got).judge(got[e.output.key], features)
	}
	return fs
}

// passes is Passed(t.Judge(got, nil)), and stops at the first wrong element:
// nearly every lie has one at once.
func (t *Trial) passes(got Outputs) bool {
	return !slices.ContainsFunc(t.expect, func(e *expectation) bool {
		return !e.of(got).passes(got[e.output.key])
	})
}

// Passed says whether all findings are within their bounds.
func Passed(fs []*Finding) bool {
	for _, f := range fs {
		if !f.OK {
			return false
		}
	}
	return len(fs) > 0
}

// inputs are all values that the case puts into the program: feeds, state and
// drawn consts.
func (t *Trial) inputs() Values {
	v := maps.Clone(t.Values)
	for _, c := range t.Program.Consts {
		v[c.Name] = c.Tensor
	}
	return v
}
