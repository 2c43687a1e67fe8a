package faulty

import (
	"context"
	"fmt"
	"os"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// New makes a backend that is healthy but for the fault.
func New(healthy backends.Backend, f Fault) backends.Backend { return &backend{healthy, f} }

type backend struct {
	backends.Backend
	fault Fault
}

func (b *backend) Describe(ctx context.Context) (backends.Description, error) {
	if err := b.fault.in("describe"); err != nil {
		return backends.Description{}, err
	}
	d, err := b.Backend.Describe(ctx)
	if name, ok := wrongNames[b.fault.How]; ok && b.fault.Call == "describe" {
		d.Name = name
	}
	return d, err
}

func (b *backend) Open(ctx context.Context, cfg backends.SessionConfig) (backends.Session, error) {
	if err := b.fault.in("open"); err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "opened with %d threads\n", cfg.Threads)
	s, err := b.Backend.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &session{Session: s, fault: b.fault, data: map[uint32][]byte{}}, nil
}

type session struct {
	backends.Session
	fault Fault
	data  map[uint32][]byte // of the mapped regions
}

func (s *session) Map(ctx context.Context, r *backends.Region) error {
	if err := s.fault.in("map"); err != nil {
		return err
	}
	s.data[r.ID] = r.Data
	return s.Session.Map(ctx, r)
}

func (s *session) Unmap(ctx context.Context, id uint32) error {
	if err := s.fault.in("unmap"); err != nil {
		return err
	}
	delete(s.data, id)
	return s.Session.Unmap(ctx, id)
}

func (s *session) Check(ctx context.Context, p *graph.Program) ([]backends.NodeVerdict, error) {
	meets := s.fault.Call == "check" && s.fault.meets(p)
	if meets {
		if err := s.fault.in("check"); err != nil {
			return nil, err
		}
	}
	v, err := s.Session.Check(ctx, p)
	if spoil := wrongVerdicts[s.fault.How]; err == nil && meets && spoil != nil {
		ops := make([]string, len(p.Nodes))
		for i := range p.Nodes {
			ops[i] = p.Nodes[i].Op
		}
		v = spoil(v, ops)
	}
	return v, err
}

func (s *session) Compile(ctx context.Context, p *graph.Program, bindings []backends.Binding) (backends.Executable, error) {
	if !s.fault.meets(p) {
		return s.Session.Compile(ctx, p, bindings)
	}
	if err := s.fault.in("compile"); err != nil {
		return nil, err
	}
	e, err := s.Session.Compile(ctx, p, bindings)
	if err != nil {
		return nil, err
	}
	x := &executable{Executable: e, fault: s.fault}
	for _, b := range bindings {
		if b.Value == "image" {
			x.ring = s.data[b.Region][b.Offset:]
			x.stride, x.slots = b.Stride, int64(b.Slots)
		}
	}
	return x, nil
}

func (s *session) Read(ctx context.Context, names []string, dst []*tensor.Tensor) error {
	if err := s.fault.in("read"); err != nil {
		return err
	}
	return s.Session.Read(ctx, names, dst)
}

func (s *session) Write(ctx context.Context, names []string, src []*tensor.Tensor) error {
	if err := s.fault.in("write"); err != nil {
		return err
	}
	return s.Session.Write(ctx, names, src)
}

func (s *session) Stats(ctx context.Context) (backends.Stats, error) {
	if err := s.fault.in("stats"); err != nil {
		return backends.Stats{}, err
	}
	return s.Session.Stats(ctx)
}

func (s *session) Close() error {
	if err := s.fault.in("close-session"); err != nil {
		return err
	}
	return s.Session.Close()
}

type executable struct {
	backends.Executable
	fault Fault
	runs  int

	ring          []byte // of the feed "image"
	stride, slots int64
	last          []byte // hash of the inputs of the last call
}

func (e *executable) Plan() backends.Plan {
	p := e.Executable.Plan()
	if spoil := wrongPlans[e.fault.How]; e.fault.Call == "plan" && spoil != nil {
		spoil(&p)
	}
	return p
}

func (e *executable) Run(ctx context.Context, r backends.RunRequest) (backends.Samples, error) {
	e.runs++
	if e.fault.Call != "run" || e.runs <= e.fault.After {
		return e.Executable.Run(ctx, r)
	}
	if err := e.fault.in("run"); err != nil {
		return backends.Samples{}, err
	}
	s, err := e.Executable.Run(ctx, r)
	if lie := lies[e.fault.How]; err == nil && lie != nil {
		lie(e, &s, r)
	}
	return s, err
}

func (e *executable) Close() error {
	if err := e.fault.in("close-executable"); err != nil {
		return err
	}
	return e.Executable.Close()
}
