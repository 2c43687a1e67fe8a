package conformance

import (
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/reference"
)

// SecondOracle is what else than the reference's formulas says of the answer
// that was due. A core op has no second formula; for those, and all others, the
// goldens say by which of PyTorch's results the reference's own tests hold it.
type SecondOracle struct {
	// Name is "decomposition": the program with every op that has a
	// decomposition taken apart into core ops, evaluated in float64 and rounded
	// once to the outputs' types. Or it is "none", and Why says why.
	Name string   `json:"name"`
	Why  string   `json:"why,omitempty"`
	Ops  []string `json:"ops,omitempty"` // that were taken apart
	// Agrees says whether its answer passes as a backend's would, Difference is
	// the largest one from y*, in units of the bound. Where it does not agree,
	// the case or the reference may be at fault and not the backend.
	Agrees     *bool   `json:"agrees,omitempty"`
	Difference *Number `json:"difference,omitempty"`
	// Goldens are the files of PyTorch's results in float64 that the tests of
	// the reference hold it to, for the program's ops. They are not evaluated
	// again here.
	Goldens []reference.Golden `json:"goldens"`
}

const (
	byDecomposition = "decomposition"
	noOracle        = "none"
)

// secondOracle asks it about a trial.
func (t *Trial) secondOracle(o *Oracle) SecondOracle {
	s := SecondOracle{Name: noOracle, Goldens: []reference.Golden{}}
	var all []string
	for i := range t.Graph.Calls {
		op := t.Graph.Calls[i].Op
		if slices.Contains(all, op.Name) {
			continue
		}
		all = append(all, op.Name)
		s.Goldens = append(s.Goldens, reference.Goldens(op.Name)...)
		if op.Decompose != nil {
			s.Ops = append(s.Ops, op.Name)
		}
	}
	switch {
	case len(s.Ops) == 0:
		s.Why = "core ops alone: they have no second formula"
		return s
	case t.Graph.FLOPs() > manyRounds:
		s.Why = "the program is too large to be evaluated again"
		return s
	}
	got, err := t.takenApart(o)
	if err != nil {
		s.Why = err.Error()
		return s
	}
	fs := t.Judge(got, nil)
	agrees, worst := Passed(fs), Number(WorstMultiple(fs))
	s.Name, s.Agrees, s.Difference = byDecomposition, &agrees, &worst
	return s
}

// takenApart is the answer of the program in core ops, in float64.
func (t *Trial) takenApart(o *Oracle) (Outputs, error) {
	p, err := pass.Decompose(t.Program, func(c *graph.Call) bool { return c.Op.Decompose == nil })
	if err != nil {
		return nil, err
	}
	g, err := p.Infer()
	if err != nil {
		return nil, err
	}
	env := t.arrays()
	if _, err := reference.Eval(g, env, reference.Mode{Threads: o.threads()}); err != nil {
		return nil, err
	}
	got := Outputs{}
	for _, out := range t.outputs {
		got[out.key] = env[out.value].Tensor(out.typ.DType)
	}
	return got, nil
}
