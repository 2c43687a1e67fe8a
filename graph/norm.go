package graph

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

var epsilonAttr = AttrSpec{Name: "epsilon", Kind: Float, Default: F(1e-5)}

// normOps take a mean and a deviation out of groups of elements and put scale
// and bias in their place: Y = (X - mean)/√(variance + ε)·scale + bias, the
// variance being the mean square of X - mean. They differ in their groups, see
// Normal. An inverse deviation is 1/√(variance + ε).
var normOps = []*Op{
	{
		// In inference by given statistics; in ONNX's training mode by those of
		// the batch, which move the running ones.
		Name: "BatchNormalization", Version: 15,
		Inputs:  floatParams("X", "scale", "B", "input_mean", "input_var"),
		Outputs: append(floatParams("Y"), optionalFloats("running_mean", "running_var")...),
		Attrs: []AttrSpec{epsilonAttr, {Name: "momentum", Kind: Float, Default: F(0.9)},
			{Name: "training_mode", Kind: Int, Default: I(0)}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			return []tensor.Type{c.In[0], c.In[3], c.In[4]}, c.checkNorm(1, 2, 3, 4)
		},
		Work: func(c *Call) int64 {
			if c.Int("training_mode") != 0 {
				return 8 * elements(c.In[0])
			}
			return 4 * elements(c.In[0])
		},
		Detached:  []int{1, 2},
		Grad:      gradBatchNorm,
		Decompose: decomposeBatchNorm,
	},
	{
		// Batch norm in training (Ioffe and Szegedy 2015). With the convention
		// of PyTorch, next = (1-momentum)·running + momentum·batch, and the
		// running variance is the unbiased one, over N-1 (over 1 if N = 1); with
		// ONNX's, next = momentum·running + (1-momentum)·batch, and it is the
		// population's. Where skip is true the running statistics stay as they
		// are. No gradient flows into or out of them.
		Name: "BatchNormalizationTraining", Domain: Own, Version: 1,
		Inputs: append(floatParams("X", "scale", "B", "running_mean", "running_var"),
			Param{Name: "skip", Types: Bools, Optional: true}),
		Outputs: append(floatParams("Y"), optionalFloats("next_mean", "next_var", "mean", "inv_deviation")...),
		Attrs: []AttrSpec{epsilonAttr, {Name: "momentum", Kind: Float, Default: F(0.1)},
			{Name: "convention", Kind: String, Default: S("pytorch"), OneOf: []string{"pytorch", "onnx"}}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			if c.Has(5) && len(c.In[5].Shape) != 0 {
				return nil, fmt.Errorf("skip is %v, want a scalar", c.In[5].Shape)
			}
			s := c.In[1]
			return []tensor.Type{c.In[0], s, s, s, s}, c.checkNorm(1, 2, 3, 4)
		},
		Work:      func(c *Call) int64 { return 8 * elements(c.In[0]) },
		Saves:     []int{3, 4},
		Detached:  []int{1, 2, 3, 4},
		Grad:      gradNorm("BatchNormalizationGrad", 3, 4),
		Decompose: decomposeBatchNormTraining,
	},
	normGrad("BatchNormalizationGrad", true),
	{
		// Over the axes from axis on (Ba, Kiros and Hinton 2016). scale and B
		// broadcast to them. Statistics are f32, but f64 for f64: less would
		// lose what X has.
		Name: "LayerNormalization", Version: 17,
		Inputs: append(floatParams("X", "Scale"), optionalFloats("B")...),
		Outputs: append(floatParams("Y"), Param{Name: "Mean", Types: Statistics, Optional: true},
			Param{Name: "InvStdDev", Types: Statistics, Optional: true}),
		Attrs: []AttrSpec{{Name: "axis", Kind: Int, Default: I(-1)}, epsilonAttr, stashAttr},
		Infer: func(c *Call) ([]tensor.Type, error) {
			if err := c.checkNorm(1, 2); err != nil {
				return nil, err
			}
			stats := c.layerStatistics()
			return []tensor.Type{c.In[0], stats, stats}, nil
		},
		Work:      func(c *Call) int64 { return 8 * elements(c.In[0]) },
		Saves:     []int{1, 2},
		Detached:  []int{1, 2},
		Grad:      gradNorm("LayerNormalizationGrad", 1, 2),
		Decompose: decomposeNorm,
	},
	normGrad("LayerNormalizationGrad", true, AttrSpec{Name: "axis", Kind: Int, Default: I(-1)}),
	{
		// By the root of the mean square alone (Zhang and Sennrich 2019).
		Name: "RMSNormalization", Version: 23,
		Inputs:  floatParams("X", "scale"),
		Outputs: floatParams("Y"),
		Attrs:   []AttrSpec{{Name: "axis", Kind: Int, Default: I(-1)}, epsilonAttr, stashAttr},
		Infer: func(c *Call) ([]tensor.Type, error) {
			return c.In[:1], c.checkNorm(1)
		},
		Work:      func(c *Call) int64 { return 5 * elements(c.In[0]) },
		Grad:      gradNorm("RMSNormalizationGrad"),
		Decompose: decomposeNorm,
	},
	normGrad("RMSNormalizationGrad", false, AttrSpec{Name: "axis", Kind: Int, Default: I(-1)}, epsilonAttr),
	{
		// Over each of num_groups runs of channels (Wu and He 2018).
		Name: "GroupNormalization", Version: 21,
		Inputs:  floatParams("X", "scale", "bias"),
		Outputs: floatParams("Y"),
		Attrs:   []AttrSpec{epsilonAttr, {Name: "num_groups", Kind: Int, Required: true}, stashAttr},
		Infer: func(c *Call) ([]tensor.Type, error) {
			return c.In[:1], c.checkNorm(1, 2)
		},
		Work:      func(c *Call) int64 { return 8 * elements(c.In[0]) },
		Grad:      gradNorm("GroupNormalizationGrad"),
		Decompose: decomposeNorm,
	},
	normGrad("GroupNormalizationGrad", false, epsilonAttr, AttrSpec{Name: "num_groups", Kind: Int, Required: true}),
	{
		// Over each channel of each image (Ulyanov, Vedaldi and Lempitsky 2016).
		Name: "InstanceNormalization", Version: 22,
		Inputs:  floatParams("input", "scale", "B"),
		Outputs: floatParams("output"),
		Attrs:   []AttrSpec{epsilonAttr},
		Infer: func(c *Call) ([]tensor.Type, error) {
			return c.In[:1], c.checkNorm(1, 2)
		},
		Work: func(c *Call) int64 { return 8 * elements(c.In[0]) },
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			a := Attrs{"epsilon": F(c.Float("epsilon")), "num_groups": I(c.In[1].Shape[0])}
			return b.OpN("GroupNormalizationGrad", a, 3, dy[0], c.Input(0), c.Input(1))
		},
		Decompose: decomposeNorm,
	},
}

// stashAttr is the type of the statistics of 16-bit floats, f32, which is the
// only one that ONNX's models use.
var stashAttr = AttrSpec{Name: "stash_type", Kind: Int, Default: I(1)}

func floatParams(names ...string) (list []Param) {
	for _, n := range names {
		list = append(list, Param{Name: n, Types: Floats, Var: "T"})
	}
	return list
}

func optionalFloats(names ...string) []Param {
	list := floatParams(names...)
	for i := range list {
		list[i].Optional = true
	}
	return list
}

// Normal is the geometry of a normalisation: X is Outer×Params×Inner, scale and
// bias have an element each of Params, and a group is either one parameter of
// all of Outer (Batch) or PerGroup neighbouring parameters of one of Outer.
type Normal struct {
	Outer, Params, Inner int
	Batch                bool
	PerGroup             int
}

// Groups is their number.
func (n Normal) Groups() int {
	if n.Batch {
		return n.Params
	}
	return n.Outer * (n.Params / n.PerGroup)
}

// Group is the group of a parameter in one of Outer.
func (n Normal) Group(outer, param int) int {
	if n.Batch {
		return param
	}
	return (outer*n.Params + param) / n.PerGroup
}

// Count is the number of elements of a group.
func (n Normal) Count() int {
	if n.Batch {
		return n.Outer * n.Inner
	}
	return n.PerGroup * n.Inner
}

// Normal is the geometry of a normalisation or its gradient.
func (c *Call) Normal() (Normal, error) {
	x := c.In[0].Shape // or dY's, which is the same
	switch c.Op.Name {
	case "LayerNormalization", "LayerNormalizationGrad", "RMSNormalization", "RMSNormalizationGrad":
		axis, err := c.Axis("axis")
		if err != nil {
			return Normal{}, err
		}
		n := x[axis:].Elements()
		return Normal{Outer: x[:axis].Elements(), Params: n, Inner: 1, PerGroup: n}, nil
	}
	switch {
	case len(x) == 1 && c.Op.Name == "BatchNormalization": // of one channel, says ONNX
		return Normal{}, limited("X is %v: want rank 2 or more", x)
	case len(x) < 2:
		return Normal{}, fmt.Errorf("X is %v: want rank 2 or more", x)
	}
	n := Normal{Outer: x[0], Params: x[1], Inner: x[2:].Elements(), PerGroup: 1}
	switch c.Op.Name {
	case "GroupNormalization", "GroupNormalizationGrad":
		g := c.Int("num_groups")
		if g < 1 || x[1]%g != 0 {
			return Normal{}, fmt.Errorf("attribute num_groups: %d does not split %d channels", g, x[1])
		}
		n.PerGroup = x[1] / g
	case "InstanceNormalization":
	default:
		n.Batch = true
	}
	return n, nil
}

// checkNorm wants the inputs so numbered to be scale, bias or statistics by
// channel, or, for norms over an axis, to broadcast to the axes from it on.
func (c *Call) checkNorm(inputs ...int) error {
	n, err := c.Normal()
	if err != nil {
		return err
	}
	if n.Groups() > 0 && n.Count() == 0 {
		return limited("X is %v: nothing has no mean", c.In[0].Shape)
	}
	if a := c.Op.attr("stash_type"); a != nil && c.Int("stash_type") != 1 {
		return limited("attribute stash_type: %d, want 1 (f32)", c.Int("stash_type"))
	}
	for _, i := range inputs {
		if !c.Has(i) {
			continue
		}
		want, s := tensor.Shape{n.Params}, c.In[i].Shape
		if c.Op.attr("axis") == nil {
			if !s.Equal(want) {
				return fmt.Errorf("%s is %v, want %v", c.Op.Inputs[i].Name, s, want)
			}
			continue
		}
		axis, _ := c.Axis("axis")
		want = c.In[0].Shape[axis:]
		if to, err := tensor.Broadcast(s, want); err != nil || !to.Equal(want) {
			return fmt.Errorf("%s is %v: it does not broadcast to %v, the axes from axis on", c.Op.Inputs[i].Name, s, want)
		}
	}
	return nil
}

// layerStatistics is the type of Mean and InvStdDev: X's with the axes from
// axis on as 1.
func (c *Call) layerStatistics() tensor.Type {
	axis, _ := c.Axis("axis")
	t := tensor.Type{DType: tensor.F32, Shape: c.In[0].Shape.Clone()}
	if c.In[0].DType == tensor.F64 {
		t.DType = tensor.F64
	}
	for i := axis; i < len(t.Shape); i++ {
		t.Shape[i] = 1
	}
	return t
}
