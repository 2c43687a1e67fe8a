package reference

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// In this file scores X are N×C×d1×…, the C classes along axis 1. A row r is
// an index of all other axes, and what has the shape of the rows is N×d1×….

// LossParams says how a loss over classes treats its labels and its rows.
type LossParams struct {
	Reduction string // over rows: "none", "sum" or "mean"
	// Smoothing is how much of a label's share is spread evenly over all
	// classes (Szegedy et al., "Rethinking the Inception Architecture for
	// Computer Vision", CVPR 2016, §7).
	Smoothing float64
	// Ignore is a label whose rows do not count; nil: there is none.
	Ignore *float64
	// Soft says that labels are distributions, N×C×d1×…, and no classes.
	Soft bool
}

// Targets is what the cross-entropy is taken with:
//
//	t[r,c] = w[c]·((1 − ε)·[c = labels[r]] + ε/C), 0 in rows that are ignored
//	t[r,c] = w[c]·((1 − ε)·labels[r,c] + ε/C), if labels are distributions
//
// t has the scores' shape, w is one weight a class, nil for ones. divisor is
// what a mean divides by: Σ_r w[labels[r]] over the rows that count, whatever
// ε is, or the number of rows if labels are distributions. A label outside of
// the classes, but that of ignored rows, is an error.
func Targets(acc *Acc, shape tensor.Shape, labels, w *Array, h LossParams) (t *Array, divisor float64, err error) {
	t = New(shape...)
	classes := shape[1]
	weight := func(c int) float64 {
		if w == nil {
			return 1
		}
		return w.Data[c]
	}
	sum := acc.New()
	rows, along := split(shape, []int{1})
	for r, row := range rows {
		label := -1
		if !h.Soft {
			if h.Ignore != nil && labels.Data[r] == *h.Ignore {
				continue
			}
			if label = int(labels.Data[r]); label < 0 || label >= classes {
				return nil, 0, fmt.Errorf("input labels: label %d in row %d, want 0 to %d", label, r, classes-1)
			}
			sum = sum.Plus(weight(label))
		}
		for c, j := range along {
			share := truth(c == label)
			if h.Soft {
				share = labels.Data[row+j]
			}
			t.Data[row+j] = weight(c) * ((1-h.Smoothing)*share + h.Smoothing/float64(classes))
		}
	}
	if h.Soft {
		return t, float64(len(rows)), nil
	}
	return t, sum.Value(), nil
}

// SoftmaxCrossEntropy is the cross-entropy of the targets t and the softmax of
// the logits (Bishop, Pattern Recognition and Machine Learning, 2006, §4.3.4):
//
//	lse[r] = log Σ_c exp(X[r,c]), loss[r] = Σ_c t[r,c]·(lse[r] − X[r,c])
//
// lse has the rows' shape. A class without a share adds nothing, whatever its
// logit.
func SoftmaxCrossEntropy(acc *Acc, logits, labels, w *Array, h LossParams) (loss, lse *Array, err error) {
	t, divisor, err := Targets(acc, logits.Shape, labels, w, h)
	if err != nil {
		return nil, nil, err
	}
	lse = LogSumExp(acc, logits)
	losses := New(lse.Shape...)
	rows, along := split(logits.Shape, []int{1})
	for r, row := range rows {
		s := acc.New()
		for _, j := range along {
			if t.Data[row+j] != 0 {
				s = s.Plus(t.Data[row+j] * (lse.Data[r] - logits.Data[row+j]))
			}
		}
		losses.Data[r] = s.Value()
	}
	return reduceLosses(acc, losses, divisor, h.Reduction), lse, nil
}

// LogSumExp is lse[r] = m + log Σ_c exp(X[r,c] − m) with m = max_c X[r,c].
func LogSumExp(acc *Acc, x *Array) *Array {
	lse := New(append(x.Shape[:1].Clone(), x.Shape[2:]...)...)
	rows, along := split(x.Shape, []int{1})
	for r, row := range rows {
		m := math.Inf(-1)
		for _, j := range along {
			m = max(m, x.Data[row+j])
		}
		s := acc.New()
		for _, j := range along {
			s = s.Plus(math.Exp(x.Data[row+j] - m))
		}
		lse.Data[r] = m + math.Log(s.Value())
	}
	return lse
}

// reduceLosses folds the losses of all rows as the reduction says.
func reduceLosses(acc *Acc, losses *Array, divisor float64, reduction string) *Array {
	if reduction == "none" {
		return losses
	}
	s := acc.New()
	for _, l := range losses.Data {
		s = s.Plus(l)
	}
	y := New()
	y.Data[0] = s.Value()
	if reduction == "mean" {
		y.Data[0] /= divisor
	}
	return y
}

// SoftmaxCrossEntropyGrad is the gradient of the logits:
//
//	dX[r,c] = (exp(X[r,c] − lse[r])·Σ_k t[r,k] − t[r,c]) · scale[r]
//
// where scale is dloss[r], or for the sum dloss, or for the mean dloss over
// its divisor. An ignored row has no gradient, even where none counts.
func SoftmaxCrossEntropyGrad(acc *Acc, dloss, logits, labels, lse, w *Array, h LossParams) (*Array, error) {
	t, divisor, err := Targets(acc, logits.Shape, labels, w, h)
	if err != nil {
		return nil, err
	}
	d := New(logits.Shape...)
	rows, along := split(logits.Shape, []int{1})
	for r, row := range rows {
		if h.Ignore != nil && labels.Data[r] == *h.Ignore {
			continue
		}
		s := acc.New()
		for _, j := range along {
			s = s.Plus(t.Data[row+j])
		}
		total := s.Value()
		for _, j := range along {
			p := math.Exp(logits.Data[row+j] - lse.Data[r])
			d.Data[row+j] = (p*total - t.Data[row+j]) * rowScale(dloss, r, divisor, h.Reduction)
		}
	}
	return d, nil
}

func rowScale(dloss *Array, r int, divisor float64, reduction string) float64 {
	switch reduction {
	case "none":
		return dloss.Data[r]
	case "mean":
		return dloss.Data[0] / divisor
	}
	return dloss.Data[0]
}

// SoftmaxCrossEntropyLoss is ONNX's name and form of it: beside the loss it
// gives the log-probabilities X[r,c] − lse[r].
func SoftmaxCrossEntropyLoss(acc *Acc, scores, labels, w *Array, h LossParams) (loss, logProb *Array, err error) {
	loss, lse, err := SoftmaxCrossEntropy(acc, scores, labels, w, h)
	if err != nil {
		return nil, nil, err
	}
	logProb = New(scores.Shape...)
	rows, along := split(scores.Shape, []int{1})
	for r, row := range rows {
		for _, j := range along {
			logProb.Data[row+j] = scores.Data[row+j] - lse.Data[r]
		}
	}
	return loss, logProb, nil
}

// NegativeLogLikelihoodLoss is loss[r] = −Σ_c t[r,c]·X[r,c] of
// log-probabilities X.
func NegativeLogLikelihoodLoss(acc *Acc, logProb, labels, w *Array, h LossParams) (*Array, error) {
	t, divisor, err := Targets(acc, logProb.Shape, labels, w, h)
	if err != nil {
		return nil, err
	}
	losses := New(append(logProb.Shape[:1].Clone(), logProb.Shape[2:]...)...)
	rows, along := split(logProb.Shape, []int{1})
	for r, row := range rows {
		for _, j := range along {
			if t.Data[row+j] != 0 {
				losses.Data[r] -= t.Data[row+j] * logProb.Data[row+j]
			}
		}
	}
	return reduceLosses(acc, losses, divisor, h.Reduction), nil
}

// MSELoss is the squared error (x − y)² of every element, or its sum or mean
// over all of them.
func MSELoss(acc *Acc, x, y *Array, reduction string) *Array {
	d := apply2(x, y, func(x, y float64) float64 { return (x - y) * (x - y) })
	return reduceLosses(acc, d, float64(len(d.Data)), reduction)
}
