package faults

import (
	"context"
	"sync"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Proxy stands between a caller and a right backend and corrupts what passes.
// SelfTest has it in a process of its own, see Proxies.
type Proxy struct {
	backends.Backend
	// Ran is called after every call of Run with what it wrote.
	Ran func(r *Passage)
	// Compiled, if not nil, may compile another program.
	Compiled func(s *ProxySession, p *graph.Program) *graph.Program
	// Written, if not nil, says whether a write of state goes through.
	Written func(s *ProxySession, name string) bool
}

// Passage is one call of Run that has come back.
type Passage struct {
	Session *ProxySession
	Graph   *graph.Graph
	Request backends.RunRequest
	Count   int // calls of this executable so far, this one included
	rings   map[string]*backends.Ring
	regions map[uint32]*backends.Region
	binds   []backends.Binding
}

// Slot is the memory of a feed or fetch at a step.
func (r *Passage) Slot(value string, step int64) []byte { return r.rings[value].At(step) }

// Steps calls f for each step of the call.
func (r *Passage) Steps(f func(step int64)) {
	for i := range r.Request.Steps {
		f(r.Request.First + int64(i))
	}
}

// Beyond is the byte after a value's slot.
func (r *Passage) Beyond(value string, step int64) *byte {
	for _, b := range r.binds {
		if b.Value == value {
			at := b.Offset + step%int64(b.Slots)*b.Stride + int64(r.Graph.Types[value].Bytes())
			return &r.regions[b.Region].Data[at]
		}
	}
	return nil
}

// Open opens the session behind the proxy.
func (p *Proxy) Open(ctx context.Context, cfg backends.SessionConfig) (backends.Session, error) {
	s, err := p.Backend.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &ProxySession{Session: s, proxy: p, mapped: map[uint32]*backends.Region{}, Seen: map[string]any{}}, nil
}

// ProxySession is a session behind the proxy.
type ProxySession struct {
	backends.Session
	Seen map[string]any // what a fault keeps between calls

	proxy  *Proxy
	mu     sync.Mutex
	mapped map[uint32]*backends.Region
	table  backends.Regions
}

// Map notes the region and passes it on.
func (s *ProxySession) Map(ctx context.Context, r *backends.Region) error {
	err := s.Session.Map(ctx, r)
	if err == nil {
		err = s.table.Map(r)
		s.mu.Lock()
		s.mapped[r.ID] = r
		s.mu.Unlock()
	}
	return err
}

// Unmap forgets the region.
func (s *ProxySession) Unmap(ctx context.Context, id uint32) error {
	err := s.Session.Unmap(ctx, id)
	if err == nil {
		err = s.table.Unmap(id)
		s.mu.Lock()
		delete(s.mapped, id)
		s.mu.Unlock()
	}
	return err
}

// Write drops what the proxy refuses.
func (s *ProxySession) Write(ctx context.Context, names []string, src []*tensor.Tensor) error {
	if s.proxy.Written == nil {
		return s.Session.Write(ctx, names, src)
	}
	var keptNames []string
	var kept []*tensor.Tensor
	for i, n := range names {
		if s.proxy.Written(s, n) {
			keptNames, kept = append(keptNames, n), append(kept, src[i])
		}
	}
	return s.Session.Write(ctx, keptNames, kept)
}

// Compile compiles what the proxy makes of the program.
func (s *ProxySession) Compile(ctx context.Context, p *graph.Program, b []backends.Binding) (backends.Executable, error) {
	if s.proxy.Compiled != nil {
		p = s.proxy.Compiled(s, p)
	}
	e, err := s.Session.Compile(ctx, p, b)
	if err != nil {
		return nil, err
	}
	g, err := p.Infer()
	if err != nil {
		return nil, err
	}
	rings, err := s.table.Bind(g, b)
	if err != nil {
		return nil, err
	}
	return &proxyExecutable{Executable: e, s: s, g: g, rings: rings, bindings: b}, nil
}

type proxyExecutable struct {
	backends.Executable
	s        *ProxySession
	g        *graph.Graph
	rings    map[string]*backends.Ring
	bindings []backends.Binding
	count    int
}

func (e *proxyExecutable) Run(ctx context.Context, r backends.RunRequest) (backends.Samples, error) {
	samples, err := e.Executable.Run(ctx, r)
	if err == nil && e.s.proxy.Ran != nil {
		e.count++
		e.s.proxy.Ran(&Passage{Session: e.s, Graph: e.g, Request: r, Count: e.count, rings: e.rings, regions: e.s.mapped, binds: e.bindings})
	}
	return samples, err
}

func (e *proxyExecutable) Close() error {
	err := e.Executable.Close()
	e.s.table.Release(e.bindings)
	return err
}
