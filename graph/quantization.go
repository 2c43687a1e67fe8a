package graph

import (
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/tensor"
)

// quantizationOps go between real numbers r and 8-bit integers q by a scale
// and a zero point, r = (q − zero point)·scale (Jacob et al., "Quantization and
// Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
// 2018, §2.1). The products of integers are in qproducts.go.
var quantizationOps = []*Op{
	{
		Name: "QuantizeLinear", Version: 24,
		Inputs: []Param{{Name: "x", Types: Floats | typeSet(tensor.S32)}, {Name: "y_scale", Types: Floats},
			{Name: "y_zero_point", Types: EightBits, Optional: true}},
		Outputs: []Param{{Name: "y", Types: EightBits}},
		Attrs: []AttrSpec{axisAttr, blockAttr, {Name: "output_dtype", Kind: String, OneOf: []string{"s8", "u8"}},
			{Name: "precision", Kind: String, OneOf: []string{"f32", "f64", "f16", "bf16"}},
			{Name: "saturate", Kind: Int, Default: I(1)}}, // of meaning for 8-bit floats alone
		Infer: func(c *Call) ([]tensor.Type, error) {
			if _, err := c.Granularity(); err != nil {
				return nil, err
			}
			d, want := tensor.U8, c.Str("output_dtype")
			switch {
			case c.Has(2):
				d = c.In[2].DType
			case want != "":
				d, _ = tensor.ParseDType(want)
			}
			if want != "" && want != d.String() {
				return nil, fmt.Errorf("attribute output_dtype: %s, y_zero_point is %v", want, d)
			}
			return []tensor.Type{{DType: d, Shape: c.In[0].Shape}}, nil
		},
		Work: func(c *Call) int64 { return 3 * elements(c.Out[0]) },
		Decompose: func(b *Builder, c *Call) []Value {
			d := single(c.In[0].DType)
			scale := b.perElement(c, b.cast(c.Input(1), d))
			v := b.Op("Round", nil, b.Op("Div", nil, b.cast(c.Input(0), d), scale))
			return []Value{b.saturated(v, b.perElement(c, c.Input(2)), c.Out[0].DType)}
		},
	},
	{
		Name: "DequantizeLinear", Version: 24,
		Inputs: []Param{{Name: "x", Types: EightBits | typeSet(tensor.S32), Var: "T1"}, {Name: "x_scale", Types: Floats},
			{Name: "x_zero_point", Types: EightBits | typeSet(tensor.S32), Var: "T1", Optional: true}},
		Outputs: []Param{{Name: "y", Types: Floats}},
		Attrs:   []AttrSpec{axisAttr, blockAttr, {Name: "output_dtype", Kind: String, OneOf: []string{"f32", "f64", "f16", "bf16"}}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			if _, err := c.Granularity(); err != nil {
				return nil, err
			}
			d := c.In[1].DType
			if want := c.Str("output_dtype"); want != "" {
				d, _ = tensor.ParseDType(want)
			}
			return []tensor.Type{{DType: d, Shape: c.In[0].Shape}}, nil
		},
		Work: func(c *Call) int64 { return 2 * elements(c.Out[0]) },
		Decompose: func(b *Builder, c *Call) []Value {
			d := single(c.Out[0].DType)
			v := b.cast(c.Input(0), tensor.S32)
			if zero := b.perElement(c, b.cast(c.Input(2), tensor.S32)); zero.Name != "" {
				v = b.Op("Sub", nil, v, zero)
			}
			v = b.Op("Mul", nil, b.cast(v, d), b.perElement(c, b.cast(c.Input(1), d)))
			return []Value{b.cast(v, c.Out[0].DType)}
		},
	},
	{
		// y_scale and y_zero_point follow from the range of x, widened to hold 0.
		Name: "DynamicQuantizeLinear", Version: 11,
		Inputs: []Param{{Name: "x", Types: typeSet(tensor.F32)}},
		Outputs: []Param{{Name: "y", Types: typeSet(tensor.U8)}, {Name: "y_scale", Types: typeSet(tensor.F32)},
			{Name: "y_zero_point", Types: typeSet(tensor.U8)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			if elements(c.In[0]) == 0 {
				return nil, fmt.Errorf("input is empty: nothing has no range")
			}
			return []tensor.Type{{DType: tensor.U8, Shape: c.In[0].Shape}, tensor.T(tensor.F32), tensor.T(tensor.U8)}, nil
		},
		Work:      func(c *Call) int64 { return 5 * elements(c.In[0]) },
		Decompose: decomposeDynamic,
	},
	{
		// Quantizes and dequantizes, for training (Jacob et al., §3). Its gradient
		// is the straight-through estimator (Bengio, Léonard and Courville 2013):
		// as if it were the identity inside the range, a constant outside.
		Name: "FakeQuantize", Domain: Own, Version: 1, StraightThrough: true,
		Inputs: []Param{{Name: "X", Types: Floats, Var: "T"}, {Name: "scale", Types: Floats, Var: "T"},
			{Name: "zero_point", Types: typeSet(tensor.S32), Optional: true}},
		Outputs: []Param{{Name: "Y", Types: Floats, Var: "T"}},
		Attrs:   fakeAttrs,
		Infer:   inferFake,
		Work:    func(c *Call) int64 { return 6 * elements(c.Out[0]) },
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			return []Value{b.Op("FakeQuantizeGrad", c.Attrs, dy[0], c.Input(0), c.Input(1), c.Input(2))}
		},
		Decompose: func(b *Builder, c *Call) []Value {
			d := single(c.In[0].DType)
			scale, zero := b.perElement(c, b.cast(c.Input(1), d)), b.perElement(c, b.cast(c.Input(2), d))
			q := b.shifted(b.Op("Round", nil, b.Op("Div", nil, b.cast(c.Input(0), d), scale)), zero)
			q = b.clipped(q, float64(c.Int("quant_min")), float64(c.Int("quant_max")))
			if zero.Name != "" {
				q = b.Op("Sub", nil, q, zero)
			}
			return []Value{b.cast(b.Op("Mul", nil, q, scale), c.Out[0].DType)}
		},
	},
	{
		Name: "FakeQuantizeGrad", Domain: Own, Version: 1,
		Inputs: []Param{{Name: "dY", Types: Floats, Var: "T"}, {Name: "X", Types: Floats, Var: "T"}, {Name: "scale", Types: Floats, Var: "T"},
			{Name: "zero_point", Types: typeSet(tensor.S32), Optional: true}},
		Outputs: []Param{{Name: "dX", Types: Floats, Var: "T"}},
		Attrs:   fakeAttrs,
		Infer: func(c *Call) ([]tensor.Type, error) {
			if !c.In[0].Equal(c.In[1]) {
				return nil, fmt.Errorf("dY is %v, X is %v: want equal types", c.In[0], c.In[1])
			}
			return inferFake(c)
		},
		Work: func(c *Call) int64 { return 5 * elements(c.Out[0]) },
		Decompose: func(b *Builder, c *Call) []Value {
			d := single(c.In[0].DType)
			scale, zero := b.perElement(c, b.cast(c.Input(2), d)), b.perElement(c, b.cast(c.Input(3), d))
			q := b.shifted(b.Op("Round", nil, b.Op("Div", nil, b.cast(c.Input(1), d), scale)), zero)
			none := b.Scalar(c.In[0].DType, 0)
			below := b.Op("Where", nil, b.Op("LessOrEqual", nil, q, b.Scalar(d, float64(c.Int("quant_max")))), c.Input(0), none)
			return []Value{b.Op("Where", nil, b.Op("LessOrEqual", nil, b.Scalar(d, float64(c.Int("quant_min"))), q), below, none)}
		},
	},
}

var (
	axisAttr  = AttrSpec{Name: "axis", Kind: Int, Default: I(1)}
	blockAttr = AttrSpec{Name: "block_size", Kind: Int, Default: I(0)}
	fakeAttrs = []AttrSpec{axisAttr, {Name: "quant_min", Kind: Int, Default: I(-128)}, {Name: "quant_max", Kind: Int, Default: I(127)}}
)

func inferFake(c *Call) ([]tensor.Type, error) {
	if _, err := c.Granularity(); err != nil {
		return nil, err
	}
	// Integers of 24 bits are exact in f32.
	const most = 1 << 24
	if lo, hi := c.Int("quant_min"), c.Int("quant_max"); lo > hi || lo < -most || hi > most {
		return nil, fmt.Errorf("attributes quant_min and quant_max: [%d, %d] is no range within ±2^24", lo, hi)
	}
	return c.In[:1], nil
}

// Granularity says which scale and zero point belongs to an element of x: the
// only one, one an index of an axis, or one a block of elements along it.
type Granularity struct {
	extent, inner int // of the axis; of what lies within an index of it
	block, blocks int // elements a block, blocks along the axis; 0: no blocks
}

// At is the flat position of element i's scale.
func (g *Granularity) At(i int) int {
	if g.blocks == 0 {
		return i / g.inner % g.extent
	}
	return (i/(g.inner*g.extent)*g.blocks+i/g.inner%g.extent/g.block)*g.inner + i%g.inner
}

// Run is how many elements from i on share i's scale.
func (g *Granularity) Run(i int) int {
	if g.blocks == 0 {
		return g.inner - i%g.inner
	}
	return 1
}

// Granularity reads the shapes of scale and zero point and the attributes axis
// and block_size of an op that quantizes element by element.
func (c *Call) Granularity() (*Granularity, error) {
	at := slices.IndexFunc(c.Op.Inputs, func(p Param) bool { return p.Name == "y_scale" || p.Name == "x_scale" || p.Name == "scale" })
	x, scale := c.In[at-1].Shape, c.In[at].Shape
	if c.Has(at+1) && !c.In[at+1].Shape.Equal(scale) {
		return nil, fmt.Errorf("%s is %v, %s is %v: want equal shapes", c.Op.Inputs[at+1].Name, c.In[at+1].Shape, c.Op.Inputs[at].Name, scale)
	}
	block := 0
	if c.Op.attr("block_size") != nil {
		block = c.Int("block_size")
	}
	if block == 0 && len(scale) <= 1 && scale.Elements() == 1 {
		return &Granularity{extent: 1, inner: max(1, x.Elements())}, nil
	}
	axis := c.Int("axis")
	if axis < -len(x) || axis >= len(x) {
		return nil, fmt.Errorf("attribute axis: %d of a tensor of rank %d", axis, len(x))
	}
	axis = (axis + len(x)) % len(x)
	g := &Granularity{extent: x[axis], inner: max(1, x[axis+1:].Elements())}
	if block == 0 {
		if !scale.Equal(tensor.Shape{g.extent}) {
			return nil, fmt.Errorf("%s is %v, want a scalar or the %d elements of axis %d", c.Op.Inputs[at].Name, scale, g.extent, axis)
		}
		return g, nil
	}
	if block < 0 {
		return nil, fmt.Errorf("attribute block_size: %d", block)
	}
	g.block, g.blocks = block, (g.extent+block-1)/block
	want := x.Clone()
	if want[axis] = g.blocks; !scale.Equal(want) {
		return nil, fmt.Errorf("%s is %v, want %v for blocks of %d along axis %d", c.Op.Inputs[at].Name, scale, want, block, axis)
	}
	return g, nil
}

// perElement shapes a scale or zero point of c so that it broadcasts to x. A
// zero Value stays one.
func (b *Builder) perElement(c *Call, v Value) Value {
	g, err := c.Granularity()
	b.Fail(err)
	if b.err != nil || v.Name == "" {
		return v
	}
	x := c.Out[0].Shape
	switch {
	case g.blocks > 0:
		return b.repeated(v, x, g)
	case len(v.Type.Shape) == 0:
		return v
	case v.Type.Shape[0] == 1:
		return b.Op("Reshape", Attrs{"shape": L[int]()}, v)
	}
	axis := (c.Int("axis") + len(x)) % len(x)
	s := append(tensor.Shape{g.extent}, repeat(1, len(x)-1-axis)...)
	return b.Op("Reshape", Attrs{"shape": L(s...), "allowzero": I(1)}, v)
}

// repeated stretches what is one a block to one an element: blocks get an axis
// of their own, which is widened, and what hangs over the end is cut off.
func (b *Builder) repeated(v Value, x tensor.Shape, g *Granularity) Value {
	outer := x.Elements() / max(1, g.extent*g.inner)
	v = b.Op("Reshape", Attrs{"shape": L(outer, g.blocks, 1, g.inner), "allowzero": I(1)}, v)
	v = b.Op("Expand", Attrs{"shape": L(outer, g.blocks, g.block, g.inner)}, v)
	v = b.Op("Reshape", Attrs{"shape": L(outer, g.blocks*g.block, g.inner), "allowzero": I(1)}, v)
	if g.blocks*g.block > g.extent {
		v = b.Op("Slice", Attrs{"starts": L(0), "ends": L(g.extent), "axes": L(1)}, v)
	}
	return b.Op("Reshape", Attrs{"shape": L(x...), "allowzero": I(1)}, v)
}

// single is the type that decompositions compute in for values of type d.
func single(d tensor.DType) tensor.DType {
	if d == tensor.F64 {
		return d
	}
	return tensor.F32
}

// cast converts v, if it is there and not of the type already.
func (b *Builder) cast(v Value, to tensor.DType) Value {
	if b.err != nil || v.Name == "" || v.Type.DType == to {
		return v
	}
	return b.Op("Cast", Attrs{"to": S(to.String())}, v)
}

// shifted adds a zero point, if there is one, to rounded floats: exact, for all
// that is not out of range anyway.
func (b *Builder) shifted(v, zero Value) Value {
	if zero.Name == "" {
		return v
	}
	return b.Op("Add", nil, v, b.cast(zero, v.Type.DType))
}

// clipped is v held within [lo, hi].
func (b *Builder) clipped(v Value, lo, hi float64) Value {
	return b.Op("Max", nil, b.Op("Min", nil, v, b.Scalar(v.Type.DType, hi)), b.Scalar(v.Type.DType, lo))
}

// saturated is sat(zero + v) as integers of type to, v rounded already.
func (b *Builder) saturated(v, zero Value, to tensor.DType) Value {
	if b.err != nil {
		return v
	}
	lo, hi := tensor.IntRange(to)
	return b.cast(b.clipped(b.shifted(v, zero), lo, hi), to)
}

// decomposeDynamic: where all of x is 0 the range is empty, and 1 the scale.
func decomposeDynamic(b *Builder, c *Call) []Value {
	x, zero, one := c.Input(0), b.Scalar(tensor.F32, 0), b.Scalar(tensor.F32, 1)
	all := Attrs{"keepdims": I(0)}
	hi := b.Op("Max", nil, b.Op("ReduceMax", all, x), zero)
	lo := b.Op("Min", nil, b.Op("Neg", nil, b.Op("ReduceMax", all, b.Op("Neg", nil, x))), zero)
	span := b.Op("Sub", nil, hi, lo)
	scale := b.Op("Where", nil, b.Op("Equal", nil, span, zero), one, b.Op("Div", nil, span, b.Scalar(tensor.F32, 255)))
	point := b.Op("Round", nil, b.Op("Div", nil, b.Op("Neg", nil, lo), scale))
	zp := b.saturated(point, Value{}, tensor.U8)
	return []Value{b.saturated(b.Op("Round", nil, b.Op("Div", nil, x, scale)), zp, tensor.U8), scale, zp}
}
