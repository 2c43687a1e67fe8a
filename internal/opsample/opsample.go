// Package opsample holds sample calls of every row of the op table, away from
// kinks and poles: what the tests of gradients, decompositions and of the
// reference walk over. It judges nothing; conformance has cases of its own.
package opsample

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Sample is one call of an op.
type Sample struct {
	Op    string
	Attrs graph.Attrs
	In    []Input // in the order of the signature
}

// Input is one input and how it is filled.
type Input struct {
	Shape tensor.Shape
	Kind  Kind
	N     int // Index: the values are 0 … N-1
}

// Kind is how an input is filled.
type Kind uint8

// The kinds. The first are of the sample's element type, those from Index on of
// one of their own.
const (
	Absent         Kind = iota // an optional input left out
	Signed                     // in [-2, 2)
	Small                      // in [-½, ½)
	OffZero                    // as Signed, at least ¼ away from 0
	Positive                   // in [½, 2½)
	Distinct                   // multiples of ¼ in some order, none twice
	Saved                      // as Positive; f32 where the sample is of a 16-bit float
	Index                      // s64: whole numbers
	Truth                      // bool: 0 or 1
	Unsigned                   // u8: all of its values
	TwosComplement             // s8: all of its values
	Word                       // s32 in [-100, 100]
	Single                     // f32 in [-2, 2)
	Step                       // f32 in [2⁻⁸, 5·2⁻⁸)
	Levels                     // f32: multiples of 1/64 from -100/64 to 155/64, both among them
)

func (s Sample) String() string {
	name := s.Op
	for _, in := range s.In {
		if in.Kind == Absent {
			name += ",-"
		} else {
			name += "," + in.Shape.String()
		}
		if own, ok := ownTypes[in.Kind]; ok {
			name += ":" + own.String()
		}
	}
	for _, a := range s.row().Attrs {
		switch v, ok := s.Attrs[a.Name]; {
		case !ok:
		case v.Kind == graph.Int:
			name += fmt.Sprintf(",%s=%d", a.Name, v.Int)
		case v.Kind == graph.Float:
			name += fmt.Sprintf(",%s=%v", a.Name, v.Float)
		case v.Kind == graph.String:
			name += fmt.Sprintf(",%s=%s", a.Name, v.String)
		case v.Kind == graph.FloatList:
			name += fmt.Sprintf(",%s=%v", a.Name, v.Floats)
		default:
			name += fmt.Sprintf(",%s=%v", a.Name, v.Ints)
		}
	}
	return name
}

func (s Sample) row() *graph.Op {
	if op := graph.Lookup(graph.Own, s.Op); op != nil {
		return op
	}
	return graph.Lookup(graph.Std, s.Op)
}

// Apply declares the sample's inputs as feeds of b, named as in the op's
// signature, applies the op to them and returns all of its outputs.
func (s Sample) Apply(b *graph.Builder, d tensor.DType) (in, out []graph.Value) {
	op := s.row()
	for i, x := range s.In {
		v := graph.Value{}
		if x.Kind != Absent {
			v = b.Feed(s.input(i), tensor.Type{DType: x.dtype(d), Shape: x.Shape})
		}
		in = append(in, v)
	}
	n := len(op.Outputs)
	if op.Outputs[n-1].Variadic {
		n += int(s.Attrs["num_outputs"].Int) - 1
	}
	return in, b.OpN(s.Op, s.Attrs, n, in...)
}

// input names input i as in the op's signature, those of a variadic parameter
// by their number.
func (s Sample) input(i int) string {
	p := s.row().In(i)
	if p.Variadic {
		return fmt.Sprint(p.Name, i)
	}
	return p.Name
}

// Program is the sample as a program of one node that fetches every output.
func (s Sample) Program(d tensor.DType) (*graph.Program, error) {
	b := graph.NewBuilder(s.String())
	_, out := s.Apply(b, d)
	b.Fetch(out...)
	return b.Program()
}

// Feeds fills the inputs from a seed.
func (s Sample) Feeds(d tensor.DType, seed uint64) map[string]*tensor.Tensor {
	feeds := map[string]*tensor.Tensor{}
	for i, x := range s.In {
		if x.Kind != Absent {
			feeds[s.input(i)] = x.fill(d, seed, uint32(i))
		}
	}
	return feeds
}

// ownTypes are the element types of the kinds that have one of their own.
var ownTypes = map[Kind]tensor.DType{
	Index: tensor.S64, Truth: tensor.Bool, Unsigned: tensor.U8, TwosComplement: tensor.S8,
	Word: tensor.S32, Single: tensor.F32, Step: tensor.F32, Levels: tensor.F32,
}

func (x Input) dtype(d tensor.DType) tensor.DType {
	if own, ok := ownTypes[x.Kind]; ok {
		return own
	}
	if x.Kind == Saved && d != tensor.F64 {
		return tensor.F32
	}
	return d
}

func (x Input) fill(d tensor.DType, seed uint64, stream uint32) *tensor.Tensor {
	t := tensor.New(x.dtype(d), x.Shape...)
	switch x.Kind {
	case Positive, Saved:
		return tensor.FillSeeded(t, tensor.Fill{Kind: tensor.Uniform, Lo: 0.5, Hi: 2.5}, seed, stream)
	case Index:
		return tensor.FillSeeded(t, tensor.Fill{Kind: tensor.Integers, Lo: 0, Hi: float64(x.N - 1)}, seed, stream)
	case Truth:
		return tensor.FillSeeded(t, tensor.Fill{Kind: tensor.Integers, Lo: 0, Hi: 1}, seed, stream)
	case Unsigned, TwosComplement:
		lo, hi := tensor.IntRange(t.DType)
		return tensor.FillSeeded(t, tensor.Fill{Kind: tensor.Integers, Lo: lo, Hi: hi}, seed, stream)
	case Word:
		return tensor.FillSeeded(t, tensor.Fill{Kind: tensor.Integers, Lo: -100, Hi: 100}, seed, stream)
	case Levels:
		v := tensor.FillSeeded(t, tensor.Fill{Kind: tensor.Integers, Lo: -100, Hi: 155}, seed, stream).Float64s()
		v[0], v[len(v)-1] = -100, 155
		for i := range v {
			v[i] /= 64
		}
		t.SetFloat64s(v)
		return t
	case Step:
		return tensor.FillSeeded(t, tensor.Fill{Kind: tensor.Uniform, Lo: 0x1p-8, Hi: 5 * 0x1p-8}, seed, stream)
	}
	tensor.FillSeeded(t, tensor.Fill{Kind: tensor.Uniform, Lo: -2, Hi: 2}, seed, stream)
	v := t.Float64s()
	switch x.Kind {
	case Small:
		for i := range v {
			v[i] /= 4
		}
	case OffZero:
		for i := range v {
			v[i] = v[i]*0.875 + map[bool]float64{true: 0.25, false: -0.25}[v[i] >= 0]
		}
	case Distinct:
		shuffle(v, tensor.Philox{Key: seed, Stream: stream})
	}
	t.SetFloat64s(v)
	return t
}

// shuffle replaces v by quarters around 0 in an order drawn from r (Durstenfeld
// 1964).
func shuffle(v []float64, r tensor.Philox) {
	for i := range v {
		v[i] = float64(i-len(v)/2) / 4
	}
	for i := len(v) - 1; i > 0; i-- {
		j := int(uint64(r.Word(uint64(i))) * uint64(i+1) >> 32)
		v[i], v[j] = v[j], v[i]
	}
}
