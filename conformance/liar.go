package conformance

import (
	"maps"
	"slices"

	"github.com/clsbench/clsbench/tensor"
)

// A liar is a way to answer without computing. A case that takes one of them
// for right is no check: it is reported as mistrusted and counts as no case
// (KernelBench's issue 165 shows how such cases come about).
type liar struct {
	name string
	// answers gives all answers worth trying on a trial; before is the right
	// answer of the same program to other data.
	answers func(t *Trial, before Outputs) []Outputs
}

var liars = []liar{
	{"zero", func(t *Trial, _ Outputs) []Outputs { return []Outputs{t.filled(0)} }},
	{"echo", func(t *Trial, _ Outputs) []Outputs {
		var all []Outputs
		in := t.inputs()
		for _, name := range slices.Sorted(maps.Keys(in)) {
			all = append(all, t.echo(in[name]))
		}
		return all
	}},
	{"constant", func(t *Trial, _ Outputs) []Outputs { return []Outputs{t.filled(1)} }},
	// Replaying the last answer, and caching it by shape, which to one case is
	// the same.
	{"stale", func(_ *Trial, before Outputs) []Outputs { return []Outputs{before} }},
}

// filled answers one number everywhere.
func (t *Trial) filled(v float64) Outputs {
	o := Outputs{}
	for _, e := range t.expect {
		x := tensor.New(e.output.typ.DType, e.output.typ.Shape...)
		o[e.output.key] = tensor.FillSeeded(x, tensor.Fill{Kind: tensor.Constant, Lo: v}, 0, 0)
	}
	return o
}

// echo answers the bytes of an input, again and again.
func (t *Trial) echo(in *tensor.Tensor) Outputs {
	o := Outputs{}
	for _, e := range t.expect {
		x := tensor.New(e.output.typ.DType, e.output.typ.Shape...)
		for i := 0; len(in.Data) > 0 && i < len(x.Data); i += len(in.Data) {
			copy(x.Data[i:], in.Data)
		}
		o[e.output.key] = x
	}
	return o
}

// believed names the liars that the trials of a case take for right; none if
// the case can be trusted. A liar lies the same way in every trial.
func believed(trials []*Trial) []string {
	var names []string
	for _, l := range liars {
		if takesForRight(l, trials) {
			names = append(names, l.name)
		}
	}
	return names
}

func takesForRight(l liar, trials []*Trial) bool {
	right := map[int]bool{} // ways to lie that have gone unnoticed so far
	for i, t := range trials {
		before := trials[(i+len(trials)-1)%len(trials)].honest()
		all := l.answers(t, before)
		for way, a := range all {
			passed := Passed(t.Judge(a, nil))
			if i == 0 {
				right[way] = passed
			} else if !passed {
				right[way] = false
			}
		}
	}
	for _, r := range right {
		if r {
			return true
		}
	}
	return false
}
