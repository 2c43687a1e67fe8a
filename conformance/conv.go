package conformance

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Convolutions and their two gradients, by the classes of dot products.

// convolution is a row. Lists are one entry a spatial axis; pads are all
// beginnings, then all ends.
type convolution struct {
	n, c, m    int
	in, kernel []int
	strides    []int
	pads       []int
	dilations  []int
	group      int
	bias       bool
	role       role // of the weights, in the forward op
}

var convolutions = []convolution{
	{n: 2, c: 6, m: 16, in: []int{12, 12}, kernel: []int{5, 5}, bias: true},                                                                // LeNet-5's second
	{n: 2, c: 1, m: 6, in: []int{28, 28}, kernel: []int{5, 5}, bias: true, role: frozen},                                                   // and its first
	{n: 2, c: 3, m: 9, in: []int{17, 13}, kernel: []int{3, 3}, strides: []int{2, 1}, pads: []int{1, 0, 2, 0}, bias: true},                  // asymmetric
	{n: 2, c: 6, m: 10, in: []int{9, 8}, kernel: []int{3, 3}, pads: []int{1, 1, 1, 1}, group: 2, bias: true},                               // what Winograd's algorithm takes, in groups
	{n: 2, c: 6, m: 9, in: []int{12, 11}, kernel: []int{3, 2}, group: 3, bias: true, role: held},                                           // groups
	{n: 1, c: 17, m: 17, in: []int{10, 11}, kernel: []int{3, 3}, pads: []int{1, 1, 1, 1}, group: 17},                                       // depthwise
	{n: 1, c: 5, m: 15, in: []int{13, 12}, kernel: []int{3, 3}, pads: []int{2, 1, 0, 3}, dilations: []int{2, 3}, bias: true, role: frozen}, // dilated
	{n: 3, c: 33, m: 31, in: []int{7, 5}, kernel: []int{1, 1}},                                                                             // pointwise
	{n: 2, c: 14, m: 32, in: []int{9, 9}, kernel: []int{1, 1}, strides: []int{2, 2}, bias: true},                                           // a residual's shortcut
	{n: 1, c: 64, m: 33, in: []int{6, 6}, kernel: []int{3, 3}, pads: []int{1, 1, 1, 1}, bias: true},                                        // a long sum
	{n: 3, c: 4, m: 7, in: []int{5, 9}, kernel: []int{5, 9}},                                                                               // the kernel is the input
	{n: 2, c: 2, m: 4, in: []int{11, 8}, kernel: []int{2, 3}, strides: []int{3, 2}, pads: []int{0, 2, 1, 0}, group: 2},                     // strides beyond the kernel
	{n: 2, c: 3, m: 5, in: []int{67}, kernel: []int{4}, strides: []int{3}, pads: []int{2, 1}, bias: true},
	{n: 1, c: 2, m: 6, in: []int{6, 5, 7}, kernel: []int{2, 3, 2}, pads: []int{0, 1, 0, 1, 0, 1}, bias: true},
}

func (r convolution) groups() int { return max(1, r.group) }

func (r convolution) attrs() graph.Attrs {
	a := graph.Attrs{"kernel_shape": graph.L(r.kernel...), "group": graph.I(r.groups())}
	if r.strides != nil {
		a["strides"] = graph.L(r.strides...)
	}
	if r.pads != nil {
		a["pads"] = graph.L(r.pads...)
	}
	if r.dilations != nil {
		a["dilations"] = graph.L(r.dilations...)
	}
	return a
}

func (r convolution) x() tensor.Shape { return append(tensor.Shape{r.n, r.c}, r.in...) }
func (r convolution) w() tensor.Shape {
	return append(tensor.Shape{r.m, r.c / r.groups()}, r.kernel...)
}

// y is the output's shape, as the op's own inference gives it.
func (r convolution) y() tensor.Shape {
	b := graph.NewBuilder("shape")
	y := b.Op("Conv", r.attrs(), b.Feed("x", tensor.Type{DType: tensor.F32, Shape: r.x()}), b.Feed("w", tensor.Type{DType: tensor.F32, Shape: r.w()}))
	if b.Err() != nil {
		panic(b.Err())
	}
	return y.Type.Shape
}

// winograd says whether Winograd's mode touches the row.
func (r convolution) winograd() bool {
	b := graph.NewBuilder("mode")
	b.Op("Conv", r.attrs(), b.Feed("x", tensor.Type{DType: tensor.F32, Shape: r.x()}), b.Feed("w", tensor.Type{DType: tensor.F32, Shape: r.w()}))
	return b.Calls()[0].Relaxed(graph.Winograd)
}

func (r convolution) params() string {
	or := func(v []int, def, n int) []int {
		if v != nil {
			return v
		}
		v = make([]int, n)
		for i := range v {
			v[i] = def
		}
		return v
	}
	d := len(r.in)
	return fmt.Sprintf("n=%d,c=%d,in=%s,m=%d,k=%s,s=%s,p=%s,d=%s,g=%d", r.n, r.c, list(r.in, "x"), r.m, list(r.kernel, "x"),
		list(or(r.strides, 1, d), "x"), list(or(r.pads, 0, 2*d), ","), list(or(r.dilations, 1, d), "x"), r.groups())
}

func convCases() []*Case {
	var all []*Case
	for _, d := range floats {
		for i, r := range convolutions {
			e := effortOf(d, i)
			if len(r.in) != 2 && d == tensor.F32 {
				e = Standard
			}
			all = append(all, r.forward(d, e)...)
			all = append(all, r.inputGrad(d, e)...)
			all = append(all, r.weightGrad(d, e)...)
		}
	}
	return all
}

// convClass is a way to fill a convolution: its two factors, and the bias.
type convClass struct {
	name        string
	effort      Effort
	bound       *Bound
	left, right fill
	bias        fill
	withoutBias bool
}

// classes fill two factors of sums of k terms. oneHotLeft and oneHotRight leave
// each output one factor of the other side; specials go to the side that meets
// no padding.
func (r convolution) classes(d tensor.DType, k int, e Effort, oneHotLeft, oneHotRight fill) []convClass {
	more := max(e, Quick)
	s, p, special := structured(d, k), accumulating(d, k), rarely(uniform(-1, 1), nonFinite...)
	if r.winograd() {
		n := largestFactor(d, k, min(winogradTotal, exactTotal(d)))
		s, p = inMode(graph.Winograd, integers(-n, n), s), inMode(graph.Winograd, integers((4*n+4)/5, n), p)
		// A special value reaches all of a tile, and there is no demand.
		special = inMode(graph.Winograd, uniform(-1, 1), special)
	}
	return []convClass{
		{name: "structure", effort: e, bound: exact, left: s, right: s, bias: s},
		{name: "real", effort: e, bound: dotBound, left: uniform(-1, 1), right: uniform(-1, 1), bias: uniform(-1, 1)},
		{name: "accumulator", effort: more, bound: exact, left: p, right: p, bias: p},
		{name: "mantissa-left", effort: more, bound: exact, left: mantissas(), right: oneHotRight, withoutBias: true},
		{name: "mantissa-right", effort: more, bound: exact, left: oneHotLeft, right: mantissas(), withoutBias: true},
		{name: "specials", effort: more, bound: dotBound, left: special, right: uniform(0.5, 1), bias: uniform(-1, 1)},
	}
}

func (r convolution) make(op string, d tensor.DType, cl convClass, suite Suite, in []input, attrs graph.Attrs, detail string) *Case {
	return &Case{
		Op: op, DType: d, Params: params(r.params(), detail), Class: cl.name, Suite: suite, Effort: cl.effort,
		Required: d == tensor.F32 && len(r.in) == 2, bound: every(cl.bound),
		subject: &opSubject{inputs: in, apply: single(op, attrs, 1)},
	}
}

// onePerImage is one ±1 in each image's channels of a group: the windows of a small
// kernel meet at most one of them.
func (r convolution) onePerImage(s tensor.Shape) fill {
	per := s[1:].Elements() / r.groups()
	return oneHot(s[0]*r.groups(), func(i int) int { return i / per })
}

func (r convolution) forward(d tensor.DType, e Effort) []*Case {
	var all []*Case
	k := r.w()[1:].Elements()
	if r.bias {
		k++
	}
	for _, cl := range r.classes(d, k, e, r.onePerImage(r.x()), oneHot(rows(r.w()))) {
		if cl.name == "specials" && r.y().Elements() < 500 {
			continue // a special would reach every output
		}
		in := []input{
			{name: "X", typ: tensor.Type{DType: d, Shape: r.x()}, fill: cl.left},
			{name: "W", typ: tensor.Type{DType: d, Shape: r.w()}, fill: cl.right, role: r.role}}
		detail := "b=0"
		if r.bias && !cl.withoutBias {
			in = append(in, input{name: "B", typ: tensor.T(d, r.m), fill: cl.bias, role: r.role})
			detail = "b=1"
		}
		if r.role != fed {
			detail += ",w=" + r.role.String()
		}
		all = append(all, r.make("Conv", d, cl, InferenceCore, in, r.attrs(), detail))
	}
	return all
}

// inputGrad sums over the filters of a group and their taps.
func (r convolution) inputGrad(d tensor.DType, e Effort) []*Case {
	var all []*Case
	w, y := r.w(), r.y()
	k := w[0] / r.groups() * w[2:].Elements()
	attrs := r.attrs()
	attrs["input_shape"] = graph.L(r.x()...)
	// One weight for each channel of the input: element (m, c, tap) belongs to
	// channel (group of m, c).
	taps := w[2:].Elements()
	perGroup := w[0] / r.groups()
	oneWeight := oneHot(r.c, func(i int) int {
		m, c := i/(taps*w[1]), i/taps%w[1]
		return m/perGroup*w[1] + c
	})
	for _, cl := range r.classes(d, k, e, r.onePerImage(y), oneWeight) {
		if cl.name == "specials" && r.x().Elements() < 500 {
			continue
		}
		in := []input{
			{name: "dY", typ: tensor.Type{DType: d, Shape: y}, fill: cl.left},
			{name: "W", typ: tensor.Type{DType: d, Shape: w}, fill: cl.right}}
		all = append(all, r.make("ConvInputGrad", d, cl, TrainingCore, in, attrs, ""))
	}
	return all
}

// weightGrad sums over images and positions.
func (r convolution) weightGrad(d tensor.DType, e Effort) []*Case {
	var all []*Case
	w, y := r.w(), r.y()
	k := r.n * y[2:].Elements()
	attrs := r.attrs()
	attrs["weight_shape"] = graph.L(w...)
	plane := y[2:].Elements()
	oneGrad := oneHot(r.m, func(i int) int { return i / plane % r.m }) // of dY, for each filter
	xPlane := r.x()[2:].Elements()
	onePixel := oneHot(r.c, func(i int) int { return i / xPlane % r.c })
	for _, cl := range r.classes(d, k, e, onePixel, oneGrad) {
		if cl.name == "specials" && w.Elements() < 500 {
			continue
		}
		in := []input{
			{name: "X", typ: tensor.Type{DType: d, Shape: r.x()}, fill: cl.left},
			{name: "dY", typ: tensor.Type{DType: d, Shape: y}, fill: cl.right}}
		all = append(all, r.make("ConvWeightGrad", d, cl, TrainingCore, in, attrs, ""))
	}
	return all
}
