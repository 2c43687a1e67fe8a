package reference

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
)

// A row without a function, or a function without a row, fails here.
func TestEveryRowHasAFunction(t *testing.T) {
	rows := map[string]bool{}
	for _, op := range graph.Ops() {
		rows[op.Name] = true
		f, ok := Lookup(op.Name)
		require.True(t, ok, "%s has no reference function", op.Name)
		require.NotNil(t, f.Outputs, op.Name)
	}
	for name := range table {
		require.True(t, rows[name], "%s is not in the op table", name)
	}
	// Networks too large to compute whole are judged at single outputs of these.
	for _, op := range []string{"Conv", "ConvInputGrad", "ConvWeightGrad", "MatMul", "Gemm", "AveragePool", "AveragePoolGrad", "ReduceSum", "ReduceMean"} {
		require.NotNil(t, table[op].Formula, op)
	}
}
