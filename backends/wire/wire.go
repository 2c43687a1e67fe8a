// Package wire carries the interfaces of package backends across a process
// boundary: gRPC over hashicorp/go-plugin for control, regions of shared
// memory for bulk data.
//
// A plugin's main function is wire.Serve(b). The host's side is a Client,
// which package plugin makes when it has started a plugin.
package wire

//go:generate ./generate.sh

import (
	"context"
	"errors"
	"slices"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	v1 "github.com/clsbench/clsbench/backends/wire/backendv1"
)

// Version is the major version of the protocol: that of the proto package and
// of go-plugin's handshake. Minor additions are features.
const Version = 1

// Name is what go-plugin dispenses the backend under.
const Name = "backend"

// Handshake is the cookie by which a plugin knows that clsbench started it.
var Handshake = goplugin.HandshakeConfig{
	ProtocolVersion:  Version,
	MagicCookieKey:   "CLSBENCH_PLUGIN",
	MagicCookieValue: "clsbench.backend",
}

// The minor features of the protocol.
const (
	featureCancel = "cancel" // the Cancel call
	featureChunks = "chunks" // regions without a path, Upload and Download
)

func protocolFeatures() []string { return []string{featureCancel, featureChunks} }

// common keeps the features of the protocol that both sides know.
func common(theirs []string) map[string]bool {
	both := map[string]bool{}
	for _, f := range protocolFeatures() {
		both[f] = slices.Contains(theirs, f)
	}
	return both
}

// Limits of what either side takes from the other.
const (
	maxMessage  = 256 << 20 // bytes of a message; programs are the large ones
	maxInline   = 1 << 20   // bytes of tensors inside a message; more goes by region
	chunkBytes  = 1 << 20
	maxRegion   = 1 << 40
	maxRunSteps = 1 << 20
)

// window is the flow-control window of streams and connections. One that is
// set at all also ends gRPC's probing for a better one, which costs a ping and
// two more wake-ups a call.
const window = 4 << 20

// DialOptions are what a connection to a plugin needs.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window)}
}

// Environment that the host gives a plugin beside go-plugin's own.
const (
	EnvLifePipe = "CLSBENCH_LIFE_PIPE" // number of an inherited descriptor whose other end only the host holds
	EnvRunDir   = "CLSBENCH_RUN_DIR"   // folder of the plugin's socket and log, to remove when the host has died
)

// Plugin adapts both sides to go-plugin's interface: Backend for a server,
// Options for a client.
type Plugin struct {
	goplugin.NetRPCUnsupportedPlugin
	Backend *Server
	Options Options
}

// GRPCServer registers the backend.
func (p *Plugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	if p.Backend == nil {
		return errors.New("wire: no backend to serve")
	}
	v1.RegisterBackendServiceServer(s, p.Backend)
	return nil
}

// GRPCClient makes a *Client.
func (p *Plugin) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return NewClient(conn, p.Options), nil
}

var _ goplugin.GRPCPlugin = (*Plugin)(nil)
