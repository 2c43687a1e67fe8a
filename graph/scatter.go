package graph

import (
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/tensor"
)

// scatterOps write at indices, or read at tuples of them. An index below 0 counts
// from the end; one outside of its axis is an error in the data, except in
// ScatterND, where ONNX leaves open what becomes of it. Where several updates
// meet one place they are combined by the reduction; with none no place may be
// named twice.
var scatterOps = []*Op{
	{
		// Y = data, but Y[…, indices[…, j, …], …] is updates[…, j, …].
		Name: "ScatterElements", Version: 18,
		Inputs:  scatterInputs,
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "axis", Kind: Int, Default: I(0)}, scatterReduction},
		Infer: func(c *Call) ([]tensor.Type, error) {
			if !c.In[1].Shape.Equal(c.In[2].Shape) {
				return nil, fmt.Errorf("indices are %v, updates %v: want equal shapes", c.In[1].Shape, c.In[2].Shape)
			}
			return c.In[:1], checkScatter(c, checkElementIndices(c))
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			return b.gradScatter(c, dy[0], func() Value {
				return b.Op("GatherElements", Attrs{"axis": I(c.Int("axis"))}, dy[0], c.Input(1))
			})
		},
		Decompose: func(b *Builder, c *Call) []Value {
			rows := func(x Value) Value { return b.reshape(x, x.Type.Shape.Elements(), 1) }
			y := b.scatter(c.Str("reduction"), rows(c.Input(0)), b.elementIndices(c, c.In[0].Shape, c.Input(1)), rows(c.Input(2)))
			return []Value{b.reshape(y, c.Out[0].Shape...)}
		},
	},
	{
		// Y = data, but Y[indices[j…, :], …] is updates[j…, …].
		Name: "ScatterND", Version: 18,
		Inputs:  scatterInputs,
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{scatterReduction},
		Infer: func(c *Call) ([]tensor.Type, error) {
			want, err := tupledShape(c, 0)
			if err == nil && !c.In[2].Shape.Equal(want) {
				err = fmt.Errorf("input updates is %v, want %v", c.In[2].Shape, want)
			}
			return c.In[:1], checkScatter(c, err)
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			return b.gradScatter(c, dy[0], func() Value { return b.Op("GatherND", nil, dy[0], c.Input(1)) })
		},
		Decompose: func(b *Builder, c *Call) []Value {
			n := c.tuple()
			size := c.In[0].Shape[n:].Elements()
			places, count := c.In[0].Shape[:n].Elements(), c.In[1].Shape[:len(c.In[1].Shape)-1].Elements()
			y := b.scatter(c.Str("reduction"), b.reshape(c.Input(0), places, size), b.tupleIndices(c, 0), b.reshape(c.Input(2), count, size))
			return []Value{b.reshape(y, c.Out[0].Shape...)}
		},
	},
	{
		// Y[j…, …] = data[indices[j…, :], …]; the first batch_dims axes are
		// walked through together.
		Name: "GatherND", Version: 13,
		Inputs:  []Param{{Name: "data", Types: Any, Var: "T"}, {Name: "indices", Types: Indices}},
		Outputs: []Param{{Name: "output", Types: Any, Var: "T"}},
		Attrs:   []AttrSpec{{Name: "batch_dims", Kind: Int, Default: I(0)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			s, err := tupledShape(c, c.Int("batch_dims"))
			return []tensor.Type{{DType: c.In[0].DType, Shape: s}}, err
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			n := c.Int("batch_dims") + c.tuple()
			rows, size := c.In[0].Shape[:n].Elements(), c.In[0].Shape[n:].Elements()
			at := b.tupleIndices(c, c.Int("batch_dims"))
			sum := b.Op("ScatterAdd", nil, b.reshape(b.zeros(c.In[0]), rows, size), at, b.reshape(dy[0], at.Type.Shape.Elements(), size))
			return []Value{b.reshape(sum, c.In[0].Shape...), {}}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			n := c.Int("batch_dims") + c.tuple()
			rows := b.reshape(c.Input(0), c.In[0].Shape[:n].Elements(), c.In[0].Shape[n:].Elements())
			return []Value{b.reshape(b.Op("Gather", nil, rows, b.tupleIndices(c, c.Int("batch_dims"))), c.Out[0].Shape...)}
		},
	},
}

var (
	scatterInputs    = []Param{{Name: "data", Types: Any, Var: "T"}, {Name: "indices", Types: Indices}, {Name: "updates", Types: Any, Var: "T"}}
	scatterReduction = AttrSpec{Name: "reduction", Kind: String, Default: S("none"), OneOf: []string{"none", "add", "mul", "max", "min"}}
)

// checkScatter wants numbers where updates are combined.
func checkScatter(c *Call, err error) error {
	if err == nil && c.Str("reduction") != "none" && c.In[0].DType == tensor.Bool {
		err = fmt.Errorf("attribute reduction: %s of truth values", c.Str("reduction"))
	}
	return err
}

// tuple is how many axes of data an index of ScatterND or GatherND names.
func (c *Call) tuple() int { return c.In[1].Shape[len(c.In[1].Shape)-1] }

// tupledShape is the shape of what indices name: their own axes but the last,
// then those of data that they leave whole.
func tupledShape(c *Call, batch int) (tensor.Shape, error) {
	data, indices := c.In[0].Shape, c.In[1].Shape
	if len(indices) == 0 || batch < 0 || batch >= min(len(data), len(indices)) || !data[:batch].Equal(indices[:batch]) {
		return nil, fmt.Errorf("data is %v, indices %v: want %d leading axes in common, and one more", data, indices, batch)
	}
	n := c.tuple()
	if n < 1 || n > len(data)-batch {
		return nil, fmt.Errorf("input indices is %v: its last axis names %d axes of data's %d", indices, n, len(data)-batch)
	}
	return slices.Concat(indices[:len(indices)-1], data[batch+n:]), nil
}

// tupleIndices are the positions that tuples of indices name, a list, with the
// axes of data that are named or batches counted as one.
func (b *Builder) tupleIndices(c *Call, batch int) Value {
	data, indices := c.In[0].Shape, c.Input(1)
	n, d := c.tuple(), indices.Type.DType
	named := data[batch : batch+n]
	strides, dims := named.Strides(), tensor.New(d, n)
	stride := tensor.New(d, n)
	list := func(v []int) (f []float64) {
		for _, x := range v {
			f = append(f, float64(x))
		}
		return f
	}
	dims.SetFloat64s(list(named))
	stride.SetFloat64s(list(strides))
	fromEnd := b.Op("Add", nil, indices, b.Const("extents", dims))
	at := b.Op("Where", nil, b.Op("LessOrEqual", nil, b.Scalar(d, 0), indices), indices, fromEnd)
	at = b.Op("ReduceSum", Attrs{"axes": L(-1), "keepdims": I(0)}, b.Op("Mul", nil, at, b.Const("strides", stride)))
	if batches := data[:batch].Elements(); batch > 0 && b.err == nil && batches > 0 {
		at = b.reshape(at, batches, at.Type.Shape.Elements()/batches)
		at = b.Op("Add", nil, at, b.steps(d, float64(named.Elements()), tensor.Shape{batches, 1}))
	}
	return b.flat(at)
}

// scatter combines rows of updates (M×R) with those rows of data (N×R) that
// the M indices name.
func (b *Builder) scatter(reduction string, data, at, updates Value) Value {
	if b.err != nil {
		return Value{}
	}
	n, m := data.Type.Shape[0], updates.Type.Shape[0]
	switch {
	case m == 0:
		return data
	case reduction == "add":
		return b.Op("ScatterAdd", nil, data, at, updates)
	}
	d := at.Type.DType
	if reduction == "none" {
		// The number of the update that each row takes, from 1 on; 0 for none,
		// which then reads the last and keeps its own.
		zeros := b.zeros(tensor.Type{DType: d, Shape: tensor.Shape{n}})
		one := b.Scalar(d, 1)
		number := b.Op("ScatterAdd", nil, zeros, at, b.Op("Add", nil, b.steps(d, 1, tensor.Shape{m}), one))
		kept := b.reshape(b.Op("Equal", nil, number, b.Scalar(d, 0)), n, 1)
		return b.Op("Where", nil, kept, data, b.Op("Gather", nil, updates, b.Op("Sub", nil, number, one)))
	}
	// All updates before every row, those of others replaced by what changes
	// nothing: N×M×R.
	least, greatest := negInf, posInf
	if data.Type.DType.IsInt() {
		least, greatest = tensor.IntRange(data.Type.DType)
	}
	how := map[string]struct {
		idle         float64
		fold, finish string
	}{"mul": {1, "ReduceProd", "Mul"}, "max": {least, "ReduceMax", "Max"}, "min": {greatest, "ReduceMin", "Min"}}[reduction]
	own := b.Op("Equal", nil, b.reshape(at, 1, m, 1), b.steps(d, 1, tensor.Shape{n, 1, 1}))
	all := b.Op("Where", nil, own, b.reshape(updates, 1, m, updates.Type.Shape[1]), b.Scalar(data.Type.DType, how.idle))
	return b.Op(how.finish, nil, data, b.Op(how.fold, Attrs{"axes": L(1), "keepdims": I(0)}, all))
}

// gradScatter: what is overwritten gets no gradient, the updates get that of
// the places they went to.
func (b *Builder) gradScatter(c *Call, dy Value, gathered func() Value) []Value {
	switch c.Str("reduction") {
	case "add":
		return []Value{dy, {}, gathered()}
	case "none":
		return []Value{b.Op(c.Op.Name, c.Attrs, dy, c.Input(1), b.zeros(c.In[2])), {}, gathered()}
	}
	b.Fail(fmt.Errorf("attribute reduction: there is no gradient of %q", c.Str("reduction")))
	return []Value{{}}
}
