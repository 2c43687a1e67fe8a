package conformance

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/reference/beside"
	"github.com/clsbench/clsbench/reference/relaxed"
	"github.com/clsbench/clsbench/tensor"
)

// The program rule. Backends fuse, so bounds of single ops do not compose; what
// a legal implementation may do to a program is shown by legal implementations:
// the reference in float64, and runs of it that round after every node and sum
// in random orders.

const (
	roundedRuns   = 8
	steppedRuns   = 24         // of programs with ops taken apart: a row of scores errs as one
	manyRounds    = int64(1e9) // FLOPs above which three runs must do
	fewRuns       = 3
	minGroup      = 64
	groupFactor   = 2
	dependence    = 5 // how much more the limit is where errors hang together, see groupErrors
	backwardRun   = 2 // sums from the last term to the first
	kinkRuns      = 3 // runs that say how near is too near to a kink
	kinkDistance  = 4
	spreadAllowed = 2 // times u·max|y*|
)

// errKink says that the data lie so near to a discontinuity that legal
// implementations fall on different sides: other data must be drawn.
var errKink = errors.New("data at a kink")

// ensemble is a number of reference runs of one program, each with a state of
// its own; the first is in float64, the others are rounded.
type ensemble struct {
	graph   *graph.Graph
	steps   *graph.Graph // what the rounded runs evaluate, see stepwise
	outputs []output
	watched []kink
	loose   bool   // see there
	jumps   *jumps // that the rounded runs take to either side; nil: none
	view    bool   // outputs are kept as their views alone, see golden.go
	threads int
	math    string
	consts  map[string]*reference.Array
	states  []map[string]*reference.Array
}

// newEnsemble starts all runs from one state.
func newEnsemble(g *graph.Graph, state map[string]*reference.Array, o *Oracle) *ensemble {
	steps, runs := bySteps(g), roundedRuns
	switch {
	case g.FLOPs() > o.manyRounds():
		runs = fewRuns
	case steps != g:
		runs = steppedRuns
	}
	e := &ensemble{graph: g, steps: steps, outputs: outputsOf(g), watched: kinks(g), loose: loose(g), threads: o.threads(), math: o.Math,
		consts: map[string]*reference.Array{}, states: make([]map[string]*reference.Array, 1+runs)}
	for _, c := range e.steps.Consts {
		e.consts[c.Name] = reference.FromTensor(c.Tensor)
	}
	for r := range e.states {
		e.states[r] = map[string]*reference.Array{}
		for _, v := range g.State {
			e.states[r][v.Name] = state[v.Name]
		}
	}
	return e
}

// stepwise are the ops inside of which roundings meet cancellation: a gradient
// of attention subtracts two sums that are nearly equal. What legal
// implementations make of those shows only where every step of theirs is
// rounded, so that the rounded runs take them apart, whatever a backend does.
var stepwise = map[string]bool{"Attention": true, "AttentionGrad": true}

// bySteps is the program with these ops in core ones; itself if it has none.
func bySteps(g *graph.Graph) *graph.Graph {
	if !slices.ContainsFunc(g.Nodes, func(n graph.Node) bool { return stepwise[n.Op] }) {
		return g
	}
	p, err := pass.Decompose(g.Program, func(c *graph.Call) bool { return !stepwise[c.Op.Name] })
	if err != nil {
		panic(err) // every row's decomposition is tested
	}
	steps, err := p.Infer()
	if err != nil {
		panic(err)
	}
	return steps
}

// run is what one reference run gave: outputs by their order, and the values
// watched for kinks.
type run struct {
	outputs []*reference.Array
	watched []*reference.Array
}

// step evaluates all runs on the feeds, moves their states on and gives what
// to expect of each output. Where other data are to be drawn it moves nothing
// and gives errKink; last says that these are the last.
func (e *ensemble) step(feeds map[string]*reference.Array, last bool) (*ruling, error) {
	runs := make([]*run, len(e.states))
	e.jumps = nil
	from := 0
	if len(e.watched) > 0 {
		if err := e.evaluate(runs, 0, kinkRuns, feeds); err != nil {
			return nil, err
		}
		found := e.atKinks(runs[:kinkRuns])
		if found.redraw(last) {
			return nil, errKink
		}
		from = kinkRuns
		if found.count > 0 {
			e.jumps, from = found, backwardRun // which is run again
		}
	}
	if err := e.evaluate(runs, from, len(runs), feeds); err != nil {
		return nil, err
	}
	ruled := &ruling{list: e.expectations(runs)}
	if e.jumps != nil {
		ruled.EitherSide = EitherSide{e.jumps.count, e.jumps.of}
	}
	for r := range runs {
		for i, out := range e.outputs {
			if out.state && !e.view {
				e.states[r][out.key[len(nextPrefix):]] = runs[r].outputs[i]
			}
		}
	}
	return ruled, nil
}

// ruling is what the program rule expects of each output, and of how many
// elements it allows either side of a jump.
type ruling struct {
	list []*expectation
	EitherSide
}

// evaluate fills runs[from:to], as many at a time as there are threads.
func (e *ensemble) evaluate(runs []*run, from, to int, feeds map[string]*reference.Array) error {
	errs := make([]error, len(runs))
	var wg sync.WaitGroup
	atOnce := max(1, min(e.threads, to-from))
	if e.graph.FLOPs() > manyRounds {
		atOnce = 1 // for the memory that each takes
	}
	slots := make(chan struct{}, atOnce)
	each := max(1, e.threads/atOnce)
	for r := from; r < to; r++ {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			mode := reference.Mode{Threads: each}
			if r > 0 {
				// The first two rounded runs sum one term after the other, as a
				// matrix product's kernel does, from either end: of all legal
				// orders these err most, and what comes behind a large term is
				// lost (see lost) in one of the two.
				mode.Round, mode.Order, mode.Backwards = true, uint64(r-1), r == backwardRun
				mode = relaxed.Mode(mode, e.math)
			}
			runs[r], errs[r] = e.one(r, feeds, beside.Mode(mode))
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (e *ensemble) one(r int, feeds map[string]*reference.Array, mode reference.Mode) (*run, error) {
	env := map[string]*reference.Array{}
	for _, v := range e.graph.Feeds {
		env[v.Name] = feeds[v.Name]
	}
	for name, x := range e.states[r] {
		env[name] = x
	}
	for name, x := range e.consts {
		env[name] = x
	}
	g := e.graph
	if r > 0 {
		g = e.steps
	}
	for name := range env {
		e.put(name, env, r)
	}
	for i := range g.Calls {
		if err := e.node(&g.Calls[i], env, r, mode); err != nil {
			return nil, err
		}
		for _, name := range g.Calls[i].Outputs {
			e.put(name, env, r)
		}
	}
	got := &run{}
	if e.view {
		got.outputs = e.viewed(env)
	} else {
		for _, out := range e.outputs {
			got.outputs = append(got.outputs, env[out.value])
		}
	}
	for _, k := range e.watched {
		got.watched = append(got.watched, env[k.value])
	}
	return got, nil
}

// expectations applies the rule to every output.
func (e *ensemble) expectations(runs []*run) []*expectation {
	list := make([]*expectation, len(e.outputs))
	for i, out := range e.outputs {
		others := make([][]float64, 0, len(runs)-1)
		for _, r := range runs[1:] {
			others = append(others, r.outputs[i].Data)
		}
		want := runs[0].outputs[i].Data
		if e.view {
			list[i] = &expectation{output: viewOutput(out), bound: programRule, want: want, limit: viewLimits(out, want, others)}
			continue
		}
		list[i] = &expectation{output: out, bound: programRule, want: want, limit: e.ruleLimits(out, want, others)}
		if out.state && e.unmoved(i, runs) {
			list[i].limit = nil // bit-equal
		}
	}
	return list
}

// unmoved says that every run leaves a state variable as it found it, to the
// last bit, and all found it alike: a step that is skipped. So must everyone.
func (e *ensemble) unmoved(i int, runs []*run) bool {
	name := e.outputs[i].key[len(nextPrefix):]
	for r := range runs {
		if !slices.Equal(e.states[0][name].Data, e.states[r][name].Data) || !slices.Equal(e.states[r][name].Data, runs[r].outputs[i].Data) {
			return false
		}
	}
	return true
}

// ruleLimits are the limits by element, equal within a group. Integers and
// truth values may be what any of the runs has.
func (e *ensemble) ruleLimits(out output, want []float64, others [][]float64) []float64 {
	limit := make([]float64, len(want))
	if !out.typ.DType.IsFloat() {
		for i := range want {
			for _, y := range others {
				limit[i] = max(limit[i], math.Abs(y[i]-want[i]))
			}
		}
		return limit
	}
	n, group := grouping(out.typ.Shape, e.groupAxis(out))
	gs := make([]groupErrors, n)
	for i := range want {
		gs[group(i)].add(want[i], others, i)
	}
	limits := make([]float64, n)
	for g := range gs {
		limits[g] = gs[g].limit() + spreadAllowed*out.typ.DType.UnitRoundoff()*gs[g].size
	}
	for i := range limit {
		limit[i] = limits[group(i)]
	}
	return limit
}

// groupErrors are the errors of the rounded runs in one group.
type groupErrors struct {
	size     float64 // max|y*|
	elements int
	runs     int
	worst    [steppedRuns]float64 // max|y_r − y*|
	squares  [steppedRuns]float64 // Σ(y_r − y*)²
	shares   float64              // Σ s, s the mean over the runs of an element's (y_r − y*)²
	shares2  float64              // Σ s²
}

func (g *groupErrors) add(want float64, others [][]float64, i int) {
	g.runs = len(others)
	if math.IsInf(want, 0) || math.IsNaN(want) {
		return
	}
	g.elements++
	g.size = max(g.size, math.Abs(want))
	share := 0.0
	for r, y := range others {
		e := math.Abs(y[i] - want)
		g.worst[r] = max(g.worst[r], e) // keeps NaN: no demand
		g.squares[r] += e * e
		share += e * e / float64(len(others))
	}
	g.shares += share
	g.shares2 += share * share
}

// limit is twice the worst error. But where the errors of a group hang together
// (all of a weight's row follow from a few elements of a small batch, or the
// output is a single number), eight runs are as many samples, and by chance
// all may be small. How many errors are independent shows in how much Σe²
// varies from run to run: of n normal errors its variance is 2/n of its
// squared mean; and where few elements have all the error, there are no more
// than those: (Σs)²/Σs² of their shares s. With one, the limit is 12 root mean
// squares of the runs' worst errors, which Student's t with 8 degrees of
// freedom exceeds 2e-6 of the time; with 64, twice the root mean square, which
// twice the worst exceeds.
func (g *groupErrors) limit() float64 {
	if g.elements == 0 {
		return 0
	}
	var worst, squared, mean, variance float64
	n := float64(g.runs)
	for r := range g.runs {
		worst = max(worst, g.worst[r])
		squared += g.worst[r] * g.worst[r] / n
		mean += g.squares[r] / n
	}
	if !(mean > 0) {
		return groupFactor * worst // no errors, or NaN
	}
	for _, q := range g.squares[:g.runs] {
		variance += (q - mean) * (q - mean) / (n - 1)
	}
	independent := max(1, min(mean*mean/variance/2, g.shares*g.shares/g.shares2))
	return groupFactor * max(worst, (1+dependence/independent)*math.Sqrt(squared))
}

// groupAxis is the axis whose indices are alike: channels of images (axis 1
// from rank 4 on), the last of tokens and features, the first of weights and
// their gradients.
func (e *ensemble) groupAxis(out output) int {
	if out.state {
		return 0
	}
	for i := range e.graph.Calls {
		c := &e.graph.Calls[i]
		if c.Op.Name == "ConvWeightGrad" && c.Outputs[0] == out.value {
			return 0
		}
		for j, in := range c.Inputs {
			if in == out.value && c.Op.In(j).Name == gradParam {
				return 0
			}
		}
	}
	if len(out.typ.Shape) >= 4 {
		return 1
	}
	return len(out.typ.Shape) - 1
}

// gradParam is what the op table calls the gradient that an optimizer takes.
const gradParam = "grad"

// grouping splits the elements of a shape into n groups of whole indices of an
// axis, neighbours pooled until a group has minGroup elements; fewer elements
// than that are one group.
func grouping(s tensor.Shape, axis int) (n int, group func(i int) int) {
	total := s.Elements()
	if len(s) == 0 || total < 2*minGroup {
		return 1, func(int) int { return 0 }
	}
	extent, inner := s[axis], s[axis+1:].Elements()
	each := max(1, total/extent)           // elements an index
	pooled := (minGroup + each - 1) / each // indices a group
	n = max(1, extent/pooled)
	return n, func(i int) int { return min(i/inner%extent/pooled, n-1) }
}

// Oracle evaluates the reference for cases. Its zero value keeps nothing.
type Oracle struct {
	Threads int    // goroutines it may use; 0: as many as run at a time
	Math    string // the mode that answers are judged in; "" is strict
	Cache   *Cache // of the program rule's results; nil: none

	many int64 // FLOPs above which three rounded runs must do; 0: manyRounds
}

func (o *Oracle) manyRounds() int64 {
	if o.many > 0 {
		return o.many
	}
	return manyRounds
}

func (o *Oracle) threads() int {
	if o.Threads > 0 {
		return o.Threads
	}
	return runtime.GOMAXPROCS(0)
}

// rule applies the program rule to one step from the given feeds and state;
// last says that no other data can be drawn in their place.
func (o *Oracle) rule(g *graph.Graph, values map[string]*reference.Array, last bool) (*ruling, error) {
	key := o.Cache.key(g, o.Math, values)
	if ruled, ok := o.Cache.load(key, g); ok {
		return ruled, nil
	}
	ruled, err := newEnsemble(g, values, o).step(values, last)
	if err != nil {
		return nil, err
	}
	o.Cache.store(key, ruled)
	return ruled, nil
}
