package graph

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/tensor"
)

// Variadic parameters take one or more, of one element type.
func TestVariadicParameters(t *testing.T) {
	op := &Op{
		Name:    "Deal",
		Inputs:  []Param{{Name: "first", Types: Any}, {Name: "rest", Types: Floats, Var: "T", Variadic: true}},
		Outputs: []Param{{Name: "dealt", Types: Any, Variadic: true}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			out := make([]tensor.Type, len(c.Outputs))
			for i := range out {
				out[i] = c.In[1]
			}
			return out, nil
		},
	}
	require.Equal(t, "first", op.In(0).Name)
	require.Equal(t, "rest", op.In(1).Name)
	require.Equal(t, "rest", op.In(7).Name)
	require.Equal(t, "dealt", op.Out(7).Name)
	require.Nil(t, Lookup(Std, "Add").In(2))
	require.Nil(t, Lookup(Std, "Add").Out(1))

	build := func(outputs int, in ...tensor.Type) error {
		b := NewBuilder("deal")
		b.lookup = func(domain, _ string) *Op {
			if domain == Std {
				return op
			}
			return nil
		}
		var vs []Value
		for i, ty := range in {
			vs = append(vs, b.Feed(string(rune('a'+i)), ty))
		}
		for _, y := range b.OpN("Deal", nil, outputs, vs...) {
			require.True(t, b.Err() != nil || y.Type.Equal(in[1]))
		}
		return b.Err()
	}
	require.NoError(t, build(1, f32(2), f32(3)))
	require.NoError(t, build(4, f32(2), f32(3), f32(), f32(1)))
	require.ErrorContains(t, build(1, f32(2)), "input rest is missing")
	require.ErrorContains(t, build(1, f32(2), f32(3), tensor.T(tensor.S64)), "input rest is s64, want one of")
	require.ErrorContains(t, build(1, f32(2), f32(3), tensor.T(tensor.F64)), "the others are f32")
}
