package conformance

import (
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// ownBounds are the bounds of each op's outputs on ordinary data, by op: what
// its cases of class real use, and what a partition of one node is judged by.
var ownBounds = map[string][]*Bound{
	"Add": {exact}, "Sub": {exact}, "Mul": {exact}, "Div": {quotientBound}, "Neg": {exact},
	"Exp": {expBound}, "Log": {logBound}, "Sqrt": {sqrtBound}, "Tanh": {tanhBound}, "Sigmoid": {sigmoidBound},
	"Relu": {exact}, "ReluGrad": {exact}, "Where": {exact}, "Cast": {exact},
	"Max": {exact}, "Min": {exact}, "Abs": {exact}, "Sign": {exact}, "Floor": {exact}, "Ceil": {exact}, "Round": {exact},
	"Reciprocal": {quotientBound}, "Sin": {waveBound}, "Cos": {waveBound}, "Erf": {erfBound}, "Pow": {powBound}, "Clip": {exact}, "Identity": {exact},
	"LeakyRelu": {twoRoundings}, "PRelu": {exact}, "ThresholdedRelu": {exact}, "Elu": {exponentialBound}, "Selu": {exponentialBound}, "Celu": {exponentialBound},
	"Gelu": {geluBound}, "HardSigmoid": {hardSigmoidBound}, "HardSwish": {hardSwishBound}, "Swish": {swishBound}, "Softplus": {softplusBound},
	"Softsign": {softsignBound}, "Mish": {mishBound}, "LogSoftmax": {logSoftmaxBound},
	"Equal": {exact}, "Less": {exact}, "LessOrEqual": {exact}, "Greater": {exact}, "GreaterOrEqual": {exact},
	"And": {exact}, "Or": {exact}, "Xor": {exact}, "Not": {exact}, "IsNaN": {exact}, "IsInf": {exact},
	"ReduceSum": {dotBound}, "ReduceMean": {dotBound}, "ReduceMax": {exact}, "ReduceMin": {exact}, "ReduceProd": {productBound},
	"ReduceL1": {dotBound}, "ReduceL2": {dotBound}, "ReduceSumSquare": {dotBound}, "ReduceLogSum": {logSumBound}, "ReduceLogSumExp": {logSumExpBound},
	"Reshape": {exact}, "Flatten": {exact}, "Transpose": {exact}, "Expand": {exact}, "Squeeze": {exact}, "Unsqueeze": {exact},
	"Slice": {exact}, "Concat": {exact}, "Split": {exact}, "Pad": {exact},
	"Gather": {exact}, "GatherElements": {exact}, "ScatterAdd": {dotBound},
	"GatherND": {exact}, "ScatterElements": {dotBound}, "ScatterND": {dotBound}, "OneHot": {exact}, "ArgMax": {exact}, "ArgMin": {exact}, "TopK": {exact, exact},
	"Tile": {exact}, "DepthToSpace": {exact}, "SpaceToDepth": {exact}, "Resize": {resizeBound}, "CumSum": {dotBound},
	"MatMul": {dotBound}, "Gemm": {dotBound},
	"Conv": {dotBound}, "ConvInputGrad": {dotBound}, "ConvWeightGrad": {dotBound},
	"AveragePool": {dotBound}, "AveragePoolGrad": {dotBound}, "MaxPool": {exact, argmaxBound}, "MaxPoolGrad": {dotBound},
	"GlobalAveragePool": {dotBound}, "GlobalMaxPool": {exact}, "AdaptiveAveragePool": {dotBound},
	"RandomBits": {exact}, "RandomUniform": {uniformBound}, "RandomNormal": {normalBound}, "Bernoulli": {exact}, "TrainingDropout": {dropoutBound, exact},
	"Attention": {programRule, programRule, programRule, programRule, programRule}, "AttentionGrad": {programRule, programRule, programRule, programRule},
	"Softmax":             {softmaxBound},
	"SoftmaxCrossEntropy": {lossBound, lossBound}, "SoftmaxCrossEntropyGrad": {lossGradBound},
	"SoftmaxCrossEntropyLoss": {lossBound, lossBound}, "NegativeLogLikelihoodLoss": {lossBound}, "MSELoss": {squaredErrorBound},
	"QuantizeLinear": {quantizeBound}, "DequantizeLinear": {dequantizeBound},
	"DynamicQuantizeLinear": {dynamicBound, dynamicScaleBound, dynamicZeroBound},
	"FakeQuantize":          {fakeQuantizeBound}, "FakeQuantizeGrad": {fakeQuantizeBound},
	"MatMulInteger": {exact}, "ConvInteger": {exact}, "QLinearMatMul": {quantizeBound}, "QLinearConv": {quantizeBound},
	"BatchNormalization": {batchNormBound, batchNormBound, batchNormBound}, "BatchNormalizationTraining": {normalizationBound, normalizationBound, normalizationBound, normalizationBound, normalizationBound}, "BatchNormalizationGrad": {normalizationGradBound, normalizationGradBound, normalizationGradBound},
	"LayerNormalization": {normalizationBound, normalizationBound, normalizationBound}, "LayerNormalizationGrad": {normalizationGradBound, normalizationGradBound, normalizationGradBound},
	"RMSNormalization": {normalizationBound}, "RMSNormalizationGrad": {normalizationGradBound, normalizationGradBound},
	"GroupNormalization": {normalizationBound}, "GroupNormalizationGrad": {normalizationGradBound, normalizationGradBound, normalizationGradBound}, "InstanceNormalization": {normalizationBound},
	"LRN": {lrnBound}, "LRNGrad": {lrnGradBound},
	"SGD": {stepBound, slotBound}, "Adam": {stepBound, slotBound, slotBound}, "AdamW": {stepBound, slotBound, slotBound},
	"RMSprop": {stepBound, slotBound, slotBound, slotBound}, "ExponentialMovingAverage": {slotBound},
	"GlobalNorm": {normBound}, "ClipByNorm": {clipBound}, "AllFinite": {exact}, "DynamicLossScale": {exact, exact},
}

// own is the bound function of an op on ordinary data.
func own(op string) func(int) *Bound {
	list := ownBounds[op]
	return func(output int) *Bound { return list[min(output, len(list)-1)] } // beyond the last are variadic ones
}

// terms is K, by op: the longest sum of an output, a bias or a division
// counted.
var terms = map[string]func(c *graph.Call) int{
	"ReduceSum":  func(c *graph.Call) int { return folded(c) },
	"ReduceMean": func(c *graph.Call) int { return folded(c) + 1 },
	"ReduceL1":   func(c *graph.Call) int { return folded(c) },
	// A square is one more rounding, and a root as many as it may be off.
	"ReduceSumSquare": func(c *graph.Call) int { return folded(c) + 1 },
	"ReduceL2":        func(c *graph.Call) int { return folded(c) + 4 },
	"CumSum": func(c *graph.Call) int {
		axis, _ := c.Axis("axis")
		return c.In[0].Shape[axis]
	},
	"ScatterElements": func(c *graph.Call) int { return c.In[1].Shape.Elements() + 1 },
	"ScatterND":       func(c *graph.Call) int { return c.In[1].Shape.Elements() + 1 },
	// Every index may be the same.
	"ScatterAdd": func(c *graph.Call) int { return c.In[1].Shape.Elements() + 1 },
	"MatMul":     func(c *graph.Call) int { return c.In[0].Shape[len(c.In[0].Shape)-1] },
	"Gemm": func(c *graph.Call) int {
		_, _, k, _ := c.GemmDims()
		return k + biased(c)
	},
	"Conv":          func(c *graph.Call) int { return c.In[1].Shape[1:].Elements() + biased(c) },
	"ConvInputGrad": func(c *graph.Call) int { return c.In[1].Shape[0] / c.Int("group") * c.In[1].Shape[2:].Elements() },
	"ConvWeightGrad": func(c *graph.Call) int {
		return c.In[1].Shape[0] * c.In[1].Shape[2:].Elements()
	},
	"AveragePool":         func(c *graph.Call) int { return taps(c) + 1 },
	"AveragePoolGrad":     func(c *graph.Call) int { return taps(c) + 1 },
	"GlobalAveragePool":   func(c *graph.Call) int { return folded(c) + 1 },
	"AdaptiveAveragePool": func(c *graph.Call) int { return longestAdaptive(c) + 1 },
	// Every output may have chosen the same input.
	"MaxPoolGrad": func(c *graph.Call) int { return max(1, c.In[0].Shape[2:].Elements()) },
}

func folded(c *graph.Call) int {
	return c.In[0].Shape.Elements() / max(1, c.Out[0].Shape.Elements())
}

func taps(c *graph.Call) int {
	w, err := c.PoolWindow()
	if err != nil {
		return 1
	}
	return tensor.Shape(w.Kernel).Elements()
}

// longestAdaptive is the most elements that an output of an adaptive pool sees.
func longestAdaptive(c *graph.Call) int {
	windows, err := c.AdaptiveWindows()
	if err != nil {
		return 1
	}
	n := 1
	for _, axis := range windows {
		longest := 0
		for _, s := range axis {
			longest = max(longest, s.To-s.From)
		}
		n *= longest
	}
	return n
}

// biased counts the optional third input of a product.
func biased(c *graph.Call) int {
	if c.Has(2) {
		return 1
	}
	return 0
}
