package onnx

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// ops lists a program's ops in order.
func ops(p *graph.Program) (list []string) {
	for _, n := range p.Nodes {
		list = append(list, n.Op)
	}
	return list
}

func output1(name string) part { return sub(graphOutput, text(valueName, name)) }

func TestOlderOpsetsMeanTheSame(t *testing.T) {
	x := input("x", 2, 3, 4)
	for name, c := range map[string]struct {
		model []byte
		want  []string
	}{
		"softmax over the last axis":  {model(11, input("x", 2, 3), node("Softmax", "x", "y"), output1("y")), []string{"Softmax"}},
		"softmax over flattened axes": {model(11, x, node("Softmax", "x", "y"), output1("y")), []string{"Reshape", "Softmax", "Reshape"}},
		"softmax of today":            {model(13, x, node("Softmax", "x", "y"), output1("y")), []string{"Softmax"}},
		"an aligned operand":          {model(6, x, input("b", 3), node("Add", "xb", "y", intAttr("broadcast", 1), intAttr("axis", 1)), output1("y")), []string{"Reshape", "Add"}},
		"a sum of three":              {model(13, x, node("Sum", "xxx", "y"), output1("y")), []string{"Add", "Add"}},
		"a mean":                      {model(13, x, node("Mean", "xx", "y"), output1("y")), []string{"Add", "Div"}},
		"a clip with attributes":      {model(6, x, node("Clip", "x", "y", floatAttr("max", 6)), output1("y")), []string{"Clip"}},
		"slopes of channels":          {model(6, x, input("s", 3), node("PRelu", "xs", "y"), output1("y")), []string{"Reshape", "PRelu"}},
		"a slope for all":             {model(6, x, input("s", 1), node("PRelu", "xs", "y"), output1("y")), []string{"PRelu"}},
		"a vector times a stack":      {model(13, input("v", 3), x, node("MatMul", "vx", "y"), output1("y")), []string{"Reshape", "MatMul", "Reshape"}},
		"a scalar product":            {model(13, input("v", 3), node("MatMul", "vv", "y"), output1("y")), []string{"Reshape", "Reshape", "MatMul", "Reshape"}},
		"a cast like another":         {model(15, x, initializer("i", 7, []int64{1}, packed(tensorInt64Data, 1)), node("CastLike", "xi", "y"), output1("y")), []string{"Cast"}},
	} {
		p, err := Unmarshal(c.model)
		require.NoError(t, err, name)
		require.Equal(t, c.want, ops(p), name)
	}
}

func TestVectorsLeaveTheirAxisOut(t *testing.T) {
	for in, want := range map[string]tensor.Shape{"ab": {2, 4}, "bv": {2, 3}, "vv": {}, "wm": {5}, "mc": {6}} {
		p, err := Unmarshal(model(13, input("a", 3), input("b", 2, 3, 4), input("v", 4), input("w", 6), input("m", 6, 5), input("c", 5),
			node("MatMul", in, "y"), output1("y")))
		require.NoError(t, err, in)
		require.True(t, mustInfer(t, p).Types["y"].Shape.Equal(want), in)
	}
}

func TestOldClipHasConstantBounds(t *testing.T) {
	p, err := Unmarshal(model(6, input("x", 2), node("Clip", "x", "y", floatAttr("max", 6)), output1("y")))
	require.NoError(t, err)
	require.Equal(t, []string{"x", "", "y/max"}, p.Nodes[0].Inputs)
	require.Equal(t, []float64{6}, p.Consts[0].Tensor.Float64s())
}

func TestShapesAreFoldedFromWhatIsKnown(t *testing.T) {
	m := model(14, input("x", 2, 3), node("Shape", "x", "s"), node("Reshape", "xs", "y"), output1("y"))
	p, err := Unmarshal(m)
	require.NoError(t, err)
	require.Equal(t, []string{"Reshape"}, ops(p))
	require.Empty(t, p.Consts)
	require.Equal(t, []int64{2, 3}, p.Nodes[0].Attrs["shape"].Ints)

	// An input's value, handed over, becomes the shape, and no feed.
	m = model(14, input("x", 2, 3), sub(graphInput, text(valueName, "s"), tensorType(7, dim(1))), node("Reshape", "xs", "y"), output1("y"))
	_, err = Unmarshal(m)
	require.ErrorContains(t, err, "is computed")
	six := of(tensor.Shape{1}, []int64{6})
	p, err = Unmarshal(m, WithInputs(map[string]*tensor.Tensor{"s": six}))
	require.NoError(t, err)
	require.Len(t, p.Feeds, 1)

	// What an evaluator makes of it.
	m = model(14, input("x", 2, 3), sub(graphInput, text(valueName, "s"), tensorType(7, dim(1))), node("Add", "ss", "d"), node("Reshape", "xd", "y"), output1("y"))
	_, err = Unmarshal(m, WithInputs(map[string]*tensor.Tensor{"s": six}))
	require.ErrorContains(t, err, "is computed")
	p, err = Unmarshal(m, WithInputs(map[string]*tensor.Tensor{"s": of(tensor.Shape{1}, []int64{3})}), WithEvaluator(func(c *graph.Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		require.Equal(t, "Add", c.Op.Name)
		return []*tensor.Tensor{of(tensor.Shape{1}, []int64{tensor.View[int64](in[0].Data)[0] * 2})}, nil
	}))
	require.NoError(t, err)
	require.Equal(t, []string{"Reshape"}, ops(p))
	require.Equal(t, []int64{6}, p.Nodes[0].Attrs["shape"].Ints)
}

func TestReductionsWithoutAxes(t *testing.T) {
	_, err := Unmarshal(model(18, input("x", 2), node("ReduceL2", "x", "y", intAttr("noop_with_empty_axes", 1)), output1("y")))
	require.ErrorContains(t, err, "noop_with_empty_axes")
	p, err := Unmarshal(model(18, input("x", 2), initializer("a", 7, []int64{0}, text(tensorRawData, "")), node("ReduceMax", "xa", "y"), output1("y")))
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{1}, mustInfer(t, p).Types["y"].Shape)
}

func mustInfer(t *testing.T, p *graph.Program) *graph.Graph {
	g, err := p.Infer()
	require.NoError(t, err)
	return g
}
