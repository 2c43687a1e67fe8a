package conformance

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/graph"
)

// parameters of all layers of a shape.
func (l Layer) parameters() int64 {
	var each int
	switch l.Op {
	case "Conv":
		each = l.M * (l.C / l.G) * l.K * l.K
		if l.Bias {
			each += l.M
		}
	case "Gemm":
		each = l.K*l.N + l.N
	case "BatchNormalization":
		each = 2 * l.C
	case "LayerNormalization":
		each = 2 * l.N
	}
	return int64(l.Times) * int64(each)
}

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

// The tables add up to what is published of the networks: parameters and
// operations of torchvision's weights.
func TestLayersAddUp(t *testing.T) {
	for name, published := range map[string]struct {
		parameters int64
		gmacs      float64
	}{
		"lenet5": {44_426, 0.000282}, "alexnet": {61_100_840, 0.714}, "resnet18": {11_689_512, 1.814}, "resnet50": {25_557_032, 4.089},
		"mobilenet_v3_large": {5_483_032, 0.217}, "vit_b_16": {86_567_656, 17.564},
	} {
		i := slices.IndexFunc(Networks(), func(n Network) bool { return n.Name == name })
		require.GreaterOrEqual(t, i, 0, name)
		n := Networks()[i]
		require.NotEmpty(t, n.Source)
		require.Equal(t, published.parameters, n.Parameters, name)
		require.InDelta(t, published.gmacs, float64(n.MACs)/1e9, 5e-4, name)
		cases, err := LayerCases(name, 1)
		require.NoError(t, err)
		require.Len(t, cases, len(n.Layers))
		parameters, sum := n.OtherParameters, n.OtherMACs
		for k, c := range cases {
			parameters += n.Layers[k].parameters()
			sum += int64(n.Layers[k].Times) * macs(t, c)
		}
		require.Equal(t, n.Parameters, parameters, name)
		require.Equal(t, n.MACs, sum, name)
	}
	require.Len(t, Networks(), 6)
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
	name := one[len(one)/2].Name()
	require.True(t, strings.HasPrefix(name, "Conv/f32/net=resnet50,layer=layer3.0.conv"), name)
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
	for _, c := range cases[:3] {
		whole := *c
		whole.sampled = 0
		a, b := c.Prepare(3, &Oracle{}).trials[0], whole.Prepare(3, &Oracle{}).trials[0]
		for _, i := range a.samples(len(a.expect[0].want)) {
			require.Equal(t, b.expect[0].want[i], a.expect[0].want[i])
			require.Equal(t, b.expect[0].limit[i], a.expect[0].limit[i])
		}
	}
}
