package reference

import "math"

// The normalisations of this file replace mean and deviation of a group of
// elements by scale and bias:
//
//	Y = x̂·scale + bias, x̂ = (X − μ)·r, r = 1/√(σ² + ε)
//	μ = (1/n)·Σ X, σ² = (1/n)·Σ (X − μ)²
//
// sums over the n elements of the group. Y and dX have X's shape. They differ
// in what a group is, and in which elements share a scale and a bias.
//
//	batch norm     a channel of all images
//	layer norm     the axes from axis on, of each index of those before
//	group norm     a run of neighbouring channels of an image
//	instance norm  a channel of an image

// Groups are the groups of an array: element (group i, member j) is at flat
// position first[i] + members[j], and scale and bias of a flat position are at
// parameter(position).
type Groups struct {
	first, members []int
	parameter      func(position int) int
}

// BatchGroups are for X N×C×D…: C groups.
func BatchGroups(x *Array) Groups {
	axes := []int{0}
	for a := 2; a < len(x.Shape); a++ {
		axes = append(axes, a)
	}
	first, members := split(x.Shape, axes)
	return Groups{first, members, channel(x)}
}

// channel is the index along axis 1.
func channel(x *Array) func(int) int {
	plane := x.Shape[2:].Elements()
	return func(position int) int { return position / plane % x.Shape[1] }
}

// LayerGroups are for an X of any rank; scale and bias have the shape of the
// axes from axis on.
func LayerGroups(x *Array, axis int) Groups {
	rows, n := x.Shape[:axis].Elements(), x.Shape[axis:].Elements()
	first, members := split([]int{rows, n}, []int{1})
	return Groups{first, members, func(position int) int { return position % n }}
}

// ChannelGroups are for X N×C×D…: N·groups groups of C/groups channels.
func ChannelGroups(x *Array, groups int) Groups {
	n, c := x.Shape[0], x.Shape[1]
	first, members := split([]int{n * groups, c / groups * x.Shape[2:].Elements()}, []int{1})
	return Groups{first, members, channel(x)}
}

// Moments are the mean μ, the variance σ² and the inverse deviation r of each
// group. The variance takes a second pass over the elements: the mean of the
// squares less the square of the mean would cancel (Chan, Golub and LeVeque,
// "Algorithms for Computing the Sample Variance", 1983).
func Moments(acc *Acc, x *Array, g Groups, epsilon float64) (mean, variance, inv *Array) {
	mean, variance, inv = New(len(g.first)), New(len(g.first)), New(len(g.first))
	n := float64(len(g.members))
	for i, first := range g.first {
		s := acc.New()
		for _, j := range g.members {
			s = s.Plus(x.Data[first+j])
		}
		mean.Data[i] = s.Value() / n
		s = acc.New()
		for _, j := range g.members {
			d := x.Data[first+j] - mean.Data[i]
			s = s.Plus(d * d)
		}
		variance.Data[i] = s.Value() / n
		inv.Data[i] = 1 / math.Sqrt(variance.Data[i]+epsilon)
	}
	return mean, variance, inv
}

// MeanSquares are the moments about 0: the mean is 0, the variance the mean of
// the squares (Zhang and Sennrich, "Root Mean Square Layer Normalization",
// NeurIPS 2019).
func MeanSquares(acc *Acc, x *Array, g Groups, epsilon float64) (mean, square, inv *Array) {
	mean, square, inv = New(len(g.first)), New(len(g.first)), New(len(g.first))
	for i, first := range g.first {
		s := acc.New()
		for _, j := range g.members {
			s = s.Plus(x.Data[first+j] * x.Data[first+j])
		}
		square.Data[i] = s.Value() / float64(len(g.members))
		inv.Data[i] = 1 / math.Sqrt(square.Data[i]+epsilon)
	}
	return mean, square, inv
}

// Normalize is Y = (X − μ)·r·scale + bias with the μ and r of each element's
// group; bias may be nil (Ioffe and Szegedy, "Batch Normalization", ICML 2015,
// algorithm 1; Ba, Kiros and Hinton, "Layer Normalization", 2016; Wu and He,
// "Group Normalization", ECCV 2018; Ulyanov, Vedaldi and Lempitsky, "Instance
// Normalization", 2016). In inference batch norm has given statistics.
func Normalize(x, scale, bias, mean, inv *Array, g Groups) *Array {
	y := New(x.Shape...)
	for i, first := range g.first {
		for _, j := range g.members {
			at := first + j
			p := g.parameter(at)
			y.Data[at] = (x.Data[at] - mean.Data[i]) * inv.Data[i] * scale.Data[p]
			if bias != nil {
				y.Data[at] += bias.Data[p]
			}
		}
	}
	return y
}

// InverseDeviations is r = 1/√(σ² + ε).
func InverseDeviations(variance *Array, epsilon float64) *Array {
	return apply(variance, func(v float64) float64 { return 1 / math.Sqrt(v+epsilon) })
}

// NormalizeGrad is the gradient of Normalize by X, scale and bias, the
// statistics being functions of X (Ioffe and Szegedy 2015, §3): with
// g = dY·scale and ⟨⟩ the mean over a group,
//
//	dX = r·(g − ⟨g⟩ − x̂·⟨g·x̂⟩), dscale = Σ dY·x̂, dbias = Σ dY
//
// the last two sums over all elements that share the parameter. Where the mean
// is fixed at 0 (MeanSquares), centred is false, ⟨g⟩ is missing. scale has the
// shape of dscale and dbias.
func NormalizeGrad(acc *Acc, dy, x, scale, mean, inv *Array, g Groups, centred bool) (dx, dscale, dbias *Array) {
	dx, dscale, dbias = New(x.Shape...), New(scale.Shape...), New(scale.Shape...)
	hat, n := New(x.Shape...), float64(len(g.members))
	for i, first := range g.first {
		sum, product := acc.New(), acc.New()
		for _, j := range g.members {
			at := first + j
			hat.Data[at] = (x.Data[at] - mean.Data[i]) * inv.Data[i]
			gradient := dy.Data[at] * scale.Data[g.parameter(at)]
			sum, product = sum.Plus(gradient), product.Plus(gradient*hat.Data[at])
		}
		meanGradient, meanProduct := sum.Value()/n, product.Value()/n
		if !centred {
			meanGradient = 0
		}
		for _, j := range g.members {
			at := first + j
			gradient := dy.Data[at] * scale.Data[g.parameter(at)]
			dx.Data[at] = inv.Data[i] * (gradient - meanGradient - hat.Data[at]*meanProduct)
		}
	}
	// The elements of each parameter, in row-major order.
	shares := make([][]int, len(scale.Data))
	for at := range x.Data {
		p := g.parameter(at)
		shares[p] = append(shares[p], at)
	}
	for p, share := range shares {
		ds, db := acc.New(), acc.New()
		for _, at := range share {
			ds, db = ds.Plus(dy.Data[at]*hat.Data[at]), db.Plus(dy.Data[at])
		}
		dscale.Data[p], dbias.Data[p] = ds.Value(), db.Value()
	}
	return dx, dscale, dbias
}

// RunningStatistics moves the running mean and variance towards a batch's. As
// PyTorch does it, with the variance of a sample, n/(n − 1) times the
// population's (n elements a channel; that of a single one stays as it is):
//
//	next = (1 − momentum)·running + momentum·batch
//
// As ONNX does it, with the population's variance:
//
//	next = momentum·running + (1 − momentum)·batch
//
// skip may be nil; where it is true (not 0) nothing changes.
func RunningStatistics(running, runningVar, mean, variance, skip *Array, n int, momentum float64, onnx bool) (nextMean, nextVar *Array) {
	if skipped(skip) {
		return copyOf(running), copyOf(runningVar)
	}
	keep, take, unbias := 1-momentum, momentum, float64(n)/max(float64(n)-1, 1)
	if onnx {
		keep, take, unbias = momentum, 1-momentum, 1
	}
	nextMean, nextVar = New(len(mean.Data)), New(len(mean.Data))
	for c := range mean.Data {
		nextMean.Data[c] = keep*running.Data[c] + take*mean.Data[c]
		nextVar.Data[c] = keep*runningVar.Data[c] + take*variance.Data[c]*unbias
	}
	return nextMean, nextVar
}
