package opsample

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

func TestEveryRowHasSamplesThatInfer(t *testing.T) {
	sampled := map[string]bool{}
	names := map[string]bool{}
	for _, s := range All() {
		sampled[s.Op] = true
		require.False(t, names[s.String()], "%s stands twice", s)
		names[s.String()] = true
		for _, d := range graph.Floats.DTypes() {
			p, err := s.Program(d)
			require.NoError(t, err, s)
			feeds := s.Feeds(d, 1)
			require.Len(t, feeds, len(p.Feeds), s)
			for _, f := range p.Feeds {
				require.True(t, f.Type.Equal(feeds[f.Name].Type), "%s: feed %s", s, f.Name)
			}
		}
	}
	for _, op := range graph.Ops() {
		require.True(t, sampled[op.Name], "no sample of %s", op.Name)
	}
}

func TestFillsKeepTheirPromise(t *testing.T) {
	for seed := range uint64(5) {
		for _, v := range in(OffZero, 100).fill(tensor.F64, seed, 0).Float64s() {
			require.True(t, v >= 0.25 && v < 2 || v <= -0.25 && v >= -2, "%v", v)
		}
		seen := map[float64]bool{}
		for _, v := range in(Distinct, 100).fill(tensor.F64, seed, 0).Float64s() {
			require.False(t, seen[v])
			seen[v] = true
		}
		for _, v := range index(3, 100).fill(tensor.F64, seed, 0).Float64s() {
			require.True(t, v == 0 || v == 1 || v == 2)
		}
	}
}
