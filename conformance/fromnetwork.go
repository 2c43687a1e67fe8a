package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads"
)

// Whole networks, judged by what a backend makes of them: a program of each is
// compiled, and every partition of its plan is cut out at its real shape and
// judged as a case.

// NetworkProgram is a program of a network of package workloads.
type NetworkProgram struct {
	Network string // as it is looked up, options included
	Mode    string // inference or training
	Batch   int    // images
	of      *workloads.Workload
}

// Batches where none is asked for: a batch norm has nothing to train on with
// one image whose planes are single pixels.
const (
	inferenceBatch = 1
	trainingBatch  = 2
)

// AllNetworks in place of a list stands for every network.
const AllNetworks = "all"

// NetworkPrograms are the programs of some networks: inference, and training
// where the network has a recipe, in batches of some images (0: one, in
// training two).
func NetworkPrograms(networks []string, batch int) (list []NetworkProgram, err error) {
	if batch < 0 || batch > MaxLayerBatch {
		return nil, fmt.Errorf("batch %d: want 1 to %d", batch, MaxLayerBatch)
	}
	if slices.Contains(networks, AllNetworks) {
		if len(networks) > 1 {
			return nil, fmt.Errorf("%q stands for every network: leave the others out", AllNetworks)
		}
		networks = NetworkNames()
	}
	of := func(n, otherwise int) int {
		if n == 0 {
			return otherwise
		}
		return n
	}
	seen := map[string]bool{}
	for _, name := range networks {
		w, err := workloads.Lookup(name)
		if err != nil {
			return nil, err
		}
		if seen[w.String()] {
			return nil, fmt.Errorf("network %s stands twice", w)
		}
		seen[w.String()] = true
		list = append(list, NetworkProgram{w.String(), "inference", of(batch, inferenceBatch), w})
		if w.Recipes[workloads.DefaultRecipe] != nil {
			list = append(list, NetworkProgram{w.String(), "training", of(batch, trainingBatch), w})
		}
	}
	return list, nil
}

// Title is what the program calls itself, and what its cases' parameters begin
// with.
func (n NetworkProgram) Title() string { return n.Network + " " + n.Mode }

// build makes the program, with weights that follow from the seed.
func (n NetworkProgram) build(seed uint64) (*graph.Program, error) {
	s := workloads.Standard{Mean: slices.Repeat(imagesStandard.Mean, n.of.Input.Channels), Std: slices.Repeat(imagesStandard.Std, n.of.Input.Channels)}
	if n.Mode == "training" {
		return n.of.Training(n.Batch, s, n.of.Recipes[workloads.DefaultRecipe], false)
	}
	return n.of.Inference(n.Batch, s, n.of.Init(seed))
}

// NetworkReport is what was found out about a program of a network.
type NetworkReport struct {
	Network string `json:"network"`
	Program string `json:"program"` // inference or training
	Batch   int    `json:"batch"`
	// Nodes are those of the program as the backend was given it, Partitions
	// what its plan, of that digest, makes of them.
	Nodes      int    `json:"nodes"`
	Partitions int    `json:"partitions"`
	Plan       string `json:"plan,omitempty"`
	// Verdict is pass if every node was judged and nothing failed, partial if
	// nothing failed.
	Verdict Outcome `json:"verdict"`
	Counts
	// Untested are the nodes and the partitions of which nothing is known, each
	// with the reason: with one, there is no pass.
	Untested []string `json:"untested,omitempty"`
}

// Title is what the network's program calls itself.
func (n *NetworkReport) Title() string { return n.Network + " " + n.Program }

func (n *NetworkReport) outcome(complete bool) Outcome {
	switch {
	case n.Fail > 0:
		return Fail
	case len(n.Untested) > 0 || n.Unsupported > 0 || n.Mistrusted > 0 || !complete || n.Ran() == 0:
		return Partial
	}
	return Pass
}

// ErrNoCase says that a filter left nothing to run.
var ErrNoCase = errors.New("no case matches: see the names with --list")

// RunNetworks judges programs of networks by their partitions. Each program
// has a session of its own: networks share names of parameters. An error is one
// of the run itself, as for Run.
func (r *Runner) RunNetworks(ctx context.Context, list []NetworkProgram) (*Report, error) {
	start := time.Now()
	rep, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer r.close()
	for i, n := range list {
		if i > 0 {
			r.reopen(ctx)
		}
		if rep.Interrupted = ctx.Err() != nil; rep.Interrupted {
			break
		}
		r.network(ctx, n, rep)
	}
	if len(rep.Results) == 0 && r.opt.Filter != nil && !rep.Interrupted {
		return nil, ErrNoCase
	}
	rep.Seconds = time.Since(start).Seconds()
	rep.summarise(nil, false)
	return rep, r.bundles(ctx, rep)
}

// network plans and judges one program, and enters what it finds.
func (r *Runner) network(ctx context.Context, n NetworkProgram, rep *Report) {
	x := r.plan(ctx, n)
	var items []item
	for _, c := range x.cases {
		if r.opt.takes(c.Name()) {
			items = append(items, item{name: c.Name(), c: c.Case, part: &c})
		}
	}
	results := r.runAll(ctx, items)
	rep.Interrupted = ctx.Err() != nil
	if x.failed != nil && !rep.Interrupted && r.opt.takes(x.failed.Case) {
		results = append(results, x.failed)
		if r.opt.Progress != nil {
			r.opt.Progress(1, 1, x.failed)
		}
	}
	for i, res := range results {
		x.report.add(res.Status)
		if why := untested(res); why != "" {
			name := n.Title()
			if i < len(items) {
				name = items[i].c.Params
			}
			x.report.Untested = append(x.report.Untested, name+": "+why)
		}
	}
	x.report.Verdict = x.report.outcome(len(items) == len(x.cases) && !rep.Interrupted)
	rep.Results = append(rep.Results, results...)
	rep.Networks = append(rep.Networks, x.report)
	r.forget(x.cases, rep)
}

// forget lets go of what a network's cases hold, but for the evidence that
// bundles are made of.
func (r *Runner) forget(cases []PlanCase, rep *Report) {
	kept := 0
	for _, res := range rep.Results {
		if res.failed == nil {
			continue
		}
		if kept++; r.opt.Out == "" || kept > MaxBundles {
			res.failed = nil
		}
	}
	for _, c := range cases {
		c.subject.(*partitionSubject).prefix.forget()
	}
}

// PartitionNames lists the cases that the programs' plans give and the options
// ask for.
func (r *Runner) PartitionNames(ctx context.Context, list []NetworkProgram) (names []string, err error) {
	if _, err := r.begin(ctx); err != nil {
		return nil, err
	}
	defer r.close()
	for i, n := range list {
		if i > 0 {
			r.reopen(ctx)
		}
		x := r.plan(ctx, n)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if x.failed != nil {
			return nil, fmt.Errorf("%s: %s", n.Title(), x.failed.Why)
		}
		for _, c := range x.cases {
			if r.opt.takes(c.Name()) {
				names = append(names, c.Name())
			}
		}
	}
	if len(names) == 0 {
		return nil, ErrNoCase
	}
	return names, nil
}

// planned is a program of a network as a backend has compiled it.
type planned struct {
	report NetworkReport
	cases  []PlanCase
	failed *Result // why there are no cases
}

// plan compiles a program as a measurement does and cuts its plan into cases.
func (r *Runner) plan(ctx context.Context, n NetworkProgram) (x *planned) {
	x = &planned{report: NetworkReport{Network: n.Network, Program: n.Mode, Batch: n.Batch}}
	limited, cancel := context.WithTimeout(ctx, r.opt.Timeout)
	defer cancel()
	if err := r.cut(limited, n, x); err != nil {
		whole := &Case{Op: "Network", DType: tensor.F32, Params: n.Title(), Class: "plan"}
		x.failed = &Result{Case: whole.Name(), Op: whole.Op, DType: whole.DType.String(), Program: n.Title()}
		x.failed.fail(err)
	}
	return x
}

func (r *Runner) cut(ctx context.Context, n NetworkProgram, x *planned) (err error) {
	if r.session == nil {
		return errors.New(hasGone)
	}
	p, err := n.build(r.opt.Seed)
	if err != nil {
		return err
	}
	if p, err = lower(ctx, r.session, p, false); err != nil {
		return err
	}
	d, err := compile(ctx, r.session, p)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	plan := d.Plan()
	x.report.Nodes, x.report.Partitions, x.report.Plan = len(p.Nodes), len(plan.Partitions), plan.Digest
	cases, uncovered, err := CasesFromPlan(p, plan)
	if err != nil {
		return err
	}
	x.cases = cases
	for _, node := range uncovered {
		x.report.Untested = append(x.report.Untested, node+": in no partition of the plan")
	}
	return nil
}
