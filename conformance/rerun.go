package conformance

import (
	"context"
	"fmt"

	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/reference/relaxed"
)

// Rerun is what became of a case that failed when it was run another way: the
// first question of whoever must find the fault.
type Rerun struct {
	Way    string `json:"way"`
	Status Status `json:"status"`
	Worst  Number `json:"worst"`
	Why    string `json:"why,omitempty"`
}

// reruns runs a failed case once more as it was, on one thread, and with every
// op decomposed that has a decomposition. The last row is no run of the
// backend: the formulas in the outputs' own types, term by term, which shows
// whether the data and the bound are at fault.
func (r *Runner) reruns(ctx context.Context, res *Result) []Rerun {
	c := res.failed.trial.Case
	var list []Rerun
	enter := func(way string, x *Result) { list = append(list, Rerun{way, x.Status, x.Worst, x.Why}) }
	if r.session != nil {
		enter("again", r.rerun(ctx, c))
	}
	if r.opt.Config.Threads != 1 {
		cfg := r.opt.Config
		cfg.Threads = 1
		if s, err := r.backend.Open(ctx, cfg); err == nil {
			enter("one thread", c.Check(ctx, s, r.opt.Seed, r.oracle, r.features))
			_ = s.Close() // one that failed may fail to close
		} else {
			list = append(list, Rerun{Way: "one thread", Status: StatusCrashed, Why: err.Error()})
		}
	}
	if r.session != nil && c.form == whole {
		apart := *c
		apart.form = decomposed
		enter("decomposed", r.rerun(ctx, &apart))
	}
	return append(list, res.failed.trial.byTheFormulas(r.oracle))
}

func (r *Runner) rerun(ctx context.Context, c *Case) *Result {
	limited, cancel := context.WithTimeout(ctx, r.opt.Timeout)
	defer cancel()
	x := c.Check(limited, r.session, r.opt.Seed, r.oracle, r.features)
	if x.Status == StatusCrashed || x.Status == StatusTimeout {
		r.reopen(ctx)
	}
	return x
}

// byTheFormulas judges a rounded run of the reference on the trial's data.
func (t *Trial) byTheFormulas(o *Oracle) Rerun {
	row := Rerun{Way: "the formulas in " + t.Case.DType.String(), Status: StatusPass}
	env := t.arrays()
	mode := relaxed.Mode(reference.Mode{Round: true, Threads: o.threads()}, o.Math)
	if _, err := reference.Eval(t.Graph, env, mode); err != nil {
		row.Status, row.Why = StatusCrashed, err.Error()
		return row
	}
	got := Outputs{}
	for _, out := range t.outputs {
		got[out.key] = env[out.value].Tensor(out.typ.DType)
	}
	fs := t.Judge(got, nil)
	row.Worst = Number(WorstMultiple(fs))
	if f := firstWrong(fs); f != nil {
		row.Status, row.Why = StatusFail, fmt.Sprintf("the case may be at fault: %s", f.Summary())
	}
	return row
}
