package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/conformance/faults"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	ref "github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/safetensors"
)

var ctx = context.Background()

// The one line that a backend needs.
func TestReference(t *testing.T) {
	o := conformance.Options{Effort: conformance.Quick, Seed: 1}
	if testing.Short() {
		o.Effort = conformance.Smoke
	}
	conformance.RunWith(t, reference.New(), o)
}

func run(t *testing.T, b backends.Backend, o conformance.Options) *conformance.Report {
	t.Helper()
	r, err := conformance.NewRunner(b, o)
	require.NoError(t, err)
	rep, err := r.Run(ctx)
	require.NoError(t, err)
	return rep
}

func only(pattern string) conformance.Options {
	return conformance.Options{Effort: conformance.Quick, Filter: regexp.MustCompile(pattern), Seed: 5, Label: "rig:a=b"}
}

func rounded() *faults.Rig { return &faults.Rig{Mode: ref.Mode{Round: true}} }

func TestReportOfARightBackend(t *testing.T) {
	var seen []string
	o := only("^(Relu|Cast)/")
	o.Progress = func(done, total int, r *conformance.Result) {
		require.LessOrEqual(t, done, total)
		seen = append(seen, r.Case)
	}
	rep := run(t, rounded(), o)
	require.Equal(t, conformance.Partial, rep.Verdict, "a filter is no suite")
	require.NoError(t, rep.Error())
	require.Empty(t, rep.Failures())
	require.Len(t, seen, len(rep.Results))
	require.Equal(t, uint64(5), rep.Seed)
	require.Equal(t, "rig", rep.Backend.Name)
	require.Equal(t, len(rep.Results), rep.Families[0].Pass+rep.Families[1].Pass)

	var b bytes.Buffer
	require.NoError(t, rep.WriteJSON(&b))
	var again conformance.Report
	require.NoError(t, json.Unmarshal(b.Bytes(), &again))
	require.Equal(t, rep.Suites, again.Suites)
	require.Equal(t, conformance.Quick, again.Effort)
}

func TestZeroCasesIsNoPass(t *testing.T) {
	r, err := conformance.NewRunner(rounded(), only("^no such case$"))
	require.NoError(t, err)
	_, err = r.Run(ctx)
	require.ErrorContains(t, err, "no case matches")

	// All refused: nothing ran, and that is a failure.
	rig := rounded()
	rig.Refuse = func(*graph.Call) bool { return true }
	rep := run(t, rig, only("^Exp/f32/"))
	require.Equal(t, conformance.Fail, rep.Verdict)
	require.ErrorContains(t, rep.Error(), "no case ran")
	require.Len(t, rep.Unsupported, 1)
	require.Equal(t, "Exp/f32", rep.Unsupported[0].Feature)
	require.Contains(t, rep.Unsupported[0].Why, "lacks Exp")
	require.True(t, rep.Unsupported[0].Required)
}

func TestRequiredAndOptionalRefusals(t *testing.T) {
	rig := rounded()
	rig.Refuse = func(c *graph.Call) bool { return c.In[0].DType == tensor.F64 }
	rep := run(t, rig, only("^Neg/"))
	require.NoError(t, rep.Error(), "64-bit floats are nobody's duty")
	require.Len(t, rep.Unsupported, 1)
	rig.Refuse = func(c *graph.Call) bool { return c.In[0].DType == tensor.BF16 }
	require.ErrorContains(t, run(t, rig, only("^Neg/")).Error(), "suite mixed-precision needs")
	rig.Refuse = func(c *graph.Call) bool { return c.In[0].DType == tensor.F32 }
	require.ErrorContains(t, run(t, rig, only("^Neg/")).Error(), "needs")
	// An op that decomposes is computed by others.
	rig.Refuse = func(c *graph.Call) bool { return c.Op.Name == "Sigmoid" }
	rep = run(t, rig, only("^Sigmoid/f32/.*real"))
	require.NoError(t, rep.Error())
	require.True(t, rep.Results[0].Decomposed)
}

func fault(t *testing.T, name string) backends.Backend {
	t.Helper()
	for _, f := range faults.Faults() {
		if f.Name == name {
			return f.Backend()
		}
	}
	t.Fatal("no fault " + name)
	return nil
}

func TestFailureTellsWhatAVendorNeeds(t *testing.T) {
	o := only("^MatMul/f32/.*/(structure|real)$")
	o.Out = t.TempDir()
	rep := run(t, fault(t, "matmul-row-tail-stale"), o)
	require.Equal(t, conformance.Fail, rep.Verdict)
	require.ErrorContains(t, rep.Error(), "failed")
	f := rep.Failures()
	require.NotEmpty(t, f)
	const name = "MatMul/f32/m=33,k=75,n=47/structure"
	require.Equal(t, name, f[0].Case)
	require.Contains(t, f[0].Why, "of 1551 wrong")
	require.Contains(t, f[0].Why, "only the tail of axis 0 beyond 28, a multiple of 14")

	dir := filepath.Join(o.Out, "MatMul_f32_m=33,k=75,n=47_structure")
	text, err := os.ReadFile(filepath.Join(dir, "finding.json"))
	require.NoError(t, err)
	var e struct {
		Repro, Case  string
		Smallest     string  `json:"smallest_failing"`
		Nearest      string  `json:"nearest_passing"`
		Distance     float64 `json:"nearest_distance"`
		Planned      []conformance.Part
		Second       conformance.SecondOracle `json:"second_oracle"`
		Findings     []conformance.Finding
		Seed         uint64
		Kernels      []string
		BoundsDigest string `json:"bounds_digest"`
		Reference    string `json:"reference_digest"`
		Judge        string `json:"judge_hash"`
		Reruns       []conformance.Rerun
	}
	require.NoError(t, json.Unmarshal(text, &e))
	require.Equal(t, `clsbench conform --backend 'rig:a=b' --effort quick --filter '^MatMul/f32/m=33,k=75,n=47/structure$' --seed 5`, e.Repro)
	require.Equal(t, "MatMul/f32/m=17,k=9,n=14,stack=2x1:3/structure", e.Smallest)
	require.Equal(t, "MatMul/f32/m=13,k=7,n=31/structure", e.Nearest, "not the largest")
	require.Positive(t, e.Distance)
	require.Len(t, e.Planned, 1)
	require.Equal(t, "MatMul", e.Planned[0].Kernel)
	require.Len(t, e.Planned[0].Nodes, 1)
	require.Equal(t, "none", e.Second.Name, "a core op")
	var files []string
	for _, g := range e.Second.Goldens {
		files = append(files, g.File)
	}
	require.Contains(t, files, "reference/testdata/pytorch/matmul.json")
	require.Equal(t, []string{"MatMul"}, e.Kernels)
	require.NotEmpty(t, e.BoundsDigest)
	require.Equal(t, ref.Digest(), e.Reference)
	require.Len(t, e.Judge, 64)
	ways := map[string]conformance.Status{}
	for _, r := range e.Reruns {
		ways[r.Way] = r.Status
	}
	require.Equal(t, map[string]conformance.Status{"again": "fail", "one thread": "fail", "decomposed": "fail", "the formulas in f32": "pass"}, ways)
	require.NotEmpty(t, e.Findings[0].Source)
	model, err := os.ReadFile(filepath.Join(dir, "program.onnx"))
	require.NoError(t, err)
	_, err = onnx.Unmarshal(model)
	require.NoError(t, err)
	for _, part := range []string{"inputs", "expected", "got"} {
		data, err := os.ReadFile(filepath.Join(dir, part+".safetensors"))
		require.NoError(t, err)
		tensors, _, err := safetensors.Decode(data)
		require.NoError(t, err)
		require.NotEmpty(t, tensors, part)
	}

	// The line's filter and seed give the same failure again.
	again := run(t, fault(t, "matmul-row-tail-stale"), conformance.Options{
		Effort: conformance.Standard, Filter: regexp.MustCompile("^" + regexp.QuoteMeta(name) + "$"), Seed: 5})
	require.Equal(t, f[0].Why, again.Results[0].Why)
}

func TestMemoryFaultsNameTheMemory(t *testing.T) {
	rep := run(t, fault(t, "writes-beyond-the-end"), only("^Relu/f32/x=31/real$"))
	require.Contains(t, rep.Results[0].Why, "1 bytes beyond the end of Relu.Y")
	rep = run(t, fault(t, "works-in-its-input"), only("^Relu/f32/x=31/real$"))
	require.Contains(t, rep.Results[0].Why, "input X, slot 0: byte 62 was changed")
	rep = run(t, fault(t, "slot-zero-always"), only("^Relu/f32/x=31/real$"))
	require.Equal(t, conformance.StatusFail, rep.Results[0].Status)
}

// frail is a backend whose runs fail as told.
type frail struct {
	backends.Backend
	run func(ctx context.Context) error
}

type frailSession struct {
	backends.Session
	run func(ctx context.Context) error
}

type frailExecutable struct {
	backends.Executable
	run func(ctx context.Context) error
}

func (f frail) Open(ctx context.Context, c backends.SessionConfig) (backends.Session, error) {
	s, err := f.Backend.Open(ctx, c)
	return frailSession{s, f.run}, err
}

func (s frailSession) Compile(ctx context.Context, p *graph.Program, b []backends.Binding) (backends.Executable, error) {
	e, err := s.Session.Compile(ctx, p, b)
	return frailExecutable{e, s.run}, err
}

func (e frailExecutable) Run(ctx context.Context, r backends.RunRequest) (backends.Samples, error) {
	if err := e.run(ctx); err != nil {
		return backends.Samples{}, err
	}
	return e.Executable.Run(ctx, r)
}

func TestCrashesAndHangsEndTheirCaseAlone(t *testing.T) {
	calls := 0
	rep := run(t, frail{rounded(), func(context.Context) error {
		if calls++; calls == 1 {
			return backends.Errorf(backends.Internal, "kernel fault")
		}
		return nil
	}}, only("^Relu/f32/.*/real$"))
	require.Equal(t, conformance.StatusCrashed, rep.Results[0].Status)
	require.Contains(t, rep.Results[0].Why, "kernel fault")
	require.Equal(t, conformance.StatusPass, rep.Results[1].Status)
	require.Equal(t, conformance.Fail, rep.Verdict)

	calls = 0
	o := only("^Relu/f32/.*/real$")
	o.Timeout = 50 * time.Millisecond
	rep = run(t, frail{rounded(), func(ctx context.Context) error {
		if calls++; calls == 1 {
			<-ctx.Done()
			return backends.Errorf(backends.Canceled, "stopped")
		}
		return nil
	}}, o)
	require.Equal(t, conformance.StatusTimeout, rep.Results[0].Status)
}

// gone is a backend that opens once.
type gone struct {
	backends.Backend
	opened *int
}

func (g gone) Open(ctx context.Context, c backends.SessionConfig) (backends.Session, error) {
	if *g.opened++; *g.opened > 1 {
		return nil, backends.Errorf(backends.Unavailable, "the process has gone")
	}
	return g.Backend.Open(ctx, c)
}

func TestBackendThatHasGoneIsRestarted(t *testing.T) {
	dying := frail{rounded(), func(context.Context) error { return backends.Errorf(backends.Unavailable, "killed") }}
	opened := 0
	o := only("^Relu/f32/.*/real$")
	rep := run(t, gone{dying, &opened}, o)
	for _, r := range rep.Results {
		require.Equal(t, conformance.StatusCrashed, r.Status)
	}
	require.Contains(t, rep.Results[1].Why, "could not be opened again")

	opened = 0
	o.Restart = func(context.Context) (backends.Backend, error) { return rounded(), nil }
	rep = run(t, gone{dying, &opened}, o)
	require.Equal(t, conformance.StatusCrashed, rep.Results[0].Status)
	require.Equal(t, conformance.StatusPass, rep.Results[1].Status)
}

func TestInterruptedRunKeepsWhatIsDone(t *testing.T) {
	c, cancel := context.WithCancel(ctx)
	o := only("^Relu/")
	o.Progress = func(done, _ int, _ *conformance.Result) {
		if done == 3 {
			cancel()
		}
	}
	r, err := conformance.NewRunner(rounded(), o)
	require.NoError(t, err)
	rep, err := r.Run(c)
	require.NoError(t, err)
	require.True(t, rep.Interrupted)
	require.Len(t, rep.Results, 3)
	require.Equal(t, conformance.Partial, rep.Verdict)
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := conformance.NewRunner(rounded(), conformance.Options{Suites: []conformance.Suite{"vision"}})
	require.ErrorContains(t, err, "vision")
	_, err = conformance.NewRunner(rounded(), conformance.Options{Seed: 1 << 60})
	require.ErrorContains(t, err, "2^53")
	r, err := conformance.NewRunner(openError{rounded()}, only("^Relu/"))
	require.NoError(t, err)
	_, err = r.Run(ctx)
	require.ErrorContains(t, err, "no device")
	require.NotEqual(t, conformance.NewSeed(), conformance.NewSeed())
}

type openError struct{ backends.Backend }

func (openError) Open(context.Context, backends.SessionConfig) (backends.Session, error) {
	return nil, errors.New("no device")
}

func TestSelections(t *testing.T) {
	all := conformance.Options{Effort: conformance.Standard}.Names()
	quick := conformance.Options{Effort: conformance.Quick}.Names()
	smoke := conformance.Options{Effort: conformance.Smoke}.Names()
	require.Greater(t, len(all), 2*len(quick))
	require.Greater(t, len(quick), 5*len(smoke))
	require.Subset(t, quick, smoke)
	protocol := conformance.Options{Suites: []conformance.Suite{conformance.Protocol}}.Names()
	require.NotEmpty(t, protocol)
	for _, n := range protocol {
		require.True(t, strings.HasPrefix(n, "protocol/"), n)
	}
	for _, n := range (conformance.Options{Ops: []string{"Conv"}, Effort: conformance.Quick}).Names() {
		require.True(t, strings.HasPrefix(n, "Conv/"), n)
	}
}

// A case is a probe and a benchmark too.
func TestCaseAsProbeAndBenchmark(t *testing.T) {
	var c *conformance.Case
	for _, x := range conformance.Cases() {
		if x.Name() == "Sigmoid/f32/x=31/real" {
			c = x
		}
	}
	rig := rounded()
	s, err := rig.Open(ctx, backends.SessionConfig{})
	require.NoError(t, err)
	p, err := c.Probe(ctx, s, 1)
	require.NoError(t, err)
	require.Equal(t, conformance.Support{Supported: true}, p)
	rig.Refuse = func(c *graph.Call) bool { return c.Op.Name == "Sigmoid" }
	p, err = c.Probe(ctx, s, 1)
	require.NoError(t, err)
	require.True(t, p.Supported && p.Decomposed)
	rig.Refuse = func(c *graph.Call) bool { return true }
	p, err = c.Probe(ctx, s, 1)
	require.NoError(t, err)
	require.False(t, p.Supported)
	require.NotEmpty(t, p.Why)

	rig.Refuse = nil
	prepared := c.Prepare(1, &conformance.Oracle{})
	b, err := prepared.Bench(ctx, s)
	require.NoError(t, err)
	require.Equal(t, int64(4*31), b.FLOPs)
	require.Equal(t, int64(2*4*31), b.Bytes)
	require.Equal(t, []string{"Sigmoid"}, b.Kernels)
	require.Empty(t, b.Judge(nil), "nothing was run")
	for _, steps := range []int{1, 4, 2, 1} { // ends on either set of data
		samples, err := b.Run(ctx, steps)
		require.NoError(t, err)
		require.Len(t, samples.Steps, steps)
		require.Empty(t, b.Judge(nil))
	}
	rig.Store = func(_ tensor.DType, v float64) float64 { return v + 0.01 }
	_, err = b.Run(ctx, 1)
	require.NoError(t, err)
	require.NotEmpty(t, b.Judge(nil))
	require.NoError(t, b.Close())
}
