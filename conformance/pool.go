package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Pools and their gradients: maxima bit-equal, averages as sums.

// pooling is a row; see convolution.
type pooling struct {
	in        tensor.Shape // N×C×D…
	kernel    []int
	strides   []int
	pads      []int
	dilations []int
	ceil      int
	countPad  int // averages only
}

var poolings = []pooling{
	{in: tensor.Shape{2, 6, 24, 24}, kernel: []int{2, 2}, strides: []int{2, 2}},                                                                        // LeNet-5's first
	{in: tensor.Shape{3, 16, 8, 8}, kernel: []int{2, 2}, strides: []int{2, 2}},                                                                         // and its second
	{in: tensor.Shape{2, 5, 15, 13}, kernel: []int{3, 3}, strides: []int{2, 2}, pads: []int{1, 1, 1, 1}},                                               // overlapping, padded
	{in: tensor.Shape{1, 17, 11, 10}, kernel: []int{3, 2}, strides: []int{2, 3}, pads: []int{0, 1, 2, 0}, countPad: 1},                                 // asymmetric
	{in: tensor.Shape{2, 3, 12, 15}, kernel: []int{3, 3}, strides: []int{2, 2}, ceil: 1},                                                               // a last window hangs over
	{in: tensor.Shape{2, 3, 12, 15}, kernel: []int{3, 3}, strides: []int{2, 2}, pads: []int{1, 1, 1, 1}, ceil: 1, countPad: 1},                         // phantom cells do not count
	{in: tensor.Shape{4, 33, 7, 5}, kernel: []int{7, 5}},                                                                                               // global
	{in: tensor.Shape{1, 4, 14, 13}, kernel: []int{2, 3}, dilations: []int{2, 3}, strides: []int{1, 2}, pads: []int{1, 0, 0, 2}},                       // dilated
	{in: tensor.Shape{2, 3, 11, 13}, kernel: []int{3, 2}, strides: []int{2, 3}, dilations: []int{2, 3}, pads: []int{1, 2, 2, 1}, ceil: 1, countPad: 1}, // all at once
	{in: tensor.Shape{1, 3, 190, 122}, kernel: []int{2, 2}, strides: []int{2, 2}},                                                                      // large, see flatShapes
	{in: tensor.Shape{2, 3, 107, 109}, kernel: []int{3, 3}, strides: []int{2, 2}, pads: []int{1, 1, 1, 1}},
	{in: tensor.Shape{3, 5, 41}, kernel: []int{4}, strides: []int{3}, pads: []int{1, 2}},
}

func (r pooling) attrs(average bool) graph.Attrs {
	a := graph.Attrs{"kernel_shape": graph.L(r.kernel...), "ceil_mode": graph.I(r.ceil)}
	if r.strides != nil {
		a["strides"] = graph.L(r.strides...)
	}
	if r.pads != nil {
		a["pads"] = graph.L(r.pads...)
	}
	if r.dilations != nil {
		a["dilations"] = graph.L(r.dilations...)
	}
	if average {
		a["count_include_pad"] = graph.I(r.countPad)
	}
	return a
}

func (r pooling) params() string {
	s := fmt.Sprintf("x=%v,k=%s", r.in, list(r.kernel, "x"))
	for _, l := range []struct {
		name string
		v    []int
		sep  string
	}{{"s", r.strides, "x"}, {"p", r.pads, ","}, {"d", r.dilations, "x"}} {
		if l.v != nil {
			s = params(s, l.name+"="+list(l.v, l.sep))
		}
	}
	if r.ceil != 0 {
		s = params(s, "ceil=1")
	}
	if r.countPad != 0 {
		s = params(s, "count=1")
	}
	return s
}

func (r pooling) taps() int { return tensor.Shape(r.kernel).Elements() }

// even says that averages divide by a power of two and never by anything
// else, so that they are exact.
func (r pooling) even() bool {
	n := r.taps()
	return r.pads == nil && r.ceil == 0 && n&(n-1) == 0
}

func poolCases() []*Case {
	var all []*Case
	for _, d := range floats {
		for i, r := range poolings {
			e := effortOf(d, i)
			if len(r.in) != 4 && d == tensor.F32 {
				e = Standard
			}
			all = append(all, r.averages(d, e)...)
			all = append(all, r.maxima(d, e)...)
		}
	}
	all = append(all, tiedGradients(), narrowGradients(tensor.F16), narrowGradients(tensor.BF16))
	all = append(all, manyImages()...)
	for _, d := range []tensor.DType{tensor.U8, tensor.S8} {
		for i, r := range poolings {
			if i == 2 || i == 4 || i == 7 || len(r.in) != 4 {
				all = append(all, r.integerMaxima(d)...)
			}
		}
	}
	return all
}

// tiedGradients: X has equal maxima, of which one gets all of the gradient; the
// windows stand side by side, so that each one's sum is seen.
func tiedGradients() *Case {
	window := graph.Attrs{"kernel_shape": graph.L(2, 3), "strides": graph.L(2, 3)}
	x, y := tensor.Shape{2, 5, 14, 15}, tensor.Shape{2, 5, 7, 5}
	return &Case{Op: "MaxPoolGrad", DType: tensor.F32, Params: "x=" + x.String() + ",k=2x3,s=2x3", Class: "ties", Suite: TrainingCore, Effort: Quick, Required: true,
		bound: func(output int) *Bound { return []*Bound{tieGradBound, exact}[output] },
		subject: &opSubject{
			inputs: []input{
				{name: "X", typ: tensor.Type{DType: tensor.F32, Shape: x}, fill: integers(-2, 0)},
				{name: "dY", typ: tensor.Type{DType: tensor.F32, Shape: y}, fill: integers(1, 999)}},
			apply: func(b *graph.Builder, in []graph.Value) []graph.Value {
				where := b.OpN("MaxPool", window, 2, in[0])[1]
				dx := b.Op("MaxPoolGrad", graph.Attrs{"input_shape": graph.L(x...)}, in[1], where)
				// The windows' sums: each is summed up by a convolution with ones, plane by plane.
				planes := b.Op("Reshape", graph.Attrs{"shape": graph.L(10, 1, 14, 15)}, dx)
				ones := b.Const("ones", tensor.Of(tensor.F32, tensor.Shape{1, 1, 2, 3}, 1, 1, 1, 1, 1, 1))
				return []graph.Value{dx, b.Op("Neg", nil, b.Op("Conv", graph.Attrs{"strides": graph.L(2, 3)}, planes, ones))}
			}}}
}

var tieGradBound = &Bound{
	Name: "tied maxima", Formula: "of a window's equal maxima one has all of its gradient, the first; without the feature first-maximum any", Source: "cuDNN picks one, not always the same",
	expect: func(s *site) (*expectation, error) {
		x, dy := s.env["X"], s.in(0)
		return &expectation{
			want: s.want.Data, unless: backends.FeatureFirstMax,
			accept: func(i int, got float64) bool {
				plane, row, col := i/(14*15), i/15%14, i%15
				most := math.Inf(-1)
				for r := row / 2 * 2; r < row/2*2+2; r++ {
					for c := col / 3 * 3; c < col/3*3+3; c++ {
						most = max(most, x.Data[(plane*14+r)*15+c])
					}
				}
				return got == 0 || x.Data[i] == most && got == dy.Data[(plane*7+row/2)*5+col/3]
			},
		}, nil
	},
}

// narrowGradients: overlapping windows add up in f32, and are rounded once.
func narrowGradients(d tensor.DType) *Case {
	r := pooling{in: tensor.Shape{1, 2, 9, 9}, kernel: []int{3, 3}, pads: []int{1, 1, 1, 1}}
	few := int(1 / d.UnitRoundoff())
	return r.make("MaxPoolGrad", d, "accumulator", TrainingCore, Quick, every(exact), &opSubject{
		inputs: []input{
			{name: "X", typ: tensor.Type{DType: d, Shape: r.in}, fill: distinct(1)},
			{name: "dY", typ: tensor.Type{DType: d, Shape: r.out()}, fill: integers(few/2, few)}},
		apply: func(b *graph.Builder, in []graph.Value) []graph.Value {
			where := b.OpN("MaxPool", r.attrs(false), 2, in[0])[1]
			return []graph.Value{b.Op("MaxPoolGrad", graph.Attrs{"input_shape": graph.L(r.in...)}, in[1], where)}
		}})
}

// manyImages are more than the index of a grid may count.
func manyImages() []*Case {
	r := pooling{in: tensor.Shape{65_537, 1, 2, 2}, kernel: []int{2, 2}}
	return append(r.maxima(tensor.F32, Standard)[:2], r.averages(tensor.F32, Standard)[0])
}

// integerMaxima are those of quantized networks. Padding is below every
// number: what takes it for 0 is seen where all are negative, or, of unsigned
// ones, not at all.
func (r pooling) integerMaxima(d tensor.DType) []*Case {
	lo, hi := tensor.IntRange(d)
	image := func(class string, outputs int, f fill) *Case {
		return r.make("MaxPool", d, class, Quantized, Standard, own("MaxPool"), &opSubject{
			inputs: []input{{name: "X", typ: tensor.Type{DType: d, Shape: r.in}, fill: f}}, apply: single("MaxPool", r.attrs(false), outputs)})
	}
	return []*Case{image("integers", 1, integers(int(lo), int(hi))), image("low", 2, integers(int(lo), int(lo)+40)),
		image("middle", 2, integers(int(lo+hi)/2-20, int(lo+hi)/2+20))} // about 127.5 or 0: signs
}

func (r pooling) make(op string, d tensor.DType, class string, suite Suite, e Effort, bound func(int) *Bound, s *opSubject) *Case {
	return &Case{Op: op, DType: d, Params: r.params(), Class: class, Suite: suite, Effort: e, Required: d == tensor.F32 && len(r.in) == 4,
		bound: bound, subject: s}
}

func (r pooling) averages(d tensor.DType, e Effort) []*Case {
	image := func(class string, e Effort, b *Bound, f fill) *Case {
		return r.make("AveragePool", d, class, InferenceCore, e, every(b), &opSubject{
			inputs: []input{{name: "X", typ: tensor.Type{DType: d, Shape: r.in}, fill: f}}, apply: single("AveragePool", r.attrs(true), 1)})
	}
	more := max(e, Quick)
	small := int(min(1<<11, 1/d.UnitRoundoff()/float64(2*r.taps())))
	cases := []*Case{image("real", e, dotBound, uniform(-1, 1))}
	if r.even() {
		cases = append(cases, image("structure", e, exact, integers(-small, small)))
	}
	if r.in.Elements() >= 800 {
		cases = append(cases, image("specials", more, dotBound, rarely(uniform(-1, 1), nonFinite...)))
	}
	// The gradient takes a first pass through the pool for its shape only.
	grad := func(class string, e Effort, b *Bound, f fill) *Case {
		a := r.attrs(true)
		a["input_shape"] = graph.L(r.in...)
		return r.make("AveragePoolGrad", d, class, TrainingCore, e, every(b), &opSubject{
			inputs: []input{{name: "dY", typ: tensor.Type{DType: d, Shape: r.out()}, fill: f}}, apply: single("AveragePoolGrad", a, 1)})
	}
	cases = append(cases, grad("real", e, dotBound, uniform(-1, 1)))
	if d == tensor.F32 && r.pads != nil {
		// Nothing cancels: a divisor that is wrong at the border is seen.
		cases = append(cases, grad("one-sided", more, dotBound, uniform(0.5, 1)))
	}
	if r.even() {
		cases = append(cases, grad("structure", more, exact, integers(-small, small)))
	}
	return cases
}

// out is the output's shape, as the op's own inference gives it.
func (r pooling) out() tensor.Shape {
	b := graph.NewBuilder("shape")
	y := b.Op("MaxPool", r.attrs(false), b.Feed("x", tensor.Type{DType: tensor.F32, Shape: r.in}))
	if b.Err() != nil {
		panic(b.Err())
	}
	return y.Type.Shape
}

func (r pooling) maxima(d tensor.DType, e Effort) []*Case {
	more := max(e, Quick)
	bound := own("MaxPool")
	image := func(class string, e Effort, outputs int, f fill) *Case {
		return r.make("MaxPool", d, class, InferenceCore, e, bound, &opSubject{
			inputs: []input{{name: "X", typ: tensor.Type{DType: d, Shape: r.in}, fill: f}}, apply: single("MaxPool", r.attrs(false), outputs)})
	}
	grad := func(class string, e Effort, b *Bound, dy fill) *Case {
		return r.make("MaxPoolGrad", d, class, TrainingCore, e, every(b), &opSubject{
			inputs: []input{
				{name: "X", typ: tensor.Type{DType: d, Shape: r.in}, fill: distinct(1)},
				{name: "dY", typ: tensor.Type{DType: d, Shape: r.out()}, fill: dy}},
			apply: func(b *graph.Builder, in []graph.Value) []graph.Value {
				indices := b.OpN("MaxPool", r.attrs(false), 2, in[0])[1]
				return []graph.Value{b.Op("MaxPoolGrad", graph.Attrs{"input_shape": graph.L(r.in...)}, in[1], indices)}
			}})
	}
	small := int(min(1<<11, 1/d.UnitRoundoff()/float64(2*r.taps())))
	all := []*Case{
		image("real", e, 1, normal(1)),
		// All below zero: padding must not win.
		image("negative", more, 1, uniform(-3, -1)),
		image("specials", more, 1, rarely(uniform(-3, -1), nonFinite...)),
		{Op: "MaxPool", DType: d, Params: r.params() + ",indices=1", Class: "ties", Suite: TrainingCore, Effort: more,
			Required: d == tensor.F32 && len(r.in) == 4, bound: bound, subject: &opSubject{
				inputs: []input{{name: "X", typ: tensor.Type{DType: d, Shape: r.in}, fill: integers(-3, 0)}}, apply: single("MaxPool", r.attrs(false), 2)}},
		grad("structure", e, exact, integers(-small, small)),
		grad("real", more, dotBound, uniform(-1, 1)),
	}
	if d == tensor.F16 || d == tensor.BF16 {
		// distinct numbers of so many elements want more bits than these have.
		all = all[:4]
	}
	if d == tensor.F32 {
		columns := r.attrs(false)
		columns["storage_order"] = graph.I(1)
		for i, class := range []string{"ties", "real"} {
			f := []fill{integers(-3, 0), normal(1)}[i]
			all = append(all, &Case{Op: "MaxPool", DType: d, Params: r.params() + ",indices=1,order=1", Class: class, Suite: TrainingCore, Effort: Standard,
				bound: bound, subject: &opSubject{
					inputs: []input{{name: "X", typ: tensor.Type{DType: d, Shape: r.in}, fill: f}}, apply: single("MaxPool", columns, 2)}})
		}
	}
	return all
}

// expectArgmax accepts, unless the backend promises the first, any position in
// a window that holds its maximum.
func expectArgmax(s *site) (*expectation, error) {
	win, err := s.call.PoolWindow()
	if err != nil {
		return nil, err
	}
	x, y := s.in(0), s.env[s.call.Outputs[0]]
	inner := tensor.Shape(win.In).Elements()
	taps, places := windowTaps(win), s.call.PoolPlaces()
	return &expectation{
		want: s.want.Data, unless: backends.FeatureFirstMax,
		accept: func(i int, got float64) bool {
			plane, o := i/len(taps), i%len(taps)
			for _, t := range taps[o] {
				if at := plane*inner + t; got == float64(plane*inner+places[t]) {
					return x.Data[at] == y.Data[i] || (math.IsNaN(x.Data[at]) && math.IsNaN(y.Data[i]))
				}
			}
			return false
		},
	}, nil
}
