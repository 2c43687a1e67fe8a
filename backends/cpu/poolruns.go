package cpu

import (
	"fmt"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
)

// windowRun is outputs of a plane, neighbours, that see the same taps, each a
// stride further, and whose means have the same divisor.
type windowRun struct {
	kernel.Windows
	first, n int
	divisor  float32
}

// runs cuts the outputs of a plane into such. A step that is not forwards
// makes a run of one output.
func (t *windowTaps) runs() (list []windowRun) {
	for o := 0; o < t.out; {
		r := windowRun{kernel.Windows{Taps: t.of(o), Stride: 1}, o, 1, float32(t.divisor[o])}
		for ; r.n < kernel.MaxWindows && o+r.n < t.out; r.n++ {
			step, ok := t.step(o + r.n - 1)
			if !ok || (r.n > 1 && step != r.Stride) {
				break
			}
			r.Stride = step
		}
		list = append(list, r)
		o += r.n
	}
	return list
}

// step is by how much the next output sees its taps further than output o;
// false if they differ by more.
func (t *windowTaps) step(o int) (int, bool) {
	these, next := t.of(o), t.of(o+1)
	if len(these) != len(next) || len(these) == 0 || t.divisor[o] != t.divisor[o+1] || next[0] <= these[0] {
		return 0, false
	}
	step := next[0] - these[0]
	for k, tap := range these {
		if next[k]-tap != step {
			return 0, false
		}
	}
	return int(step), true
}

func averagePoolF32(b *builder, p *part) error {
	c := p.head()
	t, err := newWindowTaps(c)
	if err != nil {
		return err
	}
	p.kernel = fmt.Sprintf("average pool %v", b.isa)
	x, y, runs := b.in(c, 0), b.out(c, 0), t.runs()
	p.phases = []phase{t.each(planes(x.typ), func(n int) {
		src, dst := lineOf(x.f32(), n, t.in), lineOf(y.f32(), n, t.out)
		for i := range runs {
			r := &runs[i]
			r.Average(b.isa, dst[r.first:][:r.n], src, r.divisor)
		}
	})}
	return nil
}

func maxPoolF32(b *builder, p *part) error {
	c := p.head()
	t, err := newWindowTaps(c)
	if err != nil {
		return err
	}
	p.kernel = fmt.Sprintf("max pool %v", b.isa)
	x, y, where, runs := b.in(c, 0), b.out(c, 0), b.out(c, 1), t.runs()
	if where == nil {
		p.phases = []phase{t.each(planes(x.typ), func(n int) {
			src, dst := lineOf(x.f32(), n, t.in), lineOf(y.f32(), n, t.out)
			for i := range runs {
				r := &runs[i]
				r.Max(b.isa, dst[r.first:][:r.n], src)
			}
		})}
		return nil
	}
	var places []int
	if c.Int("storage_order") != 0 {
		places = c.PoolPlaces()
	}
	p.phases = []phase{t.each(planes(x.typ), func(n int) {
		src, at := lineOf(x.f32(), n, t.in), lineOf(view[int64](where), n, t.out)
		var best [kernel.MaxWindows]float32
		var tap [kernel.MaxWindows]int32
		for i := range runs {
			r := &runs[i]
			r.MaxAt(b.isa, best[:r.n], tap[:r.n], src)
			if y != nil {
				copy(y.f32()[n*t.out+r.first:], best[:r.n])
			}
			for j, e := range tap[:r.n] {
				at[r.first+j] = int64(n*t.in) + int64(e)
				if places != nil {
					at[r.first+j] = int64(n*t.in) + int64(places[e])
				}
			}
		}
	})}
	return nil
}
