package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// globalPoolOps are pools whose windows follow from the extents of X N×C×D1×D2…:
// the whole of a plane, or as many parts of it as are asked for.
var globalPoolOps = []*Op{
	{
		Name: "GlobalAveragePool", Version: 22,
		Inputs:  []Param{{Name: "X", Types: Floats, Var: "T"}},
		Outputs: []Param{{Name: "Y", Types: Floats, Var: "T"}},
		Infer:   inferGlobalPool,
		Work:    func(c *Call) int64 { return elements(c.In[0]) },
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			n := b.Scalar(dy[0].Type.DType, float64(c.In[0].Shape[2:].Elements()))
			return []Value{b.Op("Expand", Attrs{"shape": L(c.In[0].Shape...)}, b.Op("Div", nil, dy[0], n))}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			return []Value{b.Op("ReduceMean", spatialAxes(c), c.Input(0))}
		},
	},
	{
		// The gradient goes to the first maximum, as MaxPool's does.
		Name: "GlobalMaxPool", Version: 22,
		Inputs:  []Param{{Name: "X", Types: Floats, Var: "T"}},
		Outputs: []Param{{Name: "Y", Types: Floats, Var: "T"}},
		Infer:   inferGlobalPool,
		Work:    func(c *Call) int64 { return elements(c.In[0]) },
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			x := c.In[0].Shape
			where := b.OpN("MaxPool", Attrs{"kernel_shape": L(x[2:]...)}, 2, c.Input(0))[1]
			return []Value{b.Op("MaxPoolGrad", Attrs{"input_shape": L(x...)}, dy[0], where)}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			return []Value{b.Op("ReduceMax", spatialAxes(c), c.Input(0))}
		},
	},
	{
		// PyTorch's AdaptiveAvgPool: the windows of an axis are spread so that
		// they cover it, see AdaptiveWindows.
		Name: "AdaptiveAveragePool", Domain: Own, Version: 1,
		Inputs:  []Param{{Name: "X", Types: Floats, Var: "T"}},
		Outputs: []Param{{Name: "Y", Types: Floats, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "output_size", Kind: IntList, Required: true}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			windows, err := c.AdaptiveWindows()
			if err != nil {
				return nil, err
			}
			s := c.In[0].Shape[:2].Clone()
			for _, w := range windows {
				s = append(s, len(w))
			}
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}}, nil
		},
		Work: func(c *Call) int64 {
			windows, _ := c.AdaptiveWindows()
			work := int64(c.In[0].Shape[:2].Elements())
			for _, axis := range windows {
				taps := 0
				for _, s := range axis {
					taps += s.To - s.From
				}
				work *= int64(taps)
			}
			return work
		},
		Grad:      gradAdaptivePool,
		Decompose: decomposeAdaptivePool,
	},
}

func inferGlobalPool(c *Call) ([]tensor.Type, error) {
	if err := c.checkPlanes(); err != nil {
		return nil, err
	}
	s := c.In[0].Shape[:2].Clone()
	return []tensor.Type{{DType: c.In[0].DType, Shape: append(s, repeat(1, len(c.In[0].Shape)-2)...)}}, nil
}

// checkPlanes wants planes with something in them: nothing has no mean and no
// maximum.
func (c *Call) checkPlanes() error {
	x := c.In[0].Shape
	if len(x) < 3 {
		return fmt.Errorf("X is %v: want rank 3 or more", x)
	}
	if x[2:].Elements() == 0 {
		return limited("X has planes without elements")
	}
	return nil
}

// spatialAxes are a reduction's attributes for all axes but the first two.
func spatialAxes(c *Call) Attrs {
	axes := make([]int, len(c.In[0].Shape)-2)
	for i := range axes {
		axes[i] = i + 2
	}
	return Attrs{"axes": L(axes...)}
}

// Span is the part From ≤ i < To of an axis.
type Span struct{ From, To int }

// AdaptiveWindows are the parts of each spatial axis that an
// AdaptiveAveragePool takes the mean of: of n elements and m outputs output o
// sees ⌊o·n/m⌋ ≤ i < ⌈(o+1)·n/m⌉, which may overlap, and repeat where m > n.
func (c *Call) AdaptiveWindows() ([][]Span, error) {
	if err := c.checkPlanes(); err != nil {
		return nil, err
	}
	in, size := c.In[0].Shape[2:], c.Ints("output_size")
	if len(size) != len(in) {
		return nil, fmt.Errorf("attribute output_size: %v has %d entries, want %d", size, len(size), len(in))
	}
	windows := make([][]Span, len(in))
	for axis, m := range size {
		n := in[axis]
		if m < 1 || m > maxWindow || n > maxWindow {
			return nil, fmt.Errorf("attribute output_size: %d of %d elements (spatial axis %d): want 1 to %d of at most as many", m, n, axis, maxWindow)
		}
		for o := range m {
			windows[axis] = append(windows[axis], Span{o * n / m, ((o+1)*n + m - 1) / m})
		}
	}
	return windows, nil
}

// evenPool is the AveragePool that an adaptive one is when every output of an
// axis sees as many elements of its own.
func evenPool(c *Call) (Attrs, bool) {
	var kernel []int
	for axis, m := range c.Ints("output_size") {
		n := c.In[0].Shape[axis+2]
		if n%m != 0 {
			return nil, false
		}
		kernel = append(kernel, n/m)
	}
	return Attrs{"kernel_shape": L(kernel...), "strides": L(kernel...)}, true
}

// decomposeAdaptivePool: a window is a product of spans with one count, so that
// its mean is the mean along one axis after the other.
func decomposeAdaptivePool(b *Builder, c *Call) []Value {
	if even, ok := evenPool(c); ok {
		return []Value{b.Op("AveragePool", even, c.Input(0))}
	}
	windows, err := c.AdaptiveWindows()
	b.Fail(err)
	y := c.Input(0)
	for axis, spans := range windows {
		y = b.foldSpans("ReduceMean", y, axis+2, spans)
	}
	return []Value{y}
}

// gradAdaptivePool: each output hands its gradient out in equal parts. The
// outputs that see an element stand side by side.
func gradAdaptivePool(b *Builder, c *Call, dy []Value) []Value {
	if even, ok := evenPool(c); ok {
		even["input_shape"] = L(c.In[0].Shape...)
		return []Value{b.Op("AveragePoolGrad", even, dy[0])}
	}
	windows, err := c.AdaptiveWindows()
	b.Fail(err)
	dx, rank := dy[0], len(c.In[0].Shape)
	for axis, spans := range windows {
		counts := make([]float64, len(spans))
		seen := make([]Span, c.In[0].Shape[axis+2])
		for o, s := range spans {
			counts[o] = float64(s.To - s.From)
			for i := s.From; i < s.To; i++ {
				if seen[i].To == 0 {
					seen[i].From = o
				}
				seen[i].To = o + 1
			}
		}
		dx = b.Op("Div", nil, dx, b.along("count", dx.Type.DType, counts, axis+2, rank))
		dx = b.foldSpans("ReduceSum", dx, axis+2, seen)
	}
	return []Value{dx}
}

// foldSpans reduces spans of an axis to one element each.
func (b *Builder) foldSpans(op string, x Value, axis int, spans []Span) Value {
	parts := make([]Value, len(spans))
	for i, s := range spans {
		parts[i] = b.part(x, axis, s.From, s.To)
		if s.To-s.From > 1 {
			parts[i] = b.Op(op, Attrs{"axes": L(axis)}, parts[i])
		}
	}
	return b.Op("Concat", Attrs{"axis": I(axis)}, parts...)
}
