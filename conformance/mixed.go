package conformance

import (
	"fmt"
	"math"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/autodiff"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/tensor"
)

// Networks as autocast writes them (Micikevicius et al., "Mixed Precision
// Training", 2018): parameters, norms and losses in f32, products and
// activations in 16-bit floats between casts, a scaled loss, and a step that is
// skipped where a gradient is not finite. Their activations are smooth: the
// errors of 16-bit floats would put some element of any data at a kink.

const (
	mixedBatch   = 4
	mixedClasses = 10
	mixedSteps   = 3
)

// mixedNet is a network: logits in f32 out of images in f32.
type mixedNet struct {
	name      string
	image     tensor.Shape
	optimizer string
	maxNorm   float64 // of all gradients: above it for one network, below it for the other
	forward   func(a *autocast, x graph.Value) graph.Value
}

var mixedNets = []mixedNet{
	{"convnet", tensor.Shape{mixedBatch, 3, 10, 10}, "SGD", 16, (*autocast).convnet},
	{"vit", tensor.Shape{mixedBatch, 3, 12, 12}, "AdamW", 0.25, (*autocast).vit},
}

func mixedCases() []*Case {
	var all []*Case
	for _, net := range mixedNets {
		for _, d := range []tensor.DType{tensor.BF16, tensor.F16} {
			for j, f := range []form{whole, decomposed, opByOp} {
				e := Standard
				if f == whole && (d == tensor.BF16) == (net.optimizer == "SGD") {
					e = Quick
				}
				make := func(class string, s *networkSubject) *Case {
					return &Case{Op: "Mixed", DType: d, Params: fmt.Sprintf("%s,batch=%d", net.name, mixedBatch), Class: class + formNames[f],
						Suite: MixedPrecision, Effort: e, form: f, bound: every(programRule), subject: s}
				}
				all = append(all, make("inference", &networkSubject{varies: true, build: func(dr Draw) (*graph.Program, error) {
					a := &autocast{Builder: graph.NewBuilder(net.name + " inference"), half: d}
					a.enter = func(name string, t tensor.Type) graph.Value {
						c := tensor.New(t.DType, t.Shape...)
						c.SetFloat64s(parameterFill(name, t)(dr.rng(name), t))
						return a.Const(name, c)
					}
					a.Fetch(net.forward(a, a.Feed("image", tensor.Type{DType: tensor.F32, Shape: net.image})))
					return a.Program()
				}}))
				if j < 2 {
					c := make("training", &networkSubject{fills: mixedFills(net.name), build: func(Draw) (*graph.Program, error) {
						return net.training(d)
					}})
					c.steps = mixedSteps
					all = append(all, c)
				}
			}
		}
	}
	return all
}

// parameterFill is as wide as the fan-in suggests; norms and variances are
// about one.
func parameterFill(name string, t tensor.Type) fill {
	switch {
	case strings.HasSuffix(name, ".scale"), strings.HasSuffix(name, ".running_var"):
		return uniform(0.5, 1.5)
	case len(t.Shape) > 1:
		bound := 1 / math.Sqrt(float64(t.Shape[1:].Elements()))
		return uniform(-bound, bound)
	}
	return uniform(-0.1, 0.1)
}

// mixedFills are those that do not follow from a value's use.
func mixedFills(net string) map[string]fill {
	f := map[string]fill{
		"loss_scale":     each(func(r *rng) float64 { return math.Exp2(float64(4 + r.intn(6))) }),
		"growth_counter": integers(0, 1),
		// A factor of the loss: infinite in one of three sets of data, else
		// about one.
		"injected": func(r *rng, _ tensor.Type) []float64 {
			if r.p.Stream%3 == 1 {
				return []float64{math.Inf(1)}
			}
			return []float64{0.5 + r.float()}
		},
	}
	for _, norm := range []string{"norm0", "norm1", "norm2"} {
		for _, suffix := range []string{".scale", ".running_var"} {
			f[net+"."+norm+suffix] = parameterFill(suffix, tensor.Type{})
		}
	}
	return f
}

// autocast writes a network in 16-bit floats with parameters in f32.
type autocast struct {
	*graph.Builder
	half   tensor.DType
	enter  func(name string, t tensor.Type) graph.Value
	params []graph.Value
	// training says that batch norms take the batch's own statistics.
	training bool
	// kept are statistics and what they become, unless the step is skipped.
	kept [][2]graph.Value
}

func (a *autocast) param(name string, shape ...int) graph.Value {
	v := a.enter(name, tensor.T(tensor.F32, shape...))
	a.params = append(a.params, v)
	return v
}

func (a *autocast) to(d tensor.DType, v graph.Value) graph.Value {
	return a.Op("Cast", graph.Attrs{"to": graph.S(d.String())}, v)
}

// low is a parameter as products take it.
func (a *autocast) low(name string, shape ...int) graph.Value {
	return a.to(a.half, a.param(name, shape...))
}

// conv is a 3×3 convolution that keeps height and width.
func (a *autocast) conv(name string, x graph.Value, out, group int) graph.Value {
	w, b := a.low(name+".weight", out, x.Type.Shape[1]/group, 3, 3), a.low(name+".bias", out)
	return a.Op("Conv", graph.Attrs{"pads": graph.L(1, 1, 1, 1), "group": graph.I(group)}, x, w, b)
}

// linear multiplies tokens or rows by a matrix of in×out.
func (a *autocast) linear(name string, x graph.Value, out int) graph.Value {
	in := x.Type.Shape[len(x.Type.Shape)-1]
	return a.Op("Add", nil, a.Op("MatMul", nil, x, a.low(name+".weight", in, out)), a.low(name+".bias", out))
}

// layerNorm is over features, in f32.
func (a *autocast) layerNorm(name string, x graph.Value) graph.Value {
	n := x.Type.Shape[len(x.Type.Shape)-1]
	return a.to(a.half, a.Op("LayerNormalization", nil, a.to(tensor.F32, x), a.param(name+".scale", n), a.param(name+".bias", n)))
}

// batchNorm is over channels, in f32.
func (a *autocast) batchNorm(name string, x graph.Value) graph.Value {
	c := x.Type.Shape[1]
	in := []graph.Value{a.to(tensor.F32, x), a.param(name+".scale", c), a.param(name+".bias", c)}
	t := tensor.T(tensor.F32, c)
	mean, variance := a.enter(name+".running_mean", t), a.enter(name+".running_var", t)
	if in = append(in, mean, variance); !a.training {
		return a.to(a.half, a.Op("BatchNormalization", nil, in...))
	}
	y := a.OpN("BatchNormalizationTraining", nil, 3, in...)
	a.kept = append(a.kept, [2]graph.Value{mean, y[1]}, [2]graph.Value{variance, y[2]})
	return a.to(a.half, y[0])
}

// convnet: convolution, batch norm and pool, a depthwise convolution, a
// classifier.
func (a *autocast) convnet(x graph.Value) graph.Value {
	h := a.conv("conv0", a.to(a.half, x), 8, 1)
	h = a.Op("Swish", nil, a.batchNorm("norm0", h))
	h = a.Op("AveragePool", graph.Attrs{"kernel_shape": graph.L(2, 2), "strides": graph.L(2, 2)}, h)
	h = a.Op("Add", nil, h, a.Op("Tanh", nil, a.conv("conv1", h, 8, 8)))
	h = a.Op("Flatten", nil, h)
	return a.to(tensor.F32, a.linear("head", h, mixedClasses))
}

// vit: patches of 4×4, one block of attention and of two linear layers with
// GELU, each behind a layer norm and with a residual, and the mean of the
// tokens.
func (a *autocast) vit(x graph.Value) graph.Value {
	const features, heads, patch = 24, 3, 4
	n := x.Type.Shape[0]
	h := a.Op("Conv", graph.Attrs{"strides": graph.L(patch, patch)}, a.to(a.half, x), a.low("patch.weight", features, x.Type.Shape[1], patch, patch))
	tokens := h.Type.Shape[2] * h.Type.Shape[3]
	h = a.Op("Transpose", graph.Attrs{"perm": graph.L(0, 2, 1)}, a.Op("Reshape", graph.Attrs{"shape": graph.L(n, features, tokens)}, h))
	h = a.Op("Add", nil, h, a.low("position", 1, tokens, features))
	y := a.layerNorm("norm0", h)
	y = a.Op("Attention", graph.Attrs{"q_num_heads": graph.I(heads), "kv_num_heads": graph.I(heads)},
		a.linear("query", y, features), a.linear("key", y, features), a.linear("value", y, features))
	h = a.Op("Add", nil, h, a.linear("projection", y, features))
	y = a.Op("Gelu", nil, a.linear("mlp0", a.layerNorm("norm1", h), 2*features))
	h = a.Op("Add", nil, h, a.linear("mlp1", y, features))
	h = a.Op("ReduceMean", graph.Attrs{"axes": graph.L(1), "keepdims": graph.I(0)}, a.layerNorm("norm2", h))
	return a.to(tensor.F32, a.linear("head", h, mixedClasses))
}

// training is a step: the scaled loss, gradients, the search for what is
// not finite, clipping of what was unscaled, the optimizer, and the scale.
func (net mixedNet) training(half tensor.DType) (*graph.Program, error) {
	a := &autocast{Builder: graph.NewBuilder(net.name + " training"), half: half, training: true}
	a.enter = func(name string, t tensor.Type) graph.Value { return a.State(net.name+"."+name, t) }
	logits := net.forward(a, a.Feed("image", tensor.Type{DType: tensor.F32, Shape: net.image}))
	label, lr := a.Feed("label", tensor.T(tensor.S64, mixedBatch)), a.Feed("lr", tensor.T(tensor.F32))
	loss := a.Op("SoftmaxCrossEntropy", graph.Attrs{"reduction": graph.S("mean")}, logits, label)
	scale, counter := a.State("loss_scale", tensor.T(tensor.F32)), a.State("growth_counter", tensor.T(tensor.S64))
	scaled := a.Op("Mul", nil, a.Op("Mul", nil, loss, scale), a.Feed("injected", tensor.T(tensor.F32)))
	grads, err := autodiff.Gradients(a.Builder, scaled, a.params)
	if err != nil {
		return nil, err
	}
	finite := a.Op("AllFinite", nil, grads...)
	skip := a.Op("Not", nil, finite)
	a.Fetch(loss, finite)
	for i, g := range grads {
		grads[i] = a.Op("Div", nil, g, scale)
	}
	norm := a.Op("GlobalNorm", nil, grads...)
	for i, g := range grads {
		grads[i] = a.Op("ClipByNorm", graph.Attrs{"max_norm": graph.F(net.maxNorm)}, g, norm)
	}
	a.optimize(net.optimizer, grads, lr, skip)
	for _, k := range a.kept {
		a.Update(k[0], a.Op("Where", nil, skip, k[0], k[1]))
	}
	average := a.State(net.name+".average", a.params[0].Type)
	a.Update(average, a.Op("ExponentialMovingAverage", graph.Attrs{"decay": graph.F(0.75)}, average, a.params[0], skip))
	next := a.OpN("DynamicLossScale", graph.Attrs{"growth_interval": graph.I(2)}, 2, scale, counter, skip)
	a.Update(scale, next[0])
	a.Update(counter, next[1])
	p, err := a.Program()
	if err != nil {
		return nil, err
	}
	return pass.Prune(p), nil
}

// optimize updates every parameter and its slots, unless the step is skipped.
func (a *autocast) optimize(op string, grads []graph.Value, lr, skip graph.Value) {
	slots, attrs := []string{"velocity"}, graph.Attrs{"momentum": graph.F(0.9)}
	var step graph.Value
	if op == "AdamW" {
		slots, attrs = []string{"m", "v"}, nil
		step = a.State("step", tensor.T(tensor.S64))
		a.Update(step, a.Op("Where", nil, skip, step, a.Op("Add", nil, step, a.Scalar(tensor.S64, 1))))
	}
	for i, p := range a.params {
		state, in := []graph.Value{p}, []graph.Value{p, grads[i]}
		for _, slot := range slots {
			v := a.State(p.Name+"."+slot, p.Type)
			state, in = append(state, v), append(in, v)
		}
		if op == "AdamW" {
			in = append(in, step)
		}
		for j, next := range a.OpN(op, attrs, len(state), append(in, lr, skip)...) {
			a.Update(state[j], next)
		}
	}
}
