package workloads

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/tensor"
)

// macs are the multiplications with an addition of the products that a network
// is made of: what is published as its operations.
func macs(w *Workload) (sum int64) {
	_, g := w.bare()
	for i := range g.Calls {
		c := &g.Calls[i]
		switch c.Op.Name {
		case "Conv":
			sum += elements(c.Out[0]) * int64(c.In[1].Shape[1:].Elements())
		case "Gemm":
			sum += elements(c.Out[0]) * int64(c.In[0].Shape[1])
		case "Attention": // scores, and the sums of values that they weigh
			sum += 2 * elements(c.Out[0]) * int64(c.In[1].Shape[1])
		}
	}
	return sum
}

func elements(t tensor.Type) int64 { return int64(t.Shape.Elements()) }

// What is published of each network: parameters and, to the digits that are
// given, giga-operations. torchvision states both of its weights
// (torchvision.models, table of classification weights).
var published = []struct {
	spec       string
	parameters int64
	gmacs      float64
	digits     float64
}{
	{"resnet18", 11_689_512, 1.814, 5e-4},
	{"resnet34", 21_797_672, 3.664, 5e-4},
	{"resnet50", 25_557_032, 4.089, 5e-4},
	{"resnet101", 44_549_160, 7.801, 5e-4},
	{"resnet20", 269_722, 0.04055, 1e-5}, // the paper says 0.27 M and 0.85 M, without norms
	{"resnet56", 853_018, 0.12549, 1e-5},
	{"resnet20;shortcut=projection", 269_722 + 16*32 + 2*32 + 32*64 + 2*64, 0.04055 + 0.00026, 1e-5},
}

func TestNetworksHaveTheirPublishedSizes(t *testing.T) {
	for _, p := range published {
		w := lookup(t, p.spec)
		require.Equal(t, p.parameters, w.Parameters(), p.spec)
		require.InDelta(t, p.gmacs, float64(macs(w))/1e9, p.digits, p.spec)
		require.GreaterOrEqual(t, w.FLOPs(), 2*macs(w), p.spec)
		require.Less(t, float64(w.FLOPs()), 2.4*float64(macs(w)), p.spec)
	}
}

// variants lists every workload with every option's every value.
func variants() (list []string) {
	for _, w := range All() {
		list = append(list, w.Name)
		for _, o := range w.Options {
			for _, v := range o.Values[1:] {
				list = append(list, w.Name+";"+o.Name+"="+v)
			}
		}
	}
	return list
}

// Every variant makes programs whose types are right from end to end; nothing
// is computed, and no weights exist.
func TestEveryNetworksProgramsInfer(t *testing.T) {
	for _, spec := range variants() {
		w := lookup(t, spec)
		s := unit(w.Input.Channels)
		p, err := w.Evaluation(3, s)
		require.NoError(t, err, spec)
		g, err := p.Infer()
		require.NoError(t, err, spec)
		require.Equal(t, tensor.T(tensor.F32, 3, w.Classes), g.Types[p.Fetches[0]], spec)

		p, err = w.Training(2, s, w.Recipes[DefaultRecipe], false)
		require.NoError(t, err, spec)
		g, err = p.Infer()
		require.NoError(t, err, spec)
		updated := map[string]bool{}
		for _, u := range p.Updates {
			updated[u.State] = true
		}
		for _, v := range p.State {
			require.True(t, updated[v.Name], "%s: a step leaves %s as it is", spec, v.Name)
		}
		require.Greater(t, g.FLOPs(), 5*w.FLOPs(), spec)
	}
}

// tensorNames are a network's tensors under their names.
func tensorNames(w *Workload) map[string][]int {
	out := map[string][]int{}
	for _, p := range w.tensors() {
		out[p.Name] = p.Type.Shape
	}
	return out
}

// bottlenecks is ResNet-50's kind of network, small enough for the reference.
func bottlenecks() *Workload {
	r := residual{small: true, blocks: []int{1, 1}, width: 4, bottleneck: true, classes: 5}
	return around(Input{8, 8, 3}, 5, r.build)
}

// Small networks of every family, or a small relative, fit a batch of noise.
func TestNetworksLearn(t *testing.T) {
	sgd := func(lr float64) Optimizer { return Optimizer{Kind: "sgd", LR: lr, Momentum: 0.9} }
	for name, c := range map[string]struct {
		w            *Workload
		o            Optimizer
		batch, steps int
	}{
		"resnet20":   {lookup(t, "resnet20"), sgd(0.02), 4, 4},
		"bottleneck": {bottlenecks(), sgd(0.02), 5, 8},
	} {
		l := losses(t, c.w, c.o, c.batch, c.steps)
		require.Less(t, l[len(l)-1], 0.9*l[0], "%s: %v", name, l)
	}
}
