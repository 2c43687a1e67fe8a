// Package backends is the contract between the harness and a classification
// stack: what a backend, a session and an executable must do, in plain Go. It
// knows nothing of processes or gRPC: package wire carries these interfaces
// across the plugin boundary, package plugin finds and starts the plugins. A
// vendor in Go implements Backend and calls wire.Serve.
//
// Values are those of package graph; times are int64 nanoseconds of
// CLOCK_MONOTONIC; sizes are bytes.
package backends

import (
	"context"
	"time"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Backend is one implementation of the stack.
type Backend interface {
	// Describe says what the backend is. It is cheap and opens no device.
	Describe(ctx context.Context) (Description, error)
	// Open takes a device. Unknown options or modes are InvalidArgument.
	Open(ctx context.Context, cfg SessionConfig) (Session, error)
}

// Session is a device with its memory: mapped regions, state, executables.
// State variables belong to the session and are shared by its executables
// under their names; one is created, zeroed, by the first Compile or Write
// that names it.
type Session interface {
	// Map makes a region known; Unmap forgets it. Unmapping a region that an
	// executable is bound to is FailedPrecondition.
	Map(ctx context.Context, r *Region) error
	Unmap(ctx context.Context, id uint32) error
	// Check tells for each node, in order, whether Compile would take it. A
	// program that is not well formed is InvalidArgument.
	Check(ctx context.Context, p *graph.Program) ([]NodeVerdict, error)
	// Compile plans a program whose feeds and fetches are bound to regions.
	Compile(ctx context.Context, p *graph.Program, bindings []Binding) (Executable, error)
	// Read and Write copy state variables out of and into the device; the
	// tensors' types must be the variables'.
	Read(ctx context.Context, names []string, dst []*tensor.Tensor) error
	Write(ctx context.Context, names []string, src []*tensor.Tensor) error
	Stats(ctx context.Context) (Stats, error)
	Close() error
}

// Executable is a compiled program.
type Executable interface {
	Plan() Plan
	// Run runs steps First … First+Steps-1. Step s reads and writes slot
	// s mod slots of each binding; the call owns those slots until it
	// returns. Cancelling ctx stops it between steps. After a failure inside
	// Run other than cancellation the session's state is undefined and every
	// later call but Close is FailedPrecondition. Data that an op forbids (its
	// row in package graph says which) are such a failure: InvalidArgument.
	Run(ctx context.Context, r RunRequest) (Samples, error)
	Close() error
}

// Description is what a backend says of itself. Which ops it has is not in
// it: Check tells.
type Description struct {
	Name     string   `json:"name"` // lower case, no slashes
	Version  string   `json:"version"`
	Devices  []Device `json:"devices"`
	Math     []string `json:"math"`     // math modes beside "strict", which every backend has
	Features []string `json:"features"` // of the closed vocabulary in Features
	Suites   []string `json:"suites"`   // conformance suites claimed
	Options  []Option `json:"options"`  // what SessionConfig.Options may hold
}

// Device is one device of a backend.
type Device struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`                   // cpu, gpu, other
	Memory int64  `json:"memory_bytes,omitempty"` // 0 if unknown
	Driver string `json:"driver,omitempty"`
}

// Option is a backend's own setting.
type Option struct {
	Name   string   `json:"name"`
	Help   string   `json:"help"`
	Values []string `json:"values"` // closed set; nil for free text
}

// The features a backend may declare.
const (
	FeatureProfile       = "profile"        // per-partition times
	FeatureFirstMax      = "first-maximum"  // MaxPool ties go to the first
	FeatureDeterministic = "deterministic"  // same bits on every run
	FeatureGuards        = "guards"         // poisons its arena on request
	FeatureOrigin        = "compile-origin" // differentiates by itself
)

// Features lists the closed vocabulary.
func Features() []string {
	return []string{FeatureProfile, FeatureFirstMax, FeatureDeterministic, FeatureGuards, FeatureOrigin}
}

// MaxThreads is the most that SessionConfig.Threads can ask for, of any
// backend: a larger number is a slip of the hand.
const MaxThreads = 1024

// SessionConfig opens a session.
type SessionConfig struct {
	Device        int               // index into Description.Devices
	Math          string            // of graph.MathModes; "" is strict
	Threads       int               // at most MaxThreads; 0: all that the process may use
	Deterministic bool              // ask for the same bits on every run
	Guards        bool              // poison scratch memory before each run
	Options       map[string]string // the backend's own, as in `cpu:isa=avx2`
}

// NodeVerdict is Check's answer for one node.
type NodeVerdict struct {
	Node      string
	Supported bool
	Version   int    // highest version of the op that the backend knows; 0: none
	Why       string // when not supported: the op, type or attribute at fault
}

// Binding ties a feed or fetch to a ring of slots in a region. Slot i starts
// at Offset + i·Stride and is as long as the value's type.
type Binding struct {
	Value  string
	Region uint32
	Offset int64
	Stride int64
	Slots  int
}

// RunRequest asks for k steps.
type RunRequest struct {
	First   int64
	Steps   int
	Sync    bool    // wait for the device after every step (latency), not only after the last (throughput)
	Profile bool    // time each partition; may slow the steps
	Arrival []int64 // if given, step i starts no earlier than this offset from the call's start, ns
}

// Samples is what Run measured.
type Samples struct {
	Steps      []StepSample
	Partitions []PartitionSample // only when profiled
}

// StepSample is one step's clock. End ≥ Start, and the split's sum is at most
// End - Start plus Queue.
type StepSample struct {
	Start, End int64 // CLOCK_MONOTONIC, ns
	Split      Split
}

// Split is where a step's time went, ns.
type Split struct {
	Queue        int64 // from the scheduled arrival to Start
	HostToDevice int64
	Device       int64
	DeviceToHost int64
	Host         int64 // the backend's own bookkeeping
}

// PartitionSample is the time of one partition of the plan, summed over the
// steps of a call.
type PartitionSample struct {
	Partition int // index into Plan.Partitions
	Nanos     int64
}

// Plan says how a program will be computed.
type Plan struct {
	Partitions  []Partition
	ArenaBytes  int64 // scratch memory planned for values between nodes
	CompileTime time.Duration
	Digest      string // hex; equal digests mean the same kernels on the same shapes
}

// Partition is a set of nodes computed as one. A node whose work several
// kernels share, or each do anew, is in the partition of each.
type Partition struct {
	Nodes     []string
	Kernel    string // what runs, in the backend's words
	Algorithm string // direct, im2col+gemm, winograd, …
	Math      string // strict or the relaxed mode that was used
}

// Stats is a snapshot of a session.
type Stats struct {
	DeviceBytes     int64 // device memory in use; 0 where it is host memory
	DevicePeakBytes int64
	StateBytes      int64
	ArenaBytes      int64
	ClockMHz        float64 // 0: unknown
	PowerWatts      float64 // 0: unknown
}
