package cpu

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/backends/cpu/pool"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// scalingRows keep gradients in range.
func scalingRows() []row {
	direct := func(kernel string, takes func(*graph.Call) error, build func(*builder, *part) error) implementation {
		return implementation{kernel: kernel, algorithm: "direct", takes: takes, build: build}
	}
	return []row{
		{"GlobalNorm", []implementation{
			direct("global norm", ofTypes(f32Only, 0), buildGlobalNorm[float32]), direct("global norm", ofTypes(wideFloat, 0), buildGlobalNorm[float64])}},
		{"ClipByNorm", []implementation{
			direct("clip by norm", ofTypes(f32Only, 0), buildClipByNorm[float32]), direct("clip by norm", ofTypes(wideFloat, 0), buildClipByNorm[float64])}},
		{"AllFinite", []implementation{direct("all finite", ofTypes(graph.Floats, 0), buildAllFinite)}},
		{"DynamicLossScale", []implementation{direct("loss scale", ofTypes(f32Only, 0), buildDynamicLossScale)}},
	}
}

// allInputs lists a call's inputs as consecutive parts of one vector.
func (b *builder) allInputs(c *graph.Call) (list []update, total int) {
	for i := range c.In {
		u := update{call: c, in: []*value{b.in(c, i)}, first: total, size: c.In[i].Shape.Elements()}
		list, total = append(list, u), total+u.size
	}
	return list, total
}

func buildGlobalNorm[T float32 | float64](b *builder, p *part) error {
	c := p.head()
	list, total := b.allInputs(c)
	out := b.out(c, 0)
	p.phases = b.sumPhases(total, func(from, to int) (s float64) {
		within(list, from, to, func(u *update, lo, hi int) {
			_, squares := kernel.Moments(b.isa, view[T](u.in[0])[lo:hi], 0)
			s += squares
		})
		return s
	}, func(s float64) { view[T](out)[0] = T(math.Sqrt(s)) })
	return nil
}

func buildClipByNorm[T float32 | float64](b *builder, p *part) error {
	c := p.head()
	g, norm, out := b.in(c, 0), b.in(c, 1), b.out(c, 0)
	limit, epsilon := c.Float("max_norm"), c.Float("epsilon")
	n := g.elements()
	p.phases = []phase{{serial: n < serialElements, task: shareChain([]ranger{func(lo, hi int) {
		by := min(1, limit/(float64(view[T](norm)[0])+epsilon)) // the builtin keeps NaN
		kernel.Standardize(b.isa, view[T](out)[lo:hi], view[T](g)[lo:hi], 0, by, 0)
	}}, n)}}
	b.mayOverlap(p, c, out, []*value{g})
	return nil
}

// exponents are the bits that are all set where a float is not finite, by its
// size and type, shifted to the bottom of 64.
var exponents = map[tensor.DType]uint64{
	tensor.F16: 0x7c00, tensor.BF16: 0x7f80, tensor.F64: 0x7ff0000000000000,
}

// buildAllFinite looks at exponents, of f32 at the sum of squares. Workers leave a mark a cache line
// apart.
func buildAllFinite(b *builder, p *part) error {
	c := p.head()
	list, total := b.allInputs(c)
	out := b.out(c, 0)
	d := c.In[0].DType
	var bad func(v *value, lo, hi int) bool
	switch d.Size() {
	case 4: // squares of float32 stay in range of the float64 that they are summed in
		bad = func(v *value, lo, hi int) bool {
			_, squares := kernel.Moments(b.isa, v.f32()[lo:hi], 0)
			return math.IsInf(squares, 0) || math.IsNaN(squares)
		}
	case 2:
		bad = anyFull(uint16(exponents[d]))
	case 8:
		bad = anyFull(int64(exponents[d]))
	default:
		return fmt.Errorf("no loop for %v", d)
	}
	const line = 64
	marks := b.scratch(line * b.workers)
	task := pool.Task(func(worker, workers int) {
		if workers == 1 {
			clear(marks.data)
		}
		marks.data[worker*line] = 0
		from, to := shareOf(total, worker, workers)
		within(list, from, to, func(u *update, lo, hi int) {
			if bad(u.in[0], lo, hi) {
				marks.data[worker*line] = 1
			}
		})
	})
	p.phases = []phase{{serial: total < serialElements, task: task}, {serial: true, task: func(int, int) {
		out.bytes()[0] = 1
		for w := range b.workers {
			if marks.data[w*line] != 0 {
				out.bytes()[0] = 0
			}
		}
	}}}
	return nil
}

func anyFull[T uint16 | int64](exponent T) func(v *value, lo, hi int) bool {
	return func(v *value, lo, hi int) bool {
		for _, x := range view[T](v)[lo:hi] {
			if x&exponent == exponent {
				return true
			}
		}
		return false
	}
}

func buildDynamicLossScale(b *builder, p *part) error {
	c := p.head()
	scale, counter, skip := b.in(c, 0), b.in(c, 1), b.in(c, 2)
	nextScale, nextCounter := b.out(c, 0), b.out(c, 1)
	growth, backoff, interval := float32(c.Float("growth_factor")), float32(c.Float("backoff_factor")), int64(c.Int("growth_interval"))
	p.phases = []phase{{serial: true, task: func(int, int) {
		s, n := scale.f32()[0], view[int64](counter)[0]+1
		switch {
		case skip.bytes()[0] != 0:
			s, n = s*backoff, 0
		case n == interval:
			if grown := s * growth; !math.IsInf(float64(grown), 0) {
				s = grown
			}
			n = 0
		}
		if nextScale != nil {
			nextScale.f32()[0] = s
		}
		if nextCounter != nil {
			view[int64](nextCounter)[0] = n
		}
	}}}
	return nil
}
