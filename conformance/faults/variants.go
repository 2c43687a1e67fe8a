package faults

import (
	"math"
	"slices"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Variant is a legal implementation: it differs from the reference, and the
// suite must pass it.
type Variant struct {
	Name    string
	Why     string
	Math    string   // the mode that it is legal in; "" is strict
	Ops     []string // nil: all
	Backend func() backends.Backend
	cpu     *cpuSubject // instead of Backend: the build of cpu's wrong kernels where it is right
}

// Variants lists what the suite must pass.
func Variants() []Variant {
	rig := func(name, why string, make func() *Rig) Variant {
		return Variant{Name: name, Why: why, Backend: func() backends.Backend { return make() }}
	}
	order := func(seed uint64) func() *Rig {
		return func() *Rig { return &Rig{Mode: reference.Mode{Round: true, Order: seed}} }
	}
	return slices.Concat(relaxedVariants(), kernelVariants(), []Variant{
		rig("in-order", "f32 throughout, sums term by term with fused multiply-add", func() *Rig { return &Rig{Mode: reference.Mode{Round: true}} }),
		rig("backwards", "sums from the last term to the first", func() *Rig { return &Rig{Mode: reference.Mode{Round: true, Backwards: true}} }),
		rig("more-precision", "float64 between nodes and in sums", func() *Rig { return &Rig{} }),
		rig("lanes", "a vector unit's lanes, products rounded before they are added", order(101)),
		rig("blocks", "a cache's blocks, summed as a tree", order(102)),
		rig("split", "sums split among workers", order(103)),
		rig("flush-to-zero", "subnormal results become zero", func() *Rig {
			return &Rig{Mode: reference.Mode{Round: true}, Store: func(d tensor.DType, v float64) float64 {
				if math.Abs(v) < least[d] {
					return 0
				}
				return v
			}}
		}),
		rig("core-ops-only", "every op that has a decomposition is refused", func() *Rig {
			return &Rig{Mode: reference.Mode{Round: true, Order: 104}, Refuse: func(c *graph.Call) bool { return c.Op.Decompose != nil }}
		}),
		rig("good-library", "transcendental functions right to 1½ ulp", func() *Rig {
			return &Rig{Mode: reference.Mode{Round: true}, Kernels: libraryKernels()}
		}),
		{Name: unbentProxy, Why: "the proxy that corrupts, in a process of its own, left alone", Ops: proxyOps, Backend: idleProxy},
		{Name: "requantize-in-single", Why: "quantizers in f32: products of scales, then of the sum, each rounded", Backend: requantizing(true)},
		{Name: "requantize-in-double", Why: "quantizers in double, the scales multiplied one after the other", Backend: requantizing(false)},
		rig("double-accumulators", "sums in double, every node's result stored as its type", func() *Rig {
			return &Rig{Store: func(d tensor.DType, v float64) float64 { return tensor.Round(v, d) }}
		}),
		rig("swish-by-steps", "a swish whose sigmoid is rounded before it is multiplied", func() *Rig {
			return &Rig{Mode: reference.Mode{Round: true}, Kernels: map[string]Kernel{"Swish": swishBySteps}}
		}),
		rig("reciprocal-division", "quotients by a rounded reciprocal", func() *Rig {
			return &Rig{Mode: reference.Mode{Round: true}, Kernels: map[string]Kernel{"Div": reciprocalDivision}}
		}),
		rig("three-bf16-products", "f32 products of three bf16 parts each", func() *Rig {
			return &Rig{Mode: reference.Mode{Round: true}, Kernels: map[string]Kernel{"MatMul": threeProducts}}
		}),
		rig("last-maximum", "of equal maxima the last: first-maximum is not declared", func() *Rig {
			return &Rig{Mode: reference.Mode{Round: true}, Kernels: map[string]Kernel{"MaxPool": lastMaximum}}
		}),
	})
}

// least are the least normal numbers.
var least = map[tensor.DType]float64{tensor.F32: 0x1p-126, tensor.BF16: 0x1p-126, tensor.F16: 0x1p-14, tensor.F64: 0x1p-1022}

// libraryKernels err by up to an ulp in either direction before rounding, by the bits of the input.
func libraryKernels() map[string]Kernel {
	off := func(f func(float64) float64) Kernel {
		return func(k *Launch) ([]*reference.Array, error) {
			u := k.Call.Out[0].DType.UnitRoundoff()
			return []*reference.Array{mapped(k.In[0], func(x float64) float64 {
				side := float64(math.Float64bits(x)>>30&1)*2 - 1
				return f(x) * (1 + u*side)
			})}, nil
		}
	}
	return map[string]Kernel{
		"Exp": off(math.Exp), "Log": off(math.Log), "Sqrt": off(math.Sqrt), "Tanh": off(math.Tanh),
		"Sigmoid": off(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }),
	}
}

// lastMaximum turns the image round, pools, and turns the result back.
func lastMaximum(k *Launch) ([]*reference.Array, error) {
	out, err := k.Plain()
	win, winErr := k.Call.PoolWindow()
	if err != nil || winErr != nil {
		return out, err
	}
	inner, outer := 1, 1
	for a := range win.In {
		inner, outer = inner*win.In[a], outer*win.Out[a]
	}
	indices, places := mapped(out[1], func(v float64) float64 { return v }), k.Call.PoolPlaces()
	for i, y := range out[0].Data {
		plane, o := i/outer, i%outer
		for _, at := range windowInputs(win, o) {
			if k.In[0].Data[plane*inner+at] == y {
				indices.Data[i] = float64(plane*inner + places[at])
			}
		}
	}
	return []*reference.Array{out[0], indices}, nil
}

// windowInputs are the flat positions that the window of output o meets, in
// order.
func windowInputs(win *graph.Window, o int) []int {
	list := []int{0}
	for a, at := range position(win, o) {
		var longer []int
		for _, before := range list {
			for t := range win.Kernel[a] {
				if i := win.Start(a, at) + t*win.Dilations[a]; i >= 0 && i < win.In[a] {
					longer = append(longer, before*win.In[a]+i)
				}
			}
		}
		list = longer
	}
	return list
}
