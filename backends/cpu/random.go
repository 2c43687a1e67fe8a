package cpu

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/backends/cpu/pool"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// randomRows draw numbers: every worker has its part of the counters, so that
// the bits do not depend on how many there are.
func randomRows() []row {
	only := func(op, kernel string, takes func(c *graph.Call) error, build func(*builder, *part) error) row {
		return row{op, []implementation{{kernel: kernel, algorithm: "philox4x32-10", takes: takes, build: build}}}
	}
	anything := func(*graph.Call) error { return nil }
	return []row{
		only("RandomBits", "random bits", anything, buildRandomBits),
		only("RandomUniform", "random uniform", takesDeviates, buildRandomUniform),
		only("RandomNormal", "random normal", takesDeviates, buildRandomNormal),
		only("TrainingDropout", "dropout", ofTypes(f32Only, 0), buildDropout),
	}
}

func takesDeviates(c *graph.Call) error {
	if d := c.Out[0].DType; d != tensor.F32 {
		return fmt.Errorf("the output is %v: there is a kernel for f32", d)
	}
	return nil
}

// wordBlock is how many words are drawn at a time.
const wordBlock = 256

// serialWords is how many words are not worth sharing: some 2 µs.
const serialWords = 512

func stepOf(v *value) int64 {
	if v.typ.DType == tensor.S32 {
		return int64(view[int32](v)[0])
	}
	return view[int64](v)[0]
}

// words are the words from element lo, a multiple of four, on.
func words(p tensor.Philox, lo int, w []uint32) {
	for i := 0; i < len(w); i += 4 {
		block := p.Block(uint64(lo+i) >> 2)
		copy(w[i:], block[:])
	}
}

// drawn is a task over n words of one stream or two: f has those from element
// lo on.
func (b *builder) drawn(c *graph.Call, step *value, n, streams int, f func(lo int, w, angles []uint32)) pool.Task {
	scratch := b.scratches(4 * 2 * wordBlock)
	return func(worker, workers int) {
		p := c.Philox(stepOf(step))
		second := p
		second.Stream |= graph.AngleStream
		buf := tensor.View[uint32](scratch[worker].data)
		for lo, hi := shareOf(n, worker, workers); lo < hi; lo += wordBlock {
			w, angles := buf[:min(wordBlock, hi-lo)], buf[wordBlock:][:min(wordBlock, hi-lo)]
			words(p, lo, w)
			if streams == 2 {
				words(second, lo, angles)
			}
			f(lo, w, angles)
		}
	}
}

func buildRandomBits(b *builder, p *part) error {
	c := p.head()
	out := b.out(c, 0)
	n := out.elements()
	p.phases = []phase{{serial: n < serialWords, task: b.drawn(c, b.in(c, 0), n, 1, func(lo int, w, _ []uint32) {
		copy(view[uint32](out)[lo:], w)
	})}}
	return nil
}

func buildRandomUniform(b *builder, p *part) error {
	c := p.head()
	out := b.out(c, 0)
	n, low, width := out.elements(), float32(c.Float("low")), float32(c.Float("high")-c.Float("low"))
	p.phases = []phase{{serial: n < serialWords, task: b.drawn(c, b.in(c, 0), n, 1, func(lo int, w, _ []uint32) {
		y := out.f32()[lo:]
		for i, v := range w {
			y[i] = low + width*(float32(v>>8)*(1.0/(1<<24)))
		}
	})}}
	return nil
}

func buildRandomNormal(b *builder, p *part) error {
	c := p.head()
	out := b.out(c, 0)
	n, mean, scale := out.elements(), c.Float("mean"), c.Float("scale")
	p.phases = []phase{{serial: n < serialWords/16, task: b.drawn(c, b.in(c, 0), n, 2, func(lo int, w, angles []uint32) {
		y := out.f32()[lo:]
		for i, v := range w {
			u1, u2 := (float64(v>>8)+1)/(1<<24), float64(angles[i]>>8)/(1<<24)
			y[i] = float32(mean + scale*math.Sqrt(-2*math.Log(u1))*math.Cos(2*math.Pi*u2))
		}
	})}}
	return nil
}

// buildDropout draws and drops in one pass. The mask is written if wanted.
func buildDropout(b *builder, p *part) error {
	c := p.head()
	x, y, mask := b.in(c, 0), b.out(c, 0), b.out(c, 1)
	n := c.Out[1].Shape.Elements()
	if n == 0 {
		return nil
	}
	each := x.elements() / n // elements a word
	threshold, scale := c.DropThreshold(), float32(1/(1-c.Float("ratio")))
	p.phases = []phase{{serial: x.elements() < serialWords, task: b.drawn(c, b.in(c, 1), n, 1, func(lo int, w, _ []uint32) {
		for i, v := range w {
			keep := uint64(v) >= threshold
			if mask != nil {
				mask.bytes()[lo+i] = 0
				if keep {
					mask.bytes()[lo+i] = 1
				}
			}
			if y != nil {
				dropRun(y.f32()[(lo+i)*each:][:each], x.f32()[(lo+i)*each:], keep, scale)
			}
		}
	})}}
	if y != nil {
		b.mayOverlap(p, c, y, []*value{x})
	}
	return nil
}

func dropRun(y, x []float32, keep bool, scale float32) {
	if !keep {
		clear(y)
		return
	}
	for i, v := range x[:len(y)] {
		y[i] = v * scale
	}
}
