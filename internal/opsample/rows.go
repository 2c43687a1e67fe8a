package opsample

import (
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// All lists the samples, at least one for each row of the op table.
func All() []Sample {
	return slices.Concat(elementwise(), pointwise(), logic(), activations(), reductions(), movements(), cuts(), gathers(), scatters(), selections(), rearrangements(), products(), convolutions(), pools(), softmaxes(),
		randoms(), attentions(),
		losses(), norms(), optimizers(), scalings(), quantizations())
}

func in(k Kind, extents ...int) Input { return Input{Shape: extents, Kind: k} }

func index(n int, extents ...int) Input { return Input{Shape: extents, Kind: Index, N: n} }

func elementwise() (list []Sample) {
	for _, op := range []string{"Add", "Sub", "Mul", "Div"} {
		list = append(list,
			Sample{op, nil, []Input{in(Signed, 2, 3), in(OffZero, 2, 3)}},
			Sample{op, nil, []Input{in(Signed, 2, 1, 3), in(OffZero, 4, 1)}},
			Sample{op, nil, []Input{in(Signed), in(OffZero, 5)}},
			Sample{op, nil, []Input{in(Signed, 1, 3), in(OffZero)}})
	}
	for _, op := range []string{"Neg", "Exp", "Tanh", "Sigmoid"} {
		list = append(list, Sample{op, nil, []Input{in(Signed, 3, 5)}}, Sample{op, nil, []Input{in(Signed)}})
	}
	for _, op := range []string{"Log", "Sqrt"} {
		list = append(list, Sample{op, nil, []Input{in(Positive, 3, 5)}})
	}
	return append(list,
		Sample{"Relu", nil, []Input{in(OffZero, 3, 5)}},
		Sample{"ReluGrad", nil, []Input{in(Signed, 3, 5), in(OffZero, 3, 5)}},
		Sample{"Where", nil, []Input{in(Truth, 2, 1, 4), in(Signed, 3, 1), in(Signed, 4)}},
		Sample{"Where", nil, []Input{in(Truth), in(Signed, 3), in(Signed)}},
		Sample{"Cast", graph.Attrs{"to": graph.S("f64")}, []Input{in(Signed, 7)}},
		Sample{"Cast", graph.Attrs{"to": graph.S("s32")}, []Input{in(Signed, 7)}},
		Sample{"Cast", graph.Attrs{"to": graph.S("bool")}, []Input{in(Signed, 7)}},
	)
}

func reductions() (list []Sample) {
	for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
		"ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"} {
		kind := Distinct
		if op == "ReduceLogSum" {
			kind = Positive
		}
		for _, a := range []graph.Attrs{
			nil,
			{"keepdims": graph.I(0)},
			{"axes": graph.L(1)},
			{"axes": graph.L(-1, 0), "keepdims": graph.I(0)},
		} {
			list = append(list, Sample{op, a, []Input{in(kind, 2, 3, 4)}})
		}
	}
	return append(list, Sample{"ReduceProd", graph.Attrs{"axes": graph.L(1)}, []Input{in(Signed, 2, 13)}})
}

func movements() []Sample {
	return []Sample{
		{"Reshape", graph.Attrs{"shape": graph.L(0, -1)}, []Input{in(Signed, 2, 3, 4)}},
		{"Reshape", graph.Attrs{"shape": graph.L[int]()}, []Input{in(Signed, 1, 1)}},
		{"Flatten", nil, []Input{in(Signed, 2, 3, 4)}},
		{"Flatten", graph.Attrs{"axis": graph.I(0)}, []Input{in(Signed, 2, 3)}},
		{"Flatten", graph.Attrs{"axis": graph.I(-1)}, []Input{in(Signed, 2, 3, 4)}},
		{"Transpose", nil, []Input{in(Signed, 2, 3, 4)}},
		{"Transpose", graph.Attrs{"perm": graph.L(0, 3, 1, 2)}, []Input{in(Signed, 2, 3, 4, 5)}},
		{"Expand", graph.Attrs{"shape": graph.L(2, 3, 4)}, []Input{in(Signed, 3, 1)}},
		{"Expand", graph.Attrs{"shape": graph.L(1)}, []Input{in(Signed, 3, 2)}},
	}
}

func products() (list []Sample) {
	list = []Sample{
		{"MatMul", nil, []Input{in(Signed, 3, 5), in(Signed, 5, 4)}},
		{"MatMul", nil, []Input{in(Signed, 2, 1, 3, 5), in(Signed, 4, 5, 2)}},
		{"MatMul", nil, []Input{in(Signed, 1, 7), in(Signed, 3, 7, 1)}},
	}
	for ta := range 2 {
		for tb := range 2 {
			a, b := []int{3, 5}, []int{5, 4}
			if ta == 1 {
				slices.Reverse(a)
			}
			if tb == 1 {
				slices.Reverse(b)
			}
			attrs := graph.Attrs{"transA": graph.I(ta), "transB": graph.I(tb)}
			scaled := graph.Attrs{"transA": graph.I(ta), "transB": graph.I(tb), "alpha": graph.F(0.3), "beta": graph.F(-1.7)}
			list = append(list,
				Sample{"Gemm", attrs, []Input{in(Signed, a...), in(Signed, b...), in(Absent)}},
				Sample{"Gemm", attrs, []Input{in(Signed, a...), in(Signed, b...), in(Signed, 4)}},
				Sample{"Gemm", scaled, []Input{in(Signed, a...), in(Signed, b...), in(Signed, 3, 1)}},
				Sample{"Gemm", scaled, []Input{in(Signed, a...), in(Signed, b...), in(Absent)}})
		}
	}
	return append(list, Sample{"Gemm", graph.Attrs{"beta": graph.F(0.5)}, []Input{in(Signed, 3, 5), in(Signed, 5, 4), in(Signed)}})
}

// convolutions samples Conv and, with the output gradient's shape as inference
// gives it, its two gradients.
func convolutions() (list []Sample) {
	for _, g := range []struct {
		x, w tensor.Shape
		a    graph.Attrs
	}{
		{tensor.Shape{2, 3, 6, 5}, tensor.Shape{4, 3, 3, 3}, nil},
		{tensor.Shape{2, 3, 6, 5}, tensor.Shape{4, 3, 1, 1}, nil},
		{tensor.Shape{2, 2, 7, 6}, tensor.Shape{3, 2, 3, 2}, graph.Attrs{"strides": graph.L(2, 3), "pads": graph.L(1, 0, 2, 1)}},
		{tensor.Shape{1, 2, 7, 7}, tensor.Shape{2, 2, 3, 3}, graph.Attrs{"dilations": graph.L(2, 1), "pads": graph.L(2, 1, 2, 1)}},
		{tensor.Shape{2, 4, 5, 5}, tensor.Shape{6, 2, 3, 3}, graph.Attrs{"group": graph.I(2), "strides": graph.L(2, 1)}},
		{tensor.Shape{1, 3, 5, 5}, tensor.Shape{3, 1, 3, 3}, graph.Attrs{"group": graph.I(3), "pads": graph.L(1, 1, 1, 1)}},
		{tensor.Shape{2, 2, 9}, tensor.Shape{3, 2, 4}, graph.Attrs{"strides": graph.L(2), "pads": graph.L(3, 1)}},
		{tensor.Shape{1, 1, 3, 4, 3}, tensor.Shape{2, 1, 2, 2, 2}, graph.Attrs{"pads": graph.L(1, 0, 0, 0, 1, 1)}},
	} {
		conv := Sample{"Conv", g.a, []Input{in(Signed, g.x...), in(Signed, g.w...), in(Absent)}}
		biased := Sample{"Conv", g.a, []Input{in(Signed, g.x...), in(Signed, g.w...), in(Signed, g.w[0])}}
		y := conv.output()
		list = append(list, conv, biased,
			Sample{"ConvInputGrad", with(g.a, "input_shape", g.x), []Input{in(Signed, y...), in(Signed, g.w...)}},
			Sample{"ConvWeightGrad", with(g.a, "weight_shape", g.w), []Input{in(Signed, g.x...), in(Signed, y...)}})
	}
	return list
}

func pools() (list []Sample) {
	for _, g := range []struct {
		x tensor.Shape
		a graph.Attrs
	}{
		{tensor.Shape{2, 3, 6, 4}, graph.Attrs{"kernel_shape": graph.L(2, 2), "strides": graph.L(2, 2)}},
		{tensor.Shape{1, 2, 5, 6}, graph.Attrs{"kernel_shape": graph.L(3, 2), "strides": graph.L(2, 1), "pads": graph.L(1, 0, 2, 1)}},
		{tensor.Shape{1, 2, 6, 7}, graph.Attrs{"kernel_shape": graph.L(3, 3), "strides": graph.L(2, 2), "ceil_mode": graph.I(1)}},
		{tensor.Shape{1, 1, 6, 5}, graph.Attrs{"kernel_shape": graph.L(3, 3), "strides": graph.L(2, 2), "pads": graph.L(1, 1, 1, 1), "ceil_mode": graph.I(1)}},
		{tensor.Shape{2, 1, 7, 7}, graph.Attrs{"kernel_shape": graph.L(2, 3), "dilations": graph.L(3, 2), "pads": graph.L(1, 2, 1, 1)}},
		{tensor.Shape{2, 2, 9}, graph.Attrs{"kernel_shape": graph.L(4), "strides": graph.L(3), "pads": graph.L(0, 2), "ceil_mode": graph.I(1)}},
	} {
		counted := with(g.a, "count_include_pad", nil)
		counted["count_include_pad"] = graph.I(1)
		order := with(g.a, "storage_order", nil)
		order["storage_order"] = graph.I(1)
		y := Sample{"AveragePool", g.a, []Input{in(Signed, g.x...)}}.output()
		n := g.x.Elements()
		list = append(list,
			Sample{"MaxPool", g.a, []Input{in(Distinct, g.x...)}},
			Sample{"MaxPool", order, []Input{in(Distinct, g.x...)}},
			Sample{"MaxPoolGrad", graph.Attrs{"input_shape": graph.L(g.x...)}, []Input{in(Signed, y...), index(n, y...)}})
		for _, a := range []graph.Attrs{g.a, counted} {
			list = append(list,
				Sample{"AveragePool", a, []Input{in(Signed, g.x...)}},
				Sample{"AveragePoolGrad", with(a, "input_shape", g.x), []Input{in(Signed, y...)}})
		}
	}
	for _, x := range [][]int{{2, 3, 5, 4}, {2, 2, 9}, {1, 2, 2, 3, 4}} {
		list = append(list,
			Sample{"GlobalAveragePool", nil, []Input{in(Signed, x...)}},
			Sample{"GlobalMaxPool", nil, []Input{in(Distinct, x...)}})
	}
	for _, g := range []struct{ x, size []int }{
		{[]int{2, 3, 6, 4}, []int{3, 2}}, // an AveragePool
		{[]int{1, 2, 7, 5}, []int{3, 5}},
		{[]int{2, 2, 4, 3}, []int{6, 2}}, // more outputs than elements
		{[]int{1, 3, 10}, []int{7}},
	} {
		list = append(list, Sample{"AdaptiveAveragePool", graph.Attrs{"output_size": graph.L(g.size...)}, []Input{in(Signed, g.x...)}})
	}
	return list
}

func softmaxes() []Sample {
	return []Sample{
		{"Softmax", nil, []Input{in(Signed, 3, 5)}},
		{"Softmax", graph.Attrs{"axis": graph.I(1)}, []Input{in(Signed, 2, 3, 4)}},
		{"Softmax", graph.Attrs{"axis": graph.I(0)}, []Input{in(Signed, 3)}},
		{"LogSoftmax", nil, []Input{in(Signed, 3, 5)}},
		{"LogSoftmax", graph.Attrs{"axis": graph.I(1)}, []Input{in(Signed, 2, 3, 4)}},
	}
}

// with adds a list attribute to a copy of a.
func with(a graph.Attrs, name string, list tensor.Shape) graph.Attrs {
	c := graph.Attrs{}
	for k, v := range a {
		c[k] = v
	}
	if list != nil {
		c[name] = graph.L(list...)
	}
	return c
}

// output is the shape of output 0. A sample that does not infer is a fault of
// this file.
func (s Sample) output() tensor.Shape {
	b := graph.NewBuilder(s.Op)
	_, out := s.Apply(b, tensor.F64)
	if b.Err() != nil {
		panic("opsample: " + b.Err().Error())
	}
	return out[0].Type.Shape
}
