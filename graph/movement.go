package graph

import (
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/tensor"
)

// movementOps carry elements elsewhere and compute nothing.
var movementOps = []*Op{
	{
		Name: "Reshape", Version: 24, Core: true,
		Inputs:  []Param{{Name: "data", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "reshaped", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "shape", Kind: IntList, Required: true}, {Name: "allowzero", Kind: Int, Default: I(0)}},
		Folded:  []string{"shape"},
		Infer:   inferReshape,
		Grad:    gradReshape,
	},
	{
		Name: "Flatten", Version: 24,
		Inputs:  []Param{{Name: "input", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "axis", Kind: Int, Default: I(1)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			s, a := c.In[0].Shape, c.Int("axis")
			if a < -len(s) || a > len(s) {
				return nil, fmt.Errorf("attribute axis: %d of a tensor of rank %d", a, len(s))
			}
			if a < 0 {
				a += len(s)
			}
			return []tensor.Type{tensor.T(c.In[0].DType, s[:a].Elements(), s[a:].Elements())}, nil
		},
		Grad:      gradReshape,
		Decompose: reshapeOnly,
	},
	{
		Name: "Squeeze", Version: 24,
		Inputs:  []Param{{Name: "data", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "squeezed", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "axes", Kind: IntList}},
		Folded:  []string{"axes"},
		Infer: func(c *Call) ([]tensor.Type, error) {
			axes, err := c.Axes("axes")
			if err != nil {
				return nil, err
			}
			s, all := c.In[0].Shape, len(c.Ints("axes")) == 0
			for _, a := range axes {
				if s[a] != 1 && !all {
					return nil, fmt.Errorf("attribute axes: axis %d of %v has %d elements, want 1", a, s, s[a])
				}
			}
			if all {
				axes = slices.DeleteFunc(axes, func(a int) bool { return s[a] != 1 })
			}
			return []tensor.Type{{DType: c.In[0].DType, Shape: reducedShape(s, axes, false)}}, nil
		},
		Grad:      gradReshape,
		Decompose: reshapeOnly,
	},
	{
		// axes count in the output's axes.
		Name: "Unsqueeze", Version: 24,
		Inputs:  []Param{{Name: "data", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "expanded", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "axes", Kind: IntList, Required: true}},
		Folded:  []string{"axes"},
		Infer: func(c *Call) ([]tensor.Type, error) {
			rank := len(c.In[0].Shape) + len(c.Ints("axes"))
			axes, err := foldAxes("axes", c.Ints("axes"), rank)
			if err != nil {
				return nil, err
			}
			s := tensor.Shape(repeat(1, rank))
			old := c.In[0].Shape
			for i := range s {
				if !slices.Contains(axes, i) {
					s[i], old = old[0], old[1:]
				}
			}
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}}, nil
		},
		Grad:      gradReshape,
		Decompose: reshapeOnly,
	},
	{
		Name: "Transpose", Version: 24, Core: true,
		Inputs:  []Param{{Name: "data", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "transposed", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "perm", Kind: IntList}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			perm, err := c.Perm()
			if err != nil {
				return nil, err
			}
			s := make(tensor.Shape, len(perm))
			for i, p := range perm {
				s[i] = c.In[0].Shape[p]
			}
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}}, nil
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			perm, err := c.Perm()
			b.Fail(err)
			inv := make([]int, len(perm))
			for i, p := range perm {
				inv[p] = i
			}
			return []Value{b.Op("Transpose", Attrs{"perm": L(inv...)}, dy[0])}
		},
	},
	{
		Name: "Expand", Version: 13, Core: true,
		Inputs:  []Param{{Name: "input", Types: Any, Var: "T"}},
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "shape", Kind: IntList, Required: true}},
		Folded:  []string{"shape"},
		Infer: func(c *Call) ([]tensor.Type, error) {
			to := tensor.Shape(c.Ints("shape"))
			if err := to.Validate(); err != nil {
				return nil, fmt.Errorf("attribute shape: %w", err)
			}
			s, err := tensor.Broadcast(c.In[0].Shape, to)
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}}, err
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			return []Value{b.SumTo(dy[0], c.In[0].Shape)}
		},
	},
}

// inferReshape resolves ONNX's 0 (copy the extent, unless allowzero) and -1
// (whatever is left over).
func inferReshape(c *Call) ([]tensor.Type, error) {
	in := c.In[0].Shape
	to := tensor.Shape(c.Ints("shape"))
	free, known := -1, tensor.Shape{}
	for i, d := range to {
		switch {
		case d == 0 && c.Int("allowzero") == 0:
			if i >= len(in) {
				return nil, fmt.Errorf("attribute shape: 0 at axis %d of an input of rank %d", i, len(in))
			}
			to[i] = in[i]
		case d == -1 && free >= 0:
			return nil, fmt.Errorf("attribute shape: %v has more than one -1", c.Ints("shape"))
		case d == -1:
			free = i
			continue
		}
		known = append(known, to[i])
	}
	if err := known.Validate(); err != nil {
		return nil, fmt.Errorf("attribute shape: %w", err)
	}
	n := known.Elements()
	if free >= 0 {
		if n == 0 || in.Elements()%n != 0 {
			return nil, fmt.Errorf("attribute shape: %v does not divide %d elements", c.Ints("shape"), in.Elements())
		}
		to[free] = in.Elements() / n
	}
	if to.Elements() != in.Elements() {
		return nil, fmt.Errorf("attribute shape: %v has %d elements, the input %d", to, to.Elements(), in.Elements())
	}
	return []tensor.Type{{DType: c.In[0].DType, Shape: to}}, nil
}

func gradReshape(b *Builder, c *Call, dy []Value) []Value {
	return []Value{b.reshape(dy[0], c.In[0].Shape...)}
}

// reshapeOnly is the decomposition of what only gives another shape.
func reshapeOnly(b *Builder, c *Call) []Value {
	return []Value{b.reshape(c.Input(0), c.Out[0].Shape...)}
}

// reshape gives x exactly this shape.
func (b *Builder) reshape(x Value, s ...int) Value {
	return b.Op("Reshape", Attrs{"shape": L(s...), "allowzero": I(1)}, x)
}

// Perm reads the perm attribute of a Transpose; reversed axes when absent.
func (c *Call) Perm() ([]int, error) {
	rank := len(c.In[0].Shape)
	perm := c.Ints("perm")
	if len(perm) == 0 {
		for i := range rank {
			perm = append(perm, rank-1-i)
		}
	}
	seen := make([]bool, rank)
	for _, p := range perm {
		if p < 0 || p >= rank || seen[p] || len(perm) != rank {
			return nil, fmt.Errorf("attribute perm: %v is no permutation of %d axes", perm, rank)
		}
		seen[p] = true
	}
	return perm, nil
}
