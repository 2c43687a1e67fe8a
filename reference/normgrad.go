package reference

import "github.com/clsbench/clsbench/tensor"

// The gradients of the normalisations of norm.go: x̂ = (X − μ)·r, and ⟨⟩ is the
// mean over a group. dX has X's shape, dscale and dbias have scale's.

// BatchNormalizationGrad is BatchNormalizationTraining's gradient by X, scale
// and bias (Ioffe and Szegedy 2015, §3), see NormalizeGrad. X and dY N×C×D…,
// all others C; mean is μ, inv is r.
func BatchNormalizationGrad(acc *Acc, dy, x, scale, mean, inv *Array) (dx, dscale, dbias *Array) {
	return NormalizeGrad(acc, dy, x, scale, mean, inv, BatchGroups(x))
}

// LayerNormalizationGrad is LayerNormalization's gradient, see NormalizeGrad.
// scale has the shape of the axes from axis on; mean, μ, and inv, r, have an
// element for each index of the axes before.
func LayerNormalizationGrad(acc *Acc, dy, x, scale, mean, inv *Array, axis int) (dx, dscale, dbias *Array) {
	return NormalizeGrad(acc, dy, x, scale, mean, inv, LayerGroups(x, axis))
}

// GroupNormalizationGrad is GroupNormalization's gradient, see NormalizeGrad; as
// many groups as channels make it InstanceNormalization's. X and dY N×C×D…,
// scale C.
func GroupNormalizationGrad(acc *Acc, dy, x, scale *Array, groups int, epsilon float64) (dx, dscale, dbias *Array) {
	g := ChannelGroups(x, groups)
	mean, _, inv := Moments(acc, x, g, epsilon)
	return NormalizeGrad(acc, dy, x, scale, mean, inv, g)
}

// NormalizeGrad is the gradient of Normalize by X, scale and bias, μ and r being
// functions of X: with γ = dY·scale,
//
//	dX = r·(γ − ⟨γ⟩ − x̂·⟨γ·x̂⟩), dscale = Σ dY·x̂, dbias = Σ dY
//
// the sums over all elements that share the parameter.
func NormalizeGrad(acc *Acc, dy, x, scale, mean, inv *Array, g Groups) (dx, dscale, dbias *Array) {
	hat := g.each(func(group, at int) float64 { return (x.Data[at] - mean.Data[group]) * inv.Data[group] })
	gamma := g.each(func(_, at int) float64 { return dy.Data[at] * scale.Data[g.parameter(at)] })
	meanGamma := g.mean(acc, func(_, at int) float64 { return gamma.Data[at] })
	meanProduct := g.mean(acc, func(_, at int) float64 { return gamma.Data[at] * hat.Data[at] })
	dx = g.each(func(group, at int) float64 {
		return inv.Data[group] * (gamma.Data[at] - meanGamma.Data[group] - hat.Data[at]*meanProduct.Data[group])
	})
	dscale = g.parameterSum(acc, scale.Shape, func(at int) float64 { return dy.Data[at] * hat.Data[at] })
	dbias = g.parameterSum(acc, scale.Shape, func(at int) float64 { return dy.Data[at] })
	return dx, dscale, dbias
}

// RMSNormalizationGrad is RMSNormalization's gradient by X and scale: with
// x̂ = X·r, r = 1/√(⟨X²⟩ + ε) and γ = dY·scale,
//
//	dX = r·(γ − x̂·⟨γ·x̂⟩), dscale = Σ dY·x̂
//
// the sum over all elements that share the parameter. scale has the shape of
// the axes from axis on.
func RMSNormalizationGrad(acc *Acc, dy, x, scale *Array, axis int, epsilon float64) (dx, dscale *Array) {
	g := LayerGroups(x, axis)
	r := InverseDeviation(meanSquare(acc, x, g), epsilon)
	hat := g.each(func(group, at int) float64 { return x.Data[at] * r.Data[group] })
	gamma := g.each(func(_, at int) float64 { return dy.Data[at] * scale.Data[g.parameter(at)] })
	meanProduct := g.mean(acc, func(_, at int) float64 { return gamma.Data[at] * hat.Data[at] })
	dx = g.each(func(group, at int) float64 {
		return r.Data[group] * (gamma.Data[at] - hat.Data[at]*meanProduct.Data[group])
	})
	return dx, g.parameterSum(acc, scale.Shape, func(at int) float64 { return dy.Data[at] * hat.Data[at] })
}

// parameterSum is Σ f over the elements that share a parameter, in row-major
// order; shape is the parameters'. f is given flat positions.
func (g Groups) parameterSum(acc *Acc, shape tensor.Shape, f func(at int) float64) *Array {
	total := New(shape...)
	shares := make([][]int, len(total.Data))
	for at := range g.shape.Elements() {
		p := g.parameter(at)
		shares[p] = append(shares[p], at)
	}
	for p, share := range shares {
		s := acc.New()
		for _, at := range share {
			s = s.Plus(f(at))
		}
		total.Data[p] = s.Value()
	}
	return total
}
