package reference

import "github.com/clsbench/clsbench/graph"

// batchNormalization is inference by given statistics; ONNX's training mode
// is that of batchNormalizationTraining.
func batchNormalization(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
	x, scale, bias, mean, variance, epsilon := in[0], in[1], in[2], in[3], in[4], c.Float("epsilon")
	g := BatchGroups(x)
	if c.Int("training_mode") == 0 {
		return []*Array{Normalize(x, scale, bias, mean, InverseDeviations(variance, epsilon), g), mean, variance}, nil
	}
	m, v, inv := Moments(acc, x, g, epsilon)
	nextMean, nextVar := RunningStatistics(mean, variance, m, v, nil, len(g.members), c.Float("momentum"), true)
	return []*Array{Normalize(x, scale, bias, m, inv, g), nextMean, nextVar}, nil
}

func batchNormalizationTraining(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
	x, g := in[0], BatchGroups(in[0])
	m, v, inv := Moments(acc, x, g, c.Float("epsilon"))
	nextMean, nextVar := RunningStatistics(in[3], in[4], m, v, in[5], len(g.members), c.Float("momentum"), c.Str("convention") == "onnx")
	return []*Array{Normalize(x, in[1], in[2], m, inv, g), nextMean, nextVar, m, inv}, nil
}

// groupsOf are the groups of a norm or its gradient on x, by its attributes.
func groupsOf(c *graph.Call, x *Array) Groups {
	switch c.Op.Name {
	case "GroupNormalization", "GroupNormalizationGrad":
		return ChannelGroups(x, c.Int("num_groups"))
	case "InstanceNormalization":
		return ChannelGroups(x, x.Shape[1])
	case "BatchNormalizationGrad":
		return BatchGroups(x)
	}
	axis := c.Int("axis")
	if axis < 0 {
		axis += len(x.Shape)
	}
	return LayerGroups(x, axis)
}

type moments func(acc *Acc, x *Array, g Groups, epsilon float64) (mean, variance, inv *Array)

// norm is a normalisation by the statistics of its input.
func norm(of moments) Func {
	return outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		g := groupsOf(c, in[0])
		scale, bias := in[1], (*Array)(nil)
		if len(in) > 2 {
			bias = in[2]
		}
		if c.Op.Name == "LayerNormalization" || c.Op.Name == "RMSNormalization" {
			axis, err := c.Axis("axis")
			if err != nil {
				return nil, err
			}
			if scale = Expand(scale, in[0].Shape[axis:]); bias != nil {
				bias = Expand(bias, in[0].Shape[axis:])
			}
		}
		mean, _, inv := of(acc, in[0], g, c.Float("epsilon"))
		out := []*Array{Normalize(in[0], scale, bias, mean, inv, g)}
		if len(c.Out) > 1 {
			out = append(out, mean.reshaped(c.Out[1].Shape), inv.reshaped(c.Out[2].Shape))
		}
		return out, nil
	})
}

// normGrad is its gradient; mean and inverse deviation are inputs, or, of nil,
// computed anew.
func normGrad(of moments, centred bool) Func {
	return outputs(func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error) {
		g := groupsOf(c, in[1])
		var mean, inv *Array
		if of == nil {
			mean, inv = in[3], in[4]
		} else {
			mean, _, inv = of(acc, in[1], g, c.Float("epsilon"))
		}
		dx, dscale, dbias := NormalizeGrad(acc, in[0], in[1], in[2], mean, inv, g, centred)
		return []*Array{dx, dscale, dbias}[:len(c.Out)], nil
	})
}

func lrnParams(c *graph.Call) LRNParams {
	return LRNParams{Alpha: c.Float("alpha"), Beta: c.Float("beta"), Bias: c.Float("bias"), Size: c.Int("size")}
}
