package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/conformance/faults/mutate"
	"github.com/clsbench/clsbench/graph"
)

var (
	mutants     = flag.Int("mutants", 0, "mutants of each package to try, drawn at random; -1: all")
	mutantFiles = flag.String("mutant-files", "", "only mutants of files that match")
	mutantLog   = flag.String("mutant-log", "", "file that keeps what became of each mutant; a run that was cut off goes on where it stopped")
)

const module = "github.com/clsbench/clsbench/"

// target is a backend whose sources are mutated.
type target struct {
	name     string
	packages []string
	options  map[string]string
	// ops are those that a file's mutants are tried on; the first match counts.
	ops []fileOps
	// takes says which mutants are tried; nil: all.
	takes func(m mutate.Mutant) bool
	// share of the mutants that must be killed.
	share float64
}

type fileOps struct {
	file *regexp.Regexp
	ops  []string
}

// tableOps are all that have a row in the reference's table: all ops.
func tableOps() (names []string) {
	for _, op := range graph.Ops() {
		names = append(names, op.Name)
	}
	return names
}

func files(pattern string, ops ...string) fileOps {
	return fileOps{regexp.MustCompile("^(" + pattern + `)\.go$`), ops}
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
	{"reference", []string{module + "reference"}, map[string]string{"round": "on"}, []fileOps{
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
		files(".*", "MatMul", "Conv", "ReduceSum", "AveragePoolGrad"),
	}, nil, 0.95},
	// Of a backend tuned for speed, the portable kernels' arithmetic, and of
	// convolutions and pools where an image, a padded line and a window's tap
	// lie: most other changes there are of block sizes and thresholds, which
	// alter no result.
	{"cpu", []string{module + "backends/cpu/kernel", module + "backends/cpu"}, map[string]string{"isa": "generic"}, []fileOps{
		files("pool", poolOps...),
		files("optimizer", "SGD", "Adam", "AdamW"),
		files("elementwise", append(append([]string{"PRelu"}, flatOps...), sumOps...)...),
		files("columns", convOps...),
		files("integer", quantizedOps...),
		files("conv", convOps...),
	}, func(m mutate.Mutant) bool {
		if strings.HasSuffix(m.File, "_amd64.go") || !strings.ContainsAny(m.Change[:1], "+-*/") {
			return false
		}
		if m.Package == module+"backends/cpu" {
			return slices.Contains([]string{"conv.go", "pool.go"}, m.File) && slices.Contains(placing, m.Func)
		}
		return slices.Contains([]string{"elementwise.go", "pool.go", "optimizer.go", "columns.go", "integer.go"}, m.File)
	}, 0.85},
}

// opsOf are the ops whose cases the mutant meets: one in a row of a table those
// of the row, others all of their file, their namesake first.
func (t *target) opsOf(m mutate.Mutant) []string {
	for _, f := range t.ops {
		if !f.file.MatchString(m.File) {
			continue
		}
		if !slices.Contains(f.ops, m.Func) {
			return f.ops
		}
		if strings.HasSuffix(m.File, "table.go") {
			return []string{m.Func}
		}
		return append([]string{m.Func}, slices.DeleteFunc(slices.Clone(f.ops), func(op string) bool { return op == m.Func })...)
	}
	return nil
}

// build builds all mutants of the target into one plugin.
func (t *target) build(tb testing.TB) (binary string, list []mutate.Mutant) {
	dir := tb.TempDir()
	replace := map[string]string{}
	for _, path := range t.packages {
		p, err := mutate.Load(".", path, skipped)
		require.NoError(tb, err)
		list = append(list, p.Mutants...)
		for name, text := range p.Overlay {
			to := filepath.Join(dir, fmt.Sprint(len(replace))+filepath.Base(name))
			require.NoError(tb, os.WriteFile(to, text, 0o644))
			replace[name] = to
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(tb, err)
	require.NoError(tb, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o644))
	binary = filepath.Join(dir, "mutant")
	out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, "./testdata/mutant").CombinedOutput()
	require.NoError(tb, err, "%s", out)
	return binary, list
}

// skipped are functions that say nothing of numbers: orders of summation (each
// is legal), work sharing, limits of sizes, what a plan prints.
func skipped(file, function string) bool {
	return file == "sum.go" || slices.Contains([]string{"parallel", "String", "describe", "Describe", "isaOf", "Open"}, function)
}

// TestMutants turns single changes of the sources loose on the suite: the
// mutant serves as a plugin, the clean reference judges. Those that can't be
// told from the original are listed with why in testdata/survivors.txt.
func TestMutants(t *testing.T) {
	if *mutants == 0 {
		t.Skip("takes long: CI tries a sample, make verify all of them")
	}
	for _, tg := range targets {
		t.Run(tg.name, func(t *testing.T) { tg.test(t) })
	}
}

func (tg *target) test(t *testing.T) {
	binary, list := tg.build(t)
	known := survivors(t)
	list = slices.DeleteFunc(list, func(m mutate.Mutant) bool {
		return known[m.Key()] || (tg.takes != nil && !tg.takes(m)) || (*mutantFiles != "" && !regexp.MustCompile(*mutantFiles).MatchString(m.File))
	})
	seed := conformance.NewSeed()
	if *mutants >= 0 {
		rng := rand.New(rand.NewPCG(seed, 0))
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		list = list[:min(*mutants, len(list))]
	}
	past := openMutantLog(t, tg.name)
	killers := make([]string, len(list))
	var next, done atomic.Int64
	var wg errgroup.Group
	for range min(len(list), runtime.GOMAXPROCS(0)) {
		wg.Go(func() error {
			j := &mutantJudge{target: tg, binary: binary, seed: seed, oracle: &conformance.Oracle{Cache: conformance.NewCache(""), Threads: 1}, prepared: map[string][]*conformance.Prepared{}}
			for i := next.Add(1) - 1; i < int64(len(list)); i = next.Add(1) - 1 {
				m := list[i]
				by, known := past.killer(m)
				if !known {
					var err error
					if by, err = j.killer(m); err != nil {
						return fmt.Errorf("%v: %w", m, err)
					}
					past.write(t, m, by)
				}
				killers[i] = by
				if n := done.Add(1); n%50 == 0 && testing.Verbose() {
					t.Logf("%d of %d", n, len(list))
				}
			}
			return nil
		})
	}
	require.NoError(t, wg.Wait())
	var alive []string
	for i, m := range list {
		if killers[i] == "" {
			alive = append(alive, m.Key())
			t.Logf("alive: %v (%s)", m, m.Key())
		}
	}
	t.Logf("seed %d: %d of %d mutants killed", seed, len(list)-len(alive), len(list))
	allowed := (1 - tg.share) * float64(len(list))
	if *mutants >= 0 { // a sample has the luck of the draw
		allowed += 3 * math.Sqrt(allowed*tg.share)
	}
	require.LessOrEqual(t, float64(len(alive)), allowed, "%s", strings.Join(alive, "\n"))
}

// survivors reads the mutants that are known to be equivalent.
func survivors(t *testing.T) map[string]bool {
	f, err := os.Open(filepath.Join("testdata", "survivors.txt"))
	require.NoError(t, err)
	defer f.Close()
	known := map[string]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		key, why, ok := strings.Cut(s.Text(), " # ")
		if strings.HasPrefix(s.Text(), "#") || s.Text() == "" {
			continue
		}
		require.True(t, ok && why != "", "no reason in %q", s.Text())
		known[strings.TrimSpace(key)] = true
	}
	return known
}

// A survivor whose function has changed or moved is an excuse for nothing.
func TestSurvivorsAreMutants(t *testing.T) {
	left := survivors(t)
	for _, tg := range targets {
		for _, path := range tg.packages {
			p, err := mutate.Load(".", path, skipped)
			require.NoError(t, err)
			for _, m := range p.Mutants {
				if tg.takes == nil || tg.takes(m) {
					delete(left, m.Key())
				}
			}
		}
	}
	require.Empty(t, left, "testdata/survivors.txt has mutants that there are none of")
}

// mutantRecord keeps what became of mutants: lines of target, file, function and
// change, and the case that rejected it, parted by tabs. A mutant's key holds
// the change and its place in the function, so that a line stays true while the
// function does; who changes a function or its cases starts a new file.
type mutantRecord struct {
	mu     sync.Mutex // of the file
	file   *os.File
	target string
	by     map[string]string
}

func openMutantLog(t *testing.T, target string) *mutantRecord {
	r := &mutantRecord{target: target, by: map[string]string{}}
	if *mutantLog == "" {
		return r
	}
	f, err := os.OpenFile(*mutantLog, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	for s := bufio.NewScanner(f); s.Scan(); {
		if part := strings.Split(s.Text(), "\t"); len(part) == 3 && part[0] == target {
			r.by[part[1]] = part[2]
		}
	}
	r.file = f
	return r
}

func (r *mutantRecord) killer(m mutate.Mutant) (by string, done bool) {
	by, done = r.by[m.Key()]
	return by, done
}

func (r *mutantRecord) write(t *testing.T, m mutate.Mutant, by string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file != nil {
		_, err := fmt.Fprintf(r.file, "%s\t%s\t%s\n", r.target, m.Key(), strings.ReplaceAll(by, "\t", " "))
		assert.NoError(t, err)
	}
}

type mutantJudge struct {
	*target
	binary   string
	seed     uint64
	oracle   *conformance.Oracle
	prepared map[string][]*conformance.Prepared // by op
}

// cases of the ops, the quick ones first.
func (j *mutantJudge) cases(ops []string) []*conformance.Prepared {
	var list []*conformance.Prepared
	for _, op := range ops {
		if j.prepared[op] == nil {
			for _, c := range conformance.Cases() {
				if c.Op == op && soon(c) {
					j.prepared[op] = append(j.prepared[op], c.Prepare(j.seed, j.oracle))
				}
			}
		}
		list = append(list, j.prepared[op]...)
	}
	return list
}

// soon says which cases a mutant meets first; most are killed by them.
func soon(c *conformance.Case) bool {
	return c.Effort <= conformance.Quick && c.Class != "gradient" && !strings.Contains(c.Name(), "training")
}

// killer is the first case that rejects the mutant, "" if none does.
func (j *mutantJudge) killer(m mutate.Mutant) (string, error) {
	cases := j.cases(j.opsOf(m))
	if len(cases) == 0 {
		return "", errors.New("no case is tried on its file")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute) // those that survive meet every case of their op
	defer cancel()
	dir, err := os.MkdirTemp("", "cls")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	p, err := plugin.Open(ctx, plugin.Spec{Label: j.name, Name: plugin.Exec, Command: []string{j.binary, j.name}},
		plugin.Options{Dir: dir, Env: []string{mutate.VariableOf(m.Package) + "=" + fmt.Sprint(m.ID)}})
	if err != nil {
		return "it does not start: " + err.Error(), nil
	}
	defer p.Close()
	d, err := p.Describe(ctx)
	if err != nil {
		return "it does not describe itself: " + err.Error(), nil
	}
	s, err := p.Open(ctx, backends.SessionConfig{Options: j.options, Threads: 2})
	if err != nil {
		return "it does not open: " + err.Error(), nil
	}
	for _, c := range cases {
		if name := j.rejects(ctx, c, s, d.Features); name != "" {
			return name, nil
		}
	}
	for _, c := range conformance.Cases() {
		if slices.Contains(j.opsOf(m), c.Op) && !soon(c) && c.Op != "lenet5" {
			if name := j.rejects(ctx, c.Prepare(j.seed, j.oracle), s, d.Features); name != "" {
				return name, nil
			}
		}
	}
	return "", nil
}

// rejects is the name of the case if it rejects what the session gives.
func (j *mutantJudge) rejects(ctx context.Context, c *conformance.Prepared, s backends.Session, features []string) string {
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	r := c.Check(limited, s, j.oracle, features)
	if r.Status != conformance.StatusPass && r.Status != conformance.StatusMistrusted && (r.Status != conformance.StatusUnsupported || r.Required) {
		return r.Case
	}
	return ""
}
