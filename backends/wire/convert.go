package wire

import (
	"math"
	"regexp"
	"slices"
	"time"

	"github.com/clsbench/clsbench/backends"
	v1 "github.com/clsbench/clsbench/backends/wire/backendv1"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

func describeResponse(d backends.Description) *v1.DescribeResponse {
	r := &v1.DescribeResponse{Name: d.Name, Version: d.Version, Math: d.Math, Features: d.Features,
		Suites: d.Suites, ProtocolFeatures: protocolFeatures()}
	for _, x := range d.Devices {
		r.Devices = append(r.Devices, &v1.Device{Name: x.Name, Kind: x.Kind, Memory: x.Memory, Driver: x.Driver})
	}
	for _, o := range d.Options {
		r.Options = append(r.Options, &v1.Option{Name: o.Name, Help: o.Help, Values: o.Values})
	}
	return r
}

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// description is the inverse; what the vocabulary lacks is dropped.
func description(r *v1.DescribeResponse) (backends.Description, error) {
	d := backends.Description{Name: r.GetName(), Version: r.GetVersion(), Math: r.GetMath(), Suites: r.GetSuites()}
	if !namePattern.MatchString(d.Name) {
		return d, backends.Errorf(backends.Internal, "the plugin calls itself %q: want lower-case letters, digits, '.', '_' and '-'", clip(d.Name))
	}
	if len(r.GetDevices()) == 0 {
		return d, backends.Errorf(backends.Internal, "the plugin %s names no device", d.Name)
	}
	for _, f := range r.GetFeatures() {
		if slices.Contains(backends.Features(), f) {
			d.Features = append(d.Features, f)
		}
	}
	for _, x := range r.GetDevices() {
		d.Devices = append(d.Devices, backends.Device{Name: x.GetName(), Kind: x.GetKind(), Memory: x.GetMemory(), Driver: x.GetDriver()})
	}
	for _, o := range r.GetOptions() {
		d.Options = append(d.Options, backends.Option{Name: o.GetName(), Help: o.GetHelp(), Values: o.GetValues()})
	}
	return d, nil
}

func planMessage(p backends.Plan) *v1.Plan {
	m := &v1.Plan{ArenaBytes: p.ArenaBytes, CompileNanos: int64(p.CompileTime), Digest: p.Digest}
	for _, x := range p.Partitions {
		m.Partitions = append(m.Partitions, &v1.Partition{Nodes: x.Nodes, Kernel: x.Kernel, Algorithm: x.Algorithm, Math: x.Math})
	}
	return m
}

var digestPattern = regexp.MustCompile(`^[0-9a-f]{8,128}$`)

// plan is the inverse. A plan's partitions are disjoint sets of the program's
// nodes.
func plan(m *v1.Plan, g *graph.Graph) (backends.Plan, error) {
	p := backends.Plan{ArenaBytes: m.GetArenaBytes(), CompileTime: time.Duration(m.GetCompileNanos()), Digest: m.GetDigest()}
	if !digestPattern.MatchString(p.Digest) {
		return p, backends.Errorf(backends.Internal, "the plan's digest is %q: want 8 to 128 hexadecimal digits", clip(p.Digest))
	}
	free := make(map[string]bool, len(g.Nodes))
	for i := range g.Nodes {
		free[g.Nodes[i].Name] = true
	}
	for i, x := range m.GetPartitions() {
		for _, n := range x.GetNodes() {
			if !free[n] {
				return p, backends.Errorf(backends.Internal, "partition %d of the plan has node %q, which the program lacks or another partition has", i, clip(n))
			}
			free[n] = false
		}
		p.Partitions = append(p.Partitions, backends.Partition{Nodes: x.GetNodes(), Kernel: x.GetKernel(), Algorithm: x.GetAlgorithm(), Math: x.GetMath()})
	}
	return p, nil
}

// splitColumns pairs each column of the message with its field.
func splitColumns(r *v1.RunResponse) [5]struct {
	column *[]int64
	field  func(*backends.Split) *int64
} {
	return [5]struct {
		column *[]int64
		field  func(*backends.Split) *int64
	}{
		{&r.Queue, func(s *backends.Split) *int64 { return &s.Queue }},
		{&r.HostToDevice, func(s *backends.Split) *int64 { return &s.HostToDevice }},
		{&r.Device, func(s *backends.Split) *int64 { return &s.Device }},
		{&r.DeviceToHost, func(s *backends.Split) *int64 { return &s.DeviceToHost }},
		{&r.Host, func(s *backends.Split) *int64 { return &s.Host }},
	}
}

func samplesMessage(r *v1.RunResponse, s backends.Samples) {
	n := len(s.Steps)
	r.Start, r.End = make([]int64, n), make([]int64, n)
	for i := range s.Steps {
		r.Start[i], r.End[i] = s.Steps[i].Start, s.Steps[i].End
	}
	for _, c := range splitColumns(r) {
		for i := range s.Steps {
			if v := *c.field(&s.Steps[i].Split); v != 0 {
				if *c.column == nil {
					*c.column = make([]int64, n)
				}
				(*c.column)[i] = v
			}
		}
	}
	for _, p := range s.Partitions {
		r.Partitions = append(r.Partitions, &v1.PartitionSample{Partition: int32(p.Partition), Nanos: p.Nanos})
	}
}

// samples is the inverse, for a call of so many steps and a plan of so many
// partitions. Fewer steps are legal only when the call was cancelled.
func samples(r *v1.RunResponse, steps, partitions int) (backends.Samples, error) {
	n := len(r.GetStart())
	if n > steps || (n < steps && !r.GetCancelled()) || len(r.GetEnd()) != n {
		return backends.Samples{}, backends.Errorf(backends.Internal, "the plugin ran %d steps and answered with %d starts and %d ends", steps, n, len(r.GetEnd()))
	}
	s := backends.Samples{Steps: make([]backends.StepSample, n)}
	for i := range s.Steps {
		s.Steps[i].Start, s.Steps[i].End = r.Start[i], r.End[i]
	}
	for _, c := range splitColumns(r) {
		if m := len(*c.column); m != 0 && m != n {
			return backends.Samples{}, backends.Errorf(backends.Internal, "the plugin answered %d steps with a split of %d", n, m)
		}
		for i, v := range *c.column {
			*c.field(&s.Steps[i].Split) = v
		}
	}
	for _, p := range r.GetPartitions() {
		if p.GetPartition() < 0 || int(p.GetPartition()) >= partitions {
			return backends.Samples{}, backends.Errorf(backends.Internal, "the plugin profiled partition %d of %d", p.GetPartition(), partitions)
		}
		s.Partitions = append(s.Partitions, backends.PartitionSample{Partition: int(p.GetPartition()), Nanos: p.GetNanos()})
	}
	return s, nil
}

func refOf(name string, t *tensor.Tensor) *v1.TensorRef {
	r := &v1.TensorRef{Name: name, Dtype: t.DType.String()}
	for _, d := range t.Shape {
		r.Dims = append(r.Dims, int64(d))
	}
	return r
}

func typeOf(r *v1.TensorRef) (tensor.Type, error) {
	d, err := tensor.ParseDType(r.GetDtype())
	if err != nil {
		return tensor.Type{}, err
	}
	ty := tensor.Type{DType: d}
	for _, x := range r.GetDims() {
		if x > math.MaxInt {
			x = -1
		}
		ty.Shape = append(ty.Shape, int(x))
	}
	return ty, ty.Validate()
}
