package reference_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/autodiff"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// GFLOP/s on one core, plain and rounded in a drawn order.
func BenchmarkOps(b *testing.B) {
	t := func(s ...int) tensor.Type { return tensor.T(tensor.F32, s...) }
	pad := graph.Attrs{"pads": graph.L(1, 1, 1, 1)}
	for _, c := range []struct {
		name, op string
		attrs    graph.Attrs
		in       []tensor.Type
	}{
		{"Conv5x5", "Conv", nil, []tensor.Type{t(8, 6, 12, 12), t(16, 6, 5, 5), t(16)}},
		{"Conv3x3", "Conv", pad, []tensor.Type{t(1, 64, 14, 14), t(64, 64, 3, 3)}},
		{"Conv1x1", "Conv", nil, []tensor.Type{t(1, 128, 14, 14), t(128, 128, 1, 1)}},
		{"ConvInputGrad5x5", "ConvInputGrad", graph.Attrs{"input_shape": graph.L(8, 6, 12, 12)}, []tensor.Type{t(8, 16, 8, 8), t(16, 6, 5, 5)}},
		{"ConvWeightGrad5x5", "ConvWeightGrad", graph.Attrs{"weight_shape": graph.L(16, 6, 5, 5)}, []tensor.Type{t(8, 6, 12, 12), t(8, 16, 8, 8)}},
		{"MatMul", "MatMul", nil, []tensor.Type{t(128, 256), t(256, 128)}},
		{"Gemm", "Gemm", graph.Attrs{"transB": graph.I(1)}, []tensor.Type{t(64, 256), t(120, 256), t(120)}},
	} {
		for _, m := range []struct {
			name string
			mode reference.Mode
		}{
			{"plain", reference.Mode{Threads: 1}},
			{"rounded", reference.Mode{Threads: 1, Round: true}},
			{"order3", reference.Mode{Threads: 1, Round: true, Order: 3}},
			{"order4", reference.Mode{Threads: 1, Round: true, Order: 4}},
		} {
			b.Run(c.name+"/"+m.name, func(b *testing.B) {
				builder := graph.NewBuilder(c.name)
				env := map[string]*reference.Array{}
				var in []graph.Value
				for i, ty := range c.in {
					v := builder.Feed(string(rune('a'+i)), ty)
					env[v.Name] = reference.FromTensor(tensor.FillSeeded(tensor.New(tensor.F32, ty.Shape...), tensor.Fill{Lo: -1, Hi: 1}, 1, uint32(i)))
					in = append(in, v)
				}
				builder.Fetch(builder.Op(c.op, c.attrs, in...))
				p, err := builder.Program()
				require.NoError(b, err)
				g, err := p.Infer()
				require.NoError(b, err)
				for b.Loop() {
					_, err := reference.Eval(g, env, m.mode)
					require.NoError(b, err)
				}
				b.ReportMetric(float64(g.FLOPs())*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}

// A LeNet-5 training step at batch 64, SGD with momentum: the time of a whole
// step, on all cores, in the modes that judge programs.
func BenchmarkLeNetStep(b *testing.B) {
	p := lenetStep(b, 64)
	g, err := p.Infer()
	require.NoError(b, err)
	env := map[string]*reference.Array{}
	for i, v := range append(append([]graph.Value(nil), p.Feeds...), p.State...) {
		env[v.Name] = reference.FromTensor(tensor.FillSeeded(tensor.New(v.Type.DType, v.Type.Shape...), tensor.Fill{Lo: 0, Hi: 0.1}, 1, uint32(i)))
	}
	for name, m := range map[string]reference.Mode{"plain": {}, "rounded": {Round: true}, "order3": {Round: true, Order: 3}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := reference.Eval(g, env, m)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(g.FLOPs())*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}

func lenetStep(t require.TestingT, batch int) *graph.Program {
	b := graph.NewBuilder("lenet5")
	image, label := b.Feed("image", tensor.T(tensor.F32, batch, 1, 28, 28)), b.Feed("label", tensor.T(tensor.S64, batch))
	lr := b.Feed("lr", tensor.T(tensor.F32))
	var params []graph.Value
	param := func(name string, shape ...int) graph.Value {
		params = append(params, b.State(name, tensor.T(tensor.F32, shape...)))
		return params[len(params)-1]
	}
	pool := graph.Attrs{"kernel_shape": graph.L(2, 2), "strides": graph.L(2, 2)}
	conv := func(x graph.Value, name string, in, out int) graph.Value {
		y := b.Op("Conv", nil, x, param(name+".weight", out, in, 5, 5), param(name+".bias", out))
		return b.Op("AveragePool", pool, b.Op("Relu", nil, y))
	}
	dense := func(x graph.Value, name string, in, out int) graph.Value {
		return b.Op("Gemm", graph.Attrs{"transB": graph.I(1)}, x, param(name+".weight", out, in), param(name+".bias", out))
	}
	h := b.Op("Flatten", nil, conv(conv(image, "conv1", 1, 6), "conv2", 6, 16))
	h = b.Op("Relu", nil, dense(h, "fc1", 256, 120))
	h = b.Op("Relu", nil, dense(h, "fc2", 120, 84))
	loss := b.Op("SoftmaxCrossEntropy", nil, dense(h, "fc3", 84, 10), label)
	grads, err := autodiff.Gradients(b, loss, params)
	require.NoError(t, err)
	for i, p := range params {
		v := b.State(p.Name+".velocity", p.Type)
		out := b.OpN("SGD", graph.Attrs{"momentum": graph.F(0.9)}, 2, p, grads[i], v, lr)
		b.Update(p, out[0])
		b.Update(v, out[1])
	}
	b.Fetch(loss)
	p, err := b.Program()
	require.NoError(t, err)
	return p
}
