package wire

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/clsbench/clsbench/backends"
)

// Serve makes the process a plugin that serves b; it is all of a plugin's main
// function. It returns when the host closes the connection. The process ends
// when its host dies or on SIGTERM, with its sessions closed and its socket
// removed. What is written to standard output or error goes to the plugin's
// log. A session and its executables are called by one goroutine at a time.
func Serve(b backends.Backend) {
	if os.Getenv(Handshake.MagicCookieKey) != Handshake.MagicCookieValue {
		fmt.Fprintf(os.Stderr, "This is a clsbench plugin, which clsbench starts: clsbench run --backend exec:%s\n", os.Args[0])
		os.Exit(2)
	}
	WatchHost()
	server := NewServer(b)
	serving.Store(server)
	stderr := os.Stderr // go-plugin will replace it
	var redirect sync.Once
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  Handshake,
		VersionedPlugins: map[int]goplugin.PluginSet{Version: {Name: &Plugin{Backend: server}}},
		Logger:           hclog.New(&hclog.LoggerOptions{Output: stderr, Level: hclog.Warn}),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			opts = append(opts, server.GRPCOptions()...)
			// The first call means that the handshake's line has been read. From
			// now on standard output is the log: the host reads no more of it.
			opts = append(opts, grpc.ChainUnaryInterceptor(
				func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
					redirect.Do(func() { redirectStdout(stderr) })
					return handle(ctx, req)
				}))
			return grpc.NewServer(opts...)
		},
	})
	server.Close()
}

// serving is the server of this process; nil before Serve.
var serving atomic.Pointer[Server]

// WatchHost ends the process when its host dies or asks for it by SIGTERM.
// Serve calls it; who needs long to make a backend may do so before.
var WatchHost = sync.OnceFunc(func() {
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	died := make(chan struct{})
	watchPipe(func() { close(died) })
	go func() {
		select {
		case <-died:
		case <-terminate:
			// The kernel sends it when the host dies, a user at any time. Of a dying
			// host the pipe tells, but only once its last thread has ended: on a busy
			// machine that is long after the one that the signal is bound to.
		}
		select {
		case <-died:
			quit(true)
		case <-time.After(time.Second):
			quit(false)
		}
		os.Exit(1)
	}()
})

// quit tidies up before the process ends. Closing may hang with whatever the
// plugin was doing: it gets half a second.
func quit(hostDied bool) {
	if server := serving.Load(); server != nil {
		closed := make(chan struct{})
		go func() { server.Close(); close(closed) }()
		select {
		case <-closed:
		case <-time.After(500 * time.Millisecond):
		}
	}
	if dir := os.Getenv(goplugin.EnvUnixSocketDir); dir != "" {
		_ = os.RemoveAll(dir) // what stays is swept by the next host
	}
	if hostDied {
		if dir := os.Getenv(EnvRunDir); dir != "" {
			_ = os.RemoveAll(dir)
		}
		killGroup()
	}
}

// lifePipe is the inherited end of the host's pipe; nil if there is none.
func lifePipe() *os.File {
	fd, err := strconv.Atoi(os.Getenv(EnvLifePipe))
	if err != nil || fd < 3 {
		return nil
	}
	return os.NewFile(uintptr(fd), "life pipe")
}

// watchPipe calls died when the host's end of the life pipe closes.
func watchPipe(died func()) {
	pipe := lifePipe()
	if pipe == nil {
		return
	}
	go func() {
		var b [1]byte
		for {
			if _, err := pipe.Read(b[:]); err != nil {
				died()
				return
			}
		}
	}()
}
