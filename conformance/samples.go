package conformance

import (
	"fmt"
	"math"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
)

// Outputs that the reference would take minutes for are judged at samples:
// positions drawn anew for each set of data. What is not sampled has a limit of
// NaN, which demands nothing.

// evaluateSamples fills expect of a trial of one op with one output, at the
// case's number of positions.
func (t *Trial) evaluateSamples() error {
	call := t.underTest()
	if call == nil || len(t.outputs) != 1 || len(t.Graph.Calls) != 1 {
		return fmt.Errorf("%s: only the output of a single op can be sampled", t.Case.Name())
	}
	env := t.arrays()
	for _, c := range t.Graph.Consts {
		env[c.Name] = reference.FromTensor(c.Tensor)
	}
	out := t.outputs[0]
	at := t.samples(out.typ.Shape.Elements())
	want, err := evalSamples(call, env, reference.Mode{}, at)
	if err != nil {
		return err
	}
	for i, w := range want.Data {
		if math.IsNaN(w) {
			want.Data[i] = 0 // not sampled; a NaN here would demand a NaN
		}
	}
	b := t.boundOf(out)
	e, err := b.expect(&site{graph: t.Graph, call: call, env: env, out: out, want: want, at: at})
	if err != nil {
		return fmt.Errorf("%s: output %s: %w", t.Case.Name(), out.key, err)
	}
	e.output, e.bound = out, b
	t.expect[0] = e
	return nil
}

// samples are distinct positions of n in rising order, the first and the last
// among them.
func (t *Trial) samples(n int) []int {
	r := t.Draw.rng("sampled positions")
	at := []int{0, n - 1}
	for range t.Case.sampled {
		at = append(at, r.intn(n))
	}
	slices.Sort(at)
	return slices.Compact(at)
}

// evalSamples evaluates output 0 of a call at some positions; all others are
// NaN.
func evalSamples(c *graph.Call, env map[string]*reference.Array, m reference.Mode, at []int) (*reference.Array, error) {
	y, err := reference.EvalAt(c, env, m, at)
	if err != nil {
		return nil, err
	}
	full := reference.New(c.Out[0].Shape...)
	for i := range full.Data {
		full.Data[i] = math.NaN()
	}
	for i, p := range at {
		full.Data[p] = y[i]
	}
	return full, nil
}

// judged is how many elements of the output are.
func (s *site) judged() int {
	if s.at != nil {
		return len(s.at)
	}
	return s.out.typ.Shape.Elements()
}
