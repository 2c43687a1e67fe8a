// Package null is a backend that computes nothing: it takes every program that
// the op table knows, keeps its state, runs the timed loop and leaves the
// fetches as they are. What remains is the harness's own cost, which is what
// it is for. It claims no suite, and every case of a suite must reject it.
package null

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// readOption makes each step read its feeds, as a backend at its fastest must.
const readOption = "read"

// New makes the backend.
func New() backends.Backend { return backend{} }

type backend struct{}

func (backend) Describe(context.Context) (backends.Description, error) {
	return backends.Description{
		Name:    "null",
		Version: "1",
		Devices: []backends.Device{{Name: "nothing", Kind: "other"}},
		Options: []backends.Option{{Name: readOption, Help: "1: read every byte of the feeds in each step", Values: []string{"0", "1"}}},
	}, nil
}

func (backend) Open(_ context.Context, cfg backends.SessionConfig) (backends.Session, error) {
	if cfg.Device != 0 {
		return nil, backends.Errorf(backends.InvalidArgument, "device %d: there is one, 0", cfg.Device)
	}
	if cfg.Math != "" && cfg.Math != graph.Strict {
		return nil, backends.Errorf(backends.InvalidArgument, "math mode %q: want %s", cfg.Math, graph.Strict)
	}
	for k, v := range cfg.Options {
		if k != readOption || (v != "0" && v != "1") {
			return nil, backends.Errorf(backends.InvalidArgument, "option %s=%s: want %s=0 or %s=1", k, v, readOption, readOption)
		}
	}
	return &session{reads: cfg.Options[readOption] == "1", state: map[string]*tensor.Tensor{}}, nil
}

type session struct {
	reads   bool
	regions backends.Regions
	state   map[string]*tensor.Tensor
	closed  bool
}

func (s *session) open() error {
	if s.closed {
		return backends.Errorf(backends.FailedPrecondition, "the session is closed")
	}
	return nil
}

func (s *session) Map(_ context.Context, r *backends.Region) error {
	if err := s.open(); err != nil {
		return err
	}
	return s.regions.Map(r)
}

func (s *session) Unmap(_ context.Context, id uint32) error {
	if err := s.open(); err != nil {
		return err
	}
	return s.regions.Unmap(id)
}

func (s *session) Check(_ context.Context, p *graph.Program) ([]backends.NodeVerdict, error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	g, err := p.Infer()
	if err != nil {
		return nil, backends.Malformed(err)
	}
	verdicts := make([]backends.NodeVerdict, len(g.Calls))
	for i := range g.Calls {
		verdicts[i] = backends.NodeVerdict{Node: g.Calls[i].Name, Supported: true, Version: g.Calls[i].Op.Version}
	}
	return verdicts, nil
}

func (s *session) Compile(_ context.Context, p *graph.Program, bindings []backends.Binding) (backends.Executable, error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	begin := time.Now()
	g, err := p.Infer()
	if err != nil {
		return nil, backends.Malformed(err)
	}
	for _, v := range g.State {
		if err := s.declare(v); err != nil {
			return nil, err
		}
	}
	rings, err := s.regions.Bind(g, bindings)
	if err != nil {
		return nil, err
	}
	e := &executable{session: s, bindings: slices.Clone(bindings)}
	if s.reads {
		for _, f := range g.Feeds {
			e.feeds = append(e.feeds, rings[f.Name])
		}
	}
	e.plan, err = plan(g)
	e.plan.CompileTime = time.Since(begin)
	return e, err
}

// plan is one partition that says what it is.
func plan(g *graph.Graph) (backends.Plan, error) {
	part := backends.Partition{Kernel: "nothing", Algorithm: "none", Math: graph.Strict}
	for i := range g.Nodes {
		part.Nodes = append(part.Nodes, g.Nodes[i].Name)
	}
	text, err := json.Marshal(g.Nodes)
	sum := sha256.Sum256(text)
	return backends.Plan{Partitions: []backends.Partition{part}, Digest: hex.EncodeToString(sum[:])}, err
}

// declare creates a state variable, zeroed, unless it is there.
func (s *session) declare(v graph.Value) error {
	old, ok := s.state[v.Name]
	if !ok {
		s.state[v.Name] = tensor.New(v.Type.DType, v.Type.Shape...)
		return nil
	}
	if !old.Type.Equal(v.Type) {
		return backends.Errorf(backends.InvalidArgument, "state %q is %v already, not %v", v.Name, old.Type, v.Type)
	}
	return nil
}

func (s *session) Read(_ context.Context, names []string, dst []*tensor.Tensor) error {
	if err := s.open(); err != nil {
		return err
	}
	for i, name := range names {
		t, ok := s.state[name]
		if !ok || !t.Type.Equal(dst[i].Type) {
			return backends.Errorf(backends.InvalidArgument, "state %q of type %v: there is none", name, dst[i].Type)
		}
		copy(dst[i].Data, t.Data)
	}
	return nil
}

func (s *session) Write(_ context.Context, names []string, src []*tensor.Tensor) error {
	if err := s.open(); err != nil {
		return err
	}
	for i, name := range names {
		if err := s.declare(graph.Value{Name: name, Type: src[i].Type}); err != nil {
			return err
		}
		copy(s.state[name].Data, src[i].Data)
	}
	return nil
}

func (s *session) Stats(context.Context) (backends.Stats, error) {
	var st backends.Stats
	for _, t := range s.state {
		st.StateBytes += int64(len(t.Data))
	}
	return st, s.open()
}

func (s *session) Close() error {
	s.closed = true
	return nil
}

type executable struct {
	session  *session
	plan     backends.Plan
	bindings []backends.Binding
	feeds    []*backends.Ring // to read; none without the option
	samples  []backends.StepSample
	sum      uint64 // of what was read, so that the reading can't be left out
	closed   bool
}

func (e *executable) Plan() backends.Plan { return e.plan }

func (e *executable) Run(ctx context.Context, r backends.RunRequest) (backends.Samples, error) {
	if err := e.session.open(); err != nil || e.closed {
		return backends.Samples{}, backends.Errorf(backends.FailedPrecondition, "the executable or its session is closed")
	}
	var err error
	e.samples, err = backends.Loop(ctx, r, e.samples, func(n int64, _ *backends.Split) error {
		for _, f := range e.feeds {
			e.sum += Sum(f.At(n))
		}
		return nil
	})
	return backends.Samples{Steps: e.samples}, err
}

func (e *executable) Close() error {
	if e.closed {
		return fmt.Errorf("the executable is closed already")
	}
	e.closed = true
	e.session.regions.Release(e.bindings)
	return nil
}

// Sum reads every byte of b, eight at a time in four chains, which one thread
// can do as fast as memory delivers.
func Sum(b []byte) uint64 {
	w := tensor.View[int64](b)
	var s0, s1, s2, s3 int64
	for ; len(w) >= 8; w = w[8:] {
		s0 += w[0] + w[4]
		s1 += w[1] + w[5]
		s2 += w[2] + w[6]
		s3 += w[3] + w[7]
	}
	for _, x := range w {
		s0 += x
	}
	for _, x := range b[len(b)&^7:] {
		s1 += int64(x)
	}
	return uint64(s0 + s1 + s2 + s3)
}
