package wire

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/clsbench/clsbench/backends"
	v1 "github.com/clsbench/clsbench/backends/wire/backendv1"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/tensor"
)

// Map makes a region known.
func (s *Server) Map(ctx context.Context, q *v1.MapRequest) (*v1.MapResponse, error) {
	ses, err := s.lookSession(q.GetSession())
	if err != nil {
		return nil, err
	}
	m, err := newMemory(q)
	if err != nil {
		return nil, err
	}
	if err := ses.regions.add(q.GetRegion(), m); err != nil {
		return nil, errors.Join(err, m.free())
	}
	if q.GetTransfer() {
		return &v1.MapResponse{}, nil
	}
	err = ses.call(ctx, func() error {
		return ses.session.Map(ctx, &backends.Region{ID: q.GetRegion(), Data: m.data})
	})
	if err != nil {
		return nil, errors.Join(err, ses.regions.drop(q.GetRegion()))
	}
	return &v1.MapResponse{}, nil
}

// Unmap forgets a region.
func (s *Server) Unmap(ctx context.Context, q *v1.UnmapRequest) (*v1.UnmapResponse, error) {
	ses, err := s.lookSession(q.GetSession())
	if err != nil {
		return nil, err
	}
	m, ok := ses.regions.get(q.GetRegion())
	if ok && !m.transfer {
		err = ses.call(ctx, func() error { return ses.session.Unmap(ctx, q.GetRegion()) })
		if err != nil {
			return nil, err
		}
	}
	return &v1.UnmapResponse{}, ses.regions.drop(q.GetRegion())
}

// Upload takes the host's side of private regions.
func (s *Server) Upload(stream grpc.ClientStreamingServer[v1.UploadRequest, v1.UploadResponse]) error {
	for {
		q, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&v1.UploadResponse{})
		}
		if err != nil {
			return err
		}
		ses, err := s.lookSession(q.GetSession())
		if err != nil {
			return err
		}
		err = ses.regions.with(q.GetRegion(), q.GetOffset(), int64(len(q.GetData())), func(b []byte) error {
			copy(b, q.GetData())
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// Download gives the plugin's side of private regions.
func (s *Server) Download(q *v1.DownloadRequest, stream grpc.ServerStreamingServer[v1.DownloadResponse]) error {
	ses, err := s.lookSession(q.GetSession())
	if err != nil {
		return err
	}
	for _, r := range q.GetRanges() {
		for at, end := r.GetOffset(), r.GetOffset()+r.GetBytes(); at < end; at += chunkBytes {
			err := ses.regions.with(r.GetRegion(), at, min(chunkBytes, end-at), func(b []byte) error {
				return stream.Send(&v1.DownloadResponse{Region: r.GetRegion(), Offset: at, Data: b})
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (ses *served) program(b []byte) (*graph.Program, error) {
	p, err := onnx.Unmarshal(b, onnx.WithResolver(ses.regions.resolve))
	if err != nil {
		return nil, backends.Malformed(err)
	}
	free, known := availableMemory()
	state := int64(0)
	for _, v := range p.State {
		if state += int64(v.Type.Bytes()); known && state > free {
			return nil, &backends.Error{Code: backends.ResourceExhausted, Message: "the program's state", Wanted: state, Free: free}
		}
	}
	return p, nil
}

// Check asks for the nodes' verdicts.
func (s *Server) Check(ctx context.Context, q *v1.CheckRequest) (*v1.CheckResponse, error) {
	ses, err := s.lookSession(q.GetSession())
	if err != nil {
		return nil, err
	}
	p, err := ses.program(q.GetProgram())
	if err != nil {
		return nil, err
	}
	resp := &v1.CheckResponse{}
	err = ses.call(ctx, func() error {
		verdicts, err := ses.session.Check(ctx, p)
		for _, v := range verdicts {
			resp.Verdicts = append(resp.Verdicts, &v1.NodeVerdict{
				Node: v.Node, Supported: v.Supported, Version: int32(v.Version), Why: v.Why})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// Compile compiles a program.
func (s *Server) Compile(ctx context.Context, q *v1.CompileRequest) (*v1.CompileResponse, error) {
	ses, err := s.lookSession(q.GetSession())
	if err != nil {
		return nil, err
	}
	p, err := ses.program(q.GetProgram())
	if err != nil {
		return nil, err
	}
	var bindings []backends.Binding
	for _, b := range q.GetBindings() {
		bindings = append(bindings, backends.Binding{Value: b.GetValue(), Region: b.GetRegion(),
			Offset: b.GetOffset(), Stride: b.GetStride(), Slots: int(b.GetSlots())})
	}
	resp := &v1.CompileResponse{}
	err = ses.call(ctx, func() error {
		exe, err := ses.session.Compile(ctx, p, bindings)
		if err != nil {
			return err
		}
		resp.Plan = planMessage(exe.Plan())
		s.mu.Lock()
		defer s.mu.Unlock()
		s.last++
		resp.Executable = s.last
		s.executables[s.last] = &compiled{exe, ses, q.GetSession()}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// CloseExecutable frees an executable.
func (s *Server) CloseExecutable(ctx context.Context, q *v1.CloseExecutableRequest) (*v1.CloseExecutableResponse, error) {
	e, err := s.lookExecutable(q.GetExecutable())
	if err != nil {
		return nil, err
	}
	if err := e.session.take(ctx); err != nil { // poisoned sessions too are tidied up
		return nil, err
	}
	defer e.session.give()
	s.mu.Lock()
	delete(s.executables, q.GetExecutable())
	s.mu.Unlock()
	return &v1.CloseExecutableResponse{}, e.executable.Close()
}

// Run runs steps.
func (s *Server) Run(ctx context.Context, q *v1.RunRequest) (*v1.RunResponse, error) {
	e, err := s.lookExecutable(q.GetExecutable())
	if err != nil {
		return nil, err
	}
	r := backends.RunRequest{First: q.GetFirst(), Steps: int(q.GetSteps()), Sync: q.GetSync(),
		Profile: q.GetProfile(), Arrival: q.GetArrival()}
	if err := checkRun(r); err != nil {
		return nil, err
	}
	resp := &v1.RunResponse{}
	err = e.session.call(ctx, func() error {
		samples, err := e.executable.Run(ctx, r)
		samplesMessage(resp, samples)
		switch backends.CodeOf(err) {
		case "":
		case backends.Canceled, backends.DeadlineExceeded:
			resp.Cancelled = true
			return nil
		case backends.InvalidArgument, backends.FailedPrecondition: // refused before the first step
		default:
			e.session.poison = backends.Errorf(backends.FailedPrecondition, "the session is undefined after a failed run: %v", err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// checkRun refuses what no backend needs to see.
func checkRun(r backends.RunRequest) error {
	if r.First < 0 || r.Steps < 0 || r.Steps > maxRunSteps || r.First > 1<<62 || (len(r.Arrival) != 0 && len(r.Arrival) != r.Steps) {
		return backends.Errorf(backends.InvalidArgument, "run: first step %d, %d steps, %d arrivals; want at most %d steps and an arrival for each or none",
			r.First, r.Steps, len(r.Arrival), maxRunSteps)
	}
	return nil
}

// Read copies state out.
func (s *Server) Read(ctx context.Context, q *v1.ReadRequest) (*v1.ReadResponse, error) {
	ses, err := s.lookSession(q.GetSession())
	if err != nil {
		return nil, err
	}
	resp := &v1.ReadResponse{}
	err = ses.withTensors(q.GetTensors(), false, nil, func(names []string, dst []*tensor.Tensor) error {
		for i, t := range dst {
			if q.GetTensors()[i].GetRegion() == 0 {
				resp.Data = append(resp.Data, t.Data)
			}
		}
		return ses.call(ctx, func() error { return ses.session.Read(ctx, names, dst) })
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// Write copies state in.
func (s *Server) Write(ctx context.Context, q *v1.WriteRequest) (*v1.WriteResponse, error) {
	ses, err := s.lookSession(q.GetSession())
	if err != nil {
		return nil, err
	}
	err = ses.withTensors(q.GetTensors(), true, q.GetData(), func(names []string, src []*tensor.Tensor) error {
		return ses.call(ctx, func() error { return ses.session.Write(ctx, names, src) })
	})
	if err != nil {
		return nil, err
	}
	return &v1.WriteResponse{}, nil
}

// withTensors lends f the tensors that refs describe: views of transfer
// regions, or fresh memory, filled from inline if asked.
func (ses *served) withTensors(refs []*v1.TensorRef, fill bool, inline [][]byte, f func([]string, []*tensor.Tensor) error) error {
	names, ts := make([]string, len(refs)), make([]*tensor.Tensor, len(refs))
	budget := int64(maxInline)
	for i, r := range refs {
		ty, err := typeOf(r)
		if err != nil {
			return backends.Errorf(backends.InvalidArgument, "tensor %q: %v", r.GetName(), err)
		}
		names[i] = r.GetName()
		size := int64(ty.Bytes())
		var data []byte
		if r.GetRegion() != 0 {
			m, ok := ses.regions.get(r.GetRegion())
			n := int64(0)
			if ok {
				n = int64(len(m.data))
			}
			if at := r.GetOffset(); !ok || !m.transfer || at < 0 || at > n || size > n-at {
				return backends.Errorf(backends.InvalidArgument, "tensor %q: no %d bytes at %d of transfer region %d", r.GetName(), size, at, r.GetRegion())
			}
			data = m.data[r.GetOffset():][:size:size]
		} else {
			if budget -= size; budget < 0 {
				return backends.Errorf(backends.InvalidArgument, "tensors of more than %d bytes go by region", maxInline)
			}
			data = tensor.AlignedBytes(int(size))
			if fill {
				if len(inline) == 0 || int64(len(inline[0])) != size {
					return backends.Errorf(backends.InvalidArgument, "tensor %q: its data is missing or not %d bytes long", r.GetName(), size)
				}
				copy(data, inline[0])
				inline = inline[1:]
			}
		}
		if ts[i], err = tensor.Wrap(ty, data); err != nil {
			return backends.Errorf(backends.InvalidArgument, "tensor %q: %v", r.GetName(), err)
		}
	}
	return f(names, ts)
}

// Stats reads the session's counters.
func (s *Server) Stats(ctx context.Context, q *v1.StatsRequest) (*v1.StatsResponse, error) {
	ses, err := s.lookSession(q.GetSession())
	if err != nil {
		return nil, err
	}
	resp := &v1.StatsResponse{}
	err = ses.call(ctx, func() error {
		st, err := ses.session.Stats(ctx)
		resp.DeviceBytes, resp.DevicePeakBytes = st.DeviceBytes, st.DevicePeakBytes
		resp.StateBytes, resp.ArenaBytes = st.StateBytes, st.ArenaBytes
		resp.ClockMhz, resp.PowerWatts = st.ClockMHz, st.PowerWatts
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}
