package protocol

import (
	"slices"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// double is y = x + x over n elements; it returns y's name too.
func (t *trial) double(n int) (*graph.Program, string) {
	p := t.program(func(b *graph.Builder) {
		x := b.Feed("x", f32(n))
		b.Fetch(b.Op("Add", nil, x, x))
	})
	return p, p.Fetches[0]
}

// region makes a region of either kind, freed after the case.
func (t *trial) region(make func(int64) (*backends.Region, error), bytes int64) *backends.Region {
	r, err := make(bytes)
	t.ok(err, "making a region")
	t.clean = append(t.clean, func() { r.Close() })
	return r
}

func private(bytes int64) (*backends.Region, error) { return backends.NewPrivateRegion(bytes), nil }

func regionKinds(t *trial) {
	p, y := t.double(4)
	kinds := []func(int64) (*backends.Region, error){backends.NewRegion, private}
	for i, in := range kinds {
		for j, out := range kinds {
			s := t.session()
			from, to := t.region(in, 256), t.region(out, 256)
			t.ok(s.Map(t.ctx, from), "Map")
			t.ok(s.Map(t.ctx, to), "Map")
			e, err := s.Compile(t.ctx, p, []backends.Binding{
				{Value: "x", Region: from.ID, Offset: 64, Stride: 64, Slots: 2},
				{Value: y, Region: to.ID, Offset: 128, Stride: 64, Slots: 2}})
			t.ok(err, "Compile")
			set(from.Data[64:], 1, 2, 3, 4)
			set(from.Data[128:], 5, 6, 7, 8)
			for k := range to.Data {
				to.Data[k] = 0xa5
			}
			t.run(e, 0, 2)
			t.same("the first fetch", to.Data[128:144], 2, 4, 6, 8)
			t.same("the second fetch", to.Data[192:208], 10, 12, 14, 16)
			for k, v := range to.Data {
				if inside := k >= 128 && k%64 < 16; !inside && v != 0xa5 {
					t.fail("byte %d of the fetches' region, outside all slots, was written (kinds %d, %d)", k, i, j)
				}
			}
			t.ok(e.Close(), "closing the executable")
			t.ok(s.Unmap(t.ctx, from.ID), "Unmap")
			t.ok(s.Unmap(t.ctx, to.ID), "Unmap")
		}
	}
}

func regionTwice(t *trial) {
	s := t.session()
	r := t.region(backends.NewRegion, 64)
	t.ok(s.Map(t.ctx, r), "Map")
	t.refused(s.Map(t.ctx, r), "mapping a region twice", backends.InvalidArgument)
	t.ok(s.Unmap(t.ctx, r.ID), "Unmap")
	t.refused(s.Unmap(t.ctx, r.ID), "unmapping a region twice", backends.InvalidArgument)
	t.ok(s.Map(t.ctx, r), "mapping an unmapped region again")
}

func regionInUse(t *trial) {
	s := t.session()
	p, y := t.double(4)
	r := t.region(backends.NewRegion, 128)
	t.ok(s.Map(t.ctx, r), "Map")
	bindings := []backends.Binding{{Value: "x", Region: r.ID, Stride: 64, Slots: 1}, {Value: y, Region: r.ID, Offset: 64, Stride: 64, Slots: 1}}
	one, err := s.Compile(t.ctx, p, bindings)
	t.ok(err, "Compile")
	two, err := s.Compile(t.ctx, p, bindings)
	t.ok(err, "compiling a second program over the same slots")
	t.refused(s.Unmap(t.ctx, r.ID), "unmapping a bound region", backends.FailedPrecondition)
	t.ok(one.Close(), "closing the executable")
	t.refused(s.Unmap(t.ctx, r.ID), "unmapping a region that is bound still", backends.FailedPrecondition)
	set(r.Data, 1, 2, 3, 4)
	t.run(two, 0, 1)
	t.same("the fetch", r.Data[64:80], 2, 4, 6, 8)
	t.ok(two.Close(), "closing the executable")
	t.ok(s.Unmap(t.ctx, r.ID), "unmapping a released region")
}

// large is more than a message or a chunk of any transport holds at once.
const large = 2<<20/4 + 3 // f32 elements

func largeFeed(t *trial) {
	p, y := t.double(large)
	for _, make := range []func(int64) (*backends.Region, error){backends.NewRegion, private} {
		s := t.session()
		b, err := backends.CompileBound(t.ctx, s, p, func(string) int { return 1 }, make)
		t.ok(err, "Compile")
		x := tensor.View[float32](b.At("x", 0))
		for i := range x {
			x[i] = float32(i % 4001)
		}
		t.run(b, 0, 1)
		for i, v := range tensor.View[float32](b.At(y, 0)) {
			if v != 2*float32(i%4001) {
				t.fail("element %d of the fetch is %g, want %g", i, v, 2*float32(i%4001))
			}
		}
		t.ok(b.Close(), "closing the executable and its buffers")
		t.ok(s.Close(), "closing the session")
	}
}

func largeConst(t *trial) {
	s := t.session()
	c := tensor.New(tensor.F32, large)
	for i := range large {
		tensor.View[float32](c.Data)[i] = float32(i % 997)
	}
	small := vector(3)
	p := t.program(func(b *graph.Builder) {
		x := b.Feed("x", f32(1))
		y := b.Op("Add", nil, b.Const("c", c), x)
		b.Fetch(b.Op("Add", nil, y, b.Const("small", small)))
	})
	e := t.bind(s, p, 1)
	clear(c.Data) // a program belongs to its compiler only during the call
	set(e.At("x", 0), 5)
	t.run(e, 0, 1)
	for i, v := range tensor.View[float32](e.At(p.Fetches[0], 0)) {
		if v != float32(i%997)+8 {
			t.fail("element %d of the fetch is %g, want %g", i, v, float32(i%997)+8)
		}
	}
}

func bindingsRefused(t *trial) {
	s := t.session()
	p, y := t.double(16)
	r := t.region(backends.NewRegion, 512)
	t.ok(s.Map(t.ctx, r), "Map")
	good := []backends.Binding{
		{Value: "x", Region: r.ID, Offset: 0, Stride: 64, Slots: 4},
		{Value: y, Region: r.ID, Offset: 256, Stride: 64, Slots: 4}}
	for _, c := range []struct {
		what  string
		spoil func(b []backends.Binding) []backends.Binding
	}{
		{"a missing binding", func(b []backends.Binding) []backends.Binding { return b[:1] }},
		{"no binding", func(b []backends.Binding) []backends.Binding { return nil }},
		{"a value bound twice", func(b []backends.Binding) []backends.Binding { return append(b, b[0]) }},
		{"a binding of no value", func(b []backends.Binding) []backends.Binding { b[0].Value = "q"; return b }},
		{"a region that is not mapped", func(b []backends.Binding) []backends.Binding { b[0].Region += 1000; return b }},
		{"slots beyond the region", func(b []backends.Binding) []backends.Binding { b[1].Slots = 5; return b }},
		{"an offset of 4", func(b []backends.Binding) []backends.Binding { b[1].Offset = 4; return b }},
		{"an offset of -64", func(b []backends.Binding) []backends.Binding { b[1].Offset = -64; return b }},
		{"a stride of 0", func(b []backends.Binding) []backends.Binding { b[0].Stride = 0; return b }},
		{"a stride of -64", func(b []backends.Binding) []backends.Binding { b[1].Stride = -64; return b }},
		{"a stride of 2^62", func(b []backends.Binding) []backends.Binding { b[1].Stride = 1 << 62; return b }},
		{"0 slots", func(b []backends.Binding) []backends.Binding { b[0].Slots = 0; return b }},
		{"2^31 slots", func(b []backends.Binding) []backends.Binding { b[0].Slots = 1 << 31; return b }},
		{"overlapping rings", func(b []backends.Binding) []backends.Binding { b[1].Offset = 192; return b }},
	} {
		e, err := s.Compile(t.ctx, p, c.spoil(slices.Clone(good)))
		if err == nil {
			_ = e.Close()
		}
		t.refused(err, c.what, backends.InvalidArgument)
	}
	e, err := s.Compile(t.ctx, p, []backends.Binding{
		{Value: "x", Region: r.ID, Offset: 0, Stride: 128, Slots: 4},
		{Value: y, Region: r.ID, Offset: 64, Stride: 128, Slots: 4}})
	t.ok(err, "interleaved rings after all those refusals")
	t.ok(e.Close(), "closing the executable")
	t.ok(s.Unmap(t.ctx, r.ID), "unmapping: a refused Compile must not hold the region")
}

func ringSlots(t *trial) {
	s := t.session()
	p, y := t.double(2)
	slots := map[string]int{"x": 3, y: 5}
	e, err := backends.CompileBound(t.ctx, s, p, func(v string) int { return slots[v] }, nil)
	t.ok(err, "Compile")
	for i := range int64(3) {
		set(e.At("x", i), float32(i+1), float32(-10*i))
	}
	const first = 1<<40 + 7 // steps are 64 bits wide
	t.run(e, first, 5)
	for n := int64(first); n < first+5; n++ {
		i := n % 3
		t.same("the fetch of a step", e.At(y, n), float32(2*(i+1)), float32(-20*i))
	}
	set(e.At("x", first+5), 100, 200)
	t.run(e, first+5, 1)
	t.same("the slot of the next step", e.At(y, first+5), 200, 400)
	i := int64(first+1) % 3
	t.same("the slot after it, which no step had", e.At(y, first+1), float32(2*(i+1)), float32(-20*i))
	t.ok(e.Close(), "closing")
}

func fetchAnything(t *trial) {
	s := t.session()
	p := t.program(func(b *graph.Builder) {
		x, w := b.Feed("x", f32(2)), b.State("w", f32(2))
		c := b.Const("c", vector(7, 8))
		b.Update(w, b.Op("Add", nil, x, c))
		b.Fetch(x, w, c)
	})
	e := t.bind(s, p, 1)
	t.write(s, "w", vector(1, 2))
	set(e.At("x", 0), 3, 4)
	t.run(e, 0, 1)
	t.same("a feed that is fetched", e.At("x", 0), 3, 4)
	t.same("a state variable that is fetched, before its update", e.At("w", 0), 1, 2)
	t.same("a constant that is fetched", e.At("c", 0), 7, 8)
	t.same("the updated variable", t.read(s, "w", 2), 10, 12)
}
