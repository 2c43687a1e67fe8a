package graph

import (
	"slices"

	"github.com/clsbench/clsbench/tensor"
)

// Math modes are named relaxations of how an op's numbers may come about. A
// session has one; conformance has bounds of its own for each.
const (
	// Strict relaxes nothing.
	Strict = "strict"
	// TF32 lets products of f32 read their factors with 11 significant bits,
	// rounded or cut off; they are summed in f32 (NVIDIA, "A100 Tensor Core
	// GPU Architecture", 2020, TF32).
	TF32 = "tf32"
	// Winograd lets 3×3 convolutions with strides and dilations of 1, and
	// their input gradients, be computed by fewer products of sums: transforms,
	// products and sums in f32 or better (Lavin and Gray, "Fast Algorithms for
	// Convolutional Neural Networks", 2016).
	Winograd = "winograd"
)

// MathModes lists the modes that have a meaning, strict first.
func MathModes() []string { return []string{Strict, TF32, Winograd} }

// products are the ops that TF32 relaxes: sums of products of their first two
// inputs. What is made of them, as Attention is, is relaxed where they are.
var products = []string{"MatMul", "Gemm", "Conv", "ConvInputGrad", "ConvWeightGrad"}

// Relaxed says whether a math mode lets this call be computed in another way.
func (c *Call) Relaxed(math string) bool {
	switch math {
	case TF32:
		return slices.Contains(products, c.Op.Name) && c.In[0].DType == tensor.F32
	case Winograd:
		if c.Op.Name != "Conv" && c.Op.Name != "ConvInputGrad" {
			return false
		}
		w, err := c.ConvWindow()
		if err != nil || len(w.In) != 2 {
			return false
		}
		for i := range w.Kernel {
			if w.Kernel[i] != 3 || w.Strides[i] != 1 || w.Dilations[i] != 1 || max(w.PadBegin[i], w.PadEnd[i]) > 2 {
				return false
			}
		}
		return true
	}
	return false
}
