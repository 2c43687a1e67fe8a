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
			direct("average pool", tensor.F32, averagePool[float32]),
			direct("average pool", tensor.F64, averagePool[float64]),
		}},
		{"AveragePoolGrad", []implementation{
			{kernel: "average pool gradient", algorithm: "2x2", takes: takesHalving, absorbs: continuesPoolGrad, build: buildAveragePoolGrad2},
			direct("average pool gradient", tensor.F32, averagePoolGrad[float32]),
			direct("average pool gradient", tensor.F64, averagePoolGrad[float64]),
		}},
		{"MaxPool", []implementation{
			direct("max pool", tensor.F32, maxPool(float32(math.Inf(-1)))),
			direct("max pool", tensor.F64, maxPool(math.Inf(-1))),
			direct("max pool", tensor.S8, maxPool[int8](math.MinInt8)),
			direct("max pool", tensor.U8, maxPool[uint8](0)),
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

// takesPool wants one type, and windows that are listed line by line.
func takesPool(d tensor.DType) func(c *graph.Call) error {
	return func(c *graph.Call) error {
		if err := ofTypes(1<<d, 0)(c); err != nil {
			return err
		}
		w, err := c.PoolWindow()
		if err != nil {
			return err
		}
		return takesLines(w)
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

// averages are means over windows, and the divisor of each output.
type averages struct {
	*lines
	divisors []float64
}

func newAverages(c *graph.Call) (*averages, error) {
	w, err := c.PoolWindow()
	if err != nil {
		return nil, err
	}
	a := &averages{newLines(w), []float64{1}}
	padded := c.Int("count_include_pad") != 0
	for i, extent := range w.In {
		// The divisor is a product of counts, one an axis.
		var longer []float64
		for _, d := range a.divisors {
			for o := range w.Out[i] {
				n := 0
				for k := range w.Kernel[i] {
					p := w.Start(i, o) + k*w.Dilations[i]
					if p >= 0 && p < extent || padded && p < extent+w.PadEnd[i] { // beyond lies only what ceil_mode adds
						n++
					}
				}
				longer = append(longer, d*float64(n))
			}
		}
		a.divisors = longer
	}
	return a, nil
}

// planes shares n planes, of some taps along lines each, among the workers.
func (l *lines) planes(n int, plane func(i int)) []phase {
	work := 0
	for _, taps := range l.taps {
		work += len(taps) * l.outLine
	}
	return []phase{{serial: n*work < serialElements/2, task: func(worker, workers int) {
		for i := n * worker / workers; i < n*(worker+1)/workers; i++ {
			plane(i)
		}
	}}}
}

func averagePool[T float32 | float64](b *builder, p *part) error {
	c := p.head()
	a, err := newAverages(c)
	if err != nil {
		return err
	}
	x, y := b.in(c, 0), b.out(c, 0)
	p.phases = a.planes(c.Out[0].Shape[:2].Elements(), func(i int) {
		src, dst := lineOf(view[T](x), i, a.in), lineOf(view[T](y), i, a.out)
		clear(dst)
		for j, taps := range a.taps {
			line := lineOf(dst, j, a.outLine)
			if a.outLine < narrow {
				sumEach(a.lines, line, taps, src)
			} else {
				for _, t := range taps {
					addTo(b.isa, line[t.from:t.to], met(a.lines, t, src), a.stride)
				}
			}
			for o, d := range lineOf(a.divisors, j, a.outLine) {
				line[o] /= T(d)
			}
		}
	})
	return nil
}

func averagePoolGrad[T float32 | float64](b *builder, p *part) error {
	c := p.head()
	a, err := newAverages(c)
	if err != nil {
		return err
	}
	dy, dx := b.in(c, 0), b.out(c, 0)
	parts := b.scratches(a.outLine * c.In[0].DType.Size())
	planes := c.Out[0].Shape[:2].Elements()
	p.phases = []phase{{serial: planes*a.out < serialElements/8, task: func(worker, workers int) {
		part := tensor.View[T](parts[worker].data)
		for i := planes * worker / workers; i < planes*(worker+1)/workers; i++ {
			src, dst := lineOf(view[T](dy), i, a.out), lineOf(view[T](dx), i, a.in)
			clear(dst)
			for j, taps := range a.taps {
				line := lineOf(src, j, a.outLine)
				for o, d := range lineOf(a.divisors, j, a.outLine) {
					part[o] = line[o] / T(d)
				}
				for _, t := range taps {
					addApart(met(a.lines, t, dst), part[t.from:t.to], a.stride)
				}
			}
		}
	}}}
	return nil
}

// narrow lines are too few outputs to run along.
const narrow = 4

// sumEach sums up what each output meets, one after the other.
func sumEach[T number](l *lines, line []T, taps []lineTap, plane []T) {
	for o := range line {
		s := T(0)
		for _, t := range taps {
			if int(t.from) <= o && o < int(t.to) {
				s += plane[int(t.line)*l.inLine+int(t.at)+o*l.stride]
			}
		}
		line[o] = s
	}
}

// addApart adds x to every stride-th element of dst.
func addApart[T number](dst, x []T, stride int) {
	for i, v := range x {
		dst[i*stride] += v
	}
}

// maxPool: least is the least value of the type.
func maxPool[T number](least T) func(b *builder, p *part) error {
	return func(b *builder, p *part) error {
		c := p.head()
		w, err := c.PoolWindow()
		if err != nil {
			return err
		}
		l := newLines(w)
		x, y, where := b.in(c, 0), b.out(c, 0), b.out(c, 1)
		if where != nil {
			p.phases = indexedMaxima[T](b, l, x, y, where)
			return nil
		}
		p.phases = l.planes(c.Out[0].Shape[:2].Elements(), func(i int) {
			src, dst := lineOf(view[T](x), i, l.in), lineOf(view[T](y), i, l.out)
			for o := range dst {
				dst[o] = least
			}
			for j, taps := range l.taps {
				for _, t := range taps {
					maxima(lineOf(dst, j, l.outLine)[t.from:t.to], met(l, t, src), l.stride)
				}
			}
		})
		return nil
	}
}

// maxima keeps the larger of dst and every stride-th of x; NaN is larger than
// any number, as the builtin has it.
func maxima[T number](dst, x []T, stride int) {
	for i, best := range dst {
		dst[i] = max(best, x[i*stride])
	}
}

// indexedMaxima notes where the maxima are, the first of equal ones, as
// positions in all of x. y may be nil.
func indexedMaxima[T number](b *builder, l *lines, x, y, where *value) []phase {
	best := b.scratches(l.outLine * x.typ.DType.Size())
	planes := where.elements() / max(1, l.out)
	return []phase{{serial: planes*l.out < serialElements/8, task: func(worker, workers int) {
		line := tensor.View[T](best[worker].data)
		for i := planes * worker / workers; i < planes*(worker+1)/workers; i++ {
			src, at := lineOf(view[T](x), i, l.in), lineOf(view[int64](where), i, l.out)
			for j, taps := range l.taps {
				indices := lineOf(at, j, l.outLine)
				for o := range indices {
					indices[o] = -1
				}
				for _, t := range taps {
					place := int64(i*l.in) + int64(t.line)*int64(l.inLine) + int64(t.at) + int64(t.from)*int64(l.stride)
					firstMaxima(line[t.from:t.to], indices[t.from:t.to], met(l, t, src), place, l.stride)
				}
				if y != nil {
					copy(lineOf(lineOf(view[T](y), i, l.out), j, l.outLine), line)
				}
			}
		}
	}}}
}

// firstMaxima keeps, with its place, what is larger than best, or the first to
// be compared; NaN is larger than any number.
func firstMaxima[T number](best []T, at []int64, x []T, place int64, stride int) {
	for i := range best {
		if v := x[i*stride]; v > best[i] || at[i] < 0 || (v != v && best[i] == best[i]) {
			best[i], at[i] = v, place+int64(i*stride)
		}
	}
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
