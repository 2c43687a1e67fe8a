package conformance

import (
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Writing at indices: each place at most once where nothing is combined, the
// same places again and again where something is.

// scattering is a row: the tuples of ScatterND, or the axis of ScatterElements.
type scattering struct {
	op            string
	data, indices tensor.Shape
	axis          int // ScatterElements
	index         tensor.DType
}

var scatterings = []scattering{
	{"ScatterElements", tensor.Shape{9, 7}, tensor.Shape{4, 7}, 0, tensor.S64},
	{"ScatterElements", tensor.Shape{3, 5, 33}, tensor.Shape{2, 4, 19}, -1, tensor.S32},
	{"ScatterElements", tensor.Shape{33, 131}, tensor.Shape{33, 67}, 1, tensor.S64},
	{"ScatterND", tensor.Shape{19, 16}, tensor.Shape{9, 1}, 0, tensor.S64},
	{"ScatterND", tensor.Shape{5, 7, 3}, tensor.Shape{2, 8, 2}, 0, tensor.S32},
	{"ScatterND", tensor.Shape{4, 5, 6}, tensor.Shape{31, 3}, 0, tensor.S64},
	{"ScatterND", tensor.Shape{131, 67}, tensor.Shape{97, 1}, 0, tensor.S64},
}

func (s scattering) named() tensor.Shape {
	if s.op == "ScatterElements" {
		return s.data
	}
	return s.data[:s.indices[len(s.indices)-1]]
}

func (s scattering) updates() tensor.Shape {
	if s.op == "ScatterElements" {
		return s.indices
	}
	return slices.Concat(s.indices[:len(s.indices)-1], s.data[len(s.named()):])
}

// apart are indices of which no two name the same place, from both ends.
func (s scattering) apart() fill {
	return func(r *rng, t tensor.Type) []float64 {
		v := make([]float64, t.Shape.Elements())
		ended := func(i, n int) float64 { return float64(i - n*r.intn(2)) }
		if s.op == "ScatterElements" {
			axis := (s.axis + len(s.data)) % len(s.data)
			inner, m, n := t.Shape[axis+1:].Elements(), t.Shape[axis], s.data[axis]
			for line := range len(v) / m {
				order := r.perm(n)
				for j := range m {
					v[(line/inner*m+j)*inner+line%inner] = ended(order[j], n)
				}
			}
			return v
		}
		named := s.named()
		order := r.perm(named.Elements())
		for j := range len(v) / len(named) {
			at := order[j]
			for k := len(named) - 1; k >= 0; k-- {
				v[j*len(named)+k] = ended(at%named[k], named[k])
				at /= named[k]
			}
		}
		return v
	}
}

// meeting are indices into the first few places, all that a type of tuples may
// name.
func (s scattering) meeting() fill {
	least := slices.Min(s.named())
	if s.op == "ScatterElements" {
		least = s.data[(s.axis+len(s.data))%len(s.data)]
	}
	return integers(-least, min(2, least-1))
}

func (s scattering) make(d tensor.DType, reduction, class string, e Effort, at, x fill, b *Bound) *Case {
	attrs := graph.Attrs{"reduction": graph.S(reduction)}
	if s.op == "ScatterElements" {
		attrs["axis"] = graph.I(s.axis)
	}
	return &Case{
		Op: s.op, DType: d, Params: fmt.Sprintf("x=%v,indices=%v,axis=%d,index=%v,reduction=%s", s.data, s.indices, s.axis, s.index, reduction),
		Class: class, Suite: InferenceCore, Effort: e, Required: d == tensor.F32, bound: every(b),
		subject: &opSubject{apply: single(s.op, attrs, 1), inputs: []input{
			{name: "data", typ: tensor.Type{DType: d, Shape: s.data}, fill: x},
			{name: "indices", typ: tensor.Type{DType: s.index, Shape: s.indices}, fill: at},
			{name: "updates", typ: tensor.Type{DType: d, Shape: s.updates()}, fill: x}}},
	}
}

func scatterCases() []*Case {
	var all []*Case
	seen := map[string]int{}
	for i, s := range scatterings {
		row := seen[s.op]
		seen[s.op]++
		all = append(all,
			s.make(tensor.F32, "none", "moved", effortOf(tensor.F32, row), s.apart(), normal(1), exact),
			s.make(tensor.F32, "add", "structure", Quick, s.meeting(), integers(-1000, 1000), exact),
			s.make(tensor.F32, "add", "real", Quick, s.meeting(), uniform(-1, 1), dotBound))
		d := []tensor.DType{tensor.S64, tensor.F16, tensor.U8, tensor.F64, tensor.Bool, tensor.BF16, tensor.S32}[i]
		all = append(all, s.make(d, "none", "moved", Standard, s.apart(), integers(0, 1), exact))
		for _, narrow := range narrowFloats {
			if row == 0 && narrow != d {
				all = append(all, s.make(narrow, "none", "moved", Quick, s.apart(), integers(0, 100), exact))
			}
		}
		if s.data.Elements() > 1000 {
			continue // the decomposition sees every update before every place
		}
		reduction := []string{"mul", "max", "min"}[(row+i)%3]
		x := integers(-1000, 1000)
		if reduction == "mul" {
			x = powers(2, 20)
		}
		all = append(all, s.make(tensor.F32, reduction, "structure", Quick, s.meeting(), x, exact),
			s.make(tensor.F32, []string{"max", "min"}[i%2], "specials", Quick, s.meeting(), rarely(uniform(-3, -1), nonFinite...), exact))
	}
	return append(all, gatherNDCases()...)
}

func gatherNDCases() []*Case {
	var all []*Case
	for i, row := range []struct {
		data, indices tensor.Shape
		batch         int
		index, d      tensor.DType
	}{
		{tensor.Shape{19, 16}, tensor.Shape{9, 1}, 0, tensor.S64, tensor.F32},
		{tensor.Shape{5, 7, 3}, tensor.Shape{2, 8, 2}, 0, tensor.S32, tensor.F32},
		{tensor.Shape{3, 9, 5}, tensor.Shape{3, 4, 1}, 1, tensor.S64, tensor.F32},
		{tensor.Shape{131, 67}, tensor.Shape{257, 2}, 0, tensor.S64, tensor.F32},
		{tensor.Shape{4, 5, 6}, tensor.Shape{31, 3}, 0, tensor.S64, tensor.S32},
		{tensor.Shape{4, 5, 6}, tensor.Shape{4, 3, 2}, 1, tensor.S64, tensor.F64},
		{tensor.Shape{5, 7, 3}, tensor.Shape{2, 8, 2}, 0, tensor.S32, tensor.F16},
		{tensor.Shape{3, 9, 5}, tensor.Shape{3, 4, 1}, 1, tensor.S64, tensor.BF16},
	} {
		n := row.indices[len(row.indices)-1]
		least := slices.Min(row.data[row.batch : row.batch+n])
		all = append(all, &Case{
			Op: "GatherND", DType: row.d, Params: fmt.Sprintf("x=%v,indices=%v,batch=%d,index=%v", row.data, row.indices, row.batch, row.index),
			Class: "moved", Suite: InferenceCore, Effort: effortOf(row.d, i), Required: row.d == tensor.F32, bound: every(exact),
			subject: &opSubject{apply: single("GatherND", graph.Attrs{"batch_dims": graph.I(row.batch)}, 1), inputs: []input{
				{name: "data", typ: tensor.Type{DType: row.d, Shape: row.data}, fill: integers(-1000, 1000)},
				{name: "indices", typ: tensor.Type{DType: row.index, Shape: row.indices}, fill: integers(-least, least-1)}}},
		})
	}
	return all
}
