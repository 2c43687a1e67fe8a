// Package cpu is clsbench's own backend for processors: pure Go and assembly,
// f32 first. Package kernel computes, package pool spreads the work over
// threads; here programs are cut into partitions, kernels chosen from one
// table (table.go), buffers planned and steps run.
package cpu

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu/pool"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/machine/isa"
)

// New makes the backend.
func New() backends.Backend { return backend{} }

type backend struct{}

// optionISA forces an instruction set.
const optionISA = "isa"

func (backend) Describe(context.Context) (backends.Description, error) {
	return backends.Description{
		Name:    "cpu",
		Version: "1",
		Devices: []backends.Device{{
			Name: fmt.Sprintf("%s, %d threads", isa.Best(), runtime.GOMAXPROCS(0)), Kind: "cpu", Memory: max(0, availableMemory()),
		}},
		Features: []string{backends.FeatureProfile, backends.FeatureFirstMax, backends.FeatureDeterministic, backends.FeatureGuards},
		Suites:   []string{"protocol", "inference-core", "training-core", "attention", "quantized", "mixed-precision"},
		Options: []backends.Option{{
			Name: optionISA, Help: "instruction set of the kernels; the best that runs here if not given", Values: isa.Names(),
		}},
	}, nil
}

func (backend) Open(_ context.Context, cfg backends.SessionConfig) (backends.Session, error) {
	switch {
	case cfg.Device != 0:
		return nil, backends.Errorf(backends.InvalidArgument, "device %d: there is one, 0", cfg.Device)
	case cfg.Math != "" && cfg.Math != graph.Strict:
		return nil, backends.Errorf(backends.InvalidArgument, "math mode %q: want %s", cfg.Math, graph.Strict)
	case cfg.Threads < 0 || cfg.Threads > backends.MaxThreads:
		return nil, backends.Errorf(backends.InvalidArgument, "threads %d: want 0 (all) to %d", cfg.Threads, backends.MaxThreads)
	}
	set, err := isaOf(cfg.Options)
	if err != nil {
		return nil, err
	}
	threads := cfg.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if threads > runtime.GOMAXPROCS(0) {
		runtime.GOMAXPROCS(threads) // a thread that spins needs a processor of Go's
	}
	return newSession(set, pool.New(threads), cfg.Guards), nil
}

// isaOf reads the options.
func isaOf(options map[string]string) (isa.ISA, error) {
	for name := range options {
		if name != optionISA {
			return 0, backends.Errorf(backends.InvalidArgument, "option %q: want %s=%s", name, optionISA, strings.Join(isa.Names(), "|"))
		}
	}
	name, given := options[optionISA]
	if !given {
		return isa.Best(), nil
	}
	set, err := isa.Parse(name)
	if err != nil {
		return 0, backends.Errorf(backends.InvalidArgument, "option %s: %v", optionISA, err)
	}
	if !set.Available() {
		return 0, backends.Errorf(backends.InvalidArgument, "option %s: this processor does not run %s; it runs %v", optionISA, set, slices.Clone(isa.Available()))
	}
	return set, nil
}
