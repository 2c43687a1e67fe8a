package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/autodiff"
	"github.com/clsbench/clsbench/tensor"
)

// Random numbers: bits are compared as integers, masks bit for bit, whatever
// made them. Bounds first, rows below.

var (
	uniformBound = &Bound{
		Name: "random uniform", Formula: "3u(|low| + |high − low|)", Source: "three roundings; low 0 and high 1 have none", Proposal: true,
		expect: func(s *site) (*expectation, error) {
			low, high := s.call.Float("low"), s.call.Float("high")
			limit := make([]float64, len(s.want.Data))
			for i := range limit {
				limit[i] = 3 * s.u() * (math.Abs(low) + math.Abs(high-low))
			}
			return &expectation{want: s.want.Data, limit: limit}, nil
		},
	}
	normalBound = &Bound{
		Name: "random normal", Formula: "u(|scale|(16r + min(16/r, √(16/u))) + 2|y*|), r the radius √(−2 ln u₁)",
		Source: "Vulkan 1.3's bounds of log (absolute near 1, hence the second term), sqrt and cos at arguments up to 2π", Proposal: true,
		expect: expectNormal,
	}
	dropoutBound = ulps("dropout", "3 ulp", "one or two roundings of x/(1 − p), the factor perhaps rounded before", func(_, _ float64) float64 { return 3 })
)

func expectNormal(s *site) (*expectation, error) {
	p, limit := s.call.Philox(int64(s.in(0).Data[0])), make([]float64, len(s.want.Data))
	for i, y := range s.want.Data {
		u1 := (float64(p.Word(uint64(i))>>8) + 1) / (1 << 24)
		r := math.Sqrt(-2 * math.Log(u1))
		limit[i] = s.u() * (math.Abs(s.call.Float("scale"))*(16*r+min(16/r, math.Sqrt(16/s.u()))) + 2*math.Abs(y))
	}
	return &expectation{want: s.want.Data, limit: limit}, nil
}

// randomBounds and attention's own, for the table.
var randomBounds = []*Bound{uniformBound, normalBound, dropoutBound, oneKeyBound}

// randomKeys are seeds and streams: small, of all bits, beyond 32 bits.
var randomKeys = []struct {
	seed   int64
	stream int
}{{0, 0}, {1, 7}, {-3, 1}, {0x0123456789abcdef, 0x7fffffff}, {1 << 40, 12345}}

// randomShapes end inside of a block, at one, and are worth sharing.
var randomShapes = []tensor.Shape{{33, 31}, {7}, {4, 16}, {1}, {5, 3, 67, 71}}

// randomEffort leaves what repeats itself in other types and shapes to standard
// effort.
func randomEffort(d tensor.DType, i int) Effort {
	if i > 1 || (d != tensor.F32 && d != tensor.F16) {
		return Standard
	}
	return effortOf(d, i)
}

// keyed are the attributes of row i.
func keyed(i int, more graph.Attrs) (graph.Attrs, string) {
	k := randomKeys[i%len(randomKeys)]
	a := graph.Attrs{"seed": {Kind: graph.Int, Int: k.seed}, "stream": graph.I(k.stream)}
	for name, v := range more {
		a[name] = v
	}
	return a, fmt.Sprintf("key=%x:%x", uint64(k.seed), k.stream)
}

// steps are step counters; every run has its own, so that what is replayed is
// seen. The last ones pass 2³².
func steps(d tensor.DType) input {
	f := integers(0, 1<<20)
	if d == tensor.S64 {
		f = each(func(r *rng) float64 { return float64(r.word()) * float64(1+r.intn(4)) })
	}
	return input{name: "step", typ: tensor.T(d), fill: f}
}

func randomNumberCases() []*Case {
	all := append(bitsCases(), deviateCases()...)
	return append(append(all, bernoulliCases()...), dropoutCases()...)
}

func bitsCases() (all []*Case) {
	for i, s := range randomShapes {
		for _, d := range []tensor.DType{tensor.S64, tensor.S32} {
			if d == tensor.S32 && i > 1 {
				continue
			}
			a, key := keyed(i, graph.Attrs{"shape": graph.L(s...)})
			all = append(all, &Case{
				Op: "RandomBits", DType: tensor.U32, Params: params("x="+s.String(), key, "step="+d.String()), Class: "bits", Suite: TrainingCore,
				Effort: effortOf(tensor.F32, i), Required: true, bound: every(exact),
				subject: &opSubject{inputs: []input{steps(d)}, apply: single("RandomBits", a, 1)},
			})
		}
	}
	// Bits as numbers: whoever takes them for signed is seen.
	a, key := keyed(3, graph.Attrs{"shape": graph.L(129)})
	return append(all, &Case{
		Op: "RandomBits", DType: tensor.F32, Params: params("x=129", key), Class: "unsigned", Suite: TrainingCore, Effort: Quick, Required: true, bound: every(exact),
		subject: &opSubject{inputs: []input{steps(tensor.S64)}, apply: func(b *graph.Builder, in []graph.Value) []graph.Value {
			upper := b.Op("Div", nil, b.Op("RandomBits", a, in...), b.Scalar(tensor.U32, 256))
			return []graph.Value{b.Op("Cast", graph.Attrs{"to": graph.S("f32")}, upper)}
		}},
	})
}

func deviateCases() (all []*Case) {
	for _, op := range []struct {
		name  string
		attrs []graph.Attrs
		tags  []string
	}{
		{"RandomUniform", []graph.Attrs{nil, {"low": graph.F(-3), "high": graph.F(5)}}, []string{"", "low=-3,high=5"}},
		{"RandomNormal", []graph.Attrs{nil, {"mean": graph.F(2), "scale": graph.F(0.25)}}, []string{"", "mean=2,scale=0.25"}},
	} {
		for _, d := range floats {
			for i, s := range randomShapes {
				more := graph.Attrs{"shape": graph.L(s...), "dtype": graph.S(d.String())}
				for name, v := range op.attrs[i%2] {
					more[name] = v
				}
				a, key := keyed(i, more)
				all = append(all, &Case{
					Op: op.name, DType: d, Params: params("x="+s.String(), key, op.tags[i%2]), Class: "real", Suite: TrainingCore,
					Effort: randomEffort(d, i), Required: d == tensor.F32, bound: own(op.name),
					subject: &opSubject{inputs: []input{steps(tensor.S64)}, apply: single(op.name, a, 1)},
				})
			}
		}
		a, key := keyed(1, graph.Attrs{"shape": graph.L(129)})
		all = append(all, &Case{
			Op: op.name, DType: tensor.F32, Params: params("x=129", key, "step=s32"), Class: "real", Suite: TrainingCore,
			Effort: Standard, bound: own(op.name), subject: &opSubject{inputs: []input{steps(tensor.S32)}, apply: single(op.name, a, 1)},
		})
	}
	return all
}

// probabilities have the ends, and what is none.
func probabilities() fill {
	return sprinkled(uniform(0, 1), 0, 1, math.NaN(), 0x1p-32, 0.5, -1, 2, 1-0x1p-24)
}

func bernoulliCases() (all []*Case) {
	for _, d := range floats {
		for i, s := range randomShapes {
			a, key := keyed(i, nil)
			f := probabilities()
			if s.Elements() < 8 {
				f = uniform(0.25, 0.75)
			}
			all = append(all, &Case{
				Op: "Bernoulli", DType: d, Params: params("p="+s.String(), key), Class: "bits", Suite: TrainingCore,
				Effort: randomEffort(d, i), Required: d == tensor.F32, bound: every(exact),
				subject: &opSubject{inputs: []input{{name: "input", typ: tensor.Type{DType: d, Shape: s}, fill: f}, steps(tensor.S64)}, apply: single("Bernoulli", a, 1)},
			})
		}
	}
	for _, d := range []tensor.DType{tensor.F32, tensor.F64} {
		all = append(all, thresholds(d))
	}
	// Masks of other types: truth values for all, integers by a counter of s32.
	for _, d := range append([]tensor.DType{tensor.Bool}, integerTypes...) {
		e, step := Standard, tensor.S32
		if d == tensor.Bool {
			e, step = Quick, tensor.S64
		}
		a, key := keyed(3, graph.Attrs{"dtype": graph.S(d.String())})
		all = append(all, &Case{
			Op: "Bernoulli", DType: tensor.F32, Params: params("p=9x23", key, "dtype="+d.String()), Class: "bits", Suite: TrainingCore,
			Effort: e, Required: d == tensor.Bool, bound: every(exact),
			subject: &opSubject{inputs: []input{{name: "input", typ: tensor.T(tensor.F32, 9, 23), fill: probabilities()}, steps(step)}, apply: single("Bernoulli", a, 1)},
		})
	}
	return all
}

// thresholds has probabilities at which an element's own word is the first to
// be false, or the last to be true; in f32 where its bits allow it.
func thresholds(d tensor.DType) *Case {
	a, key := keyed(2, nil)
	shape := tensor.Shape{67, 33}
	s := &opSubject{inputs: []input{{name: "input", typ: tensor.Type{DType: d, Shape: shape}, fill: constant(0)}, steps(tensor.S64)}, apply: single("Bernoulli", a, 1)}
	s.tie = func(v Values) {
		words := tensor.Philox{Key: uint64(a["seed"].Int), Stream: uint32(a["stream"].Int), Step: uint32(int64(v["step"].Float64s()[0]))}
		p := make([]float64, shape.Elements())
		for i := range p {
			w := words.Word(uint64(i))
			p[i] = (float64(w) + float64(w>>9&1)) / (1 << 32)
		}
		v["input"].SetFloat64s(p)
	}
	return &Case{Op: "Bernoulli", DType: d, Params: params("p="+shape.String(), key), Class: "threshold", Suite: TrainingCore,
		Effort: Quick, Required: d == tensor.F32, bound: every(exact), subject: s}
}

// dropRatios with the largest f32 below 1 and a ratio whose threshold ends in
// bits that f32 has not.
var dropRatios = []float64{0.5, 0.1, 0.9, 1.0 / 3, 0.25}

func dropoutCases() (all []*Case) {
	for _, mode := range []string{"element", "row"} {
		for _, d := range floats {
			for i, s := range randomShapes {
				if mode == "row" && s[0] < 4 {
					continue // one row is often enough dropped twice, or never
				}
				all = append(all, dropout(d, s, i, mode)...)
			}
		}
	}
	return append(all, dropoutEnds()...)
}

func dropout(d tensor.DType, s tensor.Shape, i int, mode string) []*Case {
	ratio := dropRatios[i]
	a, key := keyed(i, graph.Attrs{"ratio": graph.F(ratio), "mode": graph.S(mode)})
	x := input{name: "data", typ: tensor.Type{DType: d, Shape: s}, fill: normal(1)}
	make := func(class string, e Effort, b func(int) *Bound, subject *opSubject) *Case {
		return &Case{Op: "TrainingDropout", DType: d, Params: params("x="+s.String(), fmt.Sprintf("ratio=%.2g,mode=%s", ratio, mode), key), Class: class,
			Suite: TrainingCore, Effort: e, Required: d == tensor.F32, bound: b, subject: subject}
	}
	e := randomEffort(d, i)
	all := []*Case{make("real", e, own("TrainingDropout"), &opSubject{inputs: []input{x, steps(tensor.S64)}, apply: single("TrainingDropout", a, 2)})}
	if i > 0 || d != tensor.F32 {
		return all
	}
	odd := x
	odd.fill = sprinkled(normal(1), math.NaN(), math.Inf(1), math.Inf(-1))
	all = append(all, make("specials", max(e, Quick), own("TrainingDropout"), &opSubject{inputs: []input{odd, steps(tensor.S64)}, apply: single("TrainingDropout", a, 2)}))
	all = append(all, make("short-step", Standard, own("TrainingDropout"), &opSubject{inputs: []input{x, steps(tensor.S32)}, apply: single("TrainingDropout", a, 2)}))
	// A counter in state: the mask of a replayed step is not the last one's.
	counter := steps(tensor.S64)
	counter.role, counter.fill = held, integers(0, 1<<20)
	replay := make("replay", max(e, Quick), every(programRule), &opSubject{
		inputs: []input{x, counter}, update: map[int]int{1: 1},
		apply: func(b *graph.Builder, in []graph.Value) []graph.Value {
			return []graph.Value{b.Op("TrainingDropout", a, in...), b.Op("Add", nil, in[1], b.Scalar(tensor.S64, 1))}
		}})
	replay.steps = 4
	// Forward and backward in one program: both masks are the same.
	training := make("training", max(e, Quick), every(programRule), &opSubject{
		inputs: []input{x, steps(tensor.S64), {name: "w", typ: x.typ, fill: normal(1)}},
		apply: func(b *graph.Builder, in []graph.Value) []graph.Value {
			y := b.Op("TrainingDropout", a, in[:2]...)
			loss := b.Op("ReduceSum", graph.Attrs{"keepdims": graph.I(0)}, b.Op("Mul", nil, in[2], b.Op("Tanh", nil, b.Op("Add", nil, y, in[2]))))
			grads, err := autodiff.Gradients(b, loss, in[:1])
			b.Fail(err)
			return append([]graph.Value{y}, grads...)
		}})
	return append(all, replay, training)
}

// dropoutEnds are the ratios 0 and 1, which copy or clear: seen through a sum
// with something else.
func dropoutEnds() (all []*Case) {
	for i, ratio := range []float64{0, 1} {
		a, key := keyed(i, graph.Attrs{"ratio": graph.F(ratio)})
		typ := tensor.T(tensor.F32, 9, 37)
		all = append(all, &Case{
			Op: "TrainingDropout", DType: tensor.F32, Params: params("x=9x37", fmt.Sprintf("ratio=%v", ratio), key), Class: "ends", Suite: TrainingCore,
			Effort: Quick, Required: true, bound: every(exact),
			subject: &opSubject{inputs: []input{{name: "data", typ: typ, fill: integers(-99, 99)}, steps(tensor.S64), {name: "other", typ: typ, fill: integers(-99, 99)}},
				apply: func(b *graph.Builder, in []graph.Value) []graph.Value {
					return []graph.Value{b.Op("Sub", nil, b.Op("TrainingDropout", a, in[:2]...), in[2])}
				}},
		})
	}
	return all
}
