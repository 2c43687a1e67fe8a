package faults

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
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
	})).once(),
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
