package conformance

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/graph"
)

// macs of a layer's case, from the shapes that the op's inference gives.
func macs(t *testing.T, c *Case) int64 {
	s := c.subject.(*opSubject)
	b := graph.NewBuilder("shapes")
	in := make([]graph.Value, len(s.inputs))
	for i, x := range s.inputs {
		in[i] = b.Feed(x.name, x.typ)
	}
	y := s.apply(b, in)[0].Type.Shape
	require.NoError(t, b.Err())
	switch c.Op {
	case "Conv":
		return int64(y.Elements()) * int64(in[1].Type.Shape[1:].Elements())
	case "Gemm":
		return int64(y.Elements()) * int64(in[0].Type.Shape[1])
	case "Attention": // scores, and their weighted sums
		return 2 * int64(y.Elements()) * int64(in[1].Type.Shape[1])
	}
	return 0
}

// The layers add up to what is published of the networks: operations of
// torchvision's weights, and the layers that one counts in the papers.
func TestLayersAddUp(t *testing.T) {
	for name, c := range map[string]struct {
		gmacs float64
		times map[string]int
	}{
		"lenet5":   {0.000282, map[string]int{"Conv": 2, "Gemm": 3, "AveragePool": 2, "Relu": 4}},
		"alexnet":  {0.714, map[string]int{"Conv": 5, "Gemm": 3, "MaxPool": 3, "AdaptiveAveragePool": 1, "Relu": 7}},
		"resnet18": {1.814, map[string]int{"Conv": 20, "Gemm": 1, "BatchNormalization": 20, "MaxPool": 1, "GlobalAveragePool": 1, "Relu": 17}},
		"resnet50": {4.089, map[string]int{"Conv": 53, "Gemm": 1, "BatchNormalization": 53, "MaxPool": 1, "GlobalAveragePool": 1, "Relu": 49}},
		"mobilenetv3-large": {0.217, map[string]int{"Conv": 62, "Gemm": 2, "BatchNormalization": 46, "GlobalAveragePool": 9, "Relu": 19,
			"HardSwish": 21, "HardSigmoid": 8}},
		"vit-b16": {17.564, map[string]int{"Conv": 1, "Gemm": 49, "LayerNormalization": 25, "Attention": 12, "Gelu": 12}},
	} {
		layers, err := Layers(name, 1)
		require.NoError(t, err)
		cases, err := LayerCases(name, 1)
		require.NoError(t, err)
		require.Len(t, cases, len(layers))
		sum, times := int64(0), map[string]int{}
		for i, k := range cases {
			sum += int64(layers[i].Times) * macs(t, k)
			times[k.Op] += layers[i].Times
		}
		require.Equal(t, c.times, times, name)
		require.InDelta(t, c.gmacs, float64(sum)/1e9, 5e-4, name)
	}
}

// The layers that are not sampled pass on the reference, in the smallest
// networks that have them.
func TestLayersOfEveryKindPass(t *testing.T) {
	ctx := context.Background()
	s, err := reference.New().Open(ctx, backends.SessionConfig{})
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, network := range []string{"lenet5", "mobilenetv3-small-0.35", "vit-micro"} {
		cases, err := LayerCases(network, 2)
		require.NoError(t, err)
		for _, c := range cases {
			if seen[c.Op] {
				continue
			}
			seen[c.Op] = true
			p := c.Prepare(7, &Oracle{})
			require.Empty(t, p.Mistrusted(), c.Name())
			r := p.Check(ctx, s, &Oracle{}, nil)
			require.Equal(t, StatusPass, r.Status, "%s: %s", c.Name(), r.Why)
		}
	}
	require.Subset(t, slices.Collect(maps.Keys(seen)), []string{"AveragePool", "Relu", "BatchNormalization", "HardSwish", "HardSigmoid",
		"GlobalAveragePool", "LayerNormalization", "Attention", "Gelu"})
}

func TestCasesNamed(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range NetworkNames() {
		for _, batch := range []int{1, 32} {
			cases, err := LayerCases(n, batch)
			require.NoError(t, err)
			for _, c := range cases {
				require.False(t, seen[c.Name()], c.Name())
				seen[c.Name()] = true
			}
		}
	}
	one, err := LayerCases("resnet50", 3)
	require.NoError(t, err)
	at := slices.IndexFunc(one, func(c *Case) bool {
		return strings.HasPrefix(c.Name(), "Conv/f32/net=resnet50,layer=layer3.0.conv2,n=3,")
	})
	require.Positive(t, at)
	name := one[at].Name()
	got, err := CasesNamed([]string{"Sigmoid/f32/x=31/real", name})
	require.NoError(t, err)
	require.Equal(t, "Sigmoid/f32/x=31/real", got[0].Name())
	require.Equal(t, name, got[1].Name())

	for bad, why := range map[string]string{
		"Sigmoid/f32/x=32/real": "no case is named", "": "no case is named",
		strings.Replace(name, "net=resnet50", "net=resnet51", 1):  "unknown network",
		strings.Replace(name, "n=3", "n=99999999999999999999", 1): "is no number",
		strings.Replace(name, "n=3", "n=0", 1):                    "want 1 to 1024",
		strings.Replace(name, "k=", "k=9", 1):                     "no case is named",
	} {
		_, err := CasesNamed([]string{bad})
		require.ErrorContains(t, err, why, bad)
	}
	_, err = LayerCases("resnet50", 0)
	require.ErrorContains(t, err, "batch 0")
	require.Equal(t, []string{"a b", "c"}, ReadNames([]byte("# x\n a b \n\nc\r\na b\n")))
}

// The samples see a wrong layer, and pass a right one.
func TestSampledLayers(t *testing.T) {
	ctx := context.Background()
	s, err := reference.New().Open(ctx, backends.SessionConfig{})
	require.NoError(t, err)
	cases, err := LayerCases("lenet5", 2)
	require.NoError(t, err)
	for _, c := range cases {
		if c.sampled == 0 {
			continue
		}
		p := c.Prepare(7, &Oracle{})
		require.Empty(t, p.Mistrusted(), c.Name())
		r := p.Check(ctx, s, &Oracle{}, nil)
		require.Equal(t, StatusPass, r.Status, "%s: %s", c.Name(), r.Why)

		trial := p.trials[0]
		at := trial.samples(trial.outputs[0].typ.Shape.Elements())
		require.True(t, slices.IsSorted(at))
		require.Zero(t, at[0])
		require.Equal(t, trial.outputs[0].typ.Shape.Elements()-1, at[len(at)-1])
		right := trial.honest()
		require.True(t, Passed(trial.Judge(right, nil)))
		for key, y := range right {
			v := y.Float64s()
			v[at[len(at)/2]] += 0.01
			y.SetFloat64s(v)
			require.False(t, Passed(trial.Judge(right, nil)), "%s: %s", c.Name(), key)
		}
	}
}

// Sampling gives the same expectation as all outputs, where it looks.
func TestSamplesAreTheWhole(t *testing.T) {
	cases, err := LayerCases("lenet5", 1)
	require.NoError(t, err)
	for _, c := range cases {
		if c.sampled == 0 {
			continue
		}
		whole := *c
		whole.sampled = 0
		a, b := c.Prepare(3, &Oracle{}).trials[0], whole.Prepare(3, &Oracle{}).trials[0]
		for _, i := range a.samples(len(a.expect[0].want)) {
			require.Equal(t, b.expect[0].want[i], a.expect[0].want[i])
			require.Equal(t, b.expect[0].limit[i], a.expect[0].limit[i])
		}
	}
}
