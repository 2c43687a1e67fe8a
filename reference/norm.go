package reference

// The normalisations. ⟨⟩ is the mean over a group of elements; what a group is
// makes the difference between them (normgroup.go). Sums of a formula that is
// written with ⟨⟩ are those of its group.

// BatchNormalization is batch norm in inference, by statistics that are given
// (Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training
// by Reducing Internal Covariate Shift", ICML 2015, algorithm 2):
//
//	Y[n,c,i] = scale[c]·(X[n,c,i] − mean[c])/√(variance[c] + ε) + bias[c]
//
// X and Y N×C×D…, all others C.
func BatchNormalization(x, scale, bias, mean, variance *Array, epsilon float64) *Array {
	return Normalize(x, scale, bias, mean, InverseDeviation(variance, epsilon), BatchGroups(x))
}

// BatchNormalizationTraining is batch norm in training (Ioffe and Szegedy 2015,
// algorithm 1), by the statistics of the batch, which move the running ones:
//
//	μ[c] = ⟨X[·,c,·]⟩, σ²[c] = ⟨(X[·,c,·] − μ[c])²⟩, r[c] = 1/√(σ²[c] + ε)
//	Y[n,c,i] = scale[c]·(X[n,c,i] − μ[c])·r[c] + bias[c]
//
// X and Y N×C×D…, all others C. How the running statistics move, and what skip
// is, see RunningStatistics. mean is μ, inv is r.
func BatchNormalizationTraining(acc *Acc, x, scale, bias, running, runningVar, skip *Array, epsilon, momentum float64, onnx bool) (y, nextMean, nextVar, mean, inv *Array) {
	g := BatchGroups(x)
	mean, variance, inv := Moments(acc, x, g, epsilon)
	nextMean, nextVar = RunningStatistics(running, runningVar, mean, variance, skip, g.size(), momentum, onnx)
	return Normalize(x, scale, bias, mean, inv, g), nextMean, nextVar, mean, inv
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

// LayerNormalization is layer norm over the axes from axis on (Ba, Kiros and
// Hinton, "Layer Normalization", 2016, eq. 3 and 4), l over their elements and
// s over those of the axes before:
//
//	μ[s] = ⟨X[s,·]⟩, σ²[s] = ⟨(X[s,·] − μ[s])²⟩, r[s] = 1/√(σ²[s] + ε)
//	Y[s,l] = scale[l]·(X[s,l] − μ[s])·r[s] + bias[l]
//
// scale, and bias, which may be nil, broadcast to the axes from axis on. Y has
// X's shape; mean, μ, and inv, r, have it with those axes as 1.
func LayerNormalization(acc *Acc, x, scale, bias *Array, axis int, epsilon float64) (y, mean, inv *Array) {
	g := LayerGroups(x, axis)
	mean, _, inv = Moments(acc, x, g, epsilon)
	scale = Expand(scale, x.Shape[axis:])
	if bias != nil {
		bias = Expand(bias, x.Shape[axis:])
	}
	shape := x.Shape.Clone()
	for a := axis; a < len(shape); a++ {
		shape[a] = 1
	}
	return Normalize(x, scale, bias, mean, inv, g), mean.reshaped(shape), inv.reshaped(shape)
}

// RMSNormalization is layer norm without the mean (Zhang and Sennrich, "Root
// Mean Square Layer Normalization", NeurIPS 2019, eq. 4), s and l as in
// LayerNormalization:
//
//	Y[s,l] = scale[l]·X[s,l]·r[s], r[s] = 1/√(⟨X[s,·]²⟩ + ε)
//
// scale broadcasts to the axes from axis on, Y has X's shape.
func RMSNormalization(acc *Acc, x, scale *Array, axis int, epsilon float64) *Array {
	g := LayerGroups(x, axis)
	scale = Expand(scale, x.Shape[axis:])
	r := InverseDeviation(meanSquare(acc, x, g), epsilon)
	return g.each(func(group, at int) float64 { return x.Data[at] * r.Data[group] * scale.Data[g.parameter(at)] })
}

// GroupNormalization is group norm (Wu and He, "Group Normalization", ECCV
// 2018, §3.1): G groups of an image's neighbouring channels, that of channel c
// being g = ⌊c / (C/G)⌋, each have a mean and a deviation:
//
//	μ[n,g] = ⟨X[n,·,·]⟩, σ²[n,g] = ⟨(X[n,·,·] − μ[n,g])²⟩, over the channels of g
//	Y[n,c,i] = scale[c]·(X[n,c,i] − μ[n,g])/√(σ²[n,g] + ε) + bias[c]
//
// X and Y N×C×D…, scale and bias C.
func GroupNormalization(acc *Acc, x, scale, bias *Array, groups int, epsilon float64) *Array {
	g := ChannelGroups(x, groups)
	mean, _, inv := Moments(acc, x, g, epsilon)
	return Normalize(x, scale, bias, mean, inv, g)
}

// InstanceNormalization is instance norm (Ulyanov, Vedaldi and Lempitsky,
// "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016,
// eq. 1): each channel of each image has a mean and a deviation:
//
//	μ[n,c] = ⟨X[n,c,·]⟩, σ²[n,c] = ⟨(X[n,c,·] − μ[n,c])²⟩
//	Y[n,c,i] = scale[c]·(X[n,c,i] − μ[n,c])/√(σ²[n,c] + ε) + bias[c]
//
// X and Y N×C×D…, scale and bias C.
func InstanceNormalization(acc *Acc, x, scale, bias *Array, epsilon float64) *Array {
	return GroupNormalization(acc, x, scale, bias, x.Shape[1], epsilon)
}
