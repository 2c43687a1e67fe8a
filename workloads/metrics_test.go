package workloads

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// Against scikit-learn on random cases: testdata/metrics/generate.py.
func TestMetricsAgreeWithScikitLearn(t *testing.T) {
	text, err := os.ReadFile("testdata/metrics/metrics.json")
	require.NoError(t, err)
	var cases []struct {
		Classes               int
		Labels                []int
		Logits                []float32
		Top1, Top5, Loss      float64
		MacroF1               float64 `json:"macro_f1"`
		Precision, Recall, F1 []float64
		Confusion             [][]int
		CalibrationError      float64 `json:"calibration_error"`
	}
	require.NoError(t, json.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)
	const far = 1e-6 // the probabilities are of f32 logits
	for i, c := range cases {
		e := newEvaluation(c.Classes)
		for n, label := range c.Labels {
			e.add(n, c.Logits[n*c.Classes:(n+1)*c.Classes], label)
		}
		e.finish()
		require.Equal(t, c.Confusion, e.Confusion, i)
		require.InDelta(t, c.Top1, e.Top1, far, i)
		require.InDelta(t, c.Top5, e.Top5, far, i)
		require.InDelta(t, c.Loss, e.Loss, far, i)
		require.InDelta(t, c.MacroF1, e.MacroF1(), far, i)
		require.InDelta(t, c.CalibrationError, e.CalibrationError(), far, i)
		for k, s := range e.Classes() {
			require.InDelta(t, c.Precision[k], s.Precision, far, "case %d class %d", i, k)
			require.InDelta(t, c.Recall[k], s.Recall, far, "case %d class %d", i, k)
			require.InDelta(t, c.F1[k], s.F1, far, "case %d class %d", i, k)
		}
	}
}

// Confidences at the ends of a bin: each bin has its upper end.
func TestCalibrationBins(t *testing.T) {
	for confidence, bin := range map[float64]int{0: 0, 1. / 15: 0, 1./15 + 1e-9: 1, 0.5: 7, 1: 14} {
		require.Equal(t, bin, calibrationBin(confidence), confidence)
	}
}
