// Package reference serves package reference as a backend: `--backend
// reference`. It shows the harness a stack that is right, slow and
// deterministic, and a vendor what every method of the contract does.
package reference

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	ref "github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/reference/relaxed"
	"github.com/clsbench/clsbench/tensor"
)

// New makes the backend.
func New() backends.Backend { return backend{} }

type backend struct{}

// The backend's own options: which legal implementation to be.
const (
	backwards   = "backwards"
	roundOption = "round" // on: to the element type after every node
	orderOption = "order" // a seed of the order of sums, or backwards
)

func (backend) Describe(context.Context) (backends.Description, error) {
	return backends.Description{
		Name:     "reference",
		Version:  "1",
		Math:     graph.MathModes()[1:],
		Devices:  []backends.Device{{Name: "float64 in Go, " + runtime.GOARCH, Kind: "cpu"}},
		Features: []string{backends.FeatureProfile, backends.FeatureFirstMax, backends.FeatureDeterministic},
		Suites:   []string{"protocol", "inference-core", "training-core", "attention", "quantized", "mixed-precision"},
		Options: []backends.Option{
			{Name: roundOption, Help: "on: round to the element type after every node, and partial sums to f32; off: float64 inside a step", Values: []string{"on", "off"}},
			{Name: orderOption, Help: "add up in the random order of this seed, a whole number; 0: as the formulas are written; backwards: from the last term to the first"},
		},
	}, nil
}

func (backend) Open(_ context.Context, cfg backends.SessionConfig) (backends.Session, error) {
	mode, err := modeOf(cfg)
	if err != nil {
		return nil, err
	}
	return &session{mode: mode, math: cfg.Math, state: map[string]*tensor.Tensor{}}, nil
}

func modeOf(cfg backends.SessionConfig) (m ref.Mode, err error) {
	switch {
	case cfg.Device != 0:
		return m, backends.Errorf(backends.InvalidArgument, "device %d: there is one, 0", cfg.Device)
	case cfg.Math != "" && !slices.Contains(graph.MathModes(), cfg.Math):
		return m, backends.Errorf(backends.InvalidArgument, "math mode %q: want one of %s", cfg.Math, strings.Join(graph.MathModes(), ", "))
	case cfg.Threads < 0 || cfg.Threads > backends.MaxThreads:
		return m, backends.Errorf(backends.InvalidArgument, "threads %d: want 0 (all) to %d", cfg.Threads, backends.MaxThreads)
	}
	m.Threads = cfg.Threads
	for name, value := range cfg.Options {
		switch name {
		case roundOption:
			if !slices.Contains([]string{"on", "off"}, value) {
				return m, backends.Errorf(backends.InvalidArgument, "option %s=%s: want on or off", name, value)
			}
			m.Round = value == "on"
		case orderOption:
			if m.Backwards = value == backwards; m.Backwards {
				break
			}
			if m.Order, err = strconv.ParseUint(value, 10, 64); err != nil {
				return m, backends.Errorf(backends.InvalidArgument, "option %s=%s: want a whole number or %s", name, value, backwards)
			}
		default:
			return m, backends.Errorf(backends.InvalidArgument, "option %s: want %s or %s", name, roundOption, orderOption)
		}
	}
	return relaxed.Mode(m, cfg.Math), nil
}

// verdict says whether the reference computes a node: it does where it has a
// function for the op, whatever the element types.
func verdict(c *graph.Call) backends.NodeVerdict {
	v := backends.NodeVerdict{Node: c.Name, Supported: true, Version: c.Op.Version}
	if _, ok := ref.Lookup(c.Op.Name); !ok {
		v = backends.NodeVerdict{Node: c.Name, Why: "op " + c.Op.Name + ": the reference has no function for it"}
	}
	return v
}
