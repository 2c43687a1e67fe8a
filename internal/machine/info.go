// Package machine records where a figure was measured: the processor and what this process may use of it, the memory,
// the limits a container sets, the software (Info); what disturbed the measurement while it ran (Conditions); the
// memory of a process (ProcessMemory); the limits that were measured in the same session (Peaks); and what is wrong
// with all that and how to mend it (Diagnose).
//
// Nothing here fails: what cannot be found out is recorded as unknown ("unknown" for text, 0 for a quantity, an absent
// key where 0 is a legal value). No host name, user name, address or serial number is recorded, since result files are
// meant to be published.
package machine

import (
	"fmt"
	"strings"
)

// Unknown stands in every text field whose value could not be found out.
const Unknown = "unknown"

// None says that a thing is known to be absent: no hypervisor, no container.
const None = "none"

// Info is the machine as it stood when Capture looked.
type Info struct {
	// ID tells machines of different hardware apart without naming the host: the first 12 hexadecimal digits of a
	// SHA-256 over processor, CPUs, caches and memory. Two machines of the same make share it.
	ID     string `json:"id"`
	CPU    CPU    `json:"cpu"`
	Memory Memory `json:"memory"`
	Cgroup Cgroup `json:"cgroup"`
	// Hypervisor is the virtual machine's maker ("KVM", "VMware", …), "none" on bare metal, "unknown".
	Hypervisor string `json:"hypervisor"`
	// Container is the container's kind ("docker", "podman", "kubernetes", "lxc", …), "none", "unknown".
	Container string   `json:"container"`
	GPUs      []GPU    `json:"gpus"` // never null
	Software  Software `json:"software"`
	// Environment holds the set ones of the variables that change the speed of a library or of Go (SpeedVariables).
	Environment map[string]string `json:"environment"` // never null
}

// CPU is the processor and the part of it that this process may use.
type CPU struct {
	Model    string `json:"model"`  // brand string, such as "AMD EPYC 9554 64-Core Processor"
	Vendor   string `json:"vendor"` // "AMD", "Intel", "ARM", …
	Family   int    `json:"family"` // as cpuid and /proc/cpuinfo count: extended family included
	ModelNum int    `json:"model_number"`
	Stepping int    `json:"stepping"`
	// Microarchitecture is derived from vendor, family and model: "Zen 5", "Sapphire Rapids", …
	Microarchitecture string `json:"microarchitecture"`

	LogicalCPUs    int   `json:"logical_cpus"`     // online in the machine
	PhysicalCores  int   `json:"physical_cores"`   // online in the machine; 0 = unknown
	ThreadsPerCore int   `json:"threads_per_core"` // 0 = unknown
	Sockets        int   `json:"sockets"`          // 0 = unknown
	Allowed        []int `json:"allowed"`          // the CPUs in this process's affinity mask, ascending; never null
	NUMANodes      int   `json:"numa_nodes"`       // 0 = unknown

	SMT      string   `json:"smt"`      // "on", "off", "unknown"
	Governor string   `json:"governor"` // of the allowed CPUs; "mixed" where they differ; "unknown" in most VMs
	Boost    string   `json:"boost"`    // "on", "off", "unknown"
	MHz      float64  `json:"mhz"`      // observed clock, mean over the allowed CPUs at capture; 0 = unknown
	MaxMHz   float64  `json:"max_mhz"`  // as the frequency driver states; 0 = unknown
	ISA      []string `json:"isa"`      // extensions that matter to the kernels, ascending; never null
	Caches   []Cache  `json:"caches"`   // by level, data before instruction; never null
}

// Cache is one kind of cache. SharedBy tells how many logical CPUs one such cache serves.
type Cache struct {
	Level    int    `json:"level"`
	Kind     string `json:"kind"`      // "data", "instruction", "unified"
	Bytes    int64  `json:"bytes"`     // of one instance
	SharedBy int    `json:"shared_by"` // logical CPUs; 0 = unknown
}

// Memory is the machine's, not what a container leaves of it: see Cgroup.MemoryLimit.
type Memory struct {
	Total     int64 `json:"total_bytes"`
	Available int64 `json:"available_bytes"` // at capture, as the kernel estimates
	Swap      int64 `json:"swap_bytes"`
	// HugePages is the setting of transparent huge pages: "always", "madvise", "never", "unknown".
	HugePages string `json:"transparent_huge_pages"`
	// SharedTotal and SharedFree are the size and free space of /dev/shm; 0 and 0 where there is none.
	SharedTotal int64 `json:"dev_shm_bytes"`
	SharedFree  int64 `json:"dev_shm_free_bytes"`
}

// Cgroup is the tightest limit on the way from this process's control group to the root.
type Cgroup struct {
	Version string `json:"version"` // "v1", "v2", "hybrid", "none", "unknown"
	// CPUQuota is in CPUs (quota over period; 1.5 = one and a half CPUs); 0 = no limit.
	CPUQuota float64 `json:"cpu_quota"`
	// MemoryLimit is in bytes; 0 = no limit.
	MemoryLimit int64 `json:"memory_limit_bytes"`
}

// GPU is one accelerator, as its backend's driver describes it.
type GPU struct {
	Name     string  `json:"name"`
	Driver   string  `json:"driver"`
	Arch     string  `json:"arch"` // "sm_90", "gfx942", …
	Memory   int64   `json:"memory_bytes"`
	ClockMHz float64 `json:"clock_mhz"`   // 0 = unknown
	PowerCap float64 `json:"power_cap_w"` // watts; 0 = unknown
}

// Software is what ran.
type Software struct {
	OS       string `json:"os"`     // distribution and version, "Debian GNU/Linux 12 (bookworm)"
	Kernel   string `json:"kernel"` // release, "6.1.0-18-amd64"
	Platform string `json:"platform"`
	Go       string `json:"go"`
	Clsbench string `json:"clsbench"` // module version, "(devel)" for a build from a work tree
	Revision string `json:"revision"` // VCS revision, "+dirty" where the work tree had changes; "unknown"
}

// Title is the machine in one line, as the first line of a run shows it: "AMD EPYC (Zen 5), 2 cores, VM".
func (i Info) Title() string {
	var b strings.Builder
	b.WriteString(i.CPU.Model)
	if m := i.CPU.Microarchitecture; m != Unknown && m != "" && !strings.Contains(i.CPU.Model, m) {
		fmt.Fprintf(&b, " (%s)", m)
	}
	switch n := len(i.CPU.Allowed); {
	case n == 1:
		b.WriteString(", 1 CPU")
	case n > 1 && i.CPU.ThreadsPerCore == 1:
		fmt.Fprintf(&b, ", %d cores", n)
	case n > 1:
		fmt.Fprintf(&b, ", %d CPUs", n)
	}
	if i.CPU.LogicalCPUs > len(i.CPU.Allowed) {
		fmt.Fprintf(&b, " of %d", i.CPU.LogicalCPUs)
	}
	if i.Virtual() {
		b.WriteString(", VM")
	}
	for _, g := range i.GPUs {
		b.WriteString(" · " + g.Name)
	}
	return b.String()
}

// Virtual says whether a hypervisor was seen.
func (i Info) Virtual() bool {
	return i.Hypervisor != "" && i.Hypervisor != None && i.Hypervisor != Unknown
}

// UsableCPUs is how many CPUs this process can keep busy: its affinity mask, cut by the control group's quota
// (2 allowed CPUs under a quota of 1.5 give 1.5). 0 where neither is known.
func (i Info) UsableCPUs() float64 {
	n := float64(len(i.CPU.Allowed))
	if q := i.Cgroup.CPUQuota; q > 0 && (n == 0 || q < n) {
		return q
	}
	return n
}

// UsableMemory is the memory in bytes that this process may use: the machine's, cut by the control group's limit.
func (i Info) UsableMemory() int64 {
	if l := i.Cgroup.MemoryLimit; l > 0 && (i.Memory.Total == 0 || l < i.Memory.Total) {
		return l
	}
	return i.Memory.Total
}
