package conformance_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/workloads"
)

func TestVerdictsFromGoldens(t *testing.T) {
	w, err := workloads.Lookup("mobilenetv3-small-0.35")
	require.NoError(t, err)
	for mode, faults := range map[string][]string{
		"inference": {"conv-kernel-flipped", "one-bit-of-one-element", "replays-its-last-answer"},
		"training":  {"conv-weight-grad-last-image", "update-lost"},
	} {
		golden, p, err := conformance.FindGolden(w, mode, 5)
		require.NoError(t, err)
		require.NotNil(t, golden)
		check := conformance.Check{Seed: 5, Golden: golden}
		v, err := conformance.JudgeProgram(ctx, built(t, rounded(), p, 2), check)
		require.NoError(t, err)
		require.Equal(t, conformance.Pass, v.Result, "%+v", v.Failures)
		require.Equal(t, len(golden.Sets), v.Total)
		require.Positive(t, float64(v.Worst), "a legal answer errs a little")
		for _, name := range faults {
			v, err := conformance.JudgeProgram(ctx, built(t, fault(t, name), p, 2), check)
			require.NoError(t, err)
			require.Equal(t, conformance.Fail, v.Result, name)
		}
	}
}
