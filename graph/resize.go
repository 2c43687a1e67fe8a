package graph

import (
	"errors"
	"fmt"
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// resizeOps sample tensors anew, axis by axis.
var resizeOps = []*Op{
	{
		Name: "Resize", Version: 19,
		Inputs:  []Param{{Name: "X", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "Y", Types: Any, Var: "T"}},
		Attrs: []AttrSpec{
			{Name: "roi", Kind: FloatList}, {Name: "scales", Kind: FloatList}, {Name: "sizes", Kind: IntList}, {Name: "axes", Kind: IntList},
			{Name: "mode", Kind: String, Default: S("nearest"), OneOf: []string{"nearest", "linear"}},
			{Name: "coordinate_transformation_mode", Kind: String, Default: S("half_pixel"), OneOf: []string{"half_pixel", "half_pixel_symmetric",
				"pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"}},
			{Name: "nearest_mode", Kind: String, Default: S("round_prefer_floor"), OneOf: []string{"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}},
			{Name: "extrapolation_value", Kind: Float}, {Name: "cubic_coeff_a", Kind: Float, Default: F(-0.75)},
			{Name: "exclude_outside", Kind: Int, Default: I(0)}, {Name: "antialias", Kind: Int, Default: I(0)},
			{Name: "keep_aspect_ratio_policy", Kind: String, Default: S("stretch"), OneOf: []string{"stretch", "not_larger", "not_smaller"}},
		},
		Folded: []string{"roi", "scales", "sizes"},
		Infer: func(c *Call) ([]tensor.Type, error) {
			axes, err := c.ResizeAxes()
			s := make(tensor.Shape, len(axes))
			for i, a := range axes {
				s[i] = a.Out
			}
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}}, err
		},
		Work: func(c *Call) int64 {
			if c.Str("mode") == "nearest" {
				return 0
			}
			return 3 * elements(c.Out[0])
		},
		Grad:      gradResize,
		Decompose: decomposeResize,
	},
}

// ResizeAxis is what a Resize does along one axis: of In elements it makes Out,
// Scale times as many but for rounding; [Start, End] is the part of the axis
// that tf_crop_and_resize looks at, as shares of it. Same axes are left as
// they are.
type ResizeAxis struct {
	In, Out           int
	Scale, Start, End float64
	Same              bool
}

// ResizeAxes reads a Resize's attributes, for every axis of the input.
func (c *Call) ResizeAxes() ([]ResizeAxis, error) {
	axes, err := c.Axes("axes")
	if err != nil {
		return nil, err
	}
	scales, sizes, roi := c.Attr("scales").Floats, c.Ints("sizes"), c.Attr("roi").Floats
	crop := c.Str("coordinate_transformation_mode") == "tf_crop_and_resize"
	switch {
	case (len(scales) == 0) == (len(sizes) == 0) && len(axes) > 0:
		return nil, errors.New("attributes scales and sizes: want one of them")
	case len(scales)+len(sizes) != len(axes):
		return nil, fmt.Errorf("attributes scales, sizes: %d entries for %d axes", len(scales)+len(sizes), len(axes))
	case crop && len(roi) != 2*len(axes):
		return nil, fmt.Errorf("attribute roi: %d entries, want %d", len(roi), 2*len(axes))
	case c.Int("antialias") != 0 || c.Int("exclude_outside") != 0:
		return nil, limited("attributes antialias and exclude_outside: only 0 is defined here")
	case c.Str("mode") != "nearest" && !c.In[0].DType.IsFloat():
		return nil, limited("attribute mode: %s of %v, want floats", c.Str("mode"), c.In[0].DType)
	case c.Str("mode") != "nearest" && c.Str("coordinate_transformation_mode") == "tf_half_pixel_for_nn":
		return nil, limited("attribute coordinate_transformation_mode: tf_half_pixel_for_nn is for nearest neighbours alone")
	case c.Str("keep_aspect_ratio_policy") != "stretch" && len(sizes) == 0:
		return nil, errors.New("attribute keep_aspect_ratio_policy: without sizes there is nothing to keep")
	}
	list := make([]ResizeAxis, len(c.In[0].Shape))
	for i, n := range c.In[0].Shape {
		list[i] = ResizeAxis{In: n, Out: n, Scale: 1, End: 1, Same: true}
	}
	keep := c.keptAspect(axes, sizes)
	for i, axis := range axes {
		a := &list[axis]
		if crop {
			a.Start, a.End = float64(roi[i]), float64(roi[i+len(axes)])
		}
		switch {
		case len(scales) > 0:
			a.Scale = float64(scales[i])
			a.Out = int(math.Floor(min(float64(a.In)*a.Scale, float64(tensor.MaxElements))))
		case keep > 0:
			a.Scale = keep
			a.Out = int(math.Floor(min(keep*float64(a.In)+0.5, float64(tensor.MaxElements))))
		default:
			a.Out = sizes[i]
			a.Scale = float64(a.Out) / float64(a.In)
		}
		if !(math.Abs(a.Start)+math.Abs(a.End) < maxWindow) || !(a.Scale > 0) || math.IsInf(a.Scale, 0) || a.In == 0 || a.Out < 1 || int64(a.Out) > tensor.MaxElements {
			return nil, fmt.Errorf("attributes scales, sizes, roi: axis %d of %d elements gets %d, scale %v, roi [%v, %v]", axis, a.In, a.Out, a.Scale, a.Start, a.End)
		}
		a.Same = a.Scale == 1 && a.Out == a.In && (!crop || a.Start == 0 && a.End == 1)
	}
	return list, nil
}

// keptAspect is the one scale of all axes under a policy that keeps the aspect
// ratio; 0 for none.
func (c *Call) keptAspect(axes, sizes []int) float64 {
	policy, keep := c.Str("keep_aspect_ratio_policy"), 0.0
	if policy == "stretch" {
		return 0
	}
	for i, axis := range axes {
		switch s := float64(sizes[i]) / float64(c.In[0].Shape[axis]); {
		case i == 0:
			keep = s
		case policy == "not_larger":
			keep = min(keep, s)
		default:
			keep = max(keep, s)
		}
	}
	return keep
}

// position is where in the input's coordinates output element i lies.
func (a *ResizeAxis) position(mode string, i int) float64 {
	x, in, out := float64(i), float64(a.In), a.Scale*float64(a.In)
	switch mode {
	case "asymmetric":
		return x / a.Scale
	case "align_corners":
		if out == 1 {
			return 0
		}
		return x * (in - 1) / (out - 1)
	case "tf_half_pixel_for_nn":
		return (x + 0.5) / a.Scale
	case "half_pixel_symmetric":
		return in/2*(1-float64(a.Out)/out) + (x+0.5)/a.Scale - 0.5
	case "pytorch_half_pixel":
		if a.Out == 1 {
			return 0
		}
	case "tf_crop_and_resize":
		if a.Out == 1 {
			return (a.Start + a.End) / 2 * (in - 1)
		}
		return a.Start*(in-1) + x*(a.End-a.Start)*(in-1)/(out-1)
	}
	return (x+0.5)/a.Scale - 0.5
}

// tap is how an axis is sampled: each output element is the sum over taps of
// weight times the input's element at index; outside it is extrapolated.
type tap struct {
	index   []float64
	weight  []float64 // nil: all 1
	outside []float64 // 1 or 0; nil: none is
}

func (c *Call) taps(a *ResizeAxis) []tap {
	mode := c.Str("coordinate_transformation_mode")
	first := tap{index: make([]float64, a.Out), weight: make([]float64, a.Out)}
	second := tap{index: make([]float64, a.Out), weight: make([]float64, a.Out)}
	if mode == "tf_crop_and_resize" {
		first.outside = make([]float64, a.Out)
	}
	last := float64(a.In - 1)
	inside := func(v float64) float64 { return min(max(v, 0), last) }
	for i := range a.Out {
		x := a.position(mode, i)
		if first.outside != nil && (x < 0 || x > last) {
			first.outside[i] = 1
		}
		if c.Str("mode") == "nearest" {
			first.index[i] = inside(nearest(c.Str("nearest_mode"), x))
			continue
		}
		low := math.Floor(x)
		first.index[i], second.index[i] = inside(low), inside(low+1)
		first.weight[i], second.weight[i] = 1-(x-low), x-low
	}
	if c.Str("mode") == "nearest" {
		first.weight = nil
		return []tap{first}
	}
	return []tap{first, second}
}

func nearest(mode string, x float64) float64 {
	switch mode {
	case "floor":
		return math.Floor(x)
	case "ceil":
		return math.Ceil(x)
	case "round_prefer_ceil":
		return math.Floor(x + 0.5)
	}
	return math.Ceil(x - 0.5)
}

// along is a constant along one axis of a rank, to be broadcast.
func (b *Builder) along(name string, d tensor.DType, v []float64, axis, rank int) Value {
	s := repeat(1, rank)
	s[axis] = len(v)
	return b.Const(name, tensor.Of(d, s, v...))
}

func decomposeResize(b *Builder, c *Call) []Value {
	axes, err := c.ResizeAxes()
	b.Fail(err)
	y, rank := c.Input(0), len(axes)
	for axis := range axes {
		if axes[axis].Same {
			continue
		}
		var sum Value
		for k, t := range c.taps(&axes[axis]) {
			part := b.Op("Gather", Attrs{"axis": I(axis)}, y, b.Const("sources", tensor.Of(tensor.S64, tensor.Shape{len(t.index)}, t.index...)))
			if t.weight != nil {
				part = b.Op("Mul", nil, part, b.along("weights", part.Type.DType, t.weight, axis, rank))
			}
			if k > 0 {
				part = b.Op("Add", nil, sum, part)
			}
			sum = part
		}
		y = sum
	}
	value := b.Scalar(c.In[0].DType, c.Float("extrapolation_value"))
	for axis := range axes {
		if out := b.outside(c, &axes[axis], axis, rank); out.Name != "" {
			y = b.Op("Where", nil, out, value, y)
		}
	}
	return []Value{b.reshape(y, c.Out[0].Shape...)}
}

// outside is true where an output is extrapolated for its place on an axis;
// zero if none is.
func (b *Builder) outside(c *Call, a *ResizeAxis, axis, rank int) Value {
	if a.Same || b.err != nil {
		return Value{}
	}
	if t := c.taps(a)[0]; t.outside != nil {
		return b.along("outside", tensor.Bool, t.outside, axis, rank)
	}
	return Value{}
}

// gradResize adds to every element of the input what it gave to the output,
// the axes in reverse.
func gradResize(b *Builder, c *Call, dy []Value) []Value {
	axes, err := c.ResizeAxes()
	b.Fail(err)
	g, rank := dy[0], len(axes)
	for axis := range axes {
		if out := b.outside(c, &axes[axis], axis, rank); out.Name != "" {
			g = b.Op("Where", nil, out, b.Scalar(g.Type.DType, 0), g)
		}
	}
	for axis := rank - 1; axis >= 0; axis-- {
		if axes[axis].Same || b.err != nil {
			continue
		}
		s := g.Type.Shape.Clone()
		s[axis] = axes[axis].In
		sum := b.zeros(tensor.Type{DType: g.Type.DType, Shape: s})
		for _, t := range c.taps(&axes[axis]) {
			part := g
			if t.weight != nil {
				part = b.Op("Mul", nil, g, b.along("weights", g.Type.DType, t.weight, axis, rank))
			}
			sum = b.Op("ScatterAdd", Attrs{"axis": I(axis)}, sum, b.Const("sources", tensor.Of(tensor.S64, tensor.Shape{len(t.index)}, t.index...)), part)
		}
		g = sum
	}
	return []Value{g}
}
