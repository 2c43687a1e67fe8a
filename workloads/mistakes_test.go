package workloads

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEvaluationKeepsTheWorstMistakes(t *testing.T) {
	r := newEvaluation(3)
	require.Empty(t, r.Mistakes)
	r.add(0, []float32{0, 5, 0}, 1) // right
	for i := 1; i <= MistakesKept+5; i++ {
		r.add(i, []float32{float32(i % 9), 0, 0}, 2)
	}
	require.Len(t, r.Mistakes, MistakesKept)
	for i, m := range r.Mistakes {
		require.Equal(t, 2, m.Label)
		require.Zero(t, m.Predicted)
		gap := float64(m.Image % 9)
		require.InDelta(t, gap-math.Log(1/(1+2*math.Exp(-gap))), m.Loss, 1e-9)
		require.InDelta(t, 1/(1+2*math.Exp(-gap)), m.Confidence, 1e-9)
		if i > 0 {
			p := r.Mistakes[i-1]
			require.True(t, p.Loss > m.Loss || p.Loss == m.Loss && p.Image < m.Image, "%v before %v", p, m)
		}
	}
	require.Equal(t, 8, r.Mistakes[0].Image) // the first of the largest gap
}
