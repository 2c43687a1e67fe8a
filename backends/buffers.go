package backends

import (
	"context"

	"github.com/clsbench/clsbench/graph"
)

// Buffers are the host's side of a program's feeds and fetches: one region
// that holds a ring for each.
type Buffers struct {
	Region   *Region
	Bindings []Binding
	rings    map[string]*Ring
}

// NewBuffers lays out a ring of slots(value) slots for every feed and fetch of
// g in one new region, made by make (NewRegion if nil), with a cache line
// between slots and at both ends.
func NewBuffers(g *graph.Graph, slots func(value string) int, make func(bytes int64) (*Region, error)) (*Buffers, error) {
	if make == nil {
		make = NewRegion
	}
	b := &Buffers{}
	end := int64(64)
	add := func(value string) {
		size := int64(g.Types[value].Bytes())
		stride := (size+63)/64*64 + 64
		n := max(1, slots(value))
		b.Bindings = append(b.Bindings, Binding{Value: value, Offset: end, Stride: stride, Slots: n})
		end += stride * int64(n)
	}
	seen := map[string]bool{}
	for _, f := range g.Feeds {
		seen[f.Name] = true
		add(f.Name)
	}
	for _, f := range g.Fetches {
		if !seen[f] { // a fed value that is fetched has one ring
			add(f)
		}
	}
	region, err := make(end)
	if err != nil {
		return nil, err
	}
	b.Region = region
	for i := range b.Bindings {
		b.Bindings[i].Region = region.ID
	}
	var t Regions
	err = t.Map(region)
	if err == nil {
		b.rings, err = t.Bind(g, b.Bindings)
	}
	if err != nil {
		region.Close()
		return nil, err
	}
	return b, nil
}

// At is the memory of a feed or fetch at a step.
func (b *Buffers) At(value string, step int64) []byte { return b.rings[value].At(step) }

// Slots is the length of a value's ring.
func (b *Buffers) Slots(value string) int { return len(b.rings[value].Slots) }

// Bound is a compiled program with its buffers mapped.
type Bound struct {
	*Buffers
	Executable
	session Session
}

// CompileBound lays out buffers for p, maps them and compiles. Close undoes
// all three.
func CompileBound(ctx context.Context, s Session, p *graph.Program, slots func(value string) int, make func(int64) (*Region, error)) (*Bound, error) {
	g, err := p.Infer()
	if err != nil {
		return nil, Malformed(err)
	}
	buf, err := NewBuffers(g, slots, make)
	if err != nil {
		return nil, err
	}
	if err := s.Map(ctx, buf.Region); err != nil {
		buf.Region.Close()
		return nil, err
	}
	exe, err := s.Compile(ctx, p, buf.Bindings)
	if err != nil {
		_ = s.Unmap(ctx, buf.Region.ID) // the session may have died with the compile
		buf.Region.Close()
		return nil, err
	}
	return &Bound{buf, exe, s}, nil
}

// Close closes the executable, unmaps and frees the buffers. The first error
// is returned, but everything is freed.
func (b *Bound) Close() error {
	err := b.Executable.Close()
	if e := b.session.Unmap(context.Background(), b.Region.ID); err == nil {
		err = e
	}
	if e := b.Region.Close(); err == nil {
		err = e
	}
	return err
}
