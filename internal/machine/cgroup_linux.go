package machine

import (
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// noLimit is where a v1 memory limit means none: the kernel prints the largest multiple of a page below 2⁶³.
const noLimit = 1 << 62

// hierarchy is one mounted tree of control groups and this process's place in it.
type hierarchy struct {
	v2   bool
	dirs []string // from this process's group up to the mount
}

// quota is the tightest CPU limit of a hierarchy and the folder that sets it.
type quota struct {
	cpus float64 // 0 = none
	dir  string  // the group's own folder if none
}

// lookCgroup finds the tightest limits on the way to the root: a group's own limit may be looser than its parent's.
func (h host) lookCgroup(i *Info) {
	i.Cgroup = h.cgroup()
}

// UsableMemory is Info.UsableMemory of this machine without the rest of Capture: a few small files are read.
func UsableMemory() int64 {
	h := realHost()
	var i Info
	h.lookMemory(&i)
	h.lookCgroup(&i)
	return i.UsableMemory()
}

func (h host) cgroup() Cgroup {
	tree, version := h.hierarchies()
	c := Cgroup{Version: version}
	if cpu, ok := tree["cpu"]; ok {
		c.CPUQuota = h.cpuQuota(cpu).cpus
	}
	if memory, ok := tree["memory"]; ok {
		for _, dir := range memory.dirs {
			file := "memory.limit_in_bytes"
			if memory.v2 {
				file = "memory.max" // "max" where there is no limit
			}
			n, err := strconv.ParseInt(h.text(dir, file), 10, 64)
			if err == nil && n > 0 && n < noLimit && (c.MemoryLimit == 0 || n < c.MemoryLimit) {
				c.MemoryLimit = n
			}
		}
	}
	return c
}

func (h host) cpuQuota(t hierarchy) quota {
	q := quota{dir: t.dirs[0]}
	for _, dir := range t.dirs {
		limit, period := h.text(dir, "cpu.cfs_quota_us"), h.text(dir, "cpu.cfs_period_us")
		if t.v2 {
			limit, period, _ = strings.Cut(h.text(dir, "cpu.max"), " ")
		}
		// -1 (v1) and "max" (v2) say that there is no limit.
		l, err := strconv.ParseFloat(limit, 64)
		p, perr := strconv.ParseFloat(period, 64)
		if err != nil || perr != nil || l <= 0 || p <= 0 {
			continue
		}
		if cpus := l / p; q.cpus == 0 || cpus < q.cpus {
			q = quota{cpus, dir}
		}
	}
	return q
}

// throttling counts the periods of the group whose quota binds, those in which it ran out, and the time lost, in
// seconds; false where nothing counts them.
func (h host) throttling() (periods, throttled int64, seconds float64, ok bool) {
	tree, _ := h.hierarchies()
	cpu, found := tree["cpu"]
	if !found {
		return 0, 0, 0, false
	}
	stat := h.text(h.cpuQuota(cpu).dir, "cpu.stat")
	for _, line := range strings.Split(stat, "\n") {
		key, value, _ := strings.Cut(line, " ")
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil {
			continue
		}
		switch key {
		case "nr_periods":
			periods, ok = n, true
		case "nr_throttled":
			throttled = n
		case "throttled_time": // v1, nanoseconds
			seconds = float64(n) / 1e9
		case "throttled_usec": // v2
			seconds = float64(n) / 1e6
		}
	}
	return periods, throttled, seconds, ok
}

// hierarchies finds, for the controllers "cpu" and "memory", the tree that carries each: its own on v1, the unified
// one on v2 (cgroups(7)). /proc/self/cgroup gives this process's place in each tree, mountinfo where each is mounted.
func (h host) hierarchies() (map[string]hierarchy, string) {
	mounts := h.text("proc/self/mountinfo")
	if mounts == "" {
		return nil, Unknown
	}
	places := map[string]string{} // controller → path in its tree; "" is the unified tree
	for _, line := range strings.Split(h.text("proc/self/cgroup"), "\n") {
		if f := strings.SplitN(line, ":", 3); len(f) == 3 {
			for _, controller := range strings.Split(f[1], ",") {
				places[controller] = f[2]
			}
		}
	}
	tree := map[string]hierarchy{}
	var unified *hierarchy
	v1 := false
	for _, line := range strings.Split(mounts, "\n") {
		m, ok := parseMount(line)
		if !ok {
			continue
		}
		if m.kind == "cgroup2" {
			unified = &hierarchy{v2: true, dirs: groupDirs(m, places[""])}
			continue
		}
		v1 = true
		for _, controller := range strings.Split(m.options, ",") {
			if place, ok := places[controller]; ok && (controller == "cpu" || controller == "memory") {
				tree[controller] = hierarchy{dirs: groupDirs(m, place)}
			}
		}
	}
	if unified != nil {
		for _, controller := range []string{"cpu", "memory"} {
			if _, taken := tree[controller]; !taken {
				tree[controller] = *unified
			}
		}
	}
	switch {
	case v1 && unified != nil:
		return tree, "hybrid"
	case v1:
		return tree, "v1"
	case unified != nil:
		return tree, "v2"
	}
	return nil, None
}

// mount is a control group's line of mountinfo.
type mount struct {
	root, point   string // the tree's folder that is mounted, and where
	kind, options string // "cgroup" or "cgroup2"; the super block's options, which name v1's controllers
}

// parseMount reads "30 24 0:26 ROOT POINT rw shared:9 - TYPE SOURCE OPTIONS" (proc(5)): optional fields end at " - ".
func parseMount(line string) (mount, bool) {
	before, after, ok := strings.Cut(line, " - ")
	left, right := strings.Fields(before), strings.Fields(after)
	if !ok || len(left) < 6 || len(right) < 3 || (right[0] != "cgroup" && right[0] != "cgroup2") {
		return mount{}, false
	}
	return mount{unescape(left[3]), unescape(left[4]), right[0], right[2]}, true
}

// unescape undoes mountinfo's octal escapes of blank, tab, newline and backslash.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// groupDirs lists the folders from the group up to the mount. Where the mount shows only a part of the tree (a
// container without a control group namespace), the place is taken relative to that part; a place outside of it, or
// a root given from a namespace ("/.."), leaves the mount's own folder.
func groupDirs(m mount, place string) []string {
	below, inside := place, true
	if m.root != "/" {
		below, inside = strings.CutPrefix(place, m.root)
	}
	if !inside || strings.Contains(below, "..") {
		below = "/"
	}
	var dirs []string
	for below = path.Clean("/" + below); ; below = path.Dir(below) {
		dirs = append(dirs, filepath.Join(m.point, below))
		if below == "/" {
			return dirs
		}
	}
}
