package graph

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// qproductOps are the products of 8-bit integers. The …Integer ops give the
// sums of (a − zero point)·(b − zero point) in s32, the QLinear… ops quantize
// them anew: with scales s, a sum stands for the real number sum·s_a·s_b.
var qproductOps = []*Op{
	{
		Name: "MatMulInteger", Version: 10,
		Inputs:  []Param{octets("A", "T1"), octets("B", "T2"), optional(octets("a_zero_point", "T1")), optional(octets("b_zero_point", "T2"))},
		Outputs: []Param{{Name: "Y", Types: typeSet(tensor.S32)}},
		Infer:   func(c *Call) ([]tensor.Type, error) { return c.inferQMatMul(tensor.S32) },
		Work:    qmatmulWork,
		Decompose: func(b *Builder, c *Call) []Value {
			q, err := c.QMatMul()
			b.Fail(err)
			if b.err != nil {
				return []Value{{}}
			}
			a := b.centred(q.A, b.asRow(q.AZero, q.A))
			return []Value{b.Op("MatMul", nil, a, b.centred(q.B, q.BZero))}
		},
	},
	{
		Name: "QLinearMatMul", Version: 21,
		Inputs: []Param{octets("a", "T1"), {Name: "a_scale", Types: Floats, Var: "TS"}, octets("a_zero_point", "T1"),
			octets("b", "T2"), {Name: "b_scale", Types: Floats, Var: "TS"}, octets("b_zero_point", "T2"),
			{Name: "y_scale", Types: Floats, Var: "TS"}, octets("y_zero_point", "T3")},
		Outputs: []Param{octets("y", "T3")},
		Infer: func(c *Call) ([]tensor.Type, error) {
			for i, s := range []tensor.Shape{c.In[6].Shape, c.In[7].Shape} {
				if !lone(s) {
					return nil, fmt.Errorf("%s is %v, want a scalar", c.Op.Inputs[6+i].Name, s)
				}
			}
			for _, i := range []int{1, 4} {
				if !c.In[i].Shape.Equal(c.In[i+1].Shape) {
					return nil, fmt.Errorf("%s is %v, %s is %v: want equal shapes", c.Op.Inputs[i].Name, c.In[i].Shape, c.Op.Inputs[i+1].Name, c.In[i+1].Shape)
				}
			}
			return c.inferQMatMul(c.In[7].DType)
		},
		Work: qmatmulWork,
		Decompose: func(b *Builder, c *Call) []Value {
			q, err := c.QMatMul()
			b.Fail(err)
			if b.err != nil {
				return []Value{{}}
			}
			d := single(c.In[1].DType)
			sum := b.Op("MatMulInteger", nil, q.A, q.B, q.AZero, q.BZero)
			factor := b.Op("Mul", nil, b.cast(b.asRow(q.AScale, q.A), d), b.cast(q.BScale, d))
			return []Value{b.requantized(sum, factor, b.cast(b.alone(c.Input(6)), d), b.alone(c.Input(7)))}
		},
	},
	{
		Name: "ConvInteger", Version: 10,
		Inputs:  []Param{octets("x", "T1"), octets("w", "T2"), optional(octets("x_zero_point", "T1")), optional(octets("w_zero_point", "T2"))},
		Outputs: []Param{{Name: "y", Types: typeSet(tensor.S32)}},
		Attrs:   windowAttrs(groupAttr),
		Infer: func(c *Call) ([]tensor.Type, error) {
			return c.inferQConv(tensor.S32)
		},
		Work:      qconvWork,
		Decompose: decomposeConvInteger,
	},
	{
		// B is quantized by x_scale·w_scale, with zero point 0.
		Name: "QLinearConv", Version: 10,
		Inputs: []Param{octets("x", "T1"), {Name: "x_scale", Types: typeSet(tensor.F32)}, octets("x_zero_point", "T1"),
			octets("w", "T2"), {Name: "w_scale", Types: typeSet(tensor.F32)}, octets("w_zero_point", "T2"),
			{Name: "y_scale", Types: typeSet(tensor.F32)}, octets("y_zero_point", "T3"),
			optional(Param{Name: "B", Types: typeSet(tensor.S32)})},
		Outputs: []Param{octets("y", "T3")},
		Attrs:   windowAttrs(groupAttr),
		Infer: func(c *Call) ([]tensor.Type, error) {
			for _, i := range []int{1, 6, 7} {
				if !lone(c.In[i].Shape) {
					return nil, fmt.Errorf("%s is %v, want a scalar", c.Op.Inputs[i].Name, c.In[i].Shape)
				}
			}
			return c.inferQConv(c.In[7].DType)
		},
		Work: qconvWork,
		Decompose: func(b *Builder, c *Call) []Value {
			q := c.QConv()
			channels := append(tensor.Shape{q.W.Type.Shape[0]}, repeat(1, len(q.X.Type.Shape)-2)...)
			perChannel := func(v Value) Value {
				if lone(v.Type.Shape) {
					return b.alone(v)
				}
				return b.Op("Reshape", Attrs{"shape": L(channels...)}, v)
			}
			sum := b.Op("ConvInteger", c.Attrs, q.X, q.W, q.XZero, q.WZero)
			if q.Bias.Name != "" {
				sum = b.Op("Add", nil, sum, b.Op("Reshape", Attrs{"shape": L(channels...)}, q.Bias))
			}
			factor := b.Op("Mul", nil, b.alone(c.Input(1)), perChannel(c.Input(4)))
			return []Value{b.requantized(sum, factor, b.alone(c.Input(6)), b.alone(c.Input(7)))}
		},
	},
}

func octets(name, v string) Param { return Param{Name: name, Types: EightBits, Var: v} }

func optional(p Param) Param {
	p.Optional = true
	return p
}

// lone says whether a shape is that of a single number.
func lone(s tensor.Shape) bool { return len(s) <= 1 && s.Elements() == 1 }

// alone makes a single number a scalar.
func (b *Builder) alone(v Value) Value {
	if len(v.Type.Shape) == 0 {
		return v
	}
	return b.Op("Reshape", Attrs{"shape": L[int]()}, v)
}

// centred is v − zero in s32, exact.
func (b *Builder) centred(v, zero Value) Value {
	v = b.cast(v, tensor.S32)
	if zero.Name == "" {
		return v
	}
	return b.Op("Sub", nil, v, b.cast(zero, tensor.S32))
}

// requantized is sat(zero + RNE(sum·(factor/scale))), in the type of the
// scales.
func (b *Builder) requantized(sum, factor, scale, zero Value) Value {
	if b.err != nil {
		return Value{}
	}
	v := b.Op("Mul", nil, b.cast(sum, factor.Type.DType), b.Op("Div", nil, factor, scale))
	return b.saturated(b.Op("Round", nil, v), zero, zero.Type.DType)
}

// QMatMul is a product of integer matrices, whichever of the two ops; scales
// only of a QLinearMatMul.
type QMatMul struct {
	A, B, AZero, BZero, AScale, BScale Value
}

// QMatMul finds the operands of a MatMulInteger or QLinearMatMul.
func (c *Call) QMatMul() (QMatMul, error) {
	q := QMatMul{A: c.Input(0), B: c.Input(1), AZero: c.Input(2), BZero: c.Input(3)}
	if c.Op.Name == "QLinearMatMul" {
		q = QMatMul{A: c.Input(0), B: c.Input(3), AZero: c.Input(2), BZero: c.Input(5), AScale: c.Input(1), BScale: c.Input(4)}
	}
	if len(q.A.Type.Shape) < 2 || len(q.B.Type.Shape) < 2 {
		return q, limited("A is %v, B is %v: want matrices or stacks of them", q.A.Type, q.B.Type)
	}
	return q, nil
}

// asRow is what belongs to rows of a matrix: one number for each, as a vector
// or shaped to broadcast already.
func (b *Builder) asRow(v, matrix Value) Value {
	if b.err != nil || v.Name == "" || !perRow(v.Type.Shape, matrix.Type.Shape) {
		return v
	}
	return b.Op("Reshape", Attrs{"shape": L(v.Type.Shape[0], 1)}, v)
}

// perRow says whether a vector is one a row of a matrix.
func perRow(s, matrix tensor.Shape) bool {
	return len(s) == 1 && s[0] != 1 && s[0] == matrix[len(matrix)-2]
}

func (c *Call) inferQMatMul(d tensor.DType) ([]tensor.Type, error) {
	q, err := c.QMatMul()
	if err != nil {
		return nil, err
	}
	a, w := q.A.Type.Shape, q.B.Type.Shape
	m, k, k2, n := a[len(a)-2], a[len(a)-1], w[len(w)-2], w[len(w)-1]
	if k != k2 {
		return nil, fmt.Errorf("A is %v, B is %v: inner extents %d and %d differ", a, w, k, k2)
	}
	// A zero point that differs along the sum would be another op.
	if err := fits("a_zero_point", q.AZero, rowShape(q.AZero.Type.Shape, a), append(a[:len(a)-1].Clone(), 1)); err != nil {
		return nil, err
	}
	columns := w.Clone()
	columns[len(w)-2] = 1
	if err := fits("b_zero_point", q.BZero, q.BZero.Type.Shape, columns); err != nil {
		return nil, err
	}
	stack, err := tensor.Broadcast(a[:len(a)-2], w[:len(w)-2])
	return []tensor.Type{{DType: d, Shape: append(stack, m, n)}}, err
}

// rowShape is the shape that asRow gives.
func rowShape(s, matrix tensor.Shape) tensor.Shape {
	if perRow(s, matrix) {
		return tensor.Shape{s[0], 1}
	}
	return s
}

// fits holds a zero point's shape against the one that it must broadcast to.
func fits(name string, v Value, s, to tensor.Shape) error {
	if v.Name == "" {
		return nil
	}
	if got, err := tensor.Broadcast(s, to); err != nil || !got.Equal(to) {
		return fmt.Errorf("%s is %v, which does not broadcast to %v", name, v.Type.Shape, to)
	}
	return nil
}

func qmatmulWork(c *Call) int64 {
	a := c.In[0].Shape
	return 2 * elements(c.Out[0]) * int64(a[len(a)-1])
}

// QConv is a convolution of integers, whichever of the two ops; Bias only of a
// QLinearConv.
type QConv struct{ X, W, XZero, WZero, Bias Value }

// QConv finds the operands of a ConvInteger or QLinearConv.
func (c *Call) QConv() QConv {
	if c.Op.Name == "QLinearConv" {
		return QConv{c.Input(0), c.Input(3), c.Input(2), c.Input(5), c.Input(8)}
	}
	return QConv{c.Input(0), c.Input(1), c.Input(2), c.Input(3), Value{}}
}

func (c *Call) inferQConv(d tensor.DType) ([]tensor.Type, error) {
	w, err := c.ConvWindow()
	if err != nil {
		return nil, err
	}
	q := c.QConv()
	m := q.W.Type.Shape[0]
	if q.XZero.Name != "" && !lone(q.XZero.Type.Shape) {
		return nil, fmt.Errorf("x_zero_point is %v, want a scalar", q.XZero.Type.Shape)
	}
	for i, p := range c.Op.Inputs {
		s := tensor.Shape{}
		if c.Has(i) {
			s = c.In[i].Shape
		}
		switch p.Name {
		case "w_scale", "w_zero_point":
			if !lone(s) && !s.Equal(tensor.Shape{m}) {
				return nil, fmt.Errorf("%s is %v, want a scalar or %d", p.Name, s, m)
			}
		case "B":
			if c.Has(i) && !s.Equal(tensor.Shape{m}) {
				return nil, fmt.Errorf("B is %v, want %d", s, m)
			}
		}
	}
	return []tensor.Type{tensor.T(d, append([]int{c.In[0].Shape[0], m}, w.Out...)...)}, nil
}

func qconvWork(c *Call) int64 {
	return 2 * elements(c.Out[0]) * int64(c.QConv().W.Type.Shape[1:].Elements())
}

// decomposeConvInteger makes convolutions in f32 of it, the only ones that
// every backend has. They are exact while no sum passes 2²⁴: weights, of 9 bits
// with their sign, are taken apart into digits of as few bits as that takes,
// each digit convolved by itself, and the results put together in s32.
func decomposeConvInteger(b *Builder, c *Call) []Value {
	q := c.QConv()
	w := q.W.Type.Shape
	zero := q.WZero
	if zero.Name != "" && !lone(zero.Type.Shape) {
		zero = b.Op("Reshape", Attrs{"shape": L(append([]int{w[0]}, repeat(1, len(w)-1)...)...)}, zero)
	}
	x := b.cast(b.centred(q.X, q.XZero), tensor.F32)
	rest := b.centred(q.W, zero)
	base := digitBase(w[1:].Elements())
	var sum Value
	for place, left := 1, 255; ; place, left = place*base, left/base {
		digit, higher := rest, Value{}
		if left >= base {
			radix := b.Scalar(tensor.S32, float64(base))
			higher = b.Op("Div", nil, rest, radix)
			digit = b.Op("Sub", nil, rest, b.Op("Mul", nil, higher, radix))
		}
		part := b.cast(b.Op("Conv", c.Attrs, x, b.cast(digit, tensor.F32)), tensor.S32)
		if place > 1 {
			part = b.Op("Mul", nil, part, b.Scalar(tensor.S32, float64(place)))
			part = b.Op("Add", nil, sum, part)
		}
		if sum = part; left < base {
			return []Value{sum}
		}
		rest = higher
	}
}

// digitBase is the largest base, at most 256, whose digits d < base make sums
// of k products 255·d that f32 holds exactly; at least 2.
func digitBase(k int) int {
	largest := float64(1<<24)/(255*float64(max(1, k))) + 1
	return int(min(256, max(2, math.Exp2(math.Floor(math.Log2(largest))))))
}
