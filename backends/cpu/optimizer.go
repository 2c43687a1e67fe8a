package cpu

import (
	"fmt"
	"reflect"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
)

// optimizerRows: the updates of all parameters of one network are one piece of
// work, and are made in place where nothing reads the old values any more.
func optimizerRows() []row {
	only := func(op, kernel string, build func(*builder, *part) error) row {
		return row{op, []implementation{{
			kernel: kernel, algorithm: "direct",
			takes: ofTypes(f32Only, 0), joins: sameUpdate, build: build,
		}}}
	}
	return []row{only("SGD", "sgd", buildSGD), only("Adam", "adam", buildAdam)}
}

// sameUpdate takes updates with the same attributes.
func sameUpdate(p *part, c *graph.Call) bool {
	return reflect.DeepEqual(p.head().Attrs, c.Attrs)
}

// update is one parameter's: values nil are not wanted.
type update struct {
	call  *graph.Call
	in    []*value
	out   []*value
	first int // element of the partition's
	size  int
}

// updates lists them; outputs that nobody wants get scratch memory.
func (b *builder) updates(p *part) (list []update, total int) {
	for _, c := range p.calls {
		u := update{call: c, first: total, size: c.In[0].Shape.Elements()}
		for i := range c.Op.Inputs {
			u.in = append(u.in, b.in(c, i))
		}
		for i := range c.Op.Outputs {
			out := b.out(c, i)
			if out == nil {
				out = &value{"", c.Out[i], b.scratch(c.Out[i].Bytes())}
			}
			u.out = append(u.out, out)
		}
		list = append(list, u)
		total += u.size
	}
	return list, total
}

// each gives a worker its part of each update: the elements lo to hi of it.
func each(list []update, total, worker, workers int, f func(u *update, lo, hi int)) {
	from, to := shareOf(total, worker, workers)
	for i := range list {
		u := &list[i]
		lo, hi := max(from, u.first)-u.first, min(to, u.first+u.size)-u.first
		if lo < hi {
			f(u, lo, hi)
		}
	}
}

// skips copies the old values where the update is to be skipped.
func (u *update) skips(skip *value, old []*value, lo, hi int) bool {
	if skip == nil || skip.bytes()[0] == 0 {
		return false
	}
	for i, v := range old {
		copy(u.out[i].f32()[lo:hi], v.f32()[lo:hi])
	}
	return true
}

func buildSGD(b *builder, p *part) error {
	list, total := b.updates(p)
	c := p.head()
	p.kernel = fmt.Sprintf("sgd %v", b.isa)
	s := kernel.SGD{
		Momentum: float32(c.Float("momentum")), Scale: float32(1 - c.Float("dampening")),
		Decay: float32(c.Float("weight_decay")), Nesterov: c.Int("nesterov") != 0,
	}
	for i := range list {
		u := &list[i]
		p.overlaps = append(p.overlaps, overlap{u.call, u.out[0], u.in[0]}, overlap{u.call, u.out[1], u.in[2]})
	}
	step := func(u *update, lo, hi int) {
		if u.skips(u.in[4], []*value{u.in[0], u.in[2]}, lo, hi) {
			return
		}
		s := s
		s.LR = u.in[3].f32()[0]
		s.Step(b.isa, u.out[0].f32()[lo:hi], u.out[1].f32()[lo:hi], u.in[0].f32()[lo:hi], u.in[1].f32()[lo:hi], u.in[2].f32()[lo:hi])
	}
	p.phases = []phase{{serial: total < serialElements, task: func(worker, workers int) {
		each(list, total, worker, workers, step)
	}}}
	return nil
}

func buildAdam(b *builder, p *part) error {
	list, total := b.updates(p)
	c := p.head()
	p.kernel = fmt.Sprintf("adam %v", b.isa)
	a := kernel.Adam{
		Beta1: c.Float("beta1"), Beta2: c.Float("beta2"), Epsilon: c.Float("epsilon"), Decay: c.Float("weight_decay"),
	}
	for i := range list {
		u := &list[i]
		p.overlaps = append(p.overlaps, overlap{u.call, u.out[0], u.in[0]}, overlap{u.call, u.out[1], u.in[2]}, overlap{u.call, u.out[2], u.in[3]})
	}
	step := func(u *update, lo, hi int) {
		if u.skips(u.in[6], []*value{u.in[0], u.in[2], u.in[3]}, lo, hi) {
			return
		}
		a := a
		a.LR, a.T = float64(u.in[5].f32()[0]), float64(view[int64](u.in[4])[0])+1
		a.Step(b.isa, u.out[0].f32()[lo:hi], u.out[1].f32()[lo:hi], u.out[2].f32()[lo:hi],
			u.in[0].f32()[lo:hi], u.in[1].f32()[lo:hi], u.in[2].f32()[lo:hi], u.in[3].f32()[lo:hi])
	}
	p.phases = []phase{{serial: total < serialElements, task: func(worker, workers int) {
		each(list, total, worker, workers, step)
	}}}
	return nil
}
