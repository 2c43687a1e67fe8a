package faults

import (
	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/reference/relaxed"
	"github.com/clsbench/clsbench/tensor"
)

// What is wrong even in a relaxed math mode, and that a mode's own ways are
// wrong in strict.

// productOps are the families that math modes touch.
var productOps = []string{"MatMul", "Gemm", "Conv", "ConvInputGrad", "ConvWeightGrad", "Attention", "Fused", "Integer", "lenet5"}

// inMode has the fault meet cases that are judged in a math mode; its kernels
// then bend what is legal there.
func (f Fault) inMode(math string) Fault {
	f.Math = math
	return f
}

// undeclared is a mode's way to compute an op, taken in strict mode.
func undeclared(name, math, op string, form uint64) Fault {
	return kernel(name, op, "what "+math+" allows, in strict mode", inForm(math, form))
}

func inForm(math string, form uint64) Kernel {
	return func(k *Launch) ([]*reference.Array, error) {
		m := relaxed.Mode(reference.Mode{Round: true, Order: form}, math)
		if out, err := m.Relax(k.Acc, k.Call, k.In); out != nil || err != nil {
			return out, err
		}
		return k.Plain()
	}
}

var relaxedFaults = []Fault{
	undeclared("conv-winograd-4x4-undeclared", graph.Winograd, "Conv", 0),
	undeclared("conv-winograd-2x2-undeclared", graph.Winograd, "Conv", 1),
	undeclared("conv-input-grad-winograd-undeclared", graph.Winograd, "ConvInputGrad", 0),
	undeclared("gemm-tf32-undeclared", graph.TF32, "Gemm", 0),
	undeclared("conv-input-grad-tf32-undeclared", graph.TF32, "ConvInputGrad", 1),
	undeclared("conv-weight-grad-tf32-undeclared", graph.TF32, "ConvWeightGrad", 1),

	kernel("matmul-bf16-factors-in-tf32", "MatMul", "factors of 8 bits where 11 were promised", func(k *Launch) ([]*reference.Array, error) {
		k.In[0], k.In[1] = mapped(k.In[0], bf16), mapped(k.In[1], bf16)
		return k.Plain()
	}).inMode(graph.TF32),
	kernel("conv-weights-of-10-bits-in-tf32", "Conv", "one factor with a bit too few", func(k *Launch) ([]*reference.Array, error) {
		k.In[1] = mapped(k.In[1], func(v float64) float64 { return chopped(v, 10) })
		return inForm(graph.TF32, 0)(k)
	}).inMode(graph.TF32),
	kernel("gemm-f16-sums-in-tf32", "Gemm", "sums kept in 11 bits as well", func(k *Launch) ([]*reference.Array, error) {
		out, err := inForm(graph.TF32, 1)(k)
		if err == nil {
			out[0] = mapped(out[0], tf32)
		}
		return out, err
	}).inMode(graph.TF32),
	kernel("conv-winograd-first-group", "Conv", "every group by the transformed filters of the first", func(k *Launch) ([]*reference.Array, error) {
		if k.Call.Relaxed(graph.Winograd) {
			k.In[1] = firstGroup(k.In[1], k.Call.Int("group"))
		}
		return inForm(graph.Winograd, 0)(k)
	}).inMode(graph.Winograd),
	kernel("conv-winograd-f16-groups", "Conv", "groups of several channels by the filters of the first, in f16 alone", func(k *Launch) ([]*reference.Array, error) {
		if k.Call.Relaxed(graph.Winograd) && k.Call.In[0].DType == tensor.F16 && k.In[1].Shape[1] > 1 {
			k.In[1] = firstGroup(k.In[1], k.Call.Int("group"))
		}
		return k.Plain()
	}).standard(),
	kernel("conv-winograd-partial-tile", "Conv", "a row of tiles that is not full left out", func(k *Launch) ([]*reference.Array, error) {
		out, err := inForm(graph.Winograd, 0)(k)
		if err != nil || !k.Call.Relaxed(graph.Winograd) {
			return out, err
		}
		s := out[0].Shape
		for i := range out[0].Data {
			if row := i / s[3] % s[2]; row >= s[2]/4*4 {
				out[0].Data[i] = 0
			}
		}
		return out, nil
	}).inMode(graph.Winograd),
	kernel("conv-winograd-narrow-inputs", "Conv", "images of 11 bits, as f16 transforms have them", func(k *Launch) ([]*reference.Array, error) {
		if k.Call.Relaxed(graph.Winograd) {
			k.In[0] = mapped(k.In[0], tf32)
		}
		return inForm(graph.Winograd, 1)(k)
	}).inMode(graph.Winograd),
	kernel("conv-input-grad-winograd-not-turned", "ConvInputGrad", "filters not turned before their transform", func(k *Launch) ([]*reference.Array, error) {
		if k.Call.Relaxed(graph.Winograd) {
			k.In[1] = flippedTaps(k.In[1])
		}
		return inForm(graph.Winograd, 0)(k)
	}).inMode(graph.Winograd),
}

// relaxedVariants are legal in a mode, and only there.
func relaxedVariants() []Variant {
	variant := func(name, why, math string, order uint64) Variant {
		return Variant{Name: name, Why: why, Math: math, Ops: productOps, Backend: func() backends.Backend {
			return &Rig{Mode: relaxed.Mode(reference.Mode{Round: true, Order: order}, math)}
		}}
	}
	return []Variant{
		variant("tf32-cut-off", "factors of 11 bits, the rest cut off", graph.TF32, 0),
		variant("tf32-to-nearest", "factors of 11 bits, rounded; sums in lanes", graph.TF32, 105),
		variant("winograd-4x4", "Winograd's algorithm in tiles of 4×4, transforms and sums in f32", graph.Winograd, 0),
		variant("winograd-2x2", "in tiles of 2×2", graph.Winograd, 105),
	}
}
