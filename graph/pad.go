package graph

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// padOps add margins and take them away.
var padOps = []*Op{
	{
		// Negative pads cut off. pads are all beginnings, then all ends.
		Name: "Pad", Version: 24, Core: true,
		Inputs:  []Param{{Name: "data", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Attrs: []AttrSpec{{Name: "pads", Kind: IntList, Required: true}, {Name: "value", Kind: Float}, {Name: "axes", Kind: IntList},
			{Name: "mode", Kind: String, Default: S("constant"), OneOf: []string{"constant", "reflect", "edge", "wrap"}}},
		Folded: []string{"pads", "value", "axes"},
		Infer: func(c *Call) ([]tensor.Type, error) {
			begin, end, err := c.PadWidths()
			if err != nil {
				return nil, err
			}
			if d, v := c.In[0].DType, c.Float("value"); tensor.Round(v, d) != v && !(math.IsNaN(v) && d.IsFloat()) {
				return nil, fmt.Errorf("attribute value: %v is not a number of %v", v, d)
			}
			s := c.In[0].Shape.Clone()
			for i, extent := range s {
				s[i] += begin[i] + end[i]
				if s[i] < 0 {
					return nil, fmt.Errorf("attribute pads: %d and %d leave nothing of %d elements (axis %d)", begin[i], end[i], extent, i)
				}
				if extent == 0 && s[i] > 0 && c.Str("mode") != "constant" {
					return nil, fmt.Errorf("attribute mode: %s of an axis without elements (%d)", c.Str("mode"), i)
				}
			}
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}}, nil
		},
		Grad: gradPad,
	},
}

// PadWidths reads a Pad's pads before and after each axis of the input.
func (c *Call) PadWidths() (begin, end []int, err error) {
	axes, err := c.Axes("axes")
	if err != nil {
		return nil, nil, err
	}
	pads, rank := c.Ints("pads"), len(c.In[0].Shape)
	if len(pads) != 2*len(axes) {
		return nil, nil, fmt.Errorf("attribute pads: %d entries, want %d", len(pads), 2*len(axes))
	}
	begin, end = make([]int, rank), make([]int, rank)
	for i, axis := range axes {
		begin[axis], end[axis] = pads[i], pads[len(axes)+i]
		for _, p := range []int{begin[axis], end[axis]} {
			if int64(p) < -tensor.MaxElements || int64(p) > tensor.MaxElements {
				return nil, nil, fmt.Errorf("attribute pads: %d is outside of ±%d", p, tensor.MaxElements)
			}
		}
	}
	return begin, end, nil
}

// PadSource is which of n elements of an axis stands i places from the first
// of them, i below 0 and from n on too; -1 for none, the constant.
func PadSource(mode string, i, n int) int {
	if i >= 0 && i < n {
		return i
	}
	switch mode {
	case "edge":
		return min(max(i, 0), n-1)
	case "wrap":
		return (i%n + n) % n
	case "reflect":
		if n == 1 {
			return 0
		}
		period := 2 * (n - 1)
		i = (i%period + period) % period
		return min(i, period-i)
	}
	return -1
}

// gradPad cuts off what a constant Pad added, or adds what was copied to where
// it came from, an axis after the other.
func gradPad(b *Builder, c *Call, dy []Value) []Value {
	begin, end, err := c.PadWidths()
	b.Fail(err)
	g, rank := dy[0], len(begin)
	if c.Str("mode") == "constant" {
		pads := make([]int, 2*rank)
		for i := range rank {
			pads[i], pads[rank+i] = -begin[i], -end[i]
		}
		return []Value{b.Op("Pad", Attrs{"pads": L(pads...)}, g)}
	}
	for axis, n := range c.In[0].Shape {
		if begin[axis] == 0 && end[axis] == 0 || b.err != nil {
			continue
		}
		from := tensor.New(tensor.S64, n+begin[axis]+end[axis])
		for i := range tensor.View[int64](from.Data) {
			tensor.View[int64](from.Data)[i] = int64(PadSource(c.Str("mode"), i-begin[axis], n))
		}
		to := g.Type.Shape.Clone()
		to[axis] = n
		g = b.Op("ScatterAdd", Attrs{"axis": I(axis)}, b.zeros(tensor.Type{DType: g.Type.DType, Shape: to}), b.Const("sources", from), g)
	}
	return []Value{g}
}
