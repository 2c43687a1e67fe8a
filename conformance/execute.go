package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/tensor"
)

// refusal is a backend's no to an op, even after decomposition.
type refusal struct{ cause *backends.Error }

func (r refusal) Error() string { return r.cause.Error() }
func (r refusal) Unwrap() error { return r.cause }

// lower rewrites a program into what the session supports. With all set every
// op that has a decomposition is decomposed first. A refused core op is a
// refusal.
func lower(ctx context.Context, s backends.Session, p *graph.Program, all bool) (*graph.Program, error) {
	if all {
		var err error
		p, err = pass.Decompose(p, func(c *graph.Call) bool { return c.Op.Decompose == nil })
		if err != nil {
			return nil, err
		}
	}
	low, err := backends.Fit(ctx, s, p)
	var e *backends.Error
	if errors.As(err, &e) && e.Code == backends.Unimplemented {
		return nil, refusal{e}
	}
	return low, err
}

// Rings of a case: two slots a feed and three a fetch, so that A, B, A meet
// every combination of old and new memory.
const (
	feedSlots  = 2
	fetchSlots = 3
	guardByte  = 0xA5
	poisonByte = 0xFF // NaN in every float type, no bool
)

func slotsOf(g *graph.Graph) func(string) int {
	return func(value string) int {
		if slices.Contains(g.Fetches, value) {
			return fetchSlots
		}
		return feedSlots
	}
}

// device is a compiled program with guarded memory around it.
type device struct {
	*backends.Bound
	session backends.Session
	program *graph.Program
	graph   *graph.Graph
	guards  []byte // copy of the region as it must stay outside of fetches
}

func compile(ctx context.Context, s backends.Session, p *graph.Program) (*device, error) {
	g, err := p.Infer()
	if err != nil {
		return nil, err
	}
	b, err := backends.CompileBound(ctx, s, p, slotsOf(g), nil)
	if err != nil {
		return nil, err
	}
	for i := range b.Region.Data {
		b.Region.Data[i] = guardByte
	}
	return &device{Bound: b, session: s, program: p, graph: g}, nil
}

// MemoryError says that a backend touched memory that it must leave alone.
type MemoryError struct{ What string }

func (e *MemoryError) Error() string { return e.What }

// run runs one call of as many steps as there are values, from step first on,
// and reads what it fetched. State must be written before.
func (d *device) run(ctx context.Context, first int64, steps []Values) ([]Outputs, error) {
	for i, v := range steps {
		for _, f := range d.graph.Feeds {
			copy(d.At(f.Name, first+int64(i)), v[f.Name].Data)
		}
		for _, f := range d.graph.Fetches {
			if !d.isFed(f) {
				fillBytes(d.At(f, first+int64(i)), poisonByte)
			}
		}
	}
	d.guards = append(d.guards[:0], d.Region.Data...)
	samples, err := d.Run(ctx, backends.RunRequest{First: first, Steps: len(steps)})
	if err != nil {
		return nil, err
	}
	if len(samples.Steps) != len(steps) {
		return nil, fmt.Errorf("%d samples for %d steps", len(samples.Steps), len(steps))
	}
	out := make([]Outputs, len(steps))
	for i := range steps {
		out[i] = Outputs{}
		for _, f := range d.graph.Fetches {
			slot := d.At(f, first+int64(i))
			t := tensor.New(d.graph.Types[f].DType, d.graph.Types[f].Shape...)
			copy(t.Data, slot)
			out[i][f] = t
			if !d.isFed(f) { // what the call owns may have changed
				copy(d.guards[d.offset(f, first+int64(i)):], slot)
			}
		}
	}
	return out, d.checkMemory()
}

// offset is where in the region a value's slot of a step begins.
func (d *device) offset(value string, step int64) int64 {
	for _, b := range d.Bindings {
		if b.Value == value {
			return b.Offset + step%int64(b.Slots)*b.Stride
		}
	}
	panic("conformance: no binding of " + value)
}

func (d *device) isFed(value string) bool {
	return slices.ContainsFunc(d.graph.Feeds, func(f graph.Value) bool { return f.Name == value })
}

func fillBytes(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}

// checkMemory compares all that no fetch may have changed.
func (d *device) checkMemory() error {
	if bytes.Equal(d.guards, d.Region.Data) {
		return nil
	}
	for i := range d.guards {
		if d.guards[i] != d.Region.Data[i] {
			return &MemoryError{d.place(int64(i))}
		}
	}
	return nil
}

// place says what byte i of the region is.
func (d *device) place(i int64) string {
	for _, b := range d.Bindings {
		size := int64(d.graph.Types[b.Value].Bytes())
		for s := range int64(b.Slots) {
			at := b.Offset + s*b.Stride
			switch {
			case i >= at && i < at+size && d.isFed(b.Value):
				return fmt.Sprintf("input %s, slot %d: byte %d was changed", b.Value, s, i-at)
			case i >= at && i < at+size:
				return fmt.Sprintf("output %s, slot %d: written by a step that does not own it (byte %d)", b.Value, s, i-at)
			case i >= at+size && i < at+b.Stride:
				return fmt.Sprintf("%d bytes beyond the end of %s, slot %d: a guard was overwritten", i-at-size+1, b.Value, s)
			}
		}
	}
	return "a guard before the first slot was overwritten"
}

// writeState writes the state variables that a program names.
func writeState(ctx context.Context, s backends.Session, g *graph.Graph, v Values) error {
	var names []string
	var src []*tensor.Tensor
	for _, st := range g.State {
		names = append(names, st.Name)
		src = append(src, v[st.Name])
	}
	if len(names) == 0 {
		return nil
	}
	return s.Write(ctx, names, src)
}

// readState reads the state variables of a program.
func readState(ctx context.Context, s backends.Session, g *graph.Graph) (Values, error) {
	v := Values{}
	var names []string
	var dst []*tensor.Tensor
	for _, st := range g.State {
		t := tensor.New(st.Type.DType, st.Type.Shape...)
		v[st.Name] = t
		names = append(names, st.Name)
		dst = append(dst, t)
	}
	if len(names) == 0 {
		return v, nil
	}
	return v, s.Read(ctx, names, dst)
}

// addUpdates enters the state after a step as outputs.
func addUpdates(g *graph.Graph, state Values, out Outputs) {
	for _, u := range g.Updates {
		out[nextPrefix+u.State] = state[u.State]
	}
}

// closing closes d and keeps the first error.
func closing(d *device, err *error) {
	if d == nil {
		return
	}
	if e := d.Close(); e != nil && *err == nil {
		*err = fmt.Errorf("closing: %w", e)
	}
}
