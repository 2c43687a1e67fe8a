package reference

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Func is an op's function as the evaluator calls it: a row of the table. in
// has one array an input of the op's signature, nil for an optional one left
// out, and as many as the node has of a variadic one; c has the attributes and
// the inferred types.
type Func struct {
	// Outputs computes all outputs of the signature.
	Outputs func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error)
	// Formula gives single elements of output 0; nil for ops whose elements
	// are not computed apart.
	Formula func(c *graph.Call, in []*Array) (Formula, error)
	// Quantized is what output 0 rounds; nil for ops that do not quantize.
	Quantized func(c *graph.Call, in []*Array) (Quantized, error)
}

// Lookup finds the function of an op of either domain.
func Lookup(op string) (Func, bool) {
	f, ok := table[op]
	return f, ok
}

// QuantizedOf is what output 0 of a quantizing op rounds: how near to a tie it
// is decides what other answers are right.
func QuantizedOf(c *graph.Call, in []*Array) (Quantized, error) {
	f, _ := Lookup(c.Op.Name)
	if f.Quantized == nil {
		return Quantized{}, fmt.Errorf("%s does not quantize", c.Op.Name)
	}
	return f.Quantized(c, in)
}

// The adapters below turn functions of the usual signatures into rows.

func outputs(f func(*Acc, *graph.Call, []*Array) ([]*Array, error)) Func { return Func{Outputs: f} }

func one(f func(*graph.Call, []*Array) *Array) Func {
	return outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		return []*Array{f(c, in)}, nil
	})
}

func unary(f func(x *Array) *Array) Func {
	return one(func(_ *graph.Call, in []*Array) *Array { return f(in[0]) })
}

func binary(f func(a, b *Array) *Array) Func {
	return one(func(_ *graph.Call, in []*Array) *Array { return f(in[0], in[1]) })
}

// byType picks a function of floats or of integers by the first input.
func byType(floats, integers func(a, b *Array) *Array) Func {
	return one(func(c *graph.Call, in []*Array) *Array {
		if c.In[0].DType.IsFloat() {
			return floats(in[0], in[1])
		}
		return integers(in[0], in[1])
	})
}

// axial is for ops with one axis, of their first input; along for those of
// them that have one output.
func axial(f func(acc *Acc, c *graph.Call, in []*Array, axis int) ([]*Array, error)) Func {
	return outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		axis, err := c.Axis("axis")
		if err != nil {
			return nil, err
		}
		return f(acc, c, in, axis)
	})
}

func along(f func(acc *Acc, c *graph.Call, in []*Array, axis int) (*Array, error)) Func {
	return axial(func(acc *Acc, c *graph.Call, in []*Array, axis int) ([]*Array, error) {
		y, err := f(acc, c, in, axis)
		return []*Array{y}, err
	})
}

func position(f func(x *Array, axis int, last bool, shape tensor.Shape) *Array) Func {
	return along(func(_ *Acc, c *graph.Call, in []*Array, axis int) (*Array, error) {
		return f(in[0], axis, c.Int("select_last_index") != 0, c.Out[0].Shape), nil
	})
}

func formula(f func(*graph.Call, []*Array) (Formula, error)) Func {
	return Func{
		Formula: f,
		Outputs: func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
			y, err := f(c, in)
			if err != nil {
				return nil, err
			}
			return []*Array{y.Array(acc)}, nil
		},
	}
}

// folder is a reduction as a formula.
type folder = func(x *Array, axes []int, shape tensor.Shape) Formula

func reduction(f folder) Func {
	return formula(func(c *graph.Call, in []*Array) (Formula, error) {
		axes, err := c.Axes("axes")
		if err != nil {
			return Formula{}, err
		}
		return f(in[0], axes, c.Out[0].Shape), nil
	})
}

// extremum is a reduction whose value of nothing, infinite, is cut off at the
// least or greatest of its element type.
func extremum(f folder) Func {
	return formula(func(c *graph.Call, in []*Array) (Formula, error) {
		axes, err := c.Axes("axes")
		if err != nil {
			return Formula{}, err
		}
		least, greatest := span(c.In[0].DType)
		y := f(in[0], axes, c.Out[0].Shape)
		return then(y, func(v float64) float64 { return min(max(v, least), greatest) }), nil // NaN stays
	})
}

// span is the least and the greatest value of an element type.
func span(d tensor.DType) (least, greatest float64) {
	switch {
	case d == tensor.Bool:
		return 0, 1
	case d.IsFloat():
		return math.Inf(-1), math.Inf(1)
	}
	return tensor.IntRange(d)
}

func convolution(f func([]*Array, *graph.Window, int) (Formula, error)) Func {
	return formula(func(c *graph.Call, in []*Array) (Formula, error) {
		win, err := c.ConvWindow()
		if err != nil {
			return Formula{}, err
		}
		return f(in, win, c.Int("group"))
	})
}

func average(f func(*Array, *graph.Window, bool) (Formula, error)) Func {
	return formula(func(c *graph.Call, in []*Array) (Formula, error) {
		win, err := c.PoolWindow()
		if err != nil {
			return Formula{}, err
		}
		return f(in[0], win, c.Int("count_include_pad") != 0)
	})
}

func quantized(f func(*graph.Call, []*Array) (Quantized, error)) Func {
	row := formula(func(c *graph.Call, in []*Array) (Formula, error) {
		q, err := f(c, in)
		return q.Formula(), err
	})
	row.Quantized = f
	return row
}

func granular(f func(*graph.Call, []*Array, *graph.Granularity) Formula) Func {
	return formula(func(c *graph.Call, in []*Array) (Formula, error) {
		g, err := c.Granularity()
		if err != nil {
			return Formula{}, err
		}
		return f(c, in, g), nil
	})
}

func adam(f func(p, g, m, v, step, lr, skip *Array, h AdamParams) (p2, m2, v2 *Array)) Func {
	return outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		p, m, v := f(in[0], in[1], in[2], in[3], in[4], in[5], in[6], AdamParams{
			Beta1: c.Float("beta1"), Beta2: c.Float("beta2"),
			Epsilon: c.Float("epsilon"), WeightDecay: c.Float("weight_decay"),
		})
		return []*Array{p, m, v}, nil
	})
}

// LossParamsOf are the attributes of a loss over classes whose labels are input
// number labels.
func LossParamsOf(c *graph.Call, labels int) LossParams {
	h := LossParams{Reduction: c.Str("reduction"), Soft: c.In[labels].DType.IsFloat()}
	if c.Op.Domain == graph.Own { // ONNX's have no smoothing
		h.Smoothing = c.Float("label_smoothing")
	}
	if label, ok := c.IgnoreIndex(); ok {
		ignored := float64(label)
		h.Ignore = &ignored
	}
	return h
}

func lrnParams(c *graph.Call) LRNParams {
	return LRNParams{Alpha: c.Float("alpha"), Beta: c.Float("beta"), Bias: c.Float("bias"), Size: c.Int("size")}
}
