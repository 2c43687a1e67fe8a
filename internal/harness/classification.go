package harness

import (
	"cmp"
	"slices"

	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads"
)

// classification is what a document keeps of an evaluation. A network may tell
// apart more classes than the set has names for.
func classification(e *workloads.Evaluation, names []string) *results.Classification {
	out := &results.Classification{Images: e.Images, Top5: e.Top5, Loss: e.Loss, MacroF1: e.MacroF1(), CalibrationError: e.CalibrationError()}
	for i, s := range e.Classes() {
		c := results.ClassScore{Images: s.Images, Predicted: s.Predicted, Precision: s.Precision, Recall: s.Recall}
		if i < len(names) {
			c.Name = names[i]
		}
		out.Classes = append(out.Classes, c)
	}
	for label, row := range e.Confusion {
		for predicted, n := range row {
			if n > 0 && label != predicted {
				out.Confusions = append(out.Confusions, results.Confusion{Label: label, Predicted: predicted, Images: n})
			}
		}
	}
	slices.SortStableFunc(out.Confusions, func(a, b results.Confusion) int { return cmp.Compare(b.Images, a.Images) })
	out.Confusions = out.Confusions[:min(len(out.Confusions), results.MaxConfusions)]
	for _, b := range e.Calibration {
		c := results.CalibrationBin{Images: b.Images, Correct: b.Correct}
		if b.Images > 0 {
			c.Confidence = b.Confidence / float64(b.Images)
		}
		out.Calibration = append(out.Calibration, c)
	}
	for _, m := range e.Mistakes {
		out.Mistakes = append(out.Mistakes, results.Mistake{Image: m.Image, Label: m.Label, Predicted: m.Predicted, Confidence: m.Confidence})
	}
	return out
}
