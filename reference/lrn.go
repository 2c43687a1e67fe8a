package reference

import "math"

// LRNParams are the parameters of local response normalisation.
type LRNParams struct {
	Alpha, Beta, Bias float64
	Size              int // channels that a sum reaches
}

// LRN is local response normalisation (Krizhevsky, Sutskever and Hinton,
// "ImageNet Classification with Deep Convolutional Neural Networks", NeurIPS
// 2012, §3.3), with the sum's factor over size, as ONNX has it:
//
//	Y[n,c,d] = X[n,c,d]·S[n,c,d]^−β, S[n,c,d] = bias + (α/size)·Σ_k X[n,k,d]²
//	c − ⌊(size−1)/2⌋ ≤ k ≤ c + ⌈(size−1)/2⌉, of the channels that there are
//
// X and Y N×C×D….
func LRN(x *Array, p LRNParams) Formula {
	return Formula{x.Shape, func(acc *Acc, i int) float64 {
		return x.Data[i] * math.Pow(p.response(acc, x, i), -p.Beta)
	}}
}

// response is S at flat position i.
func (p LRNParams) response(acc *Acc, x *Array, i int) float64 {
	s := acc.New()
	for _, k := range p.reach(x, i, (p.Size-1)/2, p.Size/2) {
		s = s.Plus(x.Data[k] * x.Data[k])
	}
	return p.Bias + p.Alpha/float64(p.Size)*s.Value()
}

// reach lists the flat positions of the channels from so many before to so
// many after that of position i.
func (p LRNParams) reach(x *Array, i, before, after int) (list []int) {
	channels, plane := x.Shape[1], x.Shape[2:].Elements()
	c := i / plane % channels
	for k := max(c-before, 0); k <= min(c+after, channels-1); k++ {
		list = append(list, i+(k-c)*plane)
	}
	return list
}

// LRNGrad is the gradient of LRN by X:
//
//	dX[n,c,d] = dY·S^−β − (2αβ/size)·X·Σ_k dY[n,k,d]·X[n,k,d]·S[n,k,d]^(−β−1)
//
// over the channels k in whose sums c is: c − ⌈(size−1)/2⌉ to c + ⌊(size−1)/2⌋.
func LRNGrad(dy, x *Array, p LRNParams) Formula {
	return Formula{x.Shape, func(acc *Acc, i int) float64 {
		s := acc.New()
		for _, k := range p.reach(x, i, p.Size/2, (p.Size-1)/2) {
			s = s.Plus(dy.Data[k] * x.Data[k] * math.Pow(p.response(acc, x, k), -p.Beta-1))
		}
		direct := dy.Data[i] * math.Pow(p.response(acc, x, i), -p.Beta)
		return direct - 2*p.Alpha*p.Beta/float64(p.Size)*x.Data[i]*s.Value()
	}}
}
