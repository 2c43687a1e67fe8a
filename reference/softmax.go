package reference

import "math"

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

// LogSoftmax is the logarithm of Softmax along one axis:
//
//	Y[j] = X[j] − m − log Σ_l exp(X[l] − m), m = max_l X[l]
func LogSoftmax(acc *Acc, x *Array, axis int) *Array {
	y := New(x.Shape...)
	rows, along := split(x.Shape, []int{axis})
	for _, row := range rows {
		m := math.Inf(-1)
		for _, j := range along {
			m = max(m, x.Data[row+j])
		}
		s := acc.New()
		for _, j := range along {
			s = s.Plus(math.Exp(x.Data[row+j] - m))
		}
		log := math.Log(s.Value())
		for _, j := range along {
			y.Data[row+j] = x.Data[row+j] - m - log
		}
	}
	return y
}
