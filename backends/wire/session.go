package wire

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/clsbench/clsbench/backends"
	v1 "github.com/clsbench/clsbench/backends/wire/backendv1"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/tensor"
)

// session is the host's side of a session.
type session struct {
	client *Client
	id     uint64

	mu    sync.Mutex
	links map[uint32]*link // of mapped regions, by number
}

// procPath is where another process of the same user finds an open file.
func procPath(f *os.File) string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd()) }

func (s *session) Map(ctx context.Context, r *backends.Region) error {
	l, err := s.attach(ctx, r, false)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.links[r.ID] = l
	s.mu.Unlock()
	return nil
}

// Unmap has the time of Close if ctx has no deadline: it is often the first
// call of tidying up after a plugin that hangs.
func (s *session) Unmap(ctx context.Context, id uint32) error {
	if _, limited := ctx.Deadline(); !limited {
		var done func()
		ctx, done = context.WithTimeout(ctx, s.client.opts.CloseTime)
		defer done()
	}
	n := s.client.number()
	if _, err := call(ctx, s.client, "Unmap", n, &v1.UnmapRequest{Call: n, Session: s.id, Region: id}, s.client.rpc.Unmap); err != nil {
		return err
	}
	s.mu.Lock()
	l := s.links[id]
	delete(s.links, id)
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.free()
}

// encode writes a program, with its large constants in a transfer region that
// done gives back.
func (s *session) encode(ctx context.Context, p *graph.Program) (b []byte, done func(), err error) {
	offsets, total := map[string]int64{}, int64(0)
	for _, c := range p.Consts {
		if c.Tensor != nil && len(c.Tensor.Data) > maxInline {
			offsets[c.Name] = total
			total += roundUp(int64(len(c.Tensor.Data)))
		}
	}
	t := &transfer{release: func() {}}
	if total > 0 {
		if t, err = s.transfer(ctx, total); err != nil {
			return nil, nil, err
		}
		for _, c := range p.Consts {
			if at, ok := offsets[c.Name]; ok {
				copy(t.region.Data[at:], c.Tensor.Data)
			}
		}
		err = s.push(ctx, []span{{t.link, 0, total}})
	}
	if err == nil {
		b, err = onnx.Marshal(p, onnx.WithExternal(func(c graph.Const) (string, int64, bool) {
			at, ok := offsets[c.Name]
			if !ok {
				return "", 0, false
			}
			return locationOf(t.region.ID), at, true
		}))
		if err != nil {
			err = backends.Malformed(err)
		}
	}
	if err == nil {
		err = tooLarge("program "+p.Name, len(b))
	}
	if err != nil {
		t.release()
		return nil, nil, err
	}
	return b, t.release, nil
}

func (s *session) Check(ctx context.Context, p *graph.Program) ([]backends.NodeVerdict, error) {
	b, done, err := s.encode(ctx, p)
	if err != nil {
		return nil, err
	}
	defer done()
	n := s.client.number()
	r, err := call(ctx, s.client, "Check", n, &v1.CheckRequest{Call: n, Session: s.id, Program: b}, s.client.rpc.Check)
	if err != nil {
		return nil, err
	}
	if len(r.GetVerdicts()) != len(p.Nodes) {
		return nil, backends.Errorf(backends.Internal, "the plugin gave %d verdicts on %d nodes", len(r.GetVerdicts()), len(p.Nodes))
	}
	out := make([]backends.NodeVerdict, len(p.Nodes))
	for i, v := range r.GetVerdicts() {
		if v.GetNode() != p.Nodes[i].Name {
			return nil, backends.Errorf(backends.Internal, "the plugin's verdict %d is on node %q, want %q", i, clip(v.GetNode()), p.Nodes[i].Name)
		}
		out[i] = backends.NodeVerdict{Node: v.GetNode(), Supported: v.GetSupported(), Version: int(v.GetVersion()), Why: v.GetWhy()}
	}
	return out, nil
}

func (s *session) Compile(ctx context.Context, p *graph.Program, bindings []backends.Binding) (backends.Executable, error) {
	g, err := p.Infer()
	if err != nil {
		return nil, backends.Malformed(err)
	}
	b, done, err := s.encode(ctx, p)
	if err != nil {
		return nil, err
	}
	defer done()
	n := s.client.number()
	q := &v1.CompileRequest{Call: n, Session: s.id, Program: b}
	for _, x := range bindings {
		if x.Slots < 0 || x.Slots > backends.MaxSlots {
			return nil, backends.Errorf(backends.InvalidArgument, "binding %q: %d slots, want 1 to %d", x.Value, x.Slots, backends.MaxSlots)
		}
		q.Bindings = append(q.Bindings, &v1.Binding{Value: x.Value, Region: x.Region, Offset: x.Offset, Stride: x.Stride, Slots: int32(x.Slots)})
	}
	r, err := call(ctx, s.client, "Compile", n, q, s.client.rpc.Compile)
	if err != nil {
		return nil, err
	}
	e := &executable{session: s, id: r.GetExecutable()}
	if e.plan, err = plan(r.GetPlan(), g); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	e.rings = s.rings(g, bindings)
	return e, nil
}

func (s *session) Read(ctx context.Context, names []string, dst []*tensor.Tensor) error {
	refs, total, err := references(names, dst)
	if err != nil {
		return err
	}
	n := s.client.number()
	q := &v1.ReadRequest{Call: n, Session: s.id, Tensors: refs}
	if total <= maxInline {
		r, err := call(ctx, s.client, "Read", n, q, s.client.rpc.Read)
		if err != nil {
			return err
		}
		for i, t := range dst {
			if len(r.GetData()) != len(dst) || len(r.Data[i]) != len(t.Data) {
				return backends.Errorf(backends.Internal, "the plugin's answer to Read has the wrong size")
			}
		}
		for i, t := range dst {
			copy(t.Data, r.Data[i])
		}
		return nil
	}
	t, err := s.transfer(ctx, total)
	if err != nil {
		return err
	}
	defer t.release()
	t.place(refs, dst)
	if _, err := call(ctx, s.client, "Read", n, q, s.client.rpc.Read); err != nil {
		return err
	}
	if err := s.pull(ctx, []span{{t.link, 0, total}}); err != nil {
		return err
	}
	for i, x := range dst {
		copy(x.Data, t.region.Data[refs[i].GetOffset():])
	}
	return nil
}

func (s *session) Write(ctx context.Context, names []string, src []*tensor.Tensor) error {
	refs, total, err := references(names, src)
	if err != nil {
		return err
	}
	n := s.client.number()
	q := &v1.WriteRequest{Call: n, Session: s.id, Tensors: refs}
	if total <= maxInline {
		for _, t := range src {
			q.Data = append(q.Data, t.Data)
		}
	} else {
		t, err := s.transfer(ctx, total)
		if err != nil {
			return err
		}
		defer t.release()
		t.place(refs, src)
		for i, x := range src {
			copy(t.region.Data[refs[i].GetOffset():], x.Data)
		}
		if err := s.push(ctx, []span{{t.link, 0, total}}); err != nil {
			return err
		}
	}
	_, err = call(ctx, s.client, "Write", n, q, s.client.rpc.Write)
	return err
}

// references describes tensors; total is what they take in a region.
func references(names []string, ts []*tensor.Tensor) (refs []*v1.TensorRef, total int64, err error) {
	if len(names) != len(ts) {
		return nil, 0, backends.Errorf(backends.InvalidArgument, "%d names and %d tensors", len(names), len(ts))
	}
	for i, t := range ts {
		if t == nil || t.Validate() != nil || len(t.Data) != t.Bytes() {
			return nil, 0, backends.Errorf(backends.InvalidArgument, "tensor for %q: data does not fill its type", names[i])
		}
		refs = append(refs, refOf(names[i], t))
		total += roundUp(int64(len(t.Data)))
	}
	return refs, total, nil
}

func roundUp(n int64) int64 { return (n + 63) &^ 63 }

// transfer is a region of the transport's own.
type transfer struct {
	*link
	release func()
}

func (s *session) transfer(ctx context.Context, bytes int64) (*transfer, error) {
	r, err := backends.NewRegion(bytes)
	if err != nil {
		return nil, err
	}
	l, err := s.attach(ctx, r, true)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &transfer{l, func() {
		ctx, done := s.client.closing()
		defer done()
		n := s.client.number()
		// If the plugin has gone, so has its mapping.
		_, _ = call(ctx, s.client, "Unmap", n, &v1.UnmapRequest{Call: n, Session: s.id, Region: r.ID}, s.client.rpc.Unmap)
		_, _ = l.free(), r.Close()
	}}, nil
}

// place lays tensors out in the region, each on a cache line.
func (t *transfer) place(refs []*v1.TensorRef, ts []*tensor.Tensor) {
	at := int64(0)
	for i, x := range ts {
		refs[i].Region, refs[i].Offset = t.region.ID, at
		at += roundUp(int64(len(x.Data)))
	}
}

func (s *session) Stats(ctx context.Context) (backends.Stats, error) {
	n := s.client.number()
	r, err := call(ctx, s.client, "Stats", n, &v1.StatsRequest{Call: n, Session: s.id}, s.client.rpc.Stats)
	if err != nil {
		return backends.Stats{}, err
	}
	return backends.Stats{
		DeviceBytes: r.GetDeviceBytes(), DevicePeakBytes: r.GetDevicePeakBytes(),
		StateBytes: r.GetStateBytes(), ArenaBytes: r.GetArenaBytes(),
		ClockMHz: r.GetClockMhz(), PowerWatts: r.GetPowerWatts(),
	}, nil
}

// Close frees the host's side even when the plugin has gone.
func (s *session) Close() error {
	ctx, done := s.client.closing()
	defer done()
	n := s.client.number()
	_, err := call(ctx, s.client, "CloseSession", n, &v1.CloseSessionRequest{Session: s.id, Call: n}, s.client.rpc.CloseSession)
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, l := range s.links {
		err = errors.Join(err, l.free())
		delete(s.links, id)
	}
	return err
}
