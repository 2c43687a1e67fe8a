package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Any two levels of any two parameters meet, in fewer rows than the product.
func TestCovering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		levels := rapid.SliceOfN(rapid.IntRange(1, 6), 2, 6).Draw(t, "levels")
		rows := covering(levels...)
		for p := range levels {
			for q := range p {
				met := map[[2]int]bool{}
				for _, r := range rows {
					require.Less(t, r[p], levels[p])
					met[[2]int{r[p], r[q]}] = true
				}
				require.Len(t, met, levels[p]*levels[q])
			}
		}
	})
	require.LessOrEqual(t, len(covering(5, 4, 4, 3, 4, 7, 6)), 60)
	require.Equal(t, covering(3, 4, 2), covering(3, 4, 2))
}
