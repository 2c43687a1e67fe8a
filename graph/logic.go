package graph

import "github.com/clsbench/clsbench/tensor"

// logicOps compare numbers and combine truth values. None has a gradient.
var logicOps = []*Op{
	comparison("Equal", 19, Any, nil),
	comparison("Less", 13, Numeric, nil),
	comparison("LessOrEqual", 16, Numeric, nil),
	comparison("Greater", 13, Numeric, swapped("Less")),
	comparison("GreaterOrEqual", 16, Numeric, swapped("LessOrEqual")),
	comparison("And", 7, Bools, func(b *Builder, c *Call) Value {
		return b.Op("Where", nil, c.Input(0), c.Input(1), b.Scalar(tensor.Bool, 0))
	}),
	comparison("Or", 7, Bools, func(b *Builder, c *Call) Value {
		return b.Op("Where", nil, c.Input(0), b.Scalar(tensor.Bool, 1), c.Input(1))
	}),
	comparison("Xor", 7, Bools, func(b *Builder, c *Call) Value {
		return b.Op("Not", nil, b.Op("Equal", nil, c.Input(0), c.Input(1)))
	}),
	test("Not", 1, Bools, nil, func(b *Builder, c *Call) Value {
		return b.Op("Equal", nil, c.Input(0), b.Scalar(tensor.Bool, 0))
	}),
	test("IsNaN", 20, Floats, nil, func(b *Builder, c *Call) Value {
		return b.Op("Not", nil, b.Op("Equal", nil, c.Input(0), c.Input(0)))
	}),
	test("IsInf", 20, Floats, []AttrSpec{{Name: "detect_negative", Kind: Int, Default: I(1)}, {Name: "detect_positive", Kind: Int, Default: I(1)}},
		decomposeIsInf),
}

// decomposeIsInf compares with the infinities of the call's type that are
// asked for.
func decomposeIsInf(b *Builder, c *Call) Value {
	found := b.Op("Expand", Attrs{"shape": L(c.Out[0].Shape...)}, b.Scalar(tensor.Bool, 0))
	for _, side := range []struct {
		attr string
		inf  float64
	}{{"detect_negative", negInf}, {"detect_positive", posInf}} {
		if c.Int(side.attr) != 0 {
			found = b.Op("Or", nil, found, b.Op("Equal", nil, c.Input(0), b.Scalar(c.In[0].DType, side.inf)))
		}
	}
	return found
}

// comparison is the row of a broadcasting op that gives truth values; one
// without a decomposition is core.
func comparison(name string, version int, types TypeSet, decompose func(*Builder, *Call) Value) *Op {
	op := &Op{
		Name: name, Version: version, Core: decompose == nil,
		Inputs:  []Param{{Name: "A", Types: types, Var: "T"}, {Name: "B", Types: types, Var: "T"}},
		Outputs: []Param{{Name: "C", Types: Bools}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			s, err := tensor.Broadcast(c.In[0].Shape, c.In[1].Shape)
			return []tensor.Type{{DType: tensor.Bool, Shape: s}}, err
		},
		Work: func(c *Call) int64 { return elements(c.Out[0]) },
	}
	if decompose != nil {
		op.Decompose = func(b *Builder, c *Call) []Value { return []Value{decompose(b, c)} }
	}
	return op
}

// swapped is a comparison as another one of the inputs the other way round.
func swapped(op string) func(*Builder, *Call) Value {
	return func(b *Builder, c *Call) Value { return b.Op(op, nil, c.Input(1), c.Input(0)) }
}

// test is the row of a truth value of one element.
func test(name string, version int, types TypeSet, attrs []AttrSpec, decompose func(*Builder, *Call) Value) *Op {
	return &Op{
		Name: name, Version: version,
		Inputs:  []Param{{Name: "X", Types: types}},
		Outputs: []Param{{Name: "Y", Types: Bools}},
		Attrs:   attrs,
		Infer: func(c *Call) ([]tensor.Type, error) {
			return []tensor.Type{{DType: tensor.Bool, Shape: c.In[0].Shape}}, nil
		},
		Work:      func(c *Call) int64 { return elements(c.Out[0]) },
		Decompose: func(b *Builder, c *Call) []Value { return []Value{decompose(b, c)} },
	}
}
