package reference

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// Softmax along one axis (Bridle, "Probabilistic Interpretation of Feedforward
// Classification Network Outputs", 1990):
//
//	Y[j] = exp(X[j] − m) / Σ_l exp(X[l] − m), m = max_l X[l]
//
// for each row of elements along the axis. Y has X's shape. Subtracting m
// changes nothing but the overflow.
func Softmax(acc *Acc, x *Array, axis int) *Array {
	y := New(x.Shape...)
	rows, along := split(x.Shape, []int{axis})
	for _, row := range rows {
		m := math.Inf(-1)
		for _, j := range along {
			m = max(m, x.Data[row+j]) // the builtin, which keeps NaN
		}
		s := acc.New()
		for _, j := range along {
			y.Data[row+j] = math.Exp(x.Data[row+j] - m)
			s = s.Plus(y.Data[row+j])
		}
		sum := s.Value()
		for _, j := range along {
			y.Data[row+j] /= sum
		}
	}
	return y
}

// SoftmaxCrossEntropy is the negative log likelihood of the labels under the
// softmax of the logits (Bishop, Pattern Recognition and Machine Learning,
// 2006, §4.3.4):
//
//	lse[n] = log Σ_c exp(logits[n,c]), loss[n] = lse[n] − logits[n, labels[n]]
//
// logits N×C, labels N, lse N. reduction "none" gives all N losses, "sum" and
// "mean" a scalar. A label outside of the classes is an error.
func SoftmaxCrossEntropy(acc *Acc, logits, labels *Array, reduction string) (loss, lse *Array, err error) {
	n, classes := logits.Shape[0], logits.Shape[1]
	if err := checkLabels(labels, classes); err != nil {
		return nil, nil, err
	}
	losses := New(n)
	lse = New(n)
	for i := range n {
		row := logits.Data[i*classes:][:classes]
		m := math.Inf(-1)
		for _, x := range row {
			m = max(m, x)
		}
		s := acc.New()
		for _, x := range row {
			s = s.Plus(math.Exp(x - m))
		}
		lse.Data[i] = m + math.Log(s.Value())
		losses.Data[i] = lse.Data[i] - row[int(labels.Data[i])]
	}
	switch reduction {
	case "sum":
		return ReduceSum(losses, []int{0}, tensor.Shape{}).Array(acc), lse, nil
	case "mean":
		return ReduceMean(losses, []int{0}, tensor.Shape{}).Array(acc), lse, nil
	}
	return losses, lse, nil
}

// SoftmaxCrossEntropyGrad is the gradient of the logits:
//
//	dlogits[n,c] = (exp(logits[n,c] − lse[n]) − [c = labels[n]]) · dloss
//
// where dloss is a scalar, divided by N for the mean, or, for the reduction
// "none", dloss[n]. lse N is SoftmaxCrossEntropy's.
func SoftmaxCrossEntropyGrad(dloss, logits, labels, lse *Array, reduction string) (*Array, error) {
	n, classes := logits.Shape[0], logits.Shape[1]
	if err := checkLabels(labels, classes); err != nil {
		return nil, err
	}
	d := New(n, classes)
	for i := range n {
		var scale float64
		switch reduction {
		case "none":
			scale = dloss.Data[i]
		case "sum":
			scale = dloss.Data[0]
		case "mean":
			scale = dloss.Data[0] / float64(n)
		}
		for c := range classes {
			p := math.Exp(logits.Data[i*classes+c] - lse.Data[i])
			hot := truth(float64(c) == labels.Data[i])
			d.Data[i*classes+c] = (p - hot) * scale
		}
	}
	return d, nil
}

func checkLabels(labels *Array, classes int) error {
	for i, l := range labels.Data {
		if !(l >= 0 && l < float64(classes)) {
			return fmt.Errorf("input labels: label %v in row %d, want 0 to %d", l, i, classes-1)
		}
	}
	return nil
}
