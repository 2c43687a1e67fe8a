package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// rearrangeOps repeat, regroup and add up along axes.
var rearrangeOps = []*Op{
	{
		Name: "Tile", Version: 13,
		Inputs:  []Param{{Name: "input", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "repeats", Kind: IntList, Required: true}},
		Folded:  []string{"repeats"},
		Infer: func(c *Call) ([]tensor.Type, error) {
			s, repeats := c.In[0].Shape.Clone(), c.Ints("repeats")
			if len(repeats) != len(s) {
				return nil, fmt.Errorf("attribute repeats: %d entries for %d axes", len(repeats), len(s))
			}
			for i, r := range repeats {
				if r < 0 || int64(r) > tensor.MaxElements {
					return nil, fmt.Errorf("attribute repeats: %d is outside of [0, %d]", r, tensor.MaxElements)
				}
				if err := (tensor.Shape{s[i], r}).Validate(); err != nil {
					return nil, fmt.Errorf("attribute repeats: %w", err)
				}
				s[i] *= r
			}
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}}, nil
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			apart, _, axes := tiled(c)
			return []Value{b.Op("ReduceSum", Attrs{"axes": L(axes...), "keepdims": I(0)}, b.reshape(dy[0], apart...))}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			apart, ones, _ := tiled(c)
			x := b.Op("Expand", Attrs{"shape": L(apart...)}, b.reshape(c.Input(0), ones...))
			return []Value{b.reshape(x, c.Out[0].Shape...)}
		},
	},
	{
		// Blocks of channels become blocks of pixels: the block's index is the
		// channel's slowest part (DCR) or its fastest (CRD).
		Name: "DepthToSpace", Version: 13,
		Inputs:  []Param{{Name: "input", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Attrs: []AttrSpec{{Name: "blocksize", Kind: Int, Required: true},
			{Name: "mode", Kind: String, Default: S("DCR"), OneOf: []string{"DCR", "CRD"}}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			s, block := c.In[0].Shape, c.Int("blocksize")
			if len(s) != 4 || block < 1 || block > maxBlock || s[1]%(block*block) != 0 {
				return nil, fmt.Errorf("input is %v, blocksize %d: want N×C×H×W, C a multiple of its square", s, block)
			}
			return []tensor.Type{tensor.T(c.In[0].DType, s[0], s[1]/block/block, s[2]*block, s[3]*block)}, nil
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			_, to, _, back := c.blocks()
			return []Value{b.regroup(dy[0], to, back, c.In[0].Shape)}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			from, _, perm, _ := c.blocks()
			return []Value{b.regroup(c.Input(0), from, perm, c.Out[0].Shape)}
		},
	},
	{
		// Blocks of pixels become blocks of channels, DepthToSpace's DCR the
		// other way round.
		Name: "SpaceToDepth", Version: 13,
		Inputs:  []Param{{Name: "input", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "blocksize", Kind: Int, Required: true}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			s, block := c.In[0].Shape, c.Int("blocksize")
			if len(s) != 4 || block < 1 || block > maxBlock || s[2]%block != 0 || s[3]%block != 0 {
				return nil, fmt.Errorf("input is %v, blocksize %d: want N×C×H×W, H and W multiples of it", s, block)
			}
			return []tensor.Type{tensor.T(c.In[0].DType, s[0], s[1]*block*block, s[2]/block, s[3]/block)}, nil
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			return []Value{b.Op("DepthToSpace", Attrs{"blocksize": I(c.Int("blocksize"))}, dy[0])}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			s, block := c.In[0].Shape, c.Int("blocksize")
			apart := []int{s[0], s[1], s[2] / block, block, s[3] / block, block}
			return []Value{b.regroup(c.Input(0), apart, []int{0, 3, 5, 1, 2, 4}, c.Out[0].Shape)}
		},
	},
	{
		// Y[j] = Σ_{i≤j} X[i] along an axis, i<j if exclusive, from the end if
		// reverse.
		Name: "CumSum", Version: 14,
		Inputs:  []Param{{Name: "x", Types: Numeric, Var: "T"}},
		Outputs: []Param{{Name: "y", Types: Numeric, Var: "T"}},
		Attrs: []AttrSpec{{Name: "axis", Kind: Int, Required: true}, {Name: "exclusive", Kind: Int, Default: I(0)},
			{Name: "reverse", Kind: Int, Default: I(0)}},
		Folded: []string{"axis"},
		Infer: func(c *Call) ([]tensor.Type, error) {
			_, err := c.Axis("axis")
			return c.In[:1], err
		},
		Work: func(c *Call) int64 { return elements(c.In[0]) },
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			return []Value{b.Op("CumSum", Attrs{"axis": I(c.Int("axis")), "exclusive": I(c.Int("exclusive")), "reverse": I(1 - c.Int("reverse"))}, dy[0])}
		},
		Decompose: decomposeCumSum,
	},
}

// maxBlock keeps squares of block sizes from overflow.
const maxBlock = 1 << 15

// tiled is the shape of a Tile's output with every axis as repeats×extent, the
// input's in these axes, and which of them are the repeats.
func tiled(c *Call) (apart, ones, axes []int) {
	for i, r := range c.Ints("repeats") {
		axes = append(axes, len(apart))
		apart = append(apart, r, c.In[0].Shape[i])
		ones = append(ones, 1, c.In[0].Shape[i])
	}
	return apart, ones, axes
}

// regroup sees x with its axes apart, permutes them, and sees the result in a
// shape again.
func (b *Builder) regroup(x Value, apart, perm []int, s tensor.Shape) Value {
	return b.reshape(b.transpose(b.reshape(x, apart...), perm), s...)
}

// blocks are the axes of a DepthToSpace's input and output, apart, how the
// former are permuted, and how to come back.
func (c *Call) blocks() (from, to, perm, back []int) {
	s, n := c.In[0].Shape, c.Int("blocksize")
	channels := s[1] / n / n
	from, perm = []int{s[0], n, n, channels, s[2], s[3]}, []int{0, 3, 4, 1, 5, 2}
	if c.Str("mode") == "CRD" {
		from, perm = []int{s[0], channels, n, n, s[2], s[3]}, []int{0, 1, 4, 2, 5, 3}
	}
	to, back = make([]int, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		to[i], back[p] = from[p], i
	}
	return from, to, perm, back
}

// decomposeCumSum adds to each element the one 1, 2, 4, … places before (Hillis
// and Steele, "Data parallel algorithms", 1986).
func decomposeCumSum(b *Builder, c *Call) []Value {
	axis, err := c.Axis("axis")
	b.Fail(err)
	if b.err != nil {
		return []Value{{}}
	}
	n, x := c.In[0].Shape[axis], c.Input(0)
	shifted := func(x Value, by int) Value {
		pads := Attrs{"axes": L(axis), "pads": L(by, -by)}
		if c.Int("reverse") != 0 {
			pads["pads"] = L(-by, by)
		}
		return b.Op("Pad", pads, x)
	}
	if c.Int("exclusive") != 0 && n > 0 {
		x = shifted(x, 1)
	}
	for by := 1; by < n; by *= 2 {
		x = b.Op("Add", nil, x, shifted(x, by))
	}
	return []Value{b.reshape(x, c.Out[0].Shape...)}
}
