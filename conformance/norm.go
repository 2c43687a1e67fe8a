package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Norms: data whose mean is far from 0 (κ = 1 to 10⁴, where a variance of one
// pass fails), variances about ε, groups of one element, many rows.

// normalisation is a row: an op, a shape and attributes.
type normalisation struct {
	op    string
	x     tensor.Shape
	attrs graph.Attrs
	tag   string
	scale tensor.Shape // nil: an element a parameter
	large bool         // for threads and blocks: on ordinary data only
}

func layer(op string, axis int, x ...int) normalisation {
	return normalisation{op: op, x: x, attrs: graph.Attrs{"axis": graph.I(axis)}, tag: fmt.Sprintf("axis=%d", axis)}
}

func grouped(groups int, x ...int) normalisation {
	return normalisation{op: "GroupNormalization", x: x, attrs: graph.Attrs{"num_groups": graph.I(groups)}, tag: fmt.Sprintf("groups=%d", groups)}
}

func batched(attrs graph.Attrs, tag string, x ...int) normalisation {
	return normalisation{op: "BatchNormalizationTraining", x: x, attrs: attrs, tag: tag}
}

func onnxStatistics(momentum float64) (graph.Attrs, string) {
	return graph.Attrs{"convention": graph.S("onnx"), "momentum": graph.F(momentum)}, fmt.Sprintf("convention=onnx,momentum=%v", momentum)
}

func normalisations() []normalisation {
	onnx, tag := onnxStatistics(0.8)
	coarse := graph.Attrs{"epsilon": graph.F(1e-2), "momentum": graph.F(0.3)}
	list := []normalisation{
		batched(nil, "", 8, 6, 7, 9), batched(onnx, tag, 3, 17, 5, 5), batched(coarse, "eps=0.01,momentum=0.3", 33, 7), batched(onnx, tag, 771, 3, 2),
		batched(nil, "", 2, 33, 4, 4), batched(coarse, "eps=0.01,momentum=0.3", 9, 1, 31), batched(nil, "", 2, 37),
		layer("LayerNormalization", -1, 6, 75), layer("LayerNormalization", 1, 3, 5, 7, 4), layer("LayerNormalization", -1, 2, 13, 64),
		layer("LayerNormalization", 0, 7, 9), layer("LayerNormalization", -1, 9, 768), layer("LayerNormalization", 2, 4, 3, 5, 17),
		layer("RMSNormalization", -1, 6, 75), layer("RMSNormalization", 1, 3, 5, 7, 4), layer("RMSNormalization", -1, 2, 13, 64), layer("RMSNormalization", -2, 5, 3, 11),
		grouped(3, 2, 6, 5, 5), grouped(2, 3, 8, 4, 4), grouped(1, 3, 6, 9), grouped(32, 2, 32, 7, 3), grouped(4, 3, 12, 9),
		{op: "InstanceNormalization", x: tensor.Shape{2, 5, 9, 8}}, {op: "InstanceNormalization", x: tensor.Shape{3, 7, 33}},
		{op: "InstanceNormalization", x: tensor.Shape{3, 4, 2, 3, 5}, attrs: graph.Attrs{"epsilon": graph.F(0.1)}, tag: "eps=0.1"},
	}
	stretched := layer("LayerNormalization", -2, 4, 6, 19)
	stretched.scale, stretched.tag = tensor.Shape{6, 1}, stretched.tag+",scale=6x1"
	list = append(list, stretched)
	for _, r := range []normalisation{
		batched(nil, "", 8, 9, 31, 37), layer("LayerNormalization", -1, 197, 384), layer("LayerNormalization", -1, 65539, 3),
		layer("RMSNormalization", -1, 131, 257), grouped(4, 3, 12, 33, 31), {op: "InstanceNormalization", x: tensor.Shape{3, 11, 29, 31}},
	} {
		r.large = true
		list = append(list, r)
	}
	return list
}

func normalizationCases() []*Case {
	var all []*Case
	nth := map[string]int{}
	for _, r := range normalisations() {
		i := nth[r.op]
		nth[r.op]++
		for _, d := range floats {
			all = append(all, r.cases(d, i)...)
		}
	}
	return append(append(all, batchInferenceCases()...), lrnCases()...)
}

func (r normalisation) params(more ...string) string {
	return params(append([]string{"x=" + r.x.String(), r.tag}, more...)...)
}

func (r normalisation) make(op string, d tensor.DType, class string, suite Suite, e Effort, s *opSubject, more ...string) *Case {
	return &Case{Op: op, DType: d, Params: r.params(more...), Class: class, Suite: suite, Effort: e, Required: d == tensor.F32, bound: own(op), subject: s}
}

func (r normalisation) suite() Suite {
	if r.op == "BatchNormalizationTraining" {
		return TrainingCore
	}
	return InferenceCore
}

// cases of one row: forward and gradient.
func (r normalisation) cases(d tensor.DType, i int) []*Case {
	e := effortOf(d, i)
	if d.Size() == 2 && i > 3 || d == tensor.F64 && i > 1 {
		return nil // what their kernels differ in shows in the first ones
	}
	if r.large {
		if d != tensor.F32 {
			return nil
		}
		return []*Case{
			r.make(r.op, d, "large", r.suite(), Quick, r.forward(d, spread(r, 1, 0.5)), ""),
			r.make(r.gradientOp(), d, "large", TrainingCore, Quick, r.backward(d, spread(r, 1, 0.5))),
		}
	}
	all := []*Case{
		r.make(r.op, d, "real", r.suite(), e, r.forward(d, spread(r, 1, 0.5))),
		r.make(r.gradientOp(), d, "real", TrainingCore, e, r.backward(d, spread(r, 1, 0.5))),
	}
	if d != tensor.F32 {
		return all
	}
	forward := func(class string, e Effort, x fill, more ...string) {
		all = append(all, r.make(r.op, d, class, r.suite(), e, r.forward(d, x), more...))
	}
	if i < 3 {
		e = Quick
	} else {
		e = Standard
	}
	// Variances about ε = 1e-5, and about its square: where ε is, and that it is.
	forward("tiny-variance", e, spread(r, 0x1p-8, 0))
	forward("tinier-variance", e, spread(r, 0x1p-14, 0))
	for _, kappa := range []float64{1e2, 1e3, 1e4} {
		// Long sums of nearly equal terms err all to one side.
		if n := r.normal().Count(); float64(n)*kappa <= 5e6 {
			forward("offset", e, spread(r, 1, kappa), fmt.Sprintf("kappa=%g", kappa))
		}
	}
	if r.normal().Groups() >= 6 {
		forward("specials", e, rarely(spread(r, 1, 0.5), nonFinite...))
	}
	all = append(all, r.make(r.gradientOp(), d, "tiny-variance", TrainingCore, e, r.backward(d, spread(r, 0x1p-8, 0))))
	if i == 0 {
		all = append(all, r.single(), r.singleGrad())
	}
	if r.op == "BatchNormalizationTraining" {
		all = append(all, r.skipping(e), r.trajectory(e))
	}
	return all
}

// spread is normal data of deviation around sigma, a factor of up to 4 up or
// down from one group to another, and of mean kappa deviations.
func spread(r normalisation, sigma, kappa float64) fill {
	n := r.normal()
	return func(rng *rng, t tensor.Type) []float64 {
		deviation, mean := make([]float64, n.Groups()), make([]float64, n.Groups())
		for g := range deviation {
			deviation[g] = sigma * math.Exp2(4*rng.float()-2)
			mean[g] = deviation[g] * kappa * rng.sign() * (0.75 + 0.5*rng.float())
		}
		v := make([]float64, t.Shape.Elements())
		for i := range v {
			g := groupAt(n, i)
			v[i] = mean[g] + deviation[g]*rng.normal()
		}
		return v
	}
}

// call is the row's op resolved on f32.
func (r normalisation) call() *graph.Call {
	b := graph.NewBuilder("shape")
	var in []graph.Value
	for _, x := range r.inputs(tensor.F32, nil) {
		in = append(in, b.Feed(x.name, x.typ))
	}
	b.Op(r.op, r.attrs, in...)
	if b.Err() != nil {
		panic(b.Err())
	}
	return b.Calls()[0]
}

func (r normalisation) normal() graph.Normal {
	// Of the shape alone, which scale and bias are made by.
	c := &graph.Call{Node: &graph.Node{Op: r.op, Attrs: r.attrs}, Op: lookup(r.op), In: []tensor.Type{{DType: tensor.F32, Shape: r.x}}}
	n, err := c.Normal()
	if err != nil {
		panic(err)
	}
	return n
}

func lookup(op string) *graph.Op {
	if row := graph.Lookup(graph.Own, op); row != nil {
		return row
	}
	return graph.Lookup(graph.Std, op)
}

// affine is the shape of scale and bias.
func (r normalisation) affine() tensor.Shape {
	if r.scale != nil {
		return r.scale
	}
	return r.full()
}

// full is an element a parameter.
func (r normalisation) full() tensor.Shape {
	if a, ok := r.attrs["axis"]; ok {
		return r.x[(int(a.Int)+len(r.x))%len(r.x):]
	}
	return r.x[1:2]
}

var (
	scales    = each(func(r *rng) float64 { return r.sign() * (0.25 + 1.5*r.float()) })
	variances = each(func(r *rng) float64 { return math.Exp2(6*r.float() - 4) })
)

func (r normalisation) inputs(d tensor.DType, x fill) []input {
	p := tensor.Type{DType: d, Shape: r.affine()}
	in := []input{{name: "X", typ: tensor.Type{DType: d, Shape: r.x}, fill: x}, {name: "gamma", typ: p, fill: scales}}
	if r.op != "RMSNormalization" {
		in = append(in, input{name: "beta", typ: p, fill: normal(1)})
	}
	if r.op == "BatchNormalizationTraining" {
		in = append(in, input{name: "running_mean", typ: p, fill: normal(1)}, input{name: "running_var", typ: p, fill: variances})
	}
	return in
}

func (r normalisation) forward(d tensor.DType, x fill) *opSubject {
	return &opSubject{inputs: r.inputs(d, x), apply: single(r.op, r.attrs, len(lookup(r.op).Outputs))}
}

func (r normalisation) gradientOp() string {
	switch r.op {
	case "BatchNormalizationTraining":
		return "BatchNormalizationGrad"
	case "InstanceNormalization":
		return "GroupNormalizationGrad"
	}
	return r.op + "Grad"
}

// backward is the gradient op, saved statistics being those of X.
func (r normalisation) backward(d tensor.DType, x fill) *opSubject {
	row := lookup(r.gradientOp())
	a := graph.Attrs{}
	for _, spec := range row.Attrs {
		if v, ok := r.attrs[spec.Name]; ok {
			a[spec.Name] = v
		}
	}
	if r.op == "InstanceNormalization" {
		a["num_groups"] = graph.I(r.x[1])
	}
	t := tensor.Type{DType: d, Shape: r.x}
	s := &opSubject{
		inputs: []input{{name: "dY", typ: t, fill: normal(1)}, {name: "X", typ: t, fill: x},
			{name: "gamma", typ: tensor.Type{DType: d, Shape: r.full()}, fill: scales}},
		apply: single(row.Name, a, len(row.Outputs)),
	}
	if len(row.Inputs) > 3 {
		groups := tensor.T(d, r.normal().Groups())
		s.inputs = append(s.inputs, input{name: "mean", typ: groups, fill: constant(0)}, input{name: "inv_deviation", typ: groups, fill: constant(0)})
		s.tie = func(v Values) { tieStatistics(r, v) }
	}
	return s
}

// tieStatistics sets mean and inverse deviation to X's.
func tieStatistics(r normalisation, v Values) {
	list := statisticsOf(r.call(), r.normal(), reference.FromTensor(v["X"]).Data)
	mean, inv := make([]float64, len(list)), make([]float64, len(list))
	for i, g := range list {
		mean[i], inv[i] = g.mean, g.inv
	}
	v["mean"].SetFloat64s(mean)
	v["inv_deviation"].SetFloat64s(inv)
}

// of is the row with another shape, of groups of a single element.
func (r normalisation) ofOne() normalisation {
	switch r.op {
	case "LayerNormalization", "RMSNormalization":
		r.x = tensor.Shape{37, 1}
		r.attrs, r.tag = graph.Attrs{"axis": graph.I(-1)}, "axis=-1"
	case "GroupNormalization":
		r.x = tensor.Shape{5, 6, 1, 1}
		r.attrs, r.tag = graph.Attrs{"num_groups": graph.I(6)}, "groups=6"
	case "BatchNormalizationTraining":
		r.x = tensor.Shape{1, 13, 1, 1}
	default:
		r.x = tensor.Shape{5, 6, 1, 1}
	}
	return r
}

// single: Y = β. It is negated, so that an echo of β is none.
func (r normalisation) single() *Case {
	r = r.ofOne()
	s := r.forward(tensor.F32, spread(r, 1, 3))
	plain := s.apply
	s.apply = func(b *graph.Builder, in []graph.Value) []graph.Value {
		args := append([]graph.Value(nil), in...)
		if len(args) > 2 {
			args[2] = b.Op("Neg", nil, in[2])
		}
		return plain(b, args)
	}
	return r.make(r.op, tensor.F32, "single", r.suite(), Quick, s)
}

// singleGrad: dX = 0, and the others not.
func (r normalisation) singleGrad() *Case {
	r = r.ofOne()
	return r.make(r.gradientOp(), tensor.F32, "single", TrainingCore, Quick, r.backward(tensor.F32, spread(r, 1, 3)))
}

// skipping leaves the running statistics as they are, negated first, so that
// keeping them is no echo.
func (r normalisation) skipping(e Effort) *Case {
	s := r.forward(tensor.F32, spread(r, 1, 0.5))
	s.inputs = append(s.inputs, input{name: "skip", typ: tensor.T(tensor.Bool), fill: constant(1)})
	plain := s.apply
	s.apply = func(b *graph.Builder, in []graph.Value) []graph.Value {
		args := append([]graph.Value(nil), in...)
		args[3], args[4] = b.Op("Neg", nil, in[3]), b.Op("Neg", nil, in[4])
		return plain(b, args)
	}
	return r.make(r.op, tensor.F32, "skipped", r.suite(), e, s)
}

// trajectory keeps the running statistics as state; skip is given, and false.
func (r normalisation) trajectory(e Effort) *Case {
	s := r.forward(tensor.F32, spread(r, 1, 0.5))
	s.inputs[3].role, s.inputs[4].role = held, held
	s.inputs = append(s.inputs, input{name: "skip", typ: tensor.T(tensor.Bool), fill: constant(0)})
	s.update = map[int]int{1: 3, 2: 4}
	c := r.make(r.op, tensor.F32, "trajectory", r.suite(), e, s)
	c.steps = 3
	return c
}

// batchInferenceCases are batch norm by given statistics, and ONNX's training
// mode.
func batchInferenceCases() []*Case {
	var all []*Case
	for _, d := range floats {
		for i, x := range []tensor.Shape{{3, 6, 7, 9}, {2, 17, 5, 5}, {33, 7}, {5, 3, 31}, {2, 4, 3, 2, 5}, {3, 9, 61, 59}} {
			r := normalisation{op: "BatchNormalization", x: x}
			if i%2 == 1 {
				r.attrs, r.tag = graph.Attrs{"epsilon": graph.F(1e-3)}, "eps=1e-3"
			}
			add := func(class string, e Effort, s *opSubject) {
				all = append(all, r.make(r.op, d, class, InferenceCore, e, s))
			}
			e := effortOf(d, i)
			add("real", e, r.inference(d, 1, variances, fed))
			if d != tensor.F32 || i > 3 {
				continue
			}
			add("frozen", Quick, r.inference(d, 1, variances, frozen))
			add("tiny-variance", Quick, r.inference(d, 1, each(func(r *rng) float64 { return math.Exp2(-20 + 6*r.float()) }), fed))
			s := r.inference(d, 1, variances, fed)
			s.inputs[0].fill = rarely(s.inputs[0].fill, nonFinite...)
			add("specials", Quick, s)
			if i == 0 { // the statistics handed on; ONNX's text has them in training alone
				handed := r.make(r.op, d, "statistics", InferenceCore, Quick, r.inference(d, 3, variances, fed))
				handed.Required = false
				all = append(all, handed)
			}
			r.attrs, r.tag = graph.Attrs{"training_mode": graph.I(1), "momentum": graph.F(0.6 + 0.1*float64(i))}, fmt.Sprintf("training_mode=1,momentum=0.%d", 6+i)
			add("real", Quick, r.inference(d, 3, variances, fed))
		}
	}
	return all
}

func (r normalisation) inference(d tensor.DType, outputs int, variance fill, statistics role) *opSubject {
	p := tensor.Type{DType: d, Shape: r.x[1:2]}
	return &opSubject{
		inputs: []input{{name: "X", typ: tensor.Type{DType: d, Shape: r.x}, fill: normal(2)}, {name: "gamma", typ: p, fill: scales, role: statistics},
			{name: "beta", typ: p, fill: normal(1), role: statistics}, {name: "mean", typ: p, fill: normal(1), role: statistics},
			{name: "var", typ: p, fill: variance, role: statistics}},
		apply: single(r.op, r.attrs, outputs),
	}
}

// localResponse is a row of LRN.
type localResponse struct {
	x     tensor.Shape
	attrs graph.Attrs
	tag   string
	scale float64 // of X
}

func lrnCases() []*Case {
	strong := func(size int) graph.Attrs {
		return graph.Attrs{"size": graph.I(size), "alpha": graph.F(0.5), "beta": graph.F(0.6), "bias": graph.F(2)}
	}
	var all []*Case
	for i, r := range []localResponse{
		{tensor.Shape{2, 7, 5, 4}, graph.Attrs{"size": graph.I(5), "alpha": graph.F(1)}, "size=5,alpha=1", 1},
		{tensor.Shape{1, 96, 5, 3}, graph.Attrs{"size": graph.I(5)}, "size=5", 60}, // AlexNet's
		{tensor.Shape{2, 9, 13}, strong(4), "size=4,alpha=0.5,beta=0.6,bias=2", 1},
		{tensor.Shape{3, 6, 2, 2}, strong(1), "size=1,alpha=0.5,beta=0.6,bias=2", 1},
		{tensor.Shape{1, 4, 5, 5}, strong(9), "size=9,alpha=0.5,beta=0.6,bias=2", 2},
		{tensor.Shape{17, 3}, strong(2), "size=2,alpha=0.5,beta=0.6,bias=2", 1},
		{tensor.Shape{2, 19, 27, 29}, graph.Attrs{"size": graph.I(5), "alpha": graph.F(0.02)}, "size=5,alpha=0.02", 8},
	} {
		for _, d := range floats {
			add := func(op, class string, suite Suite, e Effort, names ...string) {
				s := &opSubject{apply: single(op, r.attrs, 1)}
				for _, name := range names {
					f := normal(1)
					if name == "X" {
						f = normal(r.scale)
					}
					if class == "specials" {
						f = rarely(f, nonFinite...)
					}
					s.inputs = append(s.inputs, input{name: name, typ: tensor.Type{DType: d, Shape: r.x}, fill: f})
				}
				all = append(all, &Case{Op: op, DType: d, Params: params("x="+r.x.String(), r.tag), Class: class, Suite: suite, Effort: e,
					Required: d == tensor.F32, bound: own(op), subject: s})
			}
			e := effortOf(d, i)
			add("LRN", "real", InferenceCore, e, "X")
			add("LRNGrad", "real", TrainingCore, e, "dY", "X")
			if d == tensor.F32 && i < 3 {
				add("LRN", "specials", InferenceCore, Quick, "X")
			}
		}
	}
	return all
}
