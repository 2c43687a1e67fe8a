package conformance

import (
	"bytes"
	"context"
	"embed"
	"encoding/gob"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/reference/beside"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads"
)

// What the program rule makes of the large networks takes the reference minutes,
// and is checked in. A golden holds a program's digest, the seed of its data and,
// of each output, the float64 run's elements at some positions and some sums over
// all elements with random signs, each with the rule's limit: the same numbers
// are taken of an answer. A wrong element shows where it is sampled, and wherever
// it is in the sums, as soon as it outweighs all elements' roundings together;
// every kernel is judged on its own besides, by its partitions.

//go:embed goldens
var goldenFiles embed.FS

// Golden is what a step of a network's program gives, at a few numbers an output.
type Golden struct {
	Program string // digest
	Seed    uint64 // of the data, and of the weights of inference
	Sets    []GoldenSet
}

// GoldenSet is one set of data.
type GoldenSet struct {
	Try int // which draw of the data
	EitherSide
	// Limits are two an output, of its elements and of its sums.
	Limits, Views []float32
}

// Numbers of a view of an output: elements, and sums of all. An output of no more
// elements than both together is seen whole.
const (
	viewElements = 28
	viewSums     = 4
)

// viewSize is the length of a view of n elements.
func viewSize(n int) int { return min(n, viewElements+viewSums) }

// view is what a golden keeps of output number index.
func view(x []float64, index int) []float64 {
	if len(x) <= viewElements+viewSums {
		return slices.Clone(x)
	}
	places := tensor.Philox{Key: uint64(len(x)), Stream: uint32(index)}
	y := []float64{x[0], x[len(x)-1]} // where tiles begin and end
	for i := len(y); i < viewElements; i++ {
		y = append(y, x[places.Word(uint64(i))%uint32(len(x))])
	}
	signs := tensor.Philox{Key: uint64(len(x)), Stream: uint32(index), Step: 1}
	var sums [viewSums]float64
	for i := 0; i < len(x); i += 4 {
		block := signs.Block(uint64(i >> 2))
		for j, v := range x[i:min(i+4, len(x))] {
			for s := range sums {
				sums[s] += math.Float64frombits(math.Float64bits(v) ^ uint64(block[j]>>s&1)<<63)
			}
		}
	}
	for _, s := range sums {
		y = append(y, s/math.Sqrt(float64(len(x)))) // as large as an element
	}
	return y
}

// viewOutput is an output as its view.
func viewOutput(o output) output {
	n := o.typ.Shape.Elements()
	o.typ = tensor.T(tensor.F64, viewSize(n))
	if n > viewElements+viewSums {
		o.key = fmt.Sprintf("%s (%d of its %d elements, %d sums of all)", o.key, viewElements, n, viewSums)
	}
	return o
}

// expectations are what the set wants of the outputs' views.
func (s *GoldenSet) expectations(outs []output) ([]*expectation, error) {
	var list []*expectation
	views := s.Views
	for i, o := range outs {
		v := viewOutput(o)
		n := v.typ.Shape.Elements()
		if len(views) < n || len(s.Limits) < 2*(i+1) {
			return nil, fmt.Errorf("a golden of %d outputs is cut short: make goldens writes it anew", len(outs))
		}
		e := &expectation{output: v, bound: programRule}
		for k, want := range views[:n] {
			limit := float64(s.Limits[2*i])
			if k >= viewElements {
				limit = float64(s.Limits[2*i+1])
			}
			e.want = append(e.want, float64(want))
			// What is kept is rounded to f32 itself.
			e.limit = append(e.limit, limit+tensor.F32.UnitRoundoff()*math.Abs(float64(want)))
		}
		list = append(list, e)
		views = views[n:]
	}
	return list, nil
}

// viewOf is an answer as the golden sees it.
func viewOf(outs []output, got Outputs) Outputs {
	views := Outputs{}
	for i, o := range outs {
		v := viewOutput(o)
		t := tensor.New(tensor.F64, v.typ.Shape...)
		t.SetFloat64s(view(got[o.key].Float64s(), i))
		views[v.key] = t
	}
	return views
}

// GoldenProgram is a network's program as it is judged by goldens: of one image,
// or two to train on where an image is small.
func GoldenProgram(w *workloads.Workload, mode string, seed uint64) (*graph.Program, error) {
	n := NetworkProgram{w.String(), mode, goldenBatch(w, mode), w}
	return n.build(seed)
}

// largeSide is the size of images of which one is enough to train on: a batch
// norm sees 49 pixels of it in the last layer.
const largeSide = 224

func goldenBatch(w *workloads.Workload, mode string) int {
	if mode == "training" && w.Input.Height < largeSide {
		return trainingBatch
	}
	return inferenceBatch
}

// goldenCase is what the data of a golden are drawn for.
func goldenCase(p *graph.Program) *Case {
	return &Case{Op: p.Name, DType: tensor.F32, Params: "executable", Class: "program", bound: every(programRule),
		subject: &networkSubject{build: func(Draw) (*graph.Program, error) { return p, nil }}}
}

// goldenName is the file of a network's program and a seed.
func goldenName(network, mode string, seed uint64) string {
	return fmt.Sprintf("%s-%s-%d.golden", network, mode, seed)
}

// goldenSeeds lists the seeds that there are goldens of, of a network's program.
var goldenSeeds = sync.OnceValue(func() map[string][]uint64 {
	seeds := map[string][]uint64{}
	files, _ := fs.Glob(goldenFiles, "goldens/*.golden") // the pattern is right
	for _, f := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(f, "goldens/"), ".golden")
		at := strings.LastIndex(name, "-")
		var seed uint64
		if _, err := fmt.Sscan(name[at+1:], &seed); err == nil {
			seeds[name[:at]] = append(seeds[name[:at]], seed)
		}
	}
	return seeds
})

// FindGolden gives one of the goldens of a network's program, drawn by seed, with
// that program; nil if there is none, or none of the program as it is now.
func FindGolden(w *workloads.Workload, mode string, seed uint64) (*Golden, *graph.Program, error) {
	seeds := goldenSeeds()[w.String()+"-"+mode]
	if len(seeds) == 0 {
		return nil, nil, nil
	}
	chosen := seeds[seed%uint64(len(seeds))]
	b, err := goldenFiles.ReadFile("goldens/" + goldenName(w.String(), mode, chosen))
	if err != nil {
		return nil, nil, err
	}
	var g Golden
	if err := gob.NewDecoder(bytes.NewReader(b)).Decode(&g); err != nil {
		return nil, nil, fmt.Errorf("golden of %s %s: %w", w, mode, err)
	}
	p, err := GoldenProgram(w, mode, g.Seed)
	if err != nil || onnx.Digest(p) != g.Program {
		return nil, nil, err
	}
	return &g, p, nil
}

// MakeGolden evaluates the reference: minutes for a large network.
func MakeGolden(w *workloads.Workload, mode string, seed uint64) (*Golden, error) {
	p, err := GoldenProgram(w, mode, seed)
	if err != nil {
		return nil, err
	}
	g, err := p.Infer()
	if err != nil {
		return nil, err
	}
	golden := &Golden{Program: onnx.Digest(p), Seed: seed}
	of := sets
	if len(g.Updates) > 0 || g.FLOPs() > manyRounds {
		of = 1
	}
	for set := range of {
		s, err := makeGoldenSet(goldenCase(p), g, seed, set)
		if err != nil {
			return nil, err
		}
		golden.Sets = append(golden.Sets, *s)
	}
	return golden, nil
}

func makeGoldenSet(c *Case, g *graph.Graph, seed uint64, set int) (*GoldenSet, error) {
	for try := range maxTries {
		values, err := c.values(Draw{Seed: seed, Case: c.dataName(), Set: set, Try: try}, g)
		if err != nil {
			return nil, err
		}
		feeds := arraysOf(values)
		e := newEnsemble(g, feeds, &Oracle{})
		e.view = true
		ruled, err := e.step(feeds, try == maxTries-1)
		if err == errKink { //nolint:errorlint // step gives it bare
			continue
		}
		if err != nil {
			return nil, err
		}
		s := &GoldenSet{Try: try, EitherSide: ruled.EitherSide}
		for _, x := range ruled.list {
			for _, v := range x.want {
				s.Views = append(s.Views, float32(v))
			}
			s.Limits = append(s.Limits, float32(x.limit[0]), float32(x.limit[len(x.limit)-1]))
		}
		return s, nil
	}
	return nil, errKink
}

// viewLimits are the rule's limits of a view: its elements are one group, its
// sums another.
func viewLimits(o output, want []float64, others [][]float64) []float64 {
	limit := make([]float64, len(want))
	for _, part := range [][2]int{{0, min(viewElements, len(want))}, {min(viewElements, len(want)), len(want)}} {
		var g groupErrors
		for i := part[0]; i < part[1]; i++ {
			g.add(want[i], others, i)
		}
		l := g.limit() + spreadAllowed*o.typ.DType.UnitRoundoff()*g.size
		for i := part[0]; i < part[1]; i++ {
			limit[i] = l
		}
	}
	return limit
}

// viewed are the views of a run's outputs.
func (e *ensemble) viewed(env map[string]*reference.Array) (list []*reference.Array) {
	for i, o := range e.outputs {
		y := view(env[o.value].Data, i)
		list = append(list, &reference.Array{Shape: tensor.Shape{len(y)}, Data: y})
	}
	return list
}

// otherData is how much more the roundings of a program may come to on other
// data and weights than on a golden's.
const otherData = 4

// share is the golden's limit of an output's elements as a share of their largest.
func (g *Golden) share(outs []output, i int) float64 {
	at, share := 0, 0.0
	for _, o := range outs[:i] {
		at += viewSize(o.typ.Shape.Elements())
	}
	n := min(viewElements, viewSize(outs[i].typ.Shape.Elements()))
	for _, s := range g.Sets {
		size := 0.0
		for _, v := range s.Views[at : at+n] {
			size = max(size, math.Abs(float64(v)))
		}
		share = max(share, float64(s.Limits[2*i])/size)
	}
	return share
}

// JudgeLike holds fetches of a step on other data and weights than the golden's
// against what they should be: want, or if that is nil one float64 run of the
// step's program, which gives no spread. The limits are the golden's in proportion.
func (g *Golden) JudgeLike(whole, p *graph.Program, f Fetched, want Outputs, c Check, features []string) (*Verdict, error) {
	v := newVerdict(c.Seed)
	ofGolden, err := whole.Infer()
	if err != nil {
		return v, err
	}
	step, err := p.Infer()
	if err != nil {
		return v, err
	}
	env := map[string]*reference.Array{}
	if want == nil {
		env = arraysOf(f.Before)
		if _, err := reference.Eval(step, env, beside.Mode(reference.Mode{Threads: c.oracle().threads()})); err != nil {
			return v, err
		}
	}
	for name, t := range want {
		env[name] = reference.FromTensor(t)
	}
	t := &Trial{Case: goldenCase(p), Program: p, Graph: step}
	outs := outputsOf(ofGolden)
	for _, o := range outputsOf(step) {
		at := slices.IndexFunc(outs, func(x output) bool { return x.key == o.key })
		if at < 0 || f.After[o.key] == nil {
			continue
		}
		e := &expectation{output: o, bound: programRule, want: env[o.value].Data}
		limit := otherData * g.share(outs, at) * largest(e.want)
		e.limit = slices.Repeat([]float64{limit}, len(e.want))
		t.expect = append(t.expect, e)
	}
	if len(t.expect) == 0 {
		v.Result, v.Untested = Partial, []string{"timed fetches"}
		return v, nil
	}
	v.add(p.Name+"/"+f.Name, t.Judge(f.After, features))
	return v, nil
}

func largest(x []float64) (size float64) {
	for _, v := range x {
		size = max(size, math.Abs(v))
	}
	return size
}

// golden judges the executable by what is checked in.
func (j *judging) golden(ctx context.Context, golden *Golden) error {
	outs := outputsOf(j.graph)
	first := int64(j.check.Seed % (1 << 20))
	for set, s := range golden.Sets {
		expect, err := s.expectations(outs)
		if err != nil {
			return err
		}
		values, err := j.kase.values(Draw{Seed: golden.Seed, Case: j.kase.dataName(), Set: set, Try: s.Try}, j.graph)
		if err != nil {
			return err
		}
		if err := writeState(ctx, j.Session, j.graph, values); err != nil {
			return err
		}
		got, err := j.run(ctx, first+int64(set), []Values{values})
		if err != nil {
			return err
		}
		state, err := readState(ctx, j.Session, j.graph)
		if err != nil {
			return err
		}
		addUpdates(j.graph, state, got[0])
		t := &Trial{Case: j.kase, Program: j.Program, Graph: j.graph, expect: expect, either: s.EitherSide}
		j.judge(fmt.Sprintf("golden %d, set %d", golden.Seed, set), t, viewOf(outs, got[0]))
	}
	return nil
}
