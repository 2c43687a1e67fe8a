package conformance

import (
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// The grid of convolutions, a covering array: any two of kernel, stride,
// padding, dilation, grouping, channels and extent meet in a row. Then what
// single ops don't show: sliced inputs, large batches, identities.

var convGrid = struct {
	kernels, strides, pads, dilations [][]int
	groups                            []string
	channels, extents                 []int
}{
	kernels:   [][]int{{1, 1}, {3, 3}, {5, 5}, {1, 3}, {2, 3}},
	strides:   [][]int{{1, 1}, {2, 2}, {2, 1}},
	pads:      [][]int{{0, 0, 0, 0}, {1, 1, 1, 1}, {0, 1, 1, 0}, {2, 0, 1, 2}},
	dilations: [][]int{{1, 1}, {2, 2}, {1, 2}},
	groups:    []string{"one", "two", "depthwise", "multiplier"},
	channels:  []int{1, 3, 16, 31, 32, 33, 64},
	extents:   []int{1, 7, 13, 14, 15, 28},
}

// gridRows are the rows of the grid whose windows fit their image.
func gridRows() (rows []convolution) {
	g := convGrid
	choices := []int{len(g.kernels), len(g.strides), len(g.pads), len(g.dilations), len(g.groups), len(g.channels), len(g.extents)}
	for _, r := range covering(choices, func([]int) bool { return true }) {
		c := convolution{n: 1, kernel: g.kernels[r[0]], strides: g.strides[r[1]], pads: g.pads[r[2]], dilations: g.dilations[r[3]],
			c: g.channels[r[5]], m: 5, in: []int{g.extents[r[6]], max(1, g.extents[r[6]]-r[6]%2)}}
		switch g.groups[r[4]] {
		case "two":
			c.c, c.m, c.group = 2*c.c, 6, 2
		case "depthwise":
			c.m, c.group = c.c, c.c
		case "multiplier":
			c.m, c.group = 2*c.c, c.c
		}
		// A window larger than the image gets as large an image, and one that
		// could step over it a larger one.
		for i := range c.in {
			c.in[i] = max(c.in[i], c.dilations[i], c.dilations[i]*(c.kernel[i]-1)+1-c.pads[i]-c.pads[i+2])
		}
		if c.in[0] < 10 {
			c.n = 2
		}
		rows = append(rows, c)
	}
	return rows
}

func convGridCases() []*Case {
	var all []*Case
	for i, r := range gridRows() {
		for _, c := range append(append(r.forward(tensor.F32, Standard), r.inputGrad(tensor.F32, Standard)...), r.weightGrad(tensor.F32, Standard)...) {
			// Integers see wrong terms, and half as many cases rounding.
			if c.Class == "structure" || c.Class == "real" && c.Op == "Conv" && i%3 == 0 {
				all = append(all, c)
			}
		}
	}
	for i, r := range []convolution{
		{n: 3, c: 5, m: 7, in: []int{9, 8}, kernel: []int{3, 3}, pads: []int{1, 0, 2, 1}, strides: []int{2, 1}},
		{n: 2, c: 6, m: 6, in: []int{11, 7}, kernel: []int{3, 2}, group: 6, dilations: []int{2, 1}},
		{n: 2, c: 8, m: 6, in: []int{7, 7}, kernel: []int{1, 1}, group: 2},
	} {
		all = append(all, r.sliced(effortOf(tensor.F32, i+1)), r.adjoint(), r.shifted(), r.linear())
		if r.group == 0 {
			all = append(all, r.parts())
		}
	}
	large := convolution{n: 65_537, c: 1, m: 2, in: []int{1, 2}, kernel: []int{1, 2}}
	for _, c := range large.forward(tensor.F32, Standard) {
		if c.Class == "structure" || c.Class == "real" {
			all = append(all, c)
		}
	}
	return all
}

// identity is a case of this convolution's X, W and dY, of integers so small
// that all sums of the program are exact.
func (r convolution) identity(class string, e Effort, suite Suite, apply func(b *graph.Builder, x, w, dy graph.Value) []graph.Value) *Case {
	small := integers(-3, 3)
	return &Case{Op: "Conv", DType: tensor.F32, Params: r.params(), Class: class, Suite: suite, Effort: e, Required: true, bound: every(exact),
		subject: &opSubject{
			inputs: []input{
				{name: "X", typ: tensor.Type{DType: tensor.F32, Shape: r.x()}, fill: small},
				{name: "W", typ: tensor.Type{DType: tensor.F32, Shape: r.w()}, fill: small},
				{name: "dY", typ: tensor.Type{DType: tensor.F32, Shape: r.y()}, fill: small}},
			apply: func(b *graph.Builder, in []graph.Value) []graph.Value { return apply(b, in[0], in[1], in[2]) },
		}}
}

// adjoint: ⟨Conv(X), dY⟩ = ⟨X, ConvInputGrad(dY)⟩ = ⟨W, ConvWeightGrad(dY)⟩, three
// ways to the same number, less dY's sum, so that no two sums are like.
func (r convolution) adjoint() *Case {
	return r.identity("adjoint", Standard, TrainingCore, func(b *graph.Builder, x, w, dy graph.Value) []graph.Value {
		with := func(name string, s tensor.Shape) graph.Attrs {
			a := r.attrs()
			a[name] = graph.L(s...)
			return a
		}
		inner := func(u, v graph.Value) graph.Value {
			return b.Op("ReduceSum", graph.Attrs{"keepdims": graph.I(0)}, b.Op("Mul", nil, u, v))
		}
		return []graph.Value{
			inner(b.Op("Conv", r.attrs(), x, w), dy),
			inner(x, b.Op("ConvInputGrad", with("input_shape", r.x()), dy, w)),
			inner(w, b.Op("ConvWeightGrad", with("weight_shape", r.w()), x, dy)),
		}
	})
}

// shifted: an image moved by a stride of zeros has its outputs moved by one.
func (r convolution) shifted() *Case {
	return r.identity("shifted", Standard, InferenceCore, func(b *graph.Builder, x, w, _ graph.Value) []graph.Value {
		step := 1
		if r.strides != nil {
			step = r.strides[0]
		}
		moved := b.Op("Pad", graph.Attrs{"pads": graph.L(0, 0, step, 0, 0, 0, 0, 0)}, x)
		return []graph.Value{b.Op("Conv", r.attrs(), moved, w), b.Op("Conv", r.attrs(), x, w)}
	})
}

// linear: Conv(2X, W) and Conv(X, W) + Conv(X, W), by one kernel and by two.
func (r convolution) linear() *Case {
	return r.identity("linear", Standard, InferenceCore, func(b *graph.Builder, x, w, dy graph.Value) []graph.Value {
		y := b.Op("Conv", r.attrs(), x, w)
		return []graph.Value{b.Op("Conv", r.attrs(), b.Op("Add", nil, x, x), w), b.Op("Add", nil, y, y), b.Op("Sub", nil, y, dy)}
	})
}

// sliced: X is some channels out of the middle of more, whose images are
// further apart than a tensor of its shape has them.
func (r convolution) sliced(e Effort) *Case {
	c := r.identity("sliced", e, InferenceCore, nil)
	s := c.subject.(*opSubject)
	s.inputs[0].typ.Shape = r.x()
	s.inputs[0].typ.Shape[1] += 3
	s.inputs = s.inputs[:2]
	s.apply = func(b *graph.Builder, in []graph.Value) []graph.Value {
		x := b.Op("Slice", graph.Attrs{"starts": graph.L(2), "ends": graph.L(2 + r.c), "axes": graph.L(1)}, in[0])
		return []graph.Value{b.Op("Conv", r.attrs(), x, in[1])}
	}
	return c
}

// parts: Conv(X, W) is the sum of the convolutions of X's first channels and of
// the others, each read out of a tensor that has more.
func (r convolution) parts() *Case {
	return r.identity("parts", Quick, InferenceCore, func(b *graph.Builder, x, w, _ graph.Value) []graph.Value {
		part := func(from, to int) graph.Value {
			a := graph.Attrs{"starts": graph.L(from), "ends": graph.L(to), "axes": graph.L(1)}
			return b.Op("Conv", r.attrs(), b.Op("Slice", a, x), b.Op("Slice", a, w))
		}
		return []graph.Value{b.Op("Add", nil, part(0, 2), part(2, r.c)), b.Op("Conv", r.attrs(), x, w)}
	})
}
