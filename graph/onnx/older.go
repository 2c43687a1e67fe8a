package onnx

import (
	"maps"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Programs mean what graph.Opset says. An older opset has fewer ops, and says
// some of what it has in other words (ONNX's Changelog.md).

// OldestWritten is the oldest opset that Marshal writes: the first in which
// sums and splits take their axes as inputs.
const OldestWritten = 13

// WithOpset lets Marshal write for an opset from OldestWritten to graph.Opset,
// which is the default. Every node must be Native to it.
func WithOpset(opset int) Option { return func(o *options) { o.opset = opset } }

// Native says which calls an opset of ONNX's standard domain can express; what
// it can't, pass.Decompose may.
func Native(opset int) func(*graph.Call) bool {
	return func(c *graph.Call) bool {
		if c.Domain != graph.Std || equalSince(c.Op) > opset {
			return false
		}
		if opset >= c.Op.Version {
			return true
		}
		return oldTypes(c) && oldForm(c, opset)
	}
}

// countsAndCompares are ops of numbers that took 32-bit and 64-bit integers,
// and booleans where they have a meaning, in all versions since OldestWritten.
var countsAndCompares = []string{"Add", "Sub", "Mul", "Div", "Min", "Max", "Cast", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Where", "ReduceSum"}

// oldTypes says whether older versions of an op have the call's element types:
// they all have those of floats but bf16, and what moves data has any.
func oldTypes(c *graph.Call) bool {
	for i, t := range c.In {
		if !c.Has(i) || c.Op.Work == nil && t.DType != tensor.BF16 {
			continue
		}
		old := t.DType.IsFloat() && t.DType != tensor.BF16
		if !old && (t.DType == tensor.BF16 || !slices.Contains(countsAndCompares, c.Op.Name)) {
			return false
		}
	}
	return true
}

// attributesSince are attributes younger than OldestWritten, by op, with the
// opset that brought them. They are left out before it, and must then be at
// their defaults.
var attributesSince = map[string]map[string]int{
	"AveragePool":        {"dilations": 19},
	"BatchNormalization": {"training_mode": 14},
	"DequantizeLinear":   {"block_size": 21, "output_dtype": 23},
	"QuantizeLinear":     {"saturate": 19, "block_size": 21, "output_dtype": 21, "precision": 23},
	"Resize":             {"antialias": 18, "axes": 18, "keep_aspect_ratio_policy": 18},
	"ScatterElements":    {"reduction": 16},
	"ScatterND":          {"reduction": 16},
}

// oldForm says whether a call of an op that the opset has can be written in it.
func oldForm(c *graph.Call, opset int) bool {
	for name, since := range attributesSince[c.Op.Name] {
		if opset < since && !atDefault(c, name) {
			return false
		}
	}
	switch c.Op.Name {
	case "Attention": // the seventh input, how many keys are valid, is of 24
		return opset >= 24 || !c.Has(6)
	case "AveragePool", "MaxPool": // see checkCeil
		return opset >= 22 || c.Int("ceil_mode") == 0
	case "BatchNormalization": // whose further outputs meant training
		return opset >= 14 || !c.Wants(1) && !c.Wants(2)
	case "Reshape": // a 0 copied the input's dimension
		return opset >= 14 || !slices.Contains(c.Attrs["shape"].Ints, 0)
	}
	return true
}

func atDefault(c *graph.Call, name string) bool {
	a, given := c.Attrs[name]
	if !given {
		return true
	}
	i := slices.IndexFunc(c.Op.Attrs, func(s graph.AttrSpec) bool { return s.Name == name })
	d := c.Op.Attrs[i].Default
	if a.Kind == graph.IntList && len(d.Ints) == 0 { // dilations
		return !slices.ContainsFunc(a.Ints, func(v int64) bool { return v != 1 })
	}
	return a.Int == d.Int && a.Float == d.Float && a.String == d.String && slices.Equal(a.Ints, d.Ints)
}

// older is a Native call in the words of the opset.
func older(c *graph.Call, opset int) (*graph.Call, error) {
	if !Native(opset)(c) {
		return nil, &graph.NodeError{Node: c.Name, Op: c.Op.Name, Err: unsupported("ONNX's opset %d can't express it", opset)}
	}
	node, call := *c.Node, *c
	node.Attrs, call.Node = maps.Clone(c.Attrs), &node
	for name, since := range attributesSince[c.Op.Name] {
		if opset < since {
			delete(node.Attrs, name)
		}
	}
	switch {
	case c.Op.Name == "Reshape" && opset < 14:
		delete(node.Attrs, "allowzero")
	case c.Op.Name == "Split" && opset < 18:
		return &call, splitSizes(c, &node)
	case c.Op.Name == "Pad" && opset < 18:
		allPads(c, &node)
	}
	return &call, nil
}

// splitSizes spells num_outputs out.
func splitSizes(c *graph.Call, n *graph.Node) error {
	if _, ok := n.Attrs["num_outputs"]; !ok {
		return nil
	}
	axis, err := c.Axis("axis")
	if err != nil {
		return err
	}
	var sizes []int
	for _, t := range c.Out {
		sizes = append(sizes, t.Shape[axis])
	}
	delete(n.Attrs, "num_outputs")
	n.Attrs["split"] = graph.L(sizes...)
	return nil
}

// allPads gives the axes that are not named no pads.
func allPads(c *graph.Call, n *graph.Node) {
	axes, ok := n.Attrs["axes"]
	if !ok {
		return
	}
	rank, pads := len(c.In[0].Shape), n.Attrs["pads"].Ints
	all := make([]int64, 2*rank)
	for i, a := range axes.Ints {
		if a < 0 {
			a += int64(rank)
		}
		all[a], all[int(a)+rank] = pads[i], pads[i+len(axes.Ints)]
	}
	delete(n.Attrs, "axes")
	n.Attrs["pads"] = graph.L(all...)
}

// axesAreAttributes of the reductions that took them as inputs from opset 18 on.
func axesAreAttributes(op string, opset int) bool {
	return opset < 18 && slices.Contains([]string{"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax",
		"ReduceMean", "ReduceMin", "ReduceProd", "ReduceSumSquare"}, op)
}

// irVersions by opset from OldestWritten on: the format of ONNX's release that
// brought it (docs/Versioning.md), so that runtimes of its time read the file.
var irVersions = []int64{7, 7, 8, 8, 8, 8, 9, 9}

// irVersionOf is the format's version in a file of the opset.
func irVersionOf(opset int) int64 {
	if i := opset - OldestWritten; i < len(irVersions) {
		return irVersions[i]
	}
	return irVersion
}
