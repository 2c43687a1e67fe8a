package machine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// modulePath is clsbench's own, to find its version when another program embeds it.
const modulePath = "github.com/clsbench/clsbench"

// SpeedVariables are the environment variables that change how fast a library or Go runs. Variables that hold paths
// are left out, since results are published.
var SpeedVariables = []string{
	"ATEN_CPU_CAPABILITY",
	"BLIS_ARCH_TYPE", "BLIS_NUM_THREADS",
	"CUDA_DEVICE_MAX_CONNECTIONS", "CUDA_LAUNCH_BLOCKING", "CUDA_MODULE_LOADING", "CUDA_VISIBLE_DEVICES",
	"DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA",
	"GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT",
	"GOMP_CPU_AFFINITY", "GOMP_SPINCOUNT",
	"KMP_AFFINITY", "KMP_BLOCKTIME",
	"MALLOC_ARENA_MAX",
	"MKL_CBWR", "MKL_DEBUG_CPU_TYPE", "MKL_ENABLE_INSTRUCTIONS", "MKL_NUM_THREADS",
	"NPY_DISABLE_CPU_FEATURES",
	"NVIDIA_TF32_OVERRIDE",
	"NVPL_BLAS_DEBUG_CPU_TYPE",
	"OMP_DYNAMIC", "OMP_NUM_THREADS", "OMP_PLACES", "OMP_PROC_BIND", "OMP_WAIT_POLICY",
	"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS",
	"POCL_AFFINITY", "POCL_CPU_MAX_CU_COUNT", "POCL_MAX_PTHREAD_COUNT",
}

// isaFeatures are the extensions worth recording: those that a kernel here or in a peer is chosen by.
var isaFeatures = []cpuid.FeatureID{
	cpuid.SSE42, cpuid.AVX, cpuid.AVX2, cpuid.FMA3, cpuid.F16C, cpuid.AVXVNNI,
	cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL, cpuid.AVX512VNNI, cpuid.AVX512BF16, cpuid.AVX512FP16,
	cpuid.AMXTILE, cpuid.AMXINT8, cpuid.AMXBF16, cpuid.AMXFP16,
	cpuid.ASIMD, cpuid.ASIMDDP, cpuid.ASIMDHP, cpuid.SVE, cpuid.SVE2, cpuid.I8MM, cpuid.BF16,
}

// host is where the system's files are read: the real machine's, or a test's copy.
type host struct {
	root    string // "/" or a folder that holds proc, sys, etc, …
	getenv  func(string) string
	virtual bool // a guest's clocks are not to be believed
}

func realHost() host {
	return host{root: "/", getenv: os.Getenv, virtual: Info{Hypervisor: hypervisor(cpuid.CPU)}.Virtual()}
}

func (h host) path(elem ...string) string {
	return filepath.Join(append([]string{h.root}, elem...)...)
}

// Capture looks at the machine. It takes some milliseconds, starts no process and never fails; once ctx is done it
// leaves the rest unknown.
func Capture(ctx context.Context) Info { return realHost().capture(ctx) }

func (h host) capture(ctx context.Context) Info {
	i := Info{
		CPU:         processor(cpuid.CPU),
		Memory:      Memory{HugePages: Unknown},
		Cgroup:      Cgroup{Version: Unknown},
		Hypervisor:  hypervisor(cpuid.CPU),
		Container:   Unknown,
		GPUs:        []GPU{},
		Software:    software(),
		Environment: h.environment(),
	}
	for _, look := range h.looks() {
		if ctx.Err() != nil {
			break
		}
		look(&i)
	}
	i.CPU.Microarchitecture = microarchitecture(i.CPU.Vendor, i.CPU.Family, i.CPU.ModelNum, i.CPU.Stepping)
	i.ID = hardwareID(i)
	return i
}

// processor is what the cpuid instruction tells; the system's own files, where there are any, say it better.
func processor(c cpuid.CPUInfo) CPU {
	p := CPU{
		Model: orUnknown(c.BrandName), Vendor: orUnknown(c.VendorID.String()),
		Family: c.Family, ModelNum: c.Model, Stepping: c.Stepping,
		Microarchitecture: Unknown,
		LogicalCPUs:       runtime.NumCPU(),
		Allowed:           []int{},
		SMT:               Unknown, Governor: Unknown, Boost: Unknown,
		MHz: 0, MaxMHz: float64(c.BoostFreq) / 1e6,
		ISA: []string{}, Caches: []Cache{},
	}
	if c.VendorID == cpuid.VendorUnknown {
		p.Vendor = orUnknown(c.VendorString)
	}
	for n := range runtime.NumCPU() {
		p.Allowed = append(p.Allowed, n)
	}
	for _, f := range isaFeatures {
		if c.Supports(f) {
			p.ISA = append(p.ISA, f.String())
		}
	}
	slices.Sort(p.ISA)
	for _, k := range []Cache{
		{1, "data", int64(c.Cache.L1D), 0}, {1, "instruction", int64(c.Cache.L1I), 0},
		{2, "unified", int64(c.Cache.L2), 0}, {3, "unified", int64(c.Cache.L3), 0},
	} {
		if k.Bytes > 0 {
			p.Caches = append(p.Caches, k)
		}
	}
	return p
}

// hypervisor names who made the virtual machine that the processor says it is in.
func hypervisor(c cpuid.CPUInfo) string {
	guest := c.Supports(cpuid.HYPERVISOR)
	switch {
	case !guest && runtime.GOARCH == "amd64":
		return None
	case !guest:
		return Unknown // other processors do not tell a guest that it is one
	case c.HypervisorVendorID != cpuid.VendorUnknown:
		return c.HypervisorVendorID.String()
	case strings.TrimSpace(c.HypervisorVendorString) != "":
		return strings.TrimSpace(c.HypervisorVendorString)
	}
	return "unnamed"
}

func (h host) environment() map[string]string {
	env := map[string]string{}
	for _, name := range SpeedVariables {
		if v := h.getenv(name); v != "" {
			env[name] = v
		}
	}
	return env
}

// software is what the binary knows of itself; the system's names are filled in by looks.
func software() Software {
	s := Software{
		OS: runtime.GOOS, Kernel: Unknown, Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Clsbench: Unknown, Revision: Unknown,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return s
	}
	s.Clsbench, s.Revision = version(info)
	return s
}

// version takes clsbench's version and revision out of a binary's build information.
func version(info *debug.BuildInfo) (module, revision string) {
	module, revision = Unknown, Unknown
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path == modulePath && m.Version != "" {
			module = m.Version
		}
	}
	if info.Main.Path != modulePath {
		return module, revision // the revision is the embedding program's
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.modified" && s.Value == "true" && revision != Unknown {
			revision += "+dirty"
		}
	}
	return module, revision
}

// hardwareID hashes what makes two machines the same make. Memory is rounded to GiB, since a kernel's reserve varies.
func hardwareID(i Info) string {
	h := sha256.New()
	c := i.CPU
	fmt.Fprintln(h, c.Model, c.Vendor, c.Family, c.ModelNum, c.Stepping, c.LogicalCPUs, c.PhysicalCores, c.Sockets, c.ISA, c.Caches)
	fmt.Fprintln(h, (i.Memory.Total+1<<29)>>30, i.Hypervisor)
	for _, g := range i.GPUs {
		fmt.Fprintln(h, g.Name, g.Arch, g.Memory)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

func orUnknown(s string) string {
	if s == "" {
		return Unknown
	}
	return s
}
