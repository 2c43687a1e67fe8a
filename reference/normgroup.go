package reference

import (
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// What the normalisations of norm.go and normgrad.go are made of: groups of
// elements, their moments, and what becomes of an element of a group.

// Groups are the groups of an array: element (group i, member j) is at flat
// position first[i] + members[j], and scale and bias of a flat position are at
// parameter(position).
type Groups struct {
	shape          tensor.Shape
	first, members []int
	parameter      func(position int) int
}

// BatchGroups are for X N×C×D…: C groups, each a channel of all images.
func BatchGroups(x *Array) Groups {
	axes := []int{0}
	for a := 2; a < len(x.Shape); a++ {
		axes = append(axes, a)
	}
	first, members := split(x.Shape, axes)
	return Groups{x.Shape, first, members, channel(x)}
}

// channel is the index along axis 1.
func channel(x *Array) func(int) int {
	plane := x.Shape[2:].Elements()
	return func(position int) int { return position / plane % x.Shape[1] }
}

// LayerGroups are for an X of any rank: the axes from axis on, of each index
// of those before. scale and bias have the shape of the axes from axis on.
func LayerGroups(x *Array, axis int) Groups {
	rows, n := x.Shape[:axis].Elements(), x.Shape[axis:].Elements()
	first, members := split([]int{rows, n}, []int{1})
	return Groups{x.Shape, first, members, func(position int) int { return position % n }}
}

// ChannelGroups are for X N×C×D…: N·groups groups of C/groups neighbouring
// channels of an image.
func ChannelGroups(x *Array, groups int) Groups {
	n, c := x.Shape[0], x.Shape[1]
	first, members := split([]int{n * groups, c / groups * x.Shape[2:].Elements()}, []int{1})
	return Groups{x.Shape, first, members, channel(x)}
}

// size is the number of elements of a group.
func (g Groups) size() int { return len(g.members) }

// mean is ⟨f⟩ = (1/n)·Σ f over the n elements of each group. f is given the
// group and the flat position of an element.
func (g Groups) mean(acc *Acc, f func(group, at int) float64) *Array {
	mean := New(len(g.first))
	for i, first := range g.first {
		s := acc.New()
		for _, j := range g.members {
			s = s.Plus(f(i, first+j))
		}
		mean.Data[i] = s.Value() / float64(g.size())
	}
	return mean
}

// each is f of every element, in their array's shape.
func (g Groups) each(f func(group, at int) float64) *Array {
	y := New(g.shape...)
	for i, first := range g.first {
		for _, j := range g.members {
			y.Data[first+j] = f(i, first+j)
		}
	}
	return y
}

// Moments are the mean μ = ⟨X⟩, the variance σ² = ⟨(X − μ)²⟩ and the inverse
// deviation r of each group. The variance takes a second pass over the elements:
// ⟨X²⟩ − μ² would cancel (Chan, Golub and LeVeque, "Algorithms for Computing the
// Sample Variance", 1983).
func Moments(acc *Acc, x *Array, g Groups, epsilon float64) (mean, variance, inv *Array) {
	mean = g.mean(acc, func(_, at int) float64 { return x.Data[at] })
	variance = g.mean(acc, func(group, at int) float64 {
		d := x.Data[at] - mean.Data[group]
		return d * d
	})
	return mean, variance, InverseDeviation(variance, epsilon)
}

// meanSquare is ⟨X²⟩.
func meanSquare(acc *Acc, x *Array, g Groups) *Array {
	return g.mean(acc, func(_, at int) float64 { return x.Data[at] * x.Data[at] })
}

// InverseDeviation is r = 1/√(σ² + ε).
func InverseDeviation(variance *Array, epsilon float64) *Array {
	return apply(variance, func(v float64) float64 { return 1 / math.Sqrt(v+epsilon) })
}

// Normalize is Y = (X − μ)·r·scale + bias with the μ and r of each element's
// group; bias may be nil.
func Normalize(x, scale, bias, mean, inv *Array, g Groups) *Array {
	return g.each(func(group, at int) float64 {
		y := (x.Data[at] - mean.Data[group]) * inv.Data[group] * scale.Data[g.parameter(at)]
		if bias != nil {
			y += bias.Data[g.parameter(at)]
		}
		return y
	})
}
