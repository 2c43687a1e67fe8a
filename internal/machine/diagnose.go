package machine

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// Severity ranks a finding.
type Severity string

const (
	Problem Severity = "problem" // figures from this machine mislead, or something will not run
	Warning Severity = "warning" // figures will be noisier or lower than the hardware's
	Note    Severity = "note"    // worth knowing when figures are compared
)

// rank orders findings, the gravest first.
func (s Severity) rank() int { return slices.Index([]Severity{Problem, Warning, Note}, s) }

// Finding is one thing that is wrong with the machine, why that matters and what mends it.
type Finding struct {
	Check    string   `json:"check"` // the check's name, for scripts: "cpu-quota"
	Severity Severity `json:"severity"`
	What     string   `json:"what"`
	Why      string   `json:"why"`
	Mend     string   `json:"mend"` // a command where there is one
}

// Check is one question put to the machine and its conditions; it answers with nothing where all is well or unknown.
type Check struct {
	Name string
	Look func(Info, Conditions) []Finding
}

// Checks are those of `clsbench doctor`.
func Checks() []Check {
	return []Check{
		{"cpu-quota", checkQuota},
		{"throttled", checkThrottled},
		{"steal", checkSteal},
		{"other-work", checkOtherWork},
		{"memory", checkMemory},
		{"memory-pressure", checkMemoryPressure},
		{"shared-memory", checkShared},
		{"governor", checkGovernor},
		{"heat", checkHeat},
		{"isa", checkISA},
		{"library-preset", checkPresets},
		{"thread-preset", checkThreadPresets},
		{"huge-pages", checkHugePages},
		{"affinity", checkAffinity},
		{"numa", checkNUMA},
		{"smt", checkSMT},
		{"virtual", checkVirtual},
		{"pocl-linker", linkerCheck(exec.LookPath, fileExists)},
	}
}

// Diagnose runs the checks (Checks() if none are given) and returns their findings, the gravest first.
func Diagnose(i Info, c Conditions, checks ...Check) []Finding {
	if len(checks) == 0 {
		checks = Checks()
	}
	findings := []Finding{}
	for _, check := range checks {
		for _, f := range check.Look(i, c) {
			f.Check = check.Name
			findings = append(findings, f)
		}
	}
	slices.SortStableFunc(findings, func(a, b Finding) int { return a.Severity.rank() - b.Severity.rank() })
	return findings
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func one(s Severity, what, why, mend string) []Finding {
	return []Finding{{Severity: s, What: what, Why: why, Mend: mend}}
}

func checkQuota(i Info, _ Conditions) []Finding {
	cpus, quota := len(i.CPU.Allowed), i.Cgroup.CPUQuota
	if quota == 0 || quota >= float64(cpus) {
		return nil
	}
	return one(Problem,
		fmt.Sprintf("the control group's quota is %.3g CPUs, fewer than the %d this process runs on", quota, cpus),
		"when the quota of a period (100 ms, usually) is spent, every thread stands still until the next: throughput and tail latency measure the quota, not the machine",
		fmt.Sprintf("raise the quota (docker run --cpus=%d, systemd CPUQuota=%d%%), or use fewer threads: --threads %d", cpus, 100*cpus, max(1, int(quota))))
}

func checkThrottled(_ Info, c Conditions) []Finding {
	if c.Throttled == nil || *c.Throttled == 0 {
		return nil
	}
	lost := ""
	if c.ThrottledSeconds != nil {
		lost = fmt.Sprintf(", %.2f s lost", *c.ThrottledSeconds)
	}
	return one(Problem,
		fmt.Sprintf("the quota ran out in %d periods%s", *c.Throttled, lost),
		"threads were stopped while something was timed", "raise the control group's CPU quota or use fewer threads")
}

func checkSteal(_ Info, c Conditions) []Finding {
	if c.StealPercent == nil || *c.StealPercent < 1 {
		return nil
	}
	severity := Warning
	if *c.StealPercent >= 5 {
		severity = Problem
	}
	return one(severity,
		fmt.Sprintf("the hypervisor gave %.1f %% of the CPUs' time to other machines", *c.StealPercent),
		"stolen time comes in slices of milliseconds and falls on some rounds only",
		"use a machine with dedicated cores, or more rounds (--effort standard) and trust ratios only")
}

// otherLeast is the share of the CPUs' time, in percent, from which other work is worth a word.
const otherLeast = 5

// checkOtherWork goes by what others used, where that is known. The load average still holds the minute before, and a
// backend with as many threads as CPUs makes pressure of its own.
func checkOtherWork(i Info, c Conditions) []Finding {
	cpus := i.UsableCPUs()
	var seen string
	switch {
	case c.OtherPercent != nil && *c.OtherPercent >= otherLeast:
		seen = fmt.Sprintf("it took %.0f %% of their time", *c.OtherPercent)
	case c.OtherPercent != nil:
		return nil
	case c.LoadStart != nil && cpus > 0 && *c.LoadStart > max(0.5, 0.25*cpus):
		seen = fmt.Sprintf("a load average of %.2f on %.3g CPUs before anything was measured", *c.LoadStart, cpus)
	default:
		return nil
	}
	return one(Warning, "other work shares the CPUs: "+seen,
		"what it takes is missing from some rounds, and not from others", "stop it (see top), or run on CPUs of your own: taskset -c LIST clsbench …")
}

// The smallest of the main job needs well under 1 GiB; training at 224 px takes several.
const (
	memoryLeast = 1 << 30
	memoryGood  = 4 << 30
)

func checkMemory(i Info, _ Conditions) []Finding {
	usable := i.UsableMemory()
	if usable == 0 {
		return nil
	}
	from := "the machine has"
	if i.Cgroup.MemoryLimit == usable {
		from = "the control group allows"
	}
	free := usable
	if i.Memory.Available > 0 {
		free = min(usable, i.Memory.Available)
	}
	switch {
	case free < memoryLeast:
		return one(Problem, fmt.Sprintf("%s of memory can be had (%s %s)", size(free), from, size(usable)),
			"plugins will be killed, or swap while they are timed", "free or add memory, or raise the limit (docker run --memory)")
	case usable < memoryGood:
		return one(Warning, fmt.Sprintf("%s %s of memory", from, size(usable)),
			"training at 224 pixels will not fit at the default batch", "add memory, or ask for smaller batches: --batch 1")
	}
	return nil
}

func checkMemoryPressure(_ Info, c Conditions) []Finding {
	if c.Pressure.Memory == nil || *c.Pressure.Memory < 1 {
		return nil
	}
	return one(Warning, fmt.Sprintf("tasks waited for memory %.1f %% of the time", *c.Pressure.Memory),
		"the kernel reclaims pages while something is timed", "free memory, or use smaller batches")
}

// sharedLeast is what the largest workload's batches need between host and plugin, with room for a peer's workers.
const sharedLeast = 256 << 20

func checkShared(i Info, _ Conditions) []Finding {
	const why = "PyTorch's data loaders and other peers pass tensors through it and die with a bus error when it is full; " +
		"clsbench's own regions are memfds and do not need it"
	switch {
	case i.Memory.SharedTotal == 0 && strings.HasPrefix(i.Software.Platform, "linux/"):
		return one(Warning, "there is no /dev/shm", why, "mount -t tmpfs tmpfs /dev/shm")
	case i.Memory.SharedTotal > 0 && i.Memory.SharedFree < sharedLeast:
		return one(Warning, fmt.Sprintf("/dev/shm has %s free of %s", size(i.Memory.SharedFree), size(i.Memory.SharedTotal)), why,
			"docker run --shm-size=2g, or mount -o remount,size=2g /dev/shm")
	}
	return nil
}

func checkGovernor(i Info, _ Conditions) []Finding {
	switch i.CPU.Governor {
	case "performance", Unknown, "":
		return nil
	}
	return one(Warning, fmt.Sprintf("the frequency governor is %q", i.CPU.Governor),
		"clocks rise only after work arrives, so short steps run at a lower clock than long ones", "sudo cpupower frequency-set -g performance")
}

func checkHeat(i Info, c Conditions) []Finding {
	if c.ThermalEvents != nil && *c.ThermalEvents > 0 {
		return one(Warning, fmt.Sprintf("cores slowed down for heat %d times", *c.ThermalEvents),
			"later rounds are slower than earlier ones", "improve the cooling, or lower the power limit so that the clock holds")
	}
	if i.CPU.MaxMHz > 0 && c.MHzEnd != nil && *c.MHzEnd < 0.5*i.CPU.MaxMHz && c.BusyPercent != nil && *c.BusyPercent > 90 {
		return one(Warning, fmt.Sprintf("under load the cores ran at %.0f MHz of %.0f", *c.MHzEnd, i.CPU.MaxMHz),
			"a power or heat limit, or a battery, holds them down", "check the power profile, the mains and the cooling")
	}
	return nil
}

func checkISA(i Info, _ Conditions) []Finding {
	if !strings.HasSuffix(i.Software.Platform, "/amd64") || slices.Contains(i.CPU.ISA, "AVX2") && slices.Contains(i.CPU.ISA, "FMA3") {
		return nil
	}
	return one(Warning, "the processor, or its hypervisor, offers no AVX2 with FMA",
		"the portable kernels run, at a tenth of the speed", "let the hypervisor pass the host's processor through (-cpu host)")
}

func checkHugePages(i Info, _ Conditions) []Finding {
	if i.Memory.HugePages != "never" {
		return nil
	}
	return one(Warning, "transparent huge pages are off", "large matrices take a miss in the page tables every 4 KiB",
		"echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled")
}

func checkAffinity(i Info, _ Conditions) []Finding {
	if n := len(i.CPU.Allowed); n > 0 && n < i.CPU.LogicalCPUs {
		return one(Note, fmt.Sprintf("this process may use %d of the machine's %d CPUs", n, i.CPU.LogicalCPUs),
			"figures are those of a part of the machine, whose caches and memory the rest shares", "taskset -c 0-"+strconv.Itoa(i.CPU.LogicalCPUs-1)+" clsbench …, to use all")
	}
	return nil
}

func checkNUMA(i Info, _ Conditions) []Finding {
	if i.CPU.NUMANodes < 2 {
		return nil
	}
	return one(Note, fmt.Sprintf("the machine has %d memory nodes", i.CPU.NUMANodes),
		"a thread that reads another node's memory is slower, and where pages land varies between runs", "numactl --cpunodebind=0 --membind=0 clsbench …")
}

func checkSMT(i Info, _ Conditions) []Finding {
	if i.CPU.SMT != "on" {
		return nil
	}
	return one(Note, "two threads share each core",
		"a second thread on a busy core gains matrix products nothing and takes cache from the first",
		"one thread a core (--threads), or switch it off: echo off | sudo tee /sys/devices/system/cpu/smt/control")
}

func checkVirtual(i Info, _ Conditions) []Finding {
	if !i.Virtual() {
		return nil
	}
	return one(Note, "this is a virtual machine ("+i.Hypervisor+")",
		"its clocks are unknown and its neighbours unseen: absolute figures vary from day to day",
		"compare ratios within one run, and shares of the measured peak")
}

// poclICD is where Debian's pocl-opencl-icd registers PoCL with the OpenCL loader.
const poclICD = "/etc/OpenCL/vendors/pocl.icd"

// linkerCheck asks for what PoCL cannot do without: it links each kernel with ld and aborts the process if that fails.
func linkerCheck(lookPath func(string) (string, error), exists func(string) bool) func(Info, Conditions) []Finding {
	return func(Info, Conditions) []Finding {
		if !exists(poclICD) {
			return nil
		}
		if _, err := lookPath("ld"); err == nil {
			return nil
		}
		return one(Problem, "PoCL is installed, but there is no ld on the PATH",
			"PoCL links each kernel with it, and aborts the whole process where it is missing: the opencl backend will crash", "sudo apt install binutils")
	}
}

// size prints bytes in the binary unit that suits.
func size(bytes int64) string {
	if bytes >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}
