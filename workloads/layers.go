package workloads

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Net writes a network's layers into a program. It notes every parameter that
// a layer asks for; whether that becomes state or a constant is the program's
// choice. Layers take and give N×C×H×W or N×features.
type Net struct {
	*graph.Builder
	params []Param
	enter  func(Param) graph.Value
}

// Param is a learnable tensor of a network, under PyTorch's dotted name.
type Param struct {
	Name string
	Type tensor.Type
	Init tensor.Fill
}

// newNet starts a network in b whose parameters are made by enter.
func newNet(b *graph.Builder, enter func(Param) graph.Value) *Net {
	return &Net{Builder: b, enter: enter}
}

// Param declares a parameter.
func (n *Net) Param(name string, init tensor.Fill, shape ...int) graph.Value {
	p := Param{Name: name, Type: tensor.T(tensor.F32, shape...), Init: init}
	n.params = append(n.params, p)
	return n.enter(p)
}

// within is PyTorch's default for convolutions and linear layers: He's uniform
// initialisation (He, Zhang, Ren and Sun 2015, eq. 10) with a = √5, whose
// bound √(6/((1+a²)·fanIn)) is 1/√fanIn; biases take the same bound.
func within(fanIn int) tensor.Fill {
	bound := 1 / math.Sqrt(float64(fanIn))
	return tensor.Fill{Kind: tensor.Uniform, Lo: -bound, Hi: bound}
}

// Conv says what a 2-D convolution is; zero fields take the usual default.
type Conv struct {
	Out    int // output channels
	Kernel int // extent of the square window
	Stride int // default 1
	Pad    int // zeros on every side
	Groups int // default 1
	NoBias bool
}

// Conv2d is a convolution under name, with parameters name.weight and
// name.bias: N×C×H×W to N×Out×H'×W'.
func (n *Net) Conv2d(name string, x graph.Value, c Conv) graph.Value {
	if !n.wantRank(name, x, 4) {
		return graph.Value{}
	}
	c.Stride, c.Groups = max(1, c.Stride), max(1, c.Groups)
	in := x.Type.Shape[1] / c.Groups
	init := within(in * c.Kernel * c.Kernel)
	inputs := []graph.Value{x, n.Param(name+".weight", init, c.Out, in, c.Kernel, c.Kernel)}
	if !c.NoBias {
		inputs = append(inputs, n.Param(name+".bias", init, c.Out))
	}
	attrs := graph.Attrs{
		"kernel_shape": graph.L(c.Kernel, c.Kernel),
		"strides":      graph.L(c.Stride, c.Stride),
		"pads":         graph.L(c.Pad, c.Pad, c.Pad, c.Pad),
		"group":        graph.I(c.Groups),
	}
	return n.layer(name, "Conv", attrs, inputs...)
}

// Linear is y = x·Wᵀ + b under name, with parameters name.weight (out×in) and
// name.bias: N×in to N×out.
func (n *Net) Linear(name string, x graph.Value, out int) graph.Value {
	if !n.wantRank(name, x, 2) {
		return graph.Value{}
	}
	in := x.Type.Shape[1]
	init := within(in)
	w, b := n.Param(name+".weight", init, out, in), n.Param(name+".bias", init, out)
	return n.layer(name, "Gemm", graph.Attrs{"transB": graph.I(1)}, x, w, b)
}

// wantRank tells whether x exists, as after an earlier error it does not, and
// fails the building if it has another rank.
func (n *Net) wantRank(name string, x graph.Value, rank int) bool {
	if n.Err() != nil {
		return false
	}
	if len(x.Type.Shape) != rank {
		n.Fail(fmt.Errorf("%s: the input is %v, want rank %d", name, x.Type, rank))
		return false
	}
	return true
}

// layer applies one op inside the scope of a layer's name.
func (n *Net) layer(name, op string, attrs graph.Attrs, in ...graph.Value) (y graph.Value) {
	n.Scoped(name, func() { y = n.Op(op, attrs, in...) })
	return y
}

// Pools are square windows of extent k at stride k.

// AvgPool2d averages each window: N×C×H×W to N×C×H/k×W/k.
func (n *Net) AvgPool2d(x graph.Value, k int) graph.Value {
	return n.Op("AveragePool", pooling(k), x)
}

// MaxPool2d takes each window's maximum: N×C×H×W to N×C×H/k×W/k.
func (n *Net) MaxPool2d(x graph.Value, k int) graph.Value {
	return n.Op("MaxPool", pooling(k), x)
}

func pooling(k int) graph.Attrs {
	return graph.Attrs{"kernel_shape": graph.L(k, k), "strides": graph.L(k, k)}
}

// ReLU, Tanh and Sigmoid are activations of any shape.
func (n *Net) ReLU(x graph.Value) graph.Value    { return n.Op("Relu", nil, x) }
func (n *Net) Tanh(x graph.Value) graph.Value    { return n.Op("Tanh", nil, x) }
func (n *Net) Sigmoid(x graph.Value) graph.Value { return n.Op("Sigmoid", nil, x) }

// Flatten makes N×C×H×W into N×C·H·W.
func (n *Net) Flatten(x graph.Value) graph.Value { return n.Op("Flatten", nil, x) }
