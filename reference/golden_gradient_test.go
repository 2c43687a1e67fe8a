package reference_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/autodiff"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// The gradients that autodiff composes, evaluated here, against PyTorch's autograd.
func TestGradientsAgreeWithPyTorch(t *testing.T) {
	tested := map[string]bool{}
	for i, c := range readGolden(t).Gradients {
		tested[c.Op] = true
		t.Run(fmt.Sprintf("%s/%d", c.Op, i), func(t *testing.T) {
			b, env := graph.NewBuilder(c.Op), map[string]*reference.Array{}
			feed := func(name string, x *goldenArray) graph.Value {
				env[name] = x.array()
				return b.Feed(name, tensor.Type{DType: tensor.F64, Shape: x.Shape})
			}
			var in []graph.Value
			for j, x := range c.Inputs {
				in = append(in, feed(fmt.Sprintf("in%d", j), x))
			}
			y := b.Op(c.Op, attrs(t, row(c.Op), c.Attrs), in...)
			loss := b.Op("ReduceSum", graph.Attrs{"keepdims": graph.I(0)}, b.Op("Mul", nil, y, feed("dy", c.DY)))
			grads, err := autodiff.Gradients(b, loss, in)
			require.NoError(t, err)
			b.Fetch(grads...)
			p, err := b.Program()
			require.NoError(t, err)
			g, err := p.Infer()
			require.NoError(t, err)
			_, err = reference.Eval(g, env, reference.Mode{})
			require.NoError(t, err)
			require.Len(t, c.Grads, len(in))
			for j, want := range c.Grads {
				agree(t, want, env[grads[j].Name], 1e-13, c.Op, string(must(json.Marshal(c.Attrs))), "gradient of input", j)
			}
		})
	}
	for _, op := range strings.Fields(`Relu LeakyRelu PRelu ThresholdedRelu Elu Celu Selu Gelu Sigmoid HardSigmoid HardSwish
		Swish Tanh Softplus Softsign Mish Erf Abs Clip Softmax LogSoftmax ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd
		ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp MatMul Gemm`) {
		require.True(t, tested[op], "no golden gradient of %s", op)
	}
}

// withoutGolden are the ops that PyTorch's results do not hold, and why.
var withoutGolden = func() map[string]string {
	why := map[string]string{}
	for ops, reason := range map[string]string{
		"IsNaN IsInf": "JSON has no number for what they look for",
		"AllFinite DynamicLossScale": "GradScaler's own functions (_amp_update_scale_ and its fellows) need CUDA: " +
			"TestDynamicLossScaleWalks has its rules as a state machine",
		"RandomBits RandomUniform RandomNormal Bernoulli TrainingDropout": "PyTorch's generator on CPUs is no Philox: other numbers",
		"DynamicQuantizeLinear MatMulInteger QLinearMatMul ConvInteger QLinearConv": "ONNX's definition: PyTorch's kernels round " +
			"otherwise or have no zero points there; ONNX's test data holds them",
		"Expand Slice Split":                     "only copies, of attributes as ONNX has them: its test data holds them",
		"SpaceToDepth GatherND ScatterND OneHot": "ONNX's definition, which PyTorch has no op of: its test data holds them",
	} {
		for _, op := range strings.Fields(ops) {
			why[op] = reason
		}
	}
	return why
}()

// Every op has PyTorch's results or a reason to have none, and every family of
// the generator its file.
func TestEveryOpHasGoldens(t *testing.T) {
	for _, op := range graph.Ops() {
		if why := withoutGolden[op.Name]; why != "" {
			require.Empty(t, reference.Goldens(op.Name), "%s has goldens although %s", op.Name, why)
		} else {
			require.NotEmpty(t, reference.Goldens(op.Name), "no golden case of %s", op.Name)
		}
	}
	for op := range withoutGolden {
		require.NotNil(t, row(op), op)
	}
	families, err := filepath.Glob("testdata/pytorch/*.py")
	require.NoError(t, err)
	count := 0
	for _, f := range families {
		if name := filepath.Base(f); name != "golden.py" && name != "generate.py" {
			count++
			_, err := os.Stat(strings.TrimSuffix(f, ".py") + ".json")
			require.NoError(t, err, "run testdata/pytorch/generate.py")
		}
	}
	require.GreaterOrEqual(t, count, 13)
}
