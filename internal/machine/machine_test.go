package machine

import (
	"context"
	"encoding/json"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/cpuid/v2"
	"github.com/stretchr/testify/require"
)

func TestCaptureHere(t *testing.T) {
	i := Capture(context.Background())
	require.NotEmpty(t, i.CPU.Allowed)
	require.GreaterOrEqual(t, i.CPU.LogicalCPUs, len(i.CPU.Allowed))
	require.True(t, strings.HasPrefix(i.Software.Go, "go"))
	require.Len(t, i.ID, 12)
	require.Equal(t, i.ID, Capture(context.Background()).ID, "the same machine has the same id")
	requireNoEmptyText(t, reflect.ValueOf(i), "Info")

	b, err := json.Marshal(i)
	require.NoError(t, err)
	require.NotContains(t, string(b), "null", "lists are empty, never null")
	if name, err := os.Hostname(); err == nil && len(name) >= 8 { // a short one may be a word of the record, such as "docker"
		require.NotContains(t, string(b), name, "results are published: no host name")
	}
	var back Info
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, i, back)
}

// requireNoEmptyText walks a struct: unknown text must say "unknown", never be empty.
func requireNoEmptyText(t *testing.T, v reflect.Value, at string) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		require.NotEmpty(t, v.String(), at)
	case reflect.Struct:
		for n := range v.NumField() {
			requireNoEmptyText(t, v.Field(n), at+"."+v.Type().Field(n).Name)
		}
	case reflect.Slice:
		for n := range v.Len() {
			requireNoEmptyText(t, v.Index(n), at)
		}
	}
}

func TestCaptureOnDoneContextKeepsWhatCostsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	i := Capture(ctx)
	require.Equal(t, Unknown, i.Software.Kernel)
	require.Equal(t, Unknown, i.Cgroup.Version)
	require.NotEmpty(t, i.CPU.ISA)
	requireNoEmptyText(t, reflect.ValueOf(i), "Info")
}

func TestCaptureOfAnEmptyHost(t *testing.T) {
	h := host{root: t.TempDir(), getenv: func(string) string { return "" }}
	i := h.capture(context.Background())
	require.Equal(t, Memory{HugePages: Unknown}, i.Memory)
	require.Equal(t, Cgroup{Version: Unknown}, i.Cgroup)
	require.Equal(t, Unknown, i.Container)
	c := (&Watcher{h, h.snapshot()}).Stop()
	require.Nil(t, c.StealPercent)
	require.Nil(t, c.LoadStart)
	require.Nil(t, c.OtherPercent)
	require.Equal(t, Pressure{}, c.Pressure)
	require.Nil(t, c.Throttled)
}

func TestUsableMemoryHere(t *testing.T) {
	i := Capture(t.Context())
	require.Equal(t, i.UsableMemory(), UsableMemory())
}

func TestHardwareID(t *testing.T) {
	i := Info{CPU: CPU{Model: "x", LogicalCPUs: 4}, Memory: Memory{Total: 32 << 30, Available: 5}}
	id := hardwareID(i)
	i.Memory.Total -= 300 << 20
	i.Memory.Available, i.CPU.MHz, i.Software.Kernel = 7, 3000, "6.1"
	require.Equal(t, id, hardwareID(i), "what the kernel keeps for itself, and what changes from day to day, is no other machine")
	for name, change := range map[string]func(*Info){
		"memory": func(i *Info) { i.Memory.Total = 64 << 30 }, "CPUs": func(i *Info) { i.CPU.LogicalCPUs = 8 },
		"model": func(i *Info) { i.CPU.Model = "y" }, "GPU": func(i *Info) { i.GPUs = []GPU{{Name: "A100"}} },
	} {
		other := i
		change(&other)
		require.NotEqual(t, id, hardwareID(other), name)
	}
}

func TestMicroarchitecture(t *testing.T) {
	for _, c := range []struct {
		vendor                   string
		family, number, stepping int
		want                     string
	}{
		{"AMD", 23, 1, 2, "Zen"}, {"AMD", 23, 0x31, 0, "Zen 2"}, {"AMD", 25, 1, 1, "Zen 3"},
		{"AMD", 25, 17, 1, "Zen 4"}, {"AMD", 25, 0x61, 2, "Zen 4"}, {"AMD", 25, 0xa0, 2, "Zen 4"}, {"AMD", 25, 0x21, 0, "Zen 3"},
		{"AMD", 26, 2, 1, "Zen 5"}, {"AMD", 26, 0x44, 0, "Zen 5"}, {"AMD", 26, 0x50, 0, "Zen 6"},
		{"Intel", 6, 0x55, 4, "Skylake"}, {"Intel", 6, 0x55, 7, "Cascade Lake"}, {"Intel", 6, 0x55, 11, "Cooper Lake"},
		{"Intel", 6, 143, 8, "Sapphire Rapids"}, {"Intel", 6, 0x6a, 6, "Ice Lake"},
		{"ARM", 0x41, 0xd40, 1, "Neoverse V1"},
		{"Intel", 25, 17, 1, Unknown}, {"", 0, 0, 0, Unknown}, {"AMD", 99, 1, 0, Unknown},
	} {
		require.Equal(t, c.want, microarchitecture(c.vendor, c.family, c.number, c.stepping), "%+v", c)
	}
}

func TestTitle(t *testing.T) {
	for _, c := range []struct {
		want string
		info Info
	}{
		{"AMD EPYC (Zen 5), 2 cores, VM", Info{CPU: CPU{Model: "AMD EPYC", Microarchitecture: "Zen 5", Allowed: []int{0, 1}, LogicalCPUs: 2, ThreadsPerCore: 1}, Hypervisor: "KVM"}},
		{"Xeon, 1 CPU of 8", Info{CPU: CPU{Model: "Xeon", Microarchitecture: Unknown, Allowed: []int{3}, LogicalCPUs: 8, ThreadsPerCore: 2}, Hypervisor: None}},
		{"Neoverse N1, 4 CPUs · A100", Info{CPU: CPU{Model: "Neoverse N1", Microarchitecture: "Neoverse N1", Allowed: []int{0, 1, 2, 3}, LogicalCPUs: 4, ThreadsPerCore: 2}, Hypervisor: Unknown, GPUs: []GPU{{Name: "A100"}}}},
		{"unknown", Info{CPU: CPU{Model: Unknown}}},
	} {
		require.Equal(t, c.want, c.info.Title())
	}
}

func TestUsable(t *testing.T) {
	i := Info{CPU: CPU{Allowed: []int{0, 1, 2, 3}}, Memory: Memory{Total: 100}}
	require.Equal(t, 4.0, i.UsableCPUs())
	require.EqualValues(t, 100, i.UsableMemory())
	i.Cgroup = Cgroup{CPUQuota: 1.5, MemoryLimit: 40}
	require.Equal(t, 1.5, i.UsableCPUs())
	require.EqualValues(t, 40, i.UsableMemory())
	i.Cgroup = Cgroup{CPUQuota: 8, MemoryLimit: 400}
	require.Equal(t, 4.0, i.UsableCPUs())
	require.EqualValues(t, 100, i.UsableMemory())
}

func TestHypervisor(t *testing.T) {
	var c cpuid.CPUInfo
	require.Contains(t, []string{None, Unknown}, hypervisor(c), "no hypervisor bit")
	require.True(t, c.Enable(cpuid.HYPERVISOR))
	require.Equal(t, "unnamed", hypervisor(c))
	c.HypervisorVendorString = "ACRNACRNACRN "
	require.Equal(t, "ACRNACRNACRN", hypervisor(c))
	c.HypervisorVendorID = cpuid.KVM
	require.Equal(t, "KVM", hypervisor(c))
}

func TestVersion(t *testing.T) {
	own := &debug.BuildInfo{
		Main:     debug.Module{Path: modulePath, Version: "v1.2.3"},
		Settings: []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "abc"}},
	}
	module, revision := version(own)
	require.Equal(t, "v1.2.3", module)
	require.Equal(t, "abc+dirty", revision)

	embedded := &debug.BuildInfo{
		Main:     debug.Module{Path: "example.org/vendor", Version: "v9.0.0"},
		Deps:     []*debug.Module{{Path: modulePath, Version: "v1.0.0"}},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "theirs"}},
	}
	module, revision = version(embedded)
	require.Equal(t, "v1.0.0", module)
	require.Equal(t, Unknown, revision, "another program's revision is not ours")
}

func TestUntil(t *testing.T) {
	load, five, nine, slow, fast, own, more := 0.7, int64(5), int64(9), 2000.0, 3000.0, 30.0, 42.0
	at := time.Now()
	start := snapshot{
		at: at, load: &load, total: 100, idle: 50, steal: 1, own: &own, mhz: &slow, thermal: &five, quota: &throttle{10, 1, 0.5},
		pressure: map[string]stall{"cpu": {1, 0}, "memory": {2, 1}},
	}
	end := snapshot{
		at: at.Add(10 * time.Second), total: 120, idle: 55, steal: 2, own: &more, mhz: &fast, thermal: &nine, quota: &throttle{110, 4, 0.75},
		pressure: map[string]stall{"cpu": {6, 0}, "memory": {2.5, 1.25}, "io": {1, 1}},
	}
	c := start.until(end)
	require.Equal(t, 10.0, c.Seconds)
	require.Equal(t, 0.7, *c.LoadStart)
	require.InDelta(t, 5, *c.StealPercent, 1e-9)
	require.InDelta(t, 75, *c.BusyPercent, 1e-9)
	require.InDelta(t, 10, *c.OtherPercent, 1e-9, "of 15 s busy, 1 was stolen and 12 our own")
	require.InDelta(t, 50, *c.Pressure.CPU, 1e-9)
	require.InDelta(t, 5, *c.Pressure.Memory, 1e-9)
	require.InDelta(t, 2.5, *c.Pressure.MemoryFull, 1e-9)
	require.Nil(t, c.Pressure.IO, "counted at one end only")
	require.EqualValues(t, 100, *c.Periods)
	require.EqualValues(t, 3, *c.Throttled)
	require.InDelta(t, 0.25, *c.ThrottledSeconds, 1e-9)
	require.EqualValues(t, 4, *c.ThermalEvents)
	require.Equal(t, 2000.0, *c.MHzStart)
	require.Equal(t, 3000.0, *c.MHzEnd)
}

func TestWatchHere(t *testing.T) {
	w := Watch()
	c := w.Stop()
	require.Positive(t, c.Seconds)
	longer := w.Stop()
	require.Greater(t, longer.Seconds, c.Seconds, "Stop may be called again")
}

func TestPeaks(t *testing.T) {
	p := Peaks{}
	p.Put(Peak{Name: PeakFMA, Threads: 2, Value: 503, Unit: "GFLOP/s"})
	p.Put(Peak{Name: PeakRPC, Value: 60, Unit: "µs"})
	fma, ok := p.Of(PeakFMA, 2)
	require.True(t, ok)
	require.Equal(t, 503.0, fma.Value)
	_, ok = p.Of(PeakFMA, 1)
	require.False(t, ok, "a peak stands for its own thread count only")
	require.Contains(t, p, "fma.f32/2")
	require.Contains(t, p, "rpc")
}
