package reference

import (
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// table has a row an op, by the file that its function is in: only how a call's
// attributes become parameters. A function has its op's name, and its own
// comment says what it means. What the rows are made with is in adapter.go.
var table = map[string]Func{
	// elementwise.go
	"Add":        binary(Add),
	"Sub":        binary(Sub),
	"Mul":        binary(Mul),
	"Div":        byType(Div, DivIntegers),
	"Max":        binary(Max),
	"Min":        binary(Min),
	"Pow":        byType(Pow, PowIntegers),
	"Neg":        unary(Neg),
	"Abs":        unary(Abs),
	"Sign":       unary(Sign),
	"Floor":      unary(Floor),
	"Ceil":       unary(Ceil),
	"Round":      unary(Round),
	"Reciprocal": unary(Reciprocal),
	"Sqrt":       unary(Sqrt),
	"Exp":        unary(Exp),
	"Log":        unary(Log),
	"Sin":        unary(Sin),
	"Cos":        unary(Cos),
	"Erf":        unary(Erf),
	"Clip":       one(func(_ *graph.Call, in []*Array) *Array { return Clip(in[0], in[1], in[2]) }),
	"Identity":   unary(Identity),

	// cast.go
	"Cast": one(func(c *graph.Call, in []*Array) *Array { return Cast(in[0], c.In[0].DType, c.Out[0].DType) }),

	// logic.go
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
	"Where": one(func(_ *graph.Call, in []*Array) *Array { return Where(in[0], in[1], in[2]) }),

	// activation.go
	"Relu":            unary(Relu),
	"ReluGrad":        binary(ReluGrad),
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
	"Sigmoid":     unary(Sigmoid),
	"HardSigmoid": one(func(c *graph.Call, in []*Array) *Array { return HardSigmoid(in[0], c.Float("alpha"), c.Float("beta")) }),
	"HardSwish":   unary(HardSwish),
	"Swish":       one(func(c *graph.Call, in []*Array) *Array { return Swish(in[0], c.Float("alpha")) }),
	"Tanh":        unary(Tanh),
	"Softplus":    unary(Softplus),
	"Softsign":    unary(Softsign),
	"Mish":        unary(Mish),

	// reduce.go
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
	"CumSum": along(func(acc *Acc, c *graph.Call, in []*Array, axis int) (*Array, error) {
		return CumSum(in[0], axis, c.Int("exclusive") != 0, c.Int("reverse") != 0).Array(acc), nil
	}),

	// movement.go
	"Reshape":   one(func(c *graph.Call, in []*Array) *Array { return Reshape(in[0], c.Out[0].Shape) }),
	"Flatten":   one(func(c *graph.Call, in []*Array) *Array { return Flatten(in[0], c.Int("axis")) }),
	"Squeeze":   one(func(c *graph.Call, in []*Array) *Array { return Squeeze(in[0], c.Ints("axes")) }),
	"Unsqueeze": one(func(c *graph.Call, in []*Array) *Array { return Unsqueeze(in[0], c.Ints("axes")) }),
	"Expand":    one(func(c *graph.Call, in []*Array) *Array { return Expand(in[0], c.Out[0].Shape) }),
	"Transpose": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		perm, err := c.Perm()
		return []*Array{Transpose(in[0], perm)}, err
	}),

	// slice.go
	"Slice": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		ranges, err := c.SliceRanges()
		if err != nil {
			return nil, err
		}
		return []*Array{Slice(in[0], ranges)}, nil
	}),
	"Concat": along(func(_ *Acc, _ *graph.Call, in []*Array, axis int) (*Array, error) { return Concat(in, axis), nil }),
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

	// rearrange.go
	"Tile":         one(func(c *graph.Call, in []*Array) *Array { return Tile(in[0], c.Ints("repeats")) }),
	"DepthToSpace": one(func(c *graph.Call, in []*Array) *Array { return DepthToSpace(in[0], c.Int("blocksize"), c.Str("mode")) }),
	"SpaceToDepth": one(func(c *graph.Call, in []*Array) *Array { return SpaceToDepth(in[0], c.Int("blocksize")) }),

	// gather.go
	"Gather": along(func(_ *Acc, _ *graph.Call, in []*Array, axis int) (*Array, error) { return Gather(in[0], in[1], axis) }),
	"GatherElements": along(func(_ *Acc, _ *graph.Call, in []*Array, axis int) (*Array, error) {
		return GatherElements(in[0], in[1], axis)
	}),
	"GatherND": outputs(func(_ *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		y, err := GatherND(in[0], in[1], c.Int("batch_dims"), c.Out[0].Shape)
		return []*Array{y}, err
	}),

	// scatter.go
	"ScatterAdd": along(func(acc *Acc, _ *graph.Call, in []*Array, axis int) (*Array, error) {
		return ScatterAdd(acc, in[0], in[1], in[2], axis)
	}),
	"ScatterElements": along(func(acc *Acc, c *graph.Call, in []*Array, axis int) (*Array, error) {
		return ScatterElements(acc, in[0], in[1], in[2], axis, c.Str("reduction"))
	}),
	"ScatterND": outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		y, err := ScatterND(acc, in[0], in[1], in[2], c.Str("reduction"))
		return []*Array{y}, err
	}),

	// select.go
	"ArgMax": position(ArgMax),
	"ArgMin": position(ArgMin),
	"TopK": axial(func(_ *Acc, c *graph.Call, in []*Array, axis int) ([]*Array, error) {
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

	// resize.go
	"Resize": formula(func(c *graph.Call, in []*Array) (Formula, error) {
		axes, err := c.ResizeAxes()
		if err != nil {
			return Formula{}, err
		}
		return Resize(in[0], axes, c.Str("mode"), c.Str("coordinate_transformation_mode"), c.Str("nearest_mode"), c.Float("extrapolation_value")), nil
	}),

	// matmul.go
	"MatMul": formula(func(c *graph.Call, in []*Array) (Formula, error) { return MatMul(in[0], in[1]), nil }),
	"Gemm": formula(func(c *graph.Call, in []*Array) (Formula, error) {
		return Gemm(in[0], in[1], in[2], c.Float("alpha"), c.Float("beta"), c.Int("transA") != 0, c.Int("transB") != 0), nil
	}),

	// conv.go
	"Conv": convolution(func(in []*Array, win *graph.Window, groups int) (Formula, error) {
		return Conv(in[0], in[1], in[2], win, groups)
	}),
	"ConvInputGrad": convolution(func(in []*Array, win *graph.Window, groups int) (Formula, error) {
		return ConvInputGrad(in[0], in[1], win, groups)
	}),
	"ConvWeightGrad": convolution(func(in []*Array, win *graph.Window, groups int) (Formula, error) {
		return ConvWeightGrad(in[0], in[1], win, groups)
	}),

	// pool.go
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
	"MaxPoolGrad":       formula(func(c *graph.Call, in []*Array) (Formula, error) { return MaxPoolGrad(in[0], in[1], c.Out[0].Shape) }),
	"GlobalAveragePool": formula(func(_ *graph.Call, in []*Array) (Formula, error) { return GlobalAveragePool(in[0]), nil }),
	"GlobalMaxPool":     formula(func(_ *graph.Call, in []*Array) (Formula, error) { return GlobalMaxPool(in[0]), nil }),
	"AdaptiveAveragePool": formula(func(c *graph.Call, in []*Array) (Formula, error) {
		windows, err := c.AdaptiveWindows()
		return AdaptiveAveragePool(in[0], windows), err
	}),

	// softmax.go
	"Softmax": along(func(acc *Acc, _ *graph.Call, in []*Array, axis int) (*Array, error) {
		return Softmax(acc, in[0], axis), nil
	}),
	"LogSoftmax": along(func(acc *Acc, _ *graph.Call, in []*Array, axis int) (*Array, error) {
		return LogSoftmax(acc, in[0], axis), nil
	}),

	// loss.go
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

	// norm.go
	"BatchNormalization": outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		if c.Int("training_mode") == 0 {
			y := BatchNormalization(in[0], in[1], in[2], in[3], in[4], c.Float("epsilon"))
			return []*Array{y, in[3], in[4]}, nil
		}
		y, nextMean, nextVar, _, _ := BatchNormalizationTraining(acc, in[0], in[1], in[2], in[3], in[4], nil, c.Float("epsilon"), c.Float("momentum"), true)
		return []*Array{y, nextMean, nextVar}, nil
	}),
	"BatchNormalizationTraining": outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		y, nextMean, nextVar, mean, inv := BatchNormalizationTraining(acc, in[0], in[1], in[2], in[3], in[4], in[5],
			c.Float("epsilon"), c.Float("momentum"), c.Str("convention") == "onnx")
		return []*Array{y, nextMean, nextVar, mean, inv}, nil
	}),
	"LayerNormalization": axial(func(acc *Acc, c *graph.Call, in []*Array, axis int) ([]*Array, error) {
		y, mean, inv := LayerNormalization(acc, in[0], in[1], in[2], axis, c.Float("epsilon"))
		return []*Array{y, mean, inv}, nil
	}),
	"RMSNormalization": along(func(acc *Acc, c *graph.Call, in []*Array, axis int) (*Array, error) {
		return RMSNormalization(acc, in[0], in[1], axis, c.Float("epsilon")), nil
	}),
	"GroupNormalization": outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		return []*Array{GroupNormalization(acc, in[0], in[1], in[2], c.Int("num_groups"), c.Float("epsilon"))}, nil
	}),
	"InstanceNormalization": outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		return []*Array{InstanceNormalization(acc, in[0], in[1], in[2], c.Float("epsilon"))}, nil
	}),

	// normgrad.go
	"BatchNormalizationGrad": outputs(func(acc *Acc, _ *graph.Call, in []*Array) ([]*Array, error) {
		dx, dscale, dbias := BatchNormalizationGrad(acc, in[0], in[1], in[2], in[3], in[4])
		return []*Array{dx, dscale, dbias}, nil
	}),
	"LayerNormalizationGrad": axial(func(acc *Acc, _ *graph.Call, in []*Array, axis int) ([]*Array, error) {
		dx, dscale, dbias := LayerNormalizationGrad(acc, in[0], in[1], in[2], in[3], in[4], axis)
		return []*Array{dx, dscale, dbias}, nil
	}),
	"RMSNormalizationGrad": axial(func(acc *Acc, c *graph.Call, in []*Array, axis int) ([]*Array, error) {
		dx, dscale := RMSNormalizationGrad(acc, in[0], in[1], in[2], axis, c.Float("epsilon"))
		return []*Array{dx, dscale}, nil
	}),
	"GroupNormalizationGrad": outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		dx, dscale, dbias := GroupNormalizationGrad(acc, in[0], in[1], in[2], c.Int("num_groups"), c.Float("epsilon"))
		return []*Array{dx, dscale, dbias}, nil
	}),

	// lrn.go
	"LRN":     formula(func(c *graph.Call, in []*Array) (Formula, error) { return LRN(in[0], lrnParams(c)), nil }),
	"LRNGrad": formula(func(c *graph.Call, in []*Array) (Formula, error) { return LRNGrad(in[0], in[1], lrnParams(c)), nil }),

	// attention.go; the calls are taken apart in attention_call.go
	"Attention":     outputs(attention),
	"AttentionGrad": outputs(attentionGrad),

	// random.go
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

	// optimizer.go
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

	// scaling.go
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

	// quantization.go
	"QuantizeLinear": quantized(func(c *graph.Call, in []*Array) (Quantized, error) {
		g, err := c.Granularity()
		if err != nil {
			return Quantized{}, err
		}
		return QuantizeLinear(in[0], in[1], in[2], g, c.Out[0].DType), nil
	}),
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
	"QLinearMatMul": quantized(func(c *graph.Call, in []*Array) (Quantized, error) {
		return QLinearMatMul(in[0], in[1], in[2], in[3], in[4], in[5], in[6].Data[0], in[7].Data[0], c.Out[0].DType), nil
	}),
	"ConvInteger": convolution(func(in []*Array, win *graph.Window, groups int) (Formula, error) {
		return ConvInteger(in[0], in[1], in[2], in[3], win, groups)
	}),
	"QLinearConv": quantized(func(c *graph.Call, in []*Array) (Quantized, error) {
		win, err := c.ConvWindow()
		if err != nil {
			return Quantized{}, err
		}
		return QLinearConv(in[0], in[3], in[2], in[5], in[8], in[1].Data[0], in[4], in[6].Data[0], in[7].Data[0], c.Out[0].DType, win, c.Int("group"))
	}),
}
