package wire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/clsbench/clsbench/backends"
	v1 "github.com/clsbench/clsbench/backends/wire/backendv1"
)

// Transport is how regions reach the plugin.
type Transport string

// The transports, fastest first.
const (
	Auto   Transport = ""       // the first that works
	Memfd  Transport = "memfd"  // the plugin opens the region's own file
	File   Transport = "file"   // both map a file beside it, slots are copied
	Chunks Transport = "chunks" // slots travel in messages
)

// Options of a client.
type Options struct {
	Transport Transport
	Dir       string        // folder for the files of transport File; "" is TMPDIR
	Grace     time.Duration // how long a cancelled call may take to answer; 0 is a second
	CloseTime time.Duration // how long Close may take, which has no context; 0 is 5 s

	// Abandon is told of a call that did not answer in its grace, with the
	// context's error; it must end the plugin. nil: the call is given up and
	// the plugin left alone.
	Abandon func(call string, cause error)
	// Lost explains the loss of the connection in a call: the error that the
	// caller gets, or nil to keep the given one.
	Lost func(call string, err *backends.Error) error
}

// Client is a backend behind a connection.
type Client struct {
	rpc  v1.BackendServiceClient
	opts Options
	last atomic.Uint64 // number last given to a call

	mu       sync.Mutex
	features map[string]bool // minor features that both sides know; nil before Describe
	broken   map[Transport]bool
}

// NewClient makes the client of a connection.
func NewClient(conn grpc.ClientConnInterface, o Options) *Client {
	o.Grace = cmp.Or(o.Grace, time.Second)
	o.CloseTime = cmp.Or(o.CloseTime, 5*time.Second)
	return &Client{rpc: v1.NewBackendServiceClient(conn), opts: o, broken: map[Transport]bool{}}
}

var callOptions = []grpc.CallOption{grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)}

// number makes a call's number.
func (c *Client) number() uint64 { return c.last.Add(1) }

// call does one unary call. The context does not cut the connection's stream:
// its end is passed on as Cancel and the answer awaited, because until then
// the plugin may still write to the caller's slots. Who does not answer within
// the grace is abandoned.
func call[Q, A any](ctx context.Context, c *Client, name string, number uint64, q Q,
	rpc func(context.Context, Q, ...grpc.CallOption) (A, error)) (A, error) {
	var none A
	if err := ctx.Err(); err != nil {
		return none, ended(name, err)
	}
	if ctx.Done() == nil {
		a, err := rpc(ctx, q, callOptions...)
		if err != nil {
			return none, c.failed(ctx, name, err)
		}
		return a, nil
	}
	hard, drop := context.WithCancel(context.WithoutCancel(ctx))
	defer drop()
	stop := context.AfterFunc(ctx, func() {
		c.cancel(hard, number)
		if hard.Err() == nil && c.opts.Abandon != nil {
			c.opts.Abandon(name, ctx.Err())
			// The end of the plugin ends the call, which then says so.
			select {
			case <-hard.Done():
			case <-time.After(c.opts.Grace):
			}
		}
		drop()
	})
	defer stop()
	a, err := rpc(hard, q, callOptions...)
	if err != nil {
		return none, c.failed(ctx, name, err)
	}
	return a, nil
}

// cancel asks for the end of a call until that has ended or its grace is over.
// It asks more than once, since it may overtake the call on its way.
func (c *Client) cancel(hard context.Context, number uint64) {
	hard, done := context.WithTimeout(hard, c.opts.Grace)
	defer done()
	for hard.Err() == nil {
		if c.knows(featureCancel) {
			// Whether it arrives shows in the call itself.
			_, _ = c.rpc.Cancel(hard, &v1.CancelRequest{Target: number})
		}
		select {
		case <-hard.Done():
		case <-time.After(c.opts.Grace / 10):
		}
	}
}

func (c *Client) knows(feature string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.features[feature]
}

// ended is the error of a call whose context has ended.
func ended(name string, cause error) *backends.Error {
	if errors.Is(cause, context.DeadlineExceeded) {
		return backends.Errorf(backends.DeadlineExceeded, "%s: no answer before the deadline", name)
	}
	return backends.Errorf(backends.Canceled, "%s: cancelled", name)
}

// failed makes the error of a call.
func (c *Client) failed(ctx context.Context, name string, err error) error {
	e := fromStatus(err)
	if e.Code == backends.Unavailable && c.opts.Lost != nil {
		if lost := c.opts.Lost(name, e); lost != nil {
			return lost
		}
	}
	if cause := ctx.Err(); cause != nil && (e.Code == backends.Canceled || e.Code == backends.DeadlineExceeded || e.Code == backends.Unavailable) {
		return ended(name, cause)
	}
	return e
}

// Describe says what the backend is and settles the protocol's features.
func (c *Client) Describe(ctx context.Context) (backends.Description, error) {
	n := c.number()
	r, err := call(ctx, c, "Describe", n, &v1.DescribeRequest{ProtocolFeatures: protocolFeatures(), Call: n}, c.rpc.Describe)
	if err != nil {
		return backends.Description{}, err
	}
	c.mu.Lock()
	c.features = common(r.GetProtocolFeatures())
	c.mu.Unlock()
	return description(r)
}

// Open opens a session.
func (c *Client) Open(ctx context.Context, cfg backends.SessionConfig) (backends.Session, error) {
	c.mu.Lock()
	described := c.features != nil
	c.mu.Unlock()
	if !described {
		if _, err := c.Describe(ctx); err != nil {
			return nil, err
		}
	}
	n := c.number()
	r, err := call(ctx, c, "Open", n, &v1.OpenRequest{
		Call: n, Device: int32(cfg.Device), Math: cfg.Math, Threads: int32(cfg.Threads),
		Deterministic: cfg.Deterministic, Guards: cfg.Guards, Options: cfg.Options,
	}, c.rpc.Open)
	if err != nil {
		return nil, err
	}
	return &session{client: c, id: r.GetSession(), links: map[uint32]*link{}}, nil
}

// closing is the context of calls that have none of their own.
func (c *Client) closing() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), c.opts.CloseTime)
}

var (
	_ backends.Backend    = (*Client)(nil)
	_ backends.Session    = (*session)(nil)
	_ backends.Executable = (*executable)(nil)
)

// tooLarge refuses what the transport can't carry before it is sent.
func tooLarge(what string, n int) error {
	if n > maxMessage-(1<<20) {
		return backends.Errorf(backends.InvalidArgument, "%s: %s", what, fmt.Sprintf("%d bytes, more than a message may hold", n))
	}
	return nil
}
