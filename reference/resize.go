package reference

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Resize samples X anew along every axis (ONNX, operator Resize): output
// element i of an axis stands at the place p(i) of it, and
//
//	nearest  Y[i] = X[p(i) rounded as nearestMode says]
//	linear   Y[i] = (1 − t)·X[⌊p⌋] + t·X[⌊p⌋ + 1], t = p − ⌊p⌋
//
// indices beyond the ends are drawn back to them; with the coordinates
// tf_crop_and_resize a place beyond them gives value.
func Resize(x *Array, axes []graph.ResizeAxis, mode, coordinates, nearestMode string, value float64) Formula {
	shape := make(tensor.Shape, len(axes))
	for i, a := range axes {
		shape[i] = a.Out
	}
	strides := x.Shape.Strides()
	return Formula{shape, func(acc *Acc, i int) float64 {
		places := []place{{0, 1}}
		for axis := len(axes) - 1; axis >= 0; axis-- {
			a := axes[axis]
			p := coordinate(a, coordinates, i%a.Out)
			i /= a.Out
			if coordinates == "tf_crop_and_resize" && (p < 0 || p > float64(a.In-1)) {
				return value
			}
			var longer []place
			for _, s := range sources(p, mode, nearestMode) {
				at := min(max(s.at, 0), a.In-1)
				for _, before := range places {
					longer = append(longer, place{before.at + at*strides[axis], before.weight * s.weight})
				}
			}
			places = longer
		}
		s := acc.New()
		for _, p := range places {
			s = s.Plus(p.weight * x.Data[p.at])
		}
		return s.Value()
	}}
}

// place is an element and its weight.
type place struct {
	at     int
	weight float64
}

// sources are the elements of an axis around p.
func sources(p float64, mode, nearestMode string) []place {
	low := math.Floor(p)
	if mode == "linear" {
		return []place{{int(low), 1 - (p - low)}, {int(low) + 1, p - low}}
	}
	up := false
	switch t := p - low; nearestMode {
	case "round_prefer_floor":
		up = t > 0.5
	case "round_prefer_ceil":
		up = t >= 0.5
	case "ceil":
		up = t > 0
	}
	if up {
		low++
	}
	return []place{{int(low), 1}}
}

// coordinate is the place of output element i, in elements of the input. An
// axis that stays the same is left alone.
func coordinate(a graph.ResizeAxis, mode string, i int) float64 {
	if a.Same {
		return float64(i)
	}
	n, longer, at := float64(a.In), a.Scale*float64(a.In), float64(i)
	half := (at+0.5)/a.Scale - 0.5
	switch mode {
	case "asymmetric":
		return at / a.Scale
	case "tf_half_pixel_for_nn":
		return half + 0.5
	case "half_pixel_symmetric":
		return n/2*(1-float64(a.Out)/longer) + half
	case "align_corners":
		if longer != 1 {
			return at * (n - 1) / (longer - 1)
		}
		return 0
	case "tf_crop_and_resize":
		if a.Out == 1 {
			return (a.Start + a.End) * (n - 1) / 2
		}
		return a.Start*(n-1) + at*(a.End-a.Start)*(n-1)/(longer-1)
	case "pytorch_half_pixel":
		if a.Out == 1 {
			return 0
		}
	}
	return half
}
