package workloads

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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
	{"lenet5", 44_426, 0.000282, 1e-6},
	{"lenet5;form=1998", 60_000, 0.00032568, 1e-9}, // 60,000 and, with subsampling and biases, 340,908, says the paper
	{"resnet18", 11_689_512, 1.814, 5e-4},
	{"resnet34", 21_797_672, 3.664, 5e-4},
	{"resnet50", 25_557_032, 4.089, 5e-4},
	{"resnet101", 44_549_160, 7.801, 5e-4},
	{"resnet20", 269_722, 0.04055, 1e-5}, // the paper says 0.27 M and 0.85 M, without norms
	{"resnet56", 853_018, 0.12549, 1e-5},
	{"alexnet", 61_100_840, 0.714, 5e-4},
	{"alexnet;form=2012", 60_965_224, 0.7244, 1e-4}, // 60 million, says the paper
	{"mobilenetv3-small", 2_542_856, 0.057, 1e-3},
	{"mobilenetv3-large", 5_483_032, 0.217, 5e-4},
	{"mobilenetv3-large;width=0.75", 3_377_576, 0.140034, 1e-6}, // counted in torchvision by its hooks
	{"vit-b16", 86_567_656, 17.564, 5e-4},
	{"vit-s16", 22_050_664, 4.6, 5e-2},
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

// The layers of the paper of 1998, §II.B, parameter by parameter.
func TestLeNet5Of1998IsThePapers(t *testing.T) {
	w := lookup(t, "lenet5;form=1998")
	counts := map[string]int64{}
	for _, p := range w.Params() {
		layer, _, _ := strings.Cut(p.Name, ".")
		counts[layer] += elements(p.Type)
	}
	require.Equal(t, map[string]int64{"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48120, "f6": 10164}, counts)

	seen := map[string]bool{}
	for _, c := range digitCodes() {
		require.Len(t, c, 7*12)
		for _, v := range c {
			require.Equal(t, 1.0, v*v)
		}
		seen[fmt.Sprint(c)] = true
	}
	require.Len(t, seen, 10)
}

// Weights of torchvision's fit by name and shape, in its order but for the class
// token and the positions, which torchvision declares first.
// testdata/torchvision/names.py wrote the lists.
func TestNetworksHaveTorchvisionsTensors(t *testing.T) {
	files, err := filepath.Glob("testdata/torchvision/*.txt")
	require.NoError(t, err)
	require.Len(t, files, 6)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var want, got []string
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "#") {
				want = append(want, strings.TrimSpace(line))
			}
		}
		w := lookup(t, strings.TrimSuffix(filepath.Base(file), ".txt"))
		for _, p := range w.tensors() {
			shape := strings.TrimSuffix(strings.TrimPrefix(p.Type.String(), "f32["), "]")
			got = append(got, p.Name+" "+shape)
		}
		if strings.HasPrefix(w.Name, "vit") {
			slices.Sort(want)
			slices.Sort(got)
		}
		require.Equal(t, want, got, w.Name)
	}
}

// The 350 MB of ViT-B/16 are counted, not made.
func TestCountingAllocatesNoWeights(t *testing.T) {
	w := lookup(t, "vit-b16")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, flops := w.Parameters(), w.FLOPs()
	runtime.ReadMemStats(&after)
	require.Greater(t, n*4, int64(300<<20))
	require.Greater(t, flops, n)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20))
}

// As INT8 a weight is a byte; each of its outputs has a scale and, its norm
// folded, a bias, of four bytes.
func TestSmallestMobileNetsFitHalfAMegabyte(t *testing.T) {
	for spec, limit := range map[string]int64{"mobilenetv3-small-0.5": 500_000, "mobilenetv3-small-0.35": 250_000} {
		bytes := int64(0)
		for _, p := range lookup(t, spec).Params() {
			if s := p.Type.Shape; len(s) > 1 {
				bytes += elements(p.Type) + int64(s[0])*(4+4)
			}
		}
		require.Less(t, bytes, limit, spec)
		require.Greater(t, bytes, limit/2, spec)
	}
}

func TestDivisibleRoundsAsTorchvisionDoes(t *testing.T) {
	for v, want := range map[float64]int{1: 8, 11: 16, 12: 16, 18: 24, 19: 24, 20: 24, 22: 24, 32: 32, 36: 40, 8.4: 8, 88: 88, 57.6: 56} {
		require.Equal(t, want, divisible(v), "%v", v)
	}
}

// torchvision's own classes, ResNet with its last two stages left out and
// VisionTransformer, fall by these losses in float64, from the same parameters
// and images.
func TestNetworksTrainAsTorchvisionDoes(t *testing.T) {
	bottlenecks := residual{blocks: []int{1, 1}, width: 64, bottleneck: true, classes: 5}
	transformer := transformer{patch: 4, width: 16, depth: 2, heads: 2, classes: 5}
	for name, c := range map[string]struct {
		w    *Workload
		want []float64
	}{
		"resnet": {around(Input{16, 16, 3}, 5, bottlenecks.build), []float64{1.797769938, 0.662559366, 0.298473426, 0.167401565}},
		"vit":    {around(Input{8, 8, 3}, 5, transformer.build), []float64{1.609437912, 1.585905817, 1.539945892, 1.457313703}},
	} {
		got := losses(t, c.w, Optimizer{Kind: "sgd", LR: 0.02, Momentum: 0.9}, 5, len(c.want))
		require.InDeltaSlice(t, c.want, got, 1e-6, name)
	}
}

// smallTransformer is of ViT-Micro's kind, with both kinds of dropout.
func smallTransformer() *Workload {
	v := transformer{patch: 4, width: 16, depth: 2, heads: 2, classes: 5, dropout: 0.1, droppedBlocks: 0.1}
	return around(Input{8, 8, 3}, 5, v.build)
}

// Small networks of every family, or a small relative, fit a batch of noise.
func TestNetworksLearn(t *testing.T) {
	sgd := func(lr float64) Optimizer { return Optimizer{Kind: "sgd", LR: lr, Momentum: 0.9} }
	for name, c := range map[string]struct {
		w            *Workload
		o            Optimizer
		batch, steps int
	}{
		"lenet5 of 1998":         {lookup(t, "lenet5;form=1998"), sgd(0.002), 5, 8},
		"resnet20":               {lookup(t, "resnet20"), sgd(0.05), 2, 3},
		"mobilenetv3-small-0.35": {lookup(t, "mobilenetv3-small-0.35"), sgd(0.2), 5, 5},
		"transformer":            {smallTransformer(), Optimizer{Kind: "adam", LR: 1e-2, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}, 5, 20},
	} {
		t.Run(name, func(t *testing.T) {
			l := losses(t, c.w, c.o, c.batch, c.steps)
			require.Less(t, l[len(l)-1], 0.9*l[0], "%v", l)
		})
	}
}
