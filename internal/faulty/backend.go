package faulty

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"time"

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

// in does the fault if it is of this call.
func (f Fault) in(call string) error {
	if f.Call != call {
		return nil
	}
	return misbehave(f.How)
}

func (b *backend) Describe(ctx context.Context) (backends.Description, error) {
	if err := b.fault.in("describe"); err != nil {
		return backends.Description{}, err
	}
	return b.Backend.Describe(ctx)
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

func (s *session) Check(ctx context.Context, p *graph.Program) ([]backends.NodeVerdict, error) {
	v, err := s.Session.Check(ctx, p)
	if err != nil || s.fault.Call != "check" || !s.fault.meets(p) {
		return v, err
	}
	switch s.fault.How {
	case "short": // an answer of the wrong shape
		return v[:len(v)-1], nil
	case "refuse-core":
		i := slices.IndexFunc(p.Nodes, func(n graph.Node) bool { return n.Op == "Cast" })
		v[i].Supported, v[i].Why = false, "no kernel for it"
		return v, nil
	}
	return v, misbehave(s.fault.How)
}

func (s *session) Compile(ctx context.Context, p *graph.Program, bindings []backends.Binding) (backends.Executable, error) {
	meets := s.fault.meets(p)
	if meets {
		if err := s.fault.in("compile"); err != nil {
			return nil, err
		}
	}
	e, err := s.Session.Compile(ctx, p, bindings)
	if err != nil || !meets || s.fault.Call != "run" {
		return e, err
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
	if err := s.fault.in("close"); err != nil {
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

func (e *executable) Run(ctx context.Context, r backends.RunRequest) (backends.Samples, error) {
	e.runs++
	if e.runs <= e.fault.After {
		return e.Executable.Run(ctx, r)
	}
	switch e.fault.How {
	case "short", "long", "early", "late", "still", "negative", "half", "slow", "sleep", "replay":
		s, err := e.Executable.Run(ctx, r)
		if err == nil {
			e.lie(&s, r)
		}
		return s, err
	}
	if err := misbehave(e.fault.How); err != nil {
		return backends.Samples{}, err
	}
	return e.Executable.Run(ctx, r)
}

// lie spoils the samples of a call, or its time.
func (e *executable) lie(s *backends.Samples, r backends.RunRequest) {
	steps := s.Steps
	switch e.fault.How {
	case "short":
		s.Steps = steps[:len(steps)-1]
	case "long":
		s.Steps = append(steps, steps[0])
	case "early": // an hour before the call
		for i := range steps {
			steps[i].Start -= int64(time.Hour)
			steps[i].End -= int64(time.Hour)
		}
	case "late": // the last step ends after the call
		steps[len(steps)-1].End += int64(time.Minute)
	case "still": // a clock that stands
		for i := range steps {
			steps[i] = backends.StepSample{Start: steps[0].Start, End: steps[0].Start}
		}
	case "negative": // parts that make up for each other
		for i := range steps {
			steps[i].Split.Device += int64(time.Second)
			steps[i].Split.Host -= int64(time.Second)
		}
	case "half": // the samples leave out most of a long call
		time.Sleep(100 * time.Millisecond)
	case "slow":
		time.Sleep(time.Duration(r.Steps) * 10 * time.Millisecond)
		steps[len(steps)-1].End = backends.Now()
	case "sleep": // does not hear that it is cancelled
		time.Sleep(30 * time.Second)
	case "replay":
		e.replay(steps, r)
	}
}

// replay takes 40 ms a step for inputs that differ from the last call's, and no
// time for the same again.
func (e *executable) replay(steps []backends.StepSample, r backends.RunRequest) {
	h := sha256.New()
	for i := range min(int64(r.Steps), e.slots) {
		slot := (r.First + i) % e.slots
		h.Write(e.ring[slot*e.stride : (slot+1)*e.stride])
	}
	sum := h.Sum(nil)
	if bytes.Equal(sum, e.last) {
		return
	}
	e.last = sum
	time.Sleep(time.Duration(r.Steps) * 40 * time.Millisecond)
	steps[len(steps)-1].End = backends.Now()
}
