package graph

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// matmulOps are the matrix products.
var matmulOps = []*Op{
	{
		Name: "MatMul", Version: 13, Core: true,
		Inputs:  []Param{{Name: "A", Types: Numeric, Var: "T"}, {Name: "B", Types: Numeric, Var: "T"}},
		Outputs: []Param{{Name: "Y", Types: Numeric, Var: "T"}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			a, bs := c.In[0].Shape, c.In[1].Shape
			if len(a) < 2 || len(bs) < 2 {
				return nil, limited("A is %v, B is %v: want matrices or stacks of them", a, bs)
			}
			m, k, k2, n := a[len(a)-2], a[len(a)-1], bs[len(bs)-2], bs[len(bs)-1]
			if k != k2 {
				return nil, fmt.Errorf("A is %v, B is %v: inner extents %d and %d differ", a, bs, k, k2)
			}
			batch, err := tensor.Broadcast(a[:len(a)-2], bs[:len(bs)-2])
			if err != nil {
				return nil, err
			}
			return []tensor.Type{{DType: c.In[0].DType, Shape: append(batch, m, n)}}, nil
		},
		Work: func(c *Call) int64 {
			return 2 * elements(c.Out[0]) * int64(c.In[0].Shape[len(c.In[0].Shape)-1])
		},
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			da := b.Op("MatMul", nil, dy[0], b.swapLast(c.Input(1)))
			db := b.Op("MatMul", nil, b.swapLast(c.Input(0)), dy[0])
			return []Value{b.SumTo(da, c.In[0].Shape), b.SumTo(db, c.In[1].Shape)}
		},
	},
	{
		// Y = alpha·A′B′ + beta·C with A′ M×K, B′ K×N, C broadcast to M×N.
		Name: "Gemm", Version: 13,
		Inputs: []Param{{Name: "A", Types: Numeric, Var: "T"}, {Name: "B", Types: Numeric, Var: "T"},
			{Name: "C", Types: Numeric, Var: "T", Optional: true}},
		Outputs: []Param{{Name: "Y", Types: Numeric, Var: "T"}},
		Attrs: []AttrSpec{{Name: "alpha", Kind: Float, Default: F(1)}, {Name: "beta", Kind: Float, Default: F(1)},
			{Name: "transA", Kind: Int, Default: I(0)}, {Name: "transB", Kind: Int, Default: I(0)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			m, n, _, err := c.GemmDims()
			if err == nil {
				err = c.checkFactors("alpha", "beta")
			}
			return []tensor.Type{tensor.T(c.In[0].DType, m, n)}, err
		},
		Work: func(c *Call) int64 {
			m, n, k, _ := c.GemmDims()
			w := 2 * int64(m) * int64(n) * int64(k)
			if c.Has(2) {
				w += int64(m) * int64(n)
			}
			return w
		},
		Grad:      gradGemm,
		Decompose: decomposeGemm,
	},
}

// GemmDims are the extents M, N, K of a Gemm: Y is M×N, the sums run over K.
func (c *Call) GemmDims() (m, n, k int, err error) {
	a, b := c.In[0].Shape, c.In[1].Shape
	if len(a) != 2 || len(b) != 2 {
		return 0, 0, 0, fmt.Errorf("A is %v, B is %v: want matrices", a, b)
	}
	m, k = a[0], a[1]
	if c.Int("transA") != 0 {
		m, k = k, m
	}
	k2, n := b[0], b[1]
	if c.Int("transB") != 0 {
		k2, n = n, k2
	}
	if k != k2 {
		return 0, 0, 0, fmt.Errorf("A is %v, B is %v: inner extents %d and %d differ", a, b, k, k2)
	}
	if c.Has(2) {
		s, err := tensor.Broadcast(c.In[2].Shape, tensor.Shape{m, n})
		if err != nil || !s.Equal(tensor.Shape{m, n}) {
			return 0, 0, 0, fmt.Errorf("C is %v, which does not broadcast to %dx%d", c.In[2].Shape, m, n)
		}
	}
	return m, n, k, nil
}

// checkFactors refuses fractions of integers, which ONNX does not say how to
// round.
func (c *Call) checkFactors(names ...string) error {
	if c.In[0].DType.IsFloat() {
		return nil
	}
	for _, name := range names {
		if v := c.Float(name); v != math.Trunc(v) || math.Abs(v) > 1<<31 {
			return limited("attribute %s: %v of %v, want a whole number up to 2^31", name, v, c.In[0].DType)
		}
	}
	return nil
}

// gradGemm: with Y = αA′B′ + βC, dA′ = α·dY·B′ᵀ, dB′ = α·A′ᵀ·dY, dC = β·ΣdY;
// dA is dA′ or, if A was transposed, its transpose, which is a product too.
func gradGemm(b *Builder, c *Call, dy []Value) []Value {
	ta, tb, alpha := c.Int("transA"), c.Int("transB"), c.Attr("alpha")
	product := func(x, y Value, tx, ty int) Value {
		return b.Op("Gemm", Attrs{"alpha": alpha, "transA": I(tx), "transB": I(ty)}, x, y)
	}
	g, a, w := dy[0], c.Input(0), c.Input(1)
	var da, db, dc Value
	if ta == 0 {
		da = product(g, w, 0, 1-tb)
	} else {
		da = product(w, g, tb, 1)
	}
	if tb == 0 {
		db = product(a, g, 1-ta, 0)
	} else {
		db = product(g, a, 1, ta)
	}
	if c.Has(2) {
		dc = b.scaled(b.SumTo(g, c.In[2].Shape), c.Float("beta"))
	}
	return []Value{da, db, dc}
}

func decomposeGemm(b *Builder, c *Call) []Value {
	x, w := c.Input(0), c.Input(1)
	if c.Int("transA") != 0 {
		x = b.swapLast(x)
	}
	if c.Int("transB") != 0 {
		w = b.swapLast(w)
	}
	y := b.scaled(b.Op("MatMul", nil, x, w), c.Float("alpha"))
	if c.Has(2) {
		y = b.Op("Add", nil, y, b.scaled(c.Input(2), c.Float("beta")))
	}
	return []Value{y}
}

// scaled multiplies by a number, which is whole where v is of integers.
func (b *Builder) scaled(v Value, by float64) Value {
	if by == 1 {
		return v
	}
	d := v.Type.DType
	if d.IsInt() { // products wrap around, and so must a factor that the type has not
		return b.Op("Mul", nil, v, b.cast(b.Scalar(tensor.S64, by), d))
	}
	return b.Op("Mul", nil, v, b.Scalar(d, by))
}

func (b *Builder) swapLast(v Value) Value {
	n := len(v.Type.Shape)
	perm := make([]int, n)
	for i := range perm {
		perm[i] = i
	}
	if n >= 2 {
		perm[n-2], perm[n-1] = n-1, n-2
	}
	return b.Op("Transpose", Attrs{"perm": L(perm...)}, v)
}
