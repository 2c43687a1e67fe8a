package machine

import (
	"bufio"
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
	"github.com/prometheus/procfs/sysfs"
	"golang.org/x/sys/unix"
)

// looks is what Linux tells, each into its own fields; a look that finds nothing leaves them unknown.
func (h host) looks() []func(*Info) {
	return []func(*Info){
		h.lookCPUInfo, h.lookAffinity, h.lookTopology, h.lookClocks, h.lookCaches, h.lookNUMA,
		h.lookMemory, h.lookShared, h.lookCgroup, h.lookContainer, h.lookSystem,
	}
}

// text is a small file's content without surrounding blanks; empty if it cannot be read.
func (h host) text(elem ...string) string {
	b, err := os.ReadFile(h.path(elem...))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (h host) exists(elem ...string) bool {
	_, err := os.Stat(h.path(elem...))
	return err == nil
}

func (h host) proc() (procfs.FS, error) { return procfs.NewFS(h.path("proc")) }
func (h host) sys() (sysfs.FS, error)   { return sysfs.NewFS(h.path("sys")) }

// lookCPUInfo prefers the kernel's name to the cpuid instruction's: it is the one people see in lscpu. ARM's cores say
// who they are only here.
func (h host) lookCPUInfo(i *Info) {
	f, err := os.Open(h.path("proc", "cpuinfo"))
	if err != nil {
		return
	}
	defer f.Close()
	number := func(s string, into *int) {
		if n, err := strconv.ParseInt(s, 0, 32); err == nil {
			*into = int(n)
		}
	}
	c := &i.CPU
	for sc := bufio.NewScanner(f); sc.Scan(); {
		key, value, found := strings.Cut(sc.Text(), ":")
		if !found {
			if c.Family != 0 {
				return // an empty line ends the first CPU
			}
			continue
		}
		switch value = strings.TrimSpace(value); strings.TrimSpace(key) {
		case "model name":
			c.Model = orUnknown(value)
		case "cpu family":
			number(value, &c.Family)
		case "model":
			number(value, &c.ModelNum)
		case "stepping":
			number(value, &c.Stepping)
		case "CPU implementer":
			number(value, &c.Family)
			if c.Family == 0x41 {
				c.Vendor = "ARM"
			}
		case "CPU part":
			number(value, &c.ModelNum)
		}
	}
}

// lookAffinity reads the main thread's mask: a probe may have pinned the thread that this runs on.
func (h host) lookAffinity(i *Info) {
	fs, err := h.proc()
	if err != nil {
		return
	}
	self, err := fs.Self()
	if err != nil {
		return
	}
	status, err := self.NewStatus()
	if err != nil || len(status.CpusAllowedList) == 0 {
		return
	}
	i.CPU.Allowed = make([]int, len(status.CpusAllowedList))
	for n, cpu := range status.CpusAllowedList {
		i.CPU.Allowed[n] = int(cpu)
	}
	slices.Sort(i.CPU.Allowed)
}

func (h host) lookTopology(i *Info) {
	c := &i.CPU
	if online := cpuList(h.text("sys/devices/system/cpu/online")); len(online) > 0 {
		c.LogicalCPUs = len(online)
	}
	switch h.text("sys/devices/system/cpu/smt/active") {
	case "1":
		c.SMT = "on"
	case "0":
		c.SMT = "off"
	}
	fs, err := h.sys()
	if err != nil {
		return
	}
	cpus, err := fs.CPUs()
	if err != nil {
		return
	}
	type core struct{ socket, core string }
	cores, sockets, threads := map[core]bool{}, map[string]bool{}, 0
	for _, cpu := range cpus {
		t, err := cpu.Topology()
		if err != nil {
			continue // offline
		}
		threads++
		cores[core{t.PhysicalPackageID, t.CoreID}] = true
		sockets[t.PhysicalPackageID] = true
	}
	if threads > 0 {
		c.PhysicalCores, c.Sockets, c.ThreadsPerCore = len(cores), len(sockets), threads/len(cores)
	}
}

func (h host) lookClocks(i *Info) {
	c := &i.CPU
	switch {
	case h.text("sys/devices/system/cpu/intel_pstate/no_turbo") == "0", h.text("sys/devices/system/cpu/cpufreq/boost") == "1":
		c.Boost = "on"
	case h.text("sys/devices/system/cpu/intel_pstate/no_turbo") == "1", h.text("sys/devices/system/cpu/cpufreq/boost") == "0":
		c.Boost = "off"
	}
	for _, cpu := range c.Allowed {
		dir := "sys/devices/system/cpu/cpu" + strconv.Itoa(cpu) + "/cpufreq"
		switch governor := h.text(dir, "scaling_governor"); {
		case governor == "" || governor == c.Governor:
		case c.Governor == Unknown:
			c.Governor = governor
		default:
			c.Governor = "mixed"
		}
		if kHz, err := strconv.ParseFloat(h.text(dir, "cpuinfo_max_freq"), 64); err == nil {
			c.MaxMHz = max(c.MaxMHz, kHz/1e3)
		}
	}
	if mhz, ok := h.clock(c.Allowed); ok {
		c.MHz = mhz
	}
}

// clock is the mean clock of the CPUs in MHz. A guest's /proc/cpuinfo repeats the nominal clock, whatever the core
// does, so in a virtual machine only the frequency driver counts.
func (h host) clock(cpus []int) (float64, bool) {
	sum, n := 0.0, 0
	for _, cpu := range cpus {
		kHz, err := strconv.ParseFloat(h.text("sys/devices/system/cpu/cpu"+strconv.Itoa(cpu)+"/cpufreq/scaling_cur_freq"), 64)
		if err == nil && kHz > 0 {
			sum, n = sum+kHz/1e3, n+1
		}
	}
	if n == 0 && !h.virtual {
		for _, line := range strings.Split(h.text("proc", "cpuinfo"), "\n") {
			key, value, _ := strings.Cut(line, ":")
			mhz, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if strings.TrimSpace(key) == "cpu MHz" && err == nil && mhz > 0 {
				sum, n = sum+mhz, n+1
			}
		}
	}
	if n == 0 {
		return 0, false
	}
	return sum / float64(n), true
}

// lookCaches reads the first allowed CPU's caches; many hypervisors hide them, then cpuid's stand.
func (h host) lookCaches(i *Info) {
	if len(i.CPU.Allowed) == 0 {
		return
	}
	dirs, err := filepath.Glob(h.path("sys/devices/system/cpu/cpu"+strconv.Itoa(i.CPU.Allowed[0]), "cache/index[0-9]*"))
	if err != nil || len(dirs) == 0 {
		return
	}
	var caches []Cache
	for _, dir := range dirs {
		read := func(name string) string {
			b, _ := os.ReadFile(filepath.Join(dir, name))
			return strings.TrimSpace(string(b))
		}
		level, _ := strconv.Atoi(read("level"))
		bytes := kernelSize(read("size"))
		if level == 0 || bytes == 0 {
			continue
		}
		caches = append(caches, Cache{level, strings.ToLower(read("type")), bytes, len(cpuList(read("shared_cpu_list")))})
	}
	if len(caches) > 0 {
		slices.SortFunc(caches, func(a, b Cache) int {
			return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Kind, b.Kind))
		})
		i.CPU.Caches = caches
	}
}

func (h host) lookNUMA(i *Info) {
	nodes, err := filepath.Glob(h.path("sys/devices/system/node/node[0-9]*"))
	if err == nil {
		i.CPU.NUMANodes = len(nodes)
	}
}

func (h host) lookMemory(i *Info) {
	// The file reads "always [madvise] never", the choice in brackets.
	if _, rest, ok := strings.Cut(h.text("sys/kernel/mm/transparent_hugepage/enabled"), "["); ok {
		i.Memory.HugePages, _, _ = strings.Cut(rest, "]")
	}
	fs, err := h.proc()
	if err != nil {
		return
	}
	m, err := fs.Meminfo()
	if err != nil {
		return
	}
	for into, from := range map[*int64]*uint64{
		&i.Memory.Total: m.MemTotalBytes, &i.Memory.Available: m.MemAvailableBytes, &i.Memory.Swap: m.SwapTotalBytes,
	} {
		if from != nil {
			*into = int64(*from)
		}
	}
}

func (h host) lookShared(i *Info) {
	var st unix.Statfs_t
	if unix.Statfs(h.path("dev/shm"), &st) == nil {
		i.Memory.SharedTotal = int64(st.Blocks) * st.Bsize
		i.Memory.SharedFree = int64(st.Bavail) * st.Bsize
	}
}

// lookContainer knows the marks that the runtimes leave: files, a variable, the name of process 1's control group.
func (h host) lookContainer(i *Info) {
	groups := h.text("proc/1/cgroup")
	switch {
	case h.getenv("KUBERNETES_SERVICE_HOST") != "" || strings.Contains(groups, "kubepods"):
		i.Container = "kubernetes"
	case h.exists(".dockerenv") || strings.Contains(groups, "/docker"):
		i.Container = "docker"
	case h.exists("run/.containerenv") || strings.Contains(groups, "/libpod"):
		i.Container = "podman"
	case h.text("run/systemd/container") != "":
		i.Container = h.text("run/systemd/container")
	case strings.Contains(groups, "/lxc"):
		i.Container = "lxc"
	case h.exists("proc/1"):
		i.Container = None
	}
}

func (h host) lookSystem(i *Info) {
	for _, line := range strings.Split(h.text("etc/os-release"), "\n") {
		if name, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			i.Software.OS = strings.Trim(name, `"'`)
		}
	}
	i.Software.Kernel = orUnknown(h.text("proc/sys/kernel/osrelease"))
}

// kernelSize reads "48K" or "32M" as bytes; 0 if it is neither.
func kernelSize(s string) int64 {
	shift := 0
	switch {
	case strings.HasSuffix(s, "K"):
		shift = 10
	case strings.HasSuffix(s, "M"):
		shift = 20
	}
	n, err := strconv.ParseInt(strings.TrimRight(s, "KM"), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return n << shift
}

// maxCPUs bounds a list read from a file: twice the kernel's own limit (NR_CPUS, 8192).
const maxCPUs = 1 << 14

// cpuList reads the kernel's list format, "0-3,8,10-11" (Documentation/admin-guide/cputopology.rst); nil if malformed.
func cpuList(s string) []int {
	if s == "" {
		return nil
	}
	var cpus []int
	for _, part := range strings.Split(s, ",") {
		lo, hi, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(lo)
		last := first
		if err == nil && isRange {
			last, err = strconv.Atoi(hi)
		}
		if err != nil || first < 0 || last < first || len(cpus)+last-first >= maxCPUs {
			return nil
		}
		for n := first; n <= last; n++ {
			cpus = append(cpus, n)
		}
	}
	return cpus
}
