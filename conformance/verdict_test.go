package conformance_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/conformance/faults"
	"github.com/clsbench/clsbench/graph"
	ref "github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads"
)

var standard = workloads.Standard{Mean: []float64{0.1}, Std: []float64{0.3}}

func lenet(t *testing.T) *workloads.Workload {
	w, err := workloads.Lookup("lenet5")
	require.NoError(t, err)
	return w
}

// built compiles a program as the harness does.
func built(t *testing.T, b backends.Backend, p *graph.Program, slots int) conformance.Subject {
	t.Helper()
	s, err := b.Open(ctx, backends.SessionConfig{})
	require.NoError(t, err)
	bound, err := backends.CompileBound(ctx, s, p, func(string) int { return slots }, nil)
	require.NoError(t, err)
	t.Cleanup(func() { bound.Close() })
	d, err := b.Describe(ctx)
	require.NoError(t, err)
	return conformance.Subject{Session: s, Bound: bound, Program: p, Features: d.Features}
}

func inference(t *testing.T) *graph.Program {
	p, err := lenet(t).Inference(2, standard, lenet(t).Init(1))
	require.NoError(t, err)
	return p
}

func training(t *testing.T) *graph.Program {
	w := lenet(t)
	p, err := w.Training(3, standard, w.Recipes[workloads.DefaultRecipe], false)
	require.NoError(t, err)
	return p
}

func TestVerdictOnARightExecutable(t *testing.T) {
	o := &conformance.Oracle{Cache: conformance.NewCache("")}
	for name, p := range map[string]*graph.Program{"inference": inference(t), "training": training(t)} {
		for _, slots := range []int{1, 3} {
			s := built(t, rounded(), p, slots)
			v, err := conformance.JudgeProgram(ctx, s, conformance.Check{Seed: 9, Oracle: o, Steps: 1})
			require.NoError(t, err, name)
			require.Equal(t, conformance.Pass, v.Result, "%s: %+v", name, v.Failures)
			require.Equal(t, 2, v.Passed)
			require.Equal(t, v.Passed, v.Total)
		}
		s := built(t, rounded(), p, 3)
		v, err := conformance.JudgePlan(ctx, s, conformance.Check{Seed: 9, Oracle: o})
		require.NoError(t, err, name)
		require.Equal(t, conformance.Pass, v.Result, "%s: %+v %v", name, v.Failures, v.Untested)
		require.Equal(t, len(p.Nodes), v.Passed)
	}
}

func TestVerdictOnWrongExecutables(t *testing.T) {
	o := &conformance.Oracle{Cache: conformance.NewCache("")}
	for name, p := range map[string]*graph.Program{
		"conv-kernel-flipped": inference(t), "one-bit-of-one-element": inference(t), "replays-its-last-answer": inference(t),
		"conv-weight-grad-last-image": training(t), "update-lost": training(t), "sgd-velocity-unwritten-tail": training(t),
	} {
		v, err := conformance.JudgeProgram(ctx, built(t, fault(t, name), p, 2), conformance.Check{Seed: 9, Oracle: o})
		require.NoError(t, err, name)
		require.Equal(t, conformance.Fail, v.Result, name)
		require.NotEmpty(t, v.Failures[0].Message)
	}
	// The plan names the kernel at fault.
	v, err := conformance.JudgePlan(ctx, built(t, fault(t, "conv-weight-grad-last-image"), training(t), 1), conformance.Check{Seed: 9, Oracle: o})
	require.NoError(t, err)
	require.Equal(t, conformance.Fail, v.Result)
	require.Len(t, v.Failures, 2)
	require.Contains(t, v.Failures[0].Case, "ConvWeightGrad")
}

// In 16 bits every draw has elements at a kink. Both sides of them are right,
// but not everything is.
func TestVerdictOnTrainingInSixteenBits(t *testing.T) {
	for precision, wrong := range map[string][]string{
		"bf16": {"update-lost"}, "fp16": {"update-lost", "conv-weight-grad-last-image"},
	} {
		w, err := lenet(t).In(precision)
		require.NoError(t, err)
		p, err := w.Training(4, standard, w.Recipes[workloads.DefaultRecipe], false)
		require.NoError(t, err)
		c := conformance.Check{Seed: 9, Oracle: &conformance.Oracle{Cache: conformance.NewCache("")}, Steps: 1}
		v, err := conformance.JudgeProgram(ctx, built(t, rounded(), p, 1), c)
		require.NoError(t, err, precision)
		require.Equal(t, conformance.Pass, v.Result, "%s: %+v %v", precision, v.Failures, v.Untested)
		require.Positive(t, v.EitherSide.Elements, precision)
		for _, name := range wrong {
			v, err = conformance.JudgeProgram(ctx, built(t, fault(t, name), p, 1), c)
			require.NoError(t, err, precision)
			require.Equal(t, conformance.Fail, v.Result, "%s: %s", precision, name)
		}
	}
}

func TestJudgingLeavesTheStateAlone(t *testing.T) {
	p := training(t)
	s := built(t, rounded(), p, 2)
	name, w := p.State[0].Name, tensor.New(p.State[0].Type.DType, p.State[0].Type.Shape...)
	tensor.FillSeeded(w, tensor.Fill{Kind: tensor.Uniform, Lo: -1, Hi: 1}, 3, 0)
	require.NoError(t, s.Session.Write(ctx, []string{name}, []*tensor.Tensor{w}))
	for _, judge := range []func() (*conformance.Verdict, error){
		func() (*conformance.Verdict, error) {
			return conformance.JudgeProgram(ctx, s, conformance.Check{Seed: 9})
		},
		func() (*conformance.Verdict, error) { return conformance.JudgePlan(ctx, s, conformance.Check{Seed: 9}) },
	} {
		_, err := judge()
		require.NoError(t, err)
		got := tensor.New(w.DType, w.Shape...)
		require.NoError(t, s.Session.Read(ctx, []string{name}, []*tensor.Tensor{got}))
		require.Equal(t, w.Data, got.Data)
	}
}

// planned claims another plan than it has.
type planned struct {
	backends.Executable
	plan func(backends.Plan) backends.Plan
}

func (p planned) Plan() backends.Plan { return p.plan(p.Executable.Plan()) }

func TestUntestedPartitionsMakeAVerdictPartial(t *testing.T) {
	s := built(t, rounded(), inference(t), 2)
	whole := s.Bound.Executable
	for want, plan := range map[string]func(backends.Plan) backends.Plan{
		"Cast": func(p backends.Plan) backends.Plan { p.Partitions = p.Partitions[1:]; return p },
		"alone it is computed by": func(p backends.Plan) backends.Plan {
			p.Partitions = append([]backends.Partition(nil), p.Partitions...)
			p.Partitions[2].Kernel = "fused into the next"
			return p
		},
	} {
		s.Bound.Executable = planned{whole, plan}
		v, err := conformance.JudgePlan(ctx, s, conformance.Check{Seed: 9})
		require.NoError(t, err)
		require.Equal(t, conformance.Partial, v.Result)
		require.Len(t, v.Untested, 1)
		require.Contains(t, v.Untested[0], want)
	}
	s.Bound.Executable = planned{whole, func(p backends.Plan) backends.Plan {
		p.Partitions = []backends.Partition{{Nodes: []string{"no such node"}, Kernel: "k"}}
		return p
	}}
	_, err := conformance.JudgePlan(ctx, s, conformance.Check{Seed: 9})
	require.ErrorContains(t, err, "not in the program")
}

// A partition of several nodes is judged as one, its inner values unseen.
func TestPartitionsAreCutAtTheirEdges(t *testing.T) {
	p := inference(t)
	g, err := p.Infer()
	require.NoError(t, err)
	var nodes []string
	for _, n := range p.Nodes {
		if n.Op == "Conv" || n.Op == "Relu" || n.Op == "AveragePool" {
			nodes = append(nodes, n.Name)
		}
	}
	plan := backends.Plan{Partitions: []backends.Partition{{Nodes: nodes[:3], Kernel: "conv+relu+pool"}}}
	cases, uncovered, err := conformance.CasesFromPlan(p, plan)
	require.NoError(t, err)
	require.Len(t, cases, 1)
	require.Len(t, uncovered, len(p.Nodes)-3)
	require.NotNil(t, g)
	s, err := rounded().Open(ctx, backends.SessionConfig{})
	require.NoError(t, err)
	r := cases[0].Case.Check(ctx, s, 4, &conformance.Oracle{}, nil)
	require.Equal(t, conformance.StatusPass, r.Status, r.Why)
	bad, err := fault(t, "conv-last-channel-dropped").Open(ctx, backends.SessionConfig{})
	require.NoError(t, err)
	r = cases[0].Case.Check(ctx, bad, 4, &conformance.Oracle{}, nil)
	require.Equal(t, conformance.StatusPass, r.Status, "one channel has no last to drop")
	bad, err = fault(t, "conv-tf32-inputs").Open(ctx, backends.SessionConfig{})
	require.NoError(t, err)
	r = cases[0].Case.Check(ctx, bad, 4, &conformance.Oracle{}, nil)
	require.Equal(t, conformance.StatusFail, r.Status)
}

func TestTimedFetchesAreJudgedAfterwards(t *testing.T) {
	p := inference(t)
	s := built(t, rounded(), p, 4)
	g, err := p.Infer()
	require.NoError(t, err)
	image := g.Feeds[0]
	for i := range int64(4) {
		tensor.FillSeeded(&tensor.Tensor{Type: image.Type, Data: s.Bound.At(image.Name, i)}, tensor.Fill{Kind: tensor.Integers, Lo: 0, Hi: 255}, uint64(i), 0)
	}
	_, err = s.Bound.Run(ctx, backends.RunRequest{Steps: 4})
	require.NoError(t, err)
	pick := func(in, out int64) conformance.Fetched {
		return conformance.Fetched{Name: "step",
			Before: conformance.Values{image.Name: conformance.CopyOf(image.Type, s.Bound.At(image.Name, in))},
			After:  conformance.Outputs{g.Fetches[0]: conformance.CopyOf(g.Types[g.Fetches[0]], s.Bound.At(g.Fetches[0], out))}}
	}
	v, err := conformance.JudgeFetches(p, []conformance.Fetched{pick(1, 1), pick(3, 3)}, conformance.Check{}, nil)
	require.NoError(t, err)
	require.Equal(t, conformance.Pass, v.Result)
	require.Equal(t, 2, v.Passed)
	v, err = conformance.JudgeFetches(p, []conformance.Fetched{pick(1, 2)}, conformance.Check{}, nil)
	require.NoError(t, err)
	require.Equal(t, conformance.Fail, v.Result)
	v, err = conformance.JudgeFetches(p, nil, conformance.Check{}, nil)
	require.NoError(t, err)
	require.Equal(t, conformance.Partial, v.Result, "nothing was judged")
}

func TestVerdictsMergeAndHaveKeys(t *testing.T) {
	a := &conformance.Verdict{Result: conformance.Pass, Passed: 2, Total: 2, Worst: 0.5}
	a.Merge(&conformance.Verdict{Result: conformance.Partial, Passed: 3, Total: 3, Worst: 0.7, Untested: []string{"x"}})
	require.Equal(t, conformance.Partial, a.Result)
	require.Equal(t, 5, a.Passed)
	require.Equal(t, conformance.Number(0.7), a.Worst)
	a.Merge(&conformance.Verdict{Result: conformance.Fail})
	a.Merge(&conformance.Verdict{Result: conformance.Pass})
	require.Equal(t, conformance.Fail, a.Result)
	k := conformance.Key{Plugin: "a", Threads: 2}
	require.Equal(t, k.String(), conformance.Key{Plugin: "a", Threads: 2}.String())
	require.NotEqual(t, k.String(), conformance.Key{Plugin: "a", Threads: 1}.String())
	require.Len(t, k.String(), 64)
}

// A function whose result is only moved is judged by its own bound: rounded
// once, as by the program rule, no kernel computes it.
func TestMovedResultsAreJudgedByTheirOp(t *testing.T) {
	b := graph.NewBuilder("mlp")
	x := b.Feed("x", tensor.T(tensor.F32, 65, 8, 4))
	y := b.Op("Gelu", nil, x)
	b.Fetch(b.Op("Reshape", graph.Attrs{"shape": graph.L(32, 65)}, b.Op("Transpose", graph.Attrs{"perm": graph.L(2, 0, 1)}, b.Op("Reshape", graph.Attrs{"shape": graph.L(4, 65, 8)}, y))))
	p, err := b.Program()
	require.NoError(t, err)
	var nodes []string
	for _, n := range p.Nodes {
		nodes = append(nodes, n.Name)
	}
	cases, _, err := conformance.CasesFromPlan(p, backends.Plan{Partitions: []backends.Partition{{Nodes: nodes, Kernel: "Gelu"}}})
	require.NoError(t, err)
	off := func(units float64, swap bool) conformance.Status {
		rig := rounded()
		rig.Kernels = map[string]faults.Kernel{"Gelu": func(k *faults.Launch) ([]*ref.Array, error) {
			out, err := k.Plain()
			for i, v := range k.In[0].Data { // B of GELU, of which 20 units are legal
				out[0].Data[i] += units * 0x1p-24 * math.Abs(v) / 2
			}
			if d := out[0].Data; swap {
				d[5], d[70] = d[70], d[5]
			}
			return out, err
		}}
		s, err := rig.Open(ctx, backends.SessionConfig{})
		require.NoError(t, err)
		r := cases[0].Check(ctx, s, 4, &conformance.Oracle{}, nil)
		require.Equal(t, nodes, r.Partition.Nodes)
		require.NotEqual(t, conformance.StatusPass, r.Status, "the rig has a kernel a node: that is no word on the partition")
		return cases[0].Case.Check(ctx, s, 4, &conformance.Oracle{}, nil).Status
	}
	require.Equal(t, conformance.StatusPass, off(0, false))
	require.Equal(t, conformance.StatusPass, off(10, false))
	require.Equal(t, conformance.StatusFail, off(60, false))
	require.Equal(t, conformance.StatusFail, off(0, true))
}

// The sign of what rounding leaves of nothing is anybody's: no data keep away
// from the jump, which is no error of the backend, and no pass.
func TestAProgramWithoutDataOffItsJumpsIsPartial(t *testing.T) {
	b := graph.NewBuilder("rest")
	x, y := b.Feed("x", tensor.T(tensor.F32, 64)), b.Feed("y", tensor.T(tensor.F32, 64))
	ex, ey := b.Op("Exp", nil, x), b.Op("Exp", nil, y) // of which even float64 has a rest
	rest := b.Op("Sub", nil, b.Op("Sub", nil, b.Op("Add", nil, ex, ey), ex), ey)
	b.Fetch(b.Op("Sign", nil, rest))
	p, err := b.Program()
	require.NoError(t, err)
	v, err := conformance.JudgeProgram(ctx, built(t, rounded(), p, 2), conformance.Check{Seed: 3})
	require.NoError(t, err)
	require.Equal(t, conformance.Partial, v.Result)
	require.Contains(t, v.Untested[0], "lie at a jump")
}
