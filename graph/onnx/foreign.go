package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// minOpset is the oldest opset that is read: the first in which reductions
// and Softmax mean what they do today.
const minOpset = 13

// equalOpsets names, for ops whose versions since only widened the element
// types or moved attributes to inputs, the oldest opset with today's meaning.
// An op that isn't named is read from its row's version on. MaxPool and
// AveragePool are narrowed further by checkCeil.
var equalOpsets = map[string]int{
	"Add": 13, "Sub": 13, "Mul": 13, "Div": 13, "Relu": 13,
	"Equal": 13, "LessOrEqual": 13, "Where": 13, "Cast": 13,
	"ReduceMax": 13, "ReduceMean": 13,
	"Reshape": 13, "Flatten": 13, "Transpose": 13,
	"Conv": 13, "AveragePool": 13, "MaxPool": 13,
}

func equalSince(op *graph.Op) int {
	if v, ok := equalOpsets[op.Name]; ok {
		return v
	}
	return op.Version
}

// granted tells of an attribute whether it only says what programs take for
// granted: it is then dropped. Saying otherwise is an error.
func granted(n *nodeProto, a *attrProto) (bool, error) {
	if n.domain != graph.Std {
		return false, nil
	}
	switch {
	case n.op == "Cast" && (a.name == "saturate" || a.name == "round_mode"):
		return true, nil // of meaning for 8-bit floats alone
	case a.name == "noop_with_empty_axes":
		if a.i != 0 {
			return false, errors.New("attribute noop_with_empty_axes: 1 is not read: remove the node or name its axes")
		}
		return true, nil
	}
	return false, nil
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
		return fmt.Errorf("attribute auto_pad: %q, want NOTSET, SAME_UPPER, SAME_LOWER or VALID", mode)
	}
	if slices.ContainsFunc(out.Attrs["pads"].Ints, func(p int64) bool { return p != 0 }) {
		return errors.New("attributes auto_pad and pads are both given")
	}
	if len(in) == 0 || len(in[0].Shape) < 3 {
		return errors.New("attribute auto_pad: the input has no spatial axes")
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
	if len(kernel) == 0 && len(in) > 1 && len(in[1].Shape) > 2 { // Conv takes it from W
		kernel = graph.L(in[1].Shape[2:]...).Ints
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
			return 0, fmt.Errorf("attribute %s: %v does not fit %d spatial axes", attr, list, len(spatial))
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
		return fmt.Errorf("attribute ceil_mode: at opset %d its last window differs from today's: convert the model to opset 22", r.std)
	}
	return nil
}
