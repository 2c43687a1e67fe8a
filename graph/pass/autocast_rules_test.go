package pass

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

func TestAutocastRulesAreOfOps(t *testing.T) {
	for name := range autocastRules {
		op := graph.Lookup(graph.Std, name)
		if op == nil {
			op = graph.Lookup(graph.Own, name)
		}
		require.NotNil(t, op, name)
		require.True(t, op.In(0).Types.Has(tensor.F16) && op.In(0).Types.Has(tensor.BF16), name)
	}
}
