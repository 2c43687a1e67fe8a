package conformance

import (
	"fmt"
	"math"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// castRequired are the casts that networks here are made of: images, labels,
// masks.
var castRequired = map[[2]tensor.DType]bool{
	{tensor.U8, tensor.F32}: true, {tensor.S64, tensor.F32}: true, {tensor.Bool, tensor.F32}: true,
	{tensor.F32, tensor.F16}: true, {tensor.F32, tensor.BF16}: true, // autocast's
}

// castCases are all pairs of types. Numbers stay inside the range of the type
// they go to: outside of it ONNX leaves the result open. Ties, fractions of
// both signs, and overflow to infinity among floats are in.
func castCases() []*Case {
	var all []*Case
	for _, from := range tensor.DTypes() {
		for _, to := range tensor.DTypes() {
			if from == to {
				continue // an identity: nothing that an echo could not do
			}
			effort := Standard
			switch {
			case castRequired[[2]tensor.DType{from, to}]:
				effort = Smoke
			case from == tensor.F32 || to == tensor.F32:
				effort = Quick
			}
			all = append(all, castCase(from, to, tensor.Shape{5, 37}, effort))
			if effort == Smoke {
				all = append(all, castCase(from, to, tensor.Shape{2, 97, 121, 3}, Quick)) // large, see flatShapes
			}
		}
	}
	for _, d := range narrowFloats {
		all = append(all, everyCast(d))
	}
	return all
}

func castCase(from, to tensor.DType, s tensor.Shape, e Effort) *Case {
	in := []input{{name: "input", typ: tensor.Type{DType: from, Shape: s}, fill: castFill(from, to)}}
	attrs := graph.Attrs{"to": graph.S(to.String())}
	subject := &opSubject{apply: single("Cast", attrs, 1), inputs: in}
	if !from.IsFloat() && !to.IsFloat() && from.Size() == to.Size() && to != tensor.Bool {
		// The bytes stay as they are, as an echo would have them: the numbers
		// come out of another op.
		in[0].typ.DType = tensor.F32
		subject.apply = func(b *graph.Builder, v []graph.Value) []graph.Value {
			x := b.Op("Cast", graph.Attrs{"to": graph.S(from.String())}, v[0])
			return []graph.Value{b.Op("Cast", attrs, x)}
		}
	}
	suite := InferenceCore
	if isNarrow(to) {
		suite = MixedPrecision
	}
	return &Case{
		Op: "Cast", DType: from, Params: fmt.Sprintf("x=%v,to=%v", s, to), Class: "exact", Suite: suite,
		Effort: e, Required: castRequired[[2]tensor.DType{from, to}], bound: every(exact), subject: subject,
	}
}

func castFill(from, to tensor.DType) fill {
	switch {
	case from == tensor.Bool:
		return integers(0, 1)
	case to == tensor.Bool: // whatever is not zero is true
		return each(func(r *rng) float64 { return float64(r.intn(2) * (2 + r.intn(90))) })
	}
	lo, hi := shared(from, to)
	switch {
	case from.IsFloat() && to.IsFloat():
		return sprinkled(each(func(r *rng) float64 { return r.normal() * float64(uint(1)<<r.intn(20)) }), 65519, 65520, 1+1.0/256, 1+3.0/256, 0)
	case from.IsFloat():
		return each(func(r *rng) float64 { return lo + (hi-lo)*r.float() })
	}
	return each(func(r *rng) float64 { return float64(int64(lo + (hi-lo)*r.float())) })
}

// everyCast widens every number of a 16-bit type.
func everyCast(from tensor.DType) *Case {
	c := castCase(from, tensor.F32, everyShape, Standard)
	c.Class, c.subject.(*opSubject).inputs[0].fill = "every-number", everyNormal(from)
	return c
}

// shared is a range that both types have, with room at the ends for the
// rounding of coarse floats.
func shared(a, b tensor.DType) (lo, hi float64) {
	lo, hi = -1<<40, 1<<40
	for _, d := range []tensor.DType{a, b} {
		l, h := -maxFinite(d), maxFinite(d)
		if d.IsInt() {
			l, h = tensor.IntRange(d)
		}
		lo, hi = max(lo, l), min(hi, h)
	}
	return lo + (hi-lo)/64, hi - (hi-lo)/64
}

// castChains are types that numbers pass through on their way, one cast after
// the other.
var castChains = [][]tensor.DType{
	{tensor.F32, tensor.BF16, tensor.F32}, {tensor.F32, tensor.F16, tensor.F32}, {tensor.F16, tensor.F32, tensor.BF16},
	{tensor.BF16, tensor.F32, tensor.F16}, {tensor.F32, tensor.F16, tensor.BF16, tensor.F32}, {tensor.F64, tensor.F32, tensor.F16, tensor.F64},
}

// castChainCases negate between casts: a chain that ends in the type it began
// with would be an echo.
func castChainCases() []*Case {
	var all []*Case
	for i, chain := range castChains {
		e := Quick
		if i > 3 {
			e = Standard
		}
		for _, class := range []string{"real", "representable"} {
			f, b := normal(100), castChainBound
			if class == "representable" {
				f, b = integers(-255, 255), exact
			}
			names := make([]string, len(chain))
			for k, d := range chain {
				names[k] = d.String()
			}
			all = append(all, &Case{
				Op: "CastChain", DType: tensor.F32, Params: "through=" + strings.Join(names, ":"), Class: class, Suite: MixedPrecision, Effort: e,
				Required: e == Quick, bound: every(b), subject: &opSubject{
					inputs: []input{{name: "input", typ: tensor.T(chain[0], 7, 143), fill: f}},
					apply: func(b *graph.Builder, in []graph.Value) []graph.Value {
						x := b.Op("Neg", nil, in[0])
						for _, to := range chain[1:] {
							x = b.Op("Cast", graph.Attrs{"to": graph.S(to.String())}, x)
						}
						return []graph.Value{x}
					}}})
		}
	}
	return all
}

// castChainBound leaves room for each cast's own rounding and for none: more
// precision than asked is legal. Truncation errs twice as much.
var castChainBound = &Bound{
	Name: "cast chain", Formula: "Σ u of the casts' types · |y*|", Source: "IEEE 754-2019 §5.4.2: formatOf-convertFormat, rounded once each",
	expect: func(s *site) (*expectation, error) {
		sum := 0.0
		for i := range s.graph.Calls {
			if c := &s.graph.Calls[i]; c.Op.Name == "Cast" {
				sum += c.Out[0].DType.UnitRoundoff()
			}
		}
		limit := make([]float64, len(s.want.Data))
		for i, y := range s.want.Data {
			limit[i] = sum * math.Abs(y)
		}
		return &expectation{want: s.want.Data, limit: limit}, nil
	},
}
