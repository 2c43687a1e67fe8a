package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clsbench/clsbench/tensor"
)

// Every pair of choices that may meet does, no point is forbidden, and there
// are far fewer points than the grid has.
func TestCoveringMeetsEveryPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		extents := rapid.SliceOfN(rapid.IntRange(1, 6), 2, 6).Draw(t, "extents")
		forbidden := rapid.Bool().Draw(t, "forbidden")
		allowed := func(p []int) bool { return !forbidden || extents[0] < 2 || extents[1] < 2 || p[0] != 0 || p[1] != 0 }
		points := covering(extents, allowed)
		for i := range extents {
			for j := i + 1; j < len(extents); j++ {
				met := map[[2]int]bool{}
				for _, p := range points {
					require.True(t, allowed(p))
					met[[2]int{p[i], p[j]}] = true
				}
				want := extents[i] * extents[j]
				if forbidden && i == 0 && j == 1 && extents[0] > 1 && extents[1] > 1 {
					want--
				}
				require.Len(t, met, want)
			}
		}
	})
	require.Less(t, len(blocks(tensor.F32)), 70)
	require.Greater(t, len(blocks(tensor.F32)), 39)
}
