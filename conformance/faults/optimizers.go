package faults

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Wrong optimizers.

var optimizerFaults = []Fault{
	kernel("sgd-nesterov-ignored", "SGD", "the plain momentum step", attr(func(a graph.Attrs, _ *graph.Call) { delete(a, "nesterov") })),
	kernel("sgd-decay-after-momentum", "SGD", "weight decay decoupled", func(k *Launch) ([]*reference.Array, error) {
		decay, lr := k.Call.Float("weight_decay"), k.In[3].Data[0]
		delete(k.attrs(), "weight_decay")
		out, err := k.Plain()
		if err == nil {
			out[0] = reference.Sub(out[0], mapped(k.In[0], func(p float64) float64 { return lr * decay * p }))
		}
		return out, err
	}),
	kernel("sgd-dampening-ignored", "SGD", "gradients added whole", attr(func(a graph.Attrs, _ *graph.Call) { delete(a, "dampening") })),
	kernel("sgd-skip-ignored", "SGD", "a step with infinite gradients taken all the same", on(4, func(s *reference.Array, _ *Launch) *reference.Array {
		return mapped(s, func(float64) float64 { return 0 })
	})).once("only a skipped step shows it: one class has it"),
	kernel("sgd-velocity-unwritten-tail", "SGD", "the slot's tail after vectors of 4 left as it was", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err == nil {
			v := mapped(out[1], func(v float64) float64 { return v })
			copy(v.Data[len(v.Data)/4*4:], k.In[2].Data[len(v.Data)/4*4:])
			out[1] = v
		}
		return out, err
	}),
	kernel("adam-epsilon-under-root", "Adam", "ε added before the square root", func(k *Launch) ([]*reference.Array, error) {
		return adam(k, func(vHat, eps, _ float64) float64 { return math.Sqrt(vHat + eps) })
	}),
	kernel("adam-epsilon-scaled", "Adam", "ε scaled by the bias correction (pytorch#22628)", func(k *Launch) ([]*reference.Array, error) {
		return adam(k, func(vHat, eps, correct2 float64) float64 { return math.Sqrt(vHat) + eps/math.Sqrt(correct2) })
	}),
	kernel("adam-step-from-zero", "Adam", "bias correction with t = step", on(4, func(s *reference.Array, _ *Launch) *reference.Array {
		return mapped(s, func(t float64) float64 { return max(0, t-1) })
	})),
	kernel("adam-second-moment-of-raw-gradient", "Adam", "weight decay left out of v", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err != nil {
			return nil, err
		}
		b2 := k.Call.Float("beta2")
		v := reference.New(out[2].Shape...)
		for i := range v.Data {
			v.Data[i] = b2*k.In[3].Data[i] + (1-b2)*k.In[1].Data[i]*k.In[1].Data[i]
		}
		out[2] = v
		return out, nil
	}),
}

var weightFaults = []Fault{
	kernel("sgd-dampening-inverted", "SGD", "dampening·g in place of (1 − dampening)·g", attr(func(a graph.Attrs, c *graph.Call) {
		if d := c.Float("dampening"); d != 0 {
			a["dampening"] = graph.F(1 - d)
		}
	})),
	kernel("adamw-coupled-decay", "AdamW", "the decay goes through the moments, as Adam's", func(k *Launch) ([]*reference.Array, error) {
		decay := k.Call.Float("weight_decay")
		k.In[1] = reference.Add(k.In[1], mapped(k.In[0], func(p float64) float64 { return decay * p }))
		k.attrs()["weight_decay"] = graph.F(0)
		return k.Plain()
	}),
	kernel("adamw-decay-without-rate", "AdamW", "p shrinks by weight_decay, whatever the learning rate", unlessSkipped(6, func(k *Launch, out []*reference.Array) {
		lr, decay := k.In[5].Data[0], k.Call.Float("weight_decay")
		out[0] = reference.Add(out[0], mapped(k.In[0], func(p float64) float64 { return (lr - 1) * decay * p }))
	})),
	kernel("adamw-step-from-zero", "AdamW", "bias correction with t = step", on(4, func(s *reference.Array, _ *Launch) *reference.Array {
		return mapped(s, func(t float64) float64 { return max(0, t-1) })
	})),
	kernel("adamw-skip-ignored", "AdamW", "a step with infinite gradients taken all the same", on(6, no)).also("DynamicLossScale"),
	kernel("adamw-second-moment-kept", "AdamW", "v not written back", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err == nil {
			out[2] = k.In[3]
		}
		return out, err
	}),
	kernel("rmsprop-epsilon-under-root", "RMSprop", "√(s + ε), as TensorFlow's", unlessSkipped(6, func(k *Launch, out []*reference.Array) {
		eps, lr := k.Call.Float("epsilon"), k.In[5].Data[0]
		p := reference.New(out[0].Shape...)
		for i := range p.Data {
			variance := out[1].Data[i]
			if k.Call.Int("centered") != 0 {
				variance -= out[3].Data[i] * out[3].Data[i]
			}
			root := math.Sqrt(variance)
			grad := k.In[1].Data[i] + k.Call.Float("weight_decay")*k.In[0].Data[i]
			p.Data[i] = out[0].Data[i] + lr*grad/(root+eps) - lr*grad/math.Sqrt(variance+eps)
		}
		out[0] = p
	})),
	kernel("rmsprop-not-centered", "RMSprop", "centered ignored", attr(func(a graph.Attrs, _ *graph.Call) { delete(a, "centered") })),
	kernel("rmsprop-momentum-lost", "RMSprop", "the buffer written and not read", on(3, func(b *reference.Array, _ *Launch) *reference.Array {
		return reference.New(b.Shape...)
	})),
	kernel("rmsprop-alpha-inverted", "RMSprop", "α and 1 − α exchanged", attr(func(a graph.Attrs, c *graph.Call) { a["alpha"] = graph.F(1 - c.Float("alpha")) })),
	kernel("average-decay-inverted", "ExponentialMovingAverage", "decay and 1 − decay exchanged", attr(func(a graph.Attrs, c *graph.Call) { a["decay"] = graph.F(1 - c.Float("decay")) })),
	kernel("average-skip-ignored", "ExponentialMovingAverage", "the average moves in a skipped step", on(2, no)).also("DynamicLossScale"),
}

var scalingFaults = []Fault{
	kernel("norm-of-one-gradient", "GlobalNorm", "the first gradient's norm alone", func(k *Launch) ([]*reference.Array, error) {
		k.In = k.In[:1]
		return k.Plain()
	}),
	kernel("norm-sum-of-norms", "GlobalNorm", "norms added up", func(k *Launch) ([]*reference.Array, error) {
		sum := reference.New()
		for _, g := range k.In {
			sum.Data[0] += reference.GlobalNorm(k.Acc, []*reference.Array{g}).Data[0]
		}
		return []*reference.Array{sum}, nil
	}),
	kernel("norm-squared", "GlobalNorm", "no root", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err == nil {
			out[0] = reference.Mul(out[0], out[0])
		}
		return out, err
	}),
	kernel("clip-when-below", "ClipByNorm", "scaled to the maximum whatever the norm", after(func(_ float64, i int, k *Launch) float64 {
		return k.In[0].Data[i] * k.Call.Float("max_norm") / (k.In[1].Data[0] + k.Call.Float("epsilon"))
	})).once("only a norm below the maximum shows it: one class has it"),
	kernel("clip-by-value", "ClipByNorm", "elements clamped one by one", after(func(_ float64, i int, k *Launch) float64 {
		limit := k.Call.Float("max_norm")
		return max(-limit, min(limit, k.In[0].Data[i]))
	})),
	kernel("clip-without-epsilon", "ClipByNorm", "ε left out of the divisor", attr(func(a graph.Attrs, _ *graph.Call) { a["epsilon"] = graph.F(0) })),
	kernel("finite-first-tensor-only", "AllFinite", "the others not looked at", func(k *Launch) ([]*reference.Array, error) {
		k.In = k.In[:1]
		return k.Plain()
	}),
	kernel("finite-tail-missed", "AllFinite", "elements after the last full vector of 8 not looked at", func(k *Launch) ([]*reference.Array, error) {
		in := make([]*reference.Array, len(k.In))
		for i, x := range k.In {
			in[i] = &reference.Array{Shape: tensor.Shape{len(x.Data) / 8 * 8}, Data: x.Data[:len(x.Data)/8*8]}
		}
		k.In = in
		return k.Plain()
	}),
	kernel("finite-infinity-missed", "AllFinite", "x = x, which infinity passes", every(func(x float64) float64 {
		if math.IsInf(x, 0) {
			return 0
		}
		return x
	})),
	kernel("finite-by-sum-of-squares", "AllFinite", "a sum of squares, which overflows", every(func(x float64) float64 { return float64(float32(x * x)) })).once("only squares beyond f32's range show it: one class has them"),
	kernel("scale-counter-not-reset", "DynamicLossScale", "the count goes on after an overflow", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err == nil && k.In[2].Data[0] != 0 {
			out[1] = k.In[1]
		}
		return out, err
	}),
	kernel("scale-grows-a-step-late", "DynamicLossScale", "counter = interval in place of counter + 1", on(1, func(n *reference.Array, _ *Launch) *reference.Array {
		return mapped(n, func(n float64) float64 { return n - 1 })
	})),
	kernel("scale-backs-off-by-growth", "DynamicLossScale", "divided by the growth factor", attr(func(a graph.Attrs, c *graph.Call) {
		a["backoff_factor"] = graph.F(1 / c.Float("growth_factor"))
	})).once("a state machine has one right next state: one class of data"),
	kernel("scale-grows-to-infinity", "DynamicLossScale", "no upper end", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err == nil && k.In[2].Data[0] == 0 && int(k.In[1].Data[0])+1 == k.Call.Int("growth_interval") {
			out[0] = mapped(k.In[0], func(s float64) float64 { return s * k.Call.Float("growth_factor") })
		}
		return out, err
	}).once("only the largest scale shows it: one class has it"),
	kernel("scale-skip-unseen", "DynamicLossScale", "no back-off", on(2, no)),
	kernel("step-counted-when-skipped", "Where", "the counter of steps goes on in a skipped one", func(k *Launch) ([]*reference.Array, error) {
		if k.Call.In[1].DType == tensor.S64 && len(k.Call.Out[0].Shape) == 0 {
			k.In[0] = reference.New() // false
		}
		return k.Plain()
	}).only("DynamicLossScale").once("only a skipped step shows it: one program has it"),
}

// only runs the cases of these ops alone.
func (f Fault) only(ops ...string) Fault {
	f.Ops = ops
	return f
}

// no is false, whatever was asked.
func no(skip *reference.Array, _ *Launch) *reference.Array { return reference.New(skip.Shape...) }

// every changes the elements of all inputs and computes plainly.
func every(f func(x float64) float64) Kernel {
	return func(k *Launch) ([]*reference.Array, error) {
		in := make([]*reference.Array, len(k.In))
		for i, x := range k.In {
			in[i] = mapped(x, f)
		}
		k.In = in
		return k.Plain()
	}
}

// unlessSkipped changes the outputs of steps that are taken.
func unlessSkipped(skip int, change func(k *Launch, out []*reference.Array)) Kernel {
	return func(k *Launch) ([]*reference.Array, error) {
		in := *k
		out, err := k.Plain()
		if err == nil && (in.In[skip] == nil || in.In[skip].Data[0] == 0) {
			change(&in, out)
		}
		return out, err
	}
}

// adam is the right update but for its denominator.
func adam(k *Launch, denominator func(vHat, eps, correct2 float64) float64) ([]*reference.Array, error) {
	out, err := k.Plain()
	if err != nil || (k.In[6] != nil && k.In[6].Data[0] != 0) {
		return out, err
	}
	t := k.In[4].Data[0] + 1
	correct1, correct2 := -math.Expm1(t*math.Log(k.Call.Float("beta1"))), -math.Expm1(t*math.Log(k.Call.Float("beta2")))
	p, lr, eps := reference.New(out[0].Shape...), k.In[5].Data[0], k.Call.Float("epsilon")
	for i := range p.Data {
		p.Data[i] = k.In[0].Data[i] - lr*out[1].Data[i]/correct1/denominator(out[2].Data[i]/correct2, eps, correct2)
	}
	out[0] = p
	return out, nil
}
