package conformance

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// castRequired are the casts that networks here are made of: images, labels,
// masks.
var castRequired = map[[2]tensor.DType]bool{
	{tensor.U8, tensor.F32}: true, {tensor.S64, tensor.F32}: true, {tensor.Bool, tensor.F32}: true,
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
	return &Case{
		Op: "Cast", DType: from, Params: fmt.Sprintf("x=%v,to=%v", s, to), Class: "exact", Suite: InferenceCore,
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
