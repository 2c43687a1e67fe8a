package onnx

import (
	"errors"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// minOpset is the oldest opset that is read: the first, in which some ops
// already meant what they do today. Adapters bridge what has changed since.
const minOpset = 1

// maxOpset is the newest opset that is read. What came after graph.Opset brought
// new ops, which have no row, element types, which programs do not have, and
// attributes, which are refused; the rest means what it did (ONNX's
// Changelog.md, opsets 25 to 27).
const maxOpset = 27

// equalOpsets names, for ops whose versions since only widened element types
// or broadcasting or moved attributes to inputs, the oldest opset with today's
// meaning, given the adapters. An op that isn't named is read from its row's
// version on. MaxPool and AveragePool are narrowed further by checkCeil.
var equalOpsets = map[string]int{
	"Abs": 6, "Neg": 6, "Exp": 6, "Log": 6, "Sqrt": 6, "Ceil": 6, "Floor": 6, "Reciprocal": 6, "Sign": 9, "Erf": 9, "Sin": 7, "Cos": 7, "Round": 11, "ThresholdedRelu": 10,
	"Add": 7, "Sub": 7, "Mul": 7, "Div": 7, "Pow": 7, "Min": 6, "Max": 6,
	"And": 7, "Or": 7, "Xor": 7, "Equal": 7, "Greater": 7, "Less": 7, "GreaterOrEqual": 12, "LessOrEqual": 12, "Where": 9,
	"Sigmoid": 6, "Tanh": 6, "Relu": 6, "LeakyRelu": 6, "PRelu": 6, "Elu": 6, "Selu": 6, "HardSigmoid": 6, "Softplus": 1, "Softsign": 1,
	"HardSwish": 14, "Clip": 6, "Cast": 6, "Identity": 1, "IsNaN": 9, "IsInf": 10,
	"ReduceMax": 1, "ReduceMin": 1, "ReduceMean": 1, "ReduceSum": 1, "ReduceProd": 1, "ReduceL1": 1, "ReduceL2": 1,
	"ReduceLogSum": 1, "ReduceLogSumExp": 1, "ReduceSumSquare": 1, "ArgMax": 1, "ArgMin": 1, "CumSum": 11,
	"Reshape": 5, "Flatten": 1, "Transpose": 1, "Concat": 4, "Expand": 8, "Squeeze": 1, "Unsqueeze": 1,
	"Slice": 1, "Split": 2, "Pad": 2, "Gather": 1, "GatherElements": 11, "ScatterElements": 11, "ScatterND": 11, "Tile": 6, "TopK": 1,
	"DepthToSpace": 1, "SpaceToDepth": 1, "OneHot": 9, "Resize": 11,
	"MatMul": 1, "Gemm": 6, "Conv": 1, "AveragePool": 1, "MaxPool": 1, "GlobalAveragePool": 1, "GlobalMaxPool": 1,
	"BatchNormalization": 6, "InstanceNormalization": 6, "LRN": 1, "Softmax": 13, "LogSoftmax": 13,
	"Attention": 23, "QuantizeLinear": 10, "DequantizeLinear": 10, "QLinearMatMul": 10, "NegativeLogLikelihoodLoss": 12, "SoftmaxCrossEntropyLoss": 12,
}

// beyondRows are attributes that ONNX gives to ops of the table and that their
// rows lack, or values of such (Changelog.md). No other is ONNX's: what is older
// the adapters know.
var beyondRows = map[string]map[string][]string{
	"Attention": {"left_window_size": nil, "right_window_size": nil},
	"Resize":    {"mode": {"cubic"}},
}

// untied are ops whose inputs may differ in element type by ONNX, and not by
// their rows.
var untied = []string{"Attention", "BatchNormalization", "RMSNormalization"}

// checkMixed refuses floats of several types where ONNX allows them.
func checkMixed(n *graph.Node, in []tensor.Type) error {
	if n.Domain != graph.Std || !slices.Contains(untied, n.Op) {
		return nil
	}
	for _, t := range in {
		if t.DType.IsFloat() && t.DType != in[0].DType {
			return unsupported("inputs of %v and %v in one node are beyond the op table", in[0].DType, t.DType)
		}
	}
	return nil
}

func equalSince(op *graph.Op) int {
	if v, ok := equalOpsets[op.Name]; ok {
		return v
	}
	return op.Version
}

// autoPad resolves auto_pad into pads, which needs the input's shape.
func (r *reader) autoPad(n *nodeProto, out *graph.Node, in []tensor.Type) error {
	i := slices.IndexFunc(n.attrs, func(a attrProto) bool { return a.name == "auto_pad" })
	if i < 0 || n.domain != graph.Std {
		return nil
	}
	mode := string(n.attrs[i].s)
	if mode == "NOTSET" {
		return nil
	}
	if !slices.Contains([]string{"SAME_UPPER", "SAME_LOWER", "VALID"}, mode) {
		return invalid("attribute auto_pad", "%q, want NOTSET, SAME_UPPER, SAME_LOWER or VALID", mode)
	}
	if slices.ContainsFunc(out.Attrs["pads"].Ints, func(p int64) bool { return p != 0 }) {
		return flaw("attributes auto_pad and pads are both given")
	}
	if len(in) == 0 || len(in[0].Shape) < 3 {
		return invalid("attribute auto_pad", "the input has no spatial axes")
	}
	pads, err := samePads(mode, out, in)
	if err != nil {
		return err
	}
	if out.Attrs == nil {
		out.Attrs = graph.Attrs{}
	}
	out.Attrs["pads"] = graph.L(pads...)
	return nil
}

// samePads are ONNX's pads for an auto_pad: for SAME the output has
// ceil(input/stride) elements and an odd pad's larger half lies at the end
// (UPPER) or the beginning (LOWER).
func samePads(mode string, n *graph.Node, in []tensor.Type) ([]int64, error) {
	spatial := in[0].Shape[2:]
	kernel := n.Attrs["kernel_shape"].Ints
	// Convolutions take it from W, the next tensor that is not a scale.
	if w := slices.IndexFunc(in[1:], func(t tensor.Type) bool { return len(t.Shape) > 2 }); len(kernel) == 0 && w >= 0 {
		kernel = graph.L(in[1+w].Shape[2:]...).Ints
	}
	pads := make([]int64, 2*len(spatial))
	if mode == "VALID" {
		return pads, nil
	}
	at := func(attr string, list []int64, i int) (int64, error) {
		switch {
		case len(list) == 0 && attr != "kernel_shape":
			return 1, nil
		case len(list) != len(spatial) || list[i] < 1 || list[i] > maxWindow:
			return 0, invalid("attribute "+attr, "%v does not fit %d spatial axes", list, len(spatial))
		}
		return list[i], nil
	}
	for i, size := range spatial {
		k, err1 := at("kernel_shape", kernel, i)
		s, err2 := at("strides", n.Attrs["strides"].Ints, i)
		d, err3 := at("dilations", n.Attrs["dilations"].Ints, i)
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, err
		}
		outputs := (int64(size) + s - 1) / s
		total := max(0, (outputs-1)*s+d*(k-1)+1-int64(size))
		begin := total / 2
		if mode == "SAME_LOWER" {
			begin = total - begin
		}
		pads[i], pads[i+len(spatial)] = begin, total-begin
	}
	return pads, nil
}

// maxWindow keeps sums of window attributes far from overflow.
const maxWindow = 1 << 24

// checkCeil refuses a pool of an opset before 22 where its ceil_mode would
// mean something else: windows that start in the end padding counted then,
// and averages over phantom cells differed between implementations.
func (r *reader) checkCeil(c *graph.Call) error {
	if c.Domain != graph.Std || r.std >= 22 || (c.Node.Op != "MaxPool" && c.Node.Op != "AveragePool") || c.Int("ceil_mode") == 0 {
		return nil
	}
	w, err := c.PoolWindow()
	if err != nil {
		return err
	}
	same := c.Node.Op == "MaxPool" || c.Int("count_include_pad") == 0
	for i := range w.In {
		room := w.In[i] + w.PadBegin[i] + w.PadEnd[i] - w.Dilations[i]*(w.Kernel[i]-1) - 1
		same = same && (room+w.Strides[i]-1)/w.Strides[i]+1 == w.Out[i]
	}
	if !same {
		return where("attribute ceil_mode", unsupported("at opset %d its last window differs from today's: convert the model to opset 22", r.std))
	}
	return nil
}
