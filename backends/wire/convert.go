package wire

import (
	"fmt"
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

// plan is the inverse. A plan's partitions are sets of the program's nodes; a
// node whose work is done in several kernels stands in the partition of each.
func plan(m *v1.Plan, g *graph.Graph) (backends.Plan, error) {
	p := backends.Plan{ArenaBytes: m.GetArenaBytes(), CompileTime: time.Duration(m.GetCompileNanos()), Digest: m.GetDigest()}
	if !digestPattern.MatchString(p.Digest) {
		return p, backends.Errorf(backends.Internal, "the plan's digest is %q: want 8 to 128 hexadecimal digits", clip(p.Digest))
	}
	known := make(map[string]bool, len(g.Nodes))
	for i := range g.Nodes {
		known[g.Nodes[i].Name] = true
	}
	seen := map[string]int{} // partitions, by all that they say
	for i, x := range m.GetPartitions() {
		inside := map[string]bool{}
		for _, n := range x.GetNodes() {
			if !known[n] || inside[n] {
				return p, backends.Errorf(backends.Internal, "partition %d of the plan has node %q, which the program lacks or the partition has already", i, clip(n))
			}
			inside[n] = true
		}
		key := fmt.Sprintf("%q %q %q", x.GetNodes(), x.GetKernel(), x.GetAlgorithm())
		if first, twice := seen[key]; twice {
			return p, backends.Errorf(backends.Internal, "partition %d of the plan is partition %d once more", i, first)
		}
		seen[key] = i
		p.Partitions = append(p.Partitions, backends.Partition{Nodes: x.GetNodes(), Kernel: x.GetKernel(), Algorithm: x.GetAlgorithm(), Math: x.GetMath()})
	}
	return p, nil
}

// samplesMessage writes samples by column, all of them in one piece of memory.
// Columns of the split that are zero throughout are left out.
func samplesMessage(r *v1.RunResponse, s backends.Samples) {
	n := len(s.Steps)
	memory := make([]int64, 7*n)
	column := func(k int) []int64 { return memory[k*n : (k+1)*n : (k+1)*n] }
	start, end, queue, toDevice := column(0), column(1), column(2), column(3)
	device, toHost, host := column(4), column(5), column(6)
	var used backends.Split
	for i := range s.Steps {
		x := &s.Steps[i]
		start[i], end[i] = x.Start, x.End
		queue[i], toDevice[i], device[i], toHost[i], host[i] = x.Split.Queue, x.Split.HostToDevice, x.Split.Device, x.Split.DeviceToHost, x.Split.Host
		used.Queue |= queue[i]
		used.HostToDevice |= toDevice[i]
		used.Device |= device[i]
		used.DeviceToHost |= toHost[i]
		used.Host |= host[i]
	}
	r.Start, r.End = start, end
	for _, c := range []struct {
		column []int64
		used   int64
		field  *[]int64
	}{{queue, used.Queue, &r.Queue}, {toDevice, used.HostToDevice, &r.HostToDevice}, {device, used.Device, &r.Device},
		{toHost, used.DeviceToHost, &r.DeviceToHost}, {host, used.Host, &r.Host}} {
		if c.used != 0 {
			*c.field = c.column
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
	zeros := []int64(nil) // stands for every column left out
	columns := [...][]int64{r.GetQueue(), r.GetHostToDevice(), r.GetDevice(), r.GetDeviceToHost(), r.GetHost()}
	for k, c := range columns {
		if len(c) == 0 {
			if zeros == nil {
				zeros = make([]int64, n)
			}
			columns[k] = zeros
		} else if len(c) != n {
			return backends.Samples{}, backends.Errorf(backends.Internal, "the plugin answered %d steps with a split of %d", n, len(c))
		}
	}
	s := backends.Samples{Steps: make([]backends.StepSample, n)}
	for i := range s.Steps {
		s.Steps[i] = backends.StepSample{Start: r.Start[i], End: r.End[i], Split: backends.Split{
			Queue: columns[0][i], HostToDevice: columns[1][i], Device: columns[2][i], DeviceToHost: columns[3][i], Host: columns[4][i]}}
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
