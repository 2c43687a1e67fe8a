package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Extremes, rounding, powers and waves, element by element.

// mapping is a row of a function of one element that is asked for: on a few
// shapes in f32, at special values, and in 16-bit floats at every number there
// is.
type mapping struct {
	op    string
	attrs graph.Attrs
	x     fill
	// subnormals as in unaryOp.
	subnormals bool
	// without are special values that devices may treat as they like.
	without func(v float64, d tensor.DType) bool
	// variant is a row that only differs in attributes from another one: a few
	// cases in f32 will do.
	variant bool
}

func pointwiseCases() []*Case {
	var all []*Case
	for _, m := range []mapping{
		{op: "Abs", x: normal(1), subnormals: true},
		{op: "Sign", x: normal(1)}, // a device that flushes takes a subnormal for zero
		{op: "Floor", x: halves(6), subnormals: true, without: tiny},
		{op: "Ceil", x: halves(6), subnormals: true, without: tiny},
		{op: "Round", x: halves(6), subnormals: true},
		{op: "Reciprocal", x: each(func(r *rng) float64 { return r.sign() * math.Exp(8*r.float()-4) }), without: huge},
		{op: "Sin", x: uniform(-20, 20), subnormals: true, without: huge},
		{op: "Cos", x: uniform(-20, 20), subnormals: true, without: huge},
		{op: "Erf", x: each(func(r *rng) float64 { return r.sign() * math.Exp(6*r.float()-4.4) }), subnormals: true},
	} {
		all = append(all, m.cases()...)
	}
	for _, op := range []arithmetic{
		{op: "Max", a: normal(1), b: normal(1), ints: true, few: true},
		{op: "Min", a: normal(1), b: normal(1), ints: true, few: true},
	} {
		all = append(all, op.cases()...)
		all = append(all, tiedCase(op.op))
	}
	all = append(all, powCases()...)
	all = append(all, clipCases()...)
	return append(all, identityCases()...)
}

// huge leaves out where a reciprocal is subnormal and an angle has no digits
// left behind the point.
func huge(v float64, d tensor.DType) bool { return math.Abs(v) == maxFinite(d) }

// tiny leaves out numbers that a device may flush to zero before it rounds
// them up or down.
func tiny(v float64, d tensor.DType) bool { return v != 0 && math.Abs(v) <= minNormal(d) }

// halves are multiples of ¼ up to a limit, of both signs: every way to round
// gives something else at half of them.
func halves(limit int) fill {
	return each(func(r *rng) float64 { return float64(r.intn(8*limit+1)-4*limit) / 4 })
}

// everyNumber has all 65,536 bit patterns of a 16-bit float, in a random
// order; in wider types as many numbers as there is room for.
func everyNumber(r *rng, t tensor.Type) []float64 {
	order, v := r.perm(t.Shape.Elements()), make([]float64, t.Shape.Elements())
	for i, p := range order {
		if t.DType == tensor.F16 {
			v[i] = float64(tensor.F16ToF32(uint16(p)))
		} else {
			v[i] = float64(tensor.BF16ToF32(uint16(p)))
		}
	}
	return v
}

// everyShape has room for every number of a 16-bit type.
var everyShape = tensor.Shape{1 << 16}

// everyNumberBut has 1 in place of the numbers that are left open.
func everyNumberBut(open func(v float64) bool) fill {
	return func(r *rng, t tensor.Type) []float64 {
		v := everyNumber(r, t)
		for i := range v {
			if open(v[i]) {
				v[i] = 1
			}
		}
		return v
	}
}

// everyNormal is every number but the subnormal ones, that a device may take
// for zero.
func everyNormal(d tensor.DType) fill {
	return everyNumberBut(func(v float64) bool { return subnormal(v, d) })
}

func subnormal(v float64, d tensor.DType) bool { return v != 0 && math.Abs(v) < minNormal(d) }

func (m mapping) cases() []*Case {
	var all []*Case
	add := func(d tensor.DType, s tensor.Shape, class string, e Effort, f fill) {
		all = append(all, &Case{
			Op: m.op, DType: d, Params: params("x="+s.String(), m.params()), Class: class, Suite: InferenceCore, Effort: e,
			Required: d == tensor.F32, bound: own(m.op),
			subject: &opSubject{apply: single(m.op, m.attrs, 1), inputs: []input{{name: "X", typ: tensor.Type{DType: d, Shape: s}, fill: f}}},
		})
	}
	if m.variant {
		add(tensor.F32, tensor.Shape{2, 3, 35}, "real", Quick, m.x)
		add(tensor.F32, tensor.Shape{7, 41}, "specials", Standard, sprinkled(m.x, m.specials(tensor.F32)...))
		return all
	}
	add(tensor.F32, tensor.Shape{2, 3, 35}, "real", Smoke, m.x)
	add(tensor.F32, tensor.Shape{7, 41}, "specials", Quick, sprinkled(m.x, m.specials(tensor.F32)...))
	add(tensor.F32, tensor.Shape{33, 2111}, "large", Standard, m.x) // see flatShapes
	add(tensor.F32, tensor.Shape{1}, "single", Standard, m.x)
	add(tensor.F64, tensor.Shape{1037}, "real", Standard, m.x)
	add(tensor.F64, tensor.Shape{7, 41}, "specials", Standard, sprinkled(m.x, m.specials(tensor.F64)...))
	for _, d := range narrowFloats {
		add(d, everyShape, "every-number", Standard, m.every(d))
	}
	for _, d := range []tensor.DType{tensor.S8, tensor.S32, tensor.S64} { // of others Abs is an echo
		if opOf(m.op).Inputs[0].Types.Has(d) {
			add(d, tensor.Shape{5, 13}, "integers", Standard, integers(-100, 100))
		}
	}
	return all
}

// every is all numbers of a 16-bit type but those that are left open.
func (m mapping) every(d tensor.DType) fill {
	return everyNumberBut(func(v float64) bool {
		return (subnormal(v, d) && !m.subnormals) || m.without != nil && m.without(v, d)
	})
}

func (m mapping) specials(d tensor.DType) []float64 {
	var list []float64
	for _, v := range specialValues(d, m.subnormals) {
		if m.without == nil || !m.without(v, d) {
			list = append(list, v)
		}
	}
	return list
}

// params writes the attributes in the order of the signature.
func (m mapping) params() string {
	var parts []string
	for _, spec := range opOf(m.op).Attrs {
		switch a, ok := m.attrs[spec.Name]; {
		case ok && spec.Kind == graph.Float:
			parts = append(parts, fmt.Sprintf("%s=%v", spec.Name, a.Float))
		case ok && spec.Kind == graph.Int:
			parts = append(parts, fmt.Sprintf("%s=%d", spec.Name, a.Int))
		case ok:
			parts = append(parts, fmt.Sprintf("%s=%s", spec.Name, a.String))
		}
	}
	return params(parts...)
}

// opOf is the row of an op of either domain.
func opOf(name string) *graph.Op {
	if op := graph.Lookup(graph.Own, name); op != nil {
		return op
	}
	return graph.Lookup(graph.Std, name)
}

// tiedCase differentiates where half of the pairs are equal: each of the two
// has half of the gradient.
func tiedCase(op string) *Case {
	s := tensor.T(tensor.F32, 5, 41)
	c := &Case{
		Op: op, DType: tensor.F32, Params: "a=5x41,b=5x41", Class: "ties", Suite: TrainingCore, Effort: Quick, Required: true, bound: every(programRule),
	}
	c.subject = &gradientSubject{&opSubject{apply: single(op, nil, 1), inputs: []input{
		{name: "A", typ: s, fill: integers(-1, 1)}, {name: "B", typ: s, fill: integers(-1, 1)}}}}
	return c
}

// powCases have squares, roots and fractions, whole exponents of negative
// numbers, and exponents of another type.
func powCases() []*Case {
	var all []*Case
	add := func(class string, e Effort, x, y tensor.Type, fx, fy fill) {
		all = append(all, &Case{
			Op: "Pow", DType: x.DType, Params: fmt.Sprintf("x=%v,y=%v,exponents=%v", x.Shape, y.Shape, y.DType), Class: class, Suite: InferenceCore,
			Effort: e, Required: x.DType == tensor.F32 && y.DType == tensor.F32, bound: own("Pow"),
			subject: &opSubject{apply: single("Pow", nil, 1), inputs: []input{{name: "X", typ: x, fill: fx}, {name: "Y", typ: y, fill: fy}}},
		})
	}
	positive := each(func(r *rng) float64 { return math.Exp(4*r.float() - 2) })
	signed := each(func(r *rng) float64 { return r.sign() * math.Exp(4*r.float()-2) })
	for _, d := range floats {
		for i, p := range broadcastPairs[:4] {
			e := Standard
			if d == tensor.F32 {
				e = effortOf(d, i)
			}
			add("real", e, tensor.Type{DType: d, Shape: p[0]}, tensor.Type{DType: d, Shape: p[1]}, positive, uniform(-3, 3))
		}
		add("whole", effortOf(d, 1), tensor.T(d, 7, 19), tensor.T(d, 19), signed, integers(-3, 3))
		// Negative numbers and fractions, infinities, NaN, ones and zeros.
		add("specials", effortOf(d, 1), tensor.T(d, 13, 23), tensor.T(d, 13, 23),
			sprinkled(signed, math.NaN(), math.Inf(1), math.Inf(-1), 0, 1, -1, 2),
			sprinkled(halves(2), math.NaN(), math.Inf(1), math.Inf(-1), 0, 1, -1))
	}
	for _, d := range []tensor.DType{tensor.S32, tensor.S64} {
		add("integers", Quick, tensor.T(d, 7, 19), tensor.T(tensor.S32, 19), integers(-9, 9), integers(0, 7))
		add("whole", Quick, tensor.T(tensor.F32, 7, 19), tensor.T(d, 19), signed, integers(-3, 3))
		add("integers", Standard, tensor.T(d, 7, 19), tensor.T(tensor.F32, 19), integers(1, 9), integers(0, 6))
	}
	for _, d := range []tensor.DType{tensor.S8, tensor.U8, tensor.U32} {
		lowest := -3
		if d != tensor.S8 {
			lowest = 0
		}
		add("whole", Standard, tensor.T(tensor.F32, 7, 19), tensor.T(d, 19), signed, integers(lowest, 3))
		add("integers", Standard, tensor.T(tensor.S32, 7, 19), tensor.T(d, 19), integers(-9, 9), integers(0, 7))
	}
	return all
}

// clipCases bound below, above, on both sides, and with bounds that cross.
func clipCases() []*Case {
	var all []*Case
	add := func(d tensor.DType, s tensor.Shape, class string, e Effort, f fill, low, high *float64) {
		in := []input{{name: "input", typ: tensor.Type{DType: d, Shape: s}, fill: f}}
		var given [2]string
		for i, v := range []*float64{low, high} {
			given[i] = "none"
			if v != nil {
				in = append(in, input{name: []string{"min", "max"}[i], typ: tensor.T(d), fill: constant(*v), role: frozen})
				given[i] = fmt.Sprint(*v)
			}
		}
		all = append(all, &Case{
			Op: "Clip", DType: d, Params: fmt.Sprintf("x=%v,min=%s,max=%s", s, given[0], given[1]), Class: class, Suite: InferenceCore,
			Effort: e, Required: d == tensor.F32, bound: own("Clip"),
			subject: &opSubject{inputs: in, apply: func(b *graph.Builder, v []graph.Value) []graph.Value {
				args := []graph.Value{v[0], {}, {}}
				for i, j := 1, 1; i < 3; i++ {
					if given[i-1] != "none" {
						args[i] = v[j]
						j++
					}
				}
				return b.OpN("Clip", nil, 1, args...)
			}},
		})
	}
	at := func(v float64) *float64 { return &v }
	shape := tensor.Shape{2, 3, 35}
	add(tensor.F32, shape, "real", Smoke, normal(4), at(0), at(6))
	add(tensor.F32, tensor.Shape{33, 2111}, "large", Standard, normal(4), at(0), at(6))
	add(tensor.F32, shape, "real", Quick, normal(1), at(-0.5), nil)
	add(tensor.F32, shape, "real", Quick, normal(1), nil, at(0.25))
	all = append(all, crossedCase())
	add(tensor.F32, tensor.Shape{7, 41}, "specials", Quick, sprinkled(normal(4), specialValues(tensor.F32, true)...), at(-2), at(math.Inf(1)))
	for _, d := range append(floats[1:], integerTypes...) {
		f := normal(4)
		if d.IsInt() {
			f = integers(0, 9)
		}
		add(d, shape, "real", Standard, f, at(1), at(6))
	}
	for _, d := range narrowFloats {
		add(d, everyShape, "every-number", Standard, everyNormal(d), at(-2), at(6))
	}
	return all
}

// crossedCase has a lower bound above the upper one, which then is the answer
// everywhere; it is negated, or an echo of it would do.
func crossedCase() *Case {
	d := tensor.F32
	return &Case{
		Op: "Clip", DType: d, Params: "x=2x3x35,min=1..2,max=-2..-1", Class: "crossed", Suite: InferenceCore, Effort: Quick, Required: true, bound: every(exact),
		subject: &opSubject{
			inputs: []input{{name: "input", typ: tensor.T(d, 2, 3, 35), fill: normal(2)}, {name: "min", typ: tensor.T(d), fill: uniform(1, 2)}, {name: "max", typ: tensor.T(d), fill: uniform(-2, -1)}},
			apply: func(b *graph.Builder, v []graph.Value) []graph.Value {
				return []graph.Value{b.Op("Neg", nil, b.Op("Clip", nil, v...))}
			},
		},
	}
}

// identityCases stand between negations, which an echo does not do.
func identityCases() []*Case {
	var all []*Case
	for i, d := range append(floats, tensor.S32, tensor.S64) {
		f := normal(1)
		if d.IsInt() {
			f = integers(-99, 99)
		}
		all = append(all, &Case{
			Op: "Identity", DType: d, Params: "x=5x7x3", Class: "real", Suite: InferenceCore, Effort: []Effort{Smoke, Standard}[min(i, 1)],
			Required: d == tensor.F32, bound: every(exact),
			subject: &opSubject{inputs: []input{{name: "X", typ: tensor.T(d, 5, 7, 3), fill: f}}, apply: func(b *graph.Builder, v []graph.Value) []graph.Value {
				return []graph.Value{b.Op("Identity", nil, b.Op("Neg", nil, v[0]))}
			}},
		})
	}
	return all
}
