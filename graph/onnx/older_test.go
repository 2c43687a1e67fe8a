package onnx

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// one is a program of one op on f32 inputs of the shapes.
func one(t *testing.T, op string, attrs graph.Attrs, outputs int, shapes ...tensor.Shape) *graph.Program {
	b := graph.NewBuilder(op)
	var in []graph.Value
	for i, s := range shapes {
		in = append(in, b.Feed(string(rune('a'+i)), tensor.Type{DType: tensor.F32, Shape: s}))
	}
	b.Fetch(b.OpN(op, attrs, outputs, in...)...)
	p, err := b.Program()
	require.NoError(t, err)
	return p
}

func TestOlderOpsetsSayItInTheirWords(t *testing.T) {
	x := tensor.Shape{2, 5, 3}
	for _, c := range []struct {
		op      string
		attrs   graph.Attrs
		outputs int
		shapes  []tensor.Shape
		inputs  int      // of the node in opset 13
		names   []string // of its attributes there
		read    graph.Attrs
	}{
		{"ReduceMax", graph.Attrs{"axes": graph.L(1), "keepdims": graph.I(1)}, 1, []tensor.Shape{x}, 1, []string{"axes", "keepdims"}, nil},
		{"ReduceSum", graph.Attrs{"axes": graph.L(1)}, 1, []tensor.Shape{x}, 2, nil, nil},
		{"Split", graph.Attrs{"axis": graph.I(1), "num_outputs": graph.I(2)}, 2, []tensor.Shape{x}, 2, []string{"axis"},
			graph.Attrs{"axis": graph.I(1), "split": graph.L(3, 2)}},
		{"Pad", graph.Attrs{"axes": graph.L(-1, 0), "pads": graph.L(1, 2, 3, 4)}, 1, []tensor.Shape{x}, 2, nil,
			graph.Attrs{"pads": graph.L(2, 0, 1, 4, 0, 3)}},
		{"Reshape", graph.Attrs{"shape": graph.L(30), "allowzero": graph.I(1)}, 1, []tensor.Shape{x}, 2, nil,
			graph.Attrs{"shape": graph.L(30)}},
		{"AveragePool", graph.Attrs{"kernel_shape": graph.L(2), "dilations": graph.L(1)}, 1, []tensor.Shape{x}, 1, []string{"kernel_shape"},
			graph.Attrs{"kernel_shape": graph.L(2)}},
		{"BatchNormalization", graph.Attrs{"training_mode": graph.I(0)}, 1, []tensor.Shape{x, {5}, {5}, {5}, {5}}, 5, nil, graph.Attrs{}},
	} {
		t.Run(c.op, func(t *testing.T) {
			p := one(t, c.op, c.attrs, c.outputs, c.shapes...)
			b, err := Marshal(p, WithOpset(13))
			require.NoError(t, err)
			m, err := readModel(b)
			require.NoError(t, err)
			require.EqualValues(t, 13, m.opsets[graph.Std])
			require.Len(t, m.graph.nodes, 1)
			n := m.graph.nodes[0]
			require.Len(t, n.inputs, c.inputs)
			var names []string
			for _, a := range n.attrs {
				names = append(names, a.name)
			}
			require.Equal(t, c.names, names)

			q, err := Unmarshal(b)
			require.NoError(t, err)
			if c.read == nil {
				c.read = c.attrs
			}
			require.Equal(t, len(c.read), len(q.Nodes[0].Attrs), "%v", q.Nodes[0].Attrs)
			for name, a := range c.read {
				require.Equal(t, a, q.Nodes[0].Attrs[name], name)
			}
			want, err := p.Infer()
			require.NoError(t, err)
			got, err := q.Infer()
			require.NoError(t, err)
			for i, f := range p.Fetches {
				require.Equal(t, want.Types[f], got.Types[q.Fetches[i]])
			}
		})
	}
}

func TestOlderOpsetsRefuseWhatTheyLack(t *testing.T) {
	x := tensor.Shape{2, 4, 6, 6}
	for _, c := range []struct {
		op     string
		attrs  graph.Attrs
		shapes []tensor.Shape
		opset  int // the last that can't
	}{
		{"Gelu", nil, []tensor.Shape{x}, 19},
		{"HardSwish", nil, []tensor.Shape{x}, 13},
		{"Attention", nil, []tensor.Shape{x, x, x}, 22},
		{"LayerNormalization", nil, []tensor.Shape{x, {6}}, 16},
		{"AveragePool", graph.Attrs{"kernel_shape": graph.L(2, 2), "dilations": graph.L(2, 2)}, []tensor.Shape{x}, 18},
		{"MaxPool", graph.Attrs{"kernel_shape": graph.L(3, 3), "strides": graph.L(2, 2), "ceil_mode": graph.I(1)}, []tensor.Shape{x}, 21},
		{"Reshape", graph.Attrs{"shape": graph.L(0, 4), "allowzero": graph.I(1)}, []tensor.Shape{{0, 4}}, 13},
	} {
		p := one(t, c.op, c.attrs, 1, c.shapes...)
		_, err := Marshal(p, WithOpset(c.opset))
		require.ErrorContains(t, err, c.op)
		require.ErrorContains(t, err, "can't express it")
		_, err = Marshal(p, WithOpset(c.opset+1))
		require.NoError(t, err, c.op)
	}
	for _, opset := range []int{OldestWritten - 1, graph.Opset + 1} {
		_, err := Marshal(one(t, "Relu", nil, 1, x), WithOpset(opset))
		require.ErrorContains(t, err, "is not written")
	}
}

// Runtimes refuse a file whose format is younger than they are.
func TestOlderOpsetsComeInFilesOfTheirTime(t *testing.T) {
	for opset, want := range map[int]uint64{13: 7, 15: 8, 18: 8, 19: 9, 21: 10, 24: 10} {
		b, err := Marshal(one(t, "Relu", nil, 1, tensor.Shape{1}), WithOpset(opset))
		require.NoError(t, err)
		require.Equal(t, []byte{byte(modelIRVersion << 3), byte(want)}, b[:2])
	}
	plain, err := Marshal(one(t, "Relu", nil, 1, tensor.Shape{1}))
	require.NoError(t, err)
	same, err := Marshal(one(t, "Relu", nil, 1, tensor.Shape{1}), WithOpset(graph.Opset))
	require.NoError(t, err)
	require.Equal(t, plain, same)
}
