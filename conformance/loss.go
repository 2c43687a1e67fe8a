package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Losses and their gradients. Bounds first, rows below.

var (
	lossBound = &Bound{
		Name: "cross-entropy", Formula: "u·Σ_c|t|((4 + √M)(|lse| + |x|) + 4 + 2√C + L/u), M shares beside the first, L as in softmax; reduced, the rows' bounds reduced + √N·u·Σ|loss|, twice that where the divisor is a sum; lse and log-probability 4(|lse| + |x|) + 4 + 2√C + L/u",
		Source: "each difference cancels from both; the logarithm of a sum of C terms from 1 on is off by the sum's relative error, however small it is", Proposal: true,
		expect: expectLoss,
	}
	lossGradBound = &Bound{
		Name: "cross-entropy gradient", Formula: "u|scale|(pΣt(8 + 2|x − lse|) + 4|pΣt − t|) + least normal; where shares are products + √C·pΣt + 4|t|; where the divisor is a sum + √N·|pΣt − t|",
		Source: "exp as above, then two roundings", Proposal: true,
		expect: expectLossGrad,
	}
	squaredErrorBound = &Bound{
		Name: "squared error", Formula: "(4u + 2√N·u′)y*, N elements summed in f32 or better, u′ its roundoff", Source: "a rounded difference, squared; positive terms in any order", Proposal: true,
		expect: func(s *site) (*expectation, error) {
			n, limit := 0.0, make([]float64, len(s.want.Data))
			if s.call.Str("reduction") != "none" {
				n = float64(len(s.in(0).Data))
			}
			summing := min(s.u(), tensor.F32.UnitRoundoff())
			for i, y := range s.want.Data {
				limit[i] = (4*s.u()+2*math.Sqrt(n)*summing)*y + minNormal(s.dtype())
			}
			return &expectation{want: s.want.Data, limit: limit}, nil
		},
	}
	lossBounds = []*Bound{lossBound, lossGradBound, squaredErrorBound}
)

// targets is what a loss over classes is taken with: inputs x and labels so
// numbered, class weights last.
type targets struct {
	x, t    *reference.Array
	classes int
	divisor float64
	summed  bool // the divisor is a sum of weights, or of ones
	product bool // shares are not just 0 and 1
}

func (s *site) targets(x, labels, weights int) (*targets, error) {
	h := reference.LossParamsOf(s.call, labels)
	w := s.in(weights)
	g := &targets{x: s.in(x), summed: w != nil || h.Ignore != nil, product: w != nil || h.Smoothing != 0 || h.Soft}
	g.classes = g.x.Shape[1]
	var err error
	g.t, g.divisor, err = reference.Targets(&reference.Acc{}, g.x.Shape, s.in(labels), w, h)
	g.summed = g.summed && !h.Soft
	return g, err
}

// rowLimits bounds the loss of each row, and gives the loss too.
func (s *site) rowLimits(g *targets, lse []float64) (limit, losses []float64) {
	limit, losses = make([]float64, len(lse)), make([]float64, len(lse))
	row := 0
	alongAxis(g.x.Shape, 1, func(at []int) {
		shares := -1.0
		for _, i := range at {
			if g.t.Data[i] != 0 {
				shares++
			}
		}
		sum := s.lostOf(g.x, at, lse[row])
		for _, i := range at {
			if t := math.Abs(g.t.Data[i]); t != 0 {
				x := g.x.Data[i]
				limit[row] += t * (s.u()*((4+math.Sqrt(shares))*(math.Abs(lse[row])+math.Abs(x))+4+2*math.Sqrt(float64(g.classes))) + sum)
				losses[row] += g.t.Data[i] * (lse[row] - x)
			}
		}
		row++
	})
	return limit, losses
}

// lostOf is what the sum of a row's exponentials may lose; nothing where the op
// makes none.
func (s *site) lostOf(x *reference.Array, at []int, lse float64) float64 {
	if s.call.Op.Name == "NegativeLogLikelihoodLoss" {
		return 0
	}
	return lost(at, s.statisticsUnit(), func(i int) float64 { return math.Exp(x.Data[i] - lse) })
}

func expectLoss(s *site) (*expectation, error) {
	g, err := s.targets(0, 1, 2)
	if err != nil {
		return nil, err
	}
	lse := reference.LogSumExp(&reference.Acc{}, g.x)
	if s.call.Op.Name == "NegativeLogLikelihoodLoss" {
		clear(lse.Data)
	}
	if s.index == 1 {
		return s.expectLSE(g, lse.Data)
	}
	limit, losses := s.rowLimits(g, lse.Data)
	if s.call.Str("reduction") == "none" {
		return &expectation{want: s.want.Data, limit: limit}, nil
	}
	var sum, total float64
	root := s.u() * math.Sqrt(float64(len(limit)))
	for i, l := range limit {
		sum += l + root*math.Abs(losses[i])
		total += losses[i]
	}
	if s.call.Str("reduction") == "mean" {
		if g.summed {
			sum += (root + 2*s.u()) * math.Abs(total)
		}
		sum /= math.Abs(g.divisor)
	}
	return &expectation{want: s.want.Data, limit: []float64{sum}}, nil
}

// expectLSE bounds the second output: the log-sum-exp of each row, which
// cancels from its maximum, or the log-probabilities.
func (s *site) expectLSE(g *targets, lse []float64) (*expectation, error) {
	limit := make([]float64, len(s.want.Data))
	row := 0
	alongAxis(g.x.Shape, 1, func(at []int) {
		m, root := math.Inf(-1), 4*s.u()+2*s.u()*math.Sqrt(float64(len(at)))+s.lostOf(g.x, at, lse[row])
		for _, i := range at {
			m = max(m, g.x.Data[i])
			if len(limit) == len(g.x.Data) {
				limit[i] = 4*s.u()*(math.Abs(lse[row])+math.Abs(g.x.Data[i])) + root
			}
		}
		if len(limit) == len(lse) {
			limit[row] = 4*s.u()*(math.Abs(lse[row])+math.Abs(m)) + root
		}
		row++
	})
	return &expectation{want: s.want.Data, limit: limit}, nil
}

func expectLossGrad(s *site) (*expectation, error) {
	g, err := s.targets(1, 2, 4)
	if err != nil {
		return nil, err
	}
	dloss, lse := s.in(0), s.in(3)
	limit := make([]float64, len(s.want.Data))
	row := 0
	alongAxis(g.x.Shape, 1, func(at []int) {
		scale, sum := math.Abs(dloss.Data[row%len(dloss.Data)]), 0.0
		k := 4.0
		if s.call.Str("reduction") == "mean" {
			scale /= math.Abs(g.divisor)
			if g.summed {
				k += math.Sqrt(float64(len(lse.Data)))
			}
		}
		for _, i := range at {
			sum += g.t.Data[i]
		}
		for _, i := range at {
			d, t := g.x.Data[i]-lse.Data[row], g.t.Data[i]
			p := math.Exp(d) * sum
			e := k * math.Abs(p-t)
			if p != 0 {
				e += math.Abs(p) * (8 + 2*math.Abs(d))
			}
			if g.product {
				e += math.Abs(p)*math.Sqrt(float64(g.classes)) + 4*math.Abs(t)
			}
			limit[i] = s.u()*scale*e + minNormal(s.dtype())
		}
		row++
	})
	return &expectation{want: s.want.Data, limit: limit}, nil
}

// classLoss is a row: scores, and what a loss makes of their labels.
type classLoss struct {
	shape     tensor.Shape // of the scores
	scale     float64
	reduction string
	weights   bool
	ignore    int // a label, none if 0 and not ignores
	ignores   bool
	smoothing float64
	soft      bool
}

// lossOptions is a covering array over reduction, weights, ignored index (one
// of the classes, below and above them), smoothing and kind of labels, with
// batches of images among the shapes.
var lossOptions = []classLoss{
	{shape: tensor.Shape{17, 5}, scale: 3, reduction: "mean", weights: true},
	{shape: tensor.Shape{33, 10}, scale: 3, reduction: "mean", ignore: 3, ignores: true},
	{shape: tensor.Shape{2, 5, 7, 3}, scale: 2, reduction: "mean", weights: true, ignore: 255, ignores: true},
	{shape: tensor.Shape{12, 100}, scale: 4, reduction: "mean", smoothing: 0.1},
	{shape: tensor.Shape{33, 7}, scale: 2, reduction: "mean", weights: true, ignores: true, smoothing: 0.2},
	{shape: tensor.Shape{16, 10}, scale: 3, reduction: "mean", soft: true},
	{shape: tensor.Shape{31, 10}, scale: 3, reduction: "none", ignore: -100, ignores: true},
	{shape: tensor.Shape{19, 6}, scale: 3, reduction: "sum", weights: true, smoothing: 0.1},
	{shape: tensor.Shape{3, 4, 6}, scale: 3, reduction: "none", smoothing: 0.3},
	{shape: tensor.Shape{16, 9}, scale: 3, reduction: "none", soft: true, weights: true, smoothing: 0.1},
	{shape: tensor.Shape{2, 3, 3}, scale: 2, reduction: "sum", soft: true},
	{shape: tensor.Shape{4, 3, 5}, scale: 3, reduction: "sum", weights: true, ignore: 1, ignores: true},
}

func lossCases() []*Case {
	var all []*Case
	reductions := []string{"mean", "sum", "none"}
	for _, d := range floats {
		for i, r := range scoreRows {
			if r.scale < d.UnitRoundoff()*64 {
				continue // all classes are as good as equal
			}
			for k, reduction := range reductions {
				if k != i%3 && (i > 0 || d != tensor.F32) {
					continue
				}
				l := classLoss{shape: tensor.Shape{r.rows, r.classes}, scale: r.scale, reduction: reduction}
				all = append(all, l.cases(d, max(effortOf(d, i), Effort(min(k, 1))))...)
			}
		}
		for i, l := range lossOptions {
			if d == tensor.F16 && !l.soft {
				continue // but for labels and weights in f16, options have nothing of its own
			}
			all = append(all, l.cases(d, effortOf(d, i+1))...)
		}
	}
	return append(append(all, onnxLossCases()...), squaredErrorCases()...)
}

func (l classLoss) attrs(onnx bool) graph.Attrs {
	a := graph.Attrs{"reduction": graph.S(l.reduction)}
	if l.ignores {
		a["ignore_index"] = graph.I(l.ignore)
	}
	if !onnx && l.smoothing != 0 {
		a["label_smoothing"] = graph.F(l.smoothing)
	}
	return a
}

func (l classLoss) params() string {
	p := []string{"x=" + l.shape.String(), "scale=" + fmt.Sprint(l.scale), "reduction=" + l.reduction}
	for _, o := range []struct {
		given bool
		text  string
	}{{l.soft, "soft"}, {l.weights, "weights"}, {l.ignores, "ignore=" + fmt.Sprint(l.ignore)}, {l.smoothing != 0, "smoothing=" + fmt.Sprint(l.smoothing)}} {
		if o.given {
			p = append(p, o.text)
		}
	}
	return params(p...)
}

func (l classLoss) rows() tensor.Shape { return append(l.shape[:1].Clone(), l.shape[2:]...) }

// inputs are logits, labels and, where asked for, the weights of classes.
func (l classLoss) inputs(d tensor.DType, scores string, x fill) []input {
	in := []input{{name: scores, typ: tensor.Type{DType: d, Shape: l.shape}, fill: x}}
	labels := input{name: "labels", typ: tensor.Type{DType: tensor.S64, Shape: l.rows()}, fill: l.labels()}
	switch {
	case l.soft:
		labels.typ, labels.fill = in[0].typ, mixtures(l.shape)
	case l.weights: // the other type of labels
		labels.typ.DType = tensor.S32
	}
	if in = append(in, labels); l.weights {
		in = append(in, input{name: "weights", typ: tensor.T(d, l.shape[1]), fill: uniform(0.25, 2)})
	}
	return in
}

// labels are drawn from the classes; of ten rows three are ignored.
func (l classLoss) labels() fill {
	return each(func(r *rng) float64 {
		label := float64(r.intn(l.shape[1]))
		if l.ignores && r.float() < 0.3 {
			label = float64(l.ignore)
		}
		return label
	})
}

// mixtures are mixup's distributions (Zhang et al. 2018): a share of one class
// and the rest of another.
func mixtures(s tensor.Shape) fill {
	return func(r *rng, t tensor.Type) []float64 {
		v := make([]float64, t.Shape.Elements())
		alongAxis(s, 1, func(at []int) {
			share := r.float()
			v[at[r.intn(len(at))]] += share
			v[at[r.intn(len(at))]] += 1 - share
		})
		return v
	}
}

func (l classLoss) make(op, class string, d tensor.DType, e Effort, s *opSubject) *Case {
	return &Case{Op: op, DType: d, Params: l.params(), Class: class, Suite: TrainingCore, Effort: e, Required: d == tensor.F32, bound: own(op), subject: s}
}

// cases are of our op and its gradient: ordinary logits and, in f32, logits
// whose exponentials overflow and classes that are ruled out.
func (l classLoss) cases(d tensor.DType, e Effort) []*Case {
	all := []*Case{l.forward("real", d, e, normal(l.scale)), l.backward("real", d, e, normal(l.scale))}
	if d != tensor.F32 || l.soft || l.smoothing != 0 {
		return all
	}
	shifted := each(func(r *rng) float64 { return 500 + l.scale*r.normal() })
	all = append(all, l.forward("shifted", d, max(e, Quick), shifted))
	if l.shape[1] > 2 && l.shape[0] > 8 {
		ruledOut := rarely(normal(l.scale), math.Inf(-1), math.Inf(-1), math.Inf(-1))
		all = append(all, l.forward("specials", d, max(e, Standard), ruledOut), l.backward("specials", d, max(e, Standard), ruledOut))
	}
	return all
}

func (l classLoss) forward(class string, d tensor.DType, e Effort, x fill) *Case {
	attrs := l.attrs(false)
	return l.make("SoftmaxCrossEntropy", class, d, e, &opSubject{inputs: l.inputs(d, "logits", x), apply: single("SoftmaxCrossEntropy", attrs, 2), tie: keepLabelled})
}

func (l classLoss) backward(class string, d tensor.DType, e Effort, x fill) *Case {
	in := l.inputs(d, "logits", x)
	loss := tensor.Shape{}
	if l.reduction == "none" {
		loss = l.rows()
	}
	attrs := l.attrs(false)
	all := append([]input{{name: "dloss", typ: tensor.Type{DType: d, Shape: loss}, fill: each(func(r *rng) float64 { return r.sign() * (0.5 + r.float()) })}}, in...)
	lse := input{name: "lse", typ: tensor.Type{DType: d, Shape: l.rows()}, fill: constant(0)}
	return l.make("SoftmaxCrossEntropyGrad", class, d, e, &opSubject{
		inputs: append(all, lse),
		tie: func(v Values) {
			keepLabelled(v)
			v["lse"].SetFloat64s(reference.LogSumExp(&reference.Acc{}, reference.FromTensor(v["logits"])).Data)
		},
		apply: func(b *graph.Builder, v []graph.Value) []graph.Value {
			args := []graph.Value{v[0], v[1], v[2], v[len(v)-1]}
			return b.OpN("SoftmaxCrossEntropyGrad", attrs, 1, append(args, v[3:len(v)-1]...)...)
		}})
}

// keepLabelled makes a class possible that the label names: its loss is
// finite.
func keepLabelled(v Values) {
	if v["labels"].DType.IsFloat() {
		return
	}
	x, labels, row := v["logits"].Float64s(), v["labels"].Float64s(), 0
	alongAxis(v["logits"].Shape, 1, func(at []int) {
		if l := int(labels[row]); l >= 0 && l < len(at) && math.IsInf(x[at[l]], -1) {
			x[at[l]] = 1
		}
		row++
	})
	v["logits"].SetFloat64s(x)
}

// onnxLossCases are of ONNX's two ops.
func onnxLossCases() []*Case {
	var all []*Case
	for _, d := range floats {
		rows := append([]classLoss{{shape: tensor.Shape{16, 10}, scale: 3, reduction: "mean"}, {shape: tensor.Shape{2, 3, 2, 3, 2}, scale: 3, reduction: "none"}}, lossOptions...)
		n := 0
		for _, l := range rows {
			if l.soft || l.smoothing != 0 {
				continue
			}
			e := effortOf(d, n)
			if n++; d != tensor.F32 && n > 1 {
				e = Standard
			}
			attrs := l.attrs(true)
			all = append(all,
				l.make("SoftmaxCrossEntropyLoss", "real", d, e, &opSubject{inputs: l.inputs(d, "scores", normal(l.scale)), apply: single("SoftmaxCrossEntropyLoss", attrs, 2)}),
				l.make("NegativeLogLikelihoodLoss", "real", d, e, &opSubject{inputs: l.inputs(d, "input", uniform(-6, -0.05)), apply: single("NegativeLogLikelihoodLoss", attrs, 1)}))
			if d == tensor.F32 && n == 1 {
				shifted := each(func(r *rng) float64 { return 500 + l.scale*r.normal() })
				all = append(all, l.make("SoftmaxCrossEntropyLoss", "shifted", d, Quick, &opSubject{inputs: l.inputs(d, "scores", shifted), apply: single("SoftmaxCrossEntropyLoss", attrs, 2)}))
			}
		}
	}
	return all
}

func squaredErrorCases() []*Case {
	var all []*Case
	for _, d := range floats {
		for i, s := range []tensor.Shape{{13, 7}, {1}, {129, 33}, {4, 3, 5, 5}, {70001}} {
			reduction := []string{"mean", "sum", "none"}[i%3]
			if d == tensor.F16 && len(s) == 1 {
				continue // the sum overflows
			}
			all = append(all, &Case{
				Op: "MSELoss", DType: d, Params: params("x="+s.String(), "reduction="+reduction), Class: "real", Suite: TrainingCore,
				Effort: effortOf(d, i), Required: d == tensor.F32, bound: own("MSELoss"),
				subject: &opSubject{apply: single("MSELoss", graph.Attrs{"reduction": graph.S(reduction)}, 1), inputs: []input{
					{name: "input", typ: tensor.Type{DType: d, Shape: s}, fill: normal(2)}, {name: "target", typ: tensor.Type{DType: d, Shape: s}, fill: normal(2)}}}})
		}
	}
	// Integers whose squares add up exactly: any order gives the same bits.
	s := tensor.Shape{33, 31}
	for i, reduction := range []string{"sum", "none"} {
		all = append(all, &Case{
			Op: "MSELoss", DType: tensor.F32, Params: params("x="+s.String(), "reduction="+reduction), Class: "structure", Suite: TrainingCore,
			Effort: Effort(i), Required: true, bound: every(exact),
			subject: &opSubject{apply: single("MSELoss", graph.Attrs{"reduction": graph.S(reduction)}, 1), inputs: []input{
				{name: "input", typ: tensor.Type{DType: tensor.F32, Shape: s}, fill: integers(-50, 50)}, {name: "target", typ: tensor.Type{DType: tensor.F32, Shape: s}, fill: integers(-50, 50)}}}})
	}
	return all
}
