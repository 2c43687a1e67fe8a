package workloads

import "math"

// What can be said of a classifier once every image is counted, beside top-1 and
// top-5: per class and as a whole. Definitions are scikit-learn's, which the
// tests hold them against.

// CalibrationBins is how many bins of equal width confidence is sorted into,
// as Guo, Pleiss, Sun and Weinberger have them ("On Calibration of Modern
// Neural Networks", 2017, §4).
const CalibrationBins = 15

// CalibrationBin holds the images whose confidence, the softmax probability of
// the predicted class, lies in (i/15, (i+1)/15].
type CalibrationBin struct {
	Images     int     `json:"images"`
	Correct    int     `json:"correct"`
	Confidence float64 `json:"confidence"` // sum over the images
}

func (b *CalibrationBin) add(confidence float64, correct bool) {
	b.Images++
	b.Confidence += confidence
	if correct {
		b.Correct++
	}
}

func calibrationBin(confidence float64) int {
	return min(max(int(math.Ceil(confidence*CalibrationBins))-1, 0), CalibrationBins-1)
}

// CalibrationError is the expected calibration error (ibid., equation 3): the
// mean over the images of |share correct − mean confidence| of their bin.
func (e *Evaluation) CalibrationError() float64 {
	sum := 0.0
	for _, b := range e.Calibration {
		sum += math.Abs(float64(b.Correct) - b.Confidence)
	}
	return sum / float64(e.Images)
}

// ClassScore is how well one class is told from the others.
type ClassScore struct {
	Images    int     `json:"images"`    // that are of the class
	Predicted int     `json:"predicted"` // that were taken for it
	Precision float64 `json:"precision"` // share of those predicted that are of it; 0 if there are none
	Recall    float64 `json:"recall"`    // share of those of it that were predicted; 0 if there are none
	F1        float64 `json:"f1"`        // harmonic mean of both; 0 where both are 0
}

// Classes are the scores by class.
func (e *Evaluation) Classes() []ClassScore {
	list := make([]ClassScore, len(e.Confusion))
	for label, row := range e.Confusion {
		for predicted, n := range row {
			list[label].Images += n
			list[predicted].Predicted += n
		}
	}
	for i := range list {
		c, right := &list[i], float64(e.Confusion[i][i])
		if c.Predicted > 0 {
			c.Precision = right / float64(c.Predicted)
		}
		if c.Images > 0 {
			c.Recall = right / float64(c.Images)
		}
		if right > 0 {
			c.F1 = 2 * right / float64(c.Predicted+c.Images)
		}
	}
	return list
}

// MacroF1 is the mean F1 over the classes that an image has or was taken for.
func (e *Evaluation) MacroF1() float64 {
	sum, n := 0.0, 0
	for _, c := range e.Classes() {
		if c.Images+c.Predicted > 0 {
			sum += c.F1
			n++
		}
	}
	return sum / float64(n)
}
