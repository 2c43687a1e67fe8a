package conformance

import (
	"fmt"
	"math"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Elementwise ops: rounding, broadcasting, tails of vectors, specials.

// flatShapes are shapes around vector widths, batch 1, a single element, and
// one that is worth sharing among threads and blocks: what is small is often
// computed by another path.
var flatShapes = []tensor.Shape{{2, 3, 35}, {1}, {31}, {16, 16}, {1, 33, 1, 7}, {1037}, {33, 2111}}

// broadcastPairs are shapes that stretch one another: scalars, channels of
// images, both at once.
var broadcastPairs = [][2]tensor.Shape{
	{{2, 3, 35}, {2, 3, 35}}, {{2, 5, 7, 3}, {1, 5, 1, 1}}, {{37}, {}}, {{4, 1, 5}, {3, 1}}, {{1, 17}, {33, 1}},
	{{3, 5, 67, 71}, {1, 5, 1, 1}},
}

// arithmetic is a row of a binary op.
type arithmetic struct {
	op   string
	a, b fill // floats
	ints bool // the op has integer types, and wraps around
	safe fill // integers for b, where not every one will do
	few  bool // shapes at quick effort: the loops are those of other ops
	// without are special values of b that devices may treat as they like.
	without func(v float64, d tensor.DType) bool
}

var arithmeticOps = []arithmetic{
	{op: "Add", a: normal(1), b: normal(1), ints: true},
	{op: "Sub", a: normal(1), b: normal(1), ints: true},
	{op: "Mul", a: normal(1), b: normal(1), ints: true},
	{op: "Div", a: normal(1), b: each(func(r *rng) float64 { return r.sign() * (0.25 + 2*r.float()) }), ints: true, safe: each(func(r *rng) float64 { return float64(1 + r.intn(7)) }),
		// Vulkan bounds quotients for divisors up to 2^126.
		without: func(v float64, d tensor.DType) bool { return math.Abs(v) == maxFinite(d) }},
}

// unaryOp is a row of a function of one element.
type unaryOp struct {
	op string
	x  fill
	// subnormals says that a subnormal input gives a result that flushing it to
	// zero, as many devices do, can't spoil.
	subnormals bool
}

var unaryOps = []unaryOp{
	{op: "Neg", x: normal(1), subnormals: true},
	{op: "Relu", x: normal(1), subnormals: true},
	{op: "Exp", x: uniform(-10, 10), subnormals: true},
	{op: "Log", x: each(func(r *rng) float64 { return math.Exp(8*r.float() - 4) })},
	{op: "Sqrt", x: each(func(r *rng) float64 { return math.Exp(16*r.float() - 8) })},
	{op: "Tanh", x: uniform(-6, 6), subnormals: true},
	{op: "Sigmoid", x: uniform(-20, 20), subnormals: true},
}

func elementwiseCases() []*Case {
	var all []*Case
	for _, op := range arithmeticOps {
		all = append(all, op.cases()...)
	}
	for _, op := range unaryOps {
		all = append(all, op.cases()...)
	}
	return append(append(all, reluGradCases()...), whereCases()...)
}

// narrowFloats are the 16-bit ones, of which a case can have every number.
var narrowFloats = []tensor.DType{tensor.F16, tensor.BF16}

// floats are f32 and the types that few backends have.
var floats = []tensor.DType{tensor.F32, tensor.F64, tensor.F16, tensor.BF16}

var integerTypes = []tensor.DType{tensor.S8, tensor.U8, tensor.S32, tensor.U32, tensor.S64}

// effortOf runs the first shape of f32 always, other f32 shapes from quick on,
// and other types in full only at standard effort.
func effortOf(d tensor.DType, shape int) Effort {
	switch {
	case d == tensor.F32 && shape == 0:
		return Smoke
	case d == tensor.F32 || shape == 0:
		return Quick
	}
	return Standard
}

func (op arithmetic) cases() []*Case {
	var all []*Case
	for _, d := range floats {
		for i, p := range broadcastPairs {
			e := effortOf(d, i)
			if op.few && i > 1 {
				e = Standard
			}
			all = append(all, &Case{
				Op: op.op, DType: d, Params: fmt.Sprintf("a=%v,b=%v", p[0], p[1]), Class: "real", Suite: InferenceCore,
				Effort: e, Required: d == tensor.F32, bound: own(op.op),
				subject: &opSubject{apply: single(op.op, nil, 1), inputs: []input{
					{name: "A", typ: tensor.Type{DType: d, Shape: p[0]}, fill: op.a}, {name: "B", typ: tensor.Type{DType: d, Shape: p[1]}, fill: op.b}}},
			})
		}
		shape := tensor.Shape{7, 19}
		all = append(all, &Case{
			Op: op.op, DType: d, Params: fmt.Sprintf("a=%v,b=%v", shape, shape), Class: "specials", Suite: InferenceCore,
			Effort: effortOf(d, 1), Required: d == tensor.F32, bound: own(op.op),
			subject: &opSubject{apply: single(op.op, nil, 1), inputs: []input{
				{name: "A", typ: tensor.Type{DType: d, Shape: shape}, fill: sprinkled(op.a, specialValues(d, false)...)},
				{name: "B", typ: tensor.Type{DType: d, Shape: shape}, fill: sprinkled(op.b, op.divisors(d)...)}}},
		})
	}
	for _, d := range integerTypes {
		if op.ints {
			all = append(all, op.integerCase(d))
		}
	}
	return all
}

func (op arithmetic) divisors(d tensor.DType) []float64 {
	return slices.DeleteFunc(specialValues(d, false), func(v float64) bool { return op.without != nil && op.without(v, d) })
}

// integerCase wraps around where the type overflows.
func (op arithmetic) integerCase(d tensor.DType) *Case {
	lo, hi := tensor.IntRange(d)
	lo, hi = max(lo, -1<<31), min(hi, 1<<31) // sums and products stay exact in the reference
	any := each(func(r *rng) float64 { return math.Floor(lo + (hi-lo)*r.float()) })
	b := any
	if op.op == "Mul" && d == tensor.S64 {
		any, b = integers(-1<<20, 1<<20), integers(-1<<20, 1<<20)
	}
	if op.op == "Mul" && d.Size() == 4 {
		b = integers(0, 1<<20)
	}
	if op.safe != nil {
		b = op.safe
	}
	return &Case{
		Op: op.op, DType: d, Params: "a=5x13,b=13", Class: "integers", Suite: InferenceCore, Effort: Quick, bound: every(exact),
		subject: &opSubject{apply: single(op.op, nil, 1), inputs: []input{
			{name: "A", typ: tensor.T(d, 5, 13), fill: any}, {name: "B", typ: tensor.T(d, 13), fill: b}}},
	}
}

func (op unaryOp) cases() []*Case {
	var all []*Case
	add := func(d tensor.DType, s tensor.Shape, class string, e Effort, f fill) {
		all = append(all, &Case{
			Op: op.op, DType: d, Params: "x=" + s.String(), Class: class, Suite: InferenceCore, Effort: e,
			Required: d == tensor.F32, bound: own(op.op),
			subject: &opSubject{apply: single(op.op, nil, 1), inputs: []input{{name: "X", typ: tensor.Type{DType: d, Shape: s}, fill: f}}},
		})
	}
	for _, d := range floats {
		for i, s := range flatShapes {
			add(d, s, "real", effortOf(d, i), op.x)
		}
		add(d, tensor.Shape{9, 23}, "specials", effortOf(d, 1), sprinkled(op.x, specialValues(d, op.subnormals)...))
	}
	for _, d := range narrowFloats {
		add(d, everyShape, "every-number", Standard, mapping{subnormals: op.subnormals}.every(d))
	}
	row := graph.Lookup(graph.Std, op.op)
	for _, d := range []tensor.DType{tensor.S8, tensor.S32, tensor.S64} {
		if row != nil && row.Inputs[0].Types.Has(d) {
			add(d, tensor.Shape{5, 13}, "integers", Quick, integers(-100, 100))
		}
	}
	return all
}

func reluGradCases() []*Case {
	var all []*Case
	add := func(d tensor.DType, s tensor.Shape, class string, e Effort, dy, y fill) {
		all = append(all, &Case{
			Op: "ReluGrad", DType: d, Params: "y=" + s.String(), Class: class, Suite: TrainingCore, Effort: e,
			Required: d == tensor.F32, bound: every(exact),
			subject: &opSubject{apply: single("ReluGrad", nil, 1), inputs: []input{
				{name: "dY", typ: tensor.Type{DType: d, Shape: s}, fill: dy}, {name: "Y", typ: tensor.Type{DType: d, Shape: s}, fill: y}}},
		})
	}
	for _, d := range floats {
		for i, s := range flatShapes {
			add(d, s, "real", effortOf(d, i), normal(1), each(func(r *rng) float64 { return max(0, r.normal()+0.5) }))
		}
	}
	for _, d := range narrowFloats {
		add(d, everyShape, "every-number", Standard, everyNumber, everyNormal(d))
	}
	return all
}

// whereCases choose between numbers, some of them special: what is not chosen
// must not matter.
func whereCases() []*Case {
	var all []*Case
	for _, d := range tensor.DTypes() {
		f, class := integers(0, 100), "integers"
		if d.IsFloat() {
			f, class = normal(1), "real"
		}
		if d == tensor.Bool {
			f = integers(0, 1)
		}
		for i, p := range broadcastPairs {
			all = append(all, whereCase(d, class, effortOf(d, i), d == tensor.F32, p[0], p[1], f))
		}
	}
	return append(all, whereCase(tensor.F32, "specials", Quick, true, tensor.Shape{11, 13}, tensor.Shape{11, 13},
		sprinkled(normal(1), specialValues(tensor.F32, true)...)))
}

func whereCase(d tensor.DType, class string, e Effort, required bool, x, y tensor.Shape, f fill) *Case {
	out, err := tensor.Broadcast(x, y)
	if err != nil {
		panic(err)
	}
	return &Case{
		Op: "Where", DType: d, Params: fmt.Sprintf("c=%v,x=%v,y=%v", out, x, y), Class: class, Suite: InferenceCore,
		Effort: e, Required: required, bound: every(exact),
		subject: &opSubject{apply: single("Where", nil, 1), inputs: []input{
			{name: "condition", typ: tensor.Type{DType: tensor.Bool, Shape: out}, fill: integers(0, 1)},
			{name: "X", typ: tensor.Type{DType: d, Shape: x}, fill: f}, {name: "Y", typ: tensor.Type{DType: d, Shape: y}, fill: f}}},
	}
}
