package wire

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/reference"
	v1 "github.com/clsbench/clsbench/backends/wire/backendv1"
	"github.com/clsbench/clsbench/conformance/protocol"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/tensor"
)

// dial serves s in this process and returns a connection to it.
func dial(t testing.TB, s v1.BackendServiceServer) (*grpc.ClientConn, func()) {
	lis := bufconn.Listen(1 << 20)
	var opts []grpc.ServerOption
	if real, ok := s.(interface{ GRPCOptions() []grpc.ServerOption }); ok {
		opts = real.GRPCOptions()
	}
	g := grpc.NewServer(opts...)
	v1.RegisterBackendServiceServer(g, s)
	go g.Serve(lis)
	conn, err := grpc.NewClient("passthrough:///", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	require.NoError(t, err)
	return conn, func() { conn.Close(); g.Stop() }
}

// connect dials until the test's end.
func connect(t testing.TB, s v1.BackendServiceServer) *grpc.ClientConn {
	conn, stop := dial(t, s)
	t.Cleanup(stop)
	return conn
}

func serve(t testing.TB, b backends.Backend) *grpc.ClientConn { return connect(t, NewServer(b)) }

// TestProtocolInProcess passes the suite by each transport and leaves nothing
// behind: no goroutine, no mapping, no name of a file.
func TestProtocolInProcess(t *testing.T) {
	for _, how := range []Transport{Auto, File, Chunks} {
		t.Run("by "+string(how), func(t *testing.T) {
			goroutines, maps, dir := goleak.IgnoreCurrent(), mappings(t), t.TempDir()
			conn, stop := dial(t, NewServer(reference.New()))
			c := NewClient(conn, Options{Transport: how, Dir: dir})
			for _, x := range protocol.Cases() {
				require.NoError(t, x.Run(t.Context(), c))
			}
			stop()
			goleak.VerifyNone(t, goroutines)
			require.Equal(t, maps, mappings(t), "memory stays mapped")
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left, "a shadow file kept its name")
		})
	}
}

// mappings counts mapped regions and shadows.
func mappings(t *testing.T) (n int) {
	b, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	for _, line := range strings.Split(string(b), "\n") {
		if strings.Contains(line, "memfd:clsbench") || strings.Contains(line, "/region-") {
			n++
		}
	}
	return n
}

// program is y = w·x + c over n elements, with c large if n is.
func program(t testing.TB, n int) *graph.Program {
	b := graph.NewBuilder("affine")
	x, w := b.Feed("x", tensor.T(tensor.F32, n)), b.State("w", tensor.T(tensor.F32, n))
	c := tensor.New(tensor.F32, n)
	for i := range n {
		tensor.View[float32](c.Data)[i] = float32(i % 17)
	}
	b.Fetch(b.Op("Add", nil, b.Op("Mul", nil, w, x), b.Const("c", c)))
	p, err := b.Program()
	require.NoError(t, err)
	return p
}

func TestTransportIsTheOneAskedFor(t *testing.T) {
	for _, c := range []struct {
		asked, used Transport
		private     bool
	}{
		{Auto, Memfd, false}, {Auto, File, true},
		{Memfd, Memfd, false}, {File, File, false}, {Chunks, Chunks, false}, {Chunks, Chunks, true},
	} {
		client := NewClient(serve(t, reference.New()), Options{Transport: c.asked, Dir: t.TempDir()})
		ses, err := client.Open(t.Context(), backends.SessionConfig{})
		require.NoError(t, err)
		r, err := backends.NewRegion(4096)
		require.NoError(t, err)
		if c.private {
			r = backends.NewPrivateRegion(4096)
		}
		require.NoError(t, ses.Map(t.Context(), r))
		require.Equal(t, c.used, ses.(*session).links[r.ID].how)
		require.NoError(t, ses.Close())
		require.NoError(t, r.Close())
	}
	client := NewClient(serve(t, reference.New()), Options{Transport: Memfd})
	ses, err := client.Open(t.Context(), backends.SessionConfig{})
	require.NoError(t, err)
	require.Equal(t, backends.FailedPrecondition, backends.CodeOf(ses.Map(t.Context(), backends.NewPrivateRegion(64))))
	client = NewClient(serve(t, reference.New()), Options{Transport: "pigeon"})
	ses, err = client.Open(t.Context(), backends.SessionConfig{})
	require.NoError(t, err)
	require.Equal(t, backends.InvalidArgument, backends.CodeOf(ses.Map(t.Context(), backends.NewPrivateRegion(64))))
}

// blind is a server that can't open paths of some kind, as in a container.
type blind struct {
	*Server
	refuse func(path string) bool
	maps   []string
}

func (b *blind) Map(ctx context.Context, q *v1.MapRequest) (*v1.MapResponse, error) {
	b.maps = append(b.maps, q.GetPath())
	if b.refuse(q.GetPath()) {
		q.Inode++ // another PID namespace shows a stranger there
	}
	return b.Server.Map(ctx, q)
}

func TestFallbacks(t *testing.T) {
	for _, c := range []struct {
		refuse func(string) bool
		dir    string
		want   Transport
	}{
		{func(p string) bool { return strings.HasPrefix(p, "/proc/") }, t.TempDir(), File},
		{func(p string) bool { return p != "" }, t.TempDir(), Chunks},
		{func(p string) bool { return strings.HasPrefix(p, "/proc/") }, filepath.Join(t.TempDir(), "missing"), Chunks},
	} {
		server := &blind{Server: NewServer(reference.New()), refuse: c.refuse}
		client := NewClient(connect(t, server), Options{Dir: c.dir})
		ses, err := client.Open(t.Context(), backends.SessionConfig{})
		require.NoError(t, err)
		p := program(t, 8)
		e, err := backends.CompileBound(t.Context(), ses, p, func(string) int { return 2 }, nil)
		require.NoError(t, err)
		require.Equal(t, c.want, ses.(*session).links[e.Region.ID].how)
		one := tensor.Of(tensor.F32, tensor.Shape{8}, 1, 2, 3, 4, 5, 6, 7, 8)
		require.NoError(t, ses.Write(t.Context(), []string{"w"}, []*tensor.Tensor{one}))
		copy(e.At("x", 1), one.Data)
		_, err = e.Run(t.Context(), backends.RunRequest{First: 1, Steps: 1})
		require.NoError(t, err)
		require.Equal(t, []float32{1, 5, 11, 19, 29, 41, 55, 71}, tensor.View[float32](e.At(p.Fetches[0], 1)))
		tried := len(server.maps)
		more := backends.NewPrivateRegion(64)
		more.File = e.Region.File
		require.NoError(t, ses.Map(t.Context(), more))
		require.Len(t, server.maps, tried+1, "a broken transport is tried once")
		require.NoError(t, e.Close())
		require.NoError(t, ses.Close())
	}
}

func TestErrorsCross(t *testing.T) {
	for code := range grpcCodes {
		e := &backends.Error{Code: code, Message: "why", Node: "conv1", Op: "Conv", Wanted: 10, Free: 5}
		require.Equal(t, e, fromStatus(toStatus(e)))
		plain := backends.Errorf(code, "why")
		require.Equal(t, plain, fromStatus(toStatus(plain)))
	}
	require.NoError(t, toStatus(nil))
	require.Equal(t, backends.Internal, fromStatus(toStatus(errors.New("x"))).Code)
	require.Equal(t, backends.Canceled, fromStatus(toStatus(context.Canceled)).Code)
	require.Equal(t, backends.DeadlineExceeded, fromStatus(toStatus(context.DeadlineExceeded)).Code)
	long := fromStatus(toStatus(backends.Errorf(backends.Internal, "\xff%s", strings.Repeat("ä", 1<<20))))
	require.Less(t, len(long.Message), maxErrorText+100)
}

// TestSizesFromTheHost: a server takes no memory for what can't be right.
func TestSizesFromTheHost(t *testing.T) {
	rpc := v1.NewBackendServiceClient(serve(t, reference.New()))
	ctx := t.Context()
	s, err := rpc.Open(ctx, &v1.OpenRequest{})
	require.NoError(t, err)
	id := s.GetSession()
	code := func(err error) backends.Code { return fromStatus(err).Code }
	mapped := func(q *v1.MapRequest) error { q.Session = id; _, err := rpc.Map(ctx, q); return err }

	require.Equal(t, backends.InvalidArgument, code(mapped(&v1.MapRequest{Region: 1, Bytes: 0})))
	require.Equal(t, backends.InvalidArgument, code(mapped(&v1.MapRequest{Region: 1, Bytes: -1})))
	require.Equal(t, backends.InvalidArgument, code(mapped(&v1.MapRequest{Region: 1, Bytes: 1 << 50})))
	require.Equal(t, backends.InvalidArgument, code(mapped(&v1.MapRequest{Region: 0, Bytes: 64})))
	full := fromStatus(mapped(&v1.MapRequest{Region: 1, Bytes: 1 << 40}))
	require.Equal(t, backends.ResourceExhausted, full.Code)
	require.Equal(t, int64(1<<40), full.Wanted)
	require.Positive(t, full.Free)
	require.Equal(t, backends.FailedPrecondition, code(mapped(&v1.MapRequest{Region: 1, Bytes: 64, Path: "/proc/1/mem"})))
	require.Equal(t, backends.FailedPrecondition, code(mapped(&v1.MapRequest{Region: 1, Bytes: 64, Path: "/dev/zero"})))
	require.NoError(t, mapped(&v1.MapRequest{Region: 1, Bytes: 64, Transfer: true}))

	short := filepath.Join(t.TempDir(), "short")
	require.NoError(t, os.WriteFile(short, make([]byte, 100), 0o600))
	f, err := os.Open(short)
	require.NoError(t, err)
	defer f.Close()
	device, inode, err := identity(f)
	require.NoError(t, err)
	require.ErrorContains(t, mapped(&v1.MapRequest{Region: 2, Bytes: 4096, Path: short, Device: device, Inode: inode}), "has 100 bytes, want 4096")

	read := func(r *v1.TensorRef) error {
		_, err := rpc.Read(ctx, &v1.ReadRequest{Session: id, Tensors: []*v1.TensorRef{r}})
		return err
	}
	require.ErrorContains(t, read(&v1.TensorRef{Name: "w", Dtype: "f32", Dims: []int64{1 << 30}}), "go by region")
	require.Equal(t, backends.InvalidArgument, code(read(&v1.TensorRef{Name: "w", Dtype: "f32", Dims: []int64{1 << 39, 1 << 39}})))
	require.Equal(t, backends.InvalidArgument, code(read(&v1.TensorRef{Name: "w", Dtype: "f32", Dims: []int64{-1}})))
	require.Equal(t, backends.InvalidArgument, code(read(&v1.TensorRef{Name: "w", Dtype: "f33"})))
	require.Equal(t, backends.InvalidArgument, code(read(&v1.TensorRef{Name: "w", Dtype: "f32", Dims: []int64{16}, Region: 1, Offset: 4})))
	require.Equal(t, backends.InvalidArgument, code(read(&v1.TensorRef{Name: "w", Dtype: "f32", Dims: []int64{1}, Region: 1, Offset: -4})))
	require.Equal(t, backends.InvalidArgument, code(read(&v1.TensorRef{Name: "w", Dtype: "f32", Dims: []int64{1}, Region: 9})))

	_, err = rpc.Write(ctx, &v1.WriteRequest{Session: id, Tensors: []*v1.TensorRef{{Name: "w", Dtype: "f32", Dims: []int64{2}}}, Data: [][]byte{{1}}})
	require.Equal(t, backends.InvalidArgument, code(err))
	_, err = rpc.Write(ctx, &v1.WriteRequest{Session: id, Tensors: []*v1.TensorRef{{Name: "w", Dtype: "f32", Dims: []int64{2}}}})
	require.Equal(t, backends.InvalidArgument, code(err))

	up, err := rpc.Upload(ctx)
	require.NoError(t, err)
	require.NoError(t, up.Send(&v1.UploadRequest{Session: id, Region: 1, Offset: 60, Data: make([]byte, 8)}))
	_, err = up.CloseAndRecv()
	require.Equal(t, backends.InvalidArgument, code(err))
	down, err := rpc.Download(ctx, &v1.DownloadRequest{Session: id, Ranges: []*v1.Range{{Region: 1, Offset: 0, Bytes: 1 << 40}}})
	require.NoError(t, err)
	_, err = down.Recv()
	require.Equal(t, backends.InvalidArgument, code(err))
}

// TestForeignPrograms sends models that our own client would not write.
func TestForeignPrograms(t *testing.T) {
	rpc := v1.NewBackendServiceClient(serve(t, reference.New()))
	ctx := t.Context()
	s, err := rpc.Open(ctx, &v1.OpenRequest{})
	require.NoError(t, err)
	good, err := onnx.Marshal(program(t, 4))
	require.NoError(t, err)
	for _, c := range []struct {
		what  string
		model string
		code  backends.Code
	}{
		{"no model", "not a model", backends.InvalidArgument},
		{"half a model", string(good[:len(good)/2]), backends.InvalidArgument},
		{"an unknown op", strings.ReplaceAll(string(good), "\x03Mul", "\x03Mux"), backends.Unimplemented},
		{"an input from nowhere", strings.Replace(string(good), "\x0a\x01x", "\x0a\x01q", 1), backends.InvalidArgument},
	} {
		require.NotEqual(t, string(good), c.model, c.what)
		_, err := rpc.Compile(ctx, &v1.CompileRequest{Session: s.GetSession(), Program: []byte(c.model)})
		require.Equal(t, c.code, fromStatus(err).Code, "%s: %v", c.what, err)
		_, err = rpc.Check(ctx, &v1.CheckRequest{Session: s.GetSession(), Program: []byte(c.model)})
		require.Error(t, err, c.what)
	}
	external, err := onnx.Marshal(program(t, 4), onnx.WithExternal(func(graph.Const) (string, int64, bool) { return "/etc/passwd", 0, true }))
	require.NoError(t, err)
	_, err = rpc.Compile(ctx, &v1.CompileRequest{Session: s.GetSession(), Program: external})
	require.Equal(t, backends.InvalidArgument, fromStatus(err).Code)
	require.ErrorContains(t, err, "region/ID")
}

// liar answers as asked by the test.
type liar struct {
	v1.UnimplementedBackendServiceServer
	features []string
	download []*v1.DownloadResponse
	read     [][]byte
	run      *v1.RunResponse
	cancels  chan uint64
	began    chan struct{} // told of each Run, if runs is set
	runs     chan struct{} // what a Run waits for
}

func (l *liar) Describe(context.Context, *v1.DescribeRequest) (*v1.DescribeResponse, error) {
	return &v1.DescribeResponse{Name: "liar", Devices: []*v1.Device{{}}, Features: []string{"profile", "telepathy"}, ProtocolFeatures: l.features}, nil
}

func (l *liar) Open(context.Context, *v1.OpenRequest) (*v1.OpenResponse, error) {
	return &v1.OpenResponse{Session: 1}, nil
}
func (l *liar) Map(context.Context, *v1.MapRequest) (*v1.MapResponse, error) {
	return &v1.MapResponse{}, nil
}
func (l *liar) Upload(s grpc.ClientStreamingServer[v1.UploadRequest, v1.UploadResponse]) error {
	return s.SendAndClose(&v1.UploadResponse{})
}
func (l *liar) Download(_ *v1.DownloadRequest, s grpc.ServerStreamingServer[v1.DownloadResponse]) error {
	for _, m := range l.download {
		if err := s.Send(m); err != nil {
			return err
		}
	}
	return nil
}
func (l *liar) Compile(context.Context, *v1.CompileRequest) (*v1.CompileResponse, error) {
	return &v1.CompileResponse{Executable: 1, Plan: &v1.Plan{Digest: "00000000"}}, nil
}
func (l *liar) Read(context.Context, *v1.ReadRequest) (*v1.ReadResponse, error) {
	return &v1.ReadResponse{Data: l.read}, nil
}
func (l *liar) Run(ctx context.Context, _ *v1.RunRequest) (*v1.RunResponse, error) {
	if l.runs != nil {
		l.began <- struct{}{}
		<-l.runs
	}
	return l.run, nil
}
func (l *liar) Cancel(_ context.Context, q *v1.CancelRequest) (*v1.CancelResponse, error) {
	l.cancels <- q.GetTarget()
	return &v1.CancelResponse{}, nil
}

// lied opens a session with a liar and compiles a program of 4 elements.
func lied(t *testing.T, l *liar, o Options) (backends.Session, *backends.Bound) {
	c := NewClient(connect(t, l), o)
	s, err := c.Open(t.Context(), backends.SessionConfig{})
	require.NoError(t, err)
	e, err := backends.CompileBound(t.Context(), s, program(t, 4), func(string) int { return 1 }, nil)
	require.NoError(t, err)
	return s, e
}

func TestAnswersAreChecked(t *testing.T) {
	one := &v1.RunResponse{Start: []int64{1}, End: []int64{2}}
	chunk := func(region uint32, at int64, n int) *v1.DownloadResponse {
		return &v1.DownloadResponse{Region: region, Offset: at, Data: make([]byte, n)}
	}
	l := &liar{features: []string{featureChunks, "levitation"}, run: one}
	_, e := lied(t, l, Options{Transport: Chunks})
	at, id := e.Bindings[1].Offset, e.Region.ID
	run := func() error { _, err := e.Run(t.Context(), backends.RunRequest{Steps: 1}); return err }
	for _, c := range []struct {
		what   string
		chunks []*v1.DownloadResponse
		says   string
	}{
		{"nothing", nil, "16 bytes short"},
		{"too little", []*v1.DownloadResponse{chunk(id, at, 12)}, "4 bytes short"},
		{"too much", []*v1.DownloadResponse{chunk(id, at, 20)}, "want up to 16"},
		{"more than asked for", []*v1.DownloadResponse{chunk(id, at, 16), chunk(id, at, 16)}, "more than it was asked for"},
		{"elsewhere", []*v1.DownloadResponse{chunk(id, 0, 16)}, "want up to 16 at"},
		{"another region", []*v1.DownloadResponse{chunk(id+1, at, 16)}, "want up to 16 at"},
		{"empty chunks", []*v1.DownloadResponse{chunk(id, at, 0)}, "sent 0 bytes"},
	} {
		l.download = c.chunks
		err := run()
		require.Equal(t, backends.Internal, backends.CodeOf(err), c.what)
		require.ErrorContains(t, err, c.says)
	}
	l.download = []*v1.DownloadResponse{chunk(id, at, 4), chunk(id, at+4, 12)}
	require.NoError(t, run())
	for what, r := range map[string]*v1.RunResponse{
		"no samples":     {},
		"no ends":        {Start: []int64{1}},
		"a short split":  {Start: []int64{1}, End: []int64{2}, Device: []int64{1, 1}},
		"two for one":    {Start: []int64{1, 2}, End: []int64{2, 3}},
		"too many, late": {Start: []int64{1, 2}, End: []int64{2, 3}, Cancelled: true},
	} {
		l.run = r
		require.Equal(t, backends.Internal, backends.CodeOf(run()), what)
	}
}

func TestReadAnswersAreChecked(t *testing.T) {
	l := &liar{features: []string{featureChunks}}
	s, _ := lied(t, l, Options{})
	x := []*tensor.Tensor{tensor.New(tensor.F32, 4)}
	for _, data := range [][][]byte{nil, {{1}}, {make([]byte, 17)}, {make([]byte, 16), {}}} {
		l.read = data
		require.Equal(t, backends.Internal, backends.CodeOf(s.Read(t.Context(), []string{"w"}, x)))
	}
}

// TestFeatures: what a plugin does not name is not used, what we don't know is
// ignored.
func TestFeatures(t *testing.T) {
	c := NewClient(connect(t, &liar{features: []string{"levitation"}}), Options{Transport: Auto, Dir: "/nonexistent"})
	d, err := c.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"profile"}, d.Features)
	s, err := c.Open(t.Context(), backends.SessionConfig{})
	require.NoError(t, err)
	require.ErrorContains(t, s.Map(t.Context(), backends.NewPrivateRegion(64)), "file: sharing region")
	require.False(t, c.knows(featureCancel))
}

// TestCancelWaitsForTheAnswer: until the plugin has answered, it may write to
// the caller's slots.
func TestCancelWaitsForTheAnswer(t *testing.T) {
	l := &liar{features: []string{featureCancel}, run: &v1.RunResponse{Cancelled: true}, cancels: make(chan uint64, 100), began: make(chan struct{}, 1), runs: make(chan struct{})}
	_, e := lied(t, l, Options{Grace: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error)
	go func() {
		_, err := e.Run(ctx, backends.RunRequest{Steps: 1})
		answered <- err
	}()
	<-l.began
	cancel()
	require.Positive(t, <-l.cancels)
	select {
	case <-answered:
		t.Fatal("Run returned before the plugin had answered")
	case <-time.After(20 * time.Millisecond):
	}
	close(l.runs)
	require.Equal(t, backends.Canceled, backends.CodeOf(<-answered))
}

func TestAbandon(t *testing.T) {
	for _, features := range [][]string{{featureCancel}, nil} {
		var abandoned []string
		l := &liar{features: features, run: &v1.RunResponse{}, cancels: make(chan uint64, 100), began: make(chan struct{}, 1), runs: make(chan struct{})}
		_, e := lied(t, l, Options{Grace: 30 * time.Millisecond, Abandon: func(call string, cause error) {
			abandoned = append(abandoned, call+": "+cause.Error())
			close(l.runs)
		}})
		ctx, done := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := e.Run(ctx, backends.RunRequest{Steps: 1})
		done()
		require.Error(t, err)
		require.Equal(t, []string{"Run: context deadline exceeded"}, abandoned)
		require.Equal(t, features == nil, len(l.cancels) == 0)
	}
}
