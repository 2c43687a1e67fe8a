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
	wider := func(op, kernel string, build32, build64 func(*builder, *part) error) row {
		return row{op, []implementation{
			{kernel: kernel, algorithm: "direct", takes: ofTypes(f32Only, 0), joins: sameUpdate, build: build32},
			{kernel: kernel, algorithm: "direct", takes: ofTypes(wideFloat, 0), joins: sameUpdate, build: build64}}}
	}
	return []row{only("SGD", "sgd", buildSGD), only("Adam", "adam", buildAdam), only("AdamW", "adamw", buildAdam),
		wider("RMSprop", "rmsprop", buildRMSprop[float32], buildRMSprop[float64]),
		wider("ExponentialMovingAverage", "moving average", buildEMA[float32], buildEMA[float64])}
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
	within(list, from, to, f)
}

// within calls f for what lies from an element of the partition's to another.
func within(list []update, from, to int, f func(u *update, lo, hi int)) {
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
	size := u.call.In[0].DType.Size()
	for i, v := range old {
		if v != nil {
			copy(u.out[i].bytes()[lo*size:hi*size], v.bytes()[lo*size:hi*size])
		} else { // a slot left out is zero
			clear(u.out[i].bytes()[lo*size : hi*size])
		}
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
	p.kernel = fmt.Sprintf("%s %v", p.kernel, b.isa)
	a := kernel.Adam{
		Beta1: c.Float("beta1"), Beta2: c.Float("beta2"), Epsilon: c.Float("epsilon"), Decay: c.Float("weight_decay"),
		Decoupled: c.Op.Name == "AdamW",
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

func buildRMSprop[T float32 | float64](b *builder, p *part) error {
	list, total := b.updates(p)
	c := p.head()
	p.kernel = fmt.Sprintf("rmsprop %v", b.isa)
	rule := kernel.RMSprop{
		Alpha: c.Float("alpha"), Epsilon: c.Float("epsilon"), Momentum: c.Float("momentum"),
		Decay: c.Float("weight_decay"), Centered: c.Int("centered") != 0,
	}
	for i := range list {
		u := &list[i]
		for k, slot := range []int{0, 2, 3, 4} {
			if u.in[slot] != nil {
				p.overlaps = append(p.overlaps, overlap{u.call, u.out[k], u.in[slot]})
			}
		}
	}
	zeros := make([]T, blockElements) // of slots left out
	step := func(u *update, lo, hi int) {
		if u.skips(u.in[6], []*value{u.in[0], u.in[2], u.in[3], u.in[4]}, lo, hi) {
			return
		}
		rule := rule
		rule.LR = float64(view[T](u.in[5])[0])
		for ; lo < hi; lo += blockElements {
			end := min(lo+blockElements, hi)
			slot := func(k int) []T {
				if u.in[k] == nil {
					return zeros[:end-lo]
				}
				return view[T](u.in[k])[lo:end]
			}
			out := func(k int) []T { return view[T](u.out[k])[lo:end] }
			kernel.RMSpropStep(b.isa, rule, kernel.RMSpropState[T]{P: out(0), S: out(1), B: out(2), A: out(3)},
				kernel.RMSpropState[T]{P: slot(0), S: slot(2), B: slot(3), A: slot(4)}, slot(1))
		}
	}
	p.phases = []phase{{serial: total < serialElements/4, task: func(worker, workers int) {
		each(list, total, worker, workers, step)
	}}}
	return nil
}

func buildEMA[T float32 | float64](b *builder, p *part) error {
	list, total := b.updates(p)
	p.kernel = fmt.Sprintf("moving average %v", b.isa)
	decay := p.head().Float("decay")
	for i := range list {
		u := &list[i]
		p.overlaps = append(p.overlaps, overlap{u.call, u.out[0], u.in[0]})
	}
	step := func(u *update, lo, hi int) {
		if u.skips(u.in[2], u.in[:1], lo, hi) {
			return
		}
		kernel.MovingAverage(b.isa, view[T](u.out[0])[lo:hi], view[T](u.in[0])[lo:hi], view[T](u.in[1])[lo:hi], decay)
	}
	p.phases = []phase{{serial: total < serialElements, task: func(worker, workers int) {
		each(list, total, worker, workers, step)
	}}}
	return nil
}
