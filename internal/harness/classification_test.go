package harness

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads"
)

func TestClassificationKeepsWhatAnEvaluationFound(t *testing.T) {
	e := &workloads.Evaluation{Images: 10, Top5: 1, Loss: 0.5, Confusion: [][]int{{4, 1, 0}, {3, 2, 0}, {0, 0, 0}},
		Mistakes: []workloads.Mistake{{Image: 7, Label: 1, Predicted: 0, Confidence: 0.9, Loss: 3}}}
	e.Calibration[14] = workloads.CalibrationBin{Images: 10, Correct: 6, Confidence: 9.5}
	x := classification(e, []string{"cat", "dog"})
	require.Equal(t, []results.ClassScore{
		{Name: "cat", Images: 5, Predicted: 7, Precision: 4.0 / 7, Recall: 0.8},
		{Name: "dog", Images: 5, Predicted: 3, Precision: 2.0 / 3, Recall: 0.4},
		{},
	}, x.Classes)
	require.Equal(t, []results.Confusion{{Label: 1, Predicted: 0, Images: 3}, {Label: 0, Predicted: 1, Images: 1}}, x.Confusions)
	require.Equal(t, results.CalibrationBin{Images: 10, Correct: 6, Confidence: 0.95}, x.Calibration[14])
	require.Len(t, x.Calibration, workloads.CalibrationBins)
	require.InDelta(t, 0.35, x.CalibrationError, 1e-12)
	require.Equal(t, []results.Mistake{{Image: 7, Label: 1, Predicted: 0, Confidence: 0.9}}, x.Mistakes)
}
