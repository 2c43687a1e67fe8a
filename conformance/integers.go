package conformance

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Networks of published size on integers, bit-exact from end to end whatever a
// backend fuses and in which order it sums: one ±1 weight an output, norms that
// only add integers and turn signs, pools of a power of two. The program rule
// must leave room for deep networks' errors; here there is none, so that a
// dropped term or a swapped channel shows anywhere.

var integerNets = []struct {
	name   string
	image  tensor.Shape
	effort Effort
	write  func(n *integerNet, x graph.Value) graph.Value
}{
	{"resnet20", tensor.Shape{2, 3, 32, 32}, Standard, (*integerNet).resnet20},
	{"mobilenet", tensor.Shape{2, 3, 32, 32}, Quick, (*integerNet).mobilenet},
	{"vit", tensor.Shape{2, 3, 32, 32}, Quick, (*integerNet).vit},
}

func integerCases() []*Case {
	var all []*Case
	for _, net := range integerNets {
		for _, f := range []form{whole, decomposed} {
			e := net.effort
			if f != whole {
				e = Standard
			}
			all = append(all, &Case{
				Op: "Integer", DType: tensor.F32, Params: fmt.Sprintf("%s,image=%s", net.name, net.image), Class: "exact" + formNames[f], Suite: InferenceCore,
				Effort: e, Required: true, form: f, bound: every(exact),
				subject: &networkSubject{
					varies: true, fills: map[string]fill{"image": integers(-100, 100)},
					build: func(d Draw) (*graph.Program, error) {
						n := &integerNet{Builder: graph.NewBuilder(net.name + " on integers"), draw: d}
						n.Fetch(net.write(n, n.Feed("image", tensor.Type{DType: tensor.F32, Shape: net.image})))
						return n.Program()
					}}})
		}
	}
	return all
}

// integerNet writes layers with parameters of their own.
type integerNet struct {
	*graph.Builder
	draw Draw
	made int
}

func (n *integerNet) param(f fill, shape ...int) graph.Value {
	n.made++
	name := fmt.Sprintf("p%d", n.made)
	t := tensor.New(tensor.F32, shape...)
	t.SetFloat64s(f(n.draw.rng(name), t.Type))
	return n.Const(name, t)
}

// conv has one ±1 a filter, anywhere in its window.
func (n *integerNet) conv(x graph.Value, out, kernel, stride, group int) graph.Value {
	shape := tensor.Shape{out, x.Type.Shape[1] / group, kernel, kernel}
	pad := kernel / 2
	return n.Op("Conv", graph.Attrs{"pads": graph.L(pad, pad, pad, pad), "strides": graph.L(stride, stride), "group": graph.I(group)},
		x, n.param(oneHot(rows(shape)), shape...))
}

// norm is (x − mean)·±1 + shift.
func (n *integerNet) norm(x graph.Value) graph.Value {
	c := x.Type.Shape[1]
	sign := each(func(r *rng) float64 { return r.sign() })
	return n.Op("BatchNormalization", graph.Attrs{"epsilon": graph.F(0)}, x,
		n.param(sign, c), n.param(integers(-3, 3), c), n.param(integers(-3, 3), c), n.param(constant(1), c))
}

// linear has one ±1 an output.
func (n *integerNet) linear(x graph.Value, out int) graph.Value {
	in := x.Type.Shape[len(x.Type.Shape)-1]
	return n.Op("MatMul", nil, x, n.param(oneHotAlong(tensor.Shape{in, out}, 1), in, out))
}

// head averages planes of a power of two and ends in ten classes.
func (n *integerNet) head(x graph.Value) graph.Value {
	s := x.Type.Shape
	x = n.Op("AveragePool", graph.Attrs{"kernel_shape": graph.L(s[2], s[3])}, x)
	return n.Op("Gemm", nil, n.Op("Flatten", nil, x), n.param(oneHotAlong(tensor.Shape{s[1], mixedClasses}, 1), s[1], mixedClasses), n.param(integers(-9, 9), mixedClasses))
}

// resnet20 is He, Zhang, Ren and Sun's (2016, §4.2) for images of 32×32: three
// stages of three blocks. A residual at most doubles, so that sums stay below
// 2²⁴ of the last pool's 64ths.
func (n *integerNet) resnet20(x graph.Value) graph.Value {
	x = n.Op("Relu", nil, n.norm(n.conv(x, 16, 3, 1, 1)))
	for stage, width := range []int{16, 32, 64} {
		for block := range 3 {
			stride := 1
			if stage > 0 && block == 0 {
				stride = 2
			}
			y := n.Op("Relu", nil, n.norm(n.conv(x, width, 3, stride, 1)))
			y = n.norm(n.conv(y, width, 3, 1, 1))
			if stride == 2 {
				x = n.norm(n.conv(x, width, 1, stride, 1))
			}
			x = n.Op("Relu", nil, n.Op("Add", nil, y, x))
		}
	}
	return n.head(x)
}

// mobilenet has inverted bottlenecks with depthwise windows of 3 and 5 (Howard
// et al., "Searching for MobileNetV3", 2019), clipped activations, and at the
// end squeeze and excite whose gate is a multiple of a 64th.
func (n *integerNet) mobilenet(x graph.Value) graph.Value {
	clip := func(x graph.Value) graph.Value {
		return n.Op("Clip", nil, x, n.Scalar(tensor.F32, -40), n.Scalar(tensor.F32, 90))
	}
	x = clip(n.norm(n.conv(x, 16, 3, 2, 1)))
	for _, b := range []struct{ wide, out, kernel, stride int }{{16, 16, 3, 1}, {72, 24, 3, 2}, {88, 24, 3, 1}, {96, 40, 5, 2}, {240, 40, 5, 1}} {
		y := clip(n.norm(n.conv(x, b.wide, 1, 1, 1)))
		y = clip(n.norm(n.conv(y, b.wide, b.kernel, b.stride, b.wide)))
		y = n.norm(n.conv(y, b.out, 1, 1, 1))
		if b.stride == 1 && b.out == x.Type.Shape[1] {
			y = n.Op("Add", nil, y, x)
		}
		x = y
	}
	s := n.Op("AveragePool", graph.Attrs{"kernel_shape": graph.L(4, 4)}, x)
	gate := n.Op("HardSigmoid", graph.Attrs{"alpha": graph.F(0.25), "beta": graph.F(0.5)}, n.conv(n.Op("Relu", nil, n.conv(s, 16, 1, 1, 1)), 40, 1, 1, 1))
	return n.head(n.Op("Mul", nil, x, gate))
}

// vit has hard attention in place of a softmax: every token takes the value of
// the token whose key fits it best, the first of equals.
func (n *integerNet) vit(x graph.Value) graph.Value {
	const features, heads, blocks = 48, 3, 3
	batch := x.Type.Shape[0]
	x = n.conv4(x, features)
	tokens := x.Type.Shape[2] * x.Type.Shape[3]
	x = n.Op("Transpose", graph.Attrs{"perm": graph.L(0, 2, 1)}, n.Op("Reshape", graph.Attrs{"shape": graph.L(batch, features, tokens)}, x))
	x = n.Op("Add", nil, x, n.param(integers(-9, 9), 1, tokens, features))
	split := func(v graph.Value) graph.Value {
		v = n.Op("Reshape", graph.Attrs{"shape": graph.L(batch, tokens, heads, features/heads)}, v)
		return n.Op("Transpose", graph.Attrs{"perm": graph.L(0, 2, 1, 3)}, v)
	}
	for range blocks {
		q, k, v := split(n.linear(x, features)), split(n.linear(x, features)), split(n.linear(x, features))
		scores := n.Op("MatMul", nil, q, n.Op("Transpose", graph.Attrs{"perm": graph.L(0, 1, 3, 2)}, k))
		best := n.Op("ArgMax", graph.Attrs{"axis": graph.I(3), "keepdims": graph.I(0)}, scores)
		chosen := n.Op("OneHot", graph.Attrs{"depth": graph.I(tokens)}, best, n.Const(fmt.Sprintf("off and on %d", n.made), tensor.Of(tensor.F32, tensor.Shape{2}, 0, 1)))
		y := n.Op("Transpose", graph.Attrs{"perm": graph.L(0, 2, 1, 3)}, n.Op("MatMul", nil, chosen, v))
		x = n.Op("Add", nil, x, n.linear(n.Op("Reshape", graph.Attrs{"shape": graph.L(batch, tokens, features)}, y), features))
		x = n.Op("Add", nil, x, n.linear(n.Op("Relu", nil, n.linear(x, 4*features)), features))
	}
	x = n.Op("ReduceMean", graph.Attrs{"axes": graph.L(1), "keepdims": graph.I(0)}, x)
	return n.linear(x, mixedClasses)
}

// conv4 makes patches of 4×4, one ±1 a feature.
func (n *integerNet) conv4(x graph.Value, features int) graph.Value {
	shape := tensor.Shape{features, x.Type.Shape[1], 4, 4}
	return n.Op("Conv", graph.Attrs{"strides": graph.L(4, 4)}, x, n.param(oneHot(rows(shape)), shape...))
}
