package cpu

import (
	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// buildBinary: f32 goes by the vector kernels, row by row of the broadcast.
func buildBinary(b *builder, c *graph.Call, in []*value, out *value) ranger {
	if op, ok := vectorOps[c.Op.Name]; ok && c.In[0].DType == tensor.F32 {
		return buildBinaryF32(b.isa, op, c, in, out)
	}
	return loopsOf[c.In[0].DType].binary(c, in, out)
}

// vectorOps are the ops that have vector kernels.
var vectorOps = map[string]kernel.Arith{"Add": kernel.Add, "Sub": kernel.Sub, "Mul": kernel.Mul, "Div": kernel.Div, "Max": kernel.Max, "Min": kernel.Min, "PRelu": kernel.PReLU}

func buildBinaryF32(set kernel.ISA, op kernel.Arith, c *graph.Call, in []*value, out *value) ranger {
	bc := newBroadcast(c.Out[0].Shape, c.In[0].Shape, c.In[1].Shape)
	vectorA, vectorB := bc.inners[0] == 1, bc.inners[1] == 1
	return func(lo, hi int) {
		x, y, z := in[0].f32(), in[1].f32(), out.f32()
		for lo < hi {
			n := bc.rest(lo, hi)
			a, b := bc.at(0, lo), bc.at(1, lo)
			switch dst := z[lo : lo+n]; {
			case vectorA && vectorB:
				op.Vectors(set, dst, x[a:], y[b:])
			case vectorA:
				op.Scalar(set, dst, x[a:], y[b])
			case vectorB:
				op.Into(set, dst, x[a], y[b:])
			default:
				op.Scalar(set, dst, x[a:a+1], y[b]) // a single element
			}
			lo += n
		}
	}
}

func (of[T]) binary(c *graph.Call, in []*value, out *value) ranger {
	f := arithmeticOf[T](c)
	bc := newBroadcast(c.Out[0].Shape, c.In[0].Shape, c.In[1].Shape)
	stepA, stepB := bc.inners[0], bc.inners[1]
	return func(lo, hi int) {
		x, y, z := view[T](in[0]), view[T](in[1]), view[T](out)
		for lo < hi {
			n := bc.rest(lo, hi)
			a, b := bc.at(0, lo), bc.at(1, lo)
			for i := range n {
				z[lo+i] = f(x[a+i*stepA], y[b+i*stepB])
			}
			lo += n
		}
	}
}

// arithmeticOf: integers wrap around; their quotients are truncated towards
// zero, and 0 where the divisor is.
func arithmeticOf[T number](c *graph.Call) func(a, b T) T {
	switch c.Op.Name {
	case "Add":
		return func(a, b T) T { return a + b }
	case "Sub":
		return func(a, b T) T { return a - b }
	case "Mul":
		return func(a, b T) T { return a * b }
	case "PRelu":
		return func(a, b T) T {
			if a <= 0 {
				return a * b
			}
			return a
		}
	case "Max":
		return func(a, b T) T { return max(a, b) }
	case "Min":
		return func(a, b T) T { return min(a, b) }
	}
	if c.In[0].DType.IsFloat() {
		return func(a, b T) T { return a / b }
	}
	return func(a, b T) T {
		if b == 0 {
			return 0
		}
		return a / b
	}
}

func buildUnary(b *builder, c *graph.Call, in []*value, out *value) ranger {
	switch c.In[0].DType {
	case tensor.F32:
		return buildUnaryF32(b.isa, c, in[0], out)
	case tensor.F64:
		return unaryLoop(floatFunction(c).Of, in[0], out)
	}
	return loopsOf[c.In[0].DType].sign(c.Op.Name, in[0], out)
}

func (of[T]) sign(op string, in, out *value) ranger { return unaryLoop(signFunction[T](op), in, out) }

func unaryLoop[T number](f func(T) T, in, out *value) ranger {
	return func(lo, hi int) {
		x, y := view[T](in), view[T](out)
		for i := lo; i < hi; i++ {
			y[i] = f(x[i])
		}
	}
}

func buildUnaryF32(set kernel.ISA, c *graph.Call, in, out *value) ranger {
	switch c.Op.Name {
	case "Relu":
		return func(lo, hi int) { kernel.ReLU(set, out.f32()[lo:hi], in.f32()[lo:hi]) }
	case "Neg":
		return func(lo, hi int) { kernel.Mul.Scalar(set, out.f32()[lo:hi], in.f32()[lo:hi], -1) }
	}
	f := floatFunction(c)
	return func(lo, hi int) { f.Map(set, out.f32()[lo:hi], in.f32()[lo:hi]) }
}

func buildReluGrad(b *builder, c *graph.Call, in []*value, out *value) ranger {
	if c.In[0].DType == tensor.F32 {
		return func(lo, hi int) { kernel.ReLUGrad(b.isa, out.f32()[lo:hi], in[0].f32()[lo:hi], in[1].f32()[lo:hi]) }
	}
	return func(lo, hi int) {
		dy, y, dx := view[float64](in[0]), view[float64](in[1]), view[float64](out)
		for i := lo; i < hi; i++ {
			d := dy[i]
			if y[i] <= 0 {
				d = 0
			}
			dx[i] = d
		}
	}
}

func buildWhere(b *builder, c *graph.Call, in []*value, out *value) ranger {
	size := c.In[1].DType.Size()
	if size == 4 {
		return whereVectors(b.isa, c, in, out)
	}
	return movesOf[size].choice(c, in, out)
}

func (sized[T]) choice(c *graph.Call, in []*value, out *value) ranger {
	bc := newBroadcast(c.Out[0].Shape, c.In[0].Shape, c.In[1].Shape, c.In[2].Shape)
	return func(lo, hi int) {
		cond, x, y, z := in[0].bytes(), view[T](in[1]), view[T](in[2]), view[T](out)
		for lo < hi {
			n := bc.rest(lo, hi)
			k, a, b := bc.at(0, lo), bc.at(1, lo), bc.at(2, lo)
			for i := range n {
				if cond[k+i*bc.inners[0]] != 0 {
					z[lo+i] = x[a+i*bc.inners[1]]
				} else {
					z[lo+i] = y[b+i*bc.inners[2]]
				}
			}
			lo += n
		}
	}
}

// whereVectors is for elements of the size of f32.
func whereVectors(set kernel.ISA, c *graph.Call, in []*value, out *value) ranger {
	bc := newBroadcast(c.Out[0].Shape, c.In[0].Shape, c.In[1].Shape, c.In[2].Shape)
	return func(lo, hi int) {
		cond, x, y, z := in[0].bytes(), in[1].f32(), in[2].f32(), out.f32()
		for lo < hi {
			n := bc.rest(lo, hi)
			dst, at := z[lo:lo+n], bc.at(0, lo)
			a, b := bc.operand(1, x, lo, n), bc.operand(2, y, lo, n)
			switch {
			case bc.inners[0] == 1:
				kernel.Where(set, dst, cond[at:], a, b)
			case cond[at] != 0:
				stretch(dst, a)
			default:
				stretch(dst, b)
			}
			lo += n
		}
	}
}

// stretch fills dst with one number, or copies as many as it has.
func stretch(dst, src []float32) {
	if len(src) > 1 {
		copy(dst, src)
		return
	}
	for i := range dst {
		dst[i] = src[0]
	}
}
