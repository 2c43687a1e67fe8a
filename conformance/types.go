package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Ops at the types that few programs have. The families' own cases ask f32 and
// 16-bit floats of every op, and other types by turns; here each op that takes
// integers, truth values or f64 is asked in all of them, on one small shape.
// Whatever the type, the answer is one number, so that all is bit-equal.

// typing is a row: an op on one shape.
type typing struct {
	op    string
	attrs graph.Attrs
	text  string
	data  []tensor.Shape // inputs of the type in question
	fill  func(d tensor.DType) fill
	// index is an input of whole numbers behind the first of data; none where
	// its shape is nil.
	index   tensor.Shape
	indices fill
	outputs int // 0: one
	// behind says that the data come out of a Cast, since the op itself gives
	// the bytes that it is given, at least in some types.
	behind bool
}

// typings are rows in the order of the op table. No sum or product in them is
// beyond 2⁵³, up to where the reference holds integers.
var typings = []typing{
	{op: "Neg", text: "x=5x13", data: []tensor.Shape{{5, 13}}, fill: bitPatterns},
	{op: "Abs", text: "x=5x13", data: []tensor.Shape{{5, 13}}, fill: bitPatterns, behind: true},
	{op: "Sign", text: "x=5x13", data: []tensor.Shape{{5, 13}}, fill: bitPatterns},
	{op: "Identity", text: "x=5x13", data: []tensor.Shape{{5, 13}}, fill: bitPatterns, behind: true},
	{op: "Relu", text: "x=5x13", data: []tensor.Shape{{5, 13}}, fill: bitPatterns, behind: true},

	reducing("ReduceSum", words), reducing("ReduceMean", words), reducing("ReduceL1", words),
	reducing("ReduceMax", extremes(0.1)), reducing("ReduceMin", extremes(0.9)),
	reducing("ReduceProd", func(tensor.DType) fill { return each(func(r *rng) float64 { return float64(1 + 2*(r.intn(4)/3)) }) }),
	reducing("ReduceSumSquare", multipliers),
	{op: "CumSum", attrs: graph.Attrs{"axis": graph.I(1)}, text: "x=7x19,axis=1", data: []tensor.Shape{{7, 19}}, fill: words},

	{op: "Squeeze", text: "x=1x5x1x7", data: []tensor.Shape{{1, 5, 1, 7}}, fill: bitPatterns, behind: true},
	{op: "Unsqueeze", attrs: graph.Attrs{"axes": graph.L(0, -1)}, text: "x=5x7,axes=0,-1", data: []tensor.Shape{{5, 7}}, fill: bitPatterns, behind: true},
	{op: "Concat", attrs: graph.Attrs{"axis": graph.I(1)}, text: "axis=1,x=3x5+3x2", data: []tensor.Shape{{3, 5}, {3, 2}}, fill: bitPatterns, behind: true},
	{op: "Tile", attrs: graph.Attrs{"repeats": graph.L(2, 3)}, text: "x=5x7,repeats=2,3", data: []tensor.Shape{{5, 7}}, fill: bitPatterns, behind: true},
	{op: "DepthToSpace", attrs: graph.Attrs{"blocksize": graph.I(2), "mode": graph.S("CRD")}, text: "x=2x8x3x5,block=2,mode=CRD",
		data: []tensor.Shape{{2, 8, 3, 5}}, fill: bitPatterns, behind: true},
	{op: "SpaceToDepth", attrs: graph.Attrs{"blocksize": graph.I(2)}, text: "x=2x3x4x6,block=2", data: []tensor.Shape{{2, 3, 4, 6}}, fill: bitPatterns, behind: true},
	{op: "Resize", attrs: graph.Attrs{"sizes": graph.L(1, 2, 6, 10), "mode": graph.S("nearest")}, text: "x=1x2x3x5,to=1x2x6x10,mode=nearest",
		data: []tensor.Shape{{1, 2, 3, 5}}, fill: bitPatterns, behind: true},

	{op: "GatherElements", attrs: graph.Attrs{"axis": graph.I(1)}, text: "x=5x9,indices=5x4,axis=1", data: []tensor.Shape{{5, 9}}, fill: bitPatterns,
		index: tensor.Shape{5, 4}, indices: integers(-9, 8), behind: true},
	{op: "GatherND", text: "x=5x9,indices=7x2", data: []tensor.Shape{{5, 9}}, fill: bitPatterns, index: tensor.Shape{7, 2}, indices: integers(-5, 4), behind: true},
	{op: "ScatterAdd", attrs: graph.Attrs{"axis": graph.I(0)}, text: "x=5x9,indices=7,axis=0", data: []tensor.Shape{{5, 9}, {7, 9}}, fill: words,
		index: tensor.Shape{7}, indices: integers(-5, 4)},
	scattered("ScatterElements", "none", tensor.Shape{4, 7}, tensor.Shape{4, 7}),
	scattered("ScatterElements", "add", tensor.Shape{4, 7}, tensor.Shape{4, 7}),
	scattered("ScatterElements", "max", tensor.Shape{4, 7}, tensor.Shape{4, 7}),
	scattered("ScatterND", "none", tensor.Shape{5, 1}, tensor.Shape{5, 7}),
	scattered("ScatterND", "add", tensor.Shape{5, 1}, tensor.Shape{5, 7}),
	scattered("ScatterND", "min", tensor.Shape{5, 1}, tensor.Shape{5, 7}),

	{op: "ArgMax", attrs: graph.Attrs{"axis": graph.I(1)}, text: "x=9x33,axis=1", data: []tensor.Shape{{9, 33}}, fill: bitPatterns},
	{op: "ArgMin", attrs: graph.Attrs{"axis": graph.I(1)}, text: "x=9x33,axis=1", data: []tensor.Shape{{9, 33}}, fill: bitPatterns},
	{op: "TopK", attrs: graph.Attrs{"k": graph.I(5)}, text: "x=9x33,k=5", data: []tensor.Shape{{9, 33}}, fill: bitPatterns, outputs: 2},

	{op: "Gemm", text: "a=5x17,b=17x9,c=9", data: []tensor.Shape{{5, 17}, {17, 9}, {9}}, fill: multipliers},
	{op: "Gemm", attrs: graph.Attrs{"alpha": graph.F(3), "beta": graph.F(-2), "transA": graph.I(1), "transB": graph.I(1)},
		text: "a=17x5,b=9x17,c=5x1,transA=1,transB=1,alpha=3,beta=-2", data: []tensor.Shape{{17, 5}, {9, 17}, {5, 1}}, fill: multipliers},
}

func reducing(op string, f func(tensor.DType) fill) typing {
	return typing{op: op, attrs: graph.Attrs{"axes": graph.L(1), "keepdims": graph.I(0)}, text: "x=15x9,axes=1,keep=0", data: []tensor.Shape{{15, 9}}, fill: f}
}

// scattered writes each place once, or again and again where updates are
// combined.
func scattered(op, reduction string, indices, updates tensor.Shape) typing {
	s := scattering{op: op, data: tensor.Shape{9, 7}, indices: indices}
	at, f := s.meeting(), words
	if reduction == "none" {
		at, f = s.apart(), bitPatterns
	}
	return typing{op: op, attrs: graph.Attrs{"reduction": graph.S(reduction)}, text: fmt.Sprintf("x=9x7,indices=%v,reduction=%s", indices, reduction),
		data: []tensor.Shape{s.data, updates}, fill: f, index: indices, indices: at}
}

// bitPatterns are numbers of all sizes that a type has, the ends of its range
// among them; of 64-bit integers and f64 those up to 2⁵³.
func bitPatterns(d tensor.DType) fill {
	if d == tensor.Bool {
		return integers(0, 1)
	}
	lo, hi := -0x1p53, 0x1p53
	if d.Size() < 8 {
		lo, hi = tensor.IntRange(d)
	}
	return sprinkled(each(func(r *rng) float64 {
		wide := float64(r.word())*0x1p22 + float64(r.word()>>10) // 54 bits
		return lo + math.Mod(wide, hi-lo+1)
	}), lo, hi, 0)
}

// words are integers of at most 32 bits, whose sums are exact.
func words(d tensor.DType) fill {
	if d.Size() == 8 {
		return bitPatterns(tensor.S32)
	}
	return bitPatterns(d)
}

// multipliers are integers of at most 20 bits, whose products are exact.
func multipliers(d tensor.DType) fill {
	switch {
	case d.Size() == 1:
		return bitPatterns(d)
	case d == tensor.U32:
		return integers(0, 1<<20)
	}
	return integers(-1<<20, 1<<20)
}

// extremes are bitPatterns, and truth values that are true this often: a
// maximum of many is as good as always true.
func extremes(often float64) func(tensor.DType) fill {
	return func(d tensor.DType) fill {
		if d != tensor.Bool {
			return bitPatterns(d)
		}
		return each(func(r *rng) float64 {
			if r.float() < often {
				return 1
			}
			return 0
		})
	}
}

// typeCases run at standard effort, but for one of the short integers of each
// op.
func typeCases() []*Case {
	var all []*Case
	for i, t := range typings {
		for _, d := range opOf(t.op).Inputs[0].Types.DTypes() {
			if d == tensor.F32 || isNarrow(d) || d == tensor.Bool && t.combines() {
				continue
			}
			e := Standard
			if d == []tensor.DType{tensor.U8, tensor.S8}[i%2] {
				e = Quick
			}
			c := t.make(d, e)
			if all = append(all, c); opOf(t.op).Decompose != nil {
				apart := *c
				apart.form, apart.Effort = decomposed, Standard
				apart.Class += formNames[decomposed]
				all = append(all, &apart)
			}
		}
	}
	return all
}

// combines says whether a scatter has a reduction, which truth values have not.
func (t typing) combines() bool {
	a, ok := t.attrs["reduction"]
	return ok && a.String != "none"
}

func (t typing) make(d tensor.DType, e Effort) *Case {
	s := &opSubject{}
	from, to := d, graph.Attrs{"to": graph.S(d.String())}
	if t.behind {
		if from = tensor.S64; d == from {
			from = tensor.F64
		}
	}
	// The type that numbers are rounded to is not that which they are drawn for.
	drawn := t.fill(d)
	for i, shape := range t.data {
		s.inputs = append(s.inputs, input{name: fmt.Sprint("data", i), typ: tensor.Type{DType: from, Shape: shape}, fill: drawn})
		if i == 0 && t.index != nil {
			s.inputs = append(s.inputs, input{name: "indices", typ: tensor.Type{DType: tensor.S64, Shape: t.index}, fill: t.indices})
		}
	}
	s.apply = func(b *graph.Builder, in []graph.Value) []graph.Value {
		args := make([]graph.Value, len(in))
		for i, x := range in {
			if args[i] = x; t.behind && s.inputs[i].name != "indices" {
				args[i] = b.Op("Cast", to, x)
			}
		}
		return b.OpN(t.op, t.attrs, max(1, t.outputs), args...)
	}
	return &Case{Op: t.op, DType: d, Params: t.text, Class: "every-type", Suite: InferenceCore, Effort: e, bound: every(exact), subject: s}
}
