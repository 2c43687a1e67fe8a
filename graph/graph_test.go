package graph

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/tensor"
)

func f32(s ...int) tensor.Type { return tensor.T(tensor.F32, s...) }

func TestRowsAreWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, op := range Ops() {
		require.False(t, seen[op.Name], "%s stands twice", op.Name)
		seen[op.Name] = true
		require.NotNil(t, op.Infer, op.Name)
		require.Positive(t, op.Version, op.Name)
		require.Equal(t, op.Core, op.Decompose == nil, "%s: core ops and only they lack a decomposition", op.Name)
		for _, i := range op.Saves {
			require.True(t, op.Outputs[i].Optional, "%s: saved output %d", op.Name, i)
		}
		for _, list := range [][]Param{op.Inputs, op.Outputs} {
			for i, p := range list {
				require.True(t, !p.Variadic || i == len(list)-1, "%s: only the last parameter may be variadic", op.Name)
			}
		}
		last := len(op.Inputs) - 1
		require.False(t, len(op.Folded) > 0 && op.Inputs[last].Variadic, "%s: what follows variadic inputs can't be told from them", op.Name)
		for _, a := range op.Attrs {
			if a.Default.Kind != 0 {
				require.Equal(t, a.Kind, a.Default.Kind, "%s.%s", op.Name, a.Name)
			}
		}
		require.Same(t, op, Lookup(op.Domain, op.Name))
	}
}

// one infers the output of a single op.
func one(op string, attrs Attrs, in ...tensor.Type) (tensor.Type, error) {
	b := NewBuilder("one")
	vs := make([]Value, len(in))
	for i, t := range in {
		vs[i] = b.Feed(string(rune('a'+i)), t)
	}
	y := b.Op(op, attrs, vs...)
	_, err := b.Program()
	return y.Type, err
}

func TestInferShapes(t *testing.T) {
	for _, c := range []struct {
		op    string
		attrs Attrs
		in    []tensor.Type
		want  tensor.Type
	}{
		{"Add", nil, []tensor.Type{f32(2, 1, 3), f32(4, 1)}, f32(2, 4, 3)},
		{"Conv", nil, []tensor.Type{f32(2, 1, 28, 28), f32(6, 1, 5, 5), f32(6)}, f32(2, 6, 24, 24)},
		{"Conv", Attrs{"strides": L(2, 1), "pads": L(1, 0, 2, 0), "dilations": L(2, 1), "group": I(2)},
			[]tensor.Type{f32(1, 4, 9, 7), f32(6, 2, 3, 3)}, f32(1, 6, 4, 5)},
		{"MaxPool", Attrs{"kernel_shape": L(3, 3), "strides": L(2, 2), "ceil_mode": I(1)}, []tensor.Type{f32(1, 1, 6, 6)}, f32(1, 1, 3, 3)},
		{"AveragePool", Attrs{"kernel_shape": L(2, 2), "strides": L(2, 2)}, []tensor.Type{f32(1, 6, 24, 24)}, f32(1, 6, 12, 12)},
		{"Gemm", Attrs{"transB": I(1)}, []tensor.Type{f32(8, 256), f32(120, 256), f32(120)}, f32(8, 120)},
		{"MatMul", nil, []tensor.Type{f32(3, 1, 2, 5), f32(4, 5, 7)}, f32(3, 4, 2, 7)},
		{"Reshape", Attrs{"shape": L(0, -1)}, []tensor.Type{f32(2, 3, 4)}, f32(2, 12)},
		{"Flatten", Attrs{"axis": I(-1)}, []tensor.Type{f32(2, 3, 4)}, f32(6, 4)},
		{"Transpose", Attrs{"perm": L(0, 3, 1, 2)}, []tensor.Type{f32(1, 2, 3, 4)}, f32(1, 4, 2, 3)},
		{"ReduceSum", Attrs{"axes": L(-1, 0), "keepdims": I(0)}, []tensor.Type{f32(2, 3, 4)}, f32(3)},
		{"Cast", Attrs{"to": S("f32")}, []tensor.Type{tensor.T(tensor.U8, 3)}, f32(3)},
		{"SoftmaxCrossEntropy", nil, []tensor.Type{f32(4, 10), tensor.T(tensor.S64, 4)}, f32()},
		{"SoftmaxCrossEntropy", Attrs{"reduction": S("none")}, []tensor.Type{f32(4, 10, 7, 5), f32(4, 10, 7, 5)}, f32(4, 7, 5)},
	} {
		got, err := one(c.op, c.attrs, c.in...)
		require.NoError(t, err, c.op)
		require.True(t, c.want.Equal(got), "%s: want %v, got %v", c.op, c.want, got)
	}
}

func TestInferRefusesWithTheField(t *testing.T) {
	for _, c := range []struct {
		op    string
		attrs Attrs
		in    []tensor.Type
		want  string
	}{
		{"Add", nil, []tensor.Type{f32(2), f32(3)}, "broadcast"},
		{"Add", nil, []tensor.Type{f32(2), tensor.T(tensor.F16, 2)}, "input B is f16"},
		{"Add", nil, []tensor.Type{f32(2)}, "input B is missing"},
		{"Conv", Attrs{"strides": L(0, 1)}, []tensor.Type{f32(1, 1, 4, 4), f32(1, 1, 2, 2)}, "attribute strides"},
		{"Conv", Attrs{"pads": L(1, 1)}, []tensor.Type{f32(1, 1, 4, 4), f32(1, 1, 2, 2)}, "attribute pads"},
		{"Conv", nil, []tensor.Type{f32(1, 1, 4, 4), f32(1, 1, 5, 5)}, "does not fit"},
		{"Conv", Attrs{"group": I(3)}, []tensor.Type{f32(1, 4, 4, 4), f32(6, 1, 2, 2)}, "attribute group"},
		{"Conv", Attrs{"kernel_shape": L(3, 3)}, []tensor.Type{f32(1, 1, 4, 4), f32(1, 1, 2, 2)}, "kernel_shape"},
		{"MaxPool", nil, []tensor.Type{f32(1, 1, 4, 4)}, "kernel_shape"},
		{"MaxPool", Attrs{"kernel_shape": L(2, 2), "pads": L(2, 0, 0, 0)}, []tensor.Type{f32(1, 1, 4, 4)}, "pads"},
		{"MaxPool", Attrs{"kernel_shape": L(2), "dilations": L(3), "pads": L(2, 1)}, []tensor.Type{f32(1, 1, 1)}, "meets no element"},
		{"Reshape", Attrs{"shape": L(-1, -1)}, []tensor.Type{f32(4)}, "more than one -1"},
		{"Reshape", Attrs{"shape": L(3)}, []tensor.Type{f32(4)}, "4"},
		{"Reshape", nil, []tensor.Type{f32(4)}, "attribute shape is missing"},
		{"Transpose", Attrs{"perm": L(0, 0)}, []tensor.Type{f32(2, 2)}, "perm"},
		{"Relu", Attrs{"alpha": F(1)}, []tensor.Type{f32(1)}, "attribute alpha"},
		{"Softmax", Attrs{"axis": I(2)}, []tensor.Type{f32(1, 2)}, "axis"},
		{"Softmax", Attrs{"axis": F(1)}, []tensor.Type{f32(1, 2)}, "kind float"},
		{"SoftmaxCrossEntropy", Attrs{"reduction": S("max")}, []tensor.Type{f32(4, 10), tensor.T(tensor.S64, 4)}, "reduction"},
		{"SoftmaxCrossEntropy", nil, []tensor.Type{f32(4), tensor.T(tensor.S64)}, "N×C×d1"},
		{"SoftmaxCrossEntropy", nil, []tensor.Type{f32(4, 10, 3), tensor.T(tensor.S64, 4)}, "want 4x3"},
		{"SoftmaxCrossEntropy", nil, []tensor.Type{f32(4, 10), f32(4)}, "distributions"},
		{"SoftmaxCrossEntropy", Attrs{"ignore_index": I(0)}, []tensor.Type{f32(4, 10), f32(4, 10)}, "ignore_index"},
		{"SoftmaxCrossEntropy", Attrs{"label_smoothing": F(1.5)}, []tensor.Type{f32(4, 10), f32(4, 10)}, "label_smoothing"},
		{"NegativeLogLikelihoodLoss", nil, []tensor.Type{f32(4, 10), tensor.T(tensor.S32, 4), f32(4)}, "weights are 4"},
		{"MSELoss", nil, []tensor.Type{f32(4, 1), f32(4)}, "equal shapes"},
		{"Gemm", Attrs{"alpha": F(0.5)}, []tensor.Type{tensor.T(tensor.S32, 2, 3), tensor.T(tensor.S32, 3, 2)}, "attribute alpha: 0.5 of s32, want a whole number"},
		{"Gemm", Attrs{"beta": F(1e10)}, []tensor.Type{tensor.T(tensor.U8, 2, 3), tensor.T(tensor.U8, 3, 2)}, "attribute beta"},
		{"Frobnicate", nil, []tensor.Type{f32(1)}, "not in the op table"},
	} {
		_, err := one(c.op, c.attrs, c.in...)
		require.ErrorContains(t, err, c.want, c.op)
	}
}

func TestInferChecksTheWholeProgram(t *testing.T) {
	valid := func() *Program {
		b := NewBuilder("p")
		x, w := b.Feed("x", f32(2)), b.State("w", f32(2))
		y := b.Op("Add", nil, x, w)
		b.Fetch(y)
		b.Update(w, y)
		p, err := b.Program()
		require.NoError(t, err)
		return p
	}
	_, err := valid().Infer()
	require.NoError(t, err)
	for want, spoil := range map[string]func(*Program){
		"no value":        func(p *Program) { p.Nodes[0].Inputs[0] = "z" },
		"no such state":   func(p *Program) { p.Updates[0].State = "x" },
		"updated twice":   func(p *Program) { p.Updates = append(p.Updates, p.Updates[0]) },
		"asked for twice": func(p *Program) { p.Fetches = append(p.Fetches, p.Fetches[0]) },
		"no such value":   func(p *Program) { p.Fetches[0] = "q" },
		"exists already":  func(p *Program) { p.State[0].Name = "x" },
		"not unique":      func(p *Program) { p.Nodes = append(p.Nodes, p.Nodes[0]) },
		"does not fill":   func(p *Program) { p.Consts = []Const{{Name: "c"}} },
		"negative":        func(p *Program) { p.Feeds[0].Type.Shape = tensor.Shape{-2} },
	} {
		p := valid()
		spoil(p)
		_, err := p.Infer()
		require.ErrorContains(t, err, want)
	}
}

func TestBuilderErrorSticks(t *testing.T) {
	b := NewBuilder("net")
	x := b.Feed("x", f32(2))
	b.Scoped("conv1", func() { b.Op("Conv", nil, x, x) })
	b.Fetch(b.Op("Relu", nil, x))
	_, err := b.Program()
	require.ErrorContains(t, err, "net")
	require.ErrorContains(t, err, "conv1")
	require.ErrorContains(t, err, "rank")
}
