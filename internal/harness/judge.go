package harness

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/tensor"
)

// judge collects what is proved of one lane's executable: the whole program
// through the rings and the Run path of the measurement, every partition of
// its plan, the cases of its ops, and timed steps picked afterwards.
type judge struct {
	check conformance.Check
	found *conformance.Verdict // nil: nothing was judged
	key   string
	// small is the cell at the batch that it is judged at, where the reference
	// would take minutes for its own; nil: its own. See smaller.
	small *Cell
	// golden is what is checked in of the network's program at that batch, from
	// weights of its own, and program that program; nil: none.
	golden  *conformance.Golden
	program *graph.Program
}

// manyFLOPs is the work of a program that the reference, which does 0.3 to 1
// GFLOP/s a core, can repeat for two sets of data or three steps, a dozen times
// each, while a user waits.
const manyFLOPs = 2e8

// seedsOfLarge is how many seeds large programs are judged by: few, so that the
// reference's runs, which are cached by program and seed, come again.
const seedsOfLarge = 8

// smaller is the cell with the batch that it is judged at, one image or, for
// statistics over a batch of small ones, two; nil where its own is no more work
// than manyFLOPs.
func smaller(c *Cell) *Cell {
	s := *c
	s.Batch = 1
	if c.Mode == "train" && c.Workload.Input.Height < largeSide {
		s.Batch = 2
	}
	if c.flops() <= manyFLOPs || c.Batch <= s.Batch {
		return nil
	}
	return &s
}

// trainSteps is how many steps of a trajectory are judged.
const trainSteps = 2

func newJudge(h *run, l *lane) *judge {
	seed := randomSource(h.opts.Seed, "judge "+l.cell.String()).Uint64N(conformance.MaxSeed)
	small := smaller(l.cell)
	if l.cell.flops() > manyFLOPs {
		seed %= seedsOfLarge
	}
	return &judge{small: small, check: conformance.Check{Seed: seed, Oracle: &conformance.Oracle{Cache: h.cache, Math: l.cell.Math}, Steps: trainSteps,
		Parts: &l.bench.parts}}
}

// findGolden looks for what is checked in of a large cell's network.
func (j *judge) findGolden(c *Cell) (err error) {
	if c.flops() <= manyFLOPs || c.Math != graph.Strict || c.Precision != "f32" || c.Settings[results.KeyRecipe] != "" {
		return nil
	}
	mode := "inference"
	if c.Mode == "train" {
		mode = "training"
	}
	j.golden, j.program, err = conformance.FindGolden(c.Workload, mode, j.check.Seed)
	return err
}

// executable judges the compiled program before it is timed. A wrong answer is
// no error: the cell is measured all the same, and its verdict says fail.
func (j *judge) executable(ctx context.Context, h *run, l *lane) error {
	j.key = h.verdictKey(l).String()
	if v := h.verdicts.load(j.key); v != nil {
		j.found = v
		return nil
	}
	r := l.rig
	if err := j.findGolden(l.cell); err != nil {
		return err
	}
	if j.golden != nil || j.small != nil {
		small, err := j.smallRig(ctx, h, l)
		if err != nil {
			return err
		}
		defer small.Close()
		r = small
	}
	s := conformance.Subject{Session: l.bench.session, Bound: r.Bound, Program: r.canonical, Compiled: r.program, Features: l.bench.desc.Features}
	check := j.check
	check.Golden = j.golden
	whole, err := j.tooLong(h, r.canonical)
	if whole == nil && err == nil {
		whole, err = conformance.JudgeProgram(ctx, s, check)
	}
	if err != nil {
		return err // without an answer there is nothing to judge
	}
	parts, err := conformance.JudgePlanOf(ctx, s, l.rig.Plan(), j.check)
	if err != nil {
		return err
	}
	j.merge(whole)
	j.merge(parts)
	h.verdicts.save(j.key, j.found)
	return nil
}

// smokeFLOPs is the work of a program that a smoke run, which is to end soon,
// has the reference repeat; beyond it a program has a golden or stays untested.
const smokeFLOPs = 5e9

// tooLong is the verdict on a program that a smoke run can't wait for: untested.
func (j *judge) tooLong(h *run, p *graph.Program) (*conformance.Verdict, error) {
	if j.golden != nil || h.Effort.Figures {
		return nil, nil
	}
	g, err := p.Infer()
	if err != nil || float64(g.FLOPs()) <= smokeFLOPs {
		return nil, err
	}
	return &conformance.Verdict{Result: conformance.Partial, Suite: conformance.Version, Seed: j.check.Seed,
		Untested: []string{"the whole program: no golden of it is checked in, and a smoke run does not wait for the reference: give another --effort"}}, nil
}

// smallRig compiles what is judged in the cell's place, in its session.
func (j *judge) smallRig(ctx context.Context, h *run, l *lane) (*rig, error) {
	if j.golden != nil {
		return fitRig(ctx, l.bench.session, j.program, j.program.Feeds[0].Type.Shape[0])
	}
	return h.rigFor(ctx, j.small, l.bench, l.set, l.weights)
}

// ops adds what the suite says of the single ops of the bench's workloads.
func (j *judge) ops(b *bench) {
	if b.ops != nil && j.found != nil {
		cached := j.found.Cached
		j.found.Merge(b.ops)
		j.found.Cached = cached
	}
}

func (j *judge) merge(v *conformance.Verdict) {
	switch {
	case v == nil:
	case j.found == nil:
		j.found = v
	default:
		j.found.Merge(v)
	}
}

// timed judges steps of the measurement that nobody could know would be
// looked at. A wrong one makes the figures invalid.
func (j *judge) timed(ctx context.Context, h *run, l *lane) error {
	picked := l.picks
	if len(picked) == 0 {
		return nil
	}
	p := l.rig.canonical
	if j.small != nil || j.golden != nil {
		picked = picked[:1] // each takes the reference long
	}
	if j.small != nil {
		if l.cell.Mode == "infer" && l.cell.Quant == nil {
			var err error
			if p, err = h.program(j.small, l.set, l.weights, nil); err != nil {
				return err
			}
			picked = []conformance.Fetched{oneImage(picked[0], p, int(j.check.Seed)%l.cell.Batch)}
		}
	}
	v, err := j.fetched(ctx, h, l, p, picked)
	if err != nil {
		return err
	}
	cached := j.found != nil && j.found.Cached
	j.merge(v)
	j.found.Cached = cached
	if v.Result == conformance.Fail {
		return &measure.Violation{Rule: "answer", Detail: v.Failures[0].Case + ": " + v.Failures[0].Message}
	}
	return nil
}

// timedFLOPs is the work of a step up to which rounded runs of the reference say
// how far a timed one may be off.
const timedFLOPs = 2.5e9

// fetched judges timed steps by the reference. Of a program that has a golden,
// because it is too much for that, inference is held against one float64 run, and
// a step of training, whose whole batch would take minutes, against the same step
// run once more by the executable: what is right of it, the golden and its
// partitions have shown.
func (j *judge) fetched(ctx context.Context, h *run, l *lane, p *graph.Program, picked []conformance.Fetched) (*conformance.Verdict, error) {
	only, features := fetchedOnly(p), l.bench.desc.Features
	g, err := only.Infer()
	if err != nil {
		return nil, err
	}
	if v, err := j.tooLong(h, only); v != nil || err != nil {
		return v, err
	}
	if j.golden == nil || float64(g.FLOPs()) <= timedFLOPs {
		return conformance.JudgeFetches(only, picked, j.check, features)
	}
	var again conformance.Outputs
	if l.cell.Mode == "train" {
		if again, err = l.again(ctx, picked[0]); err != nil {
			return nil, err
		}
	}
	return j.golden.JudgeLike(j.program, only, picked[0], again, j.check, features)
}

// oneImage is what a step of inference made of one of its images, as a step of
// the program of one image alone.
func oneImage(f conformance.Fetched, single *graph.Program, image int) conformance.Fetched {
	one := conformance.Fetched{Name: fmt.Sprintf("image %d of %s", image, f.Name), Before: conformance.Values{}, After: conformance.Outputs{}}
	cut := func(t *tensor.Tensor) *tensor.Tensor {
		shape := t.Shape.Clone()
		shape[0] = 1
		typ := tensor.T(t.DType, shape...)
		n := typ.Bytes()
		return conformance.CopyOf(typ, t.Data[image*n:(image+1)*n])
	}
	for _, v := range single.Feeds {
		one.Before[v.Name] = cut(f.Before[v.Name])
	}
	for _, name := range single.Fetches {
		one.After[name] = cut(f.After[name])
	}
	return one
}

// fetchedOnly is the part of a program that its fetches come from. Gradients,
// which jump where a ReLU bends, were judged before; of a timed step the loss is
// all that came back.
func fetchedOnly(p *graph.Program) *graph.Program {
	c := p.Clone()
	c.Updates, c.Origin = nil, nil
	return pass.Prune(&c)
}

// verdict is the finding in the document's words.
func (j *judge) verdict() results.Conformance {
	v := j.found
	if v == nil {
		return results.Conformance{Verdict: results.VerdictNone}
	}
	c := results.Conformance{Verdict: results.Verdict(v.Result), Passed: v.Passed, Total: v.Total, Suite: v.Suite, Key: j.key, Cached: v.Cached}
	c.Worst = finite(float64(v.Worst))
	if j.small != nil {
		c.Batch = j.small.Batch
	}
	if e := v.EitherSide; e.Elements > 0 {
		c.EitherSide = &results.EitherSide{Elements: e.Elements, Of: e.Of}
	}
	for _, f := range v.Failures {
		c.Failures = append(c.Failures, results.Failure{Case: f.Case, Error: finite(float64(f.Worst)), Message: f.Message})
	}
	for _, u := range v.Untested {
		c.Failures = append(c.Failures, results.Failure{Case: u, Message: "no case judged this part of the plan"})
	}
	return c
}

// finite is x for JSON; nil where it is no number.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// verdictKey is all that a lane's verdict depends on.
func (h *run) verdictKey(l *lane) conformance.Key {
	k := conformance.Key{Plugin: l.bench.plugin.Hash(), Math: l.cell.Math, Threads: h.threads(), Plan: l.rig.Plan().Digest, Suite: conformance.Version}
	k.Program = onnx.Digest(l.rig.canonical)
	if d := l.bench.desc.Devices; len(d) > 0 {
		k.Device, k.Driver = d[0].Name, d[0].Driver
	}
	for _, name := range slices.Sorted(maps.Keys(l.cell.Spec.Options)) {
		k.Math += ";" + name + "=" + l.cell.Spec.Options[name]
	}
	return k
}
