package cpu

import (
	"math"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// quantizationRows go between floats and 8-bit integers element by element.
// f32 has loops of its own; everything else is computed in float64, a block at
// a time.
func quantizationRows() []row {
	elementwise := func(elements func(*builder, *graph.Call, []*value, *value) ranger) []implementation {
		return []implementation{{
			kernel: "quantization", algorithm: "direct",
			takes: ofTypes(graph.Any, 0), absorbs: continuesChain, build: buildChain, elements: elements,
		}}
	}
	return []row{
		{"QuantizeLinear", elementwise(buildQuantize)},
		{"DequantizeLinear", elementwise(buildDequantize)},
		{"FakeQuantize", elementwise(buildFakeQuantize)},
		{"FakeQuantizeGrad", elementwise(buildFakeQuantizeGrad)},
		{"DynamicQuantizeLinear", []implementation{{
			kernel: "quantization", algorithm: "range, then direct",
			takes: ofTypes(f32Only, 0), build: buildDynamicQuantize,
		}}},
	}
}

// scaling gives runs of elements their scale and zero point.
type scaling struct {
	*graph.Granularity
	scale, zero *value // zero may be nil
}

func newScaling(c *graph.Call, scale, zero *value) (*scaling, bool) {
	g, err := c.Granularity()
	return &scaling{g, scale, zero}, err == nil
}

// optional is input i, nil if it is left out.
func optional(in []*value, i int) *value {
	if i < len(in) {
		return in[i]
	}
	return nil
}

// runs calls f for each run of elements of one scale from lo to hi, none longer
// than most.
func (s *scaling) runs(lo, hi, most int, f func(lo, n int, scale float64, zero int32)) {
	for lo < hi {
		n, at := min(s.Run(lo), hi-lo, most), s.At(lo)
		zero := int32(0)
		if s.zero != nil {
			zero = integerAt(s.zero, at)
		}
		f(lo, n, floatAt(s.scale, at), zero)
		lo += n
	}
}

func floatAt(v *value, i int) float64 {
	var x [1]float64
	readNumbers(v, i, x[:])
	return x[0]
}

func integerAt(v *value, i int) int32 {
	var x [1]int64
	readNumbers(v, i, x[:])
	return int32(x[0])
}

func buildQuantize(_ *builder, c *graph.Call, in []*value, out *value) ranger {
	s, ok := newScaling(c, in[1], optional(in, 2))
	if !ok {
		return nil
	}
	x, low, high := in[0], int32(0), int32(math.MaxUint8)
	if c.Out[0].DType == tensor.S8 {
		low, high = math.MinInt8, math.MaxInt8
	}
	if c.In[0].DType == tensor.F32 && c.In[1].DType == tensor.F32 {
		return func(lo, hi int) {
			s.runs(lo, hi, hi-lo, func(i, n int, scale float64, zero int32) {
				if c.Out[0].DType == tensor.S8 {
					kernel.Quantize(view[int8](out)[i:i+n], x.f32()[i:i+n], float32(scale), zero, low, high)
				} else {
					kernel.Quantize(out.bytes()[i:i+n], x.f32()[i:i+n], float32(scale), zero, low, high)
				}
			})
		}
	}
	return func(lo, hi int) {
		s.runs(lo, hi, blockNumbers, func(i, n int, scale float64, zero int32) {
			var buf [blockNumbers]float64
			readNumbers(x, i, buf[:n])
			for j, v := range buf[:n] {
				buf[j] = clamped(math.RoundToEven(v/scale)+float64(zero), float64(low), float64(high))
			}
			writeFloats(out, i, buf[:n])
		})
	}
}

func clamped(v, lo, hi float64) float64 { return min(max(v, lo), hi) }

func buildDequantize(_ *builder, c *graph.Call, in []*value, out *value) ranger {
	s, ok := newScaling(c, in[1], optional(in, 2))
	if !ok {
		return nil
	}
	x := in[0]
	return func(lo, hi int) {
		s.runs(lo, hi, blockNumbers, func(i, n int, scale float64, zero int32) {
			var buf [blockNumbers]float64
			readNumbers(x, i, buf[:n])
			for j, v := range buf[:n] {
				buf[j] = (v - float64(zero)) * scale
			}
			writeFloats(out, i, buf[:n])
		})
	}
}

func buildFakeQuantize(_ *builder, c *graph.Call, in []*value, out *value) ranger {
	s, ok := newScaling(c, in[1], optional(in, 2))
	if !ok {
		return nil
	}
	x, low, high := in[0], float64(c.Int("quant_min")), float64(c.Int("quant_max"))
	return func(lo, hi int) {
		s.runs(lo, hi, blockNumbers, func(i, n int, scale float64, zero int32) {
			var buf [blockNumbers]float64
			readNumbers(x, i, buf[:n])
			z := float64(zero)
			for j, v := range buf[:n] {
				buf[j] = (clamped(math.RoundToEven(v/scale)+z, low, high) - z) * scale
			}
			writeFloats(out, i, buf[:n])
		})
	}
}

func buildFakeQuantizeGrad(_ *builder, c *graph.Call, in []*value, out *value) ranger {
	s, ok := newScaling(c, in[2], optional(in, 3))
	if !ok {
		return nil
	}
	dy, x, low, high := in[0], in[1], float64(c.Int("quant_min")), float64(c.Int("quant_max"))
	return func(lo, hi int) {
		s.runs(lo, hi, blockNumbers, func(i, n int, scale float64, zero int32) {
			var grad, buf [blockNumbers]float64
			readNumbers(x, i, buf[:n])
			readNumbers(dy, i, grad[:n])
			for j, v := range buf[:n] {
				if q := math.RoundToEven(v/scale) + float64(zero); !(q >= low && q <= high) {
					grad[j] = 0
				}
			}
			writeFloats(out, i, grad[:n])
		})
	}
}

// buildDynamicQuantize finds the range by shares, sets scale and zero point,
// and quantizes.
func buildDynamicQuantize(b *builder, p *part) error {
	c := p.head()
	x, y, scale, zero := b.in(c, 0), b.out(c, 0), b.out(c, 1), b.out(c, 2)
	n := x.elements()
	ranges := make([]struct {
		lo, hi float32
		_      [56]byte // a cache line each
	}, b.workers)
	var step float32
	var point int32
	p.phases = []phase{
		{serial: n < serialElements, task: func(worker, workers int) {
			lo, hi := shareOf(n, worker, workers)
			r := &ranges[worker]
			r.lo, r.hi = 0, 0
			for _, v := range x.f32()[lo:hi] {
				r.lo, r.hi = min(r.lo, v), max(r.hi, v)
			}
		}},
		{serial: true, task: func(int, int) {
			lo, hi := float32(0), float32(0)
			for i := range ranges {
				lo, hi = min(lo, ranges[i].lo), max(hi, ranges[i].hi)
				ranges[i].lo, ranges[i].hi = 0, 0
			}
			if step = (hi - lo) / math.MaxUint8; lo == hi {
				step = 1
			}
			var q [1]uint8
			kernel.Quantize(q[:], []float32{-lo}, step, 0, 0, math.MaxUint8)
			point = int32(q[0])
			if scale != nil {
				scale.f32()[0] = step
			}
			if zero != nil {
				zero.bytes()[0] = q[0]
			}
		}},
		{serial: n < serialElements, task: func(worker, workers int) {
			if lo, hi := shareOf(n, worker, workers); y != nil && lo < hi {
				kernel.Quantize(y.bytes()[lo:hi], x.f32()[lo:hi], step, point, 0, math.MaxUint8)
			}
		}},
	}
	return nil
}
