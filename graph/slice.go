package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// sliceOps cut tensors, join them and add margins.
var sliceOps = []*Op{
	{
		Name: "Slice", Version: 13, Core: true,
		Inputs:  []Param{{Name: "data", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Attrs: []AttrSpec{{Name: "starts", Kind: IntList, Required: true}, {Name: "ends", Kind: IntList, Required: true},
			{Name: "axes", Kind: IntList}, {Name: "steps", Kind: IntList}},
		Folded: []string{"starts", "ends", "axes", "steps"},
		Infer: func(c *Call) ([]tensor.Type, error) {
			ranges, err := c.SliceRanges()
			s := make(tensor.Shape, len(ranges))
			for i, r := range ranges {
				s[i] = r.Count
			}
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}}, err
		},
		Grad: gradSlice,
	},
	{
		Name: "Concat", Version: 13, Core: true,
		Inputs:  []Param{{Name: "inputs", Types: Any, Var: "T", Variadic: true}},
		Outputs: []Param{{Name: "concat_result", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "axis", Kind: Int, Required: true}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			axis, err := c.Axis("axis")
			if err != nil {
				return nil, err
			}
			s := c.In[0].Shape.Clone()
			for i, in := range c.In[1:] {
				if len(in.Shape) != len(s) || !reducedShape(in.Shape, []int{axis}, true).Equal(reducedShape(s, []int{axis}, true)) {
					return nil, fmt.Errorf("input %d is %v, input 0 %v: they differ in more than axis %d", i+1, in.Shape, c.In[0].Shape, axis)
				}
				s[axis] += in.Shape[axis]
			}
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}}, nil
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			axis, err := c.Axis("axis")
			b.Fail(err)
			dx, at := make([]Value, len(c.In)), 0
			for i, in := range c.In {
				dx[i] = b.part(dy[0], axis, at, at+in.Shape[axis])
				at += in.Shape[axis]
			}
			return dx
		},
	},
	{
		Name: "Split", Version: 18,
		Inputs:  []Param{{Name: "input", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "outputs", Types: Any, Var: "T", Variadic: true}},
		Attrs:   []AttrSpec{{Name: "axis", Kind: Int, Default: I(0)}, {Name: "split", Kind: IntList}, {Name: "num_outputs", Kind: Int}},
		Folded:  []string{"split"},
		Infer: func(c *Call) ([]tensor.Type, error) {
			axis, sizes, err := c.SplitSizes()
			out := make([]tensor.Type, len(sizes))
			for i, n := range sizes {
				out[i] = tensor.Type{DType: c.In[0].DType, Shape: c.In[0].Shape.Clone()}
				out[i].Shape[axis] = n
			}
			return out, err
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			axis, _, err := c.SplitSizes()
			b.Fail(err)
			for i := range dy {
				if dy[i].Name == "" {
					dy[i] = b.zeros(c.Out[i])
				}
			}
			return []Value{b.Op("Concat", Attrs{"axis": I(axis)}, dy...)}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			axis, sizes, err := c.SplitSizes()
			b.Fail(err)
			out, at := make([]Value, len(sizes)), 0
			for i, n := range sizes {
				out[i] = b.part(c.Input(0), axis, at, at+n)
				at += n
			}
			return out
		},
	},
}

// part is the elements from to to along one axis.
func (b *Builder) part(x Value, axis, from, to int) Value {
	return b.Op("Slice", Attrs{"starts": L(from), "ends": L(to), "axes": L(axis)}, x)
}

// zeros is a value of zeros that is no constant of its size.
func (b *Builder) zeros(t tensor.Type) Value {
	return b.Op("Expand", Attrs{"shape": L(t.Shape...)}, b.Scalar(t.DType, 0))
}

// Range is what a Slice takes of one axis: Count elements, Step apart.
type Range struct{ Start, Step, Count int }

// SliceRanges reads a Slice's attributes, a range for each axis of the input.
// Starts and ends count from the end where negative, and are cut off at the
// ends of the axis.
func (c *Call) SliceRanges() ([]Range, error) {
	s, starts, ends := c.In[0].Shape, c.Ints("starts"), c.Ints("ends")
	axes, steps := c.Ints("axes"), c.Ints("steps")
	n := len(starts)
	if len(steps) == 0 {
		steps = repeat(1, n)
	}
	if len(axes) == 0 {
		if n > len(s) {
			return nil, fmt.Errorf("attribute starts: %d entries for %d axes", n, len(s))
		}
		for i := range n {
			axes = append(axes, i)
		}
	} else if folded, err := c.Axes("axes"); err != nil {
		return nil, err
	} else {
		axes = folded
	}
	if len(ends) != n || len(axes) != n || len(steps) != n {
		return nil, fmt.Errorf("attributes starts, ends, axes, steps: %d, %d, %d, %d entries, want as many of each", n, len(ends), len(axes), len(steps))
	}
	ranges := make([]Range, len(s))
	for i, extent := range s {
		ranges[i] = Range{0, 1, extent}
	}
	for i, axis := range axes {
		if steps[i] == 0 {
			return nil, fmt.Errorf("attribute steps: 0 for axis %d", axis)
		}
		ranges[axis] = newRange(starts[i], ends[i], steps[i], s[axis])
	}
	return ranges, nil
}

func newRange(start, end, step, extent int) Range {
	lo, hi := 0, extent // of start and end
	if step < 0 {
		lo, hi = -1, extent-1
	}
	at := func(i int) int {
		if i < 0 {
			i += extent
		}
		return min(max(i, lo), hi)
	}
	start, end = at(start), at(end)
	if step > 0 {
		start = max(start, 0)
		if start >= end {
			return Range{0, 1, 0}
		}
		return Range{start, step, (end-start-1)/step + 1}
	}
	if start <= end {
		return Range{0, 1, 0}
	}
	return Range{start, step, (start-end-1)/-step + 1}
}

// gradSlice puts the gradient back between zeros: reversed where the step is
// negative, spread out where it is not 1, then padded to the input's extent.
func gradSlice(b *Builder, c *Call, dy []Value) []Value {
	ranges, err := c.SliceRanges()
	b.Fail(err)
	g := dy[0]
	rank := len(ranges)
	begin, end := make([]int, rank), make([]int, rank)
	for axis, r := range ranges {
		if b.err != nil {
			return []Value{{}}
		}
		if r.Step < 0 {
			g = b.Op("Slice", Attrs{"starts": L(-1), "ends": L(-1 - r.Count), "axes": L(axis), "steps": L(-1)}, g)
			r = Range{r.Start + (r.Count-1)*r.Step, -r.Step, r.Count}
		}
		if r.Step > 1 && r.Count > 1 {
			g = b.spread(g, axis, r.Step)
		}
		span := g.Type.Shape[axis]
		begin[axis], end[axis] = r.Start, c.In[0].Shape[axis]-r.Start-span
	}
	return []Value{b.Op("Pad", Attrs{"pads": L(append(begin, end...)...)}, g)}
}

// spread puts step-1 zeros after each element along an axis, but the last.
func (b *Builder) spread(x Value, axis, step int) Value {
	s := x.Type.Shape
	apart := append(append(s[:axis+1:axis+1].Clone(), 1), s[axis+1:]...)
	pads := make([]int, 2*len(apart))
	pads[len(apart)+axis+1] = step - 1
	x = b.Op("Pad", Attrs{"pads": L(pads...)}, b.reshape(x, apart...))
	long := s.Clone()
	long[axis] *= step
	x = b.reshape(x, long...)
	return b.part(x, axis, 0, long[axis]-step+1)
}

// SplitSizes reads a Split's attributes: the axis, folded, and each output's
// extent along it. Without sizes the parts are equal but for the last, which
// may be smaller.
func (c *Call) SplitSizes() (axis int, sizes []int, err error) {
	if axis, err = c.Axis("axis"); err != nil {
		return 0, nil, err
	}
	extent, n := c.In[0].Shape[axis], len(c.Outputs)
	if k := c.Int("num_outputs"); k != 0 && k != n {
		return 0, nil, fmt.Errorf("attribute num_outputs: %d, the node has %d", k, n)
	}
	sizes = c.Ints("split")
	if len(sizes) == 0 {
		size := (extent + n - 1) / n
		for i := range n {
			sizes = append(sizes, min(size, extent-i*size))
		}
	}
	sum := 0
	for _, v := range sizes {
		if v < 0 || v > extent-sum {
			return 0, nil, fmt.Errorf("attribute split: %d parts of %d elements, %v", n, extent, sizes)
		}
		sum += v
	}
	if len(sizes) != n || sum != extent {
		return 0, nil, fmt.Errorf("attribute split: %v, want the sizes of %d outputs, %d in all", sizes, n, extent)
	}
	return axis, sizes, nil
}
