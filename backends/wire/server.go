package wire

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"sync"

	"google.golang.org/grpc"

	"github.com/clsbench/clsbench/backends"
	v1 "github.com/clsbench/clsbench/backends/wire/backendv1"
)

// Server serves a backend. A session and its executables are called from one
// goroutine at a time; sessions run beside each other.
type Server struct {
	v1.UnimplementedBackendServiceServer
	backend backends.Backend

	mu          sync.Mutex
	last        uint64 // number last given to a session or executable
	sessions    map[uint64]*served
	executables map[uint64]*compiled
	calls       map[uint64]context.CancelFunc // calls under way that Cancel can name
}

// served is an open session.
type served struct {
	session backends.Session
	regions memories
	turn    chan struct{} // holds one token; who has it may call the session
	poison  error         // set by a failure that leaves the state undefined
}

// compiled is an executable with its session.
type compiled struct {
	executable backends.Executable
	session    *served
	owner      uint64
}

// NewServer serves b.
func NewServer(b backends.Backend) *Server {
	return &Server{
		backend:     b,
		sessions:    map[uint64]*served{},
		executables: map[uint64]*compiled{},
		calls:       map[uint64]context.CancelFunc{},
	}
}

// GRPCOptions are what a gRPC server needs beside the service: limits, and the
// interceptors that make calls cancellable, errors typed and panics survivable.
func (s *Server) GRPCOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxMessage),
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(window),
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
	}
}

func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (resp any, err error) {
	defer recovered(info.FullMethod, &err)
	if named, ok := req.(interface{ GetCall() uint64 }); ok && named.GetCall() != 0 {
		var done func()
		ctx, done = s.begin(ctx, named.GetCall())
		defer done()
	}
	resp, err = handle(ctx, req)
	return resp, toStatus(err)
}

func (s *Server) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer recovered(info.FullMethod, &err)
	return toStatus(handle(srv, ss))
}

// recovered turns a panic into an error: one bad call must not end the plugin.
func recovered(method string, err *error) {
	if p := recover(); p != nil {
		fmt.Fprintf(os.Stderr, "panic in %s: %v\n%s", method, p, debug.Stack())
		*err = toStatus(backends.Errorf(backends.Internal, "panic: %v", p))
	}
}

// begin makes a call known to Cancel.
func (s *Server) begin(ctx context.Context, call uint64) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	s.calls[call] = cancel
	s.mu.Unlock()
	return ctx, func() {
		s.mu.Lock()
		delete(s.calls, call)
		s.mu.Unlock()
		cancel()
	}
}

// Cancel stops a call between steps.
func (s *Server) Cancel(_ context.Context, q *v1.CancelRequest) (*v1.CancelResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.calls[q.GetTarget()]; cancel != nil {
		cancel()
	}
	return &v1.CancelResponse{}, nil
}

// Describe says what the backend is.
func (s *Server) Describe(ctx context.Context, _ *v1.DescribeRequest) (*v1.DescribeResponse, error) {
	d, err := s.backend.Describe(ctx)
	if err != nil {
		return nil, err
	}
	return describeResponse(d), nil
}

// Open opens a session.
func (s *Server) Open(ctx context.Context, q *v1.OpenRequest) (*v1.OpenResponse, error) {
	ses, err := s.backend.Open(ctx, backends.SessionConfig{
		Device: int(q.GetDevice()), Math: q.GetMath(), Threads: int(q.GetThreads()),
		Deterministic: q.GetDeterministic(), Guards: q.GetGuards(), Options: q.GetOptions(),
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.sessions[s.last] = &served{session: ses, turn: make(chan struct{}, 1)}
	return &v1.OpenResponse{Session: s.last}, nil
}

// CloseSession closes a session with all its executables and regions.
func (s *Server) CloseSession(_ context.Context, q *v1.CloseSessionRequest) (*v1.CloseSessionResponse, error) {
	s.mu.Lock()
	ses, ok := s.sessions[q.GetSession()]
	delete(s.sessions, q.GetSession())
	var left []*compiled
	for id, e := range s.executables {
		if e.owner == q.GetSession() {
			left = append(left, e)
			delete(s.executables, id)
		}
	}
	s.mu.Unlock()
	if !ok {
		return nil, backends.Errorf(backends.FailedPrecondition, "session %d is not open", q.GetSession())
	}
	return &v1.CloseSessionResponse{}, ses.close(left)
}

// close waits for its turn without a limit: the host kills who takes too long.
func (ses *served) close(left []*compiled) error {
	ses.turn <- struct{}{}
	defer ses.give()
	var first error
	for _, e := range left {
		if err := e.executable.Close(); err != nil && first == nil {
			first = err
		}
	}
	if err := ses.session.Close(); err != nil && first == nil {
		first = err
	}
	ses.poison = backends.Errorf(backends.FailedPrecondition, "the session is closed")
	ses.regions.dropAll()
	return first
}

// Close closes every session.
func (s *Server) Close() {
	s.mu.Lock()
	var ids []uint64
	for id := range s.sessions {
		ids = append(ids, id)
	}
	for _, cancel := range s.calls {
		cancel()
	}
	s.mu.Unlock()
	for _, id := range ids {
		if _, err := s.CloseSession(context.Background(), &v1.CloseSessionRequest{Session: id}); err != nil {
			fmt.Fprintf(os.Stderr, "closing session %d: %v\n", id, err)
		}
	}
}

func (s *Server) lookSession(id uint64) (*served, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ses := s.sessions[id]; ses != nil {
		return ses, nil
	}
	return nil, backends.Errorf(backends.FailedPrecondition, "session %d is not open", id)
}

func (s *Server) lookExecutable(id uint64) (*compiled, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.executables[id]; e != nil {
		return e, nil
	}
	return nil, backends.Errorf(backends.FailedPrecondition, "executable %d is not open", id)
}

// take waits for the session's turn.
func (ses *served) take(ctx context.Context) error {
	select {
	case ses.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (ses *served) give() { <-ses.turn }

// call runs f in the session's turn. A panic in f poisons the session.
func (ses *served) call(ctx context.Context, f func() error) error {
	if err := ses.take(ctx); err != nil {
		return err
	}
	defer ses.give()
	if ses.poison != nil {
		return ses.poison
	}
	returned := false
	defer func() {
		if !returned {
			ses.poison = backends.Errorf(backends.FailedPrecondition, "the session is undefined after a panic")
		}
	}()
	err := f()
	returned = true
	return err
}
