package conformance

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/reference/beside"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads"
)

func TestElementsArePutOnEitherSide(t *testing.T) {
	b := graph.NewBuilder("kinks")
	x := b.Feed("x", tensor.T(tensor.F32, 1, 1, 4, 4))
	pooled := b.OpN("MaxPool", graph.Attrs{"kernel_shape": graph.L(2, 2), "strides": graph.L(2, 2)}, 2, b.Op("HardSwish", nil, b.Op("Relu", nil, x)))
	b.Fetch(pooled...)
	p, err := b.Program()
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	list := kinks(g)
	require.Len(t, list, 3)
	data := []float64{
		1e-9, -1e-9, 3, 3.0000002,
		0.25, 0.5, -2.9999998, -3,
		2, 1, 1, 1,
		1, 2, 1, 1}
	put := func(k kink, site int, up bool) []float64 {
		y := &reference.Array{Shape: tensor.Shape{1, 1, 4, 4}, Data: append([]float64(nil), data...)}
		k.put(y, site, up)
		return y.Data
	}
	pool, swish, relu := list[0], list[1], list[2]
	require.Equal(t, data, put(relu, 0, true), "it is there already")
	require.Negative(t, put(relu, 0, false)[0])
	require.Positive(t, put(relu, 1, true)[1])
	require.InDelta(t, 0, put(relu, 1, true)[1], 1e-30)
	require.Greater(t, put(swish, 2, true)[2], 3.0)
	require.Less(t, put(swish, 2, false)[2], 3.0)
	require.Less(t, put(swish, 3, false)[3], 3.0)
	require.Greater(t, put(swish, 7, true)[7], -3.0)
	require.Less(t, put(swish, 6, false)[6], -3.0)
	// Of the largest two of a window up is the first, whichever is larger now.
	require.Equal(t, data, put(pool, 0, false))
	require.Greater(t, put(pool, 0, true)[4], 0.5)
	require.GreaterOrEqual(t, put(pool, 2, true)[8], 2.0)
	require.Greater(t, put(pool, 2, false)[13], 2.0)
}

func TestWhenDataAreDrawnAnew(t *testing.T) {
	for _, c := range []struct {
		jumps
		first, last bool // whether to draw anew the first time, and instead of the last
	}{
		{jumps{count: 0, most: 1}, false, false},
		{jumps{count: 1, most: 100}, true, false},
		{jumps{count: hopelessKinks, most: 100}, false, false},
		{jumps{count: 1000, most: 100}, true, true},
		{jumps{count: 1, most: 0.01}, true, true},
		{jumps{count: hopelessKinks, most: 100, kept: true}, true, true},
	} {
		require.Equal(t, c.first, c.redraw(false), "%+v", c.jumps)
		require.Equal(t, c.last, c.redraw(true), "%+v", c.jumps)
	}
}

// training20 is a step of ResNet-20's training whose data lie at six kinks, and
// what the rule makes of it.
func training20(t *testing.T) (*Trial, *ensemble) {
	w, err := workloads.Lookup("resnet20")
	require.NoError(t, err)
	p, err := w.Training(2, workloads.Standard{Mean: []float64{0.4, 0.4, 0.4}, Std: []float64{0.3, 0.3, 0.3}}, w.Recipes[workloads.DefaultRecipe], false)
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	trial := &Trial{Case: &Case{}, Program: p, Graph: g, Values: fillByUse(Draw{Seed: 4, Case: "chain"}, g, nil), outputs: outputsOf(g)}
	e := newEnsemble(g, trial.arrays(), &Oracle{})
	require.NoError(t, trial.expects(e, false))
	return trial, e
}

// tamper changes what a node has given.
type tamper func(c *graph.Call, env map[string]*reference.Array)

// answersOf evaluates the trial as a legal implementation of its own does, but
// for what tamper makes of each node.
func answersOf(t *testing.T, trial *Trial, change tamper) Outputs {
	env := trial.arrays()
	for _, c := range trial.Graph.Consts {
		env[c.Name] = reference.FromTensor(c.Tensor)
	}
	mode := beside.Mode(reference.Mode{Round: true, Order: 99})
	for i := range trial.Graph.Calls {
		c := &trial.Graph.Calls[i]
		require.NoError(t, reference.EvalNode(c, env, mode))
		change(c, env)
	}
	out := Outputs{}
	for _, o := range trial.outputs {
		out[o.key] = env[o.value].Tensor(o.typ.DType)
	}
	return out
}

// bending is a ReluGrad that lets through where keep says.
func bending(keep func(y float64) bool) tamper {
	return func(c *graph.Call, env map[string]*reference.Array) {
		dy, y := env[c.Inputs[0]], env[c.Inputs[1]]
		dx := reference.New(dy.Shape...)
		for i := range dx.Data {
			if keep(y.Data[i]) {
				dx.Data[i] = dy.Data[i]
			}
		}
		env[c.Outputs[0]] = dx
	}
}

func TestEitherSideOfAKinkIsRightAndNothingElse(t *testing.T) {
	trial, e := training20(t)
	require.GreaterOrEqual(t, trial.either.Elements, hopelessKinks)
	require.Less(t, float64(trial.either.Elements), mostAtKinks*float64(trial.either.Of))
	judged := func(change tamper) bool { return Passed(trial.Judge(answersOf(t, trial, change), nil)) }

	require.True(t, judged(func(*graph.Call, map[string]*reference.Array) {}))
	rng := rand.New(rand.NewPCG(5, 6))
	for range 3 { // any of them on any side
		require.True(t, judged(func(c *graph.Call, env map[string]*reference.Array) {
			for k, watched := range e.watched {
				for _, site := range e.jumps.sites[k] {
					if watched.value == c.Outputs[0] {
						watched.put(env[watched.value], site, rng.IntN(2) == 0)
					}
				}
			}
		}))
	}

	const last = 19 // the gradient of the first ReLU, the last to be computed
	for name, fault := range map[string]struct {
		op     string
		nth    int
		change tamper
	}{
		"ReluGrad passes at zero, in the last layer":   {"ReluGrad", 1, bending(func(y float64) bool { return y >= 0 })},
		"ReluGrad passes at zero, in the first layer":  {"ReluGrad", last, bending(func(y float64) bool { return y >= 0 })},
		"ReluGrad bends at 0.001, in the first layer":  {"ReluGrad", last, bending(func(y float64) bool { return y > 1e-3 })},
		"ReluGrad bends at 0.0001, in a layer between": {"ReluGrad", last / 2, bending(func(y float64) bool { return y > 1e-4 })},
		"the mask of another layer": {"ReluGrad", last - 1, func(c *graph.Call, env map[string]*reference.Array) {
			env[c.Outputs[0]] = reference.ReluGrad(env[c.Inputs[0]], env[otherRelu(trial.Graph, c.Inputs[1])])
		}},
		"one element's mask, far from kinks": {"ReluGrad", 1, func(c *graph.Call, env map[string]*reference.Array) {
			y := env[c.Inputs[1]].Data
			i := slices.Index(y, slices.Max(y))
			env[c.Outputs[0]].Data[i] = 0
		}},
		"a residual's gradient is dropped": {"Add", gradientSum(trial), func(c *graph.Call, env map[string]*reference.Array) {
			env[c.Outputs[0]] = env[c.Inputs[1]]
		}},
		"batch norm's gradient is not centred": {"BatchNormalizationGrad", 12, uncentred},
	} {
		met := 0
		require.False(t, judged(func(c *graph.Call, env map[string]*reference.Array) {
			if c.Op.Name == fault.op {
				if met++; met == fault.nth {
					fault.change(c, env)
				}
			}
		}), name)
		require.GreaterOrEqual(t, met, fault.nth, name)
	}
}

// uncentred is batch norm's gradient without the mean of dY, which leaves
// dX = slope·(dY − x̂·mean(dY·x̂)) with slope = scale·invStdDev.
func uncentred(c *graph.Call, env map[string]*reference.Array) {
	dy, scale, inv := env[c.Inputs[0]], env[c.Inputs[2]], env[c.Inputs[4]]
	channels, inner := dy.Shape[1], dy.Shape[2:].Elements()
	sum := make([]float64, channels)
	for i, v := range dy.Data {
		sum[i/inner%channels] += v
	}
	for i := range dy.Data {
		ch := i / inner % channels
		env[c.Outputs[0]].Data[i] += scale.Data[ch] * inv.Data[ch] * sum[ch] / float64(len(dy.Data)/channels)
	}
}

// otherRelu is the result of another ReLU, of the same shape.
func otherRelu(g *graph.Graph, y string) string {
	for i := range g.Calls {
		c := &g.Calls[i]
		if c.Op.Name == "Relu" && c.Outputs[0] != y && c.Out[0].Shape.Equal(g.Types[y].Shape) {
			return c.Outputs[0]
		}
	}
	return ""
}

// gradientSum is which of the program's additions is the first that adds up the
// gradients of a block's two ways.
func gradientSum(trial *Trial) (nth int) {
	for i := range trial.Graph.Calls {
		c := &trial.Graph.Calls[i]
		if c.Op.Name != "Add" {
			continue
		}
		nth++
		for _, in := range c.Inputs {
			if from, _ := trial.producer(in); from != nil && from.Op.Name == "ConvInputGrad" {
				return nth
			}
		}
	}
	return 0
}
