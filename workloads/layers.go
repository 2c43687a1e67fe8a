package workloads

import (
	"github.com/clsbench/clsbench/graph"
)

// Conv says what a 2-D convolution is; zero fields take the usual default.
type Conv struct {
	Out    int // output channels
	Kernel int // extent of the square window
	Stride int // default 1
	Pad    int // zeros on every side
	Groups int // default 1; as many as there are input channels for a depthwise one
	NoBias bool
	Init   Init // default: PyTorch's
}

// Conv2d is a convolution under name, with parameters name.weight and
// name.bias: N×C×H×W to N×Out×H'×W'.
func (n *Net) Conv2d(name string, x graph.Value, c Conv) graph.Value {
	return n.In(name, func() graph.Value {
		if !n.wantRank(x, 4) {
			return graph.Value{}
		}
		c.Stride, c.Groups = max(1, c.Stride), max(1, c.Groups)
		in, taps := x.Type.Shape[1]/c.Groups, c.Kernel*c.Kernel
		weight, bias := c.Init.orDefault()(in*taps, c.Out*taps)
		inputs := []graph.Value{x, n.Param("weight", weight, c.Out, in, c.Kernel, c.Kernel)}
		if !c.NoBias {
			inputs = append(inputs, n.Param("bias", bias, c.Out))
		}
		return n.Op("Conv", graph.Attrs{
			"kernel_shape": graph.L(c.Kernel, c.Kernel),
			"strides":      graph.L(c.Stride, c.Stride),
			"pads":         graph.L(c.Pad, c.Pad, c.Pad, c.Pad),
			"group":        graph.I(c.Groups),
		}, inputs...)
	})
}

// Linear is y = x·Wᵀ + b under name, with parameters name.weight (out×in) and
// name.bias: N×in to N×out, or N×tokens×in to N×tokens×out. A nil init is
// PyTorch's.
func (n *Net) Linear(name string, x graph.Value, out int, init Init) graph.Value {
	return n.In(name, func() graph.Value {
		if !n.wantRank(x, 2, 3) {
			return graph.Value{}
		}
		in := x.Type.Shape[len(x.Type.Shape)-1]
		weight, bias := init.orDefault()(in, out)
		return n.affine(x, n.Param("weight", weight, out, in), n.Param("bias", bias, out))
	})
}

// affine is x·Wᵀ + b of the last axis. The product has two axes, whose rows are
// all the tokens of all the images.
func (n *Net) affine(x, w, b graph.Value) graph.Value {
	product := graph.Attrs{"transB": graph.I(1)}
	if n.Err() != nil || len(x.Type.Shape) == 2 {
		return n.Op("Gemm", product, x, w, b)
	}
	s := x.Type.Shape.Clone()
	rows := n.Op("Gemm", product, n.Reshape(x, s[0]*s[1], s[2]), w, b)
	return n.Reshape(rows, s[0], s[1], w.Type.Shape[0])
}

// Pool is a square window; zero fields take the usual default.
type Pool struct {
	Kernel int
	Stride int // default: the kernel's extent
	Pad    int // on every side; no maximum and no part of an average
}

// AvgPool2d averages each window: N×C×H×W to N×C×H'×W'.
func (n *Net) AvgPool2d(x graph.Value, p Pool) graph.Value {
	return n.Op("AveragePool", p.attrs(), x)
}

// MaxPool2d takes each window's maximum: N×C×H×W to N×C×H'×W'.
func (n *Net) MaxPool2d(x graph.Value, p Pool) graph.Value {
	return n.Op("MaxPool", p.attrs(), x)
}

func (p Pool) attrs() graph.Attrs {
	stride := p.Stride
	if stride == 0 {
		stride = p.Kernel
	}
	a := graph.Attrs{"kernel_shape": graph.L(p.Kernel, p.Kernel), "strides": graph.L(stride, stride)}
	if p.Pad > 0 {
		a["pads"] = graph.L(p.Pad, p.Pad, p.Pad, p.Pad)
	}
	return a
}

// AdaptiveAvgPool2d averages windows that are spread over the plane so that
// there are extent of them on each axis: N×C×H×W to N×C×extent×extent.
func (n *Net) AdaptiveAvgPool2d(x graph.Value, extent int) graph.Value {
	return n.Op("AdaptiveAveragePool", graph.Attrs{"output_size": graph.L(extent, extent)}, x)
}

// GlobalAvgPool2d averages each plane: N×C×H×W to N×C×1×1.
func (n *Net) GlobalAvgPool2d(x graph.Value) graph.Value { return n.Op("GlobalAveragePool", nil, x) }

// Activations are of any shape.

func (n *Net) ReLU(x graph.Value) graph.Value      { return n.Op("Relu", nil, x) }
func (n *Net) Tanh(x graph.Value) graph.Value      { return n.Op("Tanh", nil, x) }
func (n *Net) Sigmoid(x graph.Value) graph.Value   { return n.Op("Sigmoid", nil, x) }
func (n *Net) GELU(x graph.Value) graph.Value      { return n.Op("Gelu", nil, x) }
func (n *Net) HardSwish(x graph.Value) graph.Value { return n.Op("HardSwish", nil, x) }

// HardSigmoid is x/6 + ½ held between 0 and 1, as PyTorch has it.
func (n *Net) HardSigmoid(x graph.Value) graph.Value {
	return n.Op("HardSigmoid", graph.Attrs{"alpha": graph.F(1.0 / 6), "beta": graph.F(0.5)}, x)
}

// Plus is x + y: what a residual block ends with.
func (n *Net) Plus(x, y graph.Value) graph.Value { return n.Op("Add", nil, x, y) }

// Flatten makes N×C×H×W into N×C·H·W.
func (n *Net) Flatten(x graph.Value) graph.Value { return n.Op("Flatten", nil, x) }

// Reshape sees the elements, in their order, in another shape.
func (n *Net) Reshape(x graph.Value, shape ...int) graph.Value {
	return n.Op("Reshape", graph.Attrs{"shape": graph.L(shape...)}, x)
}
