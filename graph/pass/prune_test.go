package pass

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/autodiff"
	"github.com/clsbench/clsbench/tensor"
)

func TestPruneDropsWhatNobodyReads(t *testing.T) {
	b := graph.NewBuilder("p")
	x := b.Feed("x", tensor.T(tensor.F32, 1, 1, 4, 4))
	w := b.State("w", tensor.T(tensor.F32, 1, 1, 2, 2))
	b.Op("Exp", nil, b.Op("Mul", nil, x, b.Scalar(tensor.F32, 2))) // a dead chain with its constant
	y := b.Op("Conv", nil, x, w)
	loss := b.Op("ReduceSum", graph.Attrs{"keepdims": graph.I(0)}, y)
	b.Fetch(loss)
	b.SetOrigin(loss, "SGD")
	grads, err := autodiff.Gradients(b, loss, []graph.Value{w})
	require.NoError(t, err)
	b.Update(w, grads[0])
	p, err := b.Program()
	require.NoError(t, err)

	q := Prune(p)
	g, err := q.Infer()
	require.NoError(t, err)
	var ops []string
	for _, n := range q.Nodes {
		ops = append(ops, n.Op)
	}
	require.Equal(t, []string{"Conv", "ReduceSum", "Reshape", "Expand", "ConvWeightGrad"}, ops)
	require.Equal(t, 2, q.Origin.Forward)
	require.Equal(t, loss.Name, q.Nodes[1].Outputs[0])
	require.Len(t, q.Consts, 1)
	require.Contains(t, g.Types, grads[0].Name)
	require.Len(t, p.Nodes, 8, "the program given is left alone")
	require.Equal(t, q, Prune(q))
}
