// Package faults shows that the conformance suite bites: backends that are
// wrong in ways that real stacks have been wrong, each of which the suite must
// reject, and backends that differ from the reference in every legal way,
// which it must pass. SelfTest runs them all; `clsbench conform --self-test`
// prints what it finds.
package faults

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Rig is a backend in this process that computes by the reference and can be
// bent: another order of sums, other kernels, another plan. Its zero value
// computes in float64 and rounds what it stores.
type Rig struct {
	Mode     reference.Mode
	Kernels  map[string]Kernel                       // in place of an op's function
	Rewrite  func(p *graph.Program) *graph.Program   // what its planner makes of a program
	Refuse   func(c *graph.Call) bool                // ops that it lacks
	Store    func(d tensor.DType, v float64) float64 // what becomes of every value stored
	Features []string
}

// Kernel computes all outputs of a call; plain is the reference's own function.
type Kernel func(k *Launch) ([]*reference.Array, error)

// Launch is one call of a kernel.
type Launch struct {
	Acc  *reference.Acc
	Call *graph.Call
	In   []*reference.Array
}

// Plain computes the call as the reference does, with its inputs and
// attributes as they now are.
func (k *Launch) Plain() ([]*reference.Array, error) {
	f, _ := reference.Lookup(k.Call.Op.Name)
	return f.Outputs(k.Acc, k.Call, k.In)
}

// Describe says what the rig is.
func (r *Rig) Describe(context.Context) (backends.Description, error) {
	return backends.Description{
		Name: "rig", Version: "1", Devices: []backends.Device{{Name: "reference", Kind: "cpu"}},
		Features: r.Features,
	}, nil
}

// Open makes a session.
func (r *Rig) Open(context.Context, backends.SessionConfig) (backends.Session, error) {
	return &session{rig: r, state: map[string]*tensor.Tensor{}}, nil
}

type session struct {
	rig     *Rig
	regions backends.Regions
	mu      sync.Mutex
	state   map[string]*tensor.Tensor
}

func (s *session) Map(_ context.Context, r *backends.Region) error { return s.regions.Map(r) }
func (s *session) Unmap(_ context.Context, id uint32) error        { return s.regions.Unmap(id) }
func (s *session) Close() error                                    { return nil }

func (s *session) Stats(context.Context) (backends.Stats, error) { return backends.Stats{}, nil }

func (s *session) Check(_ context.Context, p *graph.Program) ([]backends.NodeVerdict, error) {
	g, err := p.Infer()
	if err != nil {
		return nil, backends.Malformed(err)
	}
	verdicts := make([]backends.NodeVerdict, len(g.Calls))
	for i := range g.Calls {
		c := &g.Calls[i]
		verdicts[i] = backends.NodeVerdict{Node: c.Name, Supported: true, Version: c.Op.Version}
		if s.rig.Refuse != nil && s.rig.Refuse(c) {
			verdicts[i].Supported, verdicts[i].Why = false, "this rig lacks "+c.Op.Name
		}
	}
	return verdicts, nil
}

// variable finds a state variable, or makes it, zeroed.
func (s *session) variable(v graph.Value) (*tensor.Tensor, error) {
	if t, ok := s.state[v.Name]; ok {
		if !t.Type.Equal(v.Type) {
			return nil, backends.Errorf(backends.InvalidArgument, "state %s is %v, not %v", v.Name, t.Type, v.Type)
		}
		return t, nil
	}
	t := tensor.New(v.Type.DType, v.Type.Shape...)
	s.state[v.Name] = t
	return t, nil
}

func (s *session) copyState(names []string, ts []*tensor.Tensor, f func(state, t *tensor.Tensor)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, name := range names {
		v, err := s.variable(graph.Value{Name: name, Type: ts[i].Type})
		if err != nil {
			return err
		}
		f(v, ts[i])
	}
	return nil
}

func (s *session) Read(_ context.Context, names []string, dst []*tensor.Tensor) error {
	return s.copyState(names, dst, func(v, t *tensor.Tensor) { copy(t.Data, v.Data) })
}

func (s *session) Write(_ context.Context, names []string, src []*tensor.Tensor) error {
	return s.copyState(names, src, func(v, t *tensor.Tensor) { copy(v.Data, t.Data) })
}

func (s *session) Compile(_ context.Context, p *graph.Program, bindings []backends.Binding) (backends.Executable, error) {
	if s.rig.Rewrite != nil {
		p = s.rig.Rewrite(p)
	}
	g, err := p.Infer()
	if err != nil {
		return nil, backends.Malformed(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range g.State {
		if _, err := s.variable(v); err != nil {
			return nil, err
		}
	}
	rings, err := s.regions.Bind(g, bindings)
	if err != nil {
		return nil, err
	}
	e := &executable{s: s, g: g, rings: rings, bindings: bindings, consts: map[string]*reference.Array{}}
	for _, c := range g.Consts {
		e.consts[c.Name] = reference.FromTensor(c.Tensor)
	}
	return e, nil
}

type executable struct {
	s        *session
	g        *graph.Graph
	rings    map[string]*backends.Ring
	bindings []backends.Binding
	consts   map[string]*reference.Array
}

func (e *executable) Plan() backends.Plan {
	var p backends.Plan
	h := sha256.New()
	for i := range e.g.Calls {
		c := &e.g.Calls[i]
		p.Partitions = append(p.Partitions, backends.Partition{Nodes: []string{c.Name}, Kernel: c.Op.Name, Algorithm: "reference", Math: graph.Strict})
		fmt.Fprintln(h, c.Op.Name, c.In, c.Out)
	}
	p.Digest = hex.EncodeToString(h.Sum(nil))
	return p
}

func (e *executable) Close() error {
	e.s.regions.Release(e.bindings)
	return nil
}

func (e *executable) Run(ctx context.Context, r backends.RunRequest) (backends.Samples, error) {
	steps, err := backends.Loop(ctx, r, nil, func(n int64, _ *backends.Split) error { return e.step(n) })
	return backends.Samples{Steps: steps}, err
}

func (e *executable) step(n int64) error {
	e.s.mu.Lock()
	defer e.s.mu.Unlock()
	env := map[string]*reference.Array{}
	for name, c := range e.consts {
		env[name] = c
	}
	for _, f := range e.g.Feeds {
		t, err := tensor.Wrap(f.Type, e.rings[f.Name].At(n))
		if err != nil {
			return err
		}
		env[f.Name] = reference.FromTensor(t)
	}
	for _, v := range e.g.State {
		env[v.Name] = reference.FromTensor(e.s.state[v.Name])
	}
	for i := range e.g.Calls {
		if err := e.node(&e.g.Calls[i], env); err != nil {
			return err
		}
	}
	for _, f := range e.g.Fetches {
		copy(e.rings[f].At(n), e.stored(f, env).Data)
	}
	next := map[string]*tensor.Tensor{}
	for _, u := range e.g.Updates {
		next[u.State] = e.stored(u.Value, env)
	}
	for name, t := range next {
		copy(e.s.state[name].Data, t.Data)
	}
	return nil
}

// stored is a value as memory holds it.
func (e *executable) stored(name string, env map[string]*reference.Array) *tensor.Tensor {
	return env[name].Tensor(e.g.Types[name].DType)
}

// node computes one node, by a kernel of the rig's own where it has one.
func (e *executable) node(c *graph.Call, env map[string]*reference.Array) error {
	rig := e.s.rig
	kernel := rig.Kernels[c.Op.Name]
	if kernel == nil {
		if err := reference.EvalNode(c, env, rig.Mode); err != nil {
			return err
		}
	} else {
		in := make([]*reference.Array, max(len(c.In), len(c.Op.Inputs)))
		for i := range c.In {
			if c.Has(i) {
				in[i] = env[c.Inputs[i]]
			}
		}
		out, err := kernel(&Launch{rig.Mode.Acc(c), c, in})
		if err != nil {
			return err
		}
		for i, name := range c.Outputs {
			if name != "" {
				env[name] = settled(out[i], c.Out[i].DType)
			}
		}
	}
	if rig.Store != nil {
		for i, name := range c.Outputs {
			if name != "" && c.Out[i].DType.IsFloat() {
				env[name] = mapped(env[name], func(v float64) float64 { return rig.Store(c.Out[i].DType, v) })
			}
		}
	}
	return nil
}

// settled is what an element type holds of x: floats are rounded, integers wrap
// around, as those of the reference do. A kernel that saturates does so itself.
func settled(x *reference.Array, d tensor.DType) *reference.Array {
	if d.IsFloat() || d == tensor.Bool {
		return reference.FromTensor(x.Tensor(d))
	}
	return reference.Cast(x, tensor.S64, d)
}

func mapped(x *reference.Array, f func(float64) float64) *reference.Array {
	y := reference.New(x.Shape...)
	for i, v := range x.Data {
		y.Data[i] = f(v)
	}
	return y
}
