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
	// ways are all answers worth trying on the trials of a case, of which t is
	// one.
	ways func(t *Trial) []way
}

// way is how to answer a trial; before is a trial of the same program on other
// data.
type way func(t, before *Trial) Outputs

var liars = []liar{
	{"zero", one(func(t, _ *Trial) Outputs { return t.filled(0) })},
	{"echo", func(t *Trial) []way {
		var all []way
		for _, name := range slices.Sorted(maps.Keys(t.inputs())) {
			all = append(all, func(t, _ *Trial) Outputs { return t.echo(t.inputs()[name]) })
		}
		return all
	}},
	{"constant", one(func(t, _ *Trial) Outputs { return t.filled(1) })},
	// Replaying the last answer, and caching it by shape, which to one case is
	// the same.
	{"stale", one(func(_, before *Trial) Outputs { return before.honest() })},
}

func one(w way) func(*Trial) []way { return func(*Trial) []way { return []way{w} } }

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
	return slices.ContainsFunc(l.ways(trials[0]), func(w way) bool {
		for i, t := range trials {
			before := trials[(i+len(trials)-1)%len(trials)]
			if !t.passes(w(t, before)) {
				return false
			}
		}
		return true
	})
}
