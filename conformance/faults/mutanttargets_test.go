package faults

import (
	"regexp"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/conformance/faults/mutate"
	"github.com/clsbench/clsbench/graph"
)

// target is a backend whose sources are mutated.
type target struct {
	name     string
	backend  string // that the plugin serves
	packages []string
	// ways are the sessions that a mutant is met in; one must reject it.
	ways []way
	// ops are those that a file's mutants are tried on; the first match counts.
	ops []fileOps
	// takes says which mutants are tried; nil: all.
	takes func(m mutate.Mutant) bool
	// share of the mutants that must be killed; the others are in
	// testdata/survivors.txt.
	share float64
}

// way is how a session is opened and its answers judged.
type way struct {
	math    string
	options map[string]string
}

type fileOps struct {
	file *regexp.Regexp
	ops  []string
	ways []way // nil: the target's
}

// tableOps are all that have a row in the reference's table: all ops.
func tableOps() (names []string) {
	for _, op := range graph.Ops() {
		names = append(names, op.Name)
	}
	return names
}

func files(pattern string, ops ...string) fileOps {
	return fileOps{file: regexp.MustCompile("^(" + pattern + `)\.go$`), ops: ops}
}

var (
	convOps      = []string{"Conv", "ConvInputGrad", "ConvWeightGrad"}
	poolOps      = []string{"AveragePool", "AveragePoolGrad", "MaxPool", "MaxPoolGrad", "GlobalAveragePool", "GlobalMaxPool", "AdaptiveAveragePool"}
	lossOps      = []string{"SoftmaxCrossEntropy", "SoftmaxCrossEntropyGrad", "SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss", "MSELoss"}
	quantizedOps = []string{"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "FakeQuantize", "FakeQuantizeGrad", "MatMulInteger", "QLinearMatMul", "ConvInteger", "QLinearConv"}
	sumOps       = []string{"ReduceSum", "ReduceMean", "ReduceMax"}
	reduceOps    = append([]string{"ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"}, sumOps...)
	flatOps      = []string{"Add", "Sub", "Mul", "Div", "Neg", "Exp", "Log", "Sqrt", "Tanh", "Sigmoid", "Relu", "ReluGrad", "Where", "Cast"}

	optimizerOps  = []string{"SGD", "Adam", "AdamW", "RMSprop", "ExponentialMovingAverage"}
	functionOps   = []string{"Max", "Min", "Abs", "Sign", "Floor", "Ceil", "Round", "Reciprocal", "Sin", "Cos", "Erf", "Pow", "Clip", "Identity"}
	logicOps      = []string{"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Not", "IsNaN", "IsInf"}
	normOps       = []string{"BatchNormalization", "BatchNormalizationTraining", "BatchNormalizationGrad", "LayerNormalization", "LayerNormalizationGrad", "GroupNormalization", "GroupNormalizationGrad", "InstanceNormalization", "RMSNormalization", "RMSNormalizationGrad"}
	lrnOps        = []string{"LRN", "LRNGrad"}
	activationOps = []string{"LeakyRelu", "PRelu", "ThresholdedRelu", "Elu", "Selu", "Celu", "Gelu", "HardSigmoid", "HardSwish", "Swish", "Softplus", "Softsign", "Mish"}
)

// placing are functions of package cpu that say where something lies.
var placing = []string{"image", "output", "lineAt", "newWindowTaps"}

var targets = []target{
	{"reference", "reference", []string{module + "reference"}, []way{{"", map[string]string{"round": "on"}}}, []fileOps{
		files("conv", convOps...),
		files("pool", poolOps...),
		files("contact", append(convOps, poolOps...)...),
		files("matmul", "MatMul", "Gemm"),
		files("softmax", "Softmax", "LogSoftmax"),
		files("loss", lossOps...),
		files("scaling", "GlobalNorm", "ClipByNorm", "AllFinite", "DynamicLossScale"),
		files("optimizer", optimizerOps...),
		files("quantization", quantizedOps...),
		files("reduce", append([]string{"CumSum"}, reduceOps...)...),
		files("norm|normgrad|normgroup", normOps...),
		files("lrn", lrnOps...),
		files("attention|attention_call", "Attention", "AttentionGrad"),
		files("random", "RandomBits", "RandomUniform", "RandomNormal", "Bernoulli", "TrainingDropout"),
		files("gather", "Gather", "GatherElements", "GatherND", "ScatterAdd", "ScatterElements", "ScatterND"), // which share its indices
		files("scatter", "ScatterAdd", "ScatterElements", "ScatterND"),
		files("slice", "Slice", "Concat", "Split", "Pad"),
		files("rearrange", "Tile", "DepthToSpace", "SpaceToDepth"),
		files("resize", "Resize"),
		files("select", "ArgMax", "ArgMin", "TopK", "OneHot"),
		files("elementwise", append(slices.Clone(flatOps), functionOps...)...),
		files("cast", "Cast"),
		files("logic", append([]string{"Where"}, logicOps...)...),
		files("activation", append([]string{"Relu", "ReluGrad", "Sigmoid", "Tanh"}, activationOps...)...),
		files("eval", "Conv", "ReduceSum", "Softmax", "Cast", "MatMul", "SGD"),
		files("table|adapter", tableOps()...),
		files("array|movement", "Conv", "ReduceSum", "Softmax", "Transpose", "Expand", "MatMul", "Add", "Where", "Reshape", "Flatten", "Squeeze", "Unsqueeze"),
		files("sum|formula", "MatMul", "ReduceSum", "Conv", "AveragePoolGrad").in(inOrder("0"), inOrder("1"), inOrder("2"), inOrder("backwards")),
	}, nil, 0.95},
	// The math modes, each in both of its forms.
	{"relaxed", "reference", []string{module + "reference/relaxed"}, []way{
		{graph.TF32, map[string]string{"round": "on", "order": "0"}},
		{graph.TF32, map[string]string{"round": "on", "order": "1"}},
		{graph.Winograd, map[string]string{"round": "on", "order": "0"}},
		{graph.Winograd, map[string]string{"round": "on", "order": "1"}},
	}, []fileOps{
		files("winograd", "Conv", "ConvInputGrad"),
		files("relaxed", append([]string{"MatMul", "Gemm"}, convOps...)...),
	}, nil, 0.95},
	// Of a backend tuned for speed, the portable kernels' arithmetic, and of
	// convolutions and pools where an image, a padded line and a window's tap
	// lie: most other changes there are of block sizes and thresholds, which
	// alter no result.
	{"cpu", "cpu", []string{module + "backends/cpu/kernel", module + "backends/cpu"}, []way{{"", map[string]string{"isa": "generic"}}}, []fileOps{
		files("pool", poolOps...),
		files("optimizer", "SGD", "Adam", "AdamW"),
		files("elementwise", append(append([]string{"PRelu"}, flatOps...), sumOps...)...),
		files("columns", convOps...),
		files("integer", quantizedOps...),
		files("conv|padding", convOps...),
	}, func(m mutate.Mutant) bool {
		if strings.HasSuffix(m.File, "_amd64.go") || !strings.ContainsAny(m.Change[:1], "+-*/") {
			return false
		}
		if m.Package == module+"backends/cpu" {
			return slices.Contains([]string{"conv.go", "padding.go", "pool.go"}, m.File) && slices.Contains(placing, m.Func)
		}
		return slices.Contains([]string{"elementwise.go", "pool.go", "optimizer.go", "columns.go", "integer.go"}, m.File)
	}, 0.85},
}

func inOrder(order string) way { return way{"", map[string]string{"round": "on", "order": order}} }

// in has the mutants of a file met in other ways than their target's.
func (f fileOps) in(ways ...way) fileOps {
	f.ways = ways
	return f
}

// meets are the ops whose cases the mutant meets, and the ways: one in a row of
// a table those of the row, others all of their file, their namesake first.
func (t *target) meets(m mutate.Mutant) (ops []string, ways []way) {
	for _, f := range t.ops {
		if !f.file.MatchString(m.File) {
			continue
		}
		if ways = f.ways; ways == nil {
			ways = t.ways
		}
		switch {
		case !slices.Contains(f.ops, m.Func):
			return f.ops, ways
		case strings.HasSuffix(m.File, "table.go"):
			return []string{m.Func}, ways
		}
		return append([]string{m.Func}, slices.DeleteFunc(slices.Clone(f.ops), func(op string) bool { return op == m.Func })...), ways
	}
	return nil, nil
}
