package reference

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Func is an op's function as the evaluator calls it. in has one array an
// input of the op's signature, nil for an optional one left out, and as many
// as the node has of a variadic one; c has the
// attributes and the inferred types.
type Func struct {
	// Outputs computes all outputs of the signature.
	Outputs func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error)
	// Formula gives single elements of output 0; nil for ops whose elements
	// are not computed apart.
	Formula func(c *graph.Call, in []*Array) (Formula, error)
}

// Lookup finds the function of an op of either domain.
func Lookup(op string) (Func, bool) {
	f, ok := table[op]
	return f, ok
}

// table has a row an op: only how a call's attributes become parameters. A
// function's own comment says what it means.
var table = map[string]Func{
	"Add":      binary(Add),
	"Sub":      binary(Sub),
	"Mul":      binary(Mul),
	"Div":      byType(Div, DivIntegers),
	"Neg":      unary(Neg),
	"Exp":      unary(Exp),
	"Log":      unary(Log),
	"Sqrt":     unary(Sqrt),
	"Tanh":     unary(Tanh),
	"Sigmoid":  unary(Sigmoid),
	"Relu":     unary(Relu),
	"ReluGrad": binary(ReluGrad),
	"Where":    one(func(_ *graph.Call, in []*Array) *Array { return Where(in[0], in[1], in[2]) }),
	"Cast": one(func(c *graph.Call, in []*Array) *Array {
		return Cast(in[0], c.In[0].DType, c.Out[0].DType)
	}),

	"Max":        binary(Max),
	"Min":        binary(Min),
	"Abs":        unary(Abs),
	"Sign":       unary(Sign),
	"Floor":      unary(Floor),
	"Ceil":       unary(Ceil),
	"Round":      unary(Round),
	"Reciprocal": unary(Reciprocal),
	"Sin":        unary(Sin),
	"Cos":        unary(Cos),
	"Erf":        unary(Erf),
	"Pow":        byType(Pow, PowIntegers),
	"Clip":       one(func(_ *graph.Call, in []*Array) *Array { return Clip(in[0], in[1], in[2]) }),
	"Identity":   unary(Identity),

	"Equal":          binary(Equal),
	"Less":           binary(Less),
	"LessOrEqual":    binary(LessOrEqual),
	"Greater":        binary(Greater),
	"GreaterOrEqual": binary(GreaterOrEqual),
	"And":            binary(And),
	"Or":             binary(Or),
	"Xor":            binary(Xor),
	"Not":            unary(Not),
	"IsNaN":          unary(IsNaN),
	"IsInf": one(func(c *graph.Call, in []*Array) *Array {
		return IsInf(in[0], c.Int("detect_negative") != 0, c.Int("detect_positive") != 0)
	}),

	"LeakyRelu":       one(func(c *graph.Call, in []*Array) *Array { return LeakyRelu(in[0], c.Float("alpha")) }),
	"PRelu":           binary(PRelu),
	"ThresholdedRelu": one(func(c *graph.Call, in []*Array) *Array { return ThresholdedRelu(in[0], c.Float("alpha")) }),
	"Elu":             one(func(c *graph.Call, in []*Array) *Array { return Elu(in[0], c.Float("alpha")) }),
	"Selu":            one(func(c *graph.Call, in []*Array) *Array { return Selu(in[0], c.Float("alpha"), c.Float("gamma")) }),
	"Celu":            one(func(c *graph.Call, in []*Array) *Array { return Celu(in[0], c.Float("alpha")) }),
	"Gelu": one(func(c *graph.Call, in []*Array) *Array {
		if c.Str("approximate") == "tanh" {
			return GeluTanh(in[0])
		}
		return Gelu(in[0])
	}),
	"HardSigmoid": one(func(c *graph.Call, in []*Array) *Array { return HardSigmoid(in[0], c.Float("alpha"), c.Float("beta")) }),
	"HardSwish":   unary(HardSwish),
	"Swish":       one(func(c *graph.Call, in []*Array) *Array { return Swish(in[0], c.Float("alpha")) }),
	"Softplus":    unary(Softplus),
	"Softsign":    unary(Softsign),
	"Mish":        unary(Mish),

	"ReduceSum":       reduction(ReduceSum),
	"ReduceMean":      reduction(ReduceMean),
	"ReduceMax":       extremum(ReduceMax),
	"ReduceMin":       extremum(ReduceMin),
	"ReduceProd":      reduction(ReduceProd),
	"ReduceL1":        reduction(ReduceL1),
	"ReduceL2":        reduction(ReduceL2),
	"ReduceLogSum":    reduction(ReduceLogSum),
	"ReduceLogSumExp": reduction(ReduceLogSumExp),
	"ReduceSumSquare": reduction(ReduceSumSquare),

	"Reshape":   one(func(c *graph.Call, in []*Array) *Array { return Reshape(in[0], c.Out[0].Shape) }),
	"Flatten":   one(func(c *graph.Call, in []*Array) *Array { return Reshape(in[0], c.Out[0].Shape) }),
	"Squeeze":   one(func(c *graph.Call, in []*Array) *Array { return Reshape(in[0], c.Out[0].Shape) }),
	"Unsqueeze": one(func(c *graph.Call, in []*Array) *Array { return Reshape(in[0], c.Out[0].Shape) }),
	"Expand":    one(func(c *graph.Call, in []*Array) *Array { return Expand(in[0], c.Out[0].Shape) }),
	"Transpose": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		perm, err := c.Perm()
		return []*Array{Transpose(in[0], perm)}, err
	}),

	"Slice": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		ranges, err := c.SliceRanges()
		if err != nil {
			return nil, err
		}
		return []*Array{Slice(in[0], ranges)}, nil
	}),
	"Concat": along(func(_ *Acc, in []*Array, axis int) (*Array, error) { return Concat(in, axis), nil }),
	"Split": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		axis, sizes, err := c.SplitSizes()
		if err != nil {
			return nil, err
		}
		return Split(in[0], axis, sizes), nil
	}),
	"Pad": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		begin, end, err := c.PadWidths()
		if err != nil {
			return nil, err
		}
		return []*Array{Pad(in[0], begin, end, c.Str("mode"), c.Float("value"))}, nil
	}),

	"Gather": along(func(_ *Acc, in []*Array, axis int) (*Array, error) { return Gather(in[0], in[1], axis) }),
	"ScatterAdd": along(func(acc *Acc, in []*Array, axis int) (*Array, error) {
		return ScatterAdd(acc, in[0], in[1], in[2], axis)
	}),
	"GatherElements": along(func(_ *Acc, in []*Array, axis int) (*Array, error) { return GatherElements(in[0], in[1], axis) }),

	"ScatterElements": outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		axis, err := c.Axis("axis")
		if err != nil {
			return nil, err
		}
		y, err := ScatterElements(acc, in[0], in[1], in[2], axis, c.Str("reduction"))
		return []*Array{y}, err
	}),
	"ScatterND": outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		y, err := ScatterND(acc, in[0], in[1], in[2], c.Str("reduction"))
		return []*Array{y}, err
	}),
	"GatherND": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		y, err := GatherND(in[0], in[1], c.Int("batch_dims"), c.Out[0].Shape)
		return []*Array{y}, err
	}),

	"ArgMax": position(ArgMax),
	"ArgMin": position(ArgMin),
	"TopK": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		axis, err := c.Axis("axis")
		if err != nil {
			return nil, err
		}
		values, indices := TopK(in[0], axis, c.Int("k"), c.Int("largest") != 0)
		return []*Array{values, indices}, nil
	}),
	"OneHot": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		axis, err := c.OneHotAxis()
		if err != nil {
			return nil, err
		}
		return []*Array{OneHot(in[0], in[1], axis, c.Int("depth"))}, nil
	}),

	"CumSum": outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		axis, err := c.Axis("axis")
		if err != nil {
			return nil, err
		}
		return []*Array{CumSum(acc, in[0], axis, c.Int("exclusive") != 0, c.Int("reverse") != 0)}, nil
	}),
	"Tile": one(func(c *graph.Call, in []*Array) *Array { return Tile(in[0], c.Ints("repeats")) }),
	"DepthToSpace": one(func(c *graph.Call, in []*Array) *Array {
		return DepthToSpace(in[0], c.Int("blocksize"), c.Str("mode"))
	}),
	"SpaceToDepth": one(func(c *graph.Call, in []*Array) *Array { return SpaceToDepth(in[0], c.Int("blocksize")) }),
	"Resize": formula(func(c *graph.Call, in []*Array) (Formula, error) {
		axes, err := c.ResizeAxes()
		if err != nil {
			return Formula{}, err
		}
		return Resize(in[0], axes, c.Str("mode"), c.Str("coordinate_transformation_mode"), c.Str("nearest_mode"), c.Float("extrapolation_value")), nil
	}),

	"MatMul": formula(func(c *graph.Call, in []*Array) (Formula, error) {
		return MatMul(in[0], in[1]), nil
	}),
	"Gemm": formula(func(c *graph.Call, in []*Array) (Formula, error) {
		return Gemm(in[0], in[1], in[2], c.Float("alpha"), c.Float("beta"), c.Int("transA") != 0, c.Int("transB") != 0), nil
	}),

	"Conv": convolution(func(in []*Array, win *graph.Window, groups int) (Formula, error) {
		return Conv(in[0], in[1], in[2], win, groups)
	}),
	"ConvInputGrad": convolution(func(in []*Array, win *graph.Window, groups int) (Formula, error) {
		return ConvInputGrad(in[0], in[1], win, groups)
	}),
	"ConvWeightGrad": convolution(func(in []*Array, win *graph.Window, groups int) (Formula, error) {
		return ConvWeightGrad(in[0], in[1], win, groups)
	}),

	"AveragePool":     average(AveragePool),
	"AveragePoolGrad": average(AveragePoolGrad),
	"MaxPool": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		win, err := c.PoolWindow()
		if err != nil {
			return nil, err
		}
		y, indices, err := MaxPool(in[0], win, c.PoolPlaces())
		return []*Array{y, indices}, err
	}),
	"MaxPoolGrad": formula(func(c *graph.Call, in []*Array) (Formula, error) {
		return MaxPoolGrad(in[0], in[1], c.Out[0].Shape)
	}),

	"GlobalAveragePool": formula(func(_ *graph.Call, in []*Array) (Formula, error) { return GlobalAveragePool(in[0]), nil }),
	"GlobalMaxPool":     formula(func(_ *graph.Call, in []*Array) (Formula, error) { return GlobalMaxPool(in[0]), nil }),
	"AdaptiveAveragePool": formula(func(c *graph.Call, in []*Array) (Formula, error) {
		windows, err := c.AdaptiveWindows()
		return AdaptiveAveragePool(in[0], windows), err
	}),

	"Softmax":    alongAxis(Softmax),
	"LogSoftmax": alongAxis(LogSoftmax),
	"SoftmaxCrossEntropy": outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		loss, lse, err := SoftmaxCrossEntropy(acc, in[0], in[1], in[2], LossParamsOf(c, 1))
		return []*Array{loss, lse}, err
	}),
	"SoftmaxCrossEntropyGrad": outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		d, err := SoftmaxCrossEntropyGrad(acc, in[0], in[1], in[2], in[3], in[4], LossParamsOf(c, 2))
		return []*Array{d}, err
	}),
	"SoftmaxCrossEntropyLoss": outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		loss, logProb, err := SoftmaxCrossEntropyLoss(acc, in[0], in[1], in[2], LossParamsOf(c, 1))
		return []*Array{loss, logProb}, err
	}),
	"NegativeLogLikelihoodLoss": outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		loss, err := NegativeLogLikelihoodLoss(acc, in[0], in[1], in[2], LossParamsOf(c, 1))
		return []*Array{loss}, err
	}),
	"MSELoss": outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		return []*Array{MSELoss(acc, in[0], in[1], c.Str("reduction"))}, nil
	}),

	"BatchNormalization":         outputs(batchNormalization),
	"BatchNormalizationTraining": outputs(batchNormalizationTraining),
	"BatchNormalizationGrad":     normGrad(nil, true),
	"LayerNormalization":         norm(Moments),
	"LayerNormalizationGrad":     normGrad(nil, true),
	"GroupNormalization":         norm(Moments),
	"GroupNormalizationGrad":     normGrad(Moments, true),
	"InstanceNormalization":      norm(Moments),
	"RMSNormalization":           norm(MeanSquares),
	"RMSNormalizationGrad":       normGrad(MeanSquares, false),
	"LRN": formula(func(c *graph.Call, in []*Array) (Formula, error) {
		return LRN(in[0], lrnParams(c)), nil
	}),
	"LRNGrad": formula(func(c *graph.Call, in []*Array) (Formula, error) {
		return LRNGrad(in[0], in[1], lrnParams(c)), nil
	}),

	"RandomBits": one(func(c *graph.Call, in []*Array) *Array {
		return RandomBits(c.Philox(int64(in[0].Data[0])), c.Out[0].Shape)
	}),
	"RandomUniform": one(func(c *graph.Call, in []*Array) *Array {
		return RandomUniform(c.Philox(int64(in[0].Data[0])), c.Out[0].Shape, c.Float("low"), c.Float("high"))
	}),
	"RandomNormal": one(func(c *graph.Call, in []*Array) *Array {
		radius := c.Philox(int64(in[0].Data[0]))
		angle := radius
		angle.Stream |= graph.AngleStream
		return RandomNormal(radius, angle, c.Out[0].Shape, c.Float("mean"), c.Float("scale"))
	}),
	"Bernoulli": one(func(c *graph.Call, in []*Array) *Array {
		return Bernoulli(c.Philox(int64(in[1].Data[0])), in[0])
	}),
	"TrainingDropout": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		y, mask := TrainingDropout(c.Philox(int64(in[1].Data[0])), in[0], c.Float("ratio"), c.Out[1].Shape)
		return []*Array{y, mask}, nil
	}),

	"Attention":     outputs(attention),
	"AttentionGrad": outputs(attentionGrad),

	"SGD": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		p, v := SGD(in[0], in[1], in[2], in[3], in[4], SGDParams{
			Momentum: c.Float("momentum"), Dampening: c.Float("dampening"),
			WeightDecay: c.Float("weight_decay"), Nesterov: c.Int("nesterov") != 0,
		})
		return []*Array{p, v}, nil
	}),
	"Adam":  adam(Adam),
	"AdamW": adam(AdamW),
	"RMSprop": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		return RMSprop(in[0], in[1], in[2], in[3], in[4], in[5], in[6], RMSpropParams{
			Alpha: c.Float("alpha"), Epsilon: c.Float("epsilon"), Momentum: c.Float("momentum"),
			WeightDecay: c.Float("weight_decay"), Centered: c.Int("centered") != 0,
		}), nil
	}),
	"ExponentialMovingAverage": one(func(c *graph.Call, in []*Array) *Array {
		return ExponentialMovingAverage(in[0], in[1], in[2], c.Float("decay"))
	}),

	"GlobalNorm": outputs(func(acc *Acc, _ *graph.Call, in []*Array) ([]*Array, error) {
		return []*Array{GlobalNorm(acc, in)}, nil
	}),
	"ClipByNorm": one(func(c *graph.Call, in []*Array) *Array {
		return ClipByNorm(in[0], in[1], c.Float("max_norm"), c.Float("epsilon"))
	}),
	"AllFinite": one(func(_ *graph.Call, in []*Array) *Array { return AllFinite(in) }),
	"DynamicLossScale": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		scale, counter := DynamicLossScale(in[0], in[1], in[2], LossScaleParams{
			Growth: c.Float("growth_factor"), Backoff: c.Float("backoff_factor"), Interval: c.Int("growth_interval"),
		})
		return []*Array{scale, counter}, nil
	}),

	"QuantizeLinear": quantized(),
	"QLinearMatMul":  quantized(),
	"QLinearConv":    quantized(),
	"DynamicQuantizeLinear": outputs(func(acc *Acc, _ *graph.Call, in []*Array) ([]*Array, error) {
		scale, zero := DynamicRange(in[0])
		y := DynamicQuantizeLinear(in[0], scale, zero).Formula().Array(acc)
		return []*Array{y, {tensor.Shape{}, []float64{scale}}, {tensor.Shape{}, []float64{zero}}}, nil
	}),
	"DequantizeLinear": granular(func(c *graph.Call, in []*Array, g *graph.Granularity) Formula {
		return DequantizeLinear(in[0], in[1], in[2], g)
	}),
	"FakeQuantize": granular(func(c *graph.Call, in []*Array, g *graph.Granularity) Formula {
		return FakeQuantize(in[0], in[1], in[2], g, float64(c.Int("quant_min")), float64(c.Int("quant_max")))
	}),
	"FakeQuantizeGrad": granular(func(c *graph.Call, in []*Array, g *graph.Granularity) Formula {
		return FakeQuantizeGrad(in[0], in[1], in[2], in[3], g, float64(c.Int("quant_min")), float64(c.Int("quant_max")))
	}),
	"MatMulInteger": formula(func(_ *graph.Call, in []*Array) (Formula, error) {
		return MatMulInteger(in[0], in[1], in[2], in[3]), nil
	}),
	"ConvInteger": convolution(func(in []*Array, win *graph.Window, groups int) (Formula, error) {
		return ConvInteger(in[0], in[1], in[2], in[3], win, groups)
	}),
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

func adam(f func(p, g, m, v, step, lr, skip *Array, h AdamParams) (p2, m2, v2 *Array)) Func {
	return outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		p, m, v := f(in[0], in[1], in[2], in[3], in[4], in[5], in[6], AdamParams{
			Beta1: c.Float("beta1"), Beta2: c.Float("beta2"),
			Epsilon: c.Float("epsilon"), WeightDecay: c.Float("weight_decay"),
		})
		return []*Array{p, m, v}, nil
	})
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

func alongAxis(f func(acc *Acc, x *Array, axis int) *Array) Func {
	return outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		axis, err := c.Axis("axis")
		if err != nil {
			return nil, err
		}
		return []*Array{f(acc, in[0], axis)}, nil
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

func reduction(f folder) Func {
	return formula(func(c *graph.Call, in []*Array) (Formula, error) {
		axes, err := c.Axes("axes")
		if err != nil {
			return Formula{}, err
		}
		return f(in[0], axes, c.Out[0].Shape), nil
	})
}

// along is for ops with one axis, of their first input.
func along(f func(acc *Acc, in []*Array, axis int) (*Array, error)) Func {
	return outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		axis, err := c.Axis("axis")
		if err != nil {
			return nil, err
		}
		y, err := f(acc, in, axis)
		return []*Array{y}, err
	})
}

// folder is a reduction as a formula.
type folder = func(x *Array, axes []int, shape tensor.Shape) Formula

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

func position(f func(x *Array, axis int, last bool, shape tensor.Shape) *Array) Func {
	return outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		axis, err := c.Axis("axis")
		if err != nil {
			return nil, err
		}
		return []*Array{f(in[0], axis, c.Int("select_last_index") != 0, c.Out[0].Shape)}, nil
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

func quantized() Func {
	return formula(func(c *graph.Call, in []*Array) (Formula, error) {
		q, err := QuantizedOf(c, in)
		return q.Formula(), err
	})
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
