package cpu

import (
	"math"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

func buildComparison(b *builder, c *graph.Call, in []*value, out *value) ranger {
	if c.In[0].DType == tensor.F32 {
		return compareVectors(b.isa, vectorRelations[c.Op.Name], c, in, out)
	}
	return loopsOf[c.In[0].DType].comparison(c, in, out)
}

// vectorRelation is a comparison of vectors, of the second input with the
// first if exchanged.
type vectorRelation struct {
	of        kernel.Comparison
	exchanged bool
}

var vectorRelations = map[string]vectorRelation{
	"Less": {of: kernel.Less}, "LessOrEqual": {of: kernel.LessOrEqual}, "Equal": {of: kernel.Equal},
	"Greater": {kernel.Less, true}, "GreaterOrEqual": {kernel.LessOrEqual, true},
}

func compareVectors(set kernel.ISA, relation vectorRelation, c *graph.Call, in []*value, out *value) ranger {
	bc := newBroadcast(c.Out[0].Shape, c.In[0].Shape, c.In[1].Shape)
	return func(lo, hi int) {
		x, y, z := in[0].f32(), in[1].f32(), out.bytes()
		for lo < hi {
			n := bc.rest(lo, hi)
			a, b := bc.operand(0, x, lo, n), bc.operand(1, y, lo, n)
			if relation.exchanged {
				a, b = b, a
			}
			relation.of.Compare(set, z[lo:lo+n], a, b)
			lo += n
		}
	}
}

// comparisonOf has truth values as the numbers 0 and 1.
func comparisonOf[T number](op string) func(a, b T) bool {
	switch op {
	case "Less":
		return func(a, b T) bool { return a < b }
	case "LessOrEqual":
		return func(a, b T) bool { return a <= b }
	case "Greater":
		return func(a, b T) bool { return a > b }
	case "GreaterOrEqual":
		return func(a, b T) bool { return a >= b }
	case "And":
		return func(a, b T) bool { return a != 0 && b != 0 }
	case "Or":
		return func(a, b T) bool { return a != 0 || b != 0 }
	case "Xor":
		return func(a, b T) bool { return a != b }
	}
	return func(a, b T) bool { return a == b }
}

func (of[T]) comparison(c *graph.Call, in []*value, out *value) ranger {
	f := comparisonOf[T](c.Op.Name)
	bc := newBroadcast(c.Out[0].Shape, c.In[0].Shape, c.In[1].Shape)
	stepA, stepB := bc.inners[0], bc.inners[1]
	return func(lo, hi int) {
		x, y, z := view[T](in[0]), view[T](in[1]), out.bytes()
		for lo < hi {
			n := bc.rest(lo, hi)
			a, b := bc.at(0, lo), bc.at(1, lo)
			for i := range n {
				z[lo+i] = truth(f(x[a+i*stepA], y[b+i*stepB])) // z may lie where x or y does
			}
			lo += n
		}
	}
}

func buildTest(_ *builder, c *graph.Call, in []*value, out *value) ranger {
	switch c.In[0].DType {
	case tensor.Bool:
		return testLoop(func(x uint8) bool { return x == 0 }, in[0], out)
	case tensor.F32:
		f := testOf(c)
		return testLoop(func(x float32) bool { return f(float64(x)) }, in[0], out)
	case tensor.F64:
		return testLoop(testOf(c), in[0], out)
	}
	return nil
}

func testOf(c *graph.Call) func(x float64) bool {
	if c.Op.Name == "IsNaN" {
		return math.IsNaN
	}
	negative, positive := c.Int("detect_negative") != 0, c.Int("detect_positive") != 0
	return func(x float64) bool { return negative && math.IsInf(x, -1) || positive && math.IsInf(x, 1) }
}

func testLoop[T number](f func(T) bool, in, out *value) ranger {
	return func(lo, hi int) {
		x, y := view[T](in), out.bytes()
		for i := lo; i < hi; i++ {
			y[i] = truth(f(x[i]))
		}
	}
}
