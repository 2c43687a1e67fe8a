package faults

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
)

// Wrong norms.

var normFaults = []Fault{
	kernel("batchnorm-biased-variance", "BatchNormalizationTraining", "the running variance takes the population's", func(k *Launch) ([]*reference.Array, error) {
		g := reference.BatchGroups(k.In[0])
		m, v, _ := reference.Moments(k.Acc, k.In[0], g, 0)
		out, err := k.Plain()
		if err == nil {
			const many = 1 << 40 // N/(N−1) is 1
			_, out[2] = reference.RunningStatistics(k.In[3], k.In[4], m, v, k.In[5], many, k.Call.Float("momentum"), k.Call.Str("convention") == "onnx")
		}
		return out, err
	}),
	kernel("batchnorm-inverted-momentum", "BatchNormalizationTraining", "ONNX's momentum for PyTorch's", attr(func(a graph.Attrs, c *graph.Call) {
		a["momentum"] = graph.F(1 - c.Float("momentum"))
	})),
	kernel("batchnorm-skip-ignored", "BatchNormalizationTraining", "the statistics of a skipped step kept", on(5, func(s *reference.Array, _ *Launch) *reference.Array {
		return mapped(s, func(float64) float64 { return 0 })
	})).once("only a skipped step shows it: one class has it"),
	kernel("batchnorm-one-pass-variance", "BatchNormalizationTraining", "the mean of squares less the square of the mean, in f32: NaN or far off", statistics(onePass)),
	kernel("batchnorm-last-image-dropped", "BatchNormalizationTraining", "statistics of all images but the last", func(k *Launch) ([]*reference.Array, error) {
		x := k.In[0]
		if x.Shape[0] < 2 {
			return k.Plain()
		}
		fewer := reference.New(append([]int{x.Shape[0] - 1}, x.Shape[1:]...)...)
		copy(fewer.Data, x.Data)
		m, v, _ := reference.Moments(k.Acc, fewer, reference.BatchGroups(fewer), 0)
		return normalised(k, reference.BatchGroups(x), m, v, reciprocalRoot)
	}),
	kernel("batchnorm-grad-above-768", "BatchNormalizationGrad", "wrong above batch 768 (MIOpen#1109)", after(func(dx float64, _ int, k *Launch) float64 {
		if k.In[1].Shape[0] > 768 {
			return dx * 0.5
		}
		return dx
	})).once("only a batch so large shows it, which one case has"),
	kernel("batchnorm-grad-rsqrt-of-inverse", "BatchNormalizationGrad", "the saved inverse deviation taken for a variance: hidden at 1", on(4, func(inv *reference.Array, _ *Launch) *reference.Array {
		return mapped(inv, func(r float64) float64 { return 1 / math.Sqrt(r) })
	})),
	kernel("batchnorm-grad-as-inference", "BatchNormalizationGrad", "the statistics taken for constants", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err == nil {
			zero := reference.New(len(k.In[3].Data))
			out[0] = reference.Normalize(k.In[0], k.In[2], nil, zero, k.In[4], reference.BatchGroups(k.In[0]))
		}
		return out, err
	}),
	kernel("batchnorm-inference-epsilon-lost", "BatchNormalization", "1/√variance: ε lost in a fold", attr(func(a graph.Attrs, _ *graph.Call) { a["epsilon"] = graph.F(0) })),
	kernel("layernorm-epsilon-outside-root", "LayerNormalization", "1/(√variance + ε)", statistics(func(_ []float64, m, v, e float64) (float64, float64) {
		return m, 1 / (math.Sqrt(v) + e)
	})),
	kernel("layernorm-epsilon-lost-in-cast", "LayerNormalization", "ε rounded to 0 (DeepSpeed#581)", attr(func(a graph.Attrs, _ *graph.Call) { a["epsilon"] = graph.F(0) })),
	kernel("layernorm-one-pass-variance", "LayerNormalization", "the mean of squares less the square of the mean, in f32", statistics(onePass)),
	kernel("layernorm-unbiased-variance", "LayerNormalization", "over N − 1", statistics(func(x []float64, m, v, e float64) (float64, float64) {
		n := float64(len(x))
		return m, 1 / math.Sqrt(v*n/max(n-1, 1)+e)
	})),
	kernel("layernorm-no-root", "LayerNormalization", "1/d for 1/√d", statistics(func(_ []float64, m, v, e float64) (float64, float64) {
		return m, 1 / (v + e)
	})),
	kernel("layernorm-last-axis-always", "LayerNormalization", "statistics over the last axis alone", func(k *Launch) ([]*reference.Array, error) {
		axis, err := k.Call.Axis("axis")
		if err != nil || axis == len(k.In[0].Shape)-1 {
			return k.Plain()
		}
		whole, x := reference.LayerGroups(k.In[0], axis), k.In[0]
		out, err := k.Plain()
		if err != nil {
			return nil, err
		}
		rows := reference.LayerGroups(x, len(x.Shape)-1)
		m, _, inv := reference.Moments(k.Acc, x, rows, k.Call.Float("epsilon"))
		ones := reference.New(x.Shape[len(x.Shape)-1])
		for i := range ones.Data {
			ones.Data[i] = 1
		}
		hat, zero, one := reference.Normalize(x, ones, nil, m, inv, rows), reference.New(len(out[1].Data)), reference.New(len(out[1].Data))
		for i := range one.Data {
			one.Data[i] = 1
		}
		out[0] = reference.Normalize(hat, k.full(1, axis), k.full(2, axis), zero, one, whole)
		return out, nil
	}),
	kernel("layernorm-rows-above-65535", "LayerNormalization", "a grid's second dimension overflows: zeros (tensorflow#9870)", after(func(y float64, i int, k *Launch) float64 {
		if shape := k.In[0].Shape; i/shape[len(shape)-1] >= 1<<16-1 {
			return 0
		}
		return y
	})).once("only so many rows show it, which one case has"),
	kernel("layernorm-grad-uncentred", "LayerNormalizationGrad", "dX without the mean of the gradients", func(k *Launch) ([]*reference.Array, error) {
		axis, err := k.Call.Axis("axis")
		if err != nil {
			return nil, err
		}
		out, err := k.Plain()
		if err != nil {
			return nil, err
		}
		dy, scale, inv := k.In[0], k.In[2], k.In[4]
		n := dy.Shape[axis:].Elements()
		for row, r := range inv.Data {
			sum := 0.0
			for l := range n {
				sum += dy.Data[row*n+l] * scale.Data[l]
			}
			for l := range n {
				out[0].Data[row*n+l] += r * sum / float64(n)
			}
		}
		return out, nil
	}),
	kernel("rmsnorm-sum-for-mean", "RMSNormalization", "the sum of squares, not their mean", on(0, func(x *reference.Array, k *Launch) *reference.Array {
		axis, _ := k.Call.Axis("axis")
		root := math.Sqrt(float64(x.Shape[axis:].Elements()))
		return mapped(x, func(v float64) float64 { return v * root })
	})),
	kernel("groupnorm-by-channel", "GroupNormalization", "statistics by channel: instance norm", func(k *Launch) ([]*reference.Array, error) {
		g := reference.ChannelGroups(k.In[0], k.In[0].Shape[1])
		m, _, inv := reference.Moments(k.Acc, k.In[0], g, k.Call.Float("epsilon"))
		return []*reference.Array{reference.Normalize(k.In[0], k.In[1], k.In[2], m, inv, g)}, nil
	}),
	kernel("instancenorm-scale-by-image", "InstanceNormalization", "scale counted by image and not by channel", on(1, func(s *reference.Array, _ *Launch) *reference.Array {
		y := reference.New(s.Shape...)
		for i := range y.Data {
			y.Data[i] = s.Data[i/2*2]
		}
		return y
	})),
	kernel("lrn-window-reversed", "LRN", "the longer side of an even window before the channel", func(k *Launch) ([]*reference.Array, error) {
		if k.Call.Int("size")%2 == 1 {
			return k.Plain()
		}
		k.In[0] = reversedChannels(k.In[0])
		out, err := k.Plain()
		if err == nil {
			out[0] = reversedChannels(out[0])
		}
		return out, err
	}).once("only a window of even size shows it: one class has it"),
	kernel("lrn-alpha-undivided", "LRN", "α not over size, as Caffe's older files", attr(func(a graph.Attrs, c *graph.Call) {
		a["alpha"] = graph.F(c.Float("alpha") * float64(c.Int("size")))
	})),
	kernel("lrn-grad-direct-only", "LRNGrad", "the sum over the neighbours left out", attr(func(a graph.Attrs, c *graph.Call) {
		a["alpha"] = graph.F(c.Float("alpha") / 2)
	})).also("LRN"),
}

func reciprocalRoot(_ []float64, m, v, e float64) (mean, inv float64) { return m, 1 / math.Sqrt(v+e) }

// onePass is what the textbook's shifted formula gives in f32.
func onePass(x []float64, _, _, e float64) (mean, inv float64) {
	var sum, squares float32
	for _, v := range x {
		sum += float32(v)
		squares += float32(v) * float32(v)
	}
	m := sum / float32(len(x))
	return float64(m), 1 / math.Sqrt(float64(squares/float32(len(x))-m*m)+e)
}

// statistics computes batch and layer norm with other statistics; f is given
// a group's elements, its mean, its variance and ε.
func statistics(f func(x []float64, mean, variance, epsilon float64) (m, inv float64)) Kernel {
	return func(k *Launch) ([]*reference.Array, error) {
		g := reference.BatchGroups(k.In[0])
		if k.Call.Op.Name == "LayerNormalization" {
			axis, err := k.Call.Axis("axis")
			if err != nil {
				return nil, err
			}
			g = reference.LayerGroups(k.In[0], axis)
		}
		m, v, _ := reference.Moments(k.Acc, k.In[0], g, 0)
		return normalised(k, g, m, v, f)
	}
}

// normalised is batch or layer norm with statistics made of m and v.
func normalised(k *Launch, g reference.Groups, m, v *reference.Array, f func(x []float64, mean, variance, epsilon float64) (m, inv float64)) ([]*reference.Array, error) {
	out, err := k.Plain()
	if err != nil {
		return nil, err
	}
	n, err := k.Call.Normal()
	if err != nil {
		return nil, err
	}
	members := make([][]float64, n.Groups())
	for i, x := range k.In[0].Data {
		at := n.Group(i/n.Inner/n.Params, i/n.Inner%n.Params)
		members[at] = append(members[at], x)
	}
	mean, inv := reference.New(len(m.Data)), reference.New(len(m.Data))
	for i := range mean.Data {
		mean.Data[i], inv.Data[i] = f(members[i], m.Data[i], v.Data[i], k.Call.Float("epsilon"))
	}
	scale, bias := k.In[1], k.In[2]
	if k.Call.Op.Name == "LayerNormalization" {
		axis, err := k.Call.Axis("axis")
		if err != nil {
			return nil, err
		}
		scale, bias = k.full(1, axis), k.full(2, axis)
	}
	out[0] = reference.Normalize(k.In[0], scale, bias, mean, inv, g)
	last := len(out) - 2
	out[last], out[last+1] = &reference.Array{Shape: out[last].Shape, Data: mean.Data}, &reference.Array{Shape: out[last].Shape, Data: inv.Data}
	return out, nil
}

// full is input i stretched to the axes from axis on; nil if left out.
func (k *Launch) full(i, axis int) *reference.Array {
	if k.In[i] == nil {
		return nil
	}
	return reference.Expand(k.In[i], k.In[0].Shape[axis:])
}

// reversedChannels turns axis 1 round.
func reversedChannels(x *reference.Array) *reference.Array {
	y, channels, plane := reference.New(x.Shape...), x.Shape[1], x.Shape[2:].Elements()
	for i := range y.Data {
		c := i / plane % channels
		y.Data[i] = x.Data[i+(channels-1-2*c)*plane]
	}
	return y
}
