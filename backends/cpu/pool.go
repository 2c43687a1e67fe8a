package cpu

import (
	"errors"
	"fmt"
	"math"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// poolRows are the pools and their gradients. Windows of 2×2 side by side,
// which halve an image, have kernels of their own.
func poolRows() []row {
	direct := func(kernel string, d tensor.DType, build func(*builder, *part) error) implementation {
		return implementation{kernel: kernel, algorithm: "direct", takes: takesPool(d), build: build}
	}
	return []row{
		{"AveragePool", []implementation{
			{kernel: "average pool", algorithm: "2x2", takes: takesHalving, build: buildAveragePool2},
			direct("average pool", tensor.F32, averagePoolF32),
			direct("average pool", tensor.F64, averagePool[float64]),
		}},
		{"AveragePoolGrad", []implementation{
			{kernel: "average pool gradient", algorithm: "2x2", takes: takesHalving, absorbs: continuesPoolGrad, build: buildAveragePoolGrad2},
			{kernel: "average pool gradient", algorithm: "filter", takes: takesPoolFilter, build: buildAveragePoolGradFilter},
			direct("average pool gradient", tensor.F32, averagePoolGrad[float32]),
			direct("average pool gradient", tensor.F64, averagePoolGrad[float64]),
		}},
		{"MaxPool", []implementation{
			direct("max pool", tensor.F32, maxPoolF32),
			direct("max pool", tensor.F64, maxPool[float64]),
			direct("max pool", tensor.S8, maxPool[int8]),
			direct("max pool", tensor.U8, maxPool[uint8]),
		}},
		{"MaxPoolGrad", []implementation{
			{kernel: "max pool gradient", algorithm: "direct", takes: ofTypes(f32Only, 0), build: maxPoolGrad[float32]},
			{kernel: "max pool gradient", algorithm: "direct", takes: ofTypes(wideFloat, 0), build: maxPoolGrad[float64]},
		}},
		{"AdaptiveAveragePool", []implementation{
			{kernel: "adaptive average pool", algorithm: "direct", takes: ofTypes(f32Only, 0), build: adaptivePool[float32]},
			{kernel: "adaptive average pool", algorithm: "direct", takes: ofTypes(wideFloat, 0), build: adaptivePool[float64]},
		}},
	}
}

// takesPool wants one type, and bounds the list of taps that the kernels go by.
func takesPool(d tensor.DType) func(c *graph.Call) error {
	return func(c *graph.Call) error {
		if err := ofTypes(1<<d, 0)(c); err != nil {
			return err
		}
		w, err := c.PoolWindow()
		if err != nil {
			return err
		}
		if n := float64(elements(w.Out)) * float64(w.Taps()); n > math.MaxInt32 || elements(w.In) > math.MaxInt32 {
			return fmt.Errorf("%v windows of %d taps: the kernel takes less than 2^31 taps a plane", w.Out, w.Taps())
		}
		return nil
	}
}

// takesHalving wants windows of 2×2 that cover an even image once.
func takesHalving(c *graph.Call) error {
	if err := ofTypes(f32Only, 0)(c); err != nil {
		return err
	}
	w, err := c.PoolWindow()
	if err != nil {
		return err
	}
	if len(w.In) != 2 {
		return errors.New("not two spatial axes")
	}
	for i := range w.In {
		if w.Kernel[i] != 2 || w.Strides[i] != 2 || w.Dilations[i] != 1 || w.PadBegin[i] != 0 || w.PadEnd[i] != 0 || w.In[i] != 2*w.Out[i] {
			return errors.New("not windows of 2x2 side by side")
		}
	}
	return nil
}

// buildAveragePool2 sees all planes as one image of many rows.
func buildAveragePool2(b *builder, p *part) error {
	c := p.head()
	x, y := b.in(c, 0), b.out(c, 0)
	p.kernel = fmt.Sprintf("average pool %v", b.isa)
	cols := c.Out[0].Shape[3]
	rows := y.elements() / cols
	p.phases = []phase{{serial: x.elements() < serialElements, task: func(worker, workers int) {
		lo, hi := rows*worker/workers, rows*(worker+1)/workers
		kernel.AveragePool2(b.isa, y.f32()[lo*cols:], x.f32()[4*lo*cols:], 2*cols, hi-lo, cols, 0.25)
	}}}
	return nil
}

// continuesPoolGrad takes the gradient of the ReLU before the pool.
func continuesPoolGrad(_ table, p *part, c *graph.Call) bool {
	return c.Op.Name == "ReluGrad" && len(p.calls) == 1 && c.Inputs[0] == p.output() && c.Inputs[1] != p.output()
}

func buildAveragePoolGrad2(b *builder, p *part) error {
	c := p.head()
	dy, dx := b.in(c, 0), b.out(p.last(), 0)
	p.kernel = fmt.Sprintf("average pool gradient %v", b.isa)
	var y *value
	if len(p.calls) > 1 {
		y = b.in(p.last(), 1)
		p.kernel = fmt.Sprintf("average pool gradient+relu gradient %v", b.isa)
	}
	cols := c.In[0].Shape[3]
	rows := dy.elements() / cols
	block := max(1, blockElements/(4*cols))
	p.phases = []phase{{serial: dx.elements() < serialElements, task: func(worker, workers int) {
		for lo, hi := rows*worker/workers, rows*(worker+1)/workers; lo < hi; lo += block {
			n := min(block, hi-lo)
			part := dx.f32()[4*lo*cols : 4*(lo+n)*cols]
			kernel.AveragePool2Grad(b.isa, part, dy.f32()[lo*cols:], n, cols, 0.25)
			if y != nil {
				kernel.ReLUGrad(b.isa, part, part, y.f32()[4*lo*cols:])
			}
		}
	}}}
	return nil
}

// windowTaps are the elements of a plane that each window of an output meets.
type windowTaps struct {
	in, out int       // elements of a plane
	first   []int32   // [out+1]: where its taps begin
	taps    []int32   // elements of the input's plane
	divisor []float64 // of the mean of each window
}

func newWindowTaps(c *graph.Call) (*windowTaps, error) {
	w, err := c.PoolWindow()
	if err != nil {
		return nil, err
	}
	padded := c.Op.Name != "MaxPool" && c.Int("count_include_pad") != 0
	t := &windowTaps{in: elements(w.In), out: elements(w.Out)}
	at, tap := make([]int, len(w.In)), make([]int, len(w.In))
	for range t.out {
		t.first = append(t.first, int32(len(t.taps)))
		clear(tap)
		counted := 0
		for range w.Taps() {
			place, met, counts := 0, true, true
			for i, extent := range w.In {
				p := w.Start(i, at[i]) + tap[i]*w.Dilations[i]
				met = met && p >= 0 && p < extent
				counts = counts && p < extent+w.PadEnd[i] // beyond lies only what ceil_mode adds
				place = place*extent + p
			}
			if met {
				t.taps = append(t.taps, int32(place))
			}
			if met || (padded && counts) {
				counted++
			}
			increment(tap, w.Kernel)
		}
		t.divisor = append(t.divisor, float64(counted))
		increment(at, w.Out)
	}
	t.first = append(t.first, int32(len(t.taps)))
	return t, nil
}

// of are the taps of window o.
func (t *windowTaps) of(o int) []int32 { return t.taps[t.first[o]:t.first[o+1]] }

// planes are those of a value of N×C×D….
func planes(t tensor.Type) int { return t.Shape[:2].Elements() }

func averagePool[T float32 | float64](b *builder, p *part) error {
	c := p.head()
	t, err := newWindowTaps(c)
	if err != nil {
		return err
	}
	x, y := b.in(c, 0), b.out(c, 0)
	p.phases = []phase{t.each(planes(x.typ), func(n int) {
		src, dst := lineOf(view[T](x), n, t.in), lineOf(view[T](y), n, t.out)
		for o := range dst {
			s := T(0)
			for _, i := range t.of(o) {
				s += src[i]
			}
			dst[o] = s / T(t.divisor[o])
		}
	})}
	return nil
}

// each shares planes among the workers.
func (t *windowTaps) each(planes int, plane func(n int)) phase {
	return phase{serial: planes*len(t.taps) < serialElements/4, task: func(worker, workers int) {
		for n := planes * worker / workers; n < planes*(worker+1)/workers; n++ {
			plane(n)
		}
	}}
}

func averagePoolGrad[T float32 | float64](b *builder, p *part) error {
	c := p.head()
	t, err := newWindowTaps(c)
	if err != nil {
		return err
	}
	dy, dx := b.in(c, 0), b.out(c, 0)
	p.phases = []phase{t.each(planes(dx.typ), func(n int) {
		src, dst := lineOf(view[T](dy), n, t.out), lineOf(view[T](dx), n, t.in)
		clear(dst)
		for o, d := range src {
			d /= T(t.divisor[o])
			for _, i := range t.of(o) {
				dst[i] += d
			}
		}
	})}
	return nil
}

func maxPool[T number](b *builder, p *part) error {
	c := p.head()
	t, err := newWindowTaps(c)
	if err != nil {
		return err
	}
	x, y, where := b.in(c, 0), b.out(c, 0), b.out(c, 1)
	if where == nil {
		p.phases = []phase{t.each(planes(x.typ), func(n int) { maxima(t, lineOf(view[T](y), n, t.out), lineOf(view[T](x), n, t.in)) })}
		return nil
	}
	var places []int
	if c.Int("storage_order") != 0 {
		places = c.PoolPlaces()
	}
	p.phases = []phase{t.each(planes(x.typ), func(n int) {
		src, at := lineOf(view[T](x), n, t.in), lineOf(view[int64](where), n, t.out)
		for o := range at {
			best := firstMaximum(src, t.of(o))
			at[o] = int64(n*t.in) + int64(best)
			if places != nil {
				at[o] = int64(n*t.in) + int64(places[best])
			}
			if y != nil {
				view[T](y)[n*t.out+o] = src[best]
			}
		}
	})}
	return nil
}

// maxima has no branches: which of two numbers is larger can't be predicted.
// The builtin keeps NaN.
func maxima[T number](t *windowTaps, dst, src []T) {
	for o := range dst {
		taps := t.of(o)
		best := src[taps[0]]
		for _, i := range taps[1:] {
			best = max(best, src[i])
		}
		dst[o] = best
	}
}

// firstMaximum is the tap of the largest element, the first of equal ones; NaN
// is larger than any number.
func firstMaximum[T number](x []T, taps []int32) int32 {
	at := taps[0]
	best := x[at]
	for _, i := range taps[1:] {
		if v := x[i]; v > best || (v != v && best == best) {
			best, at = v, i
		}
	}
	return at
}

// maxPoolGrad: the planes of dX that a worker clears are those that it
// adds to; where an index names another plane, which no MaxPool gives, one
// worker does all.
func maxPoolGrad[T float32 | float64](b *builder, p *part) error {
	c := p.head()
	dy, where, dx := b.in(c, 0), b.in(c, 1), b.out(c, 0)
	planes, out, in := 1, dy.elements(), dx.elements()
	if x, y := c.Out[0].Shape, c.In[0].Shape; len(x) > 2 && len(y) > 2 && x[:2].Equal(y[:2]) {
		planes = x[:2].Elements()
		out, in = out/planes, in/planes
	}
	scatter := func(first, last int) bool {
		src, at, dst := view[T](dy), view[int64](where), view[T](dx)
		lo, hi := int64(first*in), int64(last*in)
		clear(dst[lo:hi])
		for j := first * out; j < last*out; j++ {
			i := at[j]
			if i < lo || i >= hi {
				return false
			}
			dst[i] += src[j]
		}
		return true
	}
	astray := make([]bool, b.workers)
	p.phases = []phase{
		{serial: dx.elements() < serialElements, task: func(worker, workers int) {
			lo, hi := planes*worker/workers, planes*(worker+1)/workers
			astray[worker] = !scatter(lo, hi)
		}},
		{serial: true, needed: func() bool {
			any := false
			for i, a := range astray {
				any, astray[i] = any || a, false
			}
			return any
		}, task: func(int, int) {
			if !scatter(0, planes) {
				b.fail(c, "input Indices: an index is outside of X %v", c.Out[0].Shape)
			}
		}},
	}
	return nil
}

// adaptivePool takes the mean of a window of its own for each output.
func adaptivePool[T float32 | float64](b *builder, p *part) error {
	c := p.head()
	windows, err := c.AdaptiveWindows()
	if err != nil {
		return err
	}
	x, y := b.in(c, 0), b.out(c, 0)
	in, last := c.In[0].Shape[2:], len(windows)-1
	// The lines of X that a line of outputs sees.
	seen := [][]int{{0}}
	for axis, spans := range windows[:last] {
		var longer [][]int
		for _, before := range seen {
			for _, s := range spans {
				var list []int
				for _, at := range before {
					for i := s.From; i < s.To; i++ {
						list = append(list, at*in[axis]+i)
					}
				}
				longer = append(longer, list)
			}
		}
		seen = longer
	}
	planes, plane, out := c.In[0].Shape[:2].Elements(), in.Elements(), len(windows[last])
	p.phases = []phase{{serial: planes*plane < serialElements, task: func(worker, workers int) {
		for i := planes * worker / workers; i < planes*(worker+1)/workers; i++ {
			src, dst := lineOf(view[T](x), i, plane), lineOf(view[T](y), i, len(seen)*out)
			for j, lines := range seen {
				for o, s := range windows[last] {
					sum := T(0)
					for _, line := range lines {
						for _, v := range lineOf(src, line, in[last])[s.From:s.To] {
							sum += v
						}
					}
					dst[j*out+o] = sum / T(len(lines)*(s.To-s.From))
				}
			}
		}
	}}}
	return nil
}
