package workloads

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

var digits = Standard{Mean: []float64{0.1307}, Std: []float64{0.3081}}

func lookup(t testing.TB, spec string) *Workload {
	w, err := Lookup(spec)
	require.NoError(t, err)
	return w
}

func TestLeNet5IsTheNetworkOfThePaper(t *testing.T) {
	w := lookup(t, "lenet5")
	require.EqualValues(t, 44426, w.Parameters())
	shapes := map[string]string{}
	for _, p := range w.Params() {
		shapes[p.Name] = p.Type.String()
	}
	require.Equal(t, map[string]string{
		"conv1.weight": "f32[6x1x5x5]", "conv1.bias": "f32[6]",
		"conv2.weight": "f32[16x6x5x5]", "conv2.bias": "f32[16]",
		"fc1.weight": "f32[120x256]", "fc1.bias": "f32[120]",
		"fc2.weight": "f32[84x120]", "fc2.bias": "f32[84]",
		"fc3.weight": "f32[10x84]", "fc3.bias": "f32[10]",
	}, shapes)
	conv1, conv2 := 6*24*24, 16*8*8
	want := conv1*(2*25+1) + conv2*(2*150+1) + // products and biases
		conv1 + conv2 + 120 + 84 + // activations
		6*12*12*4 + 16*4*4*4 + // pools
		120*(2*256+1) + 84*(2*120+1) + 10*(2*84+1)
	require.EqualValues(t, want, w.FLOPs())
}

func TestOptionsChangeTheNetwork(t *testing.T) {
	ops := func(spec string) map[string]int {
		p, err := lookup(t, spec).Evaluation(2, digits)
		require.NoError(t, err)
		count := map[string]int{}
		for _, n := range p.Nodes {
			count[n.Op]++
		}
		return count
	}
	plain := ops("lenet5")
	require.Equal(t, 4, plain["Relu"])
	require.Equal(t, 2, plain["AveragePool"])
	other := ops("lenet5;pool=max;activation=tanh")
	require.Equal(t, 4, other["Tanh"])
	require.Equal(t, 2, other["MaxPool"])
	require.Zero(t, other["Relu"]+other["AveragePool"])
	require.Equal(t, 4, ops("lenet5,activation=sigmoid")["Sigmoid"])

	w := lookup(t, "lenet5;pool=max;activation=tanh")
	require.Equal(t, "activation=tanh,pool=max", w.Variant())
	require.Equal(t, "lenet5;activation=tanh;pool=max", w.String())
	require.Equal(t, w.String(), lookup(t, w.String()).String())
	require.Empty(t, lookup(t, "lenet5;pool=average").Variant())
}

func TestLookupRefuses(t *testing.T) {
	for spec, want := range map[string]string{
		"":                          "known are lenet5",
		"alexnet9":                  `"alexnet9" is not known; known are lenet5`,
		"lenet5;pool":               `"pool" is not option=value`,
		"lenet5;depth=3":            `no option "depth"; it has form, activation, pool`,
		"lenet5;form=1998;pool=max": "option pool is one of form=modern alone, not of form=1998",
		"lenet5;pool=min":           `pool="min": want one of average, max`,
		"lenet5;pool=max;pool=max":  "stands twice",
	} {
		_, err := Lookup(spec)
		require.ErrorContains(t, err, want)
	}
}

func TestAllAreWhole(t *testing.T) {
	for _, w := range All() {
		streams := map[uint32]string{}
		require.Equal(t, w.String(), lookup(t, w.Name).String())
		require.NotEmpty(t, w.Description)
		require.Contains(t, w.Recipes, DefaultRecipe)
		for _, p := range w.Params() {
			require.NotContains(t, streams, streamOf(p.Name), "two parameters draw the same numbers")
			streams[streamOf(p.Name)] = p.Name
		}
	}
}

func TestInitIsPyTorchsDefault(t *testing.T) {
	w := lookup(t, "lenet5")
	a, b := w.Init(1), w.Init(2)
	for _, p := range w.Params() {
		fanIn := map[string]int{"conv1": 25, "conv2": 150, "fc1": 256, "fc2": 120, "fc3": 84}[p.Name[:slices.Index([]byte(p.Name), '.')]]
		bound := 1 / math.Sqrt(float64(fanIn))
		peak, sum := 0.0, 0.0
		for _, v := range a[p.Name].Float64s() {
			peak = max(peak, math.Abs(v))
			sum += v
		}
		require.LessOrEqual(t, peak, bound*(1+1e-6), p.Name)
		if n := float64(p.Type.Shape.Elements()); n > 100 {
			require.Greater(t, peak, bound*0.95, p.Name)
			require.Less(t, math.Abs(sum/n), 4*bound/math.Sqrt(3*n), p.Name)
		}
		require.NotEqual(t, a[p.Name].Data, b[p.Name].Data, p.Name)
		require.Equal(t, a[p.Name].Data, w.Init(1)[p.Name].Data)
	}
}

func TestProgramsHaveTheirEnds(t *testing.T) {
	w := lookup(t, "lenet5")
	names := func(vs []graph.Value) (list []string) {
		for _, v := range vs {
			list = append(list, v.Name)
		}
		return list
	}
	p, err := w.Inference(4, digits, w.Init(1))
	require.NoError(t, err)
	require.Empty(t, p.State)
	require.Equal(t, []graph.Value{{Name: FeedImage, Type: tensor.T(tensor.U8, 4, 28, 28, 1)}}, p.Feeds)
	require.Len(t, p.Consts, 10+2)

	p, err = w.Training(4, digits, w.Recipes[DefaultRecipe], true)
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	require.Equal(t, []string{FeedImage, FeedLabel, FeedLR}, names(p.Feeds))
	require.Len(t, p.State, 20)
	require.Len(t, p.Updates, 20)
	require.Len(t, p.Fetches, 11)
	require.Empty(t, g.Types[p.Fetches[0]].Shape)
	for i, param := range w.Params() {
		require.Equal(t, param.Type, g.Types[p.Fetches[1+i]], param.Name)
		require.Equal(t, param.Name, p.State[i].Name)
		require.Equal(t, param.Name+".velocity", p.State[10+i].Name)
	}
	require.Equal(t, "SGD", p.Origin.Optimizer)
	require.Equal(t, p.Fetches[0], p.Origin.Loss)
	require.Equal(t, p.Fetches[0], p.Nodes[p.Origin.Forward-1].Outputs[0])
	require.Equal(t, []string{"grad.conv2.Conv.ConvInputGrad"}, nodesOf(p, "ConvInputGrad"), "the images' gradient is nobody's")

	adam := *w.Recipes[DefaultRecipe]
	adam.Optimizer = Optimizer{Kind: "adam", LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}
	p, err = w.Training(4, digits, &adam, false)
	require.NoError(t, err)
	require.Len(t, p.State, 31)
	require.Len(t, p.Updates, 31)
	require.Len(t, p.Fetches, 1)
	require.Contains(t, names(p.State), StateStep)
}

func nodesOf(p *graph.Program, op string) (list []string) {
	for _, n := range p.Nodes {
		if n.Op == op {
			list = append(list, n.Name)
		}
	}
	return list
}

func TestProgramsRefuse(t *testing.T) {
	w := lookup(t, "lenet5")
	_, err := w.Evaluation(0, digits)
	require.ErrorContains(t, err, "batch 0")
	_, err = w.Evaluation(1, Standard{Mean: []float64{0, 0, 0}, Std: []float64{1, 1, 1}})
	require.ErrorContains(t, err, "want 1 channels")
	_, err = w.Evaluation(1, Standard{Mean: []float64{0}, Std: []float64{0}})
	require.ErrorContains(t, err, "deviation 0 of channel 0")
	weights := w.Init(1)
	delete(weights, "fc2.bias")
	_, err = w.Inference(1, digits, weights)
	require.ErrorContains(t, err, "no fc2.bias of type f32[84]")
}
