package conformance

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The second formula of every op's smoke cases passes as a backend would.
func TestSecondOracleAgrees(t *testing.T) {
	o := &Oracle{}
	asked := map[string]bool{}
	for _, c := range Cases() {
		if c.Effort > Smoke || c.sampled > 0 {
			continue
		}
		p := c.Prepare(3, o)
		require.Empty(t, p.Mistrusted(), c.Name())
		s := p.trials[0].secondOracle(o)
		if s.Name == noOracle {
			require.NotEmpty(t, s.Why, c.Name())
			require.Nil(t, s.Agrees)
			continue
		}
		require.True(t, *s.Agrees, "%s: %v times the bound", c.Name(), *s.Difference)
		for _, op := range s.Ops {
			asked[op] = true
		}
	}
	for _, op := range []string{"Gemm", "Softmax", "Gelu", "LayerNormalization", "SoftmaxCrossEntropy", "SGD", "Adam", "Attention"} {
		require.True(t, asked[op], op)
	}
}

// A reference that is wrong by a few bounds in one element does not agree.
func TestSecondOracleContradicts(t *testing.T) {
	for _, op := range []string{"Softmax", "Gemm", "LayerNormalization"} {
		for _, c := range Cases() {
			if c.Op != op || c.Effort > Smoke || c.Class != "real" {
				continue
			}
			trial := c.Prepare(3, &Oracle{}).trials[0]
			e := trial.expect[0]
			e.want[len(e.want)/2] += 3 * e.limit[len(e.want)/2]
			s := trial.secondOracle(&Oracle{})
			require.Equal(t, byDecomposition, s.Name, c.Name())
			require.Contains(t, s.Ops, op)
			require.False(t, *s.Agrees, c.Name())
			require.Greater(t, float64(*s.Difference), 1.5, c.Name())
		}
	}
}

// Core ops have no second formula, and say which goldens hold the first.
func TestGoldensOfCoreOps(t *testing.T) {
	for _, c := range Cases() {
		if c.Op != "Conv" || c.Effort > Smoke {
			continue
		}
		s := c.Prepare(3, &Oracle{}).trials[0].secondOracle(&Oracle{})
		require.Equal(t, noOracle, s.Name)
		require.Contains(t, s.Why, "core ops alone")
		require.NotEmpty(t, s.Goldens)
		for _, g := range s.Goldens {
			require.Positive(t, g.Cases)
			_, err := os.Stat(filepath.Join("..", g.File))
			require.NoError(t, err)
		}
	}
}
