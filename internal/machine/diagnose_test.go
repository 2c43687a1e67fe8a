package machine

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// healthy is a machine that no check finds fault with.
func healthy() (Info, Conditions) {
	zero, none, load, idle := 0.0, int64(0), 0.1, 2.0
	return Info{
			CPU: CPU{
				LogicalCPUs: 4, PhysicalCores: 4, ThreadsPerCore: 1, Sockets: 1, NUMANodes: 1, Allowed: []int{0, 1, 2, 3},
				SMT: "off", Governor: "performance", MaxMHz: 4000, ISA: []string{"AVX2", "FMA3"},
			},
			Memory:      Memory{Total: 32 << 30, Available: 30 << 30, HugePages: "madvise", SharedTotal: 16 << 30, SharedFree: 16 << 30},
			Hypervisor:  None,
			Environment: map[string]string{},
			Software:    Software{Platform: "linux/amd64"},
		}, Conditions{
			LoadStart: &load, StealPercent: &zero, BusyPercent: &idle, OtherPercent: &zero, Throttled: &none, ThermalEvents: &none,
			Pressure: Pressure{CPU: &zero, Memory: &zero},
		}
}

func TestDiagnose(t *testing.T) {
	num := func(v float64) *float64 { return &v }
	count := func(v int64) *int64 { return &v }
	for _, c := range []struct {
		name     string
		spoil    func(*Info, *Conditions)
		check    string
		severity Severity
		says     string
	}{
		{"quota", func(i *Info, _ *Conditions) { i.Cgroup.CPUQuota = 1.5 }, "cpu-quota", Problem, "1.5 CPUs"},
		{"throttled", func(_ *Info, c *Conditions) { c.Throttled, c.ThrottledSeconds = count(3), num(0.25) }, "throttled", Problem, "3 periods, 0.25 s"},
		{"some steal", func(_ *Info, c *Conditions) { c.StealPercent = num(2) }, "steal", Warning, "2.0 %"},
		{"much steal", func(_ *Info, c *Conditions) { c.StealPercent = num(9) }, "steal", Problem, "9.0 %"},
		{"load", func(_ *Info, c *Conditions) { c.OtherPercent, c.LoadStart = nil, num(3) }, "other-work", Warning, "3.00 on 4 CPUs"},
		{"other work", func(_ *Info, c *Conditions) { c.OtherPercent = num(40) }, "other-work", Warning, "40 %"},
		{"memory small", func(i *Info, _ *Conditions) { i.Memory.Total, i.Memory.Available = 2<<30, 2<<30 }, "memory", Warning, "the machine has 2.0 GiB"},
		{"memory full", func(i *Info, _ *Conditions) { i.Memory.Available = 300 << 20 }, "memory", Problem, "300 MiB"},
		{"memory limit", func(i *Info, _ *Conditions) { i.Cgroup.MemoryLimit = 512 << 20 }, "memory", Problem, "the control group allows 512 MiB"},
		{"memory pressure", func(_ *Info, c *Conditions) { c.Pressure.Memory = num(5) }, "memory-pressure", Warning, "5.0 %"},
		{"no shm", func(i *Info, _ *Conditions) { i.Memory.SharedTotal, i.Memory.SharedFree = 0, 0 }, "shared-memory", Warning, "no /dev/shm"},
		{"docker's shm", func(i *Info, _ *Conditions) { i.Memory.SharedTotal, i.Memory.SharedFree = 64<<20, 64<<20 }, "shared-memory", Warning, "64 MiB free"},
		{"governor", func(i *Info, _ *Conditions) { i.CPU.Governor = "powersave" }, "governor", Warning, "powersave"},
		{"heat", func(_ *Info, c *Conditions) { c.ThermalEvents = count(7) }, "heat", Warning, "7 times"},
		{"power cap", func(_ *Info, c *Conditions) { c.MHzEnd, c.BusyPercent = num(1500), num(99) }, "heat", Warning, "1500 MHz of 4000"},
		{"no AVX2", func(i *Info, _ *Conditions) { i.CPU.ISA = []string{"AVX", "SSE42"} }, "isa", Warning, "AVX2"},
		{"core type", func(i *Info, _ *Conditions) { i.Environment["OPENBLAS_CORETYPE"] = "Haswell" }, "library-preset", Problem, "OPENBLAS_CORETYPE=Haswell"},
		{"oneDNN held down", func(i *Info, _ *Conditions) { i.Environment["ONEDNN_MAX_CPU_ISA"] = "SSE41" }, "library-preset", Problem, "SSE41"},
		{"too few threads", func(i *Info, _ *Conditions) { i.Environment["OMP_NUM_THREADS"] = "1" }, "thread-preset", Warning, "with 4 CPUs"},
		{"too many threads", func(i *Info, _ *Conditions) { i.Environment["OMP_NUM_THREADS"] = "64,2" }, "thread-preset", Warning, "OMP_NUM_THREADS=64,2"},
		{"huge pages", func(i *Info, _ *Conditions) { i.Memory.HugePages = "never" }, "huge-pages", Warning, "huge pages"},
		{"affinity", func(i *Info, _ *Conditions) { i.CPU.LogicalCPUs = 64 }, "affinity", Note, "4 of the machine's 64"},
		{"numa", func(i *Info, _ *Conditions) { i.CPU.NUMANodes = 2 }, "numa", Note, "2 memory nodes"},
		{"smt", func(i *Info, _ *Conditions) { i.CPU.SMT = "on" }, "smt", Note, "share each core"},
		{"virtual", func(i *Info, _ *Conditions) { i.Hypervisor = "KVM" }, "virtual", Note, "KVM"},
	} {
		t.Run(c.name, func(t *testing.T) {
			i, cond := healthy()
			c.spoil(&i, &cond)
			found := Diagnose(i, cond, withoutTools()...)
			require.Len(t, found, 1, "one fault, one finding")
			require.Equal(t, c.check, found[0].Check)
			require.Equal(t, c.severity, found[0].Severity)
			require.Contains(t, found[0].What, c.says)
			require.NotEmpty(t, found[0].Why)
			require.NotEmpty(t, found[0].Mend)
		})
	}
}

// withoutTools leaves out the one check that looks at the machine of the test.
func withoutTools() []Check {
	return slices.DeleteFunc(Checks(), func(c Check) bool { return c.Name == "pocl-linker" })
}

func TestDiagnoseFindsNothingOnAHealthyMachine(t *testing.T) {
	i, c := healthy()
	require.Empty(t, Diagnose(i, c, withoutTools()...))
	load, pressure := 4.0, 60.0
	c.LoadStart, c.Pressure.CPU = &load, &pressure
	require.Empty(t, Diagnose(i, c, withoutTools()...), "a backend's own load and pressure, or the run's before, are nobody else's work")
	i.Cgroup = Cgroup{"v2", 8, 64 << 30}
	require.Empty(t, Diagnose(i, c, withoutTools()...), "limits above what there is do not bind")
	for name, value := range map[string]string{
		"ONEDNN_MAX_CPU_ISA": "all", "ATEN_CPU_CAPABILITY": "avx512", "CUDA_LAUNCH_BLOCKING": "0", "OMP_NUM_THREADS": "4", "GOMAXPROCS": "4", "GOGC": "off",
	} {
		i.Environment[name] = value
	}
	require.Empty(t, Diagnose(i, c, withoutTools()...), "these presets change nothing")
}

func TestDiagnoseOfTheUnknownIsSilent(t *testing.T) {
	require.Empty(t, Diagnose(Info{}, Conditions{}, withoutTools()...), "what is not known is no fault")
}

func TestDiagnosePutsTheGravestFirst(t *testing.T) {
	i, c := healthy()
	i.CPU.SMT, i.CPU.Governor, i.Cgroup.CPUQuota = "on", "ondemand", 1
	var order []Severity
	for _, f := range Diagnose(i, c, withoutTools()...) {
		order = append(order, f.Severity)
	}
	require.Equal(t, []Severity{Problem, Warning, Note}, order)
}

func TestLinkerCheck(t *testing.T) {
	missing := func(string) (string, error) { return "", errors.New("not found") }
	present := func(string) (string, error) { return "/usr/bin/ld", nil }
	pocl := func(path string) bool { return path == poclICD }
	no := func(string) bool { return false }
	require.Empty(t, linkerCheck(missing, no)(Info{}, Conditions{}), "without PoCL nobody needs ld")
	require.Empty(t, linkerCheck(present, pocl)(Info{}, Conditions{}))
	found := linkerCheck(missing, pocl)(Info{}, Conditions{})
	require.Len(t, found, 1)
	require.Equal(t, Problem, found[0].Severity)
	require.Contains(t, found[0].Mend, "binutils")
}

func TestEveryVariableOfACheckIsCaptured(t *testing.T) {
	for _, p := range presets {
		require.Contains(t, SpeedVariables, p.name)
	}
	for _, name := range threadPresets {
		require.Contains(t, SpeedVariables, name)
	}
}
