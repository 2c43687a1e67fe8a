package faults

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
)

// Wrong softmaxes.

var softmaxFaults = []Fault{
	kernel("softmax-without-maximum", "Softmax", "exponentials overflow", func(k *Launch) ([]*reference.Array, error) {
		axis, err := k.Call.Axis("axis")
		if err != nil {
			return nil, err
		}
		e := mapped(k.In[0], func(x float64) float64 { return float64(float32(math.Exp(x))) })
		shape := k.In[0].Shape.Clone()
		shape[axis] = 1
		sum := reference.ReduceSum(e, []int{axis}, shape).Array(k.Acc)
		return []*reference.Array{reference.Div(e, sum)}, nil
	}),
	kernel("softmax-last-axis-always", "Softmax", "the axis taken for the last", attr(func(a graph.Attrs, _ *graph.Call) { a["axis"] = graph.I(-1) })),
	kernel("softmax-fast-exp", "Softmax", "exponentials good to 1e-5", func(k *Launch) ([]*reference.Array, error) {
		k.In[0] = mapped(k.In[0], func(x float64) float64 { return chopped(x, 17) })
		return k.Plain()
	}),
}
